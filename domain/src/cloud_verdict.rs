//! What the cloud said about an entry that a hub had relayed, where devices would otherwise believe something
//! else: a refusal, or that an entry which it had refused is recorded after all.
//!
//! The hub appends it to its own log before its `relayedThrough` passes the entry. Devices read them after a
//! cursor, with every answer, so that "the hub has relayed everything up to here" is never taken for "the
//! cloud has accepted everything up to here".

use serde::{Deserialize, Serialize};

use crate::{ClientId, EntryResult, Receipt, StoreId};

/// Aggregate type of the streams that hold the cloud's verdicts in a hub's log.
pub const CLOUD_VERDICT_STREAM: &str = "cloud_verdict";

/// The cloud's word about one entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct CloudVerdict {
    /// The store that said it.
    pub store_id: StoreId,
    /// The lead.
    pub client_id: ClientId,
    /// Version of the lead.
    pub version: u32,
    /// The word, with the cloud's own receipt.
    pub result: EntryResult,
}

/// What a hub heard from the cloud.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum CloudVerdictEvent {
    /// The cloud gave its verdict.
    Given(CloudVerdict),
}

impl CloudVerdictEvent {
    /// Version of the event's form in the log.
    pub const FORM_VERSION: &'static str = "1";

    /// Name of the event in the log.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Given(_) => "CloudVerdictGiven",
        }
    }
}

impl CloudVerdict {
    /// Where the cloud has recorded its word, if it has.
    pub fn receipt(&self) -> Option<Receipt> {
        let EntryResult { position, append_id, .. } = &self.result;
        Some(Receipt { store_id: self.store_id, position: (*position)?, append_id: (*append_id)? })
    }

    /// The stream of this very word, named by its receipt, so that hearing it again records it once.
    pub fn stream(receipt: &Receipt) -> String {
        format!("{}/{}/{}", receipt.store_id, receipt.position, receipt.append_id)
    }
}
