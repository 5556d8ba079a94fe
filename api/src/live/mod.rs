//! What is going on in a store, for whoever watches it: leads, devices, and of a hub how its relay fares (TIER-5, CRM-4).
//!
//! A [`LiveReport`] is all of it at one moment. It is put together only while somebody watches, once for all who do, and told
//! when it has changed, or is some seconds old. Counting leads reads all of their rows, so this rests after each report for [`REST_FACTOR`] times as long
//! as that one took: a store of millions is told of more rarely, and never busy with it.
//!
//! - [`report`]: what is told.
//! - [`devices`]: what can be said of each device, from what it said and what is here.
//! - [`alarms`]: what somebody should do something about. These are looked for, and logged, whether anybody watches or not.

pub mod alarms;
mod devices;
mod report;

pub use report::{
    LiveDevice, LiveHour, LiveLeads, LiveReach, LiveRelay, LiveReport, LiveStanding, LiveStore, LiveTrouble,
    ReachNow, Trust,
};

use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::web::Bytes;
use tokio::sync::{Notify, watch};

pub(crate) use report::Sources;

/// Shortest time between two reports.
const INTERVAL: Duration = Duration::from_secs(1);

/// How many times as long it rests as a report has taken.
const REST_FACTOR: u32 = 19;

/// How many may watch at once; each holds a connection.
pub const MAX_WATCHERS: usize = 64;

/// Longest time after which the same is told again: by it ages are counted.
const MAX_AGE: Duration = Duration::from_secs(15);

/// What whoever watches is told.
#[derive(Debug, Clone, Default)]
pub enum Told {
    /// Nothing yet.
    #[default]
    Nothing,
    /// The newest report, as JSON of one line.
    Report(Bytes),
    /// Nothing can be told now: what was told before is not how it is. Whoever watches asks again.
    Unknown,
    /// The server stops.
    Closed,
}

/// Tells whoever watches.
pub struct Live {
    told: Arc<watch::Sender<Told>>,
    begun: Arc<Notify>,
}

impl Live {
    /// Begins when the first one watches.
    pub(crate) fn start(sources: Sources) -> Self {
        let live = Self { told: Arc::new(watch::Sender::default()), begun: Arc::default() };
        let teller = Teller { told: Arc::clone(&live.told), last: None, last_told_at: Instant::now() };
        tokio::spawn(teller.tell(sources, Arc::clone(&live.begun)));
        live
    }

    /// Watches from here on; `None` when too many do.
    pub fn watch(&self) -> Option<watch::Receiver<Told>> {
        if self.told.receiver_count() >= MAX_WATCHERS {
            return None;
        }
        // Whoever asks again after nothing could be told waits until something can.
        self.told.send_if_modified(|told| {
            if matches!(told, Told::Unknown) {
                *told = Told::Nothing;
            }
            false
        });
        let watcher = self.told.subscribe();
        self.begun.notify_one();
        Some(watcher)
    }

    /// Ends it for all who watch: a server that stops would wait for them.
    pub fn close(&self) {
        self.told.send_replace(Told::Closed);
        self.begun.notify_one();
    }
}

/// Puts reports together, one after the other. When it ends, for whatever reason, so does every stream: nobody is shown for ever
/// what was true once.
struct Teller {
    told: Arc<watch::Sender<Told>>,
    last: Option<LiveReport>,
    last_told_at: Instant,
}

impl Drop for Teller {
    fn drop(&mut self) {
        self.told.send_replace(Told::Closed);
    }
}

impl Teller {
    async fn tell(mut self, sources: Sources, begun: Arc<Notify>) {
        let mut is_failing = false;
        loop {
            if matches!(*self.told.borrow(), Told::Closed) {
                return;
            }
            if self.told.receiver_count() == 0 {
                // What is in there is old when the next one comes.
                self.say(Told::Nothing);
                self.last = None;
                begun.notified().await;
                continue;
            }
            let (report, counted_for) = match sources.heard().await {
                Ok(heard) => {
                    let asked_at = Instant::now();
                    (sources.report(heard).await, asked_at.elapsed())
                }
                Err(error) => (Err(error.into()), Duration::ZERO),
            };
            match report {
                Ok(report) => {
                    is_failing = false;
                    self.tell_if_news(report);
                }
                Err(error) => {
                    // Once: it may last for long.
                    if !std::mem::replace(&mut is_failing, true) {
                        tracing::warn!(%error, "it cannot be told now what is going on");
                    }
                    self.last = None;
                    self.say(Told::Unknown);
                }
            }
            tokio::time::sleep(INTERVAL.max(counted_for * REST_FACTOR)).await;
        }
    }

    fn tell_if_news(&mut self, report: LiveReport) {
        let is_known = self.last.as_ref().is_some_and(|last| report.says_the_same(last));
        if is_known && self.last_told_at.elapsed() < MAX_AGE {
            return;
        }
        // Writing plain data cannot fail.
        self.say(Told::Report(serde_json::to_vec(&report).unwrap_or_default().into()));
        (self.last, self.last_told_at) = (Some(report), Instant::now());
    }

    /// What was closed stays so.
    fn say(&self, next: Told) {
        self.told.send_if_modified(|told| {
            let is_open = !matches!(told, Told::Closed);
            if is_open {
                *told = next;
            }
            is_open
        });
    }
}
