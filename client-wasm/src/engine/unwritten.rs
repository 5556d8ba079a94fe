//! What is in memory and not on disk yet.
//!
//! One write at a time, with everything that has changed until then. So a mark that voids can never be
//! overtaken by one with a newer receipt, also not when the first write fails; and a cursor over erasures is
//! written in the same transaction as what was erased.

use super::outbox::Outbox;
use super::record::Records;

/// What has changed.
#[derive(Debug, Default)]
pub(super) struct Changes {
    /// Keys of entries whose personal data was removed, in order, each once.
    entries: Vec<u64>,
    /// Keys of entries of which stores have said something new, in order, each once.
    marks: Vec<u64>,
    stores: bool,
}

impl Changes {
    pub(super) fn entry(&mut self, key: u64) {
        add(&mut self.entries, key);
    }

    pub(super) fn mark(&mut self, key: u64) {
        add(&mut self.marks, key);
    }

    pub(super) const fn stores(&mut self) {
        self.stores = true;
    }

    fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.marks.is_empty() && !self.stores
    }

    fn extend(&mut self, other: &Self) {
        other.entries.iter().for_each(|key| self.entry(*key));
        other.marks.iter().for_each(|key| self.mark(*key));
        self.stores |= other.stores;
    }
}

/// They come nearly in order, so none is moved far; a sort is 3 kB of code that a device downloads.
fn add(keys: &mut Vec<u64>, key: u64) {
    if let Err(at) = keys.binary_search(&key) {
        keys.insert(at, key);
    }
}

/// The changes on their way to the disk.
#[derive(Debug, Default)]
pub(super) struct Unwritten {
    /// What is being written; it counts as changed again if that fails.
    writing: Option<Changes>,
    retry_at_ms: Option<u64>,
}

impl Unwritten {
    /// When a failed write is to be tried again.
    pub(super) const fn retry_at_ms(&self) -> Option<u64> {
        self.retry_at_ms
    }

    /// The next write, as the outbox stands now.
    pub(super) fn next_put(&mut self, now_ms: u64, outbox: &mut Outbox) -> Option<Records> {
        let is_too_early = self.retry_at_ms.is_some_and(|retry_at_ms| now_ms < retry_at_ms);
        if self.writing.is_some() || is_too_early || outbox.changes.is_empty() {
            return None;
        }
        let changes = std::mem::take(&mut outbox.changes);
        let entries = changes.entries.iter().filter_map(|key| outbox.record(*key).cloned()).collect();
        let marks = changes.marks.iter().filter_map(|key| outbox.mark(*key)).collect();
        let stores = changes.stores.then(|| outbox.stores().clone());
        self.writing = Some(changes);
        self.retry_at_ms = None;
        Some(Records { entries, marks, stores, unreadable: 0 })
    }

    /// The write is durable.
    pub(super) fn written(&mut self) {
        self.writing = None;
    }

    /// The write did not happen.
    pub(super) fn failed(&mut self, outbox: &mut Outbox, retry_at_ms: u64) {
        if let Some(changes) = self.writing.take() {
            outbox.changes.extend(&changes);
            self.retry_at_ms = Some(retry_at_ms);
        }
    }
}
