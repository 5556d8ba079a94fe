//! The sync engine: a state machine without I/O.
//!
//! # The protocol
//!
//! The shell (the browser, a test, a simulator) tells the engine facts with [`Engine::handle`]: what was
//! read from disk, that a lead was saved, that a timer rang, that a response came. Then it polls
//! [`Engine::poll`] until there is nothing left, and does each [`Output`]: write these records, send this
//! request, wake me then, show this. Time comes in with every fact; randomness came in as a seed. The same
//! facts give the same wishes, always.
//!
//! **A lead** is durable before the engine hears of it ([`Input::Saved`]). Nothing in here can make a Save
//! fail or wait (invariant 10), and nothing in here is needed to keep it (invariant 1): the engine rebuilds
//! itself from the records alone ([`Input::Opened`]).
//!
//! **A run** begins with one of five triggers: a save, the regular tick, the page becoming visible, the
//! network coming back, a person's wish. (Opening counts as becoming visible.) It sends one request, and
//! further ones while entries are left that can be sent. A trigger during a run starts no second request:
//! the run takes along what was saved meanwhile, and a person who asked gets the summary of that run. A run
//! with nothing to send still sends one request without entries, because only an answer tells that the
//! store is there and still has its history. While the browser says it is offline, a trigger does nothing;
//! a person gets an empty summary.
//!
//! **A flight** is the one request under way, with a lease in memory. An entry is `syncing` while it is in
//! the flight, so a crash leaves none stuck. When the lease ends without an outcome, the request counts as
//! failed, and a later outcome is ignored: what it said will be said again.
//!
//! **An answer** is JSON of the right shape from a store ([`verdict`]). Each result is matched to its entry
//! by lead and version. `created`, `duplicate` and `duplicate_email` with a receipt make it synced;
//! `invalid` and `conflict` make it failed. Any other word, or no result, leaves it pending, set aside for a
//! while so that it does not stand in the way of the others. **Anything else** that can come back (no
//! network, a portal's page, 401, 408, 413, 429, 5xx, silence) says nothing about any entry: the engine waits
//! ([`backoff`]) and tries again, for ever. What was refused as a whole is tried in halves, down to a
//! single entry; if that one is refused alone, it is set aside.
//!
//! **Custody** ([`custody`]): the store's answer says whether it is the cloud or a hub. Only the cloud's
//! receipt ends the matter; a hub's receipt moves the lead to "hub", and it is still owed to the cloud. With
//! each request the engine shows its newest receipt of the store that answered last. If that very store
//! answers that it does not have it, everything it ever said is void, and what it covered is owed again
//! (invariant 5). If another store answers, one that has given receipts before, its new receipts are not
//! taken until it has been shown an old one: they could hide that its history was lost.
//!
//! **Writing** is behind: answers change the state in memory and are written as marks, one write at a time,
//! all of them together. So a mark that voids can never be overtaken by a newer receipt. A lost write costs a
//! resend, which is harmless.
//!
//! **Waking**: after [`Input::Opened`] there is always a time at which the engine wants to be woken
//! ([`Output::WakeAt`]), so no missed event can strand a lead.
//!
//! # The modules
//!
//! [`record`] what is on disk; [`outbox`] which entries are owed, in order; [`batch`] how much goes into one
//! request; [`flight`] the request under way; [`verdict`] what came back; [`backoff`] how long to wait;
//! [`custody`] where a lead stands; [`status`] what a person is told.

pub mod backoff;
pub mod batch;
pub mod custody;
pub mod flight;
pub mod outbox;
pub mod record;
pub mod status;
pub mod verdict;

mod answer;
mod body;
mod unwritten;

use std::collections::VecDeque;

use domain::{DeviceId, SyncRequest};

use backoff::{Backoff, Jitter};
use batch::BatchLimit;
use custody::Place;
use flight::{FLIGHT_LEASE_MS, Flight, REQUEST_TIMEOUT_MS, Run};
use outbox::Outbox;
use record::{EntryRecord, Records};
use status::{EntryStatus, Status, Summary};
use unwritten::Unwritten;

/// Time between two runs when nothing else happens, in milliseconds (SYN-2).
pub const SYNC_EVERY_MS: u64 = 60_000;

/// Wait while another tab sends, in milliseconds.
pub const OTHER_TAB_WAIT_MS: u64 = 2_000;

/// Wait when stores answer in turn, in milliseconds.
pub const OTHER_STORE_WAIT_MS: u64 = 2_000;

/// Wait before records that could not be written are written again, in milliseconds.
pub const REWRITE_AFTER_MS: u64 = 10_000;

/// What the engine must know from the start.
#[derive(Debug, Clone)]
pub struct Config {
    /// This installation.
    pub device_id: DeviceId,
    /// Random; decides the jitter of waits.
    pub seed: u64,
}

/// A fact.
#[derive(Debug)]
pub enum Input {
    /// The database was opened and holds this. The first fact; nothing is sent before.
    Opened(Records),
    /// An entry is durable.
    Saved(EntryRecord),
    /// Another tab wrote this.
    Learned(Records),
    /// The timer rang, or may have.
    Tick,
    /// The local day began at this moment, in milliseconds since 1970.
    DayStarted(i64),
    /// The page can be seen.
    Visible,
    /// The browser says that there is a network.
    CameOnline,
    /// The browser says that there is none.
    WentOffline,
    /// A person asked. Answered with one [`Output::Done`], for all who asked during the run.
    SyncRequested,
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
        /// Why.
        failure: Failure,
    },
    /// The records of the last [`Output::Put`] are durable.
    PutDone,
    /// The records of the last [`Output::Put`] were not written, none of them.
    PutFailed,
}

/// Why no response came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// No connection, or it broke.
    Network,
    /// It took too long.
    Timeout,
    /// Another tab is sending; nothing was tried.
    OtherTab,
}

/// A wish.
#[derive(Debug, PartialEq, Eq)]
pub enum Output {
    /// Write these in one transaction, then say [`Input::PutDone`] or [`Input::PutFailed`]. There is never
    /// a second one before that.
    Put(Records),
    /// `POST` this to the sync route, once, within this time.
    Send {
        /// To be named in the outcome.
        request_id: u64,
        /// JSON.
        body: String,
        /// When to abort, in milliseconds.
        timeout_ms: u32,
    },
    /// Say [`Input::Tick`] at this time, in the milliseconds of [`Engine::handle`]. Replaces the last wish.
    WakeAt(u64),
    /// Tell people.
    Show(Status),
    /// What the run did that a person had asked for.
    Done(Summary),
}

/// The state machine.
pub struct Engine {
    config: Config,
    outputs: VecDeque<Output>,
    now_ms: u64,
    is_open: bool,
    is_online: bool,
    reachable: Option<bool>,
    day_start_ms: i64,
    unreadable: usize,
    outbox: Outbox,
    limit: BatchLimit,
    backoff: Backoff,
    jitter: Jitter,
    run: Option<Run>,
    flight: Option<Flight>,
    last_request_id: u64,
    regular_at_ms: u64,
    unwritten: Unwritten,
    shown: Option<Status>,
    wake_at_ms: Option<u64>,
}

impl Engine {
    /// An engine that has not been opened yet.
    pub fn new(config: Config) -> Self {
        let jitter = Jitter::new(config.seed);
        Self {
            config,
            outputs: VecDeque::new(),
            now_ms: 0,
            is_open: false,
            is_online: true,
            reachable: None,
            day_start_ms: i64::MAX,
            unreadable: 0,
            outbox: Outbox::default(),
            limit: BatchLimit::default(),
            backoff: Backoff::default(),
            jitter,
            run: None,
            flight: None,
            last_request_id: 0,
            regular_at_ms: 0,
            unwritten: Unwritten::default(),
            shown: None,
            wake_at_ms: None,
        }
    }

    /// Takes in a fact. `now_ms` is a monotonic clock: someone sets the iPad's date back an hour, and
    /// nothing waits for that hour to pass again.
    pub fn handle(&mut self, now_ms: u64, input: Input) {
        self.now_ms = self.now_ms.max(now_ms);
        match input {
            Input::Opened(records) => {
                self.learn(records);
                self.is_open = true;
                self.trigger();
            }
            Input::Learned(records) => self.learn(records),
            Input::Saved(record) => {
                self.outbox.insert(record);
                self.trigger();
            }
            Input::Tick => self.tick(),
            Input::DayStarted(day_start_ms) => self.day_start_ms = day_start_ms,
            Input::Visible => self.trigger(),
            Input::CameOnline => {
                self.is_online = true;
                self.backoff.network_came_back();
                self.trigger();
            }
            Input::WentOffline => {
                self.is_online = false;
                self.reachable = Some(false);
            }
            Input::SyncRequested => self.sync_requested(),
            Input::Response { request_id, code, content_type, body, retry_after } => {
                if let Some(flight) = self.land(request_id) {
                    self.responded(flight, verdict::read(code, &content_type, &body, retry_after.as_deref()));
                }
            }
            Input::RequestFailed { request_id, failure } => {
                if let Some(flight) = self.land(request_id) {
                    self.request_failed(&flight, failure);
                }
            }
            Input::PutDone => self.unwritten.written(),
            Input::PutFailed => self.unwritten.failed(self.now_ms.saturating_add(REWRITE_AFTER_MS)),
        }
        self.settle();
    }

    /// The next wish.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// The state of an entry (SYN-1), derived; `None` when there is no such entry.
    pub fn entry_status(&self, device_seq: u64) -> Option<EntryStatus> {
        let (_, _, place, is_refused) = self.outbox.standing().find(|(seq, ..)| *seq == device_seq)?;
        Some(match place {
            _ if is_refused => EntryStatus::Failed,
            Place::Hub | Place::Cloud => EntryStatus::Synced,
            Place::Device if self.flight.as_ref().is_some_and(|flight| flight.seqs.contains(&device_seq)) => {
                EntryStatus::Syncing
            }
            Place::Device => EntryStatus::Pending,
        })
    }

    fn learn(&mut self, records: Records) {
        records.entries.into_iter().for_each(|record| self.outbox.insert(record));
        records.marks.into_iter().for_each(|mark| self.outbox.restore(mark));
        self.unreadable = self.unreadable.max(records.unreadable);
        if let Some(stores) = records.stores {
            self.outbox.restore_stores(stores);
        }
    }

    fn tick(&mut self) {
        // The timer that rang is gone, even if it rang too early.
        self.wake_at_ms = None;
        if let Some(flight) = self.flight.take_if(|flight| flight.deadline_ms <= self.now_ms) {
            self.request_failed(&flight, Failure::Timeout);
        }
        let is_ready = self.outbox.next_ready_ms(self.now_ms).is_some_and(|ready_ms| ready_ms <= self.now_ms);
        if is_ready || self.regular_at_ms <= self.now_ms {
            self.trigger();
        }
    }

    fn sync_requested(&mut self) {
        if self.run.is_none() && self.is_open && self.is_online {
            self.backoff.skip();
            self.outbox.release_all();
            self.trigger();
        }
        match &mut self.run {
            Some(run) => run.is_awaited = true,
            None => {
                let summary = Summary { waiting: self.status().waiting, ..Summary::default() };
                self.outputs.push_back(Output::Done(summary));
            }
        }
    }

    /// Begins a run, unless there is a reason not to.
    fn trigger(&mut self) {
        if !self.is_open || self.run.is_some() {
            return;
        }
        if self.regular_at_ms <= self.now_ms {
            self.regular_at_ms = self.now_ms.saturating_add(SYNC_EVERY_MS);
        }
        if self.is_online && self.backoff.until(self.now_ms).is_none() {
            self.run = Some(Run::default());
            let seqs = self.outbox.next_batch(self.now_ms, &self.limit);
            self.send(seqs);
        }
    }

    /// Sends the next request of the run, or ends the run.
    fn proceed(&mut self) {
        let seqs = self.outbox.next_batch(self.now_ms, &self.limit);
        if seqs.is_empty() || !self.is_online {
            self.end_run();
        } else {
            self.send(seqs);
        }
    }

    fn send(&mut self, seqs: Vec<u64>) {
        let shown = self.outbox.last_receipt();
        let request = SyncRequest {
            sender: Some(self.config.device_id.clone()),
            saved_through: self.outbox.saved_through(),
            last_receipt: shown,
            erasures_after: None,
            entries: Vec::new(),
        };
        let body = body::write(&request, self.outbox.texts(&seqs));
        self.last_request_id = self.last_request_id.saturating_add(1);
        if let Some(run) = &mut self.run {
            run.summary.sent += seqs.len();
        }
        let deadline_ms = self.now_ms.saturating_add(FLIGHT_LEASE_MS);
        let request_id = self.last_request_id;
        self.flight = Some(Flight { request_id, seqs, shown, deadline_ms });
        self.outputs.push_back(Output::Send { request_id, body, timeout_ms: REQUEST_TIMEOUT_MS });
    }

    fn land(&mut self, request_id: u64) -> Option<Flight> {
        self.flight.take_if(|flight| flight.request_id == request_id)
    }

    fn end_run(&mut self) {
        self.regular_at_ms = self.now_ms.saturating_add(SYNC_EVERY_MS);
        let Some(run) = self.run.take() else { return };
        if run.is_awaited {
            let summary = Summary { waiting: self.status().waiting, ..run.summary };
            self.outputs.push_back(Output::Done(summary));
        }
    }

    fn status(&self) -> Status {
        Status::of(&self.outbox, self.unreadable, self.reachable, self.day_start_ms)
    }

    /// After every fact: write what is new, tell people, ask for the next waking.
    fn settle(&mut self) {
        if let Some(records) = self.unwritten.next_put(self.now_ms, &self.outbox) {
            self.outputs.push_back(Output::Put(records));
        }
        if !self.is_open {
            return;
        }
        let status = self.status();
        if self.shown.as_ref() != Some(&status) {
            self.shown = Some(status.clone());
            self.outputs.push_back(Output::Show(status));
        }
        let wake_at_ms = self.next_wake_ms();
        if self.wake_at_ms != Some(wake_at_ms) {
            self.wake_at_ms = Some(wake_at_ms);
            self.outputs.push_back(Output::WakeAt(wake_at_ms));
        }
    }

    fn next_wake_ms(&self) -> u64 {
        let run_at_ms = match &self.flight {
            Some(flight) => flight.deadline_ms,
            None if !self.is_online => self.regular_at_ms,
            None => {
                let ready_ms = self.outbox.next_ready_ms(self.now_ms).unwrap_or(u64::MAX);
                ready_ms.min(self.regular_at_ms).max(self.backoff.until(self.now_ms).unwrap_or(0))
            }
        };
        run_at_ms.min(self.unwritten.retry_at_ms().unwrap_or(u64::MAX))
    }
}
