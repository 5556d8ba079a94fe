//! The promises, one file each, named by the number of the invariant (ARCHITECTURE.md).
//!
//! Some are checked at every step (an answer leaves a store, a page opens, personal data is removed), the
//! others when faults have stopped and everything has converged.

pub mod dot;
pub mod i01_survives;
pub mod i03_verdicts;
pub mod i04_removal;
pub mod i05_lineage;
pub mod i08_replay;

mod i02_arrives_once;
mod i06_same_streams;
mod i07_contacts;
mod i09_gaps;
mod i10_saves;
mod i11_positions;
mod i12_privacy;

use std::fmt;

use domain::{Digest, LEAD_STREAM, SUBMISSION_STREAM};
use event_store::{EventLog, MemoryLog, RecordedEvent};
use futures_util::FutureExt;

use crate::truth::EntryKey;
use crate::world::World;

/// A broken promise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Number of the invariant.
    pub invariant: u8,
    /// What was found. Holds no personal data.
    pub what: String,
}

impl Violation {
    /// A broken promise.
    pub const fn new(invariant: u8, what: String) -> Self {
        Self { invariant, what }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "invariant {}: {}", self.invariant, self.what)
    }
}

/// What has not converged yet; `None` when everything has.
pub fn what_waits(world: &World) -> Option<Violation> {
    i10_saves::what_waits(world)
        .or_else(|| i02_arrives_once::what_waits(world))
        .or_else(|| i09_gaps::what_waits(world))
        .or_else(|| i04_removal::what_waits(world))
}

/// Everything that must hold when all has converged.
///
/// # Errors
/// The first promise that does not hold.
pub fn at_the_end(world: &World) -> Result<(), Violation> {
    i02_arrives_once::at_the_end(world)?;
    i06_same_streams::at_the_end(world)?;
    i07_contacts::at_the_end(world)?;
    i08_replay::at_the_end(world)?;
    i09_gaps::at_the_end(world)?;
    i11_positions::at_the_end(world)?;
    i12_privacy::at_the_end(world)
}

/// Where a log has an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found {
    /// In the lead's stream, with these bytes.
    Recorded,
    /// Among the refused, with these bytes.
    Refused,
    /// The person was erased.
    Erased,
    /// Not at all.
    Nowhere,
}

pub(crate) fn find(log: &MemoryLog, key: &EntryKey, digest: Digest) -> Found {
    let id = key.0.to_string();
    let version = stream(log, LEAD_STREAM, &id).into_iter().find(|event| event.sequence == u64::from(key.1));
    if version.is_some_and(|event| Digest::of(&event.payload) == digest) {
        return Found::Recorded;
    }
    if !stream(log, domain::FOLLOW_UP_STREAM, &id).is_empty() {
        return Found::Erased;
    }
    if stream(log, SUBMISSION_STREAM, &digest.to_string()).is_empty() {
        Found::Nowhere
    } else {
        Found::Refused
    }
}

pub(crate) fn stream(log: &MemoryLog, kind: &str, id: &str) -> Vec<RecordedEvent> {
    log.read_stream(kind, id).now_or_never().and_then(Result::ok).unwrap_or_default()
}

/// The digest in an event's metadata.
pub(crate) fn digest_of(event: &RecordedEvent) -> Option<String> {
    let metadata: serde_json::Value = serde_json::from_str(&event.metadata).ok()?;
    Some(metadata["digest"].as_str()?.to_owned())
}

/// The event at a position.
pub(crate) fn event_at(log: &MemoryLog, position: u64) -> Option<RecordedEvent> {
    let page = log.read_after(position.checked_sub(1)?, 1).now_or_never()?.ok()?;
    page.into_iter().next().filter(|event| event.position == position)
}
