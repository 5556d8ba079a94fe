//! `web.js`: what is shorter in the browser's own language.

use js_sys::{Function, Promise};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;

#[wasm_bindgen(module = "/src/browser/web.js")]
extern "C" {
    #[wasm_bindgen(js_name = monotonicMs)]
    pub(crate) fn monotonic_ms() -> f64;
    #[wasm_bindgen(js_name = unixMs)]
    pub(crate) fn unix_ms() -> f64;
    #[wasm_bindgen(js_name = offsetMinutes)]
    pub(crate) fn offset_minutes(unix_ms: f64) -> i32;
    #[wasm_bindgen(js_name = dayStartMs)]
    pub(crate) fn day_start_ms() -> f64;
    #[wasm_bindgen(catch)]
    pub(crate) fn random(bytes: &mut [u8]) -> Result<(), JsValue>;
    #[wasm_bindgen(js_name = isOnline)]
    pub(crate) fn is_online() -> bool;
    #[wasm_bindgen(js_name = isVisible)]
    pub(crate) fn is_visible() -> bool;
    #[wasm_bindgen(catch)]
    pub(crate) fn listen(
        network_changed: &JsValue,
        visibility_changed: &JsValue,
    ) -> Result<Function, JsValue>;

    pub(crate) type Tabs;
    #[wasm_bindgen(constructor, catch)]
    pub(crate) fn join(name: &str, heard: &JsValue) -> Result<Tabs, JsValue>;
    #[wasm_bindgen(method, catch)]
    pub(crate) fn tell(this: &Tabs, text: &str) -> Result<(), JsValue>;
    #[wasm_bindgen(method)]
    pub(crate) fn leave(this: &Tabs);

    pub(crate) fn request(
        method: &str,
        url: &str,
        body: Option<&str>,
        timeout_ms: u32,
        token: Option<&str>,
    ) -> Promise;
    #[wasm_bindgen(js_name = sendForm)]
    pub(crate) fn send_form(url: &str, form: &str, timeout_ms: u32) -> Promise;
    pub(crate) fn hold(name: &str, steal: bool) -> Promise;
    fn exchange(method: &str, url: &str, body: Option<&str>, timeout_ms: u32, token: Option<&str>)
    -> Promise;
    #[wasm_bindgen(js_name = storageState)]
    fn storage_state_promise() -> Promise;
    #[wasm_bindgen(js_name = askToPersist)]
    pub(crate) fn ask_to_persist();
    pub(crate) fn recall(name: &str) -> Option<String>;
    pub(crate) fn remember(name: &str, text: &str);
    #[wasm_bindgen(js_name = watchSender)]
    pub(crate) fn watch_sender(name: &str, gone: &Function) -> Function;
}

#[wasm_bindgen(module = "/src/browser/identity.js")]
extern "C" {
    pub(crate) type DeviceKey;
    #[wasm_bindgen(constructor)]
    pub(crate) fn new(database: &str) -> DeviceKey;
    #[wasm_bindgen(method)]
    pub(crate) fn read(this: &DeviceKey) -> Promise;
    #[wasm_bindgen(method)]
    pub(crate) fn next(this: &DeviceKey) -> Promise;
    #[wasm_bindgen(method)]
    pub(crate) fn keep(this: &DeviceKey, public_key: &str, facts: &str) -> Promise;
    #[wasm_bindgen(method)]
    pub(crate) fn assertion(this: &DeviceKey, enrolment: &str, audience: &str, offset_ms: f64) -> Promise;
    #[wasm_bindgen(js_name = aheadMs)]
    pub(crate) fn ahead_ms(date: &str) -> f64;
}

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_name = setTimeout)]
    pub(crate) fn set_timeout(ring: &JsValue, wait_ms: i32) -> i32;
    #[wasm_bindgen(js_name = clearTimeout)]
    pub(crate) fn clear_timeout(timer: i32);
}

/// The text of a store's answer; `None` when there is none in time.
pub(crate) async fn ask(method: &str, url: &str, body: Option<&str>, timeout_ms: u32) -> Option<String> {
    JsFuture::from(exchange(method, url, body, timeout_ms, None)).await.ok()?.as_string()
}

/// What a token did not open.
pub(crate) enum Refused {
    /// It counts no longer.
    Token,
    /// It is not for this.
    Scope,
}

/// The same with a token.
pub(crate) async fn ask_with(
    method: &str,
    url: &str,
    body: Option<&str>,
    timeout_ms: u32,
    token: &str,
) -> Result<Option<String>, Refused> {
    match JsFuture::from(exchange(method, url, body, timeout_ms, Some(token))).await {
        Ok(answer) => Ok(answer.as_string()),
        Err(status) => match status.as_f64().unwrap_or_default() as u16 {
            401 => Err(Refused::Token),
            403 => Err(Refused::Scope),
            _ => Ok(None),
        },
    }
}

/// `persisted`, `usage` and `quota`, as JSON.
pub(crate) async fn storage_state() -> Option<String> {
    JsFuture::from(storage_state_promise()).await.ok()?.as_string()
}
