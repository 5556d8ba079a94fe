//! Several tabs on one outbox (SYN-6): one sends, and one that has lost the sending writes nothing.

use std::cell::RefCell;
use std::rc::Rc;

use leadlog_client::browser::{Device, OutboxDb, PutError};
use leadlog_client::engine::record::{Mark, Records};
use wasm_bindgen_test::wasm_bindgen_test;

use crate::network::Network;
use crate::page::{FORM, capture, until};

/// A tab that thaws must not write back receipts that another tab has voided since.
#[wasm_bindgen_test]
async fn what_was_read_under_an_old_epoch_is_not_written() {
    let (frozen, device_id) = OutboxDb::open("epochs").await.unwrap();
    let saved = frozen.save(&capture(&device_id), 0).await.unwrap();
    let marks =
        Records { marks: vec![Mark { v: 1, key: saved.key, answers: Vec::new() }], ..Records::default() };
    let (_, old) = frozen.read_all(true).await.unwrap();
    frozen.put(&marks, old).await.unwrap();

    let (other, _) = OutboxDb::open("epochs").await.unwrap();
    let (_, new) = other.read_all(true).await.unwrap();
    assert_eq!((new, other.epoch().await.unwrap()), (old + 1, old + 1));
    let changed = Records { stores: Some(Default::default()), ..marks.clone() };
    assert_eq!(frozen.put(&changed, old).await, Err(PutError::Overtaken));
    assert_eq!(other.read_all(false).await.unwrap().0.stores, None, "nothing of it was written");
    other.put(&changed, new).await.unwrap();
    // A Save asks for no epoch.
    assert_eq!(frozen.save(&capture(&device_id), 0).await.unwrap().device_seq, 2);
}

/// What one tab saves, the tab that sends takes along, once; and both show that it has arrived.
#[wasm_bindgen_test]
async fn of_two_tabs_one_sends_and_both_know() {
    let network = Network::replace();
    let first = Device::open("https://cloud.test", "tabs").await.unwrap();
    network.next_request().await;
    network.answer();
    let second = Device::open("https://cloud.test", "tabs").await.unwrap();
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
