//! The outbox on disk: numbering, pages, connections that break.

use leadlog_client::browser::OutboxDb;
use leadlog_client::capture::{Capture, Moment};
use wasm_bindgen::prelude::*;
use wasm_bindgen_test::wasm_bindgen_test;

use crate::page::{capture, finished, records};

/// Two tabs are two connections to one outbox.
#[wasm_bindgen_test]
async fn two_connections_share_one_numbering_and_one_device() {
    let (one, device_id) = OutboxDb::open("two-tabs").await.unwrap();
    let (other, same_id) = OutboxDb::open("two-tabs").await.unwrap();
    assert_eq!(device_id, same_id);
    for seq in 1..=6 {
        let db = if seq % 2 == 0 { &one } else { &other };
        assert_eq!(db.save(&capture(&device_id), 0).await.unwrap().device_seq, seq);
    }
}

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

/// CAP-6: two tabs that change the same lead at once: both are kept, one after the other.
#[wasm_bindgen_test]
async fn a_version_that_another_tab_has_written_meanwhile_is_followed_by_the_next() {
    let (db, device_id) = OutboxDb::open("versions").await.unwrap();
    let first = db.save(&capture(&device_id), 0).await.unwrap();
    let moment = Moment { unix_ms: 0, offset_minutes: 0 };
    let later = Moment { unix_ms: 5_000, offset_minutes: 0 };
    let one = Capture::voided(&first.entry, device_id.clone(), moment).unwrap();
    let other = Capture::voided(&first.entry, device_id, later).unwrap();
    assert_eq!(db.save(&one, 0).await.unwrap().version, 2);
    let third = db.save(&other, 0).await.unwrap();
    assert_eq!((third.version, third.device_seq), (3, 3));
    assert_eq!(db.save(&other, 0).await.unwrap(), third, "the same again is the same entry");
}

/// A page with a newer schema makes this one close its connection. It goes on with a fresh one.
#[wasm_bindgen_test]
async fn a_connection_that_was_closed_is_opened_again() {
    let (db, device_id) = OutboxDb::open("closed").await.unwrap();
    db.save(&capture(&device_id), 0).await.unwrap();
    // Deleting fires `versionchange` and waits until every connection is closed.
    let factory = web_sys::window().unwrap().indexed_db().unwrap().unwrap();
    finished(factory.delete_database("closed").unwrap().unchecked_ref()).await.unwrap();
    // The storage is gone, the page lives on: it saves, and begins a new numbering.
    assert_eq!(db.save(&capture(&device_id), 0).await.unwrap().device_seq, 1);
    assert_eq!(records("closed").await.len(), 1);
}

/// A retry after a connection that broke in the middle must not make a second lead.
#[wasm_bindgen_test]
async fn the_same_capture_written_twice_is_one_entry() {
    let (db, device_id) = OutboxDb::open("twice").await.unwrap();
    let capture = capture(&device_id);
    let first = db.save(&capture, 0).await.unwrap();
    assert_eq!(db.save(&capture, 5).await.unwrap(), first);
    assert_eq!(records("twice").await, [first]);
}
