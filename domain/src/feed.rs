//! What a hub has to know of its cloud, as events of the cloud's log.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{AppendId, Lineage, StoreId};

/// Events of the cloud after the hub's cursor, oldest first. The hub records them in streams of the same names, in the same
/// places, and so never twice.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FeedPage {
    /// Whose they are.
    pub store: StoreId,
    /// Whether the store still holds the event that the hub read last. If not, this page begins with the first event.
    pub lineage: Lineage,
    /// Whether there are no more for now.
    pub is_complete: bool,
    /// The events.
    pub events: Vec<FeedEvent>,
}

/// One event.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FeedEvent {
    /// Where it stands in the cloud's log: the hub's next cursor.
    pub position: u64,
    /// What proves that it stands there.
    pub append_id: AppendId,
    /// Kind of stream.
    pub aggregate_type: String,
    /// Stream.
    pub aggregate_id: String,
    /// Place in the stream, from 1.
    pub sequence: u64,
    /// Name of the event.
    pub event_type: String,
    /// Version of its form.
    pub event_version: String,
    /// What it says, to the byte.
    pub payload: Box<RawValue>,
}
