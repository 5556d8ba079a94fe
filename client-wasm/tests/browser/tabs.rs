//! Several tabs on one outbox (SYN-6): one sends.

use std::cell::RefCell;
use std::rc::Rc;

use wasm_bindgen_test::wasm_bindgen_test;

use crate::network::Network;
use crate::page::{FORM, open_at, until};

/// What one tab saves, the tab that sends takes along, once; and both show that it has arrived.
#[wasm_bindgen_test]
async fn of_two_tabs_one_sends_and_both_know() {
    let network = Network::replace();
    let first = open_at("https://cloud.test", "tabs").await.unwrap();
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
