//! The sync engine: a state machine without I/O.
//!
//! # The protocol
//!
//! The shell (the browser, a test, a simulator) tells the engine facts with [`Engine::handle`]: what was read
//! from disk, that a lead was saved, that a timer rang, that a response came ([`input`]). Then it polls
//! [`Engine::poll`] until there is nothing left, and does each wish: write these records, send this request,
//! wake me then, show this ([`output`]). Time comes in with every fact; randomness came in as a seed. The
//! same facts give the same wishes, always.
//!
//! **A lead** is durable before the engine hears of it ([`Input::Saved`]). Nothing in here can make a Save
//! fail or wait (invariant 10), and nothing in here is needed to keep it (invariant 1): the engine rebuilds
//! itself from the records alone ([`Input::Opened`], [`record`]). A correction or a void is the next version
//! of the same lead, complete, and an entry like any other; so is the fix of one that failed.
//!
//! **Targets** are the addresses where stores may answer, in order of preference. Which store is there, and
//! whether it is the cloud or a hub, is learned from its answers and never from an address. Each target has a
//! backoff, a batch limit and a heartbeat of its own ([`tier`]): two misses in a row make it unreachable, and
//! it gets health requests only until one is answered. When nobody can be reached, the device is solo, and
//! keeps everything.
//!
//! **A run** begins with one of five triggers: a save, the regular tick, the page becoming visible, the
//! network coming back, a person's wish. (Opening counts as becoming visible, a target that is heard of again
//! as the network coming back.) It goes through the targets, one request at a time ([`run`]). A trigger
//! during a run starts no second request: the run takes along what was saved meanwhile, and a person who
//! asked gets the summary of that run. While the browser says it is offline, a trigger does nothing; a person
//! gets an empty summary.
//!
//! **A flight** is the one request under way, with a lease in memory ([`flight`]). An entry is `syncing`
//! while it is in the flight, so a crash leaves none stuck. When the lease ends without an outcome, the
//! request counts as failed, and a later outcome is ignored: what it said will be said again.
//!
//! **What is sent** follows from the owed rule ([`owed`]): to each store that answers, what it has not spoken
//! about and the cloud has not taken; oldest first, versions of a lead in order.
//!
//! **An answer** is JSON of the right shape from a store ([`verdict`], [`answer`]). Each result is matched to
//! its entry by lead and version. `created`, `duplicate` and `duplicate_email` with a receipt are stored;
//! `invalid` and `conflict` are refused, and the lead fails unless a later version stands behind it; `erased`
//! removes the person. Any other word, or no result, leaves the entry pending, set aside for a while so that
//! it does not stand in the way of the others. **Anything else** that can come back (no network, a portal's
//! page, 401, 408, 413, 429, 5xx, silence) says nothing about any entry: the engine waits ([`backoff`]) and
//! tries again, for ever. What was refused as a whole is tried in halves ([`batch`]), down to a single entry;
//! if that one is refused alone, it is set aside.
//!
//! **Custody** ([`custody`]) is computed from receipts. Only the cloud's receipt ends the matter. A hub's
//! receipt moves the lead to "hub". A hub's word that it has relayed beyond the entry makes it "cloud",
//! unless the cloud said otherwise about this very entry, which a hub passes on before that word. But the
//! device goes on to owe the entry to the cloud itself.
//!
//! **Lineage**: with each request the engine shows the newest receipt that it holds of the store which
//! answered last at this target; if it has none, the highest of that store that hubs passed on. If that very
//! store answers that it does not have it, everything it ever said is void, hubs' words that rest on it too,
//! and what it covered is owed again (invariant 5). Results of a store that has given receipts before are
//! taken only if it was shown one: they could hide that its history was lost. Receipts that hubs passed on
//! are kept apart from the device's own: of two receipts from different mouths, the higher one proves nothing
//! about the lower.
//!
//! **Removal** ([`removal`]): personal data goes when a store says that the person was erased, and when the
//! campaign is closed and the cloud has the lead (invariant 4). Ids and marks stay.
//!
//! **Writing** is behind: answers change the state in memory and are written as marks, one write at a time,
//! all of them together. So a mark that voids can never be overtaken by a newer receipt. A lost write costs a
//! resend, which is harmless. Several tabs share one disk; the shell sees to it that a tab writes only while
//! it has the sending role, and opens a new engine from the disk when it has lost it meanwhile.
//!
//! **Waking**: after [`Input::Opened`] there is always a time at which the engine wants to be woken
//! ([`Output::WakeAt`]), at most [`MAX_SLEEP_MS`] ahead, so no missed event can strand a lead.
//!
//! # The modules
//!
//! [`record`] what is on disk, [`stored`] how that is read and written; [`outbox`] what is in memory,
//! [`lead_index`] which entries are one lead, [`tally`] the counts; [`owed`] what is to be sent where;
//! [`run`] and [`flight`] when; [`batch`] how much; [`body`] in which words; [`verdict`] what came back,
//! [`answer`] what follows from it, [`reading`] how far a store's log was read; [`backoff`] how long to wait;
//! [`tier`] who can be reached; [`custody`] where an entry stands, [`stores`] what is known of stores;
//! [`removal`] what must go; [`unwritten`] what is not on disk yet; [`backup`] when the database is shipped;
//! [`loss`] what was here before; [`session`] who holds the device; [`listing`] the leads as a list shows them; [`settle`] what is done after every fact; [`status`] what a person is
//! told.

pub mod answer;
pub mod backoff;
pub mod backup;
pub mod batch;
pub mod custody;
pub mod flight;
pub mod input;
pub mod listing;
pub mod loss;
pub mod outbox;
pub mod output;
pub mod owed;
pub mod reading;
pub mod record;
pub mod run;
pub mod session;
pub mod status;
pub mod stored;
pub mod tier;
pub mod verdict;

mod body;
mod lead_index;
mod removal;
mod settle;
mod stores;
mod tally;
mod unwritten;

pub use input::{Config, Failure, Input, Target};
pub use output::Output;
pub use run::SYNC_EVERY_MS;

use std::collections::VecDeque;

use domain::{ClientId, StoreId, Tier};

use backoff::{Backoff, Jitter};
use backup::BackupSchedule;
use batch::BatchLimit;
use flight::{Flight, Run};
use loss::LostInstallation;
use outbox::Outbox;
use reading::Reading;
use record::{EntryRecord, Records};
use session::SessionClock;
use status::{EntryStatus, Status};
use tier::{Contact, HEARTBEAT_MS};
use unwritten::Unwritten;

/// Longest time that the engine sleeps, in milliseconds.
pub const MAX_SLEEP_MS: u64 = 300_000;

/// Wait before records that could not be written are written again, in milliseconds.
pub const REWRITE_AFTER_MS: u64 = 10_000;

/// The state machine.
pub struct Engine {
    config: Config,
    outputs: VecDeque<Output>,
    now_ms: u64,
    is_open: bool,
    is_online: bool,
    is_storage_persisted: Option<bool>,
    unreadable: usize,
    outbox: Outbox,
    /// One per target.
    lines: Vec<Line>,
    jitter: Jitter,
    run: Option<Run>,
    flight: Option<Flight>,
    last_request_id: u64,
    unwritten: Unwritten,
    backup: BackupSchedule,
    session: SessionClock,
    shown: Option<Status>,
    wake_at_ms: Option<u64>,
}

/// How requests to one target fare.
#[derive(Default)]
struct Line {
    contact: Contact,
    backoff: Backoff,
    limit: BatchLimit,
    /// When it is asked even if there is nothing for it.
    due_at_ms: u64,
    /// Whether a store took part in the last request; `None` before the first.
    has_answered: Option<bool>,
    reading: Reading,
    /// Whether another store answered in this run than the one whose receipt was shown.
    has_met_other_store: bool,
}

impl Engine {
    /// An engine that has not been opened yet.
    pub fn new(config: Config) -> Self {
        let outbox = Outbox::new(config.device_id.clone(), config.targets, config.lost.clone());
        Self {
            outputs: VecDeque::new(),
            now_ms: 0,
            is_open: false,
            is_online: true,
            is_storage_persisted: None,
            unreadable: 0,
            lines: (0..config.targets.max(1)).map(|_| Line::default()).collect(),
            outbox,
            jitter: Jitter::new(config.seed),
            run: None,
            flight: None,
            last_request_id: 0,
            unwritten: Unwritten::default(),
            backup: BackupSchedule::default(),
            session: SessionClock::default(),
            shown: None,
            wake_at_ms: None,
            config,
        }
    }

    /// Takes in a fact. `now_ms` is a monotonic clock: someone sets the iPad's date back an hour, and
    /// nothing waits for that hour to pass again.
    pub fn handle(&mut self, now_ms: u64, input: Input) {
        self.now_ms = self.now_ms.max(now_ms);
        match input {
            Input::Opened(records) => self.opened(records),
            Input::Learned(records) => self.learn(records),
            Input::Saved(record) => {
                self.outbox.insert(record);
                self.backup.changed();
                self.trigger();
            }
            Input::Restored(records) => {
                self.unreadable = self.unreadable.max(records.unreadable);
                records.entries.into_iter().for_each(|record| self.outbox.insert(record));
                self.backup.changed();
                self.trigger();
            }
            Input::Tick => self.tick(),
            Input::StorageSeen { is_persisted } => self.is_storage_persisted = is_persisted,
            Input::DayStarted(day_start_ms) => self.outbox.day_started(day_start_ms),
            Input::Visible => self.trigger_all(),
            Input::CameOnline => {
                self.is_online = true;
                for line in &mut self.lines {
                    line.backoff.network_came_back();
                    line.contact.try_again(self.now_ms);
                }
                self.trigger_all();
            }
            Input::WentOffline => {
                self.is_online = false;
                self.lines.iter_mut().for_each(|line| line.has_answered = Some(false));
            }
            Input::LetIn => {
                self.try_anew();
                self.backup.let_in(self.now_ms);
                self.trigger_all();
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
            Input::HealthAnswered { target, store, tier } => self.health_answered(target, store, tier),
            Input::HealthMissed { target } => {
                if let Some(line) = self.lines.get_mut(usize::from(target)) {
                    line.contact.probe_missed();
                }
            }
            Input::LossPutAside => self.outbox.losses.put_aside(),
            Input::CampaignClosed(campaign) => self.outbox.close_campaign(campaign),
            Input::SessionStarted(session) => self.session.start(self.now_ms, session),
            Input::SessionEnded => self.session.end(),
            Input::BackupDone { request_id } => self.backup.done(self.now_ms, request_id),
            Input::BackupFailed { request_id } => {
                self.backup.failed(self.now_ms, request_id, &mut self.jitter);
            }
            Input::PutDone => self.unwritten.written(),
            Input::PutFailed => {
                self.unwritten.failed(&mut self.outbox, self.now_ms.saturating_add(REWRITE_AFTER_MS));
            }
        }
        self.settle();
    }

    /// The next wish.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// The state of an entry (SYN-1), derived; `None` when there is no such entry.
    pub fn entry_status(&self, key: u64) -> Option<EntryStatus> {
        let is_in_flight = || self.flight.as_ref().is_some_and(|flight| flight.keys.contains(&key));
        match self.outbox.entry_status(key)? {
            EntryStatus::Pending if is_in_flight() => Some(EntryStatus::Syncing),
            status => Some(status),
        }
    }

    /// The newest version of a lead, from which a correction or a void is made.
    pub fn newest_version(&self, client_id: ClientId) -> Option<&EntryRecord> {
        self.outbox.newest_version(client_id)
    }

    /// Those of these entries that are not known here.
    pub fn unknown(&self, mut entries: Vec<EntryRecord>) -> Vec<EntryRecord> {
        entries.retain(|it| self.outbox.by_lead.key(it.client_id, it.version).is_none());
        entries
    }

    /// Whether one of these entries stands where another one is known: the storage is not the one that this was read from.
    pub fn contradicts(&self, entries: &[EntryRecord]) -> bool {
        let label = |it: &EntryRecord| (it.client_id, it.version);
        entries.iter().any(|it| self.outbox.record(it.key).is_some_and(|known| label(known) != label(it)))
    }

    /// All entries, if any of them is missing among these.
    pub fn entries_beyond(&self, others: &[EntryRecord]) -> Option<Vec<EntryRecord>> {
        let mine = &self.outbox.items;
        let is_mine = |it: &&EntryRecord| self.outbox.by_lead.key(it.client_id, it.version).is_some();
        let in_both = others.iter().filter(is_mine).count();
        (in_both < mine.len()).then(|| mine.iter().map(|item| item.record.clone()).collect())
    }

    /// The highest `deviceSeq` that this installation has saved.
    pub const fn saved_through(&self) -> Option<u64> {
        self.outbox.saved_through()
    }

    /// Takes over the session of the engine before this one, which ran on the same clock.
    pub const fn continue_session(&mut self, before: &Self) {
        self.session = before.session;
    }

    /// Installations whose storage is gone, each with the number of entries that are missing, unless a person has put the
    /// matter aside.
    pub fn losses(&self) -> impl Iterator<Item = (&LostInstallation, u64)> {
        self.outbox.losses.to_be_told()
    }

    fn opened(&mut self, records: Records) {
        self.learn(records);
        self.is_open = true;
        let probe_from_ms = self.now_ms.saturating_add(HEARTBEAT_MS);
        self.lines.iter_mut().for_each(|line| line.contact.probe_from(probe_from_ms));
        self.backup.opened(self.now_ms, !self.outbox.items.is_empty(), self.config.last_backup_age_ms);
        self.trigger_all();
    }

    fn learn(&mut self, records: Records) {
        records.entries.into_iter().for_each(|record| self.outbox.insert(record));
        self.unreadable = self.unreadable.max(records.unreadable);
        self.outbox.restore(records.marks, records.stores);
    }

    fn land(&mut self, request_id: u64) -> Option<Flight> {
        self.flight.take_if(|flight| flight.request_id == request_id)
    }

    fn health_answered(&mut self, target: Target, store: StoreId, tier: Tier) {
        let Some(line) = self.lines.get_mut(usize::from(target)) else { return };
        let was_away = line.contact.heard(self.now_ms, tier);
        if was_away {
            line.backoff.heard_again();
            line.due_at_ms = line.due_at_ms.min(self.now_ms);
        }
        // The next request shows this store its own receipt and cursors.
        self.outbox.meet(target, store);
        self.reach_changed(target);
        if was_away {
            self.trigger();
        }
    }

    fn reach_changed(&mut self, target: Target) {
        let is_reachable = self.line(target).contact.is_reachable();
        self.outbox.set_reachable(target, is_reachable);
    }

    fn line(&mut self, target: Target) -> &mut Line {
        &mut self.lines[usize::from(target)]
    }

    fn targets(&self) -> std::ops::Range<Target> {
        0..self.config.targets.max(1)
    }

    /// The first target that answers.
    pub fn reachable_target(&self) -> Option<Target> {
        let is_reachable =
            |target: &Target| self.is_online && self.lines[usize::from(*target)].contact.is_reachable();
        self.targets().find(is_reachable)
    }
}
