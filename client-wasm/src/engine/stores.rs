//! What the outbox knows of stores: who answers where, the newest receipts, how far hubs have relayed, and
//! what falls when a store has lost history.

use domain::{Receipt, StoreId, Tier};

use super::Target;
use super::custody::is_stored;
use super::outbox::{Item, Outbox};
use super::reading::Cursors;

impl Outbox {
    /// A store answered at a target. What was set aside there for another store is tried anew.
    pub fn store_answered(&mut self, target: Target, store: StoreId, tier: Tier) {
        self.meet(target, store);
        if self.stores.known(store).is_none_or(|known| known.tier != tier) {
            self.stores.know(store, tier).tier = tier;
            self.changes.stores();
        }
        if tier == Tier::Cloud && !self.stores.is_cloud(store) {
            self.stores.cloud = Some(store);
            self.changes.stores();
            self.recount();
        }
    }

    /// This store is to be met at this target.
    pub fn meet(&mut self, target: Target, store: StoreId) {
        let at = usize::from(target);
        if self.answering(target) == Some(store) || at >= self.lanes.len() {
            return;
        }
        let answering = &mut self.stores.answering;
        answering.resize(answering.len().max(at + 1), None);
        answering[at] = Some(store);
        self.changes.stores();
        for item in &mut self.items {
            item.holds.retain(|hold| hold.target != target);
        }
        self.look_everywhere();
    }

    /// A hub has said how far it has relayed. When it says nothing of it, what it said last stays.
    pub fn relayed(&mut self, hub: StoreId, relayed_through: Option<u64>, cloud_receipt: Option<Receipt>) {
        let known = self.stores.know(hub, Tier::Hub);
        let before = known.clone();
        known.relayed_through = relayed_through.or(known.relayed_through);
        if known.cloud_receipt != cloud_receipt && cloud_receipt.is_some() {
            known.cloud_receipt = cloud_receipt;
            known.is_distrusted = false;
        }
        if *known != before {
            self.changes.stores();
            self.recount();
        }
    }

    /// A hub answered, and this device had no receipt of it to show. Nothing proves that its history is still
    /// the one in which it had relayed so far; only what it says from now on counts.
    pub fn doubt_claims(&mut self, store: StoreId) {
        if self.stores.known(store).is_some_and(|known| known.relayed_through.is_some()) {
            let known = self.stores.know(store, Tier::Hub);
            known.relayed_through = None;
            self.changes.stores();
            self.recount();
        }
    }

    /// The cursors over a store's log that are kept.
    pub fn cursors(&self, store: StoreId) -> Cursors {
        self.stores.known(store).map_or_else(Cursors::default, |known| Cursors {
            erasures: known.erasures_after,
            cloud_verdicts: known.cloud_verdicts_after,
        })
    }

    /// Moves those cursors on; never back.
    pub fn keep_cursors(&mut self, store: StoreId, next: Cursors) {
        let known = self.cursors(store);
        if next.erasures > known.erasures || next.cloud_verdicts > known.cloud_verdicts {
            let it = self.stores.know(store, Tier::Hub);
            it.erasures_after = next.erasures.max(known.erasures);
            it.cloud_verdicts_after = next.cloud_verdicts.max(known.cloud_verdicts);
            self.changes.stores();
        }
    }

    /// A store has proven to have lost history: nothing that it ever said counts any more, nor what hubs said
    /// that rests on it (invariant 5). What a lost hub passed on of the cloud stays: it is the cloud's word,
    /// and another hub's claim may rest on it.
    pub fn void(&mut self, store: StoreId) {
        for item in &mut self.items {
            let before = item.answers.len();
            item.answers.retain(|answer| answer.store_id != store);
            if item.answers.len() != before {
                self.changes.mark(item.record.key);
            }
        }
        self.stores.void(store);
        self.changes.stores();
        self.recount();
    }

    /// The newest receipt that this store has given to this device itself. All receipts of one store are of
    /// one history, because each was taken with an answer that proved the one before (see [`super::answer`]).
    pub fn newest_receipt(&self, store: StoreId) -> Option<Receipt> {
        self.stores.known(store)?.newest
    }

    pub(super) fn keep_newest(&mut self, receipt: Receipt, tier: Tier) {
        let known = self.stores.know(receipt.store_id, tier);
        if known.newest.is_none_or(|newest| newest.position < receipt.position) {
            known.newest = Some(receipt);
            self.changes.stores();
        }
    }

    /// Whether the cloud itself has the entry, by the receipt that it gave to this device.
    pub(super) fn is_in_cloud(&self, item: &Item) -> bool {
        self.stores.cloud.and_then(|cloud| item.word_of(cloud)).is_some_and(is_stored)
    }
}
