//! Save: durable, whole, once; or refused with a reason (CAP-2, CAP-6, invariants 1, 2 and 10).

use std::rc::Rc;

use domain::{ClientId, EmbeddedCampaigns, Entry, Judgement, SHOOTOUT_2026, judge};
use js_sys::{Array, Promise};
use leadlog_client::browser::{Leadlog, SaveError, StorageError};
use serde_json::Value;
use serde_json::value::RawValue;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use wasm_bindgen_test::wasm_bindgen_test;

use crate::page::{FORM, NOWHERE, last_status, now, open_at, records, until};
use crate::seam::Fault;

/// CAP-2, invariant 1.
#[wasm_bindgen_test]
async fn a_saved_lead_is_found_by_another_connection_byte_for_byte() {
    let device = open_at(NOWHERE, "exact-bytes").await.unwrap();
    let saved = device.save(FORM).await.unwrap();

    let found = records("exact-bytes").await;
    assert_eq!(found, std::slice::from_ref(&saved));
    let raw = RawValue::from_string(saved.entry.clone()).unwrap();
    let Judgement::Accepted(accepted) = judge(&raw, &EmbeddedCampaigns, now()) else {
        panic!("a store would refuse {}", saved.entry)
    };
    assert!(accepted.flags.is_empty());
    let entry: &Entry = accepted.event.entry();
    assert_eq!((entry.client_id, entry.version, entry.device_seq), (saved.client_id, 1, 1));
    assert_eq!(saved.client_id.uuid().get_version_num(), 7);
    assert!(now().unix_seconds() - entry.captured_at.unix_seconds() < 60);
}

#[wasm_bindgen_test]
async fn twenty_saves_at_once_are_numbered_without_a_gap() {
    let device = open_at(NOWHERE, "dense").await.unwrap();
    let saves: Array = (0..20)
        .map(|_| {
            let device = Rc::clone(&device);
            JsValue::from(wasm_bindgen_futures::future_to_promise(async move {
                device
                    .save(FORM)
                    .await
                    .map(|saved| JsValue::from_f64(saved.device_seq as f64))
                    .map_err(|error| error.to_string().into())
            }))
        })
        .collect();
    let mut numbers: Vec<_> = Array::from(&JsFuture::from(Promise::all(&saves)).await.unwrap())
        .iter()
        .filter_map(|number| number.as_f64())
        .map(|number| number as u64)
        .collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=20).collect::<Vec<_>>());
    let found = records("dense").await;
    assert_eq!(found.iter().map(|record| record.device_seq).collect::<Vec<_>>(), numbers);
}

#[wasm_bindgen_test]
async fn what_waits_is_there_again_after_a_restart() {
    let device = open_at(NOWHERE, "restart").await.unwrap();
    for _ in 0..3 {
        device.save(FORM).await.unwrap();
    }
    drop(device);
    let device = open_at(NOWHERE, "restart").await.unwrap();
    let status = last_status(&device);
    assert_eq!((status["state"].as_str(), status["waiting"].as_u64()), (Some("amber"), Some(3)));
    assert_eq!(status["savedToday"].as_u64(), Some(3));
    assert_eq!(device.save(FORM).await.unwrap().device_seq, 4);
}

/// Invariant 10: if the disk refuses, nothing is half-written, and the person is told.
#[wasm_bindgen_test]
async fn when_the_disk_refuses_nothing_is_half_written() {
    let device = open_at(NOWHERE, "full").await.unwrap();
    device.save(FORM).await.unwrap();
    {
        let _full = Fault::full_disk("entries");
        let error = device.save(FORM).await.unwrap_err();
        assert!(matches!(error, SaveError::Storage(StorageError::Full(_))), "{error:?}");
        let json: Value = serde_json::from_str(&error.to_json()).unwrap();
        assert_eq!((json["code"].as_str(), json["reason"].as_str()), (Some("storage"), Some("quota")));
        assert!(json["message"].as_str().unwrap().contains("QuotaExceededError"));
        assert_eq!(records("full").await.len(), 1);
    }
    assert_eq!(device.save(FORM).await.unwrap().device_seq, 2, "and the number was not used up");
}

/// Invariant 2: once. The lead may be on the disk although Save could not say so, and another may be tried between.
#[wasm_bindgen_test]
async fn a_save_that_cannot_be_read_back_and_is_tapped_again_is_one_lead() {
    let device = open_at(NOWHERE, "unread").await.unwrap();
    let other = FORM.replace("anna@", "zofia@");
    {
        let _fault = Fault::unreadable("entries");
        for form in [FORM, &other] {
            let error = device.save(form).await.unwrap_err();
            assert!(matches!(error, SaveError::Storage(StorageError::Closed(_))), "{error:?}");
        }
    }
    assert_eq!(device.save(FORM).await.unwrap().device_seq, 1);
    assert_eq!(device.save(&other).await.unwrap().device_seq, 2);
    assert_eq!(records("unread").await.len(), 2);
    assert_eq!(
        device.save(FORM).await.unwrap().device_seq,
        3,
        "the next person of that name is another lead"
    );
}

/// No green dot over a lead that nobody has heard of: it is on the disk, whatever the person does next.
#[wasm_bindgen_test]
async fn a_save_that_failed_and_landed_waits_to_be_sent() {
    let device = open_at(NOWHERE, "landed").await.unwrap();
    {
        let _fault = Fault::unreadable("entries");
        device.save(FORM).await.unwrap_err();
    }
    until(&device, &Rc::default(), |status| status["waiting"] == 1).await;
    assert_eq!(records("landed").await.len(), 1);
}

/// CAP-6: what failed and landed is not what is asked for again after something else was done with the lead.
#[wasm_bindgen_test]
async fn a_lead_is_taken_back_again_although_the_first_time_failed_and_landed() {
    let device = open_at(NOWHERE, "twice-back").await.unwrap();
    let lead = device.save(FORM).await.unwrap().client_id.to_string();
    {
        let _fault = Fault::unreadable("entries");
        device.take_back(&lead).await.unwrap_err();
    }
    assert_eq!(device.correct(&lead, FORM).await.unwrap().version, 3);
    assert_eq!(device.take_back(&lead).await.unwrap().version, 4);
}

#[wasm_bindgen_test]
async fn what_breaks_a_rule_is_refused_with_every_error() {
    let device = open_at(NOWHERE, "rules").await.unwrap();
    let error = device.save(r#"{"firstName":"Anna","email":"anna@","consents":[]}"#).await.unwrap_err();
    let json: Value = serde_json::from_str(&error.to_json()).unwrap();
    let fields: Vec<_> =
        json["errors"].as_array().unwrap().iter().map(|error| error["field"].clone()).collect();
    assert_eq!(
        (json["code"].as_str(), fields),
        (Some("invalid"), vec!["lastName".into(), "email".into(), "consents.terms".into()])
    );
    assert!(records("rules").await.is_empty());
}

/// What the app sees, in the words it relies on.
#[wasm_bindgen_test]
async fn the_class_speaks_json_in_both_directions() {
    let leadlog = Leadlog::open(NOWHERE.to_owned(), SHOOTOUT_2026.to_owned()).await.unwrap();
    let campaign: Value = serde_json::from_str(&leadlog.campaign()).unwrap();
    assert_eq!((campaign["id"].as_str(), campaign["version"].as_u64()), (Some("shootout-2026"), Some(1)));
    assert_eq!(leadlog.check(FORM), "[]");
    let form = r#"{"firstName":"Anna","lastName":"Nowak","email":"","phone":"","consents":["terms"],"language":"pl"}"#;
    let errors: Value = serde_json::from_str(&leadlog.check(form)).unwrap();
    assert_eq!(
        (errors[0]["field"].as_str(), errors[0]["code"].as_str()),
        (Some("contact"), Some("one-of-required"))
    );
    let saved = leadlog.save(FORM).await.unwrap().as_string().unwrap();
    let saved: Value = serde_json::from_str(&saved).unwrap();
    assert!(saved["clientId"].as_str().is_some_and(|id| id.parse::<ClientId>().is_ok()));
    assert!(saved["deviceSeq"].as_u64().is_some());
    let refused = leadlog.save("not json").await.unwrap_err().as_string().unwrap();
    assert!(refused.starts_with(r#"{"code":"invalid","errors":["#), "{refused}");
    let summary = leadlog.sync().await.unwrap().as_string().unwrap();
    let summary: Value = serde_json::from_str(&summary).unwrap();
    assert_eq!((summary["synced"].as_u64(), summary["failed"].as_u64()), (Some(0), Some(0)));
    assert!(summary["waiting"].as_u64().is_some_and(|waiting| waiting >= 1));
}
