//! The loop between the engine and the browser.

use std::cell::{Cell, OnceCell, RefCell};
use std::rc::Rc;

use domain::DeviceId;
use js_sys::{Function, Promise};
use wasm_bindgen::JsValue;

use super::backup::LAST_BACKUP;
use super::campaigns::{CAMPAIGN, Campaigns};
use super::clock;
use super::idb::StorageError;
use super::identity::Identity;
use super::lock::{Held, SendLock};
use super::operator::{OPERATOR, operator_of};
use super::outbox_db::{OutboxDb, PutError};
use super::pending::{self, PendingForm};
use super::presence::Presence;
use super::reign::{Heard, Reign};
use super::request::{post, probe};
use super::signals::{News, Signals, Tabs, Timer};
use super::task::spawn;
use super::web;
use crate::capture::{Capture, Moment};
use crate::engine::loss::LostInstallation;
use crate::engine::record::Records;
use crate::engine::session::SignIn;
use crate::engine::{Config, Engine, Failure, Input, Output, Target};
use crate::json::Object;

/// Where entries are sent, after a base URL.
const SYNC_ROUTE: &str = "/api/leads/sync";

/// A verdict that only a device gets which was shut out. Elsewhere in an answer it costs a token.
const QUARANTINED: &str = "\"status\":\"quarantined\"";

/// Where a store says who it is, after a base URL.
pub(super) const HEALTH_ROUTE: &str = "/api/health";

/// The store that the app was loaded from.
pub(super) const OWN: Target = 0;

/// This installation: its outbox, its engine, and who wants to know.
pub struct Device {
    /// Base URLs of the addresses where stores may answer: first the app's own, then those of hubs.
    targets: RefCell<Vec<String>>,
    pub(super) campaigns: Campaigns,
    /// The installation whose engine this is. Another one when the storage was wiped under the page, and was read anew.
    pub(super) device_id: RefCell<DeviceId>,
    pub(super) db: OutboxDb,
    pub(super) engine: RefCell<Engine>,
    /// What the engine was read from.
    pub(super) reign: Reign,
    subscribers: RefCell<Vec<Function>>,
    status: RefCell<Option<String>>,
    /// Resolvers of the promises of those who asked for a sync.
    waiting: RefCell<Vec<Function>>,
    /// Saves that failed, with what the person asked for: whether they reached the disk is not known.
    pub(super) unsettled: RefCell<Vec<(String, Capture)>>,
    /// Whether there may be entries on the disk that the engine has not heard of.
    is_disk_ahead: Cell<bool>,
    /// By which key a store knows this device.
    pub(super) identity: Identity,
    /// Who captures.
    pub(super) operator: RefCell<Option<String>>,
    /// When that person signed in, if she did.
    pub(super) signed_in: Cell<Option<SignIn>>,
    pub(super) presence: Presence,
    /// In milliseconds since 1970.
    pub(super) last_contact_at: Cell<Option<i64>>,
    pub(super) last_backup_at: Cell<Option<i64>>,
    timer: Timer,
    signals: OnceCell<Signals>,
    send_lock: SendLock,
    /// The lock, for the request that the engine wishes next: a browser gives one back too slowly to take it
    /// again.
    handed_on: RefCell<Option<Held>>,
    was_online: Cell<bool>,
    day_start_ms: Cell<i64>,
    pub(super) has_asked_to_persist: Cell<bool>,
}

impl Device {
    /// Opens the outbox of this name and starts the engine, with one target. `campaign` is the document that
    /// ships with the app.
    ///
    /// # Errors
    /// When the browser gives no storage, or this is no page.
    pub async fn open(base_url: &str, database: &str, campaign: &str) -> Result<Rc<Self>, JsValue> {
        let as_js = |error: StorageError| JsValue::from_str(&error.to_string());
        // Before anything is read: what another tab writes meanwhile is heard, and learned when it can be.
        let tabs = Tabs::join(database).ok();
        let (db, device_id) = OutboxDb::open(database).await.map_err(as_js)?;
        // Without what people chose last, the form is there all the same.
        let (kept, operator, last_backup_at) = (
            db.setting(CAMPAIGN).await.unwrap_or_default(),
            db.setting(OPERATOR).await.unwrap_or_default(),
            db.setting(LAST_BACKUP).await.unwrap_or_default(),
        );
        let campaigns = Campaigns::new(campaign, kept)
            .ok_or_else(|| JsValue::from_str("this version has a broken campaign"))?;
        let targets = campaigns.targets(base_url.trim_end_matches('/'));
        let send_lock = SendLock::new(database);
        // A tab that opens while no other sends takes the sending role with the first read.
        let held = send_lock.try_hold().await;
        let (records, epoch) = db.read_all(held.is_some()).await.map_err(as_js)?;
        let presence = Presence::beside(database);
        let lost = presence.lost(&device_id, &records);
        let last_backup_at = last_backup_at.and_then(|at| at.parse().ok());
        let (operator, signed_in) = operator_of(&operator.unwrap_or_default());
        let engine = new_engine(&device_id, &targets, last_backup_at, lost)?;
        let device = Rc::new_cyclic(|device| Self {
            targets: RefCell::new(targets),
            campaigns,
            engine: RefCell::new(engine),
            reign: Reign::new(epoch, held.is_some()),
            identity: Identity::beside(database),
            operator: RefCell::new(operator),
            signed_in: Cell::new(signed_in),
            presence,
            last_contact_at: Cell::new(None),
            last_backup_at: Cell::new(last_backup_at),
            device_id: RefCell::new(device_id),
            db,
            subscribers: RefCell::default(),
            status: RefCell::default(),
            waiting: RefCell::default(),
            unsettled: RefCell::default(),
            is_disk_ahead: Cell::new(false),
            timer: Timer::new(device.clone()),
            signals: OnceCell::new(),
            send_lock,
            handed_on: RefCell::default(),
            was_online: Cell::new(true),
            day_start_ms: Cell::new(i64::MAX),
            has_asked_to_persist: Cell::new(false),
        });
        let signals = Signals::listen(&Rc::downgrade(&device), tabs)?;
        // Nothing else sets it.
        let _ = device.signals.set(signals);
        let watching = Rc::downgrade(&device);
        device.send_lock.watch(move || {
            if let Some(device) = watching.upgrade() {
                device.sender_is_gone();
            }
        });
        device.send_lock.tell_role(held.is_some());
        device.look_around();
        device.look_for_enrolment();
        device.announce();
        device.look_at_session();
        device.look_at_storage();
        *device.handed_on.borrow_mut() = held;
        device.tell(Input::Opened(records));
        device.handed_on.take();
        device.mark_presence();
        if let Some(signals) = device.signals.get() {
            signals.hear_tabs(&device);
        }
        spawn(Rc::clone(&device).take_over_pending());
        device.look_for_campaign();
        Ok(device)
    }

    /// Takes in the forms that were saved while this library could not start. What fails is tried at the
    /// next start: they stay where they are.
    async fn take_over_pending(self: Rc<Self>) {
        let make = |form: &PendingForm| self.pending_capture(form);
        if let Ok((entries, _)) = pending::take_over(&self.db, make).await
            && !entries.is_empty()
        {
            if let Some(newest) = entries.last() {
                self.presence.mark(&newest.device_id, newest.device_seq);
            }
            let records = Records { entries, ..Records::default() };
            self.tell_tabs(News { epoch: None, records: records.clone() });
            self.tell(Input::Restored(records));
        }
    }

    pub(super) fn pending_capture(&self, pending: &PendingForm) -> Option<Capture> {
        let moment = Moment { unix_ms: pending.saved_at, offset_minutes: pending.offset_minutes };
        let device_id = self.device_id.borrow().clone();
        self.campaigns
            .judging(&pending.form, |campaign| {
                Capture::unchecked(campaign, &pending.form, pending.client_id, device_id, moment)
            })
            .flatten()
            .map(|capture| capture.by(pending.operator.clone()))
    }

    /// Synchronises because a person asked. The promise resolves with the summary of the run as JSON.
    pub fn sync(self: &Rc<Self>) -> Promise {
        let summary = Promise::new(&mut |resolve, _| self.waiting.borrow_mut().push(resolve));
        self.look_around();
        self.tell(Input::SyncRequested);
        summary
    }

    /// Calls back with the status as JSON, at once and on each change.
    pub fn subscribe(&self, subscriber: Function) {
        self.subscribers.borrow_mut().push(subscriber.clone());
        let status = self.status.borrow().clone();
        if let Some(status) = status {
            let _ = subscriber.call1(&JsValue::UNDEFINED, &status.into());
        }
    }

    /// Another tab wrote this.
    pub(crate) fn learn(self: &Rc<Self>, news: News) {
        match self.reign.judge(news.epoch, clock::monotonic_ms()) {
            Heard::Ours if self.engine.borrow().contradicts(&news.records.entries) => {
                spawn(Rc::clone(self).start_anew(None));
            }
            Heard::Ours => self.tell(Input::Learned(news.records)),
            Heard::Newer => spawn(Rc::clone(self).start_anew(None)),
            Heard::Older => {}
        }
    }

    /// Another tab had the sending role, and is no more: this one tries for it.
    fn sender_is_gone(self: &Rc<Self>) {
        self.reign.other_is_gone();
        self.look_around();
        self.tell(Input::Visible);
    }

    /// There may be entries on the disk that the engine has not heard of: a write has failed, of which some may have landed,
    /// or another version of the app has written. The engine hears of them as soon as the disk can be read. Nobody may be
    /// told that everything is sent while an entry lies there unheard of.
    pub(crate) fn disk_is_ahead(self: &Rc<Self>) {
        self.is_disk_ahead.set(true);
        self.catch_up_with_disk();
    }

    fn catch_up_with_disk(self: &Rc<Self>) {
        if !self.is_disk_ahead.replace(false) {
            return;
        }
        let device = Rc::clone(self);
        spawn(async move {
            match device.db.read_all(false).await {
                Ok((Records { entries, .. }, _)) if device.engine.borrow().contradicts(&entries) => {
                    device.start_anew(None).await;
                }
                Ok((Records { entries, unreadable, .. }, _)) => {
                    let entries = device.engine.borrow().unknown(entries);
                    let records = Records { entries, unreadable, ..Records::default() };
                    if !records.entries.is_empty() {
                        device.tell_tabs(News { epoch: None, records: records.clone() });
                    }
                    device.tell(Input::Restored(records));
                    device.mark_presence();
                }
                Err(_) => device.is_disk_ahead.set(true),
            }
        });
    }

    pub(crate) fn tick(self: &Rc<Self>) {
        self.catch_up_with_disk();
        self.keep_connected();
        self.tell(Input::Tick);
        self.look_for_campaign();
    }

    pub(crate) fn visibility_changed(self: &Rc<Self>) {
        if web::is_visible() {
            self.look_around();
            self.look_for_word_of_loss();
            self.look_at_session();
            self.look_at_storage();
            self.keep_connected();
            self.tell(Input::Visible);
            self.look_for_campaign();
        }
    }

    /// Reads what the browser knows. Events can be missed while a page is frozen, so every occasion is used.
    pub(crate) fn look_around(self: &Rc<Self>) {
        let is_online = web::is_online();
        if self.was_online.replace(is_online) != is_online {
            self.tell(if is_online { Input::CameOnline } else { Input::WentOffline });
        }
        let day_start_ms = clock::day_start_ms();
        if self.day_start_ms.replace(day_start_ms) != day_start_ms {
            self.tell(Input::DayStarted(day_start_ms));
        }
    }

    /// Asks whether the browser keeps the storage. It may promise that at any time.
    pub(super) fn look_at_storage(self: &Rc<Self>) {
        let device = Rc::clone(self);
        spawn(async move {
            let said = web::storage_state().await;
            let said = said.as_deref().and_then(Object::read);
            let is_persisted = said.and_then(|it| Some(it.raw("persisted")?.text() == "true"));
            device.tell(Input::StorageSeen { is_persisted });
        });
    }

    /// A fact for the engine; kept for the next one, while that is being read.
    pub(super) fn tell(self: &Rc<Self>, input: Input) {
        if matches!(input, Input::Response { .. } | Input::HealthAnswered { .. }) {
            self.last_contact_at.set(Some(clock::moment().unix_ms));
        }
        let Some(input) = self.reign.keep_while_reading(input) else { return };
        let mut outputs = Vec::new();
        {
            let mut engine = self.engine.borrow_mut();
            engine.handle(clock::monotonic_ms(), input);
            while let Some(output) = engine.poll() {
                outputs.push(output);
            }
        }
        for output in outputs {
            self.perform(output);
        }
    }

    /// What came of a wish; not for an engine that never wished it.
    pub(super) fn tell_outcome(self: &Rc<Self>, reign: u64, input: Input) {
        if self.reign.is(reign) {
            self.tell(input);
        }
    }

    fn perform(self: &Rc<Self>, output: Output) {
        let (device, reign) = (Rc::clone(self), self.reign.number());
        match output {
            Output::Put(records) => spawn(device.put(reign, records)),
            Output::Send { request_id, target, body, timeout_ms } => {
                let held = self.handed_on.take();
                spawn(async move {
                    let heard = device.send(reign, request_id, held, &body, target, timeout_ms).await;
                    if let Some(heard) = heard {
                        device.tell_outcome(reign, heard);
                    }
                });
            }
            Output::Probe { target, timeout_ms } => spawn(async move {
                let answered = probe(&device.url(target, HEALTH_ROUTE), timeout_ms).await;
                let heard = match answered {
                    Some((store, tier)) if device.may_give_to(target, tier).await => {
                        Input::HealthAnswered { target, store, tier }
                    }
                    _ => Input::HealthMissed { target },
                };
                device.tell_outcome(reign, heard);
            }),
            Output::Backup { request_id, target } => spawn(device.back_up(reign, request_id, target)),
            Output::WakeAt(at_ms) => self.timer.set(at_ms),
            Output::Show(status) => self.show(&status.to_json()),
            Output::Done(summary) => {
                let text = JsValue::from_str(&summary.to_json());
                let waiting = self.waiting.take();
                for resolve in waiting {
                    let _ = resolve.call1(&JsValue::UNDEFINED, &text);
                }
            }
        }
    }

    pub(super) fn url(&self, target: Target, route: &str) -> String {
        let mut url = self.targets.borrow().get(usize::from(target)).cloned().unwrap_or_default();
        url.push_str(route);
        url
    }

    /// Where to ask what one store is enough for: the best that answers, otherwise the own one.
    pub(super) fn nearest(&self) -> Target {
        self.engine.borrow().reachable_target().unwrap_or(OWN)
    }

    /// A campaign may name other hubs than the one before. The engine knows as many targets as it was made with, so another
    /// one is read from the disk.
    pub(super) async fn use_targets(self: Rc<Self>) {
        let next = self.campaigns.targets(&self.url(OWN, ""));
        if *self.targets.borrow() == next {
            return;
        }
        *self.targets.borrow_mut() = next;
        self.identity.begin_anew();
        self.start_anew(None).await;
    }

    fn show(&self, status: &str) {
        *self.status.borrow_mut() = Some(status.to_owned());
        let subscribers = self.subscribers.borrow().clone();
        for subscriber in subscribers {
            // What a screen throws is its own affair.
            let _ = subscriber.call1(&JsValue::UNDEFINED, &status.into());
        }
    }

    async fn put(self: Rc<Self>, reign: u64, records: Records) {
        // A tab that does not send has nothing to write but what it may be wrong about.
        let Some(epoch) = self.reign.own_epoch() else {
            return self.tell_outcome(reign, Input::PutFailed);
        };
        match self.db.put(&records, epoch).await {
            Ok(()) => {
                self.tell_tabs(News { epoch: Some(epoch), records });
                self.tell_outcome(reign, Input::PutDone);
            }
            Err(PutError::Overtaken) if self.reign.is(reign) => self.start_anew(None).await,
            Err(_) => self.tell_outcome(reign, Input::PutFailed),
        }
    }

    /// Sends, if this tab has the sending role. `None` when it has only got it now, and the engine that
    /// wished this is no more.
    async fn send(
        self: &Rc<Self>,
        reign: u64,
        request_id: u64,
        held: Option<Held>,
        body: &str,
        target: Target,
        timeout_ms: u32,
    ) -> Option<Input> {
        let other_tab = Input::RequestFailed { request_id, failure: Failure::OtherTab };
        if self.reign.is_ruled_by_other_tab(clock::monotonic_ms()) {
            return Some(other_tab);
        }
        let held = match held {
            Some(held) => Some(held),
            None => self.send_lock.try_hold().await,
        };
        let Some(held) = held else { return Some(other_tab) };
        // A disk that cannot even be read is a reason to send, not to wait: it may be the last chance.
        let epoch = self.db.epoch().await;
        if epoch.is_ok_and(|epoch| self.reign.own_epoch() != Some(epoch)) {
            if self.reign.is(reign) {
                Rc::clone(self).start_anew(Some(held)).await;
            }
            return None;
        }
        let heard = self.post_sync(request_id, body, target, timeout_ms).await;
        drop(held);
        self.announce();
        Some(heard)
    }

    /// Posts, with a token; one that is not taken any more is replaced once. Without a token nothing is sent: it would be
    /// refused, and people's data would have travelled for nothing.
    async fn post_sync(
        self: &Rc<Self>,
        request_id: u64,
        body: &str,
        target: Target,
        timeout_ms: u32,
    ) -> Input {
        let url = self.url(target, SYNC_ROUTE);
        let mut heard = Input::RequestFailed { request_id, failure: Failure::Network };
        for _ in 0..2 {
            // A token of another address must not be shown at this one.
            let token = self.token(target).await.filter(|_| self.url(target, SYNC_ROUTE) == url);
            let Some(token) = token else { break };
            heard = post(&url, request_id, body, timeout_ms, &token).await;
            match &heard {
                Input::Response { code: 401, .. } => self.token_refused(target, &token),
                // This device was shut out since it got the token. The next one says so, to the person, too.
                Input::Response { body, .. } if body.contains(QUARANTINED) => {
                    self.shut_out(target, &token);
                    break;
                }
                _ => break,
            }
        }
        heard
    }

    /// Everything on the disk, and the installation there. Entries are never deleted: where one is missing that this page
    /// knows of, the storage was wiped under it, and what it knows is put back.
    async fn read_whole(&self, takes_over: bool) -> Result<(Records, u64, DeviceId), StorageError> {
        let device_id = self.db.device_id().await?;
        let (records, epoch) = self.db.read_all(takes_over).await?;
        let known = self.engine.borrow().entries_beyond(&records.entries);
        let Some(known) = known else { return Ok((records, epoch, device_id)) };
        let entries = self.db.restore(known).await?;
        // The tab that sends may be another.
        self.tell_tabs(News { epoch: None, records: Records { entries, ..Records::default() } });
        let (records, epoch) = self.db.read_all(takes_over).await?;
        Ok((records, epoch, device_id))
    }

    /// Notes outside of the database how far this installation has got.
    pub(super) fn mark_presence(&self) {
        let (saved_through, device_id) =
            (self.engine.borrow().saved_through(), self.device_id.borrow().clone());
        self.presence.mark(&device_id, saved_through.unwrap_or(0));
    }

    /// Throws the engine away and opens another from the disk: what it knew may be older than what another
    /// tab has written. With the lock, this tab has the sending role from the moment of the read.
    pub(super) async fn start_anew(self: Rc<Self>, held: Option<Held>) {
        if !self.reign.begin_reading() {
            // What this was called for may be newer than what is being read.
            self.is_disk_ahead.set(true);
            return;
        }
        let takes_over = held.is_some();
        let read = self.read_whole(takes_over).await.ok().and_then(|(records, epoch, device_id)| {
            let lost = self.presence.lost(&device_id, &records);
            let targets = self.targets.borrow();
            let mut engine = new_engine(&device_id, &targets, self.last_backup_at.get(), lost).ok()?;
            engine.continue_session(&self.engine.borrow());
            Some((records, epoch, device_id, engine))
        });
        let kept = match read {
            Some((records, epoch, device_id, engine)) => {
                *self.engine.borrow_mut() = engine;
                if *self.device_id.borrow() != device_id {
                    *self.device_id.borrow_mut() = device_id;
                    self.forget_enrolment();
                }
                let kept = self.reign.read(epoch, takes_over);
                if takes_over {
                    self.send_lock.tell_role(true);
                }
                if !self.was_online.get() {
                    self.tell(Input::WentOffline);
                }
                self.tell(Input::DayStarted(self.day_start_ms.get()));
                self.announce();
                *self.handed_on.borrow_mut() = held;
                self.tell(Input::Opened(records));
                self.handed_on.take();
                if !self.waiting.borrow().is_empty() {
                    self.tell(Input::SyncRequested);
                }
                kept
            }
            // The old one goes on; it cannot write. With the next tick it looks at the disk again.
            None => {
                self.is_disk_ahead.set(true);
                self.reign.not_read()
            }
        };
        kept.into_iter().for_each(|input| self.tell(input));
    }

    /// Tells the other tabs that this one sends, and lives.
    fn announce(&self) {
        if let Some(epoch) = self.reign.own_epoch() {
            self.tell_tabs(News { epoch: Some(epoch), records: Records::default() });
        }
    }

    pub(super) fn tell_tabs(&self, news: News) {
        if let Some(signals) = self.signals.get() {
            signals.tell_tabs(&news);
        }
    }
}

/// `last_backup_at` in milliseconds since 1970.
fn new_engine(
    device_id: &DeviceId,
    targets: &[String],
    last_backup_at: Option<i64>,
    lost: Vec<LostInstallation>,
) -> Result<Engine, JsValue> {
    let now = clock::moment().unix_ms;
    // A clock that was set back tells nothing about the age.
    let last_backup_age_ms = last_backup_at.and_then(|at| u64::try_from(now.saturating_sub(at)).ok());
    Ok(Engine::new(Config {
        device_id: device_id.clone(),
        seed: u64::from_le_bytes(clock::random()?),
        targets: u8::try_from(targets.len()).unwrap_or(u8::MAX),
        makes_backups: true,
        last_backup_age_ms,
        lost,
    }))
}
