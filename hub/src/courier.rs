//! The relay at work: does what the state machine wishes, one thing after the other.
//!
//! It may be dropped at any point, as by `kill -9`: what an answer has taught is kept before anything is built on it, so what
//! is lost is one request.

use std::sync::Arc;
use std::time::{Duration, Instant};

use domain::{FollowUpEvent, Receipt, StoreId, Timestamp};
use event_store::{AppendError, EventLog, LogError, NewEvent, PostgresLog};
use relay::state::RelayState;
use relay::{Input, Lesson, Output, Relay};
use time::OffsetDateTime;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio::time::sleep_until;
use uuid::Uuid;

use crate::cloud::{Cloud, CloudError, Reply};
use crate::state::{self, Lease};

/// How far the relay is, and what stands in its way.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RelayStatus {
    /// Everything in the hub's log up to here is in the cloud, accepted or with a verdict in the hub's log.
    pub relayed_through: u64,
    /// The newest receipt from the cloud.
    pub cloud_receipt: Option<Receipt>,
    /// The cloud was offered everything up to here.
    pub offered_through: u64,
    /// How often, in this run, everything was to be offered again, because the cloud had lost history or is another one.
    pub beginnings: u64,
    /// Where entries stand up to there that it could not take yet. They are offered again.
    pub held: Vec<u64>,
    /// When it last answered as a cloud does, in this run; `None` before that.
    pub heard_at: Option<OffsetDateTime>,
    /// What stands in the way; `None` when the last request came to something.
    pub trouble: Option<Trouble>,
}

/// Why nothing is relayed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// Why the last request came to nothing.
    pub error: CloudError,
    /// Since when none has come to anything.
    pub since: OffsetDateTime,
}

/// The relay of a hub. It ends when this is dropped.
pub struct Courier {
    handle: RelayHandle,
    task: JoinHandle<()>,
}

/// What whoever serves has to do with the relay.
#[derive(Clone)]
pub struct RelayHandle {
    /// How far it is, at this moment and from here on.
    pub status: watch::Receiver<RelayStatus>,
    /// Where it relays to.
    pub cloud: Arc<Cloud>,
    growth: Arc<Notify>,
}

struct Task {
    log: PostgresLog,
    cloud: Arc<Cloud>,
    /// Of several processes on one database one relays.
    lease: Option<Lease>,
    relay: Relay,
    status: watch::Sender<RelayStatus>,
    growth: Arc<Notify>,
    begun: Instant,
    wake_at: Option<u64>,
    /// The newest event that was read, by which it is noticed that the log was put back to an older copy under way.
    last_read: Option<Receipt>,
}

/// What an answer has taught could not be kept; nothing is built on it.
#[derive(Debug, thiserror::Error)]
enum KeepError {
    #[error(transparent)]
    Append(#[from] AppendError),
    #[error(transparent)]
    State(#[from] sqlx::Error),
    #[error("another process relays from this database")]
    NoLease,
}

impl Courier {
    /// Goes on from where the relay of this hub stood.
    ///
    /// # Errors
    /// When the database does not answer, or the store is no hub.
    pub async fn start(log: PostgresLog, cloud: Arc<Cloud>) -> Result<Self, sqlx::Error> {
        let kept = state::load(log.pool()).await?;
        let growth = Arc::new(Notify::new());
        let (sender, status) = watch::channel(RelayStatus::of(&kept));
        let handle = RelayHandle { status, cloud: Arc::clone(&cloud), growth: Arc::clone(&growth) };
        let task = Task {
            // A connection of its own to append with: devices must not wait for what the cloud says.
            log: PostgresLog::new(log.pool().clone()),
            cloud,
            lease: None,
            relay: Relay::new(kept, seed()),
            status: sender,
            growth,
            begun: Instant::now(),
            wake_at: None,
            last_read: None,
        };
        Ok(Self { handle, task: tokio::spawn(task.run()) })
    }

    /// For whoever serves.
    pub fn handle(&self) -> RelayHandle {
        self.handle.clone()
    }
}

impl Drop for Courier {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl RelayHandle {
    /// The log has grown.
    pub fn wake(&self) {
        self.growth.notify_one();
    }
}

impl RelayStatus {
    fn of(state: &RelayState) -> Self {
        Self {
            relayed_through: state.relayed_through(),
            cloud_receipt: state.receipt,
            offered_through: state.cursor,
            held: state.held.iter().map(|held| held.position).collect(),
            ..Self::default()
        }
    }
}

/// What a request came to, as far as it is worth telling.
enum Word {
    /// The cloud has answered as it does.
    Cloud,
    /// Nobody, or nobody that helps.
    Trouble(CloudError),
}

impl Task {
    async fn run(mut self) {
        loop {
            self.tell(Input::Tick);
            while let Some(wish) = self.relay.poll() {
                match wish {
                    Output::Read { held, after, limit } => self.read(&held, after, limit).await,
                    Output::Send { request_id, body, timeout_ms } => {
                        self.send(request_id, &body, timeout_ms).await
                    }
                    Output::Keep(lesson) => self.keep(&lesson).await,
                    Output::WakeAt(at_ms) => self.wake_at = Some(at_ms),
                }
            }
            let ring = self.wake_at.map(|at_ms| self.begun + Duration::from_millis(at_ms));
            let rings = async {
                match ring {
                    Some(at) => sleep_until(at.into()).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = rings => {}
                () = self.growth.notified() => {}
            }
        }
    }

    fn tell(&mut self, fact: Input) {
        let now_ms = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.relay.handle(now_ms, fact);
    }

    async fn read(&mut self, held: &[u64], after: u64, limit: u32) {
        if self.lease.is_none() {
            return self.begin().await;
        }
        match self.has_lost_history().await {
            Ok(false) => {}
            // What was known since is about events that are gone, in whose places there are others.
            Ok(true) => {
                tracing::warn!(
                    "the hub's database was put back to an older copy; the relay goes on from there"
                );
                return self.begin().await;
            }
            Err(error) => return self.cannot_read(&error),
        }
        let read = async {
            let mut events = Vec::new();
            for position in held {
                let event = self.log.read_after(position.saturating_sub(1), 1).await?;
                events.extend(event.into_iter().filter(|event| event.position == *position));
            }
            Ok::<_, LogError>((events, self.log.read_after(after, limit).await?))
        };
        match read.await {
            Ok((held, page)) => {
                if let Some(last) = page.last() {
                    // Whose log it is does not matter: append ids are random.
                    let store_id = StoreId::new(Uuid::nil());
                    let (position, append_id) = (last.position, last.append_id);
                    self.last_read = Some(Receipt { store_id, position, append_id });
                }
                self.tell(Input::Read { held, page });
            }
            Err(error) => self.cannot_read(&error),
        }
    }

    fn cannot_read(&mut self, error: &LogError) {
        tracing::warn!(%error, "the relay waits for the hub's own database");
        self.tell(Input::ReadFailed);
    }

    async fn has_lost_history(&self) -> Result<bool, LogError> {
        let Some(last) = self.last_read else { return Ok(false) };
        Ok(self.log.holds_receipts(&[last]).await? != [true])
    }

    /// Goes on from what is kept.
    async fn begin(&mut self) {
        match self.kept().await {
            Ok(Some(kept)) => {
                self.relay = Relay::new(kept, seed());
                (self.wake_at, self.last_read) = (None, None);
                self.publish(None);
                self.tell(Input::Tick);
            }
            Ok(None) => {
                // What the other one has come to, devices hear from this one, too.
                if let Ok(kept) = state::load(self.log.pool()).await {
                    self.relay = Relay::new(kept, seed());
                    self.tell(Input::Tick);
                    // The new one wishes to read; so does whoever waits.
                    while self.relay.poll().is_some() {}
                }
                self.publish(Some(Word::Trouble(CloudError::OtherProcess)));
                self.tell(Input::ReadFailed);
            }
            Err(error) => self.cannot_read(&error.into()),
        }
    }

    /// What is kept; `None` as long as another process relays.
    async fn kept(&mut self) -> Result<Option<RelayState>, sqlx::Error> {
        if self.lease.is_none() {
            self.lease = Lease::take(self.log.pool()).await?;
        }
        let Some(lease) = &mut self.lease else { return Ok(None) };
        match lease.load().await {
            Ok(kept) => Ok(Some(kept)),
            Err(error) => {
                self.lease = None;
                Err(error)
            }
        }
    }

    async fn send(&mut self, request_id: u64, body: &str, timeout_ms: u32) {
        let (fact, trouble) = match self.cloud.sync(body, Duration::from_millis(timeout_ms.into())).await {
            Ok(reply) => {
                let trouble =
                    (reply.code >= 300).then(|| CloudError::Answer(format!("status {}", reply.code)));
                let Reply { code, content_type, body, retry_after, .. } = reply;
                (Input::Response { request_id, code, content_type, body, retry_after }, trouble)
            }
            Err(trouble) => (Input::RequestFailed { request_id }, Some(trouble)),
        };
        self.tell(fact);
        self.publish(Some(match trouble {
            Some(error) => Word::Trouble(error),
            None if self.relay.is_backing_off() => Word::Trouble(CloudError::NotACloud),
            None => Word::Cloud,
        }));
    }

    async fn keep(&mut self, lesson: &Lesson) {
        match self.write(lesson).await {
            Ok(()) => {
                self.tell(Input::Kept);
                self.publish(None);
            }
            Err(error) => {
                tracing::error!(%error, "what the cloud has answered is not kept, and is asked for again");
                self.tell(Input::KeepFailed);
            }
        }
    }

    /// First what devices must hear before the watermark passes it, then the watermark.
    async fn write(&mut self, Lesson { state, verdicts, erased }: &Lesson) -> Result<(), KeepError> {
        let verdicts: Vec<NewEvent> = verdicts.iter().filter_map(relay::verdict_event).collect();
        if !verdicts.is_empty() {
            self.log.append(&verdicts).await?;
        }
        for client_id in erased {
            let at = Timestamp::new(OffsetDateTime::now_utc());
            self.log.erase(*client_id, &FollowUpEvent::LeadErased { by: None, at }).await?;
        }
        let kept = self.lease.as_mut().ok_or(KeepError::NoLease)?.keep(state).await;
        if !matches!(kept, Ok(()) | Err(sqlx::Error::RowNotFound)) {
            // The session may be gone, and the lock with it.
            self.lease = None;
        }
        Ok(kept?)
    }

    /// Tells how far the relay is, and what was heard, if anything was.
    fn publish(&self, heard: Option<Word>) {
        let now = OffsetDateTime::now_utc();
        self.status.send_if_modified(|status| {
            let mut next = RelayStatus {
                heard_at: status.heard_at,
                trouble: status.trouble.clone(),
                beginnings: status.beginnings,
                ..RelayStatus::of(self.relay.state())
            };
            next.beginnings += u64::from(next.offered_through < status.offered_through);
            match heard {
                None => {}
                Some(Word::Cloud) => {
                    if next.trouble.take().is_some() || next.heard_at.is_none() {
                        tracing::info!(relayed_through = next.relayed_through, "the cloud answers");
                    }
                    next.heard_at = Some(now);
                }
                Some(Word::Trouble(error)) => {
                    let known = next.trouble.take();
                    if known.as_ref().map(|known| &known.error) != Some(&error) {
                        tracing::warn!(%error, "nothing is relayed; everything stays in this hub");
                    }
                    next.trouble = Some(Trouble { error, since: known.map_or(now, |known| known.since) });
                }
            }
            let has_changed = *status != next;
            *status = next;
            has_changed
        });
    }
}

/// Spreads the tries of several hubs.
fn seed() -> u64 {
    Uuid::new_v4().as_u64_pair().0
}
