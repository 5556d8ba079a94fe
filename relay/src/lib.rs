//! A hub's way to the cloud: a cursor over the hub's log, as a state machine without I/O.
//!
//! # What it promises
//!
//! - **Every entry in the hub's log gets to the cloud**, but those that the hub has put into quarantine, in order, as received, through the cloud's ordinary
//!   sync route. There is no second queue: what waits is what stands in the log after the cursor.
//! - **The watermark is honest.** [`RelayState::relayed_through`] covers a position only when the cloud has
//!   given its word about everything up to there. Where that word was not "recorded", the hub's log holds a
//!   [`CloudVerdict`] that says so *before* the watermark passes the entry, and devices read these verdicts
//!   together with the watermark. So "relayed" is never taken for "accepted".
//! - **Nothing blocks the rest.** What the cloud refuses is noted and passed. What it cannot take yet
//!   (`waiting`, `unsupported`, a word that this program does not know) is held and tried again, while the
//!   entries behind it go on.
//! - **A cloud that lost history gets every lead again.** Each request shows the newest receipt; when the
//!   cloud does not hold it, or another store answers as the cloud, the cursor goes back to the beginning.
//!   Sending again is harmless.
//! - **What it heard of its devices is said with each request**, because no receipt covers it: a cloud that was
//!   restored from an older copy knows it again.
//! - **A crash loses nothing.** What an answer teaches is kept in one step ([`Output::Keep`]) before anything
//!   is built on it. A crash before that costs a resend.
//!
//! # How it works
//!
//! The host tells facts with [`Relay::handle`] and does what [`Relay::poll`] wishes: read a page of the log,
//! send a request, keep what was learnt, wake it later. One thing is under way at a time: a read, a request
//! or a keep; a request has a lease, so that one which never ends holds nothing up.
//!
//! On the way down, the cloud's answers carry erasures; the relay passes them on to the hub's own log.
//!
//! [`state`] is what is kept; [`page`] is what of the log travels; `answer` is what the cloud's words mean.

pub mod page;
pub mod state;

mod answer;

use std::collections::VecDeque;

use domain::{CLOUD_VERDICT_STREAM, ClientId, CloudVerdict, CloudVerdictEvent, Digest};
use event_store::{NewEvent, RecordedEvent};
use leadlog_client::engine::backoff::{Backoff, Jitter};
use leadlog_client::engine::batch::BatchLimit;
use leadlog_client::engine::verdict::{self, Outcome};

use page::Page;
use state::RelayState;

/// Time between two requests when there is nothing to relay, in milliseconds: erasures and a loss of history
/// are learnt within this time.
pub const RELAY_EVERY_MS: u64 = 15_000;

/// How long a request may take, in milliseconds.
pub const REQUEST_TIMEOUT_MS: u32 = 60_000;

/// How long the relay waits for the outcome of a request, in milliseconds.
pub const FLIGHT_LEASE_MS: u64 = 65_000;

/// Wait before what could not be read or kept is tried again, in milliseconds.
pub const STORE_RETRY_MS: u64 = 5_000;

/// Wait before held entries are offered again, in milliseconds.
pub const HELD_RETRY_MS: u64 = 30_000;

/// How many events are read at once. What does not travel is passed in steps of this size.
pub const MAX_EVENTS_PER_READ: u32 = 500;

/// Most held entries that are offered again with one request.
pub const MAX_HELD_PER_REQUEST: usize = 20;

/// A fact.
#[derive(Debug)]
pub enum Input {
    /// The log may have grown, or the timer rang.
    Tick,
    /// What [`Output::Read`] asked for: first the held events that are still there, then the page.
    Read {
        /// Events at the positions that were named.
        held: Vec<RecordedEvent>,
        /// Events after the cursor, oldest first.
        page: Vec<RecordedEvent>,
    },
    /// The log could not be read.
    ReadFailed,
    /// A response came.
    Response {
        /// The request.
        request_id: u64,
        /// HTTP status code.
        code: u16,
        /// `Content-Type`, empty when there is none.
        content_type: String,
        /// The body.
        body: String,
        /// `Retry-After`.
        retry_after: Option<String>,
    },
    /// No response came.
    RequestFailed {
        /// The request.
        request_id: u64,
    },
    /// The last [`Output::Keep`] is durable.
    Kept,
    /// Nothing, or only a part, of the last [`Output::Keep`] is durable.
    KeepFailed,
}

/// A wish.
#[derive(Debug, PartialEq, Eq)]
pub enum Output {
    /// Read the hub's log.
    Read {
        /// Single positions.
        held: Vec<u64>,
        /// And the events after this position,
        after: u64,
        /// at most so many.
        limit: u32,
    },
    /// `POST` this to the cloud's sync route, once, within this time.
    Send {
        /// To be named in the outcome.
        request_id: u64,
        /// JSON.
        body: String,
        /// When to abort, in milliseconds.
        timeout_ms: u32,
    },
    /// Keep what was learnt: first the verdicts and the erasures, each in the hub's log (both are harmless to
    /// repeat), then the state, durably.
    Keep(Box<Lesson>),
    /// Say [`Input::Tick`] at this time, in the milliseconds of [`Relay::handle`]. Replaces the last wish.
    WakeAt(u64),
}

/// What an answer of the cloud has taught.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lesson {
    /// Where the relay stands after it.
    pub state: RelayState,
    /// To be appended to the hub's log.
    pub verdicts: Vec<CloudVerdict>,
    /// Leads to be erased in the hub's log.
    pub erased: Vec<ClientId>,
}

/// What is under way.
#[derive(Debug)]
enum Work {
    Nothing,
    Reading,
    Sending { request_id: u64, page: Page, deadline_ms: u64 },
    Keeping { lesson: Box<Lesson>, is_more_expected: bool },
}

/// The state machine.
#[derive(Debug)]
pub struct Relay {
    state: RelayState,
    work: Work,
    outputs: VecDeque<Output>,
    now_ms: u64,
    next_contact_ms: u64,
    held_again_ms: u64,
    /// Position of the held entry that was last in a request.
    held_offered_through: u64,
    last_request_id: u64,
    limit: BatchLimit,
    backoff: Backoff,
    jitter: Jitter,
    wake_at_ms: Option<u64>,
}

impl Relay {
    /// A relay that goes on from what was kept. `seed` is random and decides the jitter of waits.
    pub fn new(state: RelayState, seed: u64) -> Self {
        Self {
            state,
            work: Work::Nothing,
            outputs: VecDeque::new(),
            now_ms: 0,
            next_contact_ms: 0,
            held_again_ms: 0,
            held_offered_through: 0,
            last_request_id: 0,
            limit: BatchLimit::default(),
            backoff: Backoff::default(),
            jitter: Jitter::new(seed),
            wake_at_ms: None,
        }
    }

    /// What is kept, and so may be told to devices.
    pub const fn state(&self) -> &RelayState {
        &self.state
    }

    /// Whether the last request came to nothing, so that the next one waits.
    pub fn is_backing_off(&self) -> bool {
        self.backoff.until(self.now_ms).is_some()
    }

    /// Takes in a fact. `now_ms` is a monotonic clock.
    pub fn handle(&mut self, now_ms: u64, input: Input) {
        self.now_ms = self.now_ms.max(now_ms);
        match input {
            Input::Tick => self.tick(),
            Input::Read { held, page } => self.read(&held, &page),
            Input::ReadFailed => {
                if matches!(self.work, Work::Reading) {
                    self.rest(STORE_RETRY_MS);
                }
            }
            Input::Response { request_id, code, content_type, body, retry_after } => {
                if let Some(page) = self.land(request_id) {
                    self.responded(page, verdict::read(code, &content_type, &body, retry_after.as_deref()));
                }
            }
            Input::RequestFailed { request_id } => {
                if self.land(request_id).is_some() {
                    self.unanswered(None);
                }
            }
            Input::Kept => self.kept(),
            Input::KeepFailed => {
                if matches!(self.work, Work::Keeping { .. }) {
                    self.rest(STORE_RETRY_MS);
                }
            }
        }
        self.ask_for_waking();
    }

    /// The next wish.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    fn tick(&mut self) {
        self.wake_at_ms = None;
        if matches!(&self.work, Work::Sending { deadline_ms, .. } if *deadline_ms <= self.now_ms) {
            self.unanswered(None);
        }
        if matches!(self.work, Work::Nothing) && self.backoff.until(self.now_ms).is_none() {
            self.begin();
        }
    }

    fn begin(&mut self) {
        let held = if self.held_again_ms <= self.now_ms { self.held_in_turn() } else { Vec::new() };
        if !held.is_empty() {
            self.held_again_ms = self.now_ms.saturating_add(HELD_RETRY_MS);
        }
        self.work = Work::Reading;
        let (after, limit) = (self.state.cursor, MAX_EVENTS_PER_READ);
        self.outputs.push_back(Output::Read { held, after, limit });
    }

    /// The held entries that are offered next. Each gets its turn, so that many which the cloud cannot take never
    /// keep one from it which it could.
    fn held_in_turn(&mut self) -> Vec<u64> {
        let all: Vec<u64> = self.state.held.iter().map(|held| held.position).collect();
        let begin = all.partition_point(|position| *position <= self.held_offered_through);
        all[begin..].iter().chain(&all[..begin]).copied().take(MAX_HELD_PER_REQUEST).collect()
    }

    fn read(&mut self, held: &[RecordedEvent], events: &[RecordedEvent]) {
        if !matches!(self.work, Work::Reading) {
            return;
        }
        self.work = Work::Nothing;
        let page = Page::of(held, events, &self.state, self.limit.entries());
        if page.is_empty() && page.through > self.state.cursor {
            let state = RelayState { cursor: page.through, ..self.state.clone() };
            return self.keep(Lesson { state, verdicts: Vec::new(), erased: Vec::new() }, true);
        }
        if page.is_empty() && self.now_ms < self.next_contact_ms {
            return;
        }
        if page.held_through > 0 {
            self.held_offered_through = page.held_through;
        }
        self.last_request_id = self.last_request_id.saturating_add(1);
        let request_id = self.last_request_id;
        let body = page.body(&self.state);
        let deadline_ms = self.now_ms.saturating_add(FLIGHT_LEASE_MS);
        self.work = Work::Sending { request_id, page, deadline_ms };
        self.outputs.push_back(Output::Send { request_id, body, timeout_ms: REQUEST_TIMEOUT_MS });
    }

    /// The page of this request, if it is still waited for.
    fn land(&mut self, request_id: u64) -> Option<Page> {
        match std::mem::replace(&mut self.work, Work::Nothing) {
            Work::Sending { request_id: waited, page, .. } if waited == request_id => Some(page),
            other => {
                self.work = other;
                None
            }
        }
    }

    fn responded(&mut self, page: Page, outcome: Outcome) {
        match outcome {
            Outcome::Answered(answer) => {
                let Some(learnt) = answer::learn(&self.state, &page, &answer) else {
                    // A hub that answers where the cloud should be: as good as nobody.
                    return self.unanswered(None);
                };
                self.backoff.reset();
                if !page.is_empty() {
                    self.limit.answered();
                }
                let pause_ms = if learnt.has_read_erasures { 0 } else { RELAY_EVERY_MS };
                self.next_contact_ms = self.now_ms.saturating_add(pause_ms);
                if learnt.lesson.state != self.state || !learnt.lesson.is_only_state() {
                    self.keep(learnt.lesson, learnt.is_more_expected);
                } else if learnt.is_more_expected {
                    self.begin();
                }
            }
            Outcome::TooMuch { retry_after_ms } => {
                match page.single() {
                    // It cannot be made smaller, and must not hold up what stands beside and behind it.
                    Some(position) => {
                        let mut state = self.state.clone();
                        state.hold(position, false);
                        if state != self.state {
                            self.keep(Lesson { state, verdicts: Vec::new(), erased: Vec::new() }, false);
                        }
                    }
                    None => self.limit.shrink(page.len()),
                }
                self.unanswered(retry_after_ms);
            }
            Outcome::Nothing { retry_after_ms } => self.unanswered(retry_after_ms),
        }
    }

    fn keep(&mut self, lesson: Lesson, is_more_expected: bool) {
        let lesson = Box::new(lesson);
        self.outputs.push_back(Output::Keep(lesson.clone()));
        self.work = Work::Keeping { lesson, is_more_expected };
    }

    /// Nothing is known about anything that was sent: wait, and try again.
    fn unanswered(&mut self, retry_after_ms: Option<u64>) {
        self.backoff.failed(self.now_ms, retry_after_ms, &mut self.jitter);
        if !matches!(self.work, Work::Keeping { .. }) {
            self.work = Work::Nothing;
        }
    }

    fn kept(&mut self) {
        let Work::Keeping { lesson, is_more_expected } = std::mem::replace(&mut self.work, Work::Nothing)
        else {
            return;
        };
        if self.state.held.is_empty() {
            // What the cloud has just not taken it will hardly take at once.
            self.held_again_ms = self.now_ms.saturating_add(HELD_RETRY_MS);
        }
        self.state = lesson.state;
        if is_more_expected && self.backoff.until(self.now_ms).is_none() {
            self.begin();
        }
    }

    fn rest(&mut self, wait_ms: u64) {
        self.work = Work::Nothing;
        self.backoff.pause(self.now_ms, wait_ms);
    }

    fn ask_for_waking(&mut self) {
        let at_ms = match &self.work {
            Work::Sending { deadline_ms, .. } => *deadline_ms,
            Work::Reading | Work::Keeping { .. } => return,
            Work::Nothing => {
                let held_ms = if self.state.held.is_empty() { u64::MAX } else { self.held_again_ms };
                self.backoff
                    .until(self.now_ms)
                    .unwrap_or_else(|| held_ms.min(self.next_contact_ms).max(self.now_ms.saturating_add(1)))
            }
        };
        if self.wake_at_ms != Some(at_ms) {
            self.wake_at_ms = Some(at_ms);
            self.outputs.push_back(Output::WakeAt(at_ms));
        }
    }
}

/// The event that keeps a verdict of the cloud in the hub's log; `None` when the cloud gave no receipt for it.
pub fn verdict_event(verdict: &CloudVerdict) -> Option<NewEvent> {
    let event = CloudVerdictEvent::Given(verdict.clone());
    let payload = serde_json::to_string(&event).ok()?;
    Some(NewEvent {
        aggregate_type: CLOUD_VERDICT_STREAM,
        aggregate_id: CloudVerdict::stream(&verdict.receipt()?),
        sequence: 1,
        event_type: event.name(),
        event_version: CloudVerdictEvent::FORM_VERSION,
        digest: Digest::of(&payload),
        payload,
        metadata: Vec::new(),
        claim: None,
    })
}

impl Lesson {
    fn is_only_state(&self) -> bool {
        self.verdicts.is_empty() && self.erased.is_empty()
    }
}
