//! The loop between the engine and the browser.

use std::cell::{Cell, OnceCell, RefCell};
use std::rc::Rc;

use domain::{Campaign, DeviceId, FieldError, SHOOTOUT_2026};
use js_sys::{Function, Promise, Reflect};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{StorageManager, VisibilityState};

use super::clock;
use super::idb::StorageError;
use super::lock::{Held, SendLock};
use super::outbox_db::{OutboxDb, PutError};
use super::reign::{Heard, Reign};
use super::request::{post, probe};
use super::save_error::SaveError;
use super::signals::{News, Signals, Timer};
use crate::capture::{Capture, campaign_rules};
use crate::engine::record::{EntryRecord, Records};
use crate::engine::{Config, Engine, Failure, Input, Output, Target};

/// Where entries are sent, after a base URL.
const SYNC_ROUTE: &str = "/api/leads/sync";

/// Where a store says who it is, after a base URL.
const HEALTH_ROUTE: &str = "/api/health";

/// This installation: its outbox, its engine, and who wants to know.
pub struct Device {
    /// Base URLs of the addresses where stores may answer.
    targets: Vec<String>,
    campaign: Campaign,
    device_id: DeviceId,
    db: OutboxDb,
    engine: RefCell<Engine>,
    /// What the engine was read from.
    reign: Reign,
    subscribers: RefCell<Vec<Function>>,
    status: RefCell<Option<String>>,
    /// Resolvers of the promises of those who asked for a sync.
    waiting: RefCell<Vec<Function>>,
    /// A Save that failed, with its form: whether it reached the disk after all is not known. Saving that
    /// form again is the same lead, so that it cannot become two.
    unsettled: RefCell<Option<(String, Capture)>>,
    timer: Timer,
    signals: OnceCell<Signals>,
    send_lock: SendLock,
    /// The lock, for the request that the engine wishes next: a browser gives one back too slowly to take it
    /// again.
    handed_on: RefCell<Option<Held>>,
    was_online: Cell<bool>,
    day_start_ms: Cell<i64>,
    has_asked_to_persist: Cell<bool>,
}

impl Device {
    /// Opens the outbox of this name and starts the engine, with one target.
    ///
    /// # Errors
    /// When the browser gives no storage, or this is no page.
    pub async fn open(base_url: &str, database: &str) -> Result<Rc<Self>, JsValue> {
        let as_js = |error: StorageError| JsValue::from_str(&error.to_string());
        let campaign = campaign_rules(SHOOTOUT_2026)
            .ok_or_else(|| JsValue::from_str("this version has a broken campaign"))?;
        let targets = vec![base_url.trim_end_matches('/').to_owned()];
        let (db, device_id) = OutboxDb::open(database).await.map_err(as_js)?;
        let send_lock = SendLock::new(database);
        // A tab that opens while no other sends takes the sending role with the first read.
        let held = send_lock.try_hold().await;
        let (records, epoch) = db.read_all(held.is_some()).await.map_err(as_js)?;
        let engine = new_engine(&device_id, &targets)?;
        let device = Rc::new_cyclic(|device| Self {
            targets,
            campaign,
            engine: RefCell::new(engine),
            reign: Reign::new(epoch, held.is_some()),
            device_id,
            db,
            subscribers: RefCell::default(),
            status: RefCell::default(),
            waiting: RefCell::default(),
            unsettled: RefCell::default(),
            timer: Timer::new(device.clone()),
            signals: OnceCell::new(),
            send_lock,
            handed_on: RefCell::default(),
            was_online: Cell::new(true),
            day_start_ms: Cell::new(i64::MAX),
            has_asked_to_persist: Cell::new(false),
        });
        let signals = Signals::listen(&Rc::downgrade(&device), database)?;
        // Nothing else sets it.
        let _ = device.signals.set(signals);
        device.look_around();
        device.announce();
        *device.handed_on.borrow_mut() = held;
        device.tell(Input::Opened(records));
        device.handed_on.take();
        Ok(device)
    }

    /// The campaign that the form shows.
    pub const fn campaign(&self) -> &Campaign {
        &self.campaign
    }

    /// Every rule that what was typed breaks.
    pub fn check(&self, form_json: &str) -> Vec<FieldError> {
        Capture::check(&self.campaign, form_json)
    }

    /// Saves a lead. Resolves when it is durable; never waits for the network or for the engine.
    ///
    /// # Errors
    /// [`SaveError`]; the text must stay in the form. After [`SaveError::Invalid`] nothing was stored; after
    /// [`SaveError::Storage`] that is not known, and saving the same form again is the same lead.
    pub async fn save(self: &Rc<Self>, form_json: &str) -> Result<EntryRecord, SaveError> {
        let moment = clock::moment();
        let failed = self.unsettled.take().filter(|(form, _)| form == form_json);
        let capture = match failed {
            Some((_, capture)) => capture,
            None => {
                let client_id =
                    clock::new_client_id(moment.unix_ms).map_err(|error| StorageError::from_js(&error))?;
                Capture::new(&self.campaign, form_json, client_id, self.device_id.clone(), moment)
                    .map_err(SaveError::Invalid)?
            }
        };
        let record = match self.db.save(&capture, moment.unix_ms).await {
            Ok(record) => record,
            Err(error) => {
                *self.unsettled.borrow_mut() = Some((form_json.to_owned(), capture));
                return Err(error.into());
            }
        };
        let records = Records { entries: vec![record.clone()], ..Records::default() };
        self.tell_tabs(News { epoch: None, records });
        self.look_around();
        self.tell(Input::Saved(record.clone()));
        self.ask_to_persist();
        Ok(record)
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
            Heard::Ours => self.tell(Input::Learned(news.records)),
            Heard::Newer => spawn_local(Rc::clone(self).start_anew(None)),
            Heard::Older => {}
        }
    }

    pub(crate) fn tick(self: &Rc<Self>) {
        self.tell(Input::Tick);
    }

    pub(crate) fn visibility_changed(self: &Rc<Self>) {
        let document = clock::window().ok().and_then(|window| window.document());
        if document.is_some_and(|document| document.visibility_state() == VisibilityState::Visible) {
            self.look_around();
            self.tell(Input::Visible);
        }
    }

    /// Reads what the browser knows. Events can be missed while a page is frozen, so every occasion is used.
    pub(crate) fn look_around(self: &Rc<Self>) {
        let is_online = clock::window().map_or(true, |window| window.navigator().on_line());
        if self.was_online.replace(is_online) != is_online {
            self.tell(if is_online { Input::CameOnline } else { Input::WentOffline });
        }
        let day_start_ms = clock::day_start_ms();
        if self.day_start_ms.replace(day_start_ms) != day_start_ms {
            self.tell(Input::DayStarted(day_start_ms));
        }
    }

    /// A fact for the engine; kept for the next one, while that is being read.
    fn tell(self: &Rc<Self>, input: Input) {
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
    fn tell_outcome(self: &Rc<Self>, reign: u64, input: Input) {
        if self.reign.is(reign) {
            self.tell(input);
        }
    }

    fn perform(self: &Rc<Self>, output: Output) {
        let (device, reign) = (Rc::clone(self), self.reign.number());
        match output {
            Output::Put(records) => spawn_local(device.put(reign, records)),
            Output::Send { request_id, target, body, timeout_ms } => {
                let held = self.handed_on.take();
                spawn_local(async move {
                    let heard = device.send(reign, request_id, held, &body, target, timeout_ms).await;
                    if let Some(heard) = heard {
                        device.tell_outcome(reign, heard);
                    }
                });
            }
            Output::Probe { target, timeout_ms } => spawn_local(async move {
                let answered = probe(&device.url(target, HEALTH_ROUTE), timeout_ms).await;
                let heard = match answered {
                    Some((store, tier)) => Input::HealthAnswered { target, store, tier },
                    None => Input::HealthMissed { target },
                };
                device.tell_outcome(reign, heard);
            }),
            // Not wished for: `Config::makes_backups` is off, because no route takes them yet.
            Output::Backup { request_id, .. } => self.tell(Input::BackupFailed { request_id }),
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

    fn url(&self, target: Target, route: &str) -> String {
        let mut url = self.targets.get(usize::from(target)).cloned().unwrap_or_default();
        url.push_str(route);
        url
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
        let heard = post(&self.url(target, SYNC_ROUTE), request_id, body, timeout_ms).await;
        drop(held);
        self.announce();
        Some(heard)
    }

    /// Throws the engine away and opens another from the disk: what it knew may be older than what another
    /// tab has written. With the lock, this tab has the sending role from the moment of the read.
    async fn start_anew(self: Rc<Self>, held: Option<Held>) {
        if !self.reign.begin_reading() {
            return;
        }
        let takes_over = held.is_some();
        let read = self.db.read_all(takes_over).await;
        let engine = new_engine(&self.device_id, &self.targets);
        let kept = match (read, engine) {
            (Ok((records, epoch)), Ok(engine)) => {
                *self.engine.borrow_mut() = engine;
                let kept = self.reign.read(epoch, takes_over);
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
            // The old one goes on; it cannot write, and tries again when it next sends.
            _ => self.reign.not_read(),
        };
        kept.into_iter().for_each(|input| self.tell(input));
    }

    /// Tells the other tabs that this one sends, and lives.
    fn announce(&self) {
        if let Some(epoch) = self.reign.own_epoch() {
            self.tell_tabs(News { epoch: Some(epoch), records: Records::default() });
        }
    }

    fn tell_tabs(&self, news: News) {
        if let Some(signals) = self.signals.get() {
            signals.tell_tabs(&news);
        }
    }

    /// Asks the browser not to evict the outbox. Once, at the first save: browsers judge by use.
    fn ask_to_persist(&self) {
        if self.has_asked_to_persist.replace(true) {
            return;
        }
        let Ok(window) = clock::window() else { return };
        // WebKitGTK has no `navigator.storage`.
        let Ok(storage) = Reflect::get(&window.navigator(), &"storage".into()) else { return };
        if !storage.is_object() {
            return;
        }
        if let Ok(asked) = storage.unchecked_into::<StorageManager>().persist() {
            spawn_local(async {
                let _ = JsFuture::from(asked).await;
            });
        }
    }
}

fn new_engine(device_id: &DeviceId, targets: &[String]) -> Result<Engine, JsValue> {
    Ok(Engine::new(Config {
        device_id: device_id.clone(),
        seed: u64::from_le_bytes(clock::random()?),
        targets: u8::try_from(targets.len()).unwrap_or(u8::MAX),
        makes_backups: false,
    }))
}
