//! The shell in a real browser, against its real IndexedDB.
#![cfg(target_arch = "wasm32")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

use std::cell::RefCell;
use std::rc::Rc;

use domain::{
    Campaign, ClientId, DeviceId, EmbeddedCampaigns, Entry, Judgement, SHOOTOUT_2026, Timestamp, judge,
};
use js_sys::{Array, Function, Promise, Reflect};
use leadlog_client::browser::{Device, Leadlog, OutboxDb, SaveError, StorageError};
use leadlog_client::capture::{Capture, Moment};
use leadlog_client::engine::record::{EntryRecord, Records};
use serde_json::Value;
use serde_json::value::RawValue;
use uuid::Uuid;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};
use web_sys::{IdbDatabase, IdbRequest};

wasm_bindgen_test_configure!(run_in_browser);

/// Nobody listens there: port 9 is `discard`, which browsers refuse to connect to.
const NOWHERE: &str = "http://127.0.0.1:9";

const FORM: &str = r#"{"firstName":"Zażółć","lastName":"Gęślą","email":"anna@example.com","phone":"","consents":["terms"],"language":"pl"}"#;

/// CAP-2, invariant 1.
#[wasm_bindgen_test]
async fn a_saved_lead_is_found_by_another_connection_byte_for_byte() {
    let device = Device::open(NOWHERE, "exact-bytes").await.unwrap();
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
    let device = Device::open(NOWHERE, "dense").await.unwrap();
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

#[wasm_bindgen_test]
async fn what_waits_is_there_again_after_a_restart() {
    let device = Device::open(NOWHERE, "restart").await.unwrap();
    for _ in 0..3 {
        device.save(FORM).await.unwrap();
    }
    drop(device);
    let device = Device::open(NOWHERE, "restart").await.unwrap();
    let status = last_status(&device);
    assert_eq!((status["state"].as_str(), status["waiting"].as_u64()), (Some("amber"), Some(3)));
    assert_eq!(status["savedToday"].as_u64(), Some(3));
    assert_eq!(device.save(FORM).await.unwrap().device_seq, 4);
}

/// The whole is read in pages; none may be skipped or read twice.
#[wasm_bindgen_test]
async fn more_entries_than_one_page_are_all_read() {
    let (db, device_id) = OutboxDb::open("pages").await.unwrap();
    for _ in 0..501 {
        db.save(&capture(&device_id), 0).await.unwrap();
    }
    let seqs: Vec<_> = db.read_all().await.unwrap().entries.iter().map(|record| record.device_seq).collect();
    assert_eq!(seqs, (1..=501).collect::<Vec<_>>());
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

/// Invariant 10: if the disk refuses, nothing is half-written, and the person is told.
#[wasm_bindgen_test]
async fn when_the_disk_refuses_nothing_is_half_written() {
    let device = Device::open(NOWHERE, "full").await.unwrap();
    device.save(FORM).await.unwrap();
    {
        let _full = Fault::full_disk("meta");
        let error = device.save(FORM).await.unwrap_err();
        assert!(matches!(error, SaveError::Storage(StorageError::Full(_))), "{error:?}");
        let json: Value = serde_json::from_str(&error.to_json()).unwrap();
        assert_eq!(json["code"], "storage");
        assert!(json["message"].as_str().unwrap().contains("QuotaExceededError"));
        assert_eq!(records("full").await.len(), 1);
    }
    assert_eq!(device.save(FORM).await.unwrap().device_seq, 2, "and the number was not used up");
}

/// Invariant 2: once. The lead may be on the disk although Save could not say so.
#[wasm_bindgen_test]
async fn a_save_that_cannot_be_read_back_and_is_tapped_again_is_one_lead() {
    let device = Device::open(NOWHERE, "unread").await.unwrap();
    {
        let _fault = Fault::unreadable("entries");
        let error = device.save(FORM).await.unwrap_err();
        assert!(matches!(error, SaveError::Storage(StorageError::Closed(_))), "{error:?}");
    }
    assert_eq!(device.save(FORM).await.unwrap().device_seq, 1);
    assert_eq!(records("unread").await.len(), 1);
    assert_eq!(
        device.save(FORM).await.unwrap().device_seq,
        2,
        "the next person of that name is another lead"
    );
}

#[wasm_bindgen_test]
async fn what_breaks_a_rule_is_refused_with_every_error() {
    let device = Device::open(NOWHERE, "rules").await.unwrap();
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
    let leadlog = Leadlog::open(NOWHERE.to_owned()).await.unwrap();
    let campaign: Value = serde_json::from_str(&leadlog.campaign()).unwrap();
    assert_eq!((campaign["id"].as_str(), campaign["version"].as_u64()), (Some("shootout-2026"), Some(1)));
    assert_eq!(leadlog.check(FORM), "[]");
    let form = r#"{"firstName":"Anna","lastName":"Nowak","email":"","phone":"","consents":["terms"],"language":"pl"}"#;
    let errors: Value = serde_json::from_str(&leadlog.check(form)).unwrap();
    assert_eq!(
        (errors[0]["field"].as_str(), errors[0]["code"].as_str()),
        (Some("contact"), Some("one-of-required"))
    );
    let saved: Value = serde_json::from_str(&leadlog.save(FORM.to_owned()).await.unwrap()).unwrap();
    assert!(saved["clientId"].as_str().is_some_and(|id| id.parse::<ClientId>().is_ok()));
    assert!(saved["deviceSeq"].as_u64().is_some());
    let refused = leadlog.save("not json".to_owned()).await.unwrap_err().as_string().unwrap();
    assert!(refused.starts_with(r#"{"code":"invalid","errors":["#), "{refused}");
    let summary: Value = serde_json::from_str(&leadlog.sync().await.unwrap()).unwrap();
    assert_eq!((summary["synced"].as_u64(), summary["failed"].as_u64()), (Some(0), Some(0)));
    assert!(summary["waiting"].as_u64().is_some_and(|waiting| waiting >= 1));
}

/// The engine sends over the real `fetch`; the page stands in for the network.
#[wasm_bindgen_test]
async fn a_save_works_while_a_request_hangs_and_goes_out_with_the_next() {
    let network = Network::replace();
    let device = Device::open("https://cloud.test/", "flight").await.unwrap();
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
    let device = Device::open("https://cloud.test", "portal").await.unwrap();
    network.next_request().await;
    network.respond(200, "text/html", "<html>Arena WiFi</html>");
    let statuses = Rc::new(RefCell::new(Vec::new()));
    let unreachable = until(&device, &statuses, |status| status["reachable"] == false).await;
    assert_eq!(unreachable["failed"], 0);
    device.save(FORM).await.unwrap();
    assert_eq!(last_status(&device)["waiting"], 1);
}

fn now() -> Timestamp {
    Timestamp::from_unix_ms(js_sys::Date::now() as i64, 0).unwrap()
}

fn capture(device_id: &DeviceId) -> Capture {
    let mut random = [0; 16];
    web_sys::window().unwrap().crypto().unwrap().get_random_values_with_u8_array(&mut random).unwrap();
    let id = ClientId::new(Uuid::from_bytes(random));
    let moment = Moment { unix_ms: 0, offset_minutes: 0 };
    Capture::new(&Campaign::parse(SHOOTOUT_2026).unwrap(), FORM, id, device_id.clone(), moment).unwrap()
}

/// The entries as a second connection sees them, without the library's own code for reading.
async fn records(database: &str) -> Vec<EntryRecord> {
    let factory = web_sys::window().unwrap().indexed_db().unwrap().unwrap();
    let opened = finished(factory.open(database).unwrap().unchecked_ref()).await.unwrap();
    let connection: IdbDatabase = opened.unchecked_into();
    let store = connection.transaction_with_str("entries").unwrap().object_store("entries").unwrap();
    let all = finished(&store.get_all().unwrap()).await.unwrap();
    connection.close();
    serde_json::from_str(&String::from(js_sys::JSON::stringify(&all).unwrap())).unwrap()
}

async fn finished(request: &IdbRequest) -> Result<JsValue, JsValue> {
    let promise = Promise::new(&mut |resolve, reject| {
        request.set_onsuccess(Some(&resolve));
        request.set_onerror(Some(&reject));
    });
    JsFuture::from(promise).await?;
    request.result()
}

/// Reads until this many marks are on the disk.
async fn until_marked(database: &str, marks: usize) -> Records {
    let (db, _) = OutboxDb::open(database).await.unwrap();
    loop {
        let records = db.read_all().await.unwrap();
        if records.marks.len() >= marks {
            return records;
        }
    }
}

fn last_status(device: &Device) -> Value {
    let seen = Rc::new(RefCell::new(None));
    let keep = Rc::clone(&seen);
    let callback = Closure::<dyn FnMut(String)>::new(move |status| *keep.borrow_mut() = Some(status));
    device.subscribe(callback.into_js_value().unchecked_into());
    let status = seen.borrow().clone().expect("subscribing tells the status at once");
    serde_json::from_str(&status).unwrap()
}

/// Waits until the status is as wanted.
async fn until(device: &Device, statuses: &Rc<RefCell<Vec<Value>>>, wanted: fn(&Value) -> bool) -> Value {
    let promise = Promise::new(&mut |resolve, _| {
        let statuses = Rc::clone(statuses);
        let callback = Closure::<dyn FnMut(String)>::new(move |status: String| {
            let status: Value = serde_json::from_str(&status).unwrap();
            if wanted(&status) {
                statuses.borrow_mut().push(status);
                resolve.call0(&JsValue::UNDEFINED).unwrap();
            }
        });
        device.subscribe(callback.into_js_value().unchecked_into());
    });
    JsFuture::from(promise).await.unwrap();
    statuses.borrow()[0].clone()
}

#[wasm_bindgen(inline_js = r#"
    export function fillDisk(storeName) {
        const put = IDBObjectStore.prototype.put;
        IDBObjectStore.prototype.put = function (...args) {
            if (this.name === storeName) throw new DOMException('the disk is full', 'QuotaExceededError');
            return put.apply(this, args);
        };
        return () => { IDBObjectStore.prototype.put = put; };
    }

    export function breakReading(storeName) {
        const get = IDBObjectStore.prototype.get;
        IDBObjectStore.prototype.get = function (...args) {
            if (this.name === storeName) throw new DOMException('the storage process died', 'UnknownError');
            return get.apply(this, args);
        };
        return () => { IDBObjectStore.prototype.get = get; };
    }

    export class PageNetwork {
        constructor() {
            this.requests = [];
            this.waiting = [];
            this.fetch = window.fetch;
            window.fetch = async (request) => {
                const body = await request.clone().text();
                const { url, cache, redirect } = request;
                return new Promise((resolve, reject) => {
                    request.signal.addEventListener('abort', () => reject(request.signal.reason));
                    this.respond = (status, type, text) =>
                        resolve(new Response(text, { status, headers: { 'content-type': type } }));
                    const seen = { url, cache, redirect, body };
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
        restore() { window.fetch = this.fetch; }
    }
"#)]
extern "C" {
    #[wasm_bindgen(js_name = fillDisk)]
    fn fill_disk(store: &str) -> Function;
    #[wasm_bindgen(js_name = breakReading)]
    fn break_reading(store: &str) -> Function;

    type PageNetwork;
    #[wasm_bindgen(constructor)]
    fn new() -> PageNetwork;
    #[wasm_bindgen(method)]
    fn next(this: &PageNetwork) -> Promise;
    #[wasm_bindgen(method)]
    fn respond(this: &PageNetwork, status: u16, content_type: &str, body: &str);
    #[wasm_bindgen(method)]
    fn restore(this: &PageNetwork);
}

/// A disk in trouble, until it is dropped.
struct Fault(Function);

impl Fault {
    /// A quota that is used up, as `put` of one store feels it: the second write of a Save's transaction.
    fn full_disk(store: &str) -> Self {
        Self(fill_disk(store))
    }

    /// A store that can be written but not read, as when the browser's storage process dies after a commit.
    fn unreadable(store: &str) -> Self {
        Self(break_reading(store))
    }
}

impl Drop for Fault {
    fn drop(&mut self) {
        self.0.call0(&JsValue::UNDEFINED).unwrap();
    }
}

/// The network as this page sees it.
struct Network {
    page: PageNetwork,
    last: RefCell<Option<Sent>>,
    position: RefCell<u64>,
}

#[derive(Clone)]
struct Sent {
    url: String,
    cache: String,
    redirect: String,
    body: String,
}

impl Sent {
    fn entries(&self) -> usize {
        let request: Value = serde_json::from_str(&self.body).unwrap();
        request["entries"].as_array().unwrap().len()
    }
}

impl Network {
    fn replace() -> Self {
        Self { page: PageNetwork::new(), last: RefCell::default(), position: RefCell::default() }
    }

    async fn next_request(&self) -> Sent {
        let seen = JsFuture::from(self.page.next()).await.unwrap();
        let text = |key: &str| Reflect::get(&seen, &key.into()).unwrap().as_string().unwrap();
        let sent =
            Sent { url: text("url"), cache: text("cache"), redirect: text("redirect"), body: text("body") };
        *self.last.borrow_mut() = Some(sent.clone());
        sent
    }

    /// Answers the last request as the cloud: everything is new.
    fn answer(&self) {
        let request: Value = serde_json::from_str(&self.last.borrow().as_ref().unwrap().body).unwrap();
        let results: Vec<_> = request["entries"]
            .as_array()
            .unwrap()
            .iter()
            .map(|entry| {
                *self.position.borrow_mut() += 1;
                serde_json::json!({
                    "clientId": entry["clientId"], "version": entry["version"], "status": "created",
                    "position": *self.position.borrow(), "appendId": "00000000000000aa",
                })
            })
            .collect();
        let answer = serde_json::json!({
            "store": { "id": Uuid::from_u128(1), "tier": "cloud", "head": *self.position.borrow() },
            "lineage": "intact", "erasures": { "through": 0, "clientIds": [] }, "results": results,
        });
        self.respond(200, "application/json", &answer.to_string());
    }

    fn respond(&self, status: u16, content_type: &str, body: &str) {
        self.page.respond(status, content_type, body);
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        self.page.restore();
    }
}
