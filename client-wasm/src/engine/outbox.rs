//! The outbox: every entry of this device in the order of saving, and what is still owed to whom.
//!
//! It holds the text of every entry in memory, some 700 bytes each. Its size is bounded by the disk, on
//! purpose: a Save is never refused because many wait.
//!
//! Sorted vectors instead of trees: entries come in order, and trees would add a tenth to the download.

use domain::{ClientId, StoreId, Tier};

use super::backoff::Jitter;
use super::batch::{Batch, BatchLimit};
use super::custody::{Place, newest_receipt, place};
use super::record::{Answer, EntryRecord, Mark, RECORD_VERSION, Stores};
use crate::json::{self, Raw};

/// First wait of an entry that a store did not take yet, in milliseconds.
pub const HOLD_BASE_MS: u64 = 5_000;

/// Longest wait of such an entry, in milliseconds.
pub const MAX_HOLD_MS: u64 = 600_000;

/// The outbox.
#[derive(Default)]
pub struct Outbox {
    /// In the order of `deviceSeq`.
    items: Vec<Item>,
    stores: Stores,
}

struct Item {
    record: EntryRecord,
    /// Text that is not JSON would spoil the whole request. It cannot come from this program.
    is_json: bool,
    answers: Vec<Answer>,
    hold: Option<Hold>,
}

/// Sets one entry aside for a while, so that it does not stand in the way of the others.
#[derive(Clone, Copy)]
struct Hold {
    times: u32,
    until_ms: u64,
}

impl Item {
    const fn seq(&self) -> u64 {
        self.record.device_seq
    }

    fn place(&self, stores: &Stores) -> Place {
        place(&self.answers, stores)
    }

    fn is_refused(&self, stores: &Stores) -> bool {
        self.place(stores) != Place::Cloud && self.answers.iter().any(|answer| answer.verdict.is_refused())
    }

    /// Whether the store that answers now has yet to say its final word. Before the first answer, any
    /// store's word counts.
    fn is_owed(&self, stores: &Stores) -> bool {
        self.place(stores) != Place::Cloud
            && match stores.answering {
                Some(store) => self.answers.iter().all(|answer| answer.store_id != store),
                None => self.answers.is_empty(),
            }
    }

    fn is_held(&self, now_ms: u64) -> bool {
        self.hold.is_some_and(|hold| now_ms < hold.until_ms)
    }
}

impl Outbox {
    fn find(&self, seq: u64) -> Result<usize, usize> {
        self.items.binary_search_by_key(&seq, Item::seq)
    }

    fn get(&self, seq: u64) -> Option<&Item> {
        self.find(seq).ok().and_then(|at| self.items.get(at))
    }

    fn get_mut(&mut self, seq: u64) -> Option<&mut Item> {
        self.find(seq).ok().and_then(|at| self.items.get_mut(at))
    }

    /// Adds an entry, unless it is here already: its bytes never change.
    pub fn insert(&mut self, record: EntryRecord) {
        if let Err(at) = self.find(record.device_seq) {
            let is_json = json::read::<Raw<'_>>(&record.entry).is_ok();
            self.items.insert(at, Item { record, is_json, answers: Vec::new(), hold: None });
        }
    }

    /// Takes over what is on disk about an entry.
    pub fn restore(&mut self, mark: Mark) {
        if let Some(item) = self.get_mut(mark.device_seq) {
            item.answers = mark.answers;
        }
    }

    /// Takes over which stores were met.
    pub const fn restore_stores(&mut self, stores: Stores) {
        self.stores = stores;
    }

    /// The stores that were met.
    pub const fn stores(&self) -> &Stores {
        &self.stores
    }

    /// What is to be written about an entry.
    pub fn mark(&self, seq: u64) -> Option<Mark> {
        let item = self.get(seq)?;
        Some(Mark { v: RECORD_VERSION, device_seq: seq, answers: item.answers.clone() })
    }

    /// The highest sequence number that was saved.
    pub fn saved_through(&self) -> Option<u64> {
        self.items.last().map(Item::seq)
    }

    /// The newest receipt from the store that answered last.
    pub fn last_receipt(&self) -> Option<domain::Receipt> {
        let answers = self.items.iter().flat_map(|item| &item.answers);
        newest_receipt(answers, self.stores.answering?)
    }

    /// Whether this store has ever given a receipt that still counts.
    pub fn has_receipt_of(&self, store: StoreId) -> bool {
        newest_receipt(self.items.iter().flat_map(|item| &item.answers), store).is_some()
    }

    /// The next entries to send, oldest first. An entry that is set aside holds back later versions of
    /// the same lead and nothing else.
    pub fn next_batch(&self, now_ms: u64, limit: &BatchLimit) -> Vec<u64> {
        let mut batch = Batch::new(limit);
        let mut held: Vec<ClientId> = Vec::new();
        for item in self.sendable() {
            if item.is_held(now_ms) || held.contains(&item.record.client_id) {
                held.push(item.record.client_id);
            } else if !batch.take(item.seq(), item.record.entry.len()) {
                break;
            }
        }
        batch.seqs
    }

    /// The bytes of these entries.
    pub fn texts<'a>(&'a self, seqs: &'a [u64]) -> impl Iterator<Item = &'a str> {
        seqs.iter().filter_map(|seq| self.get(*seq)).map(|item| item.record.entry.as_str())
    }

    /// The lead and version of an entry.
    pub fn label(&self, seq: u64) -> Option<(ClientId, u32)> {
        self.get(seq).map(|item| (item.record.client_id, item.record.version))
    }

    /// A store answered. What was set aside for another store is tried anew with this one.
    ///
    /// Returns whether this differs from what was known.
    pub fn store_answered(&mut self, store: StoreId, tier: Tier) -> bool {
        let cloud = if tier == Tier::Cloud { Some(store) } else { self.stores.cloud };
        let stores = Stores { v: RECORD_VERSION, answering: Some(store), cloud };
        if self.stores == stores {
            return false;
        }
        if self.stores.answering != stores.answering {
            self.release_all();
        }
        self.stores = stores;
        true
    }

    /// A store has proven to have lost history: nothing that it ever said counts any more. Returns the
    /// entries whose marks have changed.
    pub fn void(&mut self, store: StoreId) -> Vec<u64> {
        let mut changed = Vec::new();
        for item in &mut self.items {
            let before = item.answers.len();
            item.answers.retain(|answer| answer.store_id != store);
            if item.answers.len() != before {
                changed.push(item.seq());
            }
        }
        changed
    }

    /// A store has said its final word about an entry.
    pub fn answer(&mut self, seq: u64, answer: Answer) {
        if let Some(item) = self.get_mut(seq) {
            item.answers.retain(|known| known.store_id != answer.store_id);
            item.answers.push(answer);
            item.hold = None;
        }
    }

    /// Sets an entry aside for a while from this moment on, longer each time.
    pub fn hold(&mut self, seq: u64, from_ms: u64, jitter: &mut Jitter) {
        if let Some(item) = self.get_mut(seq) {
            let times = item.hold.map_or(0, |hold| hold.times);
            let wait_ms = jitter.wait_ms(HOLD_BASE_MS, times, MAX_HOLD_MS);
            let until_ms = from_ms.saturating_add(wait_ms);
            item.hold = Some(Hold { times: times.saturating_add(1), until_ms });
        }
    }

    /// Tries everything anew that was set aside.
    pub fn release_all(&mut self) {
        for item in &mut self.items {
            item.hold = None;
        }
    }

    /// When the next owed entry can be sent: now, when a hold ends, or `None` when nothing is owed. Agrees
    /// with [`Outbox::next_batch`]: what is ready by this time would be in the batch.
    pub fn next_ready_ms(&self, now_ms: u64) -> Option<u64> {
        let mut held: Vec<(ClientId, u64)> = Vec::new();
        let mut next_ms: Option<u64> = None;
        for item in self.sendable() {
            let lead = item.record.client_id;
            let earlier_ms =
                held.iter().filter(|(held, _)| *held == lead).map(|(_, until_ms)| *until_ms).max();
            let ready_ms = item.hold.map_or(now_ms, |hold| hold.until_ms).max(earlier_ms.unwrap_or(now_ms));
            if ready_ms <= now_ms {
                return Some(now_ms);
            }
            held.push((lead, ready_ms));
            next_ms = Some(next_ms.map_or(ready_ms, |next_ms| next_ms.min(ready_ms)));
        }
        next_ms
    }

    /// Entries that are owed, in order.
    fn sendable(&self) -> impl Iterator<Item = &Item> {
        self.items.iter().filter(|item| item.is_json && item.is_owed(&self.stores))
    }

    /// Every entry: when it was saved, where it stands, and whether it was refused.
    pub fn standing(&self) -> impl Iterator<Item = (u64, i64, Place, bool)> {
        self.items.iter().map(|item| {
            (item.seq(), item.record.saved_at, item.place(&self.stores), item.is_refused(&self.stores))
        })
    }
}
