//! The network as this page sees it: what is sent, and what is believed of what comes back (SYN-3, TIER-2).

use std::cell::RefCell;
use std::rc::Rc;

use domain::SHOOTOUT_2026;
use js_sys::{Promise, Reflect};
use leadlog_client::browser::{Device, OutboxDb};
use serde_json::Value;
use uuid::Uuid;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use wasm_bindgen_test::wasm_bindgen_test;

use crate::page::{FORM, last_status, until, until_marked};

/// The engine sends over the real `fetch`; the page stands in for the network.
#[wasm_bindgen_test]
async fn a_save_works_while_a_request_hangs_and_goes_out_with_the_next() {
    let network = Network::replace();
    let device = connected_at("https://cloud.test/", "flight").await;
    network.next_request().await;
    network.answer();
    device.save(FORM).await.unwrap();
    let sent = network.next_request().await;
    assert_eq!(sent.url, "https://cloud.test/api/leads/sync");
    assert_eq!((sent.cache.as_str(), sent.redirect.as_str(), sent.entries()), ("no-store", "error", 1));
    // The first request hangs.
    let second = device.save(FORM).await.unwrap();
    assert_eq!(last_status(&device)["waiting"], 2);
    let summary = device.sync();
    network.answer();
    let sent = network.next_request().await;
    assert!(sent.body.contains(&second.entry), "the exact bytes are sent");
    network.answer();
    let summary = JsFuture::from(summary).await.unwrap().as_string().unwrap();
    assert_eq!(summary, r#"{"sent":2,"synced":2,"failed":0,"waiting":0}"#);
    let status = last_status(&device);
    assert_eq!((status["state"].as_str(), status["places"]["cloud"].as_u64()), (Some("green"), Some(2)));
    assert_eq!(status["reachable"], true);
    // The receipts are on the disk too.
    let on_disk = until_marked("flight", 2).await;
    assert!(on_disk.marks.iter().all(|mark| mark.answers[0].receipt().is_some()));
}

#[wasm_bindgen_test]
async fn a_captive_portal_changes_nothing_but_reachability() {
    let network = Network::replace();
    let device = connected_at("https://cloud.test", "portal").await;
    network.next_request().await;
    network.respond(200, "text/html", "<html>Arena WiFi</html>");
    let statuses = Rc::new(RefCell::new(Vec::new()));
    let unreachable = until(&device, &statuses, |status| status["reachable"] == false).await;
    assert_eq!(unreachable["failed"], 0);
    device.save(FORM).await.unwrap();
    assert_eq!(last_status(&device)["waiting"], 1);
}

/// TIER-2: after two misses only the health route is asked, and only a store's name brings the target back.
#[wasm_bindgen_test]
async fn a_portal_on_the_health_route_brings_nobody_back_but_a_store_does() {
    let network = Network::replace();
    let device = connected_at("https://cloud.test", "health").await;
    let statuses = Rc::new(RefCell::new(Vec::new()));
    network.next_request().await;
    network.fail();
    until(&device, &statuses, |status| status["reachable"] == false).await;
    let asked = device.sync();
    network.next_request().await;
    network.fail();
    JsFuture::from(asked).await.unwrap();
    assert_eq!(last_status(&device)["reach"], "solo");
    // The portal answers the health route with a page of its own.
    let probed = network.was_probed();
    let asked = device.sync();
    probed.await;
    network.next_request().await;
    network.fail();
    JsFuture::from(asked).await.unwrap();
    assert_eq!(last_status(&device)["reach"], "solo");
    network.answer_health(1, "cloud");
    let _asked = device.sync();
    let statuses = Rc::new(RefCell::new(Vec::new()));
    until(&device, &statuses, |status| status["reach"] == "cloud").await;
}

#[wasm_bindgen(inline_js = r#"
    export class PageNetwork {
        constructor() {
            this.requests = [];
            this.waiting = [];
            this.fetch = window.fetch;
            this.health = {};
            this.healthAt = {};
            this.tokens = 0;
            this.assertions = [];
            this.shownAt = [];
            this.tokenAnswers = [];
            this.tokenAnswer = '{}';
            window.fetch = async (request) => {
                if (request.method === 'HEAD') {
                    if (this.probed) this.probed();
                    return new Response(null, { headers: this.healthAt[new URL(request.url).origin] ?? this.health });
                }
                const body = await request.clone().text();
                const { url, cache, redirect } = request;
                const authorization = request.headers.get('authorization') ?? '';
                const json = (it, status = 200, headers = {}) =>
                    new Response(JSON.stringify(it), { status, headers: { 'content-type': 'application/json', ...headers } });
                if (url.endsWith('/api/devices/enrol')) {
                    const isGood = JSON.parse(body).code === 'GOOD';
                    const [enrolmentId, storeId] = ['5f0c9be2a1d47736', '00000000-0000-0000-0000-000000000001'];
                    return isGood ? json({ enrolmentId, storeId, deviceName: 'iPad 7', campaignId: 'shootout-2026' }) : json({ type: 'urn:leadlog:problem:invalid-code' }, 403);
                }
                if (url.endsWith('/oauth/token')) {
                    this.assertions.push(new URLSearchParams(body).get('client_assertion'));
                    this.shownAt.push(new URL(url).host);
                    const { status = 200, scope = 'capture', date, error = 'invalid_client' } = JSON.parse(this.tokenAnswers.shift() ?? this.tokenAnswer);
                    const token = status === 200 ? { access_token: `token-${++this.tokens}`, expires_in: 900, scope } : { error };
                    return json(token, status, date ? { date } : {});
                }
                return new Promise((resolve, reject) => {
                    request.signal.addEventListener('abort', () => reject(request.signal.reason));
                    this.fail = () => reject(new TypeError('the network is down'));
                    this.respond = (status, type, text) =>
                        resolve(new Response(text, { status, headers: { 'content-type': type } }));
                    const seen = { url, cache, redirect, body, authorization };
                    const waits = this.waiting.shift();
                    if (waits) waits(seen); else this.requests.push(seen);
                });
            };
        }
        next() {
            return new Promise((resolve) => {
                const seen = this.requests.shift();
                if (seen) resolve(seen); else this.waiting.push(resolve);
            });
        }
        wasProbed() {
            return new Promise((resolve) => { this.probed = resolve; });
        }
        answerTokens(answer) { this.tokenAnswer = answer; }
        answerNextToken(answer) { this.tokenAnswers.push(answer); }
        whoWasShown() { return this.shownAt.join(' '); }
        assertion(number) { return this.assertions.at(number); }
        answerHealth(store, tier) {
            this.health = { 'leadlog-store': store, 'leadlog-tier': tier };
        }
        answerHealthAt(origin, store, tier) {
            this.healthAt[origin] = { 'leadlog-store': store, 'leadlog-tier': tier };
        }
        restore() { window.fetch = this.fetch; }
    }
"#)]
extern "C" {
    type PageNetwork;
    #[wasm_bindgen(constructor)]
    fn new() -> PageNetwork;
    #[wasm_bindgen(method)]
    fn next(this: &PageNetwork) -> Promise;
    #[wasm_bindgen(method)]
    fn respond(this: &PageNetwork, status: u16, content_type: &str, body: &str);
    #[wasm_bindgen(method)]
    fn fail(this: &PageNetwork);
    #[wasm_bindgen(method, js_name = wasProbed)]
    fn was_probed(this: &PageNetwork) -> Promise;
    #[wasm_bindgen(method, js_name = answerHealth)]
    fn answer_health(this: &PageNetwork, store: &str, tier: &str);
    #[wasm_bindgen(method, js_name = answerHealthAt)]
    fn answer_health_at(this: &PageNetwork, origin: &str, store: &str, tier: &str);
    #[wasm_bindgen(method, js_name = answerTokens)]
    fn answer_tokens(this: &PageNetwork, answer: &str);
    #[wasm_bindgen(method, js_name = answerNextToken)]
    fn answer_next_token(this: &PageNetwork, answer: &str);
    #[wasm_bindgen(method, js_name = whoWasShown)]
    fn who_was_shown(this: &PageNetwork) -> String;
    #[wasm_bindgen(method)]
    fn assertion(this: &PageNetwork, number: i32) -> Option<String>;
    #[wasm_bindgen(method)]
    fn restore(this: &PageNetwork);
}

#[wasm_bindgen(inline_js = r#"
    export function letIn(database, facts) {
        const opening = indexedDB.open(`${database}-identity`, 1);
        opening.onupgradeneeded = () => opening.result.createObjectStore('enrolments');
        return new Promise((resolve, reject) => {
            opening.onerror = reject;
            opening.onsuccess = async () => {
                const algorithm = { name: 'ECDSA', namedCurve: 'P-256' };
                const { privateKey } = await crypto.subtle.generateKey(algorithm, false, ['sign']);
                const transaction = opening.result.transaction('enrolments', 'readwrite');
                transaction.objectStore('enrolments').put({ privateKey, facts }, 'current');
                transaction.oncomplete = () => resolve(opening.result.close());
            };
        });
    }
"#)]
extern "C" {
    #[wasm_bindgen(js_name = letIn)]
    fn let_in(database: &str, facts: &str) -> Promise;
}

/// Opens a device that was let in before.
pub(crate) async fn connected_at(base_url: &str, database: &str) -> Rc<Device> {
    connected_with(base_url, database, SHOOTOUT_2026).await
}

/// The same with another campaign.
pub(crate) async fn connected_with(base_url: &str, database: &str, campaign: &str) -> Rc<Device> {
    let (_, device_id) = OutboxDb::open(database).await.unwrap();
    let facts = serde_json::json!({
        "enrolmentId": "5f0c9be2a1d47736", "storeId": Uuid::from_u128(1), "deviceId": device_id,
        "deviceName": "iPad 7", "campaignId": "shootout-2026",
    });
    JsFuture::from(let_in(database, &facts.to_string())).await.unwrap();
    Device::open(base_url, database, campaign).await.unwrap()
}

/// The network as this page sees it.
pub(crate) struct Network {
    page: PageNetwork,
    last: RefCell<Option<Sent>>,
    position: RefCell<u64>,
}

#[derive(Clone)]
pub(crate) struct Sent {
    pub(crate) url: String,
    pub(crate) cache: String,
    pub(crate) redirect: String,
    pub(crate) body: String,
    pub(crate) authorization: String,
}

impl Sent {
    pub(crate) fn entries(&self) -> usize {
        let request: Value = serde_json::from_str(&self.body).unwrap();
        request["entries"].as_array().unwrap().len()
    }
}

impl Network {
    pub(crate) fn replace() -> Self {
        Self { page: PageNetwork::new(), last: RefCell::default(), position: RefCell::default() }
    }

    pub(crate) async fn next_request(&self) -> Sent {
        let seen = JsFuture::from(self.page.next()).await.unwrap();
        let text = |key: &str| Reflect::get(&seen, &key.into()).unwrap().as_string().unwrap();
        let sent = Sent {
            url: text("url"),
            cache: text("cache"),
            redirect: text("redirect"),
            body: text("body"),
            authorization: text("authorization"),
        };
        *self.last.borrow_mut() = Some(sent.clone());
        sent
    }

    /// Answers the last request as the cloud: everything is new.
    pub(crate) fn answer(&self) {
        self.answer_as("created");
    }

    /// Answers the last request as the cloud, with this verdict for everything.
    pub(crate) fn answer_as(&self, verdict: &str) {
        self.answer_from(1, "cloud", verdict);
    }

    /// Answers the last request as this store, with this verdict for everything.
    pub(crate) fn answer_from(&self, store: u128, tier: &str, verdict: &str) {
        let request: Value = serde_json::from_str(&self.last.borrow().as_ref().unwrap().body).unwrap();
        let results: Vec<_> = request["entries"]
            .as_array()
            .unwrap()
            .iter()
            .map(|entry| {
                *self.position.borrow_mut() += 1;
                serde_json::json!({
                    "clientId": entry["clientId"], "version": entry["version"], "status": verdict,
                    "position": *self.position.borrow(), "appendId": "00000000000000aa",
                })
            })
            .collect();
        let answer = serde_json::json!({
            "store": { "id": Uuid::from_u128(store), "tier": tier, "head": *self.position.borrow() },
            "lineage": "intact", "erasures": { "through": 0, "clientIds": [] }, "results": results,
        });
        self.respond(200, "application/json", &answer.to_string());
    }

    /// What the token route answers from here on: `{"status","scope","date"}`; by itself it gives tokens to capture.
    pub(crate) fn answer_tokens(&self, answer: &Value) {
        self.page.answer_tokens(&answer.to_string());
    }

    /// What it answers next, once.
    pub(crate) fn answer_next_token(&self, answer: &Value) {
        self.page.answer_next_token(&answer.to_string());
    }

    /// The hosts that were shown an assertion, in the order of the assertions.
    pub(crate) fn who_was_shown(&self) -> Vec<String> {
        self.page.who_was_shown().split_whitespace().map(str::to_owned).collect()
    }

    /// What an assertion says that was shown to the token route: the first is 0, the last is -1.
    pub(crate) fn claims(&self, number: i32) -> Value {
        let assertion = self.page.assertion(number).unwrap();
        let claims = assertion.split('.').nth(1).unwrap().replace('-', "+").replace('_', "/");
        let claims = web_sys::window().unwrap().atob(&claims).unwrap();
        serde_json::from_str(&claims).unwrap()
    }

    /// What the health route names from now on; at first it is a page without a name.
    pub(crate) fn answer_health(&self, store: u128, tier: &str) {
        self.page.answer_health(&Uuid::from_u128(store).to_string(), tier);
    }

    /// The same at one origin alone.
    pub(crate) fn answer_health_at(&self, origin: &str, store: u128, tier: &str) {
        self.page.answer_health_at(origin, &Uuid::from_u128(store).to_string(), tier);
    }

    /// The next look at the health route.
    pub(crate) async fn was_probed(&self) {
        JsFuture::from(self.page.was_probed()).await.unwrap();
    }

    /// The last request breaks off.
    pub(crate) fn fail(&self) {
        self.page.fail();
    }

    pub(crate) fn respond(&self, status: u16, content_type: &str, body: &str) {
        self.page.respond(status, content_type, body);
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        self.page.restore();
    }
}
