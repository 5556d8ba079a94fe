//! The group commit: one task that appends everything that is waiting, in one transaction.

use std::collections::VecDeque;
use std::time::Duration;

use domain::Receipt;
use event_store::{AppendError, Appended, NewEvent};
use sqlx::pool::PoolConnection;
use sqlx::{PgConnection, PgPool, Postgres};
use tokio::sync::{mpsc, oneshot};

use super::IntakeError;

/// Most requests that wait for the next group; further ones wait to be let in.
const MAX_WAITING_REQUESTS: usize = 4_096;

/// A group takes no further request once it has this many events. It bounds the time that the head is locked;
/// one large request may go over it.
const MAX_GROUP_EVENTS: usize = 1_000;

/// A group that takes longer hangs on a connection that is gone without a word. Shorter than what a request
/// waits, so that the requests of the group are answered.
const WRITE_TIMEOUT: Duration = Duration::from_secs(8);

/// What became of one event.
#[derive(Debug, Clone)]
pub(super) enum Outcome {
    /// It stands in the log, from now or from before.
    Appended(Appended),
    /// The database refuses its content, alone as well.
    Rejected {
        /// Why.
        sqlstate: String,
    },
}

/// What became of one request.
pub(super) struct Recorded {
    /// One per event, in order.
    pub(super) outcomes: Vec<Outcome>,
    /// Whether the log holds what the request's receipt proves; true when it showed none.
    pub(super) holds_receipt: bool,
}

/// The way to the task. Cheap to clone; the task ends with the last clone.
#[derive(Clone)]
pub(super) struct Queue(mpsc::Sender<Request>);

type Answer = oneshot::Sender<Result<Recorded, IntakeError>>;

struct Request {
    events: Vec<NewEvent>,
    receipt: Option<Receipt>,
    answer: Answer,
}

impl Queue {
    pub(super) fn start(pool: PgPool) -> Self {
        let (sender, receiver) = mpsc::channel(MAX_WAITING_REQUESTS);
        tokio::spawn(run(Writer { pool, db: None }, receiver));
        Self(sender)
    }

    /// Appends these events, and looks for the receipt, with whatever else is waiting; answers after the commit.
    pub(super) async fn append(
        &self,
        events: Vec<NewEvent>,
        receipt: Option<Receipt>,
    ) -> Result<Recorded, IntakeError> {
        let (answer, answered) = oneshot::channel();
        let request = Request { events, receipt, answer };
        self.0.send(request).await.map_err(|_| IntakeError::Stopping)?;
        answered.await.map_err(|_| IntakeError::Stopping)?
    }
}

async fn run(mut writer: Writer, mut waiting: mpsc::Receiver<Request>) {
    while let Some(first) = waiting.recv().await {
        let mut group = Group::default();
        group.take(first);
        while group.events.len() < MAX_GROUP_EVENTS {
            let Ok(next) = waiting.try_recv() else { break };
            group.take(next);
        }
        let written = writer.write(&group).await;
        group.answer(written);
    }
}

/// Requests that are committed together.
#[derive(Default)]
struct Group {
    events: Vec<NewEvent>,
    receipts: Vec<Receipt>,
    requests: Vec<Share>,
}

/// What one request brought, and where its answer goes.
struct Share {
    events: usize,
    shows_receipt: bool,
    answer: Answer,
}

/// What the database said about a group.
struct Written {
    outcomes: Vec<Outcome>,
    holds_receipts: Vec<bool>,
}

impl Group {
    fn take(&mut self, mut request: Request) {
        // Nobody waits for it any more; whoever sent it will send it again.
        if request.answer.is_closed() {
            return;
        }
        self.requests.push(Share {
            events: request.events.len(),
            shows_receipt: request.receipt.is_some(),
            answer: request.answer,
        });
        self.events.append(&mut request.events);
        self.receipts.extend(request.receipt);
    }

    fn answer(self, written: Result<Written, sqlx::Error>) {
        // Where nobody listens any more, the request timed out; the commit stands all the same.
        match written {
            Ok(written) => {
                let mut outcomes = written.outcomes.into_iter();
                let mut holds_receipts = written.holds_receipts.into_iter();
                for share in self.requests {
                    let _ = share.answer.send(Ok(Recorded {
                        outcomes: outcomes.by_ref().take(share.events).collect(),
                        holds_receipt: !share.shows_receipt || holds_receipts.next().unwrap_or(false),
                    }));
                }
            }
            Err(error) => {
                tracing::error!(events = self.events.len(), %error, "the log cannot be written");
                for share in self.requests {
                    let _ = share.answer.send(Err(IntakeError::Unavailable(error.to_string())));
                }
            }
        }
    }
}

/// The one connection that appends, kept from group to group.
struct Writer {
    pool: PgPool,
    db: Option<PoolConnection<Postgres>>,
}

impl Writer {
    async fn write(&mut self, group: &Group) -> Result<Written, sqlx::Error> {
        if let Some(mut db) = self.db.take() {
            match record(&mut db, group).await {
                Ok(written) => {
                    self.db = Some(db);
                    return Ok(written);
                }
                // PostgreSQL may have been restarted since the last group. Once more on a fresh connection:
                // what had been committed after all is then a duplicate.
                Err(error) => {
                    tracing::warn!(%error, "the connection to the log broke");
                    drop(db.detach());
                }
            }
        }
        let mut db = self.pool.acquire().await?;
        match record(&mut db, group).await {
            Ok(written) => {
                self.db = Some(db);
                Ok(written)
            }
            Err(error) => {
                drop(db.detach());
                Err(error)
            }
        }
    }
}

/// Records the group, or gives up on the connection.
async fn record(db: &mut PgConnection, group: &Group) -> Result<Written, sqlx::Error> {
    tokio::time::timeout(WRITE_TIMEOUT, look_and_append(db, group)).await.unwrap_or_else(|_| {
        let waited = format!("a group took over {} s", WRITE_TIMEOUT.as_secs());
        Err(sqlx::Error::Io(std::io::Error::new(std::io::ErrorKind::TimedOut, waited)))
    })
}

/// Looks for the receipts before anything is added, then appends.
async fn look_and_append(db: &mut PgConnection, group: &Group) -> Result<Written, sqlx::Error> {
    let holds_receipts = match group.receipts.as_slice() {
        [] => Vec::new(),
        receipts => event_store::holds_receipts(&mut *db, receipts).await?,
    };
    let outcomes = match group.events.as_slice() {
        [] => Vec::new(),
        events => append_isolating(db, events).await?,
    };
    Ok(Written { outcomes, holds_receipts })
}

/// Appends the events; if the database refuses the content of some, halves them until those stand alone.
async fn append_isolating(db: &mut PgConnection, events: &[NewEvent]) -> Result<Vec<Outcome>, sqlx::Error> {
    let mut outcomes = Vec::with_capacity(events.len());
    let mut parts = VecDeque::from([events]);
    while let Some(part) = parts.pop_front() {
        match event_store::append(db, part).await {
            Ok(appended) => outcomes.extend(appended.into_iter().map(Outcome::Appended)),
            Err(AppendError::Unavailable(error)) => return Err(error),
            Err(AppendError::Content(error)) if part.len() == 1 => {
                let sqlstate = error.as_database_error().and_then(|error| error.code()).unwrap_or_default();
                tracing::warn!(%sqlstate, "the database refuses an event; it is recorded as refused");
                outcomes.push(Outcome::Rejected { sqlstate: sqlstate.into_owned() });
            }
            Err(AppendError::Content(_)) => {
                let (left, right) = part.split_at(part.len() / 2);
                parts.push_front(right);
                parts.push_front(left);
            }
        }
    }
    Ok(outcomes)
}
