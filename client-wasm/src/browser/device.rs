//! The loop between the engine and the browser.

use std::cell::{Cell, OnceCell, RefCell};
use std::rc::Rc;

use domain::{Campaign, DeviceId, FieldError, SHOOTOUT_2026};
use js_sys::{Function, Promise, Reflect};
use serde::Serialize;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{StorageManager, VisibilityState};

use super::clock;
use super::idb::StorageError;
use super::lock::SendLock;
use super::outbox_db::OutboxDb;
use super::request::post;
use super::signals::{Signals, Timer};
use crate::capture::Capture;
use crate::engine::record::{EntryRecord, Records};
use crate::engine::{Config, Engine, Failure, Input, Output};
use crate::json;

/// Where entries are sent, after the base URL.
const SYNC_ROUTE: &str = "/api/leads/sync";

/// Why a Save did not happen. The text must stay in the form.
#[derive(Debug, Clone, thiserror::Error)]
pub enum SaveError {
    /// What was typed breaks rules.
    #[error("{} field(s) must be corrected", .0.len())]
    Invalid(Vec<FieldError>),
    /// The disk did not take it.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl SaveError {
    /// As the app reads it.
    pub fn to_json(&self) -> String {
        #[derive(Serialize)]
        #[serde(tag = "code", rename_all = "camelCase")]
        enum Refusal<'a> {
            Invalid { errors: &'a [FieldError] },
            Storage { message: String },
        }
        let refusal = match self {
            Self::Invalid(errors) => Refusal::Invalid { errors },
            Self::Storage(error) => Refusal::Storage { message: error.to_string() },
        };
        serde_json::to_string(&refusal).unwrap_or_default()
    }
}

/// This installation: its outbox, its engine, and who wants to know.
pub struct Device {
    sync_url: String,
    campaign: Campaign,
    device_id: DeviceId,
    db: OutboxDb,
    engine: RefCell<Engine>,
    subscribers: RefCell<Vec<Function>>,
    status: RefCell<Option<String>>,
    /// Resolvers of the promises of those who asked for a sync.
    waiting: RefCell<Vec<Function>>,
    /// A Save that failed, with its form: whether it reached the disk after all is not known. Saving that form
    /// again is the same lead, so that it cannot become two.
    unsettled: RefCell<Option<(String, Capture)>>,
    timer: Timer,
    signals: OnceCell<Signals>,
    send_lock: SendLock,
    was_online: Cell<bool>,
    day_start_ms: Cell<i64>,
    has_asked_to_persist: Cell<bool>,
}

impl Device {
    /// Opens the outbox of this name and starts the engine.
    ///
    /// # Errors
    /// When the browser gives no storage, or this is no page.
    pub async fn open(base_url: &str, database: &str) -> Result<Rc<Self>, JsValue> {
        let as_js = |error: StorageError| JsValue::from_str(&error.to_string());
        let campaign = json::read(SHOOTOUT_2026)
            .map_err(|error| JsValue::from_str(&format!("this version has a broken campaign: {error}")))?;
        let seed = u64::from_le_bytes(clock::random()?);
        let (db, device_id) = OutboxDb::open(database).await.map_err(as_js)?;
        let records = db.read_all().await.map_err(as_js)?;
        let device = Rc::new_cyclic(|device| Self {
            sync_url: format!("{}{SYNC_ROUTE}", base_url.trim_end_matches('/')),
            campaign,
            engine: RefCell::new(Engine::new(Config { device_id: device_id.clone(), seed })),
            device_id,
            db,
            subscribers: RefCell::default(),
            status: RefCell::default(),
            waiting: RefCell::default(),
            unsettled: RefCell::default(),
            timer: Timer::new(device.clone()),
            signals: OnceCell::new(),
            send_lock: SendLock::default(),
            was_online: Cell::new(true),
            day_start_ms: Cell::new(i64::MAX),
            has_asked_to_persist: Cell::new(false),
        });
        let signals = Signals::listen(&Rc::downgrade(&device), database)?;
        // Nothing else sets it.
        let _ = device.signals.set(signals);
        device.look_around();
        device.tell(Input::Opened(records));
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
        self.tell_tabs(&Records { entries: vec![record.clone()], ..Records::default() });
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
    pub(crate) fn learn(self: &Rc<Self>, records: Records) {
        self.tell(Input::Learned(records));
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

    fn tell(self: &Rc<Self>, input: Input) {
        let mut outputs = Vec::new();
        {
            let mut engine = self.engine.borrow_mut();
            engine.handle(clock::monotonic_ms(), input);
            outputs.extend(std::iter::from_fn(|| engine.poll()));
        }
        for output in outputs {
            self.perform(output);
        }
    }

    fn perform(self: &Rc<Self>, output: Output) {
        match output {
            Output::Put(records) => spawn_local(Rc::clone(self).put(records)),
            Output::Send { request_id, body, timeout_ms } => {
                spawn_local(Rc::clone(self).send(request_id, body, timeout_ms));
            }
            Output::WakeAt(at_ms) => self.timer.set(at_ms),
            Output::Show(status) => {
                if let Ok(text) = serde_json::to_string(&status) {
                    self.show(&text);
                }
            }
            Output::Done(summary) => {
                let text = JsValue::from_str(&serde_json::to_string(&summary).unwrap_or_default());
                let waiting = self.waiting.take();
                for resolve in waiting {
                    let _ = resolve.call1(&JsValue::UNDEFINED, &text);
                }
            }
        }
    }

    fn show(&self, status: &str) {
        *self.status.borrow_mut() = Some(status.to_owned());
        let subscribers = self.subscribers.borrow().clone();
        for subscriber in subscribers {
            // What a screen throws is its own affair.
            let _ = subscriber.call1(&JsValue::UNDEFINED, &status.into());
        }
    }

    async fn put(self: Rc<Self>, records: Records) {
        match self.db.put(&records).await {
            Ok(()) => {
                self.tell_tabs(&records);
                self.tell(Input::PutDone);
            }
            Err(_) => self.tell(Input::PutFailed),
        }
    }

    async fn send(self: Rc<Self>, request_id: u64, body: String, timeout_ms: u32) {
        let heard = match self.send_lock.try_hold().await {
            Some(_held) => post(&self.sync_url, request_id, &body, timeout_ms).await,
            None => Input::RequestFailed { request_id, failure: Failure::OtherTab },
        };
        self.tell(heard);
    }

    fn tell_tabs(&self, records: &Records) {
        if let Some(signals) = self.signals.get() {
            signals.tell_tabs(records);
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
