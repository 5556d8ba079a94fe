//! Several tabs on one outbox (SYN-6): one sends.

use std::cell::RefCell;
use std::rc::Rc;

use wasm_bindgen_futures::spawn_local;
use wasm_bindgen_test::wasm_bindgen_test;

use crate::network::Network;
use crate::page::{FORM, NOWHERE, open_at, until};

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

/// Nobody may be shown that nothing waits because a lead came between the read and the first look at the other tabs.
#[wasm_bindgen_test]
async fn a_tab_that_opens_hears_what_another_saves_meanwhile() {
    let first = open_at(NOWHERE, "tabs-opening").await.unwrap();
    for saved in 1..=5 {
        let opening = open_at(NOWHERE, "tabs-opening");
        let saver = Rc::clone(&first);
        spawn_local(async move {
            saver.save(FORM).await.unwrap();
        });
        let second = opening.await.unwrap();
        let statuses = Rc::new(RefCell::new(Vec::new()));
        until(
            &second,
            &statuses,
            match saved {
                1 => |status| status["waiting"] == 1,
                2 => |status| status["waiting"] == 2,
                3 => |status| status["waiting"] == 3,
                4 => |status| status["waiting"] == 4,
                _ => |status| status["waiting"] == 5,
            },
        )
        .await;
    }
}
