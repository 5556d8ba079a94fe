//! Forms that were saved while the library could not start become leads, once (invariants 1 and 2).

use domain::{Campaign, DeviceId, SHOOTOUT_2026};
use js_sys::Promise;
use leadlog_client::browser::{OutboxDb, PendingForm, take_over};
use leadlog_client::capture::{Capture, Moment};
use serde_json::{Value, json};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use wasm_bindgen_test::wasm_bindgen_test;

use crate::page::{FORM, raw, records};
use crate::seam::{Fault, write_raw};
use crate::storage::delete;

const PENDING: &str = "leadlog-pending";

/// Tests of this binary share an origin, so the forms are emptied at the start of each; they run one by one.
async fn pending(forms: &[Value]) {
    delete(PENDING).await;
    JsFuture::from(make_pending()).await.unwrap();
    for form in forms {
        write_raw(PENDING, "forms", &form.to_string(), None).await;
    }
}

#[wasm_bindgen(inline_js = r#"
    // As the reduced mode makes it.
    export function makePending() {
        return new Promise((resolve, reject) => {
            const opening = indexedDB.open('leadlog-pending', 1);
            opening.onupgradeneeded = () => opening.result.createObjectStore('forms', { keyPath: 'clientId' });
            opening.onerror = () => reject(opening.error);
            opening.onsuccess = () => { opening.result.close(); resolve(); };
        });
    }
"#)]
extern "C" {
    #[wasm_bindgen(js_name = makePending)]
    fn make_pending() -> Promise;
}

fn form(lead: u8) -> Value {
    json!({
        "v": 1,
        "clientId": format!("0197f3c2-5c1e-7c3a-9d64-0242ac1200{lead:02}"),
        "savedAt": 1_779_537_790_000_i64 + i64::from(lead),
        "offsetMinutes": 120,
        "form": FORM,
        "operator": "Ola",
    })
}

/// What the library makes of a form.
fn make(device_id: &DeviceId) -> impl Fn(&PendingForm) -> Option<Capture> {
    move |form| {
        let moment = Moment { unix_ms: form.saved_at, offset_minutes: form.offset_minutes };
        let campaign = Campaign::parse(SHOOTOUT_2026).unwrap();
        Capture::unchecked(&campaign, &form.form, form.client_id, device_id.clone(), moment)
    }
}

#[wasm_bindgen_test]
async fn a_pending_form_becomes_an_entry_of_its_own_moment_and_is_gone() {
    pending(&[form(1), form(2)]).await;
    let (db, device_id) = OutboxDb::open("taken-over").await.unwrap();
    let (entries, left) = take_over(&db, make(&device_id)).await.unwrap();
    assert_eq!((entries.len(), left), (2, 0));
    assert_eq!(records("taken-over").await, entries);
    let entry: Value = serde_json::from_str(&entries[1].entry).unwrap();
    assert_eq!((entries[1].device_seq, entries[1].saved_at), (2, 1_779_537_790_002));
    assert_eq!(
        (entry["clientId"].clone(), entry["contact"]["firstName"].clone()),
        (form(2)["clientId"].clone(), json!("Zażółć"))
    );
    assert_eq!(entry["capturedAt"], "2026-05-23T14:03:10.002+02:00");
    assert_eq!(raw(PENDING, "forms").await, json!([]));
    assert_eq!(take_over(&db, make(&device_id)).await.unwrap(), (Vec::new(), 0));
}

/// The page dies after the entry is durable and before the form is deleted. It is the same lead, also when the
/// rules have changed meanwhile and would make another text of it.
#[wasm_bindgen_test]
async fn a_crash_between_the_two_databases_makes_no_second_lead() {
    pending(&[form(3)]).await;
    let (db, device_id) = OutboxDb::open("crash-between").await.unwrap();
    let before = PendingForm::read(&form(3).to_string()).unwrap();
    let saved = db.save(&make(&device_id)(&before).unwrap(), before.saved_at).await.unwrap();

    let campaign = Campaign { version: 9, ..Campaign::parse(SHOOTOUT_2026).unwrap() };
    let later = |form: &PendingForm| {
        let moment = Moment { unix_ms: form.saved_at, offset_minutes: 0 };
        Capture::unchecked(&campaign, &form.form, form.client_id, device_id.clone(), moment)
    };
    assert_eq!(take_over(&db, later).await.unwrap(), (Vec::new(), 0));
    assert_eq!(records("crash-between").await, [saved]);
    assert_eq!(raw(PENDING, "forms").await, json!([]));
}

/// The reduced mode has corrected a form in another tab after this one was first to make an entry of it.
#[wasm_bindgen_test]
async fn a_form_that_was_typed_anew_is_the_next_version_of_its_lead() {
    pending(&[form(4)]).await;
    let (db, device_id) = OutboxDb::open("typed-anew").await.unwrap();
    let (first, _) = take_over(&db, make(&device_id)).await.unwrap();
    let mut again = form(4);
    (again["savedAt"], again["form"]) =
        (json!(1_779_537_799_000_i64), json!(FORM.replace("anna@example.com", "ania@example.com")));
    write_raw(PENDING, "forms", &again.to_string(), None).await;
    let (second, _) = take_over(&db, make(&device_id)).await.unwrap();
    assert_eq!((second[0].client_id, second[0].version), (first[0].client_id, 2));
    assert!(second[0].entry.contains("ania@example.com"));
    assert_eq!(records("typed-anew").await.len(), 2);
}

/// What only a later version of the app can read is for that one.
#[wasm_bindgen_test]
async fn what_cannot_be_read_stays_and_is_counted() {
    let (mut later, mut damaged) = (form(5), form(6));
    (later["v"], damaged["form"]) = (json!(2), json!("no form"));
    let left_behind = json!([later, damaged, {"clientId": "zzz"}]);
    pending(left_behind.as_array().unwrap()).await;
    write_raw(PENDING, "forms", &form(7).to_string(), None).await;
    let (db, device_id) = OutboxDb::open("unreadable-forms").await.unwrap();
    for entries in [1, 0] {
        let (made, left) = take_over(&db, make(&device_id)).await.unwrap();
        assert_eq!((made.len(), left), (entries, 3));
    }
    assert_eq!(raw(PENDING, "forms").await, left_behind);
}

/// Invariant 10: while the outbox refuses, the forms wait where they are.
#[wasm_bindgen_test]
async fn a_form_that_cannot_be_saved_waits() {
    pending(&[form(8)]).await;
    let (db, device_id) = OutboxDb::open("full-outbox").await.unwrap();
    {
        let _full = Fault::full_disk("entries");
        assert_eq!(take_over(&db, make(&device_id)).await.unwrap(), (Vec::new(), 1));
    }
    assert_eq!(raw(PENDING, "forms").await, json!([form(8)]));
    assert_eq!(take_over(&db, make(&device_id)).await.unwrap().0.len(), 1);
}
