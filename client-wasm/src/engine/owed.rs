//! Which entries are owed to which store, in which order, and when.
//!
//! **The owed rule.** An entry is owed to the store that answers at a target while that store has not given
//! its final word about it (stored with a receipt, or refused), unless
//! - the cloud itself has given its receipt to this device; or
//! - the store is a hub, and a hub that answers now says that it has relayed the entry to the cloud
//!   ([`claims_cloud`]). While that hub answers it would take its word back, should the cloud have lost history;
//!   one that is gone cannot, so its word keeps nothing from the others. And no hub's word stands in for the
//!   cloud's own: when the cloud answers, everything goes there that it has not answered itself. That costs one
//!   resend, which is harmless.
//!
//! An entry whose text was removed is owed to nobody. Of a target where no store ever answered, nobody knows
//! what it wants: it is shown only what no store has spoken about.
//!
//! **Order.** Entries go in the order of arrival. A later version of a lead waits for the earlier ones that
//! are owed to the same store: they go before it in the same request, or it stays. One whose predecessor was
//! refused goes as it is. A store that lacks a predecessor which is owed to nobody (because the cloud has it)
//! answers `waiting`; then the predecessor is owed to that store too.
//!
//! **Holds.** What a store did not take yet is set aside for that target, longer each time, so that it does
//! not stand in the way of the others.

use domain::{ClientId, StoreId};

use super::Target;
use super::backoff::Jitter;
use super::batch::{Batch, BatchLimit};
use super::custody::claims_cloud;
use super::outbox::{Item, Outbox};
use super::record::EntryRecord;

/// First wait of an entry that a store did not take yet, in milliseconds.
pub const HOLD_BASE_MS: u64 = 5_000;

/// Longest wait of such an entry, in milliseconds.
pub const MAX_HOLD_MS: u64 = 300_000;

/// Sets one entry aside at one target for a while.
#[derive(Debug, Clone, Copy)]
pub(super) struct Hold {
    pub(super) target: Target,
    times: u32,
    until_ms: u64,
}

impl Hold {
    pub(super) fn prolong(holds: &mut Vec<Self>, target: Target, from_ms: u64, jitter: &mut Jitter) {
        let times = holds.iter().find(|hold| hold.target == target).map_or(0, |hold| hold.times);
        let until_ms = from_ms.saturating_add(jitter.wait_ms(HOLD_BASE_MS, times, MAX_HOLD_MS));
        holds.retain(|hold| hold.target != target);
        holds.push(Self { target, times: times.saturating_add(1), until_ms });
    }
}

/// What a device still holds for a store.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Left {
    /// How many leads.
    pub leads: u64,
    /// When the first of them was saved, by the device's clock, in milliseconds since 1970.
    pub oldest_saved_at: Option<i64>,
}

/// One target, as the outbox sees it.
#[derive(Debug, Default)]
pub(super) struct Lane {
    /// Whether a store answers there.
    is_reachable: bool,
    /// No entry with a smaller key is owed there.
    from_key: u64,
}

impl Lane {
    pub(super) const fn look_from(&mut self, key: u64) {
        if key < self.from_key {
            self.from_key = key;
        }
    }
}

impl Outbox {
    /// The store that answered last at a target.
    pub fn answering(&self, target: Target) -> Option<StoreId> {
        self.stores.answering.get(usize::from(target)).copied().flatten()
    }

    /// Whether a store answers at a target.
    pub fn set_reachable(&mut self, target: Target, is_reachable: bool) {
        if let Some(lane) = self.lanes.get_mut(usize::from(target))
            && lane.is_reachable != is_reachable
        {
            lane.is_reachable = is_reachable;
            self.look_everywhere();
        }
    }

    /// Something may be owed again.
    pub(super) fn look_everywhere(&mut self) {
        self.lanes.iter_mut().for_each(|lane| lane.from_key = 0);
    }

    /// The next entries to send to a target.
    pub fn next_batch(&mut self, target: Target, now_ms: u64, limit: &BatchLimit) -> Vec<u64> {
        let mut batch = Batch::new(limit);
        for at in self.first_owed(target)..self.items.len() {
            let item = &self.items[at];
            if !self.is_owed(item, target) || self.ready_at_ms(item, target) > now_ms {
                continue;
            }
            let is_next =
                self.owed_predecessors(item, target).all(|earlier| batch.keys.contains(&earlier.key()));
            if is_next && !batch.take(item.key(), item.record.entry.len()) {
                break;
            }
        }
        batch.keys
    }

    /// When the next owed entry can be sent to a target: now, when a hold ends, or `None` when nothing is
    /// owed. Agrees with [`Outbox::next_batch`]: what is ready by this time would be in the batch.
    pub fn next_ready_ms(&mut self, target: Target, now_ms: u64) -> Option<u64> {
        let mut next_ms: Option<u64> = None;
        for at in self.first_owed(target)..self.items.len() {
            let item = &self.items[at];
            if self.is_owed(item, target) {
                let ready_ms = self.ready_at_ms(item, target);
                if ready_ms <= now_ms {
                    return Some(now_ms);
                }
                next_ms = Some(next_ms.map_or(ready_ms, |next_ms| next_ms.min(ready_ms)));
            }
        }
        next_ms
    }

    /// Tries everything anew that was set aside.
    pub fn release_all(&mut self) {
        self.items.iter_mut().for_each(|item| item.holds.clear());
    }

    /// The bytes of these entries.
    pub fn texts<'a>(&'a self, keys: &'a [u64]) -> impl Iterator<Item = &'a str> {
        keys.iter().filter_map(|key| self.record(*key)).map(|record| record.entry.as_str())
    }

    /// What a target is owed beyond these entries, which are in order: how many leads, and when the first of it was saved.
    pub fn left_beyond(&mut self, target: Target, keys: &[u64]) -> Left {
        let mut left = Left::default();
        let is_left = |item: &Item| keys.binary_search(&item.key()).is_err();
        for at in self.first_owed(target)..self.items.len() {
            let item = &self.items[at];
            // A lead counts once, by the first of its versions that is left.
            if is_left(item)
                && self.is_owed(item, target)
                && !self.owed_predecessors(item, target).any(is_left)
            {
                let saved_at = item.record.saved_at;
                left.leads += 1;
                left.oldest_saved_at =
                    Some(left.oldest_saved_at.map_or(saved_at, |oldest| oldest.min(saved_at)));
            }
        }
        left
    }

    /// Index of the first entry that is owed at a target; remembered, so that what is settled is not looked
    /// at after every fact.
    fn first_owed(&mut self, target: Target) -> usize {
        let Some(lane) = self.lanes.get(usize::from(target)) else { return self.items.len() };
        let from = self.items.partition_point(|item| item.key() < lane.from_key);
        let settled = self.items[from..].iter().take_while(|item| !self.is_owed(item, target)).count();
        let first = from + settled;
        let from_key = match self.items.get(first) {
            Some(item) => item.key(),
            None => self.items.last().map_or(0, |item| item.key().saturating_add(1)),
        };
        self.lanes[usize::from(target)].from_key = from_key;
        first
    }

    fn is_owed(&self, item: &Item, target: Target) -> bool {
        if item.record.removed.is_some() || !item.is_json {
            return false;
        }
        let Some(store) = self.answering(target) else { return item.answers.is_empty() };
        if item.word_of(store).is_some() {
            return false;
        }
        item.wanted_by == Some(store)
            || !self.is_in_cloud(item) && (self.stores.is_cloud(store) || !self.is_vouched_for(item))
    }

    /// Whether a hub that answers now says that the cloud has it.
    fn is_vouched_for(&self, item: &Item) -> bool {
        let answers_now = |hub: StoreId| {
            let mut lanes = self.lanes.iter().zip(&self.stores.answering);
            lanes.any(|(lane, store)| lane.is_reachable && *store == Some(hub))
        };
        let mut answers = item.answers.iter();
        answers
            .any(|answer| answers_now(answer.store_id) && claims_cloud(answer, &item.answers, &self.stores))
    }

    /// When an entry and all that must go before it can be sent.
    fn ready_at_ms(&self, item: &Item, target: Target) -> u64 {
        let hold = |item: &Item| {
            item.holds.iter().find(|hold| hold.target == target).map_or(0, |hold| hold.until_ms)
        };
        self.owed_predecessors(item, target).map(hold).fold(hold(item), u64::max)
    }

    /// Earlier versions of the same lead that are owed at the same target.
    fn owed_predecessors(&self, item: &Item, target: Target) -> impl Iterator<Item = &Item> {
        let EntryRecord { client_id, version, .. } = &item.record;
        let (client_id, version): (ClientId, u32) = (*client_id, *version);
        // A first version has none, and is not looked up.
        let versions = if version > 1 { self.by_lead.versions(client_id) } else { &[] };
        let earlier = versions.iter().take_while(move |other| other.version < version);
        earlier.filter_map(|other| self.get(other.key)).filter(move |item| self.is_owed(item, target))
    }
}
