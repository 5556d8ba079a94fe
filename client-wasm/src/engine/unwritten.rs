//! What is in memory and not on disk yet.
//!
//! One write at a time, with everything that has changed until then. So a mark that voids receipts can never
//! be overtaken by one with a newer receipt, also not when the first write fails.

use super::outbox::Outbox;
use super::record::Records;

/// The changes that are still to be written.
#[derive(Debug, Default)]
pub(super) struct Unwritten {
    pending: Changes,
    /// What is being written; it becomes pending again if that fails.
    writing: Option<Changes>,
    retry_at_ms: Option<u64>,
}

#[derive(Debug, Default)]
struct Changes {
    /// In order, each once.
    seqs: Vec<u64>,
    stores: bool,
}

impl Changes {
    /// They come nearly in order, so none is moved far; a sort is 3 kB of code that a device downloads.
    fn add(&mut self, seqs: impl IntoIterator<Item = u64>) {
        for seq in seqs {
            if let Err(at) = self.seqs.binary_search(&seq) {
                self.seqs.insert(at, seq);
            }
        }
    }
}

impl Unwritten {
    /// What is known about these entries has changed.
    pub(super) fn marks(&mut self, seqs: impl IntoIterator<Item = u64>) {
        self.pending.add(seqs);
    }

    /// What is known about stores has changed.
    pub(super) const fn stores(&mut self) {
        self.pending.stores = true;
    }

    /// When a failed write is to be tried again.
    pub(super) const fn retry_at_ms(&self) -> Option<u64> {
        self.retry_at_ms
    }

    /// The next write, as the outbox stands now.
    pub(super) fn next_put(&mut self, now_ms: u64, outbox: &Outbox) -> Option<Records> {
        let is_too_early = self.retry_at_ms.is_some_and(|retry_at_ms| now_ms < retry_at_ms);
        if self.writing.is_some() || is_too_early || (self.pending.seqs.is_empty() && !self.pending.stores) {
            return None;
        }
        let changes = std::mem::take(&mut self.pending);
        let marks = changes.seqs.iter().filter_map(|seq| outbox.mark(*seq)).collect();
        let stores = changes.stores.then(|| *outbox.stores());
        self.writing = Some(changes);
        self.retry_at_ms = None;
        Some(Records { marks, stores, ..Records::default() })
    }

    /// The write is durable.
    pub(super) fn written(&mut self) {
        self.writing = None;
    }

    /// The write did not happen.
    pub(super) fn failed(&mut self, retry_at_ms: u64) {
        if let Some(changes) = self.writing.take() {
            self.pending.add(changes.seqs);
            self.pending.stores |= changes.stores;
            self.retry_at_ms = Some(retry_at_ms);
        }
    }
}
