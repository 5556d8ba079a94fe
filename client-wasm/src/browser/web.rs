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

    pub(crate) fn request(method: &str, url: &str, body: Option<&str>, timeout_ms: u32) -> Promise;
    pub(crate) fn hold(name: &str, steal: bool) -> Promise;
    fn exchange(method: &str, url: &str, body: Option<&str>, timeout_ms: u32) -> Promise;
    #[wasm_bindgen(js_name = storageState)]
    fn storage_state_promise() -> Promise;
    #[wasm_bindgen(js_name = askToPersist)]
    pub(crate) fn ask_to_persist();
    pub(crate) fn recall(name: &str) -> Option<String>;
    pub(crate) fn remember(name: &str, text: &str);
    #[wasm_bindgen(js_name = watchSender)]
    pub(crate) fn watch_sender(name: &str, gone: &Function) -> Function;
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
    JsFuture::from(exchange(method, url, body, timeout_ms)).await.ok()?.as_string()
}

/// `persisted`, `usage` and `quota`, as JSON.
pub(crate) async fn storage_state() -> Option<String> {
    JsFuture::from(storage_state_promise()).await.ok()?.as_string()
}
