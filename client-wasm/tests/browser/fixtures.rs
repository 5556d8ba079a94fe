//! Records that other versions of the app wrote. Those of an older one are read for ever; those of a later one
//! survive until it comes back.

use leadlog_client::browser::OutboxDb;
use leadlog_client::engine::record::{EntryRecord, Mark, Records, Removed, Stores};
use serde_json::{Value, json};
use wasm_bindgen_test::wasm_bindgen_test;

use crate::page::{capture, raw, records};
use crate::seam::{exact, write_raw};

/// Every kind of record of version 1, as it stood on iPads. A file like this is only ever added to.
const RECORDS_V1: &str = include_str!("../fixtures/records-v1.json");

/// Fresh storage with these records in it.
async fn written(name: &str, fixture: &Value) {
    drop(OutboxDb::open(name).await.unwrap());
    for store in ["entries", "marks"] {
        for record in fixture[store].as_array().unwrap() {
            write_raw(name, store, &record.to_string(), None).await;
        }
    }
    for key in ["stores", "epoch", "installation"] {
        write_raw(name, "meta", &fixture[key].to_string(), Some(key)).await;
    }
}

/// SYN-8: what stands on iPads is never misread.
#[wasm_bindgen_test]
async fn records_of_version_1_are_read_for_ever() {
    let fixture: Value = serde_json::from_str(RECORDS_V1).unwrap();
    written("v1", &fixture).await;
    let (db, device_id) = OutboxDb::open("v1").await.unwrap();
    assert_eq!(device_id.as_str(), "7d0c3a52-6f0e-4a52-9a53-0c6a3c1f5b10");
    let (read, epoch) = db.read_all(false).await.unwrap();
    let field = |name: &str| fixture[name].clone();
    let expected = Records {
        entries: serde_json::from_value::<Vec<EntryRecord>>(field("entries")).unwrap(),
        marks: serde_json::from_value::<Vec<Mark>>(field("marks")).unwrap(),
        stores: Some(serde_json::from_value::<Stores>(field("stores")).unwrap()),
        unreadable: 0,
    };
    assert_eq!((&read, epoch), (&expected, 12));
    let removed: Vec<_> = read.entries.iter().map(|it| it.removed).collect();
    assert_eq!(removed, [None, Some(Removed::Erased), Some(Removed::Retention)]);
    assert!(read.entries[0].entry.contains("Zażółć"));
    let saved = db.save(&capture(&device_id), 0).await.unwrap();
    assert_eq!((saved.device_id, saved.device_seq, saved.key), (device_id, 3, 4));
    assert_eq!(records("v1").await[..3], expected.entries);
}

/// A later version was used, and then this one again: it counts what it cannot read, and leaves it alone.
#[wasm_bindgen_test]
async fn records_of_a_later_version_survive_untouched() {
    let mut fixture: Value = serde_json::from_str(RECORDS_V1).unwrap();
    let mut later = fixture["entries"][0].clone();
    (later["v"], later["key"], later["deviceSeq"]) = (json!(2), json!(4), json!(3));
    (later["clientId"], later["sealed"]) =
        (json!("0197f3c2-5c1e-7c3a-9d64-0242ac120009"), json!({"by": [1]}));
    let entries = fixture["entries"].as_array_mut().unwrap();
    entries.extend([
        later,
        json!({"v": 2, "key": 5, "shape": "of a later app", "at": 1.5}),
        // No JSON can say it; it must not hide its neighbours.
        json!({"v": 2, "key": 6, "number": "a BigInt"}),
    ]);
    let installation = &mut fixture["installation"];
    (installation["nextDeviceSeq"], installation["nextKey"], installation["badge"]) =
        (json!(5), json!(7), json!("of a later app"));
    written("later", &fixture).await;
    let before = later_records("later").await;

    let (db, device_id) = OutboxDb::open("later").await.unwrap();
    let (read, epoch) = db.read_all(true).await.unwrap();
    assert_eq!((read.entries.len(), read.unreadable), (3, 3));
    let saved = db.save(&capture(&device_id), 0).await.unwrap();
    assert_eq!((saved.key, saved.device_seq), (7, 5));
    let (mut removed, stores) = (read.entries[0].clone(), read.stores.clone());
    (removed.entry, removed.removed) = (String::new(), Some(Removed::Erased));
    db.put(&Records { entries: vec![removed], marks: read.marks, stores, unreadable: 0 }, epoch)
        .await
        .unwrap();
    db.restore(vec![saved]).await.unwrap();

    assert_eq!(later_records("later").await, before);
    assert_eq!(meta("later", "installation").await, fixture["installation"]);
    assert_eq!(db.read_all(false).await.unwrap().0.unreadable, 3);
}

/// Keys 4 to 6, exactly.
async fn later_records(name: &str) -> Vec<String> {
    let mut found = Vec::new();
    for key in 4..=6 {
        found.push(exact(name, "entries", key).await);
    }
    found
}

/// A lead of which a later version of the app wrote the next version: this one's comes after that.
#[wasm_bindgen_test]
async fn a_version_that_cannot_be_read_is_followed_by_the_next() {
    let (db, device_id) = OutboxDb::open("later-correction").await.unwrap();
    let capture = capture(&device_id);
    let lead = capture.client_id().to_string();
    let later = json!({"v": 2, "key": 70, "clientId": lead, "version": 1, "deviceId": "x", "deviceSeq": 1});
    write_raw("later-correction", "entries", &later.to_string(), None).await;
    let saved = db.save(&capture, 0).await.unwrap();
    assert_eq!((saved.version, saved.device_seq), (2, 1));
}

/// Invariants 9 and 10: numbers are never used twice, and a Save is never refused. Nobody can tell whose the numbers
/// are where the installation's record cannot be read; so another begins, and the record is kept.
#[wasm_bindgen_test]
async fn an_installation_whose_record_cannot_be_read_is_followed_by_another() {
    let mut fixture: Value = serde_json::from_str(RECORDS_V1).unwrap();
    fixture["installation"] = json!({"v": 2, "who": "of a later app"});
    written("unreadable", &fixture).await;
    let (db, device_id) = OutboxDb::open("unreadable").await.unwrap();
    for seq in 1..=2 {
        let saved = db.save(&capture(&device_id), 0).await.unwrap();
        assert_eq!((saved.device_seq, saved.key), (seq, 3 + seq));
        assert!(!RECORDS_V1.contains(saved.device_id.as_str()));
        let kept = meta("unreadable", &format!("installation/{}", saved.device_id)).await;
        assert_eq!(kept, fixture["installation"]);
    }
    assert_eq!(db.read_all(false).await.unwrap().0.entries.len(), 5);
}

/// Invariant 9: the entries say how far the numbers have got, whatever the installation's record says.
#[wasm_bindgen_test]
async fn an_installation_whose_record_is_behind_goes_on_after_its_entries() {
    let mut fixture: Value = serde_json::from_str(RECORDS_V1).unwrap();
    fixture["installation"]["nextDeviceSeq"] = json!(1);
    written("behind", &fixture).await;
    let (db, device_id) = OutboxDb::open("behind").await.unwrap();
    let saved = db.save(&capture(&device_id), 0).await.unwrap();
    assert_eq!((saved.device_id, saved.device_seq, saved.key), (device_id, 3, 4));
}

async fn meta(name: &str, key: &str) -> Value {
    serde_json::from_str(&exact(name, "meta", key).await).unwrap()
}

/// A mark that only a later version can read costs a resend, and nothing else.
#[wasm_bindgen_test]
async fn marks_that_cannot_be_read_do_not_hide_entries() {
    let mut fixture: Value = serde_json::from_str(RECORDS_V1).unwrap();
    fixture["marks"].as_array_mut().unwrap().push(json!({"v": 2, "key": 3, "answers": "sealed"}));
    written("later-marks", &fixture).await;
    let (db, _) = OutboxDb::open("later-marks").await.unwrap();
    let (read, _) = db.read_all(false).await.unwrap();
    assert_eq!((read.entries.len(), read.marks.len(), read.unreadable), (3, 2, 0));
    assert_eq!(raw("later-marks", "marks").await.as_array().unwrap().len(), 3);
}

/// Invariants 9 and 10: a file may bring a number after which there is none. Nobody is kept from saving by it.
#[wasm_bindgen_test]
async fn the_last_number_there_is_is_followed_by_another_installation() {
    let (db, device_id) = OutboxDb::open("last-number").await.unwrap();
    let saved = db.save(&capture(&device_id), 0).await.unwrap();
    let client_id = "0197f3c2-5c1e-7c3a-9d64-0242ac120009".parse().unwrap();
    db.restore(vec![EntryRecord { device_seq: (1 << 53) - 1, client_id, ..saved }]).await.unwrap();
    let (db, _) = OutboxDb::open("last-number").await.unwrap();
    for seq in 1..=2 {
        let next = db.save(&capture(&device_id), 0).await.unwrap();
        assert_eq!((next.device_seq, next.device_id != device_id), (seq, true));
    }
}
