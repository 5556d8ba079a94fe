//! IndexedDB, as little of it as is needed, with its traps closed:
//!
//! - a transaction whose guard is dropped is aborted, so an early return writes nothing;
//! - nothing but its own requests is awaited inside a transaction, or the browser would commit it;
//! - writes are strictly durable: `complete` fires after the disk has flushed;
//! - a connection that the browser closed is noticed, and opened again once;
//! - nothing is waited for without an end: a disk that does not answer is an error like another;
//! - a database that a later version of the app has changed is opened as it is, because this version must go
//!   on saving until the person reloads.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::Poll;

use js_sys::{Array, Function, Object, Promise, Reflect};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::{
    DomException, IdbDatabase, IdbFactory, IdbObjectStore, IdbOpenDbRequest, IdbRequest, IdbTransaction,
};

use super::clock::window;
use super::task::promise;

/// How long one answer of the disk may take, in milliseconds. Long, because a read of many records on a slow
/// device is no fault.
const ANSWER_TIMEOUT_MS: i32 = 30_000;

/// How long opening may take, in milliseconds. It takes for ever where another tab keeps an older version open
/// and is frozen.
const OPEN_TIMEOUT_MS: i32 = 8_000;

/// Why the disk could not be used. Says what failed; the name is that of the browser's `DOMException`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StorageError {
    /// The database could not be opened.
    #[error(
        "the database cannot be opened ({0}); reload the page, and check that the browser may store data"
    )]
    Open(String),
    /// The connection is gone.
    #[error("the connection to the database was closed ({0}); reload the page")]
    Closed(String),
    /// The disk or the quota is full.
    #[error("there is no space left for this app ({0}); free space on the device")]
    Full(String),
    /// A transaction or a request failed; nothing of it was written.
    #[error("the database refused ({0})")]
    Refused(String),
    /// A record was written but could not be read back.
    #[error("record {0} was written but cannot be read back; reload the page and check the queue")]
    NotReadBack(u64),
    /// The disk has not answered. What was to be written may still be written later.
    #[error("the database does not answer; close other tabs of this app, and reload the page")]
    TimedOut,
}

impl StorageError {
    /// What the screen chooses its words by.
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Full(_) => "quota",
            Self::Open(_) | Self::Closed(_) => "closed",
            Self::TimedOut => "timeout",
            Self::Refused(_) | Self::NotReadBack(_) => "other",
        }
    }

    /// From what a call threw or an event carried.
    pub(crate) fn from_js(error: &JsValue) -> Self {
        let (name, message) = match error.dyn_ref::<DomException>() {
            Some(exception) => (exception.name(), exception.message()),
            None => (String::new(), error.as_string().unwrap_or_default()),
        };
        let text = format!("{name}: {message}");
        match name.as_str() {
            "QuotaExceededError" => Self::Full(text),
            // `UnknownError` is WebKit's after its storage process has died, `AbortError` what happens to
            // requests when the browser gives a transaction up. Another try on a fresh connection does no harm.
            "InvalidStateError" | "UnknownError" | "AbortError" => Self::Closed(text),
            _ => Self::Refused(text),
        }
    }
}

#[wasm_bindgen]
extern "C" {
    /// `web-sys` does not offer the options of `transaction`.
    #[wasm_bindgen(extends = IdbDatabase)]
    type DurableDatabase;
    #[wasm_bindgen(method, catch, js_name = transaction)]
    fn transaction_with_options(
        this: &DurableDatabase,
        stores: &Array,
        mode: &str,
        options: &Object,
    ) -> Result<IdbTransaction, JsValue>;
}

/// Makes the stores of a fresh database, or changes those of an older one, from this version.
pub(crate) type Upgrade = fn(&IdbDatabase, old_version: u32) -> Result<(), JsValue>;

/// A connection that opens itself again after the browser has closed it.
pub(crate) struct Connection {
    name: String,
    version: u32,
    upgrade: Upgrade,
    handle: Rc<RefCell<Option<Rc<Handle>>>>,
}

/// One open connection. Dropping it closes it.
struct Handle {
    database: IdbDatabase,
    is_closed: Rc<Cell<bool>>,
    /// Called when another page wants a newer version: stand aside, or it waits for ever.
    on_version_change: Closure<dyn FnMut()>,
    /// Called when the browser closes the connection by itself.
    on_close: Closure<dyn FnMut()>,
}

impl Handle {
    fn new(database: IdbDatabase) -> Self {
        let is_closed = Rc::new(Cell::new(false));
        let (closed, closing) = (Rc::clone(&is_closed), database.clone());
        let on_version_change = Closure::new(move || {
            closing.close();
            closed.set(true);
        });
        let closed = Rc::clone(&is_closed);
        let on_close = Closure::new(move || closed.set(true));
        database.set_onversionchange(Some(on_version_change.as_ref().unchecked_ref()));
        database.set_onclose(Some(on_close.as_ref().unchecked_ref()));
        Self { database, is_closed, on_version_change, on_close }
    }

    /// What fails because the connection is gone, or hangs, is tried on a fresh one the next time.
    fn failed(&self, error: StorageError) -> StorageError {
        if matches!(error, StorageError::Closed(_) | StorageError::TimedOut) {
            self.is_closed.set(true);
        }
        error
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.database.set_onversionchange(None);
        self.database.set_onclose(None);
        self.database.close();
        let _ = (&self.on_version_change, &self.on_close);
    }
}

impl Connection {
    pub(crate) fn new(name: &str, version: u32, upgrade: Upgrade) -> Self {
        Self { name: name.to_owned(), version, upgrade, handle: Rc::default() }
    }

    /// Begins a transaction. A connection that is found closed is opened again, once.
    pub(crate) async fn begin(&self, stores: &[&str], mode: Mode) -> Result<Transaction, StorageError> {
        let handle = self.handle().await?;
        match Transaction::begin(handle, stores, mode) {
            Err(StorageError::Closed(_)) => Transaction::begin(self.handle().await?, stores, mode),
            begun => begun,
        }
    }

    /// Closes the connection; the next transaction opens it again.
    pub(crate) fn forget(&self) {
        self.handle.borrow_mut().take();
    }

    async fn handle(&self) -> Result<Rc<Handle>, StorageError> {
        if let Some(handle) = self.open_handle() {
            return Ok(handle);
        }
        // A task of its own: whoever waits may give up, but an upgrade that has begun is carried out, and a
        // connection that opens late is used or closed, never left to stand in another tab's way.
        let (name, version, upgrade) = (self.name.clone(), self.version, self.upgrade);
        let place = Rc::clone(&self.handle);
        let opening = promise(async move {
            let handle = Rc::new(Handle::new(open(&name, version, upgrade).await?));
            let mut place = place.borrow_mut();
            if place.as_ref().is_none_or(|known| known.is_closed.get()) {
                *place = Some(handle);
            }
            Ok(JsValue::UNDEFINED)
        });
        let opened = within(OPEN_TIMEOUT_MS, async {
            JsFuture::from(opening).await.map_err(|error| StorageError::from_js(&error))
        });
        opened.await.map_err(|error| match error {
            StorageError::Closed(text) | StorageError::Refused(text) => StorageError::Open(text),
            other => other,
        })?;
        self.open_handle().ok_or_else(|| StorageError::Closed(String::new()))
    }

    fn open_handle(&self) -> Option<Rc<Handle>> {
        self.handle.borrow().clone().filter(|handle| !handle.is_closed.get())
    }
}

async fn open(name: &str, version: u32, upgrade: Upgrade) -> Result<IdbDatabase, JsValue> {
    let factory: IdbFactory =
        window()?.indexed_db()?.ok_or_else(|| JsValue::from_str("this browser has no IndexedDB"))?;
    let opened = finish_opening(&factory.open_with_u32(name, version)?, upgrade).await;
    match opened {
        // A later version of the app has changed it. It only ever adds.
        Err(error) if is_named(&error, "VersionError") => finish_opening(&factory.open(name)?, upgrade).await,
        opened => opened,
    }
}

async fn finish_opening(opening: &IdbOpenDbRequest, upgrade: Upgrade) -> Result<IdbDatabase, JsValue> {
    let request = opening.clone();
    // An error thrown in here aborts the upgrade, and the database stays as it was. So does a crash; the next
    // opening begins the upgrade again.
    let on_upgrade = Closure::<dyn FnMut(_) -> _>::new(
        move |event: web_sys::IdbVersionChangeEvent| -> Result<(), JsValue> {
            let database: IdbDatabase = request.result()?.unchecked_into();
            // Old versions are small whole numbers.
            upgrade(&database, event.old_version() as u32)
        },
    );
    opening.set_onupgradeneeded(Some(as_function(&on_upgrade)));
    // `blocked` needs no handler: every page of this app closes on `versionchange`, then it goes on.
    let opened = outcome(opening).await;
    opening.set_onupgradeneeded(None);
    opened.map(JsCast::unchecked_into)
}

fn is_named(error: &JsValue, name: &str) -> bool {
    error.dyn_ref::<DomException>().is_some_and(|exception| exception.name() == name)
}

fn as_function<T: ?Sized>(closure: &Closure<T>) -> &js_sys::Function {
    closure.as_ref().unchecked_ref()
}

/// What a transaction may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Read,
    /// With strict durability.
    Write,
}

/// A transaction that is aborted unless it is [committed](Transaction::commit).
pub(crate) struct Transaction {
    handle: Rc<Handle>,
    inner: IdbTransaction,
    finished: Promise,
    is_finished: bool,
}

impl Transaction {
    fn begin(handle: Rc<Handle>, stores: &[&str], mode: Mode) -> Result<Self, StorageError> {
        let names: Array = stores.iter().map(|name| JsValue::from_str(name)).collect();
        let options = Object::new();
        let mode = match mode {
            Mode::Read => "readonly",
            Mode::Write => {
                Reflect::set(&options, &"durability".into(), &"strict".into())
                    .map_err(|error| StorageError::from_js(&error))?;
                "readwrite"
            }
        };
        let inner = handle
            .database
            .unchecked_ref::<DurableDatabase>()
            .transaction_with_options(&names, mode, &options)
            .map_err(|error| handle.failed(StorageError::from_js(&error)))?;
        // Listen before anything can happen. It never rejects: nobody may be waiting when a guard is dropped.
        let finished = Promise::new(&mut |resolve, _| {
            inner.set_oncomplete(Some(&resolve));
            inner.set_onabort(Some(&resolve));
        });
        Ok(Self { handle, inner, finished, is_finished: false })
    }

    pub(crate) fn store(&self, name: &str) -> Result<IdbObjectStore, StorageError> {
        self.inner.object_store(name).map_err(|error| StorageError::from_js(&error))
    }

    /// Waits for a request of this transaction.
    pub(crate) async fn run(&self, request: Result<IdbRequest, JsValue>) -> Result<JsValue, StorageError> {
        let answer = async {
            let answer = match request {
                Ok(request) => outcome(&request).await,
                Err(error) => Err(error),
            };
            // Where the whole transaction has failed, it says why; its requests only say that it has.
            answer
                .map_err(|error| self.inner.error().map_or(error, Into::into))
                .map_err(|error| StorageError::from_js(&error))
        };
        within(ANSWER_TIMEOUT_MS, answer).await.map_err(|error| self.handle.failed(error))
    }

    /// Waits until everything is written.
    pub(crate) async fn commit(mut self) -> Result<(), StorageError> {
        self.is_finished = true;
        let written = async {
            if fired(&self.finished).await == "complete" {
                return Ok(());
            }
            // Without an error object the browser itself gave up: the connection is lost.
            Err(self.inner.error().map_or_else(
                || StorageError::Closed("AbortError".to_owned()),
                |error| StorageError::from_js(&error),
            ))
        };
        within(ANSWER_TIMEOUT_MS, written).await.map_err(|error| self.handle.failed(error))
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        if !self.is_finished {
            // Fails when it has been aborted already, which is what is wanted.
            let _ = self.inner.abort();
        }
    }
}

/// The result of a request, or its error.
async fn outcome(request: &IdbRequest) -> Result<JsValue, JsValue> {
    let settled = Promise::new(&mut |resolve, _| {
        request.set_onsuccess(Some(&resolve));
        request.set_onerror(Some(&resolve));
    });
    let event = fired(&settled).await;
    request.set_onsuccess(None);
    request.set_onerror(None);
    if event == "success" {
        return request.result();
    }
    Err(request.error()?.map_or(JsValue::UNDEFINED, Into::into))
}

/// The type of the event that resolved this promise.
async fn fired(promise: &Promise) -> String {
    let event = JsFuture::from(promise.clone()).await;
    event
        .ok()
        .and_then(|event| event.dyn_into::<web_sys::Event>().ok())
        .map_or_else(String::new, |event| event.type_())
}

/// What comes of this work, unless it takes longer. Then it is dropped: a transaction in it is aborted, if it
/// is not being committed yet.
pub(crate) async fn within<T>(
    timeout_ms: i32,
    work: impl Future<Output = Result<T, StorageError>>,
) -> Result<T, StorageError> {
    let mut work = pin!(work);
    let alarm = Alarm::set(timeout_ms);
    let mut rings = JsFuture::from(alarm.rings.clone());
    poll_fn(move |context| match work.as_mut().poll(context) {
        Poll::Pending => Pin::new(&mut rings).poll(context).map(|_| Err(StorageError::TimedOut)),
        done => done,
    })
    .await
}

/// Rings once, unless it is dropped before.
struct Alarm {
    rings: Promise,
    ring: Option<Function>,
    timer: Option<i32>,
}

impl Alarm {
    fn set(timeout_ms: i32) -> Self {
        let (mut ring, mut timer) = (None, None);
        let rings = Promise::new(&mut |resolve, _| {
            let set = window().and_then(|it| {
                it.set_timeout_with_callback_and_timeout_and_arguments_0(&resolve, timeout_ms)
            });
            timer = set.ok();
            ring = Some(resolve);
        });
        Self { rings, ring, timer }
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        if let (Some(timer), Ok(window)) = (self.timer, window()) {
            window.clear_timeout_with_handle(timer);
        }
        // Who waits for a promise that is never settled stays in memory.
        if let Some(ring) = &self.ring {
            let _ = ring.call0(&JsValue::UNDEFINED);
        }
    }
}
