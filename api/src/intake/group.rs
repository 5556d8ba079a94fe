//! The group commit: one task that appends everything that is waiting, in one transaction.

use std::collections::VecDeque;

use event_store::{AppendError, Appended, NewEvent};
use sqlx::{PgConnection, PgPool};
use tokio::sync::{mpsc, oneshot};

use super::IntakeError;

/// Most requests that wait for the next group; further ones wait to be let in.
const MAX_WAITING_REQUESTS: usize = 4_096;

/// A group takes no further request once it has this many events. It bounds the time that the head is locked;
/// one large request may go over it.
const MAX_GROUP_EVENTS: usize = 1_000;

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

/// The way to the task. Cheap to clone; the task ends with the last clone.
#[derive(Clone)]
pub(super) struct Queue(mpsc::Sender<Request>);

type Answer = oneshot::Sender<Result<Vec<Outcome>, IntakeError>>;

struct Request {
    events: Vec<NewEvent>,
    answer: Answer,
}

impl Queue {
    pub(super) fn start(pool: PgPool) -> Self {
        let (sender, receiver) = mpsc::channel(MAX_WAITING_REQUESTS);
        tokio::spawn(run(pool, receiver));
        Self(sender)
    }

    /// Appends these events with whatever else is waiting; answers after the commit, in order.
    pub(super) async fn append(&self, events: Vec<NewEvent>) -> Result<Vec<Outcome>, IntakeError> {
        if events.is_empty() {
            return Ok(Vec::new());
        }
        let (answer, answered) = oneshot::channel();
        self.0.send(Request { events, answer }).await.map_err(|_| IntakeError::Stopping)?;
        answered.await.map_err(|_| IntakeError::Stopping)?
    }
}

async fn run(pool: PgPool, mut waiting: mpsc::Receiver<Request>) {
    while let Some(first) = waiting.recv().await {
        let mut group = Group::default();
        group.take(first);
        while group.events.len() < MAX_GROUP_EVENTS {
            let Ok(next) = waiting.try_recv() else { break };
            group.take(next);
        }
        group.commit(&pool).await;
    }
}

/// Requests that are committed together.
#[derive(Default)]
struct Group {
    events: Vec<NewEvent>,
    /// How many of the events each request brought, and where its answer goes.
    requests: Vec<(usize, Answer)>,
}

impl Group {
    fn take(&mut self, mut request: Request) {
        self.requests.push((request.events.len(), request.answer));
        self.events.append(&mut request.events);
    }

    async fn commit(self, pool: &PgPool) {
        let outcomes = match pool.acquire().await {
            Ok(mut db) => append_isolating(&mut db, &self.events).await,
            Err(error) => Err(error),
        };
        match outcomes {
            Ok(outcomes) => {
                let mut outcomes = outcomes.into_iter();
                for (count, answer) in self.requests {
                    // Nobody listens any more when the request timed out; the commit stands all the same.
                    let _ = answer.send(Ok(outcomes.by_ref().take(count).collect()));
                }
            }
            Err(error) => {
                tracing::error!(events = self.events.len(), %error, "the log cannot be written");
                for (_, answer) in self.requests {
                    let _ = answer.send(Err(IntakeError::Unavailable(error.to_string())));
                }
            }
        }
    }
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
