//! The task that keeps the projections at the head of the log.
//!
//! It is in one of three states. **Standby**: another process leads; it asks again at every poll. **Leading**: it makes
//! steps until every projection is caught up, then sleeps until it is woken or polls; while leads come in without a
//! pause it lets them gather. **Away**: the database does not answer; it tries again after 100 ms, doubling up to 10 s.
//! It ends when it is told to, between two steps, or when its [`Runner`] is dropped.
//!
//! A projection that the database refuses does not hold the others up: each has its turn in every round.
//!
//! A runner that cannot do all of its work, because a newer program has the tables or the database refuses them, **makes
//! way**: it brings its other projections up to date, for a bounded number of rounds, then closes its session and does not
//! ask for the lead for some polls. Another runner that stands by takes it, perhaps one that can do what this one cannot;
//! if there is none, this one goes on in a new session. Until then its other projections are behind by those polls.

use std::sync::Arc;
use std::time::Duration;

use sqlx::{PgConnection, PgPool};
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use crate::page::{LastPage, Step, step};
use crate::refusal::is_refused;
use crate::transaction::roll_back;
use crate::{ALL, Registration, leadership};

const MIN_BACKOFF: Duration = Duration::from_millis(100);
/// Who waits for a projection that stands still (exports) waits longer.
const MAX_BACKOFF: Duration = Duration::from_secs(10);

/// A step that takes longer hangs on a connection that is gone without a word: a step is a few statements.
const STEP_TIMEOUT: Duration = Duration::from_secs(60);

/// Polls for which a runner that makes way does not ask for the lead: another one asks in each of them.
const POLLS_OF_MAKING_WAY: u32 = 3;

/// Rounds in which it brings its other projections up to date at most before it makes way: the newer program's
/// projection must not wait for a backlog without end.
const MAX_ROUNDS_BEFORE_MAKING_WAY: u32 = 50;

/// How a runner works.
#[derive(Debug, Clone, Copy)]
pub struct RunnerOptions {
    /// How often the log is looked at when nobody wakes the runner, and how soon a standby takes over.
    pub poll_interval: Duration,
    /// Once a step has made something, the next begins when nothing has been appended for so long: who waits for an
    /// answer goes before who reads a projection, and a page costs what it costs.
    pub pause: Duration,
    /// It begins then at the latest, although more is being appended. With what folding takes, that is how far behind the
    /// projections may be.
    pub gather: Duration,
    /// Most events of one step. A lead has at most 16 KiB and a refusal about four times that, so this
    /// bounds the memory.
    pub page_events: u32,
}

impl Default for RunnerOptions {
    /// Every second; 100 ms, 2 s; 1,000 events.
    fn default() -> Self {
        Self {
            poll_interval: Duration::from_secs(1),
            pause: Duration::from_millis(100),
            gather: Duration::from_secs(2),
            page_events: 1_000,
        }
    }
}

/// A running runner. Dropping it ends it after the step it is in; [`Runner::shutdown`] also waits for that.
#[derive(Debug)]
pub struct Runner {
    waker: Waker,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

/// Tells a runner that the log has grown. Cheap to clone and to call.
#[derive(Debug, Clone)]
pub struct Waker(Arc<Notify>);

impl Waker {
    /// Wakes the runner; many calls while it works are one.
    pub fn wake(&self) {
        self.0.notify_one();
    }
}

impl Runner {
    /// Starts a task that keeps all projections at the head of the log. The store must be migrated.
    ///
    /// While it leads it holds one connection of its own beside the pool's.
    pub fn spawn(pool: PgPool, options: RunnerOptions) -> Self {
        Self::spawn_for(pool, options, &ALL)
    }

    /// The same for some projections only. All runners of a store must have the same.
    pub fn spawn_for(pool: PgPool, options: RunnerOptions, projections: &'static [Registration]) -> Self {
        let waker = Waker(Arc::new(Notify::new()));
        let (stop, stopping) = watch::channel(false);
        let work = Work {
            pool,
            options,
            projections,
            waker: waker.clone(),
            stopping,
            backoff: MIN_BACKOFF,
            first: 0,
            refused: vec![None; projections.len()],
            away: None,
            is_making_way: false,
            needs_new_session: false,
        };
        Self { waker, stop, task: tokio::spawn(work.run()) }
    }

    /// Tells the runner that the log has grown.
    pub fn wake(&self) {
        self.waker.wake();
    }

    /// A handle for those who append.
    pub fn waker(&self) -> Waker {
        self.waker.clone()
    }

    /// Ends the runner after the step it is in, and waits until it has given up the lead.
    pub async fn shutdown(self) {
        // The task may be gone already, with the runtime; then there is nothing to wait for.
        let _ = self.stop.send(true);
        let _ = self.task.await;
    }
}

struct Work {
    pool: PgPool,
    options: RunnerOptions,
    projections: &'static [Registration],
    waker: Waker,
    stopping: watch::Receiver<bool>,
    backoff: Duration,
    /// Whose step is the first of a round: behind one that took the connection with it, the next.
    first: usize,
    /// Of each projection, why the database refuses it. Told when it changes.
    refused: Vec<Option<String>>,
    /// Why there is no connection to lead with. Told when it changes.
    away: Option<String>,
    /// Whether it lets go of the lead again and again. Told when it changes.
    is_making_way: bool,
    /// A session may be what is refused: it keeps the settings and the plans that it began with.
    needs_new_session: bool,
}

/// How fast the log grows, seen from its readers.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Pace {
    /// Nothing was new.
    Idle,
    /// Less than a page was new.
    Trickle,
    /// A full page: there is more.
    Backlog,
}

/// Why a runner is not leading any more.
enum End {
    Standby,
    /// Another may be able to do what this one cannot.
    MakesWay,
    Stopped,
}

/// What a round came to.
struct Round {
    pace: Pace,
    /// Whether a newer program has tables of ours.
    is_superseded: bool,
    /// Whether the database refused a projection.
    is_refused: bool,
}

impl Work {
    async fn run(mut self) {
        loop {
            let pause = match self.lead().await {
                Ok(End::Stopped) => return,
                Ok(End::Standby) => {
                    self.tell_away(None);
                    self.options.poll_interval
                }
                Ok(End::MakesWay) => self.options.poll_interval * POLLS_OF_MAKING_WAY,
                Err(error) => {
                    self.tell_away(Some(&error));
                    let pause = self.backoff;
                    self.backoff = (pause * 2).min(MAX_BACKOFF);
                    pause
                }
            };
            tokio::select! {
                () = sleep(pause) => {}
                () = stopped(&mut self.stopping) => return,
            }
        }
    }

    async fn lead(&mut self) -> Result<End, sqlx::Error> {
        let needs_new_session = std::mem::take(&mut self.needs_new_session);
        let taken = tokio::select! {
            taken = take_lead(&self.pool, needs_new_session) => taken?,
            () = stopped(&mut self.stopping) => return Ok(End::Stopped),
        };
        let Some(mut db) = taken else { return Ok(End::Standby) };
        let mut rounds_left = MAX_ROUNDS_BEFORE_MAKING_WAY;
        loop {
            let Round { pace, is_superseded, is_refused } = self.step_each(&mut db).await?;
            self.backoff = MIN_BACKOFF;
            self.tell_away(None);
            self.tell_making_way(is_superseded || is_refused);
            if is_stopped(&self.stopping) {
                leadership::give_up(db).await;
                return Ok(End::Stopped);
            }
            if is_superseded || is_refused {
                rounds_left -= 1;
                if pace != Pace::Backlog || rounds_left == 0 {
                    self.needs_new_session = is_refused;
                    leadership::give_up(db).await;
                    return Ok(End::MakesWay);
                }
            } else {
                rounds_left = MAX_ROUNDS_BEFORE_MAKING_WAY;
            }
            match pace {
                Pace::Backlog => {}
                Pace::Trickle => {
                    let pause = pause(&self.waker, self.options);
                    tokio::select! {
                        _ = timeout(self.options.gather, pause) => {}
                        () = stopped(&mut self.stopping) => {}
                    }
                }
                Pace::Idle => tokio::select! {
                    () = self.waker.0.notified() => {}
                    () = sleep(self.options.poll_interval) => {}
                    () = stopped(&mut self.stopping) => {}
                },
            }
        }
    }

    /// One step of each projection, so that none waits for another's backlog or for what the database refuses it.
    ///
    /// # Errors
    /// When the connection is gone, or hangs; the round after that begins behind the projection it happened to.
    async fn step_each(&mut self, db: &mut PgConnection) -> Result<Round, sqlx::Error> {
        let mut round = Round { pace: Pace::Idle, is_superseded: false, is_refused: false };
        let mut last_page = LastPage::default();
        let all = self.projections;
        for (place, projection) in all.iter().enumerate().cycle().skip(self.first).take(all.len()) {
            let making = self.step_or_refusal(db, projection, &mut last_page);
            let stepped = timeout(STEP_TIMEOUT, making)
                .await
                .unwrap_or_else(|_| Err(took_too_long(&format!("a step of {projection:?}"))));
            let stepped = match stepped {
                Ok(stepped) => stepped,
                Err(error) => {
                    self.first = (place + 1) % all.len();
                    return Err(error);
                }
            };
            match &stepped {
                Ok(step) => {
                    round.pace = round.pace.max(pace(*step));
                    round.is_superseded |= *step == Step::Superseded;
                }
                Err(_) => round.is_refused = true,
            }
            self.tell_refused(place, projection, stepped.err().as_ref());
        }
        Ok(round)
    }

    /// A step, or why the database refuses it; the next finds no transaction open.
    ///
    /// # Errors
    /// When the connection is gone.
    async fn step_or_refusal(
        &self,
        db: &mut PgConnection,
        projection: &Registration,
        last_page: &mut LastPage,
    ) -> Result<Result<Step, sqlx::Error>, sqlx::Error> {
        match step(db, projection, self.options.page_events, last_page).await {
            Ok(step) => Ok(Ok(step)),
            Err(error) if is_refused(&error) => {
                roll_back(db).await?;
                Ok(Err(error))
            }
            Err(error) => Err(error),
        }
    }

    /// Says in the log that a projection is refused, or goes on, once each time that it changes.
    fn tell_refused(&mut self, place: usize, projection: &Registration, refused: Option<&sqlx::Error>) {
        let Some(told) = self.refused.get_mut(place) else { return };
        let refused = refused.map(ToString::to_string);
        if *told == refused {
            return;
        }
        match &refused {
            Some(error) => tracing::error!(
                error,
                ?projection,
                "the database refuses a projection: its rows stay as they are until that is put right, or until another \
                 process leads that can write them"
            ),
            None => tracing::info!(?projection, "a projection that was refused goes on"),
        }
        *told = refused;
    }

    /// Says in the log that it lets go of the lead, or keeps it again, once each time that it changes.
    fn tell_making_way(&mut self, is_making_way: bool) {
        if self.is_making_way == is_making_way {
            return;
        }
        if is_making_way {
            tracing::warn!(
                "this process cannot keep every projection up: it lets go of their lead from time to time, for another \
                 that can"
            );
        } else {
            tracing::info!("this process keeps every projection up again");
        }
        self.is_making_way = is_making_way;
    }

    /// Says in the log that there is nothing to lead with, or is again, once each time that it changes.
    fn tell_away(&mut self, error: Option<&sqlx::Error>) {
        let away = error.map(ToString::to_string);
        if self.away == away {
            return;
        }
        match error {
            Some(error) if is_refused(error) => {
                tracing::error!(%error, "the database refuses the projections' work as a whole");
            }
            Some(error) => tracing::warn!(%error, "projections wait for the database"),
            None => tracing::info!("projections go on"),
        }
        self.away = away;
    }
}

const fn pace(step: Step) -> Pace {
    match step {
        Step::Moved { is_full: true, .. } => Pace::Backlog,
        Step::Moved { is_full: false, .. } | Step::LostRace => Pace::Trickle,
        Step::CaughtUp | Step::Superseded => Pace::Idle,
    }
}

/// Waits until nothing has been appended for a while, by this process: of others it does not hear.
async fn pause(waker: &Waker, options: RunnerOptions) {
    while timeout(options.pause, waker.0.notified()).await.is_ok() {}
}

async fn take_lead(pool: &PgPool, in_new_session: bool) -> Result<Option<PgConnection>, sqlx::Error> {
    if !in_new_session {
        return leadership::take(pool).await;
    }
    let taking = leadership::take_in_new_session(pool);
    timeout(STEP_TIMEOUT, taking).await.unwrap_or_else(|_| Err(took_too_long("taking the lead")))
}

fn took_too_long(what: &str) -> sqlx::Error {
    sqlx::Error::Io(std::io::Error::new(
        std::io::ErrorKind::TimedOut,
        format!("{what} took over {STEP_TIMEOUT:?}"),
    ))
}

/// Also when the `Runner` was dropped.
fn is_stopped(stopping: &watch::Receiver<bool>) -> bool {
    *stopping.borrow() || stopping.has_changed().is_err()
}

async fn stopped(stopping: &mut watch::Receiver<bool>) {
    // An error means that the `Runner` was dropped.
    let _ = stopping.wait_for(|stop| *stop).await;
}
