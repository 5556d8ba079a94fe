//! Several tabs on one outbox (SYN-6): one sends.

use std::cell::RefCell;
use std::rc::Rc;

use js_sys::Promise;
use leadlog_client::engine::record::Records;
use leadlog_client::engine::stored::write_records;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::{JsFuture, future_to_promise};
use wasm_bindgen_test::wasm_bindgen_test;

use crate::network::{Network, connected_at};
use crate::page::{FORM, NOWHERE, open_at, until};

/// What one tab saves, the tab that sends takes along, once; and both show that it has arrived.
#[wasm_bindgen_test]
async fn of_two_tabs_one_sends_and_both_know() {
    let network = Network::replace();
    let first = connected_at("https://cloud.test", "tabs").await;
    network.next_request().await;
    network.answer();
    let second = open_at("https://cloud.test", "tabs").await.unwrap();
    network.next_request().await;
    network.answer();
    first.save(FORM).await.unwrap();
    assert_eq!(network.next_request().await.entries(), 1);
    network.answer();
    for device in [&first, &second] {
        let statuses = Rc::new(RefCell::new(Vec::new()));
        let arrived = until(device, &statuses, |status| status["places"]["cloud"] == 1).await;
        assert_eq!(arrived["state"], "green");
    }
}

/// Nobody may be shown that nothing waits because a lead came between the read and the first word of another tab.
#[wasm_bindgen_test]
async fn a_tab_that_opens_hears_what_another_saves_meanwhile() {
    let saved = open_at(NOWHERE, "tabs-elsewhere").await.unwrap().save(FORM).await.unwrap();
    let told = Rc::new(RefCell::new(None));
    let keep = Rc::clone(&told);
    let opening = future_to_promise(async move {
        *keep.borrow_mut() = Some(open_at(NOWHERE, "tabs-opening").await?);
        Ok(JsValue::UNDEFINED)
    });
    // It has begun, and waits for the disk.
    JsFuture::from(Promise::resolve(&JsValue::UNDEFINED)).await.unwrap();
    assert!(told.borrow().is_none());
    let records = Records { entries: vec![saved], ..Records::default() };
    post("tabs-opening", &format!(r#"{{"records":{}}}"#, write_records(&records)));
    JsFuture::from(opening).await.unwrap();
    let device = told.take().unwrap();
    until(&device, &Rc::default(), |status| status["waiting"] == 1).await;
}

#[wasm_bindgen(inline_js = r#"
    export function post(channel, text) {
        const tab = new BroadcastChannel(channel);
        tab.postMessage(text);
        tab.close();
    }
"#)]
extern "C" {
    /// Another tab says this.
    fn post(channel: &str, text: &str);
}
