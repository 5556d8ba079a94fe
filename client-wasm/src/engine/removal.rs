//! What must not be kept any longer (invariant 4): the text of an entry goes, and its ids and marks stay, so
//! that nothing is counted twice and no number is used again. A removed entry is never sent any more.
//!
//! - **Erasure**: a store said that the person was erased, in a list or as its verdict. All versions of that
//!   lead go at once, also those that come later from a backup. They count as settled.
//! - **Retention**: the campaign is closed. A lead of it goes as soon as the cloud has all of it: now, or
//!   when it gets there. What the cloud has not is never removed.

use domain::{CampaignId, ClientId};

use super::custody::{Place, place};
use super::outbox::{Item, Outbox};
use super::record::Removed;

impl Outbox {
    /// The person was erased.
    pub fn erase(&mut self, client_id: ClientId) {
        for key in self.keys(client_id) {
            self.remove(key, Removed::Erased);
        }
    }

    /// Whether a store said that the person of this lead was erased.
    pub(super) fn is_erased(&self, client_id: ClientId) -> bool {
        let mut versions = self.by_lead.versions(client_id).iter();
        versions.any(|version| self.record(version.key).is_some_and(|it| it.removed == Some(Removed::Erased)))
    }

    /// A campaign is over.
    pub fn close_campaign(&mut self, campaign: CampaignId) {
        if !self.stores.closed_campaigns.contains(&campaign) {
            self.stores.closed_campaigns.push(campaign);
            self.changes.stores();
            self.recount();
        }
    }

    /// Whether the newest version of this lead was removed. For a refused one before it, which stays, nobody
    /// waits.
    pub(super) fn is_over(&self, client_id: ClientId) -> bool {
        !self.stores.closed_campaigns.is_empty()
            && self.newest_version(client_id).is_some_and(|newest| newest.removed.is_some())
    }

    /// Removes a lead whose campaign is closed, if the cloud has all of it.
    pub(super) fn remove_if_due(&mut self, client_id: ClientId) {
        if self.stores.closed_campaigns.is_empty() {
            return;
        }
        let keys = self.keys(client_id);
        let items = || keys.iter().filter_map(|key| self.get(*key));
        let is_due = items().all(|item| self.may_go(item))
            && self.standing(client_id).is_some_and(|lead| !lead.is_failed && lead.waiting_since.is_none());
        if is_due {
            // A refused version that was superseded stays: the cloud does not have it as a lead.
            let in_cloud = |item: &&Item| place(&item.answers, &self.stores) == Place::Cloud;
            let due: Vec<u64> = items().filter(in_cloud).map(Item::key).collect();
            due.into_iter().for_each(|key| self.remove(key, Removed::Retention));
        }
    }

    fn may_go(&self, item: &Item) -> bool {
        let campaign = item.campaign.and_then(|campaign| self.campaigns.get(campaign));
        item.record.removed.is_some()
            || campaign.is_some_and(|campaign| self.stores.closed_campaigns.contains(campaign))
    }

    /// Removes the text of an entry. An erasure also takes over what retention has removed.
    pub(super) fn remove(&mut self, key: u64, why: Removed) {
        let known = self.record(key).and_then(|record| record.removed);
        if known == Some(why) || known == Some(Removed::Erased) {
            return;
        }
        self.change(key, |item| {
            item.record.entry = String::new();
            item.record.removed = Some(why);
        });
        self.changes.entry(key);
    }

    pub(super) fn keys(&self, client_id: ClientId) -> Vec<u64> {
        self.by_lead.versions(client_id).iter().map(|version| version.key).collect()
    }
}
