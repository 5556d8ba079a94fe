//! Who captures, and the session of somebody who has signed in (AUT-2, CAP-9): no Save asks for it (invariant 10).

use std::rc::Rc;

use domain::SHOOTOUT_2026;
use leadlog_client::browser::Device;
use serde_json::Value;
use wasm_bindgen_test::wasm_bindgen_test;

use crate::page::{FORM, NOWHERE, last_status, open_at, records, until};

/// Opens the device with a campaign whose grace has ended as soon as the session has.
async fn open_without_grace(database: &str) -> Rc<Device> {
    let campaign = SHOOTOUT_2026.replacen('{', r#"{"sessionGraceHours":0,"#, 1);
    Device::open(NOWHERE, database, &campaign).await.unwrap()
}

fn session(device: &Device) -> String {
    last_status(device)["session"].as_str().unwrap().to_owned()
}

async fn operator(device: &Rc<Device>) -> Option<String> {
    let state: Value = serde_json::from_str(&device.state().await).unwrap();
    state["operator"].as_str().map(str::to_owned)
}

/// Who stands in each lead, in the order in which they were saved.
async fn operators(database: &str) -> Vec<Option<String>> {
    let operator = |entry: &str| {
        let entry: Value = serde_json::from_str(entry).unwrap();
        entry["operator"].as_str().map(str::to_owned)
    };
    records(database).await.iter().map(|record| operator(&record.entry)).collect()
}

#[wasm_bindgen_test]
async fn a_session_is_there_again_after_a_restart_until_another_person_takes_over() {
    let device = open_at(NOWHERE, "session-restart").await.unwrap();
    assert_eq!(session(&device), "none");
    device.hand_over(" Ewa Nowak ", Some(60)).await.unwrap();
    assert_eq!(session(&device), "valid");
    drop(device);

    let device = open_at(NOWHERE, "session-restart").await.unwrap();
    assert_eq!((session(&device).as_str(), operator(&device).await.as_deref()), ("valid", Some("Ewa Nowak")));
    device.hand_over("Ola", None).await.unwrap();
    assert_eq!(session(&device), "none");
    drop(device);

    let device = open_at(NOWHERE, "session-restart").await.unwrap();
    assert_eq!((session(&device).as_str(), operator(&device).await.as_deref()), ("none", Some("Ola")));
    device.hand_over("Ewa", Some(u32::MAX)).await.unwrap();
    // Signing out: nobody is named.
    device.hand_over("", None).await.unwrap();
    assert_eq!((session(&device).as_str(), operator(&device).await), ("none", None));
}

#[wasm_bindgen_test]
async fn a_lead_carries_her_name_however_her_session_stands() {
    let name = "session-states";
    let device = open_at(NOWHERE, name).await.unwrap();
    device.save(FORM).await.unwrap();
    device.hand_over("Ewa", Some(60)).await.unwrap();
    device.save(FORM).await.unwrap();
    device.hand_over("Ewa", Some(0)).await.unwrap();
    assert_eq!(session(&device), "grace", "twelve hours, where a campaign says nothing");
    device.save(FORM).await.unwrap();
    drop(device);

    let device = open_without_grace(name).await;
    assert_eq!(session(&device), "grace", "as it was promised when she signed in");
    device.hand_over("Ewa", Some(0)).await.unwrap();
    assert_eq!(session(&device), "reconnect");
    device.save(FORM).await.unwrap();
    device.hand_over("", None).await.unwrap();
    device.save(FORM).await.unwrap();

    let ewa = || Some("Ewa".to_owned());
    assert_eq!(operators(name).await, [None, ewa(), ewa(), ewa(), None]);
    assert_eq!(last_status(&device)["waiting"], 5);
}

/// The engine is thrown away when storage was wiped, or another tab has written; nobody has signed out by that.
#[wasm_bindgen_test]
async fn a_session_outlives_the_engine() {
    let name = "session-engine";
    let device = open_at(NOWHERE, name).await.unwrap();
    device.hand_over("Ewa", Some(60)).await.unwrap();
    device.save(FORM).await.unwrap();
    crate::storage::delete(name).await;
    device.save(FORM).await.unwrap();
    until(&device, &Rc::default(), |status| status["waiting"] == 2).await;
    assert_eq!(
        (session(&device).as_str(), operators(name).await),
        ("valid", vec![Some("Ewa".to_owned()); 2])
    );
}

#[wasm_bindgen_test]
async fn a_setting_that_cannot_be_read_names_nobody() {
    let name = "session-rubbish";
    let device = open_at(NOWHERE, name).await.unwrap();
    device.hand_over("Ewa", Some(60)).await.unwrap();
    drop(device);
    for rubbish in [r#""{""#, r#""{\"name\":7,\"signedInAt\":-1,\"lastsMs\":\"\",\"graceMs\":1}""#] {
        crate::seam::write_raw(name, "meta", rubbish, Some("setting/operator")).await;
        let device = open_at(NOWHERE, name).await.unwrap();
        assert_eq!((session(&device).as_str(), operator(&device).await), ("none", None), "{rubbish}");
        device.save(FORM).await.unwrap();
    }
}
