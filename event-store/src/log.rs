//! What a log promises, whatever keeps it: [`crate::PostgresLog`] in production, [`crate::MemoryLog`] where
//! whole arenas live in one process. One conformance suite holds both to it (`tests/conformance.rs`).

use std::future::Future;

use domain::{AppendId, ClientId, FollowUpEvent, Receipt, StoreId};

use crate::{NewEvent, RecordedEvent};

/// The log of one store: every event, in one total order.
///
/// - Positions are gapless, their order is commit order (invariant 11).
/// - An answer means committed and flushed (invariant 3).
/// - Stream and sequence are the idempotency key: appending again changes nothing and answers where it stands.
/// - A lead's version *n* > 1 is only recorded where its version *n* - 1 is recorded or was refused, so that a
///   store never holds a correction of something that nobody has judged.
/// - What was erased stays erased, whoever sends it again.
///
/// All futures are `Send`. A [`crate::MemoryLog`]'s are ready when they are first polled.
pub trait EventLog: Send + Sync {
    /// The store and its newest position.
    fn head(&self) -> impl Future<Output = Result<Head, LogError>> + Send;

    /// Of each receipt, whether this log holds what it proves. Histories are prefixes and every append has a
    /// random id, so if it holds that position with that id, it holds all that went before.
    fn holds_receipts(
        &self,
        receipts: &[Receipt],
    ) -> impl Future<Output = Result<Vec<bool>, LogError>> + Send;

    /// Appends events in one transaction and answers one [`Placed`] per event, in order, after the commit was
    /// flushed. The same event may stand in `events` more than once; the first counts. The order of `events`
    /// means nothing else: versions of a lead that come together are recorded in the order of their versions.
    ///
    /// On an error nothing of the call was appended, or (with [`AppendError::Unavailable`]) all or nothing was.
    fn append(&self, events: &[NewEvent]) -> impl Future<Output = Result<Vec<Placed>, AppendError>> + Send;

    /// The events after `cursor`, oldest first, at most `limit`.
    fn read_after(
        &self,
        cursor: u64,
        limit: u32,
    ) -> impl Future<Output = Result<Vec<RecordedEvent>, LogError>> + Send;

    /// The events of one kind of stream after `cursor`, oldest first, at most `limit`. Quick for the kinds
    /// that are read again and again: `follow_up`, `cloud_verdict`, `campaign`, `api_client` and `enrolment`.
    fn read_kind_after(
        &self,
        aggregate_type: &str,
        cursor: u64,
        limit: u32,
    ) -> impl Future<Output = Result<Vec<RecordedEvent>, LogError>> + Send;

    /// One stream, in the order of its sequence.
    fn read_stream(
        &self,
        aggregate_type: &str,
        aggregate_id: &str,
    ) -> impl Future<Output = Result<Vec<RecordedEvent>, LogError>> + Send;

    /// Erases the person behind a lead: appends `event`, a [`FollowUpEvent::LeadErased`], to
    /// `follow_up/<client_id>`, and in the same transaction
    ///
    /// - replaces the payloads of `lead/<client_id>`, of `follow_up/<client_id>` and of every refused submission
    ///   that names this lead by what the domain leaves of them,
    /// - drops their digests from the metadata, and releases the lead's e-mail claims,
    /// - makes every later append to `lead/<client_id>`, and of a refused submission that names this lead,
    ///   answer [`Placed::Erased`].
    ///
    /// Positions, append ids and sequences stay as they are. The lead need not be here yet. Erasing again
    /// answers the first erasure. Any other event is refused as [`AppendError::Content`].
    fn erase(
        &self,
        client_id: ClientId,
        event: &FollowUpEvent,
    ) -> impl Future<Output = Result<Appended, AppendError>> + Send;
}

/// The store and its newest position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// The store.
    pub store_id: StoreId,
    /// Position of the newest event; 0 when there is none.
    pub position: u64,
}

/// What became of an event that was offered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Placed {
    /// It stands in the log.
    At(Appended),
    /// The version before is not here, recorded or refused; nothing was appended.
    Waiting,
    /// The person was erased; nothing was appended.
    Erased,
}

/// Where an event stands in the log, whether this append put it there or an earlier one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Appended {
    /// Its position.
    pub position: u64,
    /// The append that recorded it.
    pub append_id: AppendId,
    /// Whether this append recorded it.
    pub is_new: bool,
    /// Whether what stands there has the digest of what was offered.
    pub is_same: bool,
    /// Another lead that holds the e-mail address, with its position.
    pub email_holder: Option<(ClientId, u64)>,
}

/// Why the log could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the log cannot be read now: {reason}")]
pub struct LogError {
    /// What the database said. Holds no personal data.
    pub reason: String,
}

/// Why nothing was appended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// The log refuses the content of some event. Another try with the same events fails the same way; with
    /// fewer, it may not.
    #[error("the log refuses an event of this append, with SQLSTATE {sqlstate}")]
    Content {
        /// Of class 22 (data) or 23 (constraints).
        sqlstate: String,
    },
    /// The log is away or in trouble. Whether the append was committed is not known; appending again is
    /// harmless.
    #[error("the log cannot append now: {reason}")]
    Unavailable {
        /// What the database said. Holds no personal data.
        reason: String,
    },
}

impl Placed {
    /// Where it stands, if it does.
    pub const fn appended(&self) -> Option<&Appended> {
        match self {
            Self::At(appended) => Some(appended),
            Self::Waiting | Self::Erased => None,
        }
    }
}

impl AppendError {
    /// The SQLSTATE `invalid_parameter_value`, for what is not an event that erases.
    pub(crate) fn not_an_erasure() -> Self {
        Self::Content { sqlstate: "22023".to_owned() }
    }
}
