//! The hubs that a campaign names (TIER-1, TIER-2): who is given what, with which token.

use std::cell::RefCell;
use std::rc::Rc;

use domain::SHOOTOUT_2026;
use leadlog_client::browser::Device;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use wasm_bindgen_test::wasm_bindgen_test;

use crate::network::{Network, Sent, connected_with};
use crate::page::{FORM, until};

/// Of each test its own: a device that a test has left behind goes on asking for its stores.
macro_rules! sync_at {
    ($host:literal) => {
        concat!("https://", $host, ".test/api/leads/sync")
    };
}

/// The next request of this test's own device.
async fn next(network: &Network, hosts: [&str; 2]) -> Sent {
    loop {
        let sent = network.next_request().await;
        if hosts.contains(&sent.url.as_str()) {
            return sent;
        }
    }
}

/// The demo campaign with these hubs.
fn campaign(hubs: &str) -> String {
    SHOOTOUT_2026.replacen('{', &format!(r#"{{"hubs":{hubs},"#), 1)
}

/// Whom the assertion is for that was shown last.
fn audience(network: &Network) -> String {
    network.claims(-1)["aud"].as_str().unwrap().to_owned()
}

#[wasm_bindgen_test]
async fn what_the_cloud_cannot_take_goes_to_a_hub_with_a_token_of_its_own() {
    const CLOUD: &str = sync_at!("cloud-1");
    const HUB: &str = sync_at!("hub-1");
    let network = Network::replace();
    network.answer_health_at("https://hub-1.test", 2, "hub");
    let device = connected_with("https://cloud-1.test", "hub", &campaign(r#"["https://hub-1.test"]"#)).await;
    assert_eq!(next(&network, [CLOUD, HUB]).await.url, CLOUD);
    network.fail();
    let sent = next(&network, [CLOUD, HUB]).await;
    assert_eq!((sent.url.as_str(), sent.authorization.as_str()), (HUB, "Bearer token-2"));
    assert_eq!(audience(&network), "urn:leadlog:store:00000000-0000-0000-0000-000000000002");
    network.answer_from(2, "hub", "created");

    device.save(FORM).await.unwrap();
    let sent = next(&network, [CLOUD, HUB]).await;
    assert_eq!((sent.url.as_str(), sent.entries()), (HUB, 1));
    network.answer_from(2, "hub", "created");
    let statuses = Rc::new(RefCell::new(Vec::new()));
    let at_hub = until(&device, &statuses, |status| status["places"]["hub"] == 1).await;
    assert_eq!(at_hub["reach"], "hub");
    // When the cloud is back, the hub's word does not stand in for its own.
    let _asked = device.sync();
    loop {
        let sent = next(&network, [CLOUD, HUB]).await;
        match sent.url.as_str() {
            CLOUD => network.answer(),
            _ => network.answer_from(2, "hub", "created"),
        }
        if sent.url == CLOUD && sent.entries() == 1 {
            break;
        }
    }
    let statuses = Rc::new(RefCell::new(Vec::new()));
    let at_cloud = until(&device, &statuses, |status| status["places"]["cloud"] == 1).await;
    assert_eq!(at_cloud["reach"], "cloud");
}

/// What a hub was shown would open the cloud, too.
#[wasm_bindgen_test]
async fn a_hub_that_calls_itself_the_cloud_is_shown_nothing() {
    const CLOUD: &str = sync_at!("cloud-2");
    const HUB: &str = sync_at!("hub-2");
    let network = Network::replace();
    network.answer_health_at("https://false.test", 1, "hub");
    network.answer_health_at("https://other.test", 3, "cloud");
    network.answer_health_at("https://hub-2.test", 2, "hub");
    let hubs = campaign(r#"["https://false.test","https://other.test","https://hub-2.test"]"#);
    let _device = connected_with("https://cloud-2.test", "false", &hubs).await;
    loop {
        match next(&network, [CLOUD, HUB]).await.url.as_str() {
            CLOUD => network.answer(),
            url => break assert_eq!(url, HUB),
        }
    }
    for (number, host) in (0..).zip(network.who_was_shown()) {
        let store = if host == "cloud-2.test" { 1 } else { 2 };
        let audience = format!("urn:leadlog:store:00000000-0000-0000-0000-00000000000{store}");
        assert_eq!(network.claims(number)["aud"], audience, "{host}");
        assert!(["cloud-2.test", "hub-2.test"].contains(&host.as_str()), "{host} was shown one");
    }
}

/// It hears of the device from its cloud, later. Until then nobody is told that leads go there.
#[wasm_bindgen_test]
async fn a_hub_that_does_not_know_the_device_is_as_good_as_none_until_it_does() {
    const CLOUD: &str = sync_at!("cloud-3");
    const HUB: &str = sync_at!("hub-3");
    let network = Network::replace();
    network.answer_health_at("https://hub-3.test", 2, "hub");
    let device =
        connected_with("https://cloud-3.test", "unknown", &campaign(r#"["https://hub-3.test"]"#)).await;
    assert_eq!(next(&network, [CLOUD, HUB]).await.url, CLOUD);
    // By the second miss of both, only their health routes are asked.
    network.answer_tokens(&serde_json::json!({ "status": 401 }));
    network.fail();
    let asked = device.sync();
    assert_eq!(next(&network, [CLOUD, HUB]).await.url, CLOUD);
    network.fail();
    JsFuture::from(asked).await.unwrap();
    let statuses = Rc::new(RefCell::new(Vec::new()));
    until(&device, &statuses, |status| status["reach"] == "solo").await;
    network.answer_tokens(&serde_json::json!({}));
    assert_eq!(next(&network, [CLOUD, HUB]).await.url, HUB);
    network.answer_from(2, "hub", "created");
    let statuses = Rc::new(RefCell::new(Vec::new()));
    until(&device, &statuses, |status| status["reach"] == "hub").await;
    let state: serde_json::Value = serde_json::from_str(&device.enrolment()).unwrap();
    assert_eq!(state["state"], "connected", "what a hub says of it is no word of its store");
}

/// The network leads the cloud's name to the hub (docs/tls.md, way c), and back again: nobody is asked anything.
#[wasm_bindgen_test]
async fn a_hub_that_answers_by_the_name_of_the_cloud_gets_an_assertion_of_its_own() {
    const CLOUD: &str = sync_at!("cloud-4");
    let audiences = |network: &Network, numbers: std::ops::Range<i32>| -> Vec<String> {
        numbers.map(|number| network.claims(number)["aud"].as_str().unwrap().to_owned()).collect()
    };
    let stores = |numbers: &[u8]| -> Vec<String> {
        numbers
            .iter()
            .map(|it| format!("urn:leadlog:store:00000000-0000-0000-0000-00000000000{it}"))
            .collect()
    };
    let network = Network::replace();
    let refused = serde_json::json!({ "status": 401 });
    // Its clock is another, too.
    network.answer_next_token(&refused);
    network.answer_next_token(&serde_json::json!({ "status": 401, "date": "Mon, 01 Jan 2035 12:00:00 GMT" }));
    network.answer_health(2, "hub");
    let device = connected_with("https://cloud-4.test", "one-name", SHOOTOUT_2026).await;
    let told = told_of(&device);
    assert_eq!(next(&network, [CLOUD; 2]).await.authorization, "Bearer token-1");
    assert_eq!(audiences(&network, 0..3), stores(&[1, 2, 2]));
    network.answer_from(2, "hub", "created");

    // Back at the cloud, which knows no token of a hub. Who has refused it is not known before somebody says who he is.
    network.answer_next_token(&refused);
    network.answer_health_at("https://cloud-4.test", 0, "portal");
    device.save(FORM).await.unwrap();
    next(&network, [CLOUD; 2]).await;
    let probed = network.was_probed();
    network.respond(401, "application/problem+json", "{}");
    probed.await;
    network.answer_next_token(&refused);
    network.answer_health_at("https://cloud-4.test", 1, "cloud");
    let _asked = device.sync();
    assert_eq!(next(&network, [CLOUD; 2]).await.authorization, "Bearer token-2");
    assert_eq!(audiences(&network, 3..6), stores(&[2, 2, 1]));
    network.answer();
    let statuses = Rc::new(RefCell::new(Vec::new()));
    until(&device, &statuses, |status| status["places"]["cloud"] == 1).await;
    assert_eq!(*told.borrow(), ["connected"], "nothing else was ever said");
}

/// It was lost, and an empty one answers by its name: it says so until it has heard of the device.
#[wasm_bindgen_test]
async fn another_store_that_does_not_know_the_device_wants_it_to_be_let_in() {
    const HUB: &str = sync_at!("hub-5");
    let network = Network::replace();
    network.answer_tokens(&serde_json::json!({ "status": 401 }));
    network.answer_health(5, "hub");
    let device = connected_with("https://hub-5.test", "replaced-hub", SHOOTOUT_2026).await;
    let told = told_of(&device);
    JsFuture::from(device.sync()).await.unwrap();
    assert_eq!(*told.borrow(), ["connected", "refused"]);
    network.answer_tokens(&serde_json::json!({}));
    let _asked = device.sync();
    next(&network, [HUB; 2]).await;
    network.answer_from(5, "hub", "created");
    assert_eq!(*told.borrow(), ["connected", "refused", "connected"]);
}

/// How the device stands, each time that it says so.
fn told_of(device: &Rc<Device>) -> Rc<RefCell<Vec<String>>> {
    let told = Rc::new(RefCell::new(Vec::new()));
    let telling = Rc::clone(&told);
    let heard = Closure::<dyn FnMut(String)>::new(move |enrolment: String| {
        let enrolment: serde_json::Value = serde_json::from_str(&enrolment).unwrap();
        let state = enrolment["state"].as_str().unwrap().to_owned();
        if telling.borrow().last() != Some(&state) && state != "unknown" {
            telling.borrow_mut().push(state);
        }
    });
    device.on_enrolment(heard.into_js_value().unchecked_into());
    told
}
