//! The log in memory: for whole arenas in one process, where a store can be copied, restored to an earlier
//! point and made to fail, all of it repeatable.
//!
//! It makes the promises of [`EventLog`] but for durability, which is for the world around it to play: a crash
//! keeps the log, a restored backup is a [`MemoryLog::snapshot`] or a [`MemoryLog::truncate`]. Its futures are
//! ready when they are first polled, so no runtime is needed.

mod state;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use domain::{ClientId, FollowUpEvent, Receipt, StoreId};
use time::OffsetDateTime;

use crate::{AppendError, Appended, EventLog, Head, LogError, NewEvent, Placed, RecordedEvent};
use state::State;

/// A log in memory. A clone is another handle to the same log.
#[derive(Clone)]
pub struct MemoryLog(Arc<Mutex<State>>);

/// How an append fails, for tests and simulations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AppendFailure {
    /// The database cannot write: it is away, read-only or out of disk. Nothing is appended.
    Unavailable,
    /// The transaction fails when half of it is written, and is rolled back. Nothing is appended.
    HalfWay,
    /// The commit happens, but the connection breaks before the answer.
    AnswerLost,
}

impl MemoryLog {
    /// An empty log. Append ids are drawn from `seed`.
    pub fn new(store_id: StoreId, seed: u64) -> Self {
        Self::holding(State::new(store_id, seed))
    }

    /// A copy with a life of its own: a backup, or a clone of the machine. What is appended to the two from now
    /// on gets different append ids, as it would on two machines.
    pub fn snapshot(&self) -> Self {
        Self::holding(self.state().copy())
    }

    /// Restores the log to the point when its head stood at `through`. What was erased later is there again,
    /// as it would be in a backup.
    pub fn truncate(&self, through: u64) {
        self.state().truncate(through);
    }

    /// All events, oldest first.
    pub fn events(&self) -> Vec<RecordedEvent> {
        self.state().events().to_vec()
    }

    /// From now on every append and erasure fails in this way; `None` ends it.
    pub fn fail_appends(&self, failure: Option<AppendFailure>) {
        self.state().failure = failure;
    }

    /// From now on versions of leads whose payload contains `marker` are refused as [`AppendError::Content`],
    /// like a row that only the database finds fault with. Refused submissions are not: they keep an entry as
    /// text, which every database can hold.
    pub fn refuse_content(&self, marker: &str) {
        self.state().refused_content = Some(marker.to_owned());
    }

    /// Sets the clock that stamps what is recorded. It does not run.
    pub fn set_now(&self, now: OffsetDateTime) {
        self.state().now = now;
    }

    fn holding(state: State) -> Self {
        Self(Arc::new(Mutex::new(state)))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Whoever panicked with the lock held was a test; every change below is made at once.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl EventLog for MemoryLog {
    async fn head(&self) -> Result<Head, LogError> {
        Ok(self.state().head())
    }

    async fn holds_receipts(&self, receipts: &[Receipt]) -> Result<Vec<bool>, LogError> {
        let state = self.state();
        let holds = |receipt: &Receipt| {
            state.at(receipt.position).is_some_and(|event| event.append_id == receipt.append_id)
        };
        Ok(receipts.iter().map(holds).collect())
    }

    async fn append(&self, events: &[NewEvent]) -> Result<Vec<Placed>, AppendError> {
        self.state().append(events)
    }

    async fn read_after(&self, cursor: u64, limit: u32) -> Result<Vec<RecordedEvent>, LogError> {
        Ok(self.state().after(cursor).take(limit as usize).cloned().collect())
    }

    async fn read_kind_after(
        &self,
        aggregate_type: &str,
        cursor: u64,
        limit: u32,
    ) -> Result<Vec<RecordedEvent>, LogError> {
        Ok(self.state().kind_after(aggregate_type, cursor, limit))
    }

    async fn read_stream(
        &self,
        aggregate_type: &str,
        aggregate_id: &str,
    ) -> Result<Vec<RecordedEvent>, LogError> {
        Ok(self.state().stream(aggregate_type, aggregate_id))
    }

    async fn erase(&self, client_id: ClientId, event: &FollowUpEvent) -> Result<Appended, AppendError> {
        self.state().erase(client_id, event)
    }
}
