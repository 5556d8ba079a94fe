//! The outbox: every entry of this device in the order of arrival, and what stores have said about each.
//!
//! It holds the text of every entry in memory, some 700 bytes each. Its size is bounded by the disk, on
//! purpose: a Save is never refused because many wait.
//!
//! Sorted vectors instead of trees: entries come in order, and trees would add a tenth to the download. What
//! is asked after every fact (the counts, the newest receipts, where to look for entries that are owed) is
//! kept up with each change; what changes many entries at once (lost lineage, another cloud, a hub that has
//! relayed) is counted anew.
//!
//! Here: what is in it, how it changes, and the counts. [`super::stores`]: what is known of stores.
//! [`super::owed`]: what is to be sent where. [`super::removal`]: what must not be kept any longer.

use domain::{CampaignId, ClientId, DeviceId, StoreId};

use super::Target;
use super::backoff::Jitter;
use super::custody::{Place, place};
use super::lead_index::{LeadIndex, Version};
use super::loss::{Losses, LostInstallation};
use super::owed::{Hold, Lane};
use super::record::{Answer, EntryRecord, Mark, RECORD_VERSION, Removed, Stores};
use super::status::EntryStatus;
use super::tally::{LeadStanding, Tally};
use super::unwritten::Changes;
use crate::capture::is_taken_back;
use crate::json::Object;

/// The outbox.
pub struct Outbox {
    device_id: DeviceId,
    /// In the order of their keys.
    pub(super) items: Vec<Item>,
    pub(super) by_lead: LeadIndex,
    pub(super) stores: Stores,
    /// One per target.
    pub(super) lanes: Vec<Lane>,
    /// Campaigns by the number that items hold.
    pub(super) campaigns: Vec<CampaignId>,
    /// What is to be written.
    pub(super) changes: Changes,
    tally: Tally,
    saved_through: Option<u64>,
    /// What was on this device before.
    pub(super) losses: Losses,
    day_start_ms: i64,
}

/// An entry and what is known about it.
pub(super) struct Item {
    pub(super) record: EntryRecord,
    /// Text that is no JSON object would spoil the whole request. It cannot come from this program.
    pub(super) is_json: bool,
    pub(super) campaign: Option<usize>,
    pub(super) answers: Vec<Answer>,
    /// At most one per target.
    pub(super) holds: Vec<Hold>,
    /// A store that waits for this entry although the cloud has it: it got a later version.
    pub(super) wanted_by: Option<StoreId>,
}

impl Item {
    pub(super) const fn key(&self) -> u64 {
        self.record.key
    }

    pub(super) fn is_refused(&self, stores: &Stores) -> bool {
        self.record.removed.is_none()
            && self.answers.iter().any(|answer| answer.verdict.is_refused())
            && place(&self.answers, stores) != Place::Cloud
    }

    /// What this store itself has said.
    pub(super) fn word_of(&self, store: StoreId) -> Option<&Answer> {
        self.answers.iter().find(|answer| answer.store_id == store && answer.relayed_by.is_none())
    }
}

impl Outbox {
    /// An empty outbox of this installation.
    pub fn new(device_id: DeviceId, targets: Target, lost: Vec<LostInstallation>) -> Self {
        Self {
            device_id,
            items: Vec::new(),
            by_lead: LeadIndex::default(),
            stores: Stores { v: RECORD_VERSION, ..Stores::default() },
            lanes: (0..targets.max(1)).map(|_| Lane::default()).collect(),
            campaigns: Vec::new(),
            changes: Changes::default(),
            tally: Tally::default(),
            saved_through: None,
            losses: Losses::new(lost),
            day_start_ms: i64::MAX,
        }
    }

    fn find(&self, key: u64) -> Result<usize, usize> {
        self.items.binary_search_by_key(&key, Item::key)
    }

    pub(super) fn get(&self, key: u64) -> Option<&Item> {
        self.find(key).ok().and_then(|at| self.items.get(at))
    }

    pub(super) fn get_mut(&mut self, key: u64) -> Option<&mut Item> {
        self.find(key).ok().and_then(|at| self.items.get_mut(at))
    }

    /// Adds an entry, unless it is here already: its bytes never change, but that they may be gone.
    pub fn insert(&mut self, record: EntryRecord) {
        let (key, client_id, version) = (record.key, record.client_id, record.version);
        match self.find(key) {
            Ok(at) if record.removed.is_some() && self.items[at].record.client_id == client_id => {
                self.change(key, |item| item.record = record);
            }
            Ok(_) => {}
            Err(_) if self.by_lead.key(client_id, version).is_some() => {}
            Err(at) => {
                let entry = Object::read(&record.entry);
                let is_json = entry.is_some();
                let campaign = entry.and_then(|entry| entry.parsed("campaignId"));
                let campaign = campaign.map(|campaign| self.campaign(campaign));
                let is_erased = self.is_erased(client_id);
                if record.device_id == self.device_id {
                    self.saved_through = self.saved_through.max(Some(record.device_seq));
                }
                self.losses.entered(&record);
                self.count(client_id, Tally::subtract);
                let item = Item {
                    record,
                    is_json,
                    campaign,
                    answers: Vec::new(),
                    holds: Vec::new(),
                    wanted_by: None,
                };
                self.items.insert(at, item);
                self.by_lead.insert(Version { client_id, version, key });
                self.count(client_id, Tally::add);
                self.lanes.iter_mut().for_each(|lane| lane.look_from(key));
                if is_erased {
                    self.remove(key, Removed::Erased);
                }
            }
        }
    }

    fn campaign(&mut self, campaign: CampaignId) -> usize {
        self.campaigns.iter().position(|known| *known == campaign).unwrap_or_else(|| {
            self.campaigns.push(campaign);
            self.campaigns.len() - 1
        })
    }

    /// Takes over what is on disk about entries and stores.
    pub fn restore(&mut self, marks: Vec<Mark>, stores: Option<Stores>) {
        if marks.is_empty() && stores.is_none() {
            return;
        }
        for mark in marks {
            if let Some(item) = self.get_mut(mark.key) {
                item.answers = mark.answers;
            }
        }
        if let Some(stores) = stores {
            self.stores = stores;
        }
        self.recount();
    }

    /// What is known about stores.
    pub const fn stores(&self) -> &Stores {
        &self.stores
    }

    pub(super) fn record(&self, key: u64) -> Option<&EntryRecord> {
        self.get(key).map(|item| &item.record)
    }

    /// What is to be written about an entry.
    pub(super) fn mark(&self, key: u64) -> Option<Mark> {
        let item = self.get(key)?;
        Some(Mark { v: RECORD_VERSION, key, answers: item.answers.clone() })
    }

    /// The newest version of a lead.
    pub fn newest_version(&self, client_id: ClientId) -> Option<&EntryRecord> {
        self.by_lead.versions(client_id).last().and_then(|version| self.record(version.key))
    }

    /// The highest `deviceSeq` that this installation has saved.
    pub const fn saved_through(&self) -> Option<u64> {
        self.saved_through
    }

    /// The lead and version of an entry.
    pub fn label(&self, key: u64) -> Option<(ClientId, u32)> {
        self.get(key).map(|item| (item.record.client_id, item.record.version))
    }

    /// A store has given its final word about an entry. Later versions of the lead need wait no longer.
    pub fn answer(&mut self, key: u64, answer: Answer) {
        if let Some(receipt) = answer.receipt() {
            self.keep_newest(receipt, answer.tier);
        }
        // The cloud's refusal outweighs the word of a hub that vouched for the entry.
        let is_refused = answer.verdict.is_refused();
        let Some((client_id, version)) = self.label(key) else { return };
        for key in self.keys(client_id) {
            if let Some(item) = self.get_mut(key).filter(|item| item.record.version > version) {
                item.holds.clear();
            }
        }
        self.change(key, |item| {
            item.answers.retain(|known| known.store_id != answer.store_id);
            item.answers.push(answer);
            item.holds.clear();
        });
        self.changes.mark(key);
        if is_refused {
            self.look_everywhere();
        }
        self.remove_if_due(client_id);
    }

    /// A hub has passed on what the cloud said about an entry. It replaces an older word of that cloud, and
    /// the cloud's own word only if it was recorded later.
    pub fn hear_cloud(&mut self, label: (ClientId, u32), word: Answer) {
        let Some(key) = self.by_lead.key(label.0, label.1) else { return };
        let is_old = |known: &Answer| {
            known.store_id == word.store_id
                && (*known == word || known.relayed_by.is_none() && known.position >= word.position)
        };
        if self.get(key).is_none_or(|item| item.answers.iter().any(is_old)) {
            return;
        }
        self.change(key, |item| {
            item.answers.retain(|known| known.store_id != word.store_id);
            item.answers.push(word);
        });
        self.changes.mark(key);
        self.look_everywhere();
        self.remove_if_due(label.0);
    }

    /// Sets an entry aside at a target for a while from this moment on, longer each time.
    pub fn hold(&mut self, key: u64, target: Target, from_ms: u64, jitter: &mut Jitter) {
        if let Some(item) = self.get_mut(key) {
            Hold::prolong(&mut item.holds, target, from_ms, jitter);
        }
    }

    /// A store has not got the version before this one. Whoever has it says so: earlier versions go there
    /// too.
    pub fn want_predecessors(&mut self, key: u64, store: StoreId) {
        let Some((client_id, version)) = self.label(key) else { return };
        for key in self.keys(client_id) {
            if let Some(item) = self.get_mut(key).filter(|item| item.record.version < version) {
                item.wanted_by = Some(store);
            }
        }
        self.look_everywhere();
    }

    /// Changes an entry, and the counts with it.
    pub(super) fn change(&mut self, key: u64, change: impl FnOnce(&mut Item)) {
        let Some((client_id, _)) = self.label(key) else { return };
        self.count(client_id, Tally::subtract);
        if let Some(item) = self.get_mut(key) {
            change(item);
        }
        self.count(client_id, Tally::add);
    }

    fn count(&mut self, client_id: ClientId, how: fn(&mut Tally, &LeadStanding, i64)) {
        if let Some(standing) = self.standing(client_id) {
            how(&mut self.tally, &standing, self.day_start_ms);
        }
    }

    /// Counts everything anew, after a change that may concern any entry.
    pub(super) fn recount(&mut self) {
        for item in &mut self.items {
            item.answers.retain(|answer| answer.history >= self.stores.history(answer.store_id));
        }
        let leads = self.by_lead.leads();
        self.tally = Tally::default();
        leads.iter().for_each(|lead| self.count(*lead, Tally::add));
        leads.iter().for_each(|lead| self.remove_if_due(*lead));
        self.look_everywhere();
    }

    /// How a lead stands, over its versions. A refused version that has a later one is superseded.
    pub(super) fn standing(&self, client_id: ClientId) -> Option<LeadStanding> {
        let versions = self.by_lead.versions(client_id);
        let (first, newest) = (self.record(versions.first()?.key)?, versions.last()?);
        let last = newest.version;
        // Never read of a first version, as most are: reading takes longer than all of the rest.
        let is_taken_back = last > 1 && self.record(newest.key).is_some_and(|it| is_taken_back(&it.entry));
        let mut lead = LeadStanding { saved_at: first.saved_at, is_taken_back, ..LeadStanding::default() };
        let is_over = self.is_over(client_id);
        for item in versions.iter().filter_map(|version| self.get(version.key)) {
            let stands = match item.record.removed {
                Some(Removed::Erased) => continue,
                Some(Removed::Retention) => Place::Cloud,
                None if is_over => continue,
                None => place(&item.answers, &self.stores),
            };
            if item.is_refused(&self.stores) {
                if item.record.version != last {
                    continue;
                }
                lead.is_failed = true;
            } else if stands != Place::Cloud {
                let saved_at = item.record.saved_at;
                lead.waiting_since = Some(lead.waiting_since.map_or(saved_at, |since| since.min(saved_at)));
            }
            lead.place = Some(lead.place.map_or(stands, |place| place.min(stands)));
        }
        if lead.is_failed {
            lead.waiting_since = None;
        }
        Some(lead)
    }

    /// The counts, and when the oldest lead that waits was saved.
    pub(super) fn tally(&mut self) -> (&Tally, Option<i64>) {
        let mut tally = std::mem::take(&mut self.tally);
        let oldest = tally.oldest(|| {
            let standings = self.by_lead.leads().into_iter().filter_map(|lead| self.standing(lead));
            standings.filter_map(|lead| lead.waiting_since).min()
        });
        self.tally = tally;
        (&self.tally, oldest)
    }

    /// The local day began at this moment, in milliseconds since 1970.
    pub fn day_started(&mut self, day_start_ms: i64) {
        self.day_start_ms = day_start_ms;
        self.recount();
    }

    /// The state of an entry that is not under way.
    pub fn entry_status(&self, key: u64) -> Option<EntryStatus> {
        let item = self.get(key)?;
        Some(if item.is_refused(&self.stores) {
            EntryStatus::Failed
        } else if item.record.removed.is_some() || place(&item.answers, &self.stores) != Place::Device {
            EntryStatus::Synced
        } else {
            EntryStatus::Pending
        })
    }
}
