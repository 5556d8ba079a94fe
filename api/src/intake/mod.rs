//! Intake: from raw entries to committed events, and from there to verdicts.
//!
//! # What it promises
//!
//! - A verdict is given only after the event behind it was committed and flushed (invariant 3).
//! - Every submission is an event: what breaks a rule is recorded as refused, with its bytes.
//! - One bad entry never costs its neighbours anything, not even when only the database finds out.
//! - Sending again is harmless; sending at the same time is, too.
//!
//! # How
//!
//! [`Intake::submit`] judges each entry with the domain's rules, which gives one event per entry, and hands
//! the events to [`group`]: one task that appends everything that is waiting in one transaction. While
//! PostgreSQL flushes, the next group gathers, so a lead alone costs little more than a bare commit and a
//! thousand devices at once cost less per lead, not more.
//!
//! Two verdicts are only known after the append: `duplicate_email` (another lead held the address) and
//! `conflict` (the same lead and version was there with other bytes). A conflict is recorded as a refusal in a
//! second append, before the answer.
//!
//! # When things fail
//!
//! When the database is away, nothing is known about the append and the whole request is answered 503: the
//! device keeps everything and sends it again, and what had been committed after all is then a duplicate. A
//! row that the database refuses is found by halving the group, and becomes a refusal too.

mod group;
mod recording;

use std::time::Duration;

use domain::{EntryResult, Judgement, Lineage, Receipt, Timestamp, judge};
use projections::Waker;
use serde_json::value::RawValue;
use time::OffsetDateTime;

use crate::store::Store;
use group::{Outcome, Queue};
use recording::Recording;

/// How long a request waits for its commit before it is answered 503.
const COMMIT_TIMEOUT: Duration = Duration::from_secs(20);

/// Takes entries in. Cheap to clone.
#[derive(Clone)]
pub struct Intake {
    store: Store,
    queue: Queue,
    projections: Waker,
}

/// Nothing is known about the entries; they must be sent again.
#[derive(Debug, Clone, thiserror::Error)]
pub enum IntakeError {
    /// The database is away or in trouble.
    #[error("the log cannot be written now: {0}")]
    Unavailable(String),
    /// No commit within [`COMMIT_TIMEOUT`].
    #[error("the log did not confirm within {} s", COMMIT_TIMEOUT.as_secs())]
    TimedOut,
    /// The server is stopping.
    #[error("the server is stopping")]
    Stopping,
}

impl Intake {
    /// Starts the task that appends. It ends when the last clone of this intake is gone.
    ///
    /// `projections` are told when the log has grown.
    pub fn start(store: Store, projections: Waker) -> Self {
        let queue = Queue::start(store.pool().clone());
        Self { store, queue, projections }
    }

    /// Takes the entries in, and answers one result per entry, in order, when all of it is durable. Says, too,
    /// whether the store still holds what `last_receipt` proves; a receipt of another store says nothing here.
    ///
    /// # Errors
    /// See [`IntakeError`]. Some or all entries may have been recorded; sending them again is harmless.
    pub async fn submit(
        &self,
        entries: &[&RawValue],
        last_receipt: Option<Receipt>,
    ) -> Result<(Lineage, Vec<EntryResult>), IntakeError> {
        let receipt = last_receipt.filter(|receipt| receipt.store_id == self.store.id());
        if entries.is_empty() && receipt.is_none() {
            return Ok((Lineage::Intact, Vec::new()));
        }
        tokio::time::timeout(COMMIT_TIMEOUT, self.record(entries, receipt))
            .await
            .unwrap_or(Err(IntakeError::TimedOut))
    }

    async fn record(
        &self,
        entries: &[&RawValue],
        receipt: Option<Receipt>,
    ) -> Result<(Lineage, Vec<EntryResult>), IntakeError> {
        let received_at = Timestamp::new(OffsetDateTime::now_utc());
        let mut recordings = Vec::with_capacity(entries.len());
        let mut events = Vec::with_capacity(entries.len());
        for entry in entries {
            let (recording, event) = match judge(entry, self.store.campaigns(), received_at) {
                Judgement::Accepted(accepted) => Recording::of_accepted(*accepted, entry.get()),
                Judgement::Refused(refusal) => Recording::of_refusal(*refusal),
            };
            recordings.push(recording);
            events.push(event);
        }
        let recorded = self.queue.append(events, receipt).await?;

        // What turned out to be refused is recorded, too, before anybody hears of it.
        let mut second = Vec::new();
        for ((recording, outcome), entry) in recordings.iter_mut().zip(recorded.outcomes).zip(entries) {
            match outcome {
                Outcome::Appended(appended) if appended.is_same => recording.appended(&appended),
                Outcome::Appended(_) => second.push((recording.turn_into_conflict(entry.get()), recording)),
                Outcome::Rejected { sqlstate } => {
                    second.push((recording.turn_into_invalid(entry.get(), &sqlstate), recording));
                }
            }
        }
        if !second.is_empty() {
            let (events, recordings): (Vec<_>, Vec<_>) = second.into_iter().unzip();
            let recorded = self.queue.append(events, None).await?;
            for (recording, outcome) in recordings.into_iter().zip(recorded.outcomes) {
                match outcome {
                    Outcome::Appended(appended) => recording.appended(&appended),
                    Outcome::Rejected { sqlstate } => {
                        let reason = format!("a refusal cannot be recorded (SQLSTATE {sqlstate})");
                        return Err(IntakeError::Unavailable(reason));
                    }
                }
            }
        }
        let results: Vec<EntryResult> = recordings.into_iter().map(Recording::into_result).collect();
        if let Some(newest) = results.iter().filter_map(|result| result.position).max() {
            self.store.saw_position(newest);
            self.projections.wake();
        }
        let lineage = if recorded.holds_receipt { Lineage::Intact } else { Lineage::Lost };
        Ok((lineage, results))
    }
}
