//! What of an iPad survives a crash.

use std::collections::{BTreeMap, BTreeSet};

use domain::DeviceId;
use leadlog_client::engine::record::{EntryRecord, Mark, Records, Stores};

/// The browser's storage: one installation of the app.
#[derive(Debug, Clone)]
pub struct Disk {
    /// The installation.
    pub installation: DeviceId,
    /// The next `deviceSeq` of this installation.
    pub next_seq: u64,
    /// The saved entries, by key, and whether a newer app wrote them in a form of its own.
    pub entries: BTreeMap<u64, Kept>,
    /// What stores have said, by key.
    pub marks: BTreeMap<u64, Mark>,
    /// What is known about stores.
    pub stores: Option<Stores>,
    /// Raised whenever another tab takes over the writing.
    pub epoch: u64,
    /// The quota is used up.
    pub is_full: bool,
    /// Only the mutant that keeps "syncing" on disk writes here.
    pub syncing: BTreeSet<u64>,
}

/// An entry on disk.
#[derive(Debug, Clone)]
pub struct Kept {
    /// The record.
    pub record: EntryRecord,
    /// An old app cannot read it.
    pub is_new_form: bool,
}

impl Disk {
    /// Empty storage.
    pub fn new(installation: DeviceId) -> Self {
        Self {
            installation,
            next_seq: 1,
            entries: BTreeMap::new(),
            marks: BTreeMap::new(),
            stores: None,
            epoch: 0,
            is_full: false,
            syncing: BTreeSet::new(),
        }
    }

    /// The key of the next entry.
    pub fn next_key(&self) -> u64 {
        self.entries.last_key_value().map_or(1, |(key, _)| key + 1)
    }

    /// What an app reads when it opens; an old one cannot read what a newer one wrote.
    pub fn read(&self, is_old_app: bool) -> Records {
        let can_read = |kept: &&Kept| !(is_old_app && kept.is_new_form);
        let entries: Vec<EntryRecord> = self
            .entries
            .values()
            .filter(can_read)
            .map(|kept| kept.record.clone())
            .filter(|record| !self.syncing.contains(&record.key))
            .collect();
        let marks = entries.iter().filter_map(|record| self.marks.get(&record.key).cloned()).collect();
        let unreadable = self.entries.values().filter(|kept| !can_read(kept)).count();
        Records { entries, marks, stores: self.stores.clone(), unreadable }
    }

    /// Writes what the engine asked for, all of it.
    pub fn write(&mut self, records: Records) {
        for record in records.entries {
            if let Some(kept) = self.entries.get_mut(&record.key) {
                kept.record = record;
            }
        }
        self.marks.extend(records.marks.into_iter().map(|mark| (mark.key, mark)));
        self.stores = records.stores.or(self.stores.take());
    }
}
