//! By which key a store knows this device (AUT-3), and that a Save knows nothing of it (invariant 10).

use std::rc::Rc;

use js_sys::{Promise, Reflect};
use leadlog_client::browser::{Device, EnrolError};
use serde_json::{Value, json};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use wasm_bindgen_test::wasm_bindgen_test;

use crate::network::{Network, connected_at};
use crate::page::{FORM, connection, finished, last_status, open_at};

fn standing(device: &Rc<Device>) -> Value {
    serde_json::from_str(&device.enrolment()).unwrap()
}

/// Waits until the device stands like this.
async fn until_standing(device: &Rc<Device>, state: &'static str) {
    let promise = Promise::new(&mut |resolve, _| {
        let told = Closure::<dyn FnMut(String)>::new(move |enrolment: String| {
            let enrolment: Value = serde_json::from_str(&enrolment).unwrap();
            if enrolment["state"] == state {
                resolve.call0(&JsValue::UNDEFINED).unwrap();
            }
        });
        device.on_enrolment(told.into_js_value().unchecked_into());
    });
    JsFuture::from(promise).await.unwrap();
}

/// What the run says that a person asks for.
async fn synced(device: &Rc<Device>) -> Value {
    let summary = JsFuture::from(device.sync()).await.unwrap().as_string().unwrap();
    serde_json::from_str(&summary).unwrap()
}

#[wasm_bindgen_test]
async fn without_an_enrolment_a_save_works_and_nothing_is_sent() {
    let network = Network::replace();
    let device = open_at("https://cloud.test", "stranger").await.unwrap();
    device.save(FORM).await.unwrap();
    assert_eq!(synced(&device).await["waiting"], 1);
    assert_eq!(standing(&device), json!({ "state": "none", "deviceName": null, "campaignId": null }));
    // What is not a code changes nothing, and what waited goes out with the one that is.
    assert_eq!(device.enrol("BAD").await, Err(EnrolError::Code));
    assert_eq!(standing(&device)["state"], "none");
    device.enrol("GOOD").await.unwrap();
    let sent = network.next_request().await;
    assert_eq!((sent.entries(), sent.authorization.as_str()), (1, "Bearer token-1"));
    network.answer();
    let connected = json!({ "state": "connected", "deviceName": "iPad 7", "campaignId": "shootout-2026" });
    assert_eq!(standing(&device), connected);
}

/// No script reads the private key, the app's own neither; a page that opens later finds it.
#[wasm_bindgen_test]
async fn the_key_stays_in_the_browser() {
    let network = Network::replace();
    let first = open_at("https://cloud.test", "key").await.unwrap();
    first.enrol("GOOD").await.unwrap();
    let database = connection("key-identity").await;
    let transaction = database.transaction_with_str("enrolments").unwrap();
    let kept = transaction.object_store("enrolments").unwrap().get(&"current".into()).unwrap();
    let kept = finished(&kept).await.unwrap();
    database.close();
    let key = Reflect::get(&kept, &"privateKey".into()).unwrap();
    let field = |name: &str| Reflect::get(&key, &name.into()).unwrap();
    assert_eq!(
        (field("type").as_string().as_deref(), field("extractable").as_bool()),
        (Some("private"), Some(false))
    );

    network.next_request().await;
    network.answer();
    let later = open_at("https://cloud.test", "key").await.unwrap();
    let sent = network.next_request().await;
    assert_eq!(sent.authorization, "Bearer token-2");
    network.answer();
    assert_eq!(standing(&later)["deviceName"], "iPad 7");
    let claims = network.claims(-1);
    assert_eq!((&claims["iss"], &claims["sub"]), (&"5f0c9be2a1d47736".into(), &"5f0c9be2a1d47736".into()));
    assert_eq!(claims["aud"], "urn:leadlog:store:00000000-0000-0000-0000-000000000001");
    assert_ne!(claims["jti"], network.claims(0)["jti"]);
}

/// A token may end before its time: its key was retired, or the device was shut out.
#[wasm_bindgen_test]
async fn a_token_that_is_not_taken_is_replaced_at_once() {
    let network = Network::replace();
    let device = connected_at("https://cloud.test", "replaced").await;
    network.next_request().await;
    network.answer();
    device.save(FORM).await.unwrap();
    network.next_request().await;
    network.respond(401, "application/problem+json", "{}");
    let again = network.next_request().await;
    assert_eq!((again.entries(), again.authorization.as_str()), (1, "Bearer token-2"));
    network.answer();
    assert_eq!(synced(&device).await["waiting"], 0);
}

/// The date of the iPad is wrong by days: the store's own is used.
#[wasm_bindgen_test]
async fn a_wrong_clock_locks_nobody_out() {
    let network = Network::replace();
    let (status, date) = (401, "Mon, 01 Jan 2035 12:00:00 GMT");
    network.answer_next_token(&json!({ "status": status, "date": date }));
    let device = connected_at("https://cloud.test", "clock").await;
    let sent = network.next_request().await;
    network.answer();
    assert_eq!(sent.authorization, "Bearer token-1");
    let (first, second) = (network.claims(0), network.claims(1));
    let by_store = js_sys::Date::parse(date) / 1000.0;
    assert!((second["iat"].as_f64().unwrap() - by_store).abs() < 60.0, "{second}");
    assert!((first["iat"].as_f64().unwrap() - by_store).abs() > 86_400.0, "{first}");
    assert_eq!(standing(&device)["state"], "connected");
}

/// Refused or shut out: every save works, nothing is deleted, and the person is told which of the two.
#[wasm_bindgen_test]
async fn a_device_that_is_refused_or_shut_out_keeps_saving() {
    let network = Network::replace();
    network.answer_health(1, "cloud");
    network.answer_tokens(&json!({ "status": 401 }));
    let refused = connected_at("https://cloud.test", "refused").await;
    refused.save(FORM).await.unwrap();
    assert_eq!(synced(&refused).await["waiting"], 1);
    assert_eq!(standing(&refused)["state"], "refused");
    assert_eq!(last_status(&refused)["failed"], 0);

    network.answer_tokens(&json!({}));
    let revoked = connected_at("https://cloud.test", "revoked").await;
    network.next_request().await;
    network.answer();
    assert_eq!(standing(&revoked)["state"], "connected");
    network.answer_tokens(&json!({ "scope": "quarantine" }));
    revoked.save(FORM).await.unwrap();
    assert_eq!(network.next_request().await.entries(), 1);
    // Handed in, and no lead yet.
    network.answer_as("quarantined");
    until_standing(&revoked, "revoked").await;
    let status = last_status(&revoked);
    assert_eq!((status["failed"].as_u64(), status["waiting"].as_u64()), (Some(0), Some(1)));
}
