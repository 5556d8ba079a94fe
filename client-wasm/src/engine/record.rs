//! What the device keeps on disk, and from which alone the engine rebuilds itself.
//!
//! An entry is written once and never again. What stores have said about it stands beside it in a
//! [`Mark`], so no crash while a mark is written can touch a lead. There is no "syncing" on disk: that an
//! entry is on its way is known in memory only, and a crash forgets it.

use domain::{AppendId, ClientId, FieldError, Receipt, StoreId, Tier, Verdict};
use serde::{Deserialize, Serialize};

/// Form of the records that this program writes; a later program reads every form that there ever was.
pub const RECORD_VERSION: u32 = 1;

/// One saved entry.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EntryRecord {
    /// Form of this record.
    pub v: u32,
    /// Dense sequence number of this installation; the key.
    pub device_seq: u64,
    /// The lead.
    pub client_id: ClientId,
    /// Version of the lead.
    pub version: u32,
    /// When it was saved, in milliseconds since 1970 by the device's clock.
    pub saved_at: i64,
    /// The entry's exact bytes: what is sent, and what stores compare.
    pub entry: String,
}

/// What stores have said about one entry: at most one final answer of each.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Mark {
    /// Form of this record.
    pub v: u32,
    /// The entry.
    pub device_seq: u64,
    /// One per store.
    #[serde(default)]
    pub answers: Vec<Answer>,
}

/// A store's final, typed word about an entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    /// The store.
    pub store_id: StoreId,
    /// What that store was when it answered.
    pub tier: Tier,
    /// Stored or refused; other verdicts are not final and are not kept.
    pub verdict: Verdict,
    /// Where the store has recorded the entry, or its refusal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<u64>,
    /// The append that recorded it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub append_id: Option<AppendId>,
    /// The reasons of a refusal.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
}

impl Answer {
    /// The proof that the store has recorded it.
    pub fn receipt(&self) -> Option<Receipt> {
        Some(Receipt { store_id: self.store_id, position: self.position?, append_id: self.append_id? })
    }
}

/// The stores that this device has met.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Stores {
    /// Form of this record.
    pub v: u32,
    /// The store that answered last.
    #[serde(default)]
    pub answering: Option<StoreId>,
    /// The store that answered last as the cloud.
    #[serde(default)]
    pub cloud: Option<StoreId>,
}

/// Records as they are read when the database is opened, and as they are written.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Records {
    /// Saved entries.
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
        write!(f, "EntryRecord({}, {}/{})", self.device_seq, self.client_id, self.version)
    }
}
