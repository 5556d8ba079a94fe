//! Intake: from raw entries to committed events, and from there to verdicts.
//!
//! # What it promises
//!
//! - A verdict is given only after the event behind it was committed and flushed (invariant 3).
//! - Every submission is an event: what breaks a rule is recorded as refused, with its bytes. Two get no event:
//!   an entry whose version before is not here (`waiting`), and one of a person who was erased (`erased`).
//! - One bad entry never costs its neighbours anything, not even when only the database finds out.
//! - Sending again is harmless; sending at the same time is, too.
//! - The order of entries in a request, and of requests, changes no stream (invariant 6).
//!
//! # How
//!
//! [`answer`] is the whole answer to `POST /api/leads/sync`, without HTTP. It judges each entry with the
//! domain's rules, which gives one event per entry, and hands the events to a [`Recorder`]:
//!
//! - [`Queue`], the server's group commit: one task that appends everything that is waiting in one transaction.
//!   While PostgreSQL flushes, the next group gathers, so a lead alone costs little more than a bare commit and
//!   a thousand devices at once cost less per lead, not more.
//! - [`Direct`], which appends at once: for the simulator, whose logs live in memory.
//!
//! Four verdicts are only known after the append: `duplicate_email` (another lead held the address), `waiting`,
//! `erased`, and `conflict` (the same lead and version was there with other bytes). A conflict is recorded as a
//! refusal in a second append, before the answer; what waited for that very version is tried again with it,
//! because a refused version is as good as a recorded one for the next.
//!
//! A device that was shut out is not judged: what it hands in that the store has not got is recorded as refused, for
//! somebody to look at ([`Arrival::is_quarantined`]).
//!
//! Beside verdicts the answer says whether the store still holds what the sender's receipt proves, who was
//! erased since the sender's cursor, and, if the store is a hub, how far it has relayed and what the cloud has
//! said. What devices report about themselves is recorded when it is news.
//!
//! [`release`] is how somebody deals with what was refused: it puts a submission aside, or judges it again by
//! today's rules, on the same way as any entry.
//!
//! # When things fail
//!
//! When the database is away, nothing is known about the append and the whole request fails: the device keeps
//! everything and sends it again, and what had been committed after all is then a duplicate. A row that the
//! database refuses is found by halving the group, and becomes a refusal too.

mod answer;
mod devices;
mod pages;
mod queue;
mod recorder;
mod recording;
mod release;

pub use answer::{Arrival, RelayProgress, StoreIdentity, answer};
pub use devices::HeardDevices;
pub use queue::Queue;
pub use recorder::{Direct, Outcome, Recorded, Recorder};
pub use release::{ReleaseError, Released, release};

/// Nothing is known about the entries; they must be sent again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IntakeError {
    /// The log is away or in trouble.
    #[error("the log cannot be used now: {0}")]
    Unavailable(String),
    /// No commit in time.
    #[error("the log did not confirm in time")]
    TimedOut,
    /// The server is stopping.
    #[error("the server is stopping")]
    Stopping,
}

impl From<event_store::LogError> for IntakeError {
    fn from(error: event_store::LogError) -> Self {
        Self::Unavailable(error.reason)
    }
}
