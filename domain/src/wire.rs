//! The messages of `POST /api/leads/sync`, which devices and hubs send alike.
//!
//! Messages grow by optional fields only; a store accepts every message it ever understood.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{AppendId, ClientId, CloudVerdict, DeviceId, DeviceReport, EntryResult, StoreId};

/// Most entries in one request; more is answered 413, and the sender halves.
pub const MAX_BATCH_ENTRIES: usize = 1_000;

/// Largest entry that a store keeps at all, even as refused, in bytes; a request with a larger one is answered
/// 413. No form makes one, and whoever reads the log reads many events at once.
pub const MAX_KEPT_ENTRY_BYTES: usize = 64 * 1024;

/// Most erasures, and most verdicts of the cloud, in one answer; the cursor gets the rest with the next.
pub const MAX_PAGE_ITEMS: usize = 500;

/// Largest request body, in bytes after decompression; more is answered 413, and the sender halves.
pub const MAX_BODY_BYTES: usize = 4 * 1024 * 1024;

/// Response header of the health route that names the store, so that a captive portal cannot pass for it.
pub const STORE_ID_HEADER: &str = "leadlog-store";

/// Response header of the health route that says what the store is to its devices: `cloud` or `hub`.
pub const TIER_HEADER: &str = "leadlog-tier";

/// What a device (or a hub) sends. Entries stay raw text, because their bytes are what is kept.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SyncRequest<'a> {
    /// The installation that sends, which need not have made the entries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sender: Option<DeviceId>,
    /// The highest `deviceSeq` that the sender has saved, so that gaps can be told from silence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub saved_through: Option<u64>,
    /// The sender's newest receipt from this store; proves that history was not lost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_receipt: Option<Receipt>,
    /// Cursor over the store's erasures.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub erasures_after: Option<u64>,
    /// Cursor over what a hub knows of the cloud's verdicts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cloud_verdicts_after: Option<u64>,
    /// Of a hub that relays: what devices have told it about themselves. Of a device: what it knows of installations
    /// that were there before it, and whose storage is gone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reports: Vec<DeviceReport>,
    /// What the sender says of itself: a [`DeviceCondition`]. Raw, because no lead is refused for what stands in here.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub condition: Option<&'a RawValue>,
    /// The entries.
    #[serde(borrow)]
    pub entries: Vec<&'a RawValue>,
}

/// What a device says of itself with each request, for whoever looks after the event. Nothing is decided by it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct DeviceCondition {
    /// Leads that it still holds for this store and that are not in this request.
    #[cfg_attr(feature = "openapi", schema(minimum = 0, example = 3))]
    pub left: u64,
    /// When the first of them was saved, by the device's clock, in milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oldest_left_at: Option<i64>,
    /// Whether its browser has promised not to evict the storage; left out where it does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_storage_persisted: Option<bool>,
    /// The version of the app.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(max_length = 40, example = "0.1.0"))]
    pub app_version: Option<String>,
}

/// Proof that a store has recorded an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Receipt {
    /// The store.
    pub store_id: StoreId,
    /// Position in its log.
    pub position: u64,
    /// The append that recorded it.
    pub append_id: AppendId,
}

/// What a store answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct SyncResponse {
    /// The store that answers.
    pub store: StoreState,
    /// Whether it still has what the sender's last receipt proves.
    pub lineage: Lineage,
    /// People who were erased since the sender's cursor.
    pub erasures: ErasuresAnswer,
    /// Of a hub: what the cloud said, after the sender's cursor. `relayedThrough` never covers an entry whose
    /// refusal is neither in here nor before the cursor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cloud_verdicts: Option<CloudVerdictsAnswer>,
    /// One result per entry, in the order of the request.
    pub results: Vec<EntryResult>,
}

/// A store and how far it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct StoreState {
    /// The store.
    pub id: StoreId,
    /// What it is to its devices.
    pub tier: Tier,
    /// Position of the newest event in its log.
    pub head: u64,
    /// Of a hub: everything up to here is in the cloud.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub relayed_through: Option<u64>,
    /// Of a hub: its newest receipt from the cloud.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cloud_receipt: Option<Receipt>,
}

/// What a store is to its devices. A device learns it from the answer, never from a URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Tier {
    /// The one place where all leads end.
    Cloud,
    /// A laptop on the local WiFi.
    Hub,
}

impl Tier {
    /// The tier as it stands on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cloud => "cloud",
            Self::Hub => "hub",
        }
    }
}

/// Whether a store still has its history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Lineage {
    /// It has what the last receipt proves, and so all that went before (or no receipt was shown).
    Intact,
    /// History was lost: every receipt of this store is void.
    Lost,
}

/// The cloud's verdicts that a hub has heard, after the receiver's cursor.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct CloudVerdictsAnswer {
    /// The receiver's next cursor.
    pub through: u64,
    /// In the order in which they were given; a later one about the same entry replaces an earlier one.
    pub verdicts: Vec<CloudVerdict>,
}

/// Erasures after the receiver's cursor.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct ErasuresAnswer {
    /// The receiver's next cursor.
    pub through: u64,
    /// The append that recorded what stands there, when this moves the cursor: with it, the cursor proves that what went before
    /// was not lost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub append_id: Option<AppendId>,
    /// Leads whose personal data must be deleted.
    pub client_ids: Vec<ClientId>,
}
