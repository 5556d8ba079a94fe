//! A disk in trouble: `seam.js`.

use js_sys::{Function, Promise};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;

#[wasm_bindgen(module = "/tests/browser/seam.js")]
extern "C" {
    #[wasm_bindgen(js_name = fullDisk)]
    fn full_disk(store: &str) -> Function;
    fn unreadable(store: &str) -> Function;
    fn abort() -> Function;
    fn quota() -> Function;
    fn closed() -> Function;
    fn blocked(database: &str) -> Promise;
    fn hung(database: &str) -> Promise;
    fn mismatch() -> Function;
    fn unheard() -> Function;
    #[wasm_bindgen(js_name = brokenUpgrade)]
    fn broken_upgrade() -> Function;
    #[wasm_bindgen(js_name = upgraded)]
    fn upgrade_promise(database: &str, version: u32) -> Promise;
    #[wasm_bindgen(js_name = writeRaw)]
    fn write_promise(database: &str, store: &str, json: &str, key: Option<&str>) -> Promise;
    #[wasm_bindgen(js_name = exact)]
    fn exact_promise(database: &str, store: &str, key: &JsValue) -> Promise;
    #[wasm_bindgen(js_name = turn)]
    fn turn_promise() -> Promise;

    type Alarms;
    #[wasm_bindgen(constructor)]
    fn new() -> Alarms;
    #[wasm_bindgen(method)]
    fn ring(this: &Alarms);
    #[wasm_bindgen(method)]
    fn restore(this: &Alarms);
}

/// A disk in trouble, until it is [lifted](Fault::lift) or dropped.
pub(crate) struct Fault(Option<Function>);

impl Fault {
    /// A quota that is used up, as a request to write to one store feels it.
    pub(crate) fn full_disk(store: &str) -> Self {
        Self(Some(full_disk(store)))
    }

    /// A store that can be written but not read, as when the browser's storage process dies after a commit.
    pub(crate) fn unreadable(store: &str) -> Self {
        Self(Some(unreadable(store)))
    }

    /// Every transaction is given up by the browser.
    pub(crate) fn abort() -> Self {
        Self(Some(abort()))
    }

    /// What is written does not fit.
    pub(crate) fn quota() -> Self {
        Self(Some(quota()))
    }

    /// The connection is closed by the browser, once.
    pub(crate) fn closed() -> Self {
        Self(Some(closed()))
    }

    /// The database cannot be opened, because a frozen tab stands in the way of an upgrade.
    pub(crate) async fn blocked(database: &str) -> Self {
        Self(Some(JsFuture::from(blocked(database)).await.unwrap().unchecked_into()))
    }

    /// No transaction begins, because another never ends.
    pub(crate) async fn hung(database: &str) -> Self {
        Self(Some(JsFuture::from(hung(database)).await.unwrap().unchecked_into()))
    }

    /// What was written is not what is read.
    pub(crate) fn mismatch() -> Self {
        Self(Some(mismatch()))
    }

    /// Writes succeed, but nobody hears of it.
    pub(crate) fn unheard() -> Self {
        Self(Some(unheard()))
    }

    /// An upgrade breaks off in the middle.
    pub(crate) fn broken_upgrade() -> Self {
        Self(Some(broken_upgrade()))
    }

    /// Everything is well again, when this is done.
    pub(crate) async fn lift(mut self) {
        let lifted = self.0.take().unwrap().call0(&JsValue::UNDEFINED).unwrap();
        JsFuture::from(Promise::resolve(&lifted)).await.unwrap();
    }
}

impl Drop for Fault {
    fn drop(&mut self) {
        if let Some(lift) = &self.0 {
            lift.call0(&JsValue::UNDEFINED).unwrap();
        }
    }
}

/// Time-outs that elapse when the test says so.
pub(crate) struct TimeOuts(Alarms);

impl TimeOuts {
    pub(crate) fn hold() -> Self {
        Self(Alarms::new())
    }

    /// What this leads to, when the time-outs that are set on the way elapse as soon as this holds.
    pub(crate) async fn elapse_when<T: 'static>(
        &self,
        holds: impl AsyncFn() -> bool,
        work: impl Future<Output = T> + 'static,
    ) -> T {
        let outcome = std::rc::Rc::new(std::cell::RefCell::new(None));
        let place = std::rc::Rc::clone(&outcome);
        wasm_bindgen_futures::spawn_local(async move { *place.borrow_mut() = Some(work.await) });
        loop {
            turn().await;
            if let Some(outcome) = outcome.borrow_mut().take() {
                return outcome;
            }
            if holds().await {
                self.0.ring();
            }
        }
    }
}

impl Drop for TimeOuts {
    fn drop(&mut self) {
        self.0.restore();
    }
}

/// Lets everything happen that is due.
async fn turn() {
    JsFuture::from(turn_promise()).await.unwrap();
}

/// A later version of the app upgrades this database.
pub(crate) async fn upgrade(database: &str, version: u32) {
    JsFuture::from(upgrade_promise(database, version)).await.unwrap();
}

/// Writes a record as it is; `"a BigInt"` stands for one.
pub(crate) async fn write_raw(database: &str, store: &str, json: &str, key: Option<&str>) {
    JsFuture::from(write_promise(database, store, json, key)).await.unwrap();
}

/// A record to the last digit, those too that are no JSON.
pub(crate) async fn exact(database: &str, store: &str, key: impl Into<JsValue>) -> String {
    let found = JsFuture::from(exact_promise(database, store, &key.into())).await.unwrap();
    found.as_string().unwrap_or_default()
}
