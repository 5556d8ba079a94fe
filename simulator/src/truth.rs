//! What really happened, which nobody inside the world can see: every entry whose Save has resolved, and what
//! may still be asked of it.

use std::collections::{BTreeMap, BTreeSet};

use domain::{ClientId, DeviceId, Digest};

/// One version of one lead.
pub type EntryKey = (ClientId, u32);

/// What a store will say of an entry in the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Worth {
    /// It is a lead.
    Valid,
    /// It breaks a rule, for stores that know the campaign.
    Invalid,
    /// No store understands it yet.
    Future,
}

/// An entry whose Save has resolved.
#[derive(Debug, Clone)]
pub struct Saved {
    /// The iPad.
    pub device: usize,
    /// The installation that made it.
    pub installation: DeviceId,
    /// Its sequence number there.
    pub device_seq: u64,
    /// When the Save resolved.
    pub saved_at_ms: u64,
    /// Digest of its bytes.
    pub digest: Digest,
    /// What stores will say.
    pub worth: Worth,
    /// Whether it takes the lead back.
    pub is_void: bool,
    /// The device did not survive: nothing can be asked any more (invariant 2).
    pub is_excused: bool,
}

/// Everything that was saved.
#[derive(Debug, Default)]
pub struct Truth {
    entries: BTreeMap<EntryKey, Saved>,
    by_device: BTreeMap<usize, Vec<EntryKey>>,
    /// People that the office has erased.
    pub erased: BTreeSet<ClientId>,
    /// Whether the cloud has lost history in this arena.
    pub cloud_lost_history: bool,
}

impl Truth {
    /// A Save has resolved.
    pub fn saved(&mut self, key: EntryKey, saved: Saved) {
        self.by_device.entry(saved.device).or_default().push(key);
        self.entries.insert(key, saved);
    }

    /// Every entry.
    pub fn entries(&self) -> impl Iterator<Item = (&EntryKey, &Saved)> {
        self.entries.iter()
    }

    /// One entry.
    pub fn get(&self, key: &EntryKey) -> Option<&Saved> {
        self.entries.get(key)
    }

    /// The entries that one iPad has saved.
    pub fn of_device(&self, device: usize) -> impl Iterator<Item = (&EntryKey, &Saved)> {
        let keys = self.by_device.get(&device).map(Vec::as_slice).unwrap_or_default();
        keys.iter().filter_map(|key| self.entries.get_key_value(key))
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether nothing was saved.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The iPad's storage is gone, but for what a backup brings back. Of the rest nothing can be asked any more.
    pub fn wiped(&mut self, device: usize, restored: &BTreeSet<EntryKey>) {
        let keys = self.by_device.remove(&device).unwrap_or_default();
        let (kept, gone): (Vec<EntryKey>, Vec<EntryKey>) =
            keys.into_iter().partition(|key| restored.contains(key));
        for key in gone {
            if let Some(saved) = self.entries.get_mut(&key) {
                saved.is_excused = true;
            }
        }
        self.by_device.insert(device, kept);
    }
}
