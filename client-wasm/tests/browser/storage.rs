//! The outbox on disk: pages, connections that break, a fresh start.

use std::rc::Rc;

use leadlog_client::browser::{Device, OutboxDb};
use serde_json::{Value, json};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use wasm_bindgen_test::wasm_bindgen_test;

use crate::page::{FORM, NOWHERE, capture, finished, last_status, open_at, records, until};

/// The whole is read in pages; none may be skipped or read twice.
#[wasm_bindgen_test]
async fn more_entries_than_one_page_are_all_read() {
    let (db, device_id) = OutboxDb::open("pages").await.unwrap();
    for _ in 0..501 {
        db.save(&capture(&device_id), 0).await.unwrap();
    }
    let seqs: Vec<_> =
        db.read_all(false).await.unwrap().0.entries.iter().map(|record| record.device_seq).collect();
    assert_eq!(seqs, (1..=501).collect::<Vec<_>>());
}

/// The storage is wiped under a page: it goes on with a fresh one.
#[wasm_bindgen_test]
async fn a_database_that_was_deleted_is_made_again() {
    let (db, device_id) = OutboxDb::open("closed").await.unwrap();
    db.save(&capture(&device_id), 0).await.unwrap();
    delete("closed").await;
    // The page lives on: it saves, and begins a new numbering.
    let saved = db.save(&capture(&device_id), 0).await.unwrap();
    assert_eq!(saved.device_seq, 1);
    assert_ne!(saved.device_id, device_id, "a number of the old installation is not used again");
    assert_eq!(records("closed").await, [saved]);
}

/// Invariant 1: a wipe under an open page, by whatever cleans up, takes no lead that the page still knows.
#[wasm_bindgen_test]
async fn what_a_page_knows_is_put_back_when_its_storage_was_wiped_under_it() {
    for (name, saves) in [("wiped-then-saved", true), ("wiped-then-synced", false)] {
        let device = open_at(NOWHERE, name).await.unwrap();
        device.save(FORM).await.unwrap();
        device.save(FORM).await.unwrap();
        delete(name).await;
        // Not looked at before this page has made the database again.
        let expected = if saves {
            device.save(FORM).await.unwrap();
            until(&device, &Rc::default(), |status| status["waiting"] == 3).await;
            3
        } else {
            JsFuture::from(device.sync()).await.unwrap();
            2
        };
        assert_eq!(records(name).await.len(), expected, "{name}");
        drop(device);
        let device = open_at(NOWHERE, name).await.unwrap();
        assert_eq!(last_status(&device)["waiting"], expected, "{name}");
        let state: Value = serde_json::from_str(&device.state().await).unwrap();
        assert_eq!(state["lost"], json!([]), "{name}: nothing of it is lost");
        device.save(FORM).await.unwrap();
        assert_eq!(records(name).await.len(), expected + 1, "{name}");
    }
}

/// Whether the dot is red, and how many entries are missing by the status and by the list of lost installations.
async fn told(device: &Rc<Device>) -> (bool, u64, Vec<u64>) {
    let state: Value = serde_json::from_str(&device.state().await).unwrap();
    let status = last_status(device);
    let lost = state["lost"].as_array().unwrap().iter().map(|it| it["missing"].as_u64().unwrap()).collect();
    (status["state"] == "red", status["missing"].as_u64().unwrap(), lost)
}

/// Storage is wiped while no page is open, and the app is opened again.
async fn wiped_and_opened(name: &str, device: Rc<Device>) -> Rc<Device> {
    drop(device);
    delete(name).await;
    open_at(NOWHERE, name).await.unwrap()
}

/// Invariant 9, SYN-9: what was wiped while no page was open is told until it is back, or a person has put it aside.
#[wasm_bindgen_test]
async fn what_was_wiped_while_no_page_was_open_is_told_until_it_is_back() {
    let name = "wiped-closed";
    let device = open_at(NOWHERE, name).await.unwrap();
    device.save(FORM).await.unwrap();
    let backup = device.snapshot().await.unwrap();
    device.save(FORM).await.unwrap();
    let file = device.snapshot().await.unwrap();

    let device = wiped_and_opened(name, device).await;
    assert_eq!(told(&device).await, (true, 2, vec![2]));
    let summary = device.restore(&backup).await.unwrap();
    assert_eq!(summary, r#"{"restored":1,"known":0,"unreadable":0}"#);
    assert_eq!(told(&device).await, (true, 1, vec![1]), "the backup lacks one");
    device.put_loss_aside();
    assert_eq!(told(&device).await, (false, 0, vec![]));
    drop(device);
    let device = open_at(NOWHERE, name).await.unwrap();
    assert_eq!(told(&device).await, (false, 0, vec![]), "and it stays so");
    let device = wiped_and_opened(name, device).await;
    assert_eq!(told(&device).await, (true, 2, vec![2]), "more is gone than the person knows of");
    let summary = device.restore(&file).await.unwrap();
    assert_eq!(summary, r#"{"restored":2,"known":0,"unreadable":0}"#);
    drop(device);
    let device = open_at(NOWHERE, name).await.unwrap();
    assert_eq!(told(&device).await, (false, 0, vec![]), "all of it is here");
    let device = wiped_and_opened(name, device).await;
    assert_eq!(told(&device).await, (true, 2, vec![2]), "and is gone once more");
}

/// Each installation is remembered: one that was wiped before it had saved anything, or before all was back, hides none.
#[wasm_bindgen_test]
async fn storage_that_is_wiped_again_and_again_is_missed_as_a_whole() {
    let name = "wiped-twice";
    let device = open_at(NOWHERE, name).await.unwrap();
    device.save(FORM).await.unwrap();
    let backup = device.snapshot().await.unwrap();
    device.save(FORM).await.unwrap();
    let device = wiped_and_opened(name, device).await;
    let device = wiped_and_opened(name, device).await;
    assert_eq!(told(&device).await, (true, 2, vec![2]));
    device.restore(&backup).await.unwrap();
    device.save(FORM).await.unwrap();
    drop(device);
    let device = open_at(NOWHERE, name).await.unwrap();
    assert_eq!(told(&device).await, (true, 1, vec![1]), "those that are back do not hide the other");
    let device = wiped_and_opened(name, device).await;
    assert_eq!(told(&device).await, (true, 3, vec![2, 1]));
}

/// Invariants 1 and 9: what one tab puts back, the tab that sends takes along, and no longer misses.
#[wasm_bindgen_test]
async fn what_one_tab_puts_back_another_one_knows() {
    let name = "wiped-under-one-of-two";
    let first = open_at(NOWHERE, name).await.unwrap();
    first.save(FORM).await.unwrap();
    first.save(FORM).await.unwrap();
    delete(name).await;
    let second = open_at(NOWHERE, name).await.unwrap();
    assert_eq!(told(&second).await, (true, 2, vec![2]));
    JsFuture::from(first.sync()).await.unwrap();
    until(&second, &Rc::default(), |status| status["waiting"] == 2).await;
    assert_eq!(told(&second).await, (false, 0, vec![]));
}

/// Deletes a database: fires `versionchange` and waits until every connection is closed.
pub(crate) async fn delete(name: &str) {
    let factory = web_sys::window().unwrap().indexed_db().unwrap().unwrap();
    finished(factory.delete_database(name).unwrap().unchecked_ref()).await.unwrap();
}
