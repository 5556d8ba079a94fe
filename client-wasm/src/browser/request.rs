//! One `POST` of JSON, or one look at the health route, with a hard time-out over everything, the body of the
//! response included.

use domain::{STORE_ID_HEADER, StoreId, TIER_HEADER, Tier};
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::JsFuture;

use super::web;
use crate::engine::{Failure, Input};
use crate::json::Object;

/// Sends the body, and says what came of it as the engine wants to hear it.
pub(crate) async fn post(url: &str, request_id: u64, body: &str, timeout_ms: u32, token: &str) -> Input {
    match JsFuture::from(web::request("POST", url, Some(body), timeout_ms, Some(token))).await {
        Ok(response) => read(request_id, &response),
        Err(is_timeout) => {
            let failure = if is_timeout.is_truthy() { Failure::Timeout } else { Failure::Network };
            Input::RequestFailed { request_id, failure }
        }
    }
}

fn read(request_id: u64, response: &JsValue) -> Input {
    let json = response.as_string().unwrap_or_default();
    let response = Object::read(&json).and_then(|it| {
        let headers = it.object("headers")?;
        Some(Input::Response {
            request_id,
            code: u16::try_from(it.number("code")?).ok()?,
            content_type: headers.text("content-type").unwrap_or_default(),
            body: it.text("body")?,
            retry_after: headers.text("retry-after"),
        })
    });
    response.unwrap_or(Input::RequestFailed { request_id, failure: Failure::Network })
}

/// Asks the health route which store is there. A page that is not a store's (a captive portal) names none.
pub(crate) async fn probe(url: &str, timeout_ms: u32) -> Option<(StoreId, Tier)> {
    let response =
        JsFuture::from(web::request("HEAD", url, None, timeout_ms, None)).await.ok()?.as_string()?;
    let it = Object::read(&response)?;
    let headers = it.object("headers")?;
    let tier = headers.text(TIER_HEADER)?;
    let tier = [Tier::Cloud, Tier::Hub].into_iter().find(|known| known.as_str() == tier)?;
    let is_ok = it.number("code").is_some_and(|code| (200..300).contains(&code));
    Some((headers.parsed(STORE_ID_HEADER)?, tier)).filter(|_| is_ok)
}
