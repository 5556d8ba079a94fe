//! Events before and after they were recorded.

use std::borrow::Cow;
use std::fmt;

use domain::{AppendId, CampaignId, Digest, EmailKey, UnknownForm};
use time::OffsetDateTime;

/// An event to append. Prints without what it says.
#[derive(Clone)]
pub struct NewEvent {
    /// Kind of stream.
    pub aggregate_type: &'static str,
    /// Stream.
    pub aggregate_id: String,
    /// Place in the stream, from 1. With the stream it is the idempotency key.
    pub sequence: u64,
    /// Name of the event.
    pub event_type: &'static str,
    /// Version of its form.
    pub event_version: &'static str,
    /// JSON text, kept to the byte.
    pub payload: String,
    /// Digest of what was received.
    pub digest: Digest,
    /// Further metadata, text by key.
    pub metadata: Vec<(&'static str, String)>,
    /// The e-mail address that a lead claims. A later version of the lead with another one, or with none,
    /// releases it.
    pub claim: Option<EmailClaim>,
}

/// A lead's claim to be the first of its campaign with an e-mail address.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct EmailClaim {
    /// The campaign.
    pub campaign: CampaignId,
    /// The address in its normal form.
    pub email: EmailKey,
}

/// An event as the log holds it. Prints without what it says.
#[derive(Clone, PartialEq, Eq)]
pub struct RecordedEvent {
    /// Its place in the total order, from 1, without gaps.
    pub position: u64,
    /// The append that recorded it.
    pub append_id: AppendId,
    /// When, by the database's clock.
    pub recorded_at: OffsetDateTime,
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
    /// JSON text, as received; after an erasure, what that leaves of it.
    pub payload: String,
    /// JSON text: an object of texts.
    pub metadata: String,
}

/// Key of the metadata that holds the digest of what was received.
pub(crate) const DIGEST_KEY: &str = "digest";

impl RecordedEvent {
    /// The payload in the form that events of its kind have today.
    ///
    /// # Errors
    /// When a newer program wrote it.
    pub fn current_payload(&self) -> Result<Cow<'_, str>, UnknownForm> {
        domain::current_form(&self.event_type, &self.event_version, &self.payload)
    }
}

impl NewEvent {
    /// Stream and place in it.
    pub(crate) fn key(&self) -> (&'static str, &str, u64) {
        (self.aggregate_type, &self.aggregate_id, self.sequence)
    }

    /// postgres-es reads metadata as an object of texts.
    pub(crate) fn metadata_json(&self) -> String {
        let mut metadata = serde_json::Map::new();
        metadata.insert(DIGEST_KEY.to_owned(), self.digest.to_string().into());
        for (key, value) in &self.metadata {
            metadata.insert((*key).to_owned(), value.as_str().into());
        }
        serde_json::Value::Object(metadata).to_string()
    }
}

impl fmt::Debug for NewEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { aggregate_type, aggregate_id, sequence, event_type, .. } = self;
        write!(f, "NewEvent({event_type} {aggregate_type}/{aggregate_id} {sequence})")
    }
}

impl fmt::Debug for RecordedEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { position, append_id, aggregate_type, aggregate_id, sequence, event_type, .. } = self;
        write!(
            f,
            "RecordedEvent({position} {append_id} {event_type} {aggregate_type}/{aggregate_id} {sequence})"
        )
    }
}
