//! `web.js`: what is shorter in the browser's own language.

use js_sys::{Function, Promise};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;

#[wasm_bindgen(module = "/src/browser/web.js")]
extern "C" {
    fn exchange(method: &str, url: &str, body: Option<&str>, timeout_ms: u32) -> Promise;
    #[wasm_bindgen(js_name = storageState)]
    fn storage_state_promise() -> Promise;
    #[wasm_bindgen(js_name = askToPersist)]
    pub(crate) fn ask_to_persist();
    pub(crate) fn recall(name: &str) -> Option<String>;
    pub(crate) fn remember(name: &str, text: Option<&str>);
    #[wasm_bindgen(js_name = watchSender)]
    pub(crate) fn watch_sender(name: &str, gone: &Function) -> Function;
}

/// The text of a store's answer; `None` when there is none in time.
pub(crate) async fn ask(method: &str, url: &str, body: Option<&str>, timeout_ms: u32) -> Option<String> {
    JsFuture::from(exchange(method, url, body, timeout_ms)).await.ok()?.as_string()
}

/// `persisted`, `usage` and `quota`, as JSON.
pub(crate) async fn storage_state() -> Option<String> {
    JsFuture::from(storage_state_promise()).await.ok()?.as_string()
}
