//! What the device keeps on disk, and from which alone the engine rebuilds itself.
//!
//! An entry is written once; after that only its personal data can be removed. What stores have said about it
//! stands beside it in a [`Mark`], so no crash while a mark is written can touch a lead. There is no
//! "syncing" on disk: that an entry is on its way is known in memory only, and a crash forgets it.

use domain::{AppendId, CampaignId, ClientId, DeviceId, FieldError, Receipt, StoreId, Tier, Verdict};
use serde::{Deserialize, Serialize};

/// Form of the records that this program writes; a later program reads every form that there ever was.
pub const RECORD_VERSION: u32 = 1;

/// One saved entry.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EntryRecord {
    /// Form of this record.
    pub v: u32,
    /// Place in this outbox, in order of arrival, from 1; the key. Never used twice.
    pub key: u64,
    /// The installation that made the entry: this one, or another from whose backup it was restored.
    pub device_id: DeviceId,
    /// Dense sequence number of that installation.
    pub device_seq: u64,
    /// The lead.
    pub client_id: ClientId,
    /// Version of the lead.
    pub version: u32,
    /// When it was saved, in milliseconds since 1970 by the device's clock.
    pub saved_at: i64,
    /// The entry's exact bytes: what is sent, and what stores compare. Empty when it was removed.
    pub entry: String,
    /// Why the personal data is gone, if it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub removed: Option<Removed>,
}

/// Why the personal data of an entry was removed from this device (invariant 4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Removed {
    /// A store said that the person was erased.
    Erased,
    /// The cloud has it, and its campaign is closed.
    Retention,
}

/// What stores have said about one entry: at most one answer of each.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Mark {
    /// Form of this record.
    pub v: u32,
    /// The entry.
    pub key: u64,
    /// One per store.
    #[serde(default)]
    pub answers: Vec<Answer>,
}

/// A store's typed word about an entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    /// The store.
    pub store_id: StoreId,
    /// What that store was when it answered.
    pub tier: Tier,
    /// Stored or refused. Other words are kept only of a cloud that was heard through a hub.
    pub verdict: Verdict,
    /// Where the store has recorded the entry, or its refusal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<u64>,
    /// The append that recorded it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub append_id: Option<AppendId>,
    /// The hub that passed on this word of the cloud. The cloud itself has not said it to this device.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub relayed_by: Option<StoreId>,
    /// Which history of the store it belongs to ([`KnownStore::history`]); one of an earlier history is void.
    #[serde(default, skip_serializing_if = "is_first")]
    pub history: u32,
    /// The reasons of a refusal.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over references")]
const fn is_first(history: &u32) -> bool {
    *history == 0
}

impl Answer {
    /// The proof that the store has recorded it.
    pub fn receipt(&self) -> Option<Receipt> {
        Some(Receipt { store_id: self.store_id, position: self.position?, append_id: self.append_id? })
    }
}

/// What is known about stores, and about campaigns.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Stores {
    /// Form of this record.
    pub v: u32,
    /// The store that answered last as the cloud.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cloud: Option<StoreId>,
    /// The store that answered last at each target, as far as one ever did.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub answering: Vec<Option<StoreId>>,
    /// Every store that was met.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub known: Vec<KnownStore>,
    /// Campaigns whose leads are removed from this device once the cloud has them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub closed_campaigns: Vec<CampaignId>,
}

/// What one store has said beside its words about entries. All but the number of its history falls when its
/// lineage is lost.
///
/// It stands in one record that every version of this program reads. So an old app, which cannot read what a
/// newer one wrote about some entries, still shows the newest receipt; and when it learns that a store has
/// lost history, what it could not read is void too, because that bears an earlier number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KnownStore {
    /// The store.
    pub store_id: StoreId,
    /// What it was when it answered last.
    pub tier: Tier,
    /// How often it has lost history, as far as this device knows.
    #[serde(default, skip_serializing_if = "is_first")]
    pub history: u32,
    /// The newest receipt that it has given to this device itself, in this history.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub newest: Option<Receipt>,
    /// Of a hub: everything up to here is in the cloud, as it said last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub relayed_through: Option<u64>,
    /// Of a hub: its newest receipt from the cloud, as it said last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cloud_receipt: Option<Receipt>,
    /// The cloud has lost history since: the hub's word counts again when its receipt has changed.
    #[serde(default)]
    pub is_distrusted: bool,
    /// Of a hub: what it got up to here counts as relayed no more, since the cloud has lost history. The cloud's refusals
    /// that the hub had passed on fell with that history, and are not passed on again.
    #[serde(default)]
    pub vouches_after: u64,
    /// Cursor over the store's erasures.
    #[serde(default)]
    pub erasures_after: u64,
    /// Cursor over what a hub knows of the cloud's verdicts.
    #[serde(default)]
    pub cloud_verdicts_after: u64,
}

impl KnownStore {
    /// A store of which nothing is known but what it is.
    pub const fn new(store_id: StoreId, tier: Tier) -> Self {
        Self {
            store_id,
            tier,
            history: 0,
            newest: None,
            relayed_through: None,
            cloud_receipt: None,
            is_distrusted: false,
            vouches_after: 0,
            erasures_after: 0,
            cloud_verdicts_after: 0,
        }
    }
}

/// Records as they are read when the database is opened, and as they are written.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Records {
    /// Saved entries. In a write: records to replace, in order to remove personal data.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub entries: Vec<EntryRecord>,
    /// What stores have said about them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub marks: Vec<Mark>,
    /// The stores, when any has answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stores: Option<Stores>,
    /// Entries on disk that this program cannot read, because a newer one wrote them. They stay where they
    /// are, and count as waiting.
    #[serde(skip)]
    pub unreadable: usize,
}

impl std::fmt::Debug for EntryRecord {
    /// Without the entry, which holds personal data (invariant 12).
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "EntryRecord({}, {}/{}", self.key, self.client_id, self.version)?;
        match self.removed {
            Some(removed) => write!(f, ", removed: {removed:?})"),
            None => f.write_str(")"),
        }
    }
}
