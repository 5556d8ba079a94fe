//! IndexedDB, as little of it as is needed, with its traps closed:
//!
//! - a transaction whose guard is dropped is aborted, so an early return writes nothing;
//! - nothing but its own requests is awaited inside a transaction, or the browser would commit it;
//! - writes are strictly durable: `complete` fires after the disk has flushed;
//! - a connection that the browser closed is noticed, and opened again once;
//! - nothing is waited for without an end: a disk that does not answer is an error like another;
//! - a database that a later version of the app has changed is opened as it is, because this version must go
//!   on saving until the person reloads.
//!
//! How that is done with the browser's objects stands in `idb.js`.

use std::fmt;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::Poll;

use js_sys::{Array, Promise};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;

/// Why the disk could not be used. Says what failed; the name is that of the browser's `DOMException`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StorageError {
    /// The database could not be opened.
    Open(String),
    /// The connection is gone.
    Closed(String),
    /// The disk or the quota is full.
    Full(String),
    /// A transaction or a request failed. Nothing of it was written, but where it was to look back at what was.
    Refused(String),
    /// A record was written but could not be read back.
    NotReadBack(u64),
    /// The disk has not answered. What was to be written may still be written later.
    TimedOut,
}

/// Written by hand, because the device downloads what `thiserror` formats with.
impl fmt::Display for StorageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key;
        let (before, what, after) = match self {
            Self::Open(text) => (
                "the database cannot be opened (",
                text,
                "); reload the page, and check that the browser may store data",
            ),
            Self::Closed(text) => ("the connection to the database was closed (", text, "); reload the page"),
            Self::Full(text) => {
                ("there is no space left for this app (", text, "); free space on the device")
            }
            Self::Refused(text) => ("the database refused (", text, ")"),
            Self::NotReadBack(number) => {
                key = number.to_string();
                ("record ", &key, " was written but cannot be read back; reload the page and check the queue")
            }
            Self::TimedOut => {
                key = String::new();
                ("the database does not answer; close other tabs of this app, and reload the page", &key, "")
            }
        };
        [before, what, after].into_iter().try_for_each(|text| f.write_str(text))
    }
}

impl std::error::Error for StorageError {}

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

    /// From what a call threw or a promise was rejected with.
    pub(crate) fn from_js(error: &JsValue) -> Self {
        let text = worded(error);
        match text.split_once(' ') {
            Some(("quota", text)) => Self::Full(text.to_owned()),
            Some(("closed", text)) => Self::Closed(text.to_owned()),
            Some(("timeout", _)) => Self::TimedOut,
            Some(("other", text)) => Self::Refused(text.to_owned()),
            _ => Self::Refused(text),
        }
    }
}

#[wasm_bindgen(module = "/src/browser/idb.js")]
extern "C" {
    fn worded(error: &JsValue) -> String;
    /// A record as JSON; `None` when there is none, or no JSON can say it.
    pub(crate) fn text(record: &JsValue) -> Option<String>;

    #[wasm_bindgen(js_name = Connection)]
    type JsConnection;
    #[wasm_bindgen(constructor, js_class = "Connection")]
    fn new(name: &str, schema: &str) -> JsConnection;
    #[wasm_bindgen(method)]
    fn open(this: &JsConnection) -> Promise;
    #[wasm_bindgen(method, catch)]
    fn begin(this: &JsConnection, stores: &str, is_write: bool) -> Result<JsTransaction, JsValue>;
    #[wasm_bindgen(method, getter)]
    fn generation(this: &JsConnection) -> u32;
    #[wasm_bindgen(method)]
    fn add(this: &JsConnection, store: &str, generation: u32, record: &str) -> JsAddition;
    #[wasm_bindgen(method)]
    fn forget(this: &JsConnection);
    #[wasm_bindgen(method)]
    fn close(this: &JsConnection);

    type JsAddition;
    #[wasm_bindgen(method, getter)]
    fn done(this: &JsAddition) -> Promise;
    #[wasm_bindgen(method)]
    fn abort(this: &JsAddition);

    type JsTransaction;
    #[wasm_bindgen(method)]
    fn ask(this: &JsTransaction, path: &str, method: &str, one: &JsValue, two: &JsValue) -> Promise;
    #[wasm_bindgen(method)]
    fn page(this: &JsTransaction, store: &str, after: &JsValue, limit: u32) -> Promise;
    #[wasm_bindgen(method, js_name = lastNumber)]
    fn last_number(this: &JsTransaction, path: &str, first: Option<&str>) -> Promise;
    #[wasm_bindgen(method, catch, js_name = putAll)]
    fn put_all(this: &JsTransaction, store: &str, records: &str) -> Result<(), JsValue>;
    #[wasm_bindgen(method)]
    fn commit(this: &JsTransaction) -> Promise;
    #[wasm_bindgen(method)]
    fn abort(this: &JsTransaction);

    type Alarm;
    #[wasm_bindgen(constructor)]
    fn set(timeout_ms: i32) -> Alarm;
    #[wasm_bindgen(method, getter)]
    fn rings(this: &Alarm) -> Promise;
    #[wasm_bindgen(method)]
    fn stop(this: &Alarm);
}

/// A connection that opens itself again after the browser has closed it. Dropping it closes it.
pub(crate) struct Connection(JsConnection);

impl Connection {
    /// `schema` is what each version of it adds: JSON, `[{store: {keyPath, indexes: {name: path}}}]`. All indexes are
    /// unique. A version that was published is never changed.
    pub(crate) fn new(name: &str, schema: &str) -> Self {
        Self(JsConnection::new(name, schema))
    }

    /// Begins a transaction over these stores, with a space between them. A connection that is found closed is
    /// opened again, once.
    pub(crate) async fn begin(&self, stores: &str, mode: Mode) -> Result<Transaction, StorageError> {
        let mut is_second = false;
        loop {
            answer(self.0.open()).await.map_err(|error| match error {
                StorageError::Closed(text) | StorageError::Refused(text) => StorageError::Open(text),
                other => other,
            })?;
            // At once, and the first request with it: a transaction does not wait for what else is awaited.
            match self.0.begin(stores, mode == Mode::Write) {
                Ok(inner) => return Ok(Transaction { inner, is_finished: false }),
                Err(error) => match StorageError::from_js(&error) {
                    StorageError::Closed(_) if !is_second => is_second = true,
                    error => return Err(error),
                },
            }
        }
    }

    /// How often the connection was opened.
    pub(crate) fn generation(&self) -> u32 {
        self.0.generation()
    }

    /// Adds a record, JSON with a key of its own, in a transaction of its own. Resolves when it is on the disk, with
    /// whether a look back finds it there; or to nothing, and nothing is written, when that generation of the
    /// connection is over: what is known of the database may not hold for another. Dropped before, nothing is written, unless it is
    /// being committed. It waits without an end.
    pub(crate) async fn add(
        &self,
        store: &str,
        generation: u32,
        record: &str,
    ) -> Result<Option<bool>, StorageError> {
        let addition = Addition(self.0.add(store, generation, record));
        Ok(answer(addition.0.done()).await?.as_bool())
    }

    /// Closes the connection; the next transaction opens it again.
    pub(crate) fn forget(&self) {
        self.0.forget();
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// A record under way to the disk. Dropping it aborts what is not being committed yet.
struct Addition(JsAddition);

impl Drop for Addition {
    fn drop(&mut self) {
        self.0.abort();
    }
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
    inner: JsTransaction,
    is_finished: bool,
}

impl Transaction {
    /// Waits for a request: a method of a store, or of an index of it (`store.index`), with up to two arguments.
    pub(crate) fn ask(
        &self,
        path: &str,
        method: &str,
        one: &JsValue,
        two: &JsValue,
    ) -> impl Future<Output = Result<JsValue, StorageError>> + use<> {
        answer(self.inner.ask(path, method, one, two))
    }

    /// The record under this key.
    pub(crate) fn get(
        &self,
        path: &str,
        key: &JsValue,
    ) -> impl Future<Output = Result<JsValue, StorageError>> + use<> {
        self.ask(path, "get", key, &JsValue::UNDEFINED)
    }

    /// Records behind this key, in the order of their keys.
    pub(crate) async fn page(&self, store: &str, after: &JsValue, limit: u32) -> Result<Page, StorageError> {
        let page: Array = answer(self.inner.page(store, after, limit)).await?.unchecked_into();
        Ok(Page {
            json: page.get(0).as_string().unwrap_or_default(),
            length: page.get(1).as_f64().unwrap_or_default() as usize,
            last_key: page.get(2),
        })
    }

    /// The highest key of a store; of an index over pairs, the highest number beside this first part. 0 when there is
    /// none.
    pub(crate) async fn last_number(&self, path: &str, first: Option<&str>) -> Result<u64, StorageError> {
        // Far below 2^53.
        Ok(answer(self.inner.last_number(path, first)).await?.as_f64().unwrap_or_default() as u64)
    }

    /// Puts every record of a JSON array, without waiting: if one fails, the commit says so.
    pub(crate) fn put_all(&self, store: &str, records: &str) -> Result<(), StorageError> {
        self.inner.put_all(store, records).map_err(|error| StorageError::from_js(&error))
    }

    /// Waits until everything is written.
    pub(crate) async fn commit(mut self) -> Result<(), StorageError> {
        self.is_finished = true;
        answer(self.inner.commit()).await.map(drop)
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        if !self.is_finished {
            self.inner.abort();
        }
    }
}

/// Some records of a store.
pub(crate) struct Page {
    /// All of them as an array. `null` stands for one of a later version that no JSON can say, so that it does
    /// not hide the others.
    pub(crate) json: String,
    /// How many there are.
    pub(crate) length: usize,
    pub(crate) last_key: JsValue,
}

/// Listens from now on, not only when it is first waited for.
fn answer(promise: Promise) -> impl Future<Output = Result<JsValue, StorageError>> {
    let settled = JsFuture::from(promise);
    async { settled.await.map_err(|error| StorageError::from_js(&error)) }
}

/// What comes of this work, unless it takes longer. Then it is dropped: a transaction in it is aborted, if it
/// is not being committed yet.
pub(crate) async fn within<T>(
    timeout_ms: i32,
    work: impl Future<Output = Result<T, StorageError>>,
) -> Result<T, StorageError> {
    let mut work = pin!(work);
    let alarm = Stopped(Alarm::set(timeout_ms));
    let mut rings = JsFuture::from(alarm.0.rings());
    poll_fn(move |context| match work.as_mut().poll(context) {
        Poll::Pending => Pin::new(&mut rings).poll(context).map(|_| Err(StorageError::TimedOut)),
        done => done,
    })
    .await
}

/// An alarm that is stopped when it is dropped.
struct Stopped(Alarm);

impl Drop for Stopped {
    fn drop(&mut self) {
        self.0.stop();
    }
}
