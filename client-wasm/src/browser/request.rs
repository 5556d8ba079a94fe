//! One `POST` of JSON, or one look at the health route, with a hard time-out over everything, the body of the
//! response included.

use std::cell::Cell;
use std::rc::Rc;

use domain::{STORE_ID_HEADER, StoreId, TIER_HEADER, Tier};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::{AbortController, Headers, Request, RequestCache, RequestInit, RequestRedirect, Response};

use super::clock::window;
use crate::engine::verdict::is_json;
use crate::engine::{Failure, Input};

/// Sends the body, and says what came of it as the engine wants to hear it.
pub(crate) async fn post(url: &str, request_id: u64, body: &str, timeout_ms: u32) -> Input {
    let timeout = match Timeout::start(timeout_ms) {
        Ok(timeout) => timeout,
        Err(_) => return Input::RequestFailed { request_id, failure: Failure::Network },
    };
    match exchange(url, request_id, body, &timeout.controller).await {
        Ok(response) => response,
        Err(_) => {
            let failure = if timeout.has_rung.get() { Failure::Timeout } else { Failure::Network };
            Input::RequestFailed { request_id, failure }
        }
    }
}

/// Asks the health route which store is there. A page that is not a store's (a captive portal) names none.
pub(crate) async fn probe(url: &str, timeout_ms: u32) -> Option<(StoreId, Tier)> {
    let timeout = Timeout::start(timeout_ms).ok()?;
    let init = RequestInit::new();
    init.set_method("HEAD");
    let response = fetch(url, &init, &timeout.controller).await.ok()?;
    let header = |name: &str| response.headers().get(name).ok().flatten();
    let tier = header(TIER_HEADER)?;
    let tier = [Tier::Cloud, Tier::Hub].into_iter().find(|known| known.as_str() == tier)?;
    Some((header(STORE_ID_HEADER)?.parse().ok()?, tier)).filter(|_| response.ok())
}

async fn fetch(url: &str, init: &RequestInit, controller: &AbortController) -> Result<Response, JsValue> {
    init.set_cache(RequestCache::NoStore);
    // A captive portal redirects to its page.
    init.set_redirect(RequestRedirect::Error);
    init.set_signal(Some(&controller.signal()));
    let request = Request::new_with_str_and_init(url, init)?;
    JsFuture::from(window()?.fetch_with_request(&request)).await?.dyn_into()
}

async fn exchange(
    url: &str,
    request_id: u64,
    body: &str,
    controller: &AbortController,
) -> Result<Input, JsValue> {
    let headers = Headers::new()?;
    headers.set("content-type", "application/json")?;
    let init = RequestInit::new();
    init.set_method("POST");
    init.set_headers(&headers);
    init.set_body(&JsValue::from_str(body));
    let response = fetch(url, &init, controller).await?;
    let header = |name: &str| response.headers().get(name).ok().flatten();
    let content_type = header("content-type").unwrap_or_default();
    // What is not JSON says nothing, and may be large.
    let body = if response.ok() && is_json(&content_type) {
        JsFuture::from(response.text()?).await?.as_string().unwrap_or_default()
    } else {
        controller.abort();
        String::new()
    };
    Ok(Input::Response {
        request_id,
        code: response.status(),
        content_type,
        body,
        retry_after: header("retry-after"),
    })
}

/// Aborts the request when the time is over; dropped, it does nothing any more.
struct Timeout {
    controller: AbortController,
    has_rung: Rc<Cell<bool>>,
    timer: i32,
    _ring: Closure<dyn FnMut()>,
}

impl Timeout {
    fn start(timeout_ms: u32) -> Result<Self, JsValue> {
        let controller = AbortController::new()?;
        let has_rung = Rc::new(Cell::new(false));
        let (rung, aborted) = (Rc::clone(&has_rung), controller.clone());
        let ring = Closure::<dyn FnMut()>::new(move || {
            rung.set(true);
            aborted.abort();
        });
        let timer = window()?.set_timeout_with_callback_and_timeout_and_arguments_0(
            ring.as_ref().unchecked_ref(),
            i32::try_from(timeout_ms).unwrap_or(i32::MAX),
        )?;
        Ok(Self { controller, has_rung, timer, _ring: ring })
    }
}

impl Drop for Timeout {
    fn drop(&mut self) {
        if let Ok(window) = window() {
            window.clear_timeout_with_handle(self.timer);
        }
    }
}
