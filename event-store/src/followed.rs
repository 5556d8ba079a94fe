//! One kind of stream, followed: what its events amount to, kept in memory and brought up to date by looking.
//!
//! Whoever needs to be sure looks first ([`FollowedStream::refresh`]) and uses what that answers; whoever can do with
//! what was known a moment ago says how long ago that may be ([`FollowedStream::known_within`]), or takes a pointer
//! ([`FollowedStream::current`]) and waits for nobody.
//!
//! - One look is made for all who wait: whoever asked before it began shares its result.
//! - A look has an end. A database that hangs answers nobody, and lets nobody queue up behind it.
//! - What was read partly is not shown. A look that fails goes on where it was the next time.
//! - A log that no longer holds the last event that was read has lost history (a restored database); everything is
//!   read anew.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use domain::{AppendId, Receipt, StoreId};
use tokio::time::timeout;
use uuid::Uuid;

use crate::{EventLog, LogError, RecordedEvent};

/// How long a look may take, its wait for the look before it included.
const LOOK_TIMEOUT: Duration = Duration::from_secs(2);

/// Events that are read at once.
const PAGE_EVENTS: u32 = 100;

/// What the events of one kind of stream amount to.
pub struct FollowedStream<L, T> {
    log: L,
    aggregate_type: &'static str,
    /// What is known before any event.
    nothing: T,
    fold: fn(&mut T, &RecordedEvent),
    /// Locked for the length of a pointer's copy.
    current: RwLock<Arc<T>>,
    /// When the last look began that came to its end.
    known_since: Mutex<Option<Instant>>,
    /// Held while reading.
    reading: tokio::sync::Mutex<Reading<T>>,
    /// Looks that have begun.
    begun: AtomicU64,
}

/// How far the log was read.
struct Reading<T> {
    value: T,
    /// The newest event that was read.
    last: Option<(u64, AppendId)>,
    /// Whether `value` has more than is shown.
    is_ahead: bool,
    /// The newest look that came to its end.
    done: u64,
}

impl<L: EventLog, T: Clone> FollowedStream<L, T> {
    /// Follows a kind of stream. `nothing` is what is known before any event; nothing is read yet.
    pub fn new(log: L, aggregate_type: &'static str, nothing: T, fold: fn(&mut T, &RecordedEvent)) -> Self {
        let reading = Reading { value: nothing.clone(), last: None, is_ahead: false, done: 0 };
        Self {
            log,
            aggregate_type,
            current: RwLock::new(Arc::new(nothing.clone())),
            known_since: Mutex::new(None),
            nothing,
            fold,
            reading: tokio::sync::Mutex::new(reading),
            begun: AtomicU64::new(0),
        }
    }

    /// The log that is followed.
    pub const fn log(&self) -> &L {
        &self.log
    }

    /// What was known at the end of the last look.
    pub fn current(&self) -> Arc<T> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// What was recorded up to `max_age` ago, and perhaps more. Looks when the last look is longer ago.
    ///
    /// # Errors
    /// As [`FollowedStream::refresh`].
    pub async fn known_within(&self, max_age: Duration) -> Result<Arc<T>, LogError> {
        let known_since = *self.known_since.lock().unwrap_or_else(PoisonError::into_inner);
        if known_since.is_some_and(|at| at.elapsed() < max_age) {
            return Ok(self.current());
        }
        self.refresh().await
    }

    /// Reads what was recorded since the last look, and answers what is known now. It ends within two seconds.
    ///
    /// # Errors
    /// When the log does not answer in time; what was known stays.
    pub async fn refresh(&self) -> Result<Arc<T>, LogError> {
        timeout(LOOK_TIMEOUT, self.read_on()).await.unwrap_or_else(|_| {
            let reason = format!("no answer within {} s", LOOK_TIMEOUT.as_secs());
            Err(LogError { reason })
        })
    }

    /// The same for the first time, which may take as long as the log is long.
    ///
    /// # Errors
    /// When the log does not answer.
    pub async fn load(&self) -> Result<Arc<T>, LogError> {
        self.read_on().await
    }

    async fn read_on(&self) -> Result<Arc<T>, LogError> {
        let asked_at = self.begun.load(Ordering::SeqCst);
        let mut reading = self.reading.lock().await;
        if reading.done > asked_at {
            return Ok(self.current());
        }
        let look = self.begun.fetch_add(1, Ordering::SeqCst) + 1;
        let looked_at = Instant::now();
        self.read_anew_if_lost(&mut reading).await?;
        loop {
            let cursor = reading.last.map_or(0, |(position, _)| position);
            let page = self.log.read_kind_after(self.aggregate_type, cursor, PAGE_EVENTS).await?;
            let Some(last) = page.last() else { break };
            page.iter().for_each(|event| (self.fold)(&mut reading.value, event));
            reading.last = Some((last.position, last.append_id));
            reading.is_ahead = true;
        }
        if reading.is_ahead {
            let next = Arc::new(reading.value.clone());
            *self.current.write().unwrap_or_else(PoisonError::into_inner) = next;
            reading.is_ahead = false;
        }
        reading.done = look;
        *self.known_since.lock().unwrap_or_else(PoisonError::into_inner) = Some(looked_at);
        Ok(self.current())
    }

    /// Forgets everything when the log is not the one that it was read from.
    async fn read_anew_if_lost(&self, reading: &mut Reading<T>) -> Result<(), LogError> {
        let Some((position, append_id)) = reading.last else { return Ok(()) };
        // Whose log it is does not matter: append ids are random.
        let receipt = Receipt { store_id: StoreId::new(Uuid::nil()), position, append_id };
        if self.log.holds_receipts(&[receipt]).await? != [true] {
            reading.value = self.nothing.clone();
            reading.last = None;
            reading.is_ahead = true;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use domain::Digest;

    use super::*;
    use crate::{MemoryLog, NewEvent};

    async fn record(log: &MemoryLog, aggregate_type: &'static str, id: &str) {
        let event = NewEvent {
            aggregate_type,
            aggregate_id: id.to_owned(),
            sequence: 1,
            event_type: "Named",
            event_version: "1",
            payload: "{}".to_owned(),
            digest: Digest::of(id),
            metadata: Vec::new(),
            claim: None,
        };
        log.append(&[event]).await.unwrap();
    }

    #[tokio::test]
    async fn it_shows_its_stream_alone_and_reads_anew_when_the_log_has_lost_what_was_read() {
        let log = MemoryLog::new(StoreId::new(Uuid::nil()), 1);
        let names = FollowedStream::new(log.clone(), "name", Vec::new(), |names: &mut Vec<String>, event| {
            names.push(event.aggregate_id.clone());
        });
        record(&log, "name", "a").await;
        record(&log, "other", "b").await;
        record(&log, "name", "c").await;
        assert!(names.current().is_empty());
        assert_eq!(*names.refresh().await.unwrap(), ["a", "c"]);
        // A restored database that has grown again is as long as the lost one.
        log.truncate(1);
        for id in ["d", "e"] {
            record(&log, "name", id).await;
        }
        assert_eq!(*names.refresh().await.unwrap(), ["a", "d", "e"]);
        log.truncate(0);
        assert!(names.refresh().await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn what_is_young_enough_is_not_looked_at_again() {
        let log = MemoryLog::new(StoreId::new(Uuid::nil()), 1);
        let count = FollowedStream::new(log.clone(), "name", 0, |count: &mut u32, _| *count += 1);
        assert_eq!(*count.known_within(Duration::MAX).await.unwrap(), 0);
        record(&log, "name", "a").await;
        assert_eq!(*count.known_within(Duration::MAX).await.unwrap(), 0);
        assert_eq!(*count.known_within(Duration::ZERO).await.unwrap(), 1);
    }

    #[tokio::test]
    async fn a_look_that_comes_to_nothing_in_time_changes_nothing() {
        let log = MemoryLog::new(StoreId::new(Uuid::nil()), 1);
        let count = FollowedStream::new(log.clone(), "name", 0, |count: &mut u32, _| *count += 1);
        record(&log, "name", "a").await;
        let held = count.reading.lock().await;
        count.refresh().await.unwrap_err();
        assert_eq!(*count.current(), 0);
        drop(held);
        assert_eq!(*count.refresh().await.unwrap(), 1);
    }
}
