//! The outbox on disk: pages, connections that break, a fresh start.

use leadlog_client::browser::OutboxDb;
use wasm_bindgen::prelude::*;
use wasm_bindgen_test::wasm_bindgen_test;

use crate::page::{capture, finished, records};

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

/// SYN-8: the app tells an empty storage from one that is in use.
#[wasm_bindgen_test]
async fn only_the_first_opening_is_fresh() {
    assert!(OutboxDb::open("fresh").await.unwrap().0.is_fresh());
    assert!(!OutboxDb::open("fresh").await.unwrap().0.is_fresh());
}

/// A page with a newer schema makes this one close its connection. It goes on with a fresh one.
#[wasm_bindgen_test]
async fn a_connection_that_was_closed_is_opened_again() {
    let (db, device_id) = OutboxDb::open("closed").await.unwrap();
    db.save(&capture(&device_id), 0).await.unwrap();
    delete("closed").await;
    // The storage is gone, the page lives on: it saves, and begins a new numbering.
    let saved = db.save(&capture(&device_id), 0).await.unwrap();
    assert_eq!(saved.device_seq, 1);
    assert_ne!(saved.device_id, device_id, "a number of the old installation is not used again");
    assert_eq!(records("closed").await, [saved]);
}

/// Deletes a database: fires `versionchange` and waits until every connection is closed.
pub(crate) async fn delete(name: &str) {
    let factory = web_sys::window().unwrap().indexed_db().unwrap().unwrap();
    finished(factory.delete_database(name).unwrap().unchecked_ref()).await.unwrap();
}
