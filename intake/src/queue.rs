//! The group commit: one task that appends everything that is waiting, in one transaction.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use domain::{FOLLOW_UP_STREAM, Receipt};
use event_store::{EventLog, NewEvent, Placed};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use crate::recorder::append_isolating;
use crate::{HeardDevices, IntakeError, Outcome, Recorded, Recorder};

/// Most requests that wait for the next group; further ones wait to be let in.
const MAX_WAITING_REQUESTS: usize = 4_096;

/// A group takes no further request once it has this many events. It bounds the time that the head is locked;
/// one large request may go over it.
const MAX_GROUP_EVENTS: usize = 1_000;

/// How long a request waits for its commit.
const COMMIT_TIMEOUT: Duration = Duration::from_secs(20);

/// How often it is looked whether anybody was erased, by this process or another. A look costs one query, and
/// a request that knows of all erasures needs none of its own then. The verdict `erased` never waits for it.
const FOLLOW_UPS_INTERVAL: Duration = Duration::from_millis(100);

/// Follow-ups that are read at once to find the newest.
const FOLLOW_UPS_READ: u32 = 1_000;

/// The way to the task. Cheap to clone; the task ends with the last clone.
#[derive(Clone)]
pub struct Queue {
    requests: mpsc::Sender<Request>,
    seen: Arc<Seen>,
}

/// What this process knows of the log.
struct Seen {
    /// The newest position; other processes may have gone further.
    head: AtomicU64,
    devices: HeardDevices,
}

type Answer = oneshot::Sender<Result<Recorded, IntakeError>>;

struct Request {
    events: Vec<NewEvent>,
    receipt: Option<Receipt>,
    answer: Answer,
}

impl Queue {
    /// Starts the task. `head` is a position that the log has reached. `on_growth` is called after each group
    /// that added something.
    pub fn start<L, F>(log: L, head: u64, on_growth: F) -> Self
    where
        L: EventLog + 'static,
        F: Fn() + Send + 'static,
    {
        let (requests, waiting) = mpsc::channel(MAX_WAITING_REQUESTS);
        let seen = Arc::new(Seen { head: AtomicU64::new(head), devices: HeardDevices::default() });
        let task = Task { log, on_growth, seen: Arc::clone(&seen), follow_ups: FollowUps::default() };
        tokio::spawn(task.run(waiting));
        Self { requests, seen }
    }
}

impl Recorder for Queue {
    async fn record(&self, events: Vec<NewEvent>, receipt: Option<Receipt>) -> Result<Recorded, IntakeError> {
        let (answer, answered) = oneshot::channel();
        let request = Request { events, receipt, answer };
        let recorded = async {
            self.requests.send(request).await.map_err(|_| IntakeError::Stopping)?;
            answered.await.map_err(|_| IntakeError::Stopping)?
        };
        tokio::time::timeout(COMMIT_TIMEOUT, recorded).await.unwrap_or(Err(IntakeError::TimedOut))
    }

    fn heard_devices(&self) -> Option<&HeardDevices> {
        Some(&self.seen.devices)
    }
}

struct Task<L, F> {
    log: L,
    on_growth: F,
    seen: Arc<Seen>,
    follow_ups: FollowUps,
}

impl<L: EventLog, F: Fn()> Task<L, F> {
    async fn run(mut self, mut waiting: mpsc::Receiver<Request>) {
        while let Some(first) = waiting.recv().await {
            let mut group = Group::default();
            group.take(first);
            while group.events.len() < MAX_GROUP_EVENTS {
                let Ok(next) = waiting.try_recv() else { break };
                group.take(next);
            }
            let written = self.write(&group).await;
            if let Ok(written) = &written {
                self.grew(written);
            }
            let head = self.seen.head.load(Ordering::Relaxed);
            group.answer(written, head);
        }
    }

    /// Looks for the receipts before anything is added, then appends.
    async fn write(&mut self, group: &Group) -> Result<Written, IntakeError> {
        let holds_receipts = self.log.holds_receipts(&group.receipts).await?;
        let outcomes = append_isolating(&self.log, &group.events).await?;
        let follow_ups_through = self.follow_ups.through(&self.log).await?;
        Ok(Written { outcomes, holds_receipts, follow_ups_through })
    }

    fn grew(&self, written: &Written) {
        let appended = written.outcomes.iter().filter_map(|outcome| match outcome {
            Outcome::Placed(Placed::At(appended)) => Some(appended),
            _ => None,
        });
        let (newest, first_new) = appended.fold((0, None), |(newest, first_new), at| {
            let first_new = first_new.or(at.is_new.then_some(at.position));
            (at.position.max(newest), first_new)
        });
        let head = self.seen.head.fetch_max(newest, Ordering::Relaxed);
        if first_new.is_some_and(|position| position <= head) {
            tracing::warn!(
                head,
                newest,
                "the log ends before where it ended: it was put back to an earlier state"
            );
            self.seen.head.store(newest, Ordering::Relaxed);
            self.seen.devices.forget();
        }
        if first_new.is_some() {
            (self.on_growth)();
        }
    }
}

/// The newest follow-up that is known.
#[derive(Default)]
struct FollowUps {
    through: u64,
    looked_at: Option<Instant>,
}

impl FollowUps {
    async fn through<L: EventLog>(&mut self, log: &L) -> Result<u64, IntakeError> {
        if self.looked_at.is_none_or(|looked_at| looked_at.elapsed() >= FOLLOW_UPS_INTERVAL) {
            loop {
                let page = log.read_kind_after(FOLLOW_UP_STREAM, self.through, FOLLOW_UPS_READ).await?;
                self.through = page.last().map_or(self.through, |event| event.position);
                if page.len() < FOLLOW_UPS_READ as usize {
                    break;
                }
            }
            self.looked_at = Some(Instant::now());
        }
        Ok(self.through)
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

/// What the log said about a group.
struct Written {
    outcomes: Vec<Outcome>,
    holds_receipts: Vec<bool>,
    follow_ups_through: u64,
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

    fn answer(self, written: Result<Written, IntakeError>, head: u64) {
        // Where nobody listens any more, the request timed out; the commit stands all the same.
        match written {
            Ok(written) => {
                let mut outcomes = written.outcomes.into_iter();
                let mut holds_receipts = written.holds_receipts.into_iter();
                for share in self.requests {
                    let _ = share.answer.send(Ok(Recorded {
                        outcomes: outcomes.by_ref().take(share.events).collect(),
                        holds_receipt: !share.shows_receipt || holds_receipts.next().unwrap_or(false),
                        head,
                        follow_ups_through: written.follow_ups_through,
                    }));
                }
            }
            Err(error) => {
                tracing::error!(events = self.events.len(), %error, "the log cannot be written");
                for share in self.requests {
                    let _ = share.answer.send(Err(error.clone()));
                }
            }
        }
    }
}
