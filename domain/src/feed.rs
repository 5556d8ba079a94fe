//! What two stores tell each other, beside leads: events of the one's log that belong into the other's, too.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{AppendId, EnrolmentId, Lineage, StoreId, Tier};

/// Most events in one [`FeedUpdate`].
pub const MAX_FEED_UPDATE_EVENTS: usize = 300;

/// What the cloud tells a hub: what came after the hub's cursor, oldest first.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FeedPage {
    /// Who tells it.
    pub store: StoreId,
    /// What that store is. A hub follows a cloud, and nobody else.
    pub tier: Tier,
    /// Whether the store still holds what stands at the hub's cursor. If not, this page begins with the first event.
    pub lineage: Lineage,
    /// The hub's next cursor; `None` when nothing came after the one that it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub through: Option<FeedCursor>,
    /// Whether there is no more for now.
    pub is_complete: bool,
    /// The events. One that has come before may come again.
    pub events: Vec<FeedEvent>,
}

/// How far a hub has read: a position of the cloud's log, and what proves that it is the same log still.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct FeedCursor {
    /// The position.
    pub position: u64,
    /// The append that recorded what stands there.
    pub append_id: AppendId,
}

/// What a hub tells its cloud: the enrolments of devices that came in, each from its first event on.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FeedUpdate {
    /// At most [`MAX_FEED_UPDATE_EVENTS`].
    pub events: Vec<FeedEvent>,
}

/// What the cloud answers.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct FeedUpdateAnswer {
    /// Enrolments of which nothing was recorded, because the cloud's log says something else of them, or the cloud does not
    /// understand what it was told.
    pub refused: Vec<EnrolmentId>,
}

/// One event. It is recorded in the stream of the same name, in the same place, and so never twice.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FeedEvent {
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
