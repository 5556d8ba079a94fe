//! What every test of the shell needs: a form, the disk as another connection sees it, the status.

use std::cell::RefCell;
use std::rc::Rc;

use domain::{Campaign, ClientId, DeviceId, SHOOTOUT_2026, Timestamp};
use js_sys::Promise;
use leadlog_client::browser::{Device, OutboxDb};
use leadlog_client::capture::{Capture, Moment};
use leadlog_client::engine::record::{EntryRecord, Records};
use serde_json::Value;
use uuid::Uuid;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::{IdbDatabase, IdbRequest};

/// Nobody listens there: port 9 is `discard`, which browsers refuse to connect to.
pub(crate) const NOWHERE: &str = "http://127.0.0.1:9";

pub(crate) const FORM: &str = r#"{"firstName":"Zażółć","lastName":"Gęślą","email":"anna@example.com","phone":"","consents":["terms"],"language":"pl"}"#;

pub(crate) fn now() -> Timestamp {
    Timestamp::from_unix_ms(js_sys::Date::now() as i64, 0).unwrap()
}

pub(crate) fn capture(device_id: &DeviceId) -> Capture {
    let mut random = [0; 16];
    web_sys::window().unwrap().crypto().unwrap().get_random_values_with_u8_array(&mut random).unwrap();
    let id = ClientId::new(Uuid::from_bytes(random));
    let moment = Moment { unix_ms: 0, offset_minutes: 0 };
    Capture::new(&Campaign::parse(SHOOTOUT_2026).unwrap(), FORM, id, device_id.clone(), moment).unwrap()
}

/// Opens the device with the campaign that ships with the app.
pub(crate) async fn open_at(base_url: &str, database: &str) -> Result<Rc<Device>, JsValue> {
    Device::open(base_url, database, SHOOTOUT_2026).await
}

/// The entries as a second connection sees them, without the library's own code for reading.
pub(crate) async fn records(database: &str) -> Vec<EntryRecord> {
    serde_json::from_value(raw(database, "entries").await).unwrap()
}

/// Everything in one store, in the order of its keys.
pub(crate) async fn raw(database: &str, store: &str) -> Value {
    let connection = connection(database).await;
    let all = connection.transaction_with_str(store).unwrap().object_store(store).unwrap().get_all().unwrap();
    let all = finished(&all).await.unwrap();
    connection.close();
    serde_json::from_str(&String::from(js_sys::JSON::stringify(&all).unwrap())).unwrap()
}

/// A connection of its own to a database that is there.
pub(crate) async fn connection(database: &str) -> IdbDatabase {
    let factory = web_sys::window().unwrap().indexed_db().unwrap().unwrap();
    finished(factory.open(database).unwrap().unchecked_ref()).await.unwrap().unchecked_into()
}

pub(crate) async fn finished(request: &IdbRequest) -> Result<JsValue, JsValue> {
    let promise = Promise::new(&mut |resolve, reject| {
        request.set_onsuccess(Some(&resolve));
        request.set_onerror(Some(&reject));
    });
    JsFuture::from(promise).await?;
    request.result()
}

/// Reads until this many marks are on the disk.
pub(crate) async fn until_marked(database: &str, marks: usize) -> Records {
    let (db, _) = OutboxDb::open(database).await.unwrap();
    loop {
        let (records, _) = db.read_all(false).await.unwrap();
        if records.marks.len() >= marks {
            return records;
        }
    }
}

pub(crate) fn last_status(device: &Device) -> Value {
    let seen = Rc::new(RefCell::new(None));
    let keep = Rc::clone(&seen);
    let callback = Closure::<dyn FnMut(String)>::new(move |status| *keep.borrow_mut() = Some(status));
    device.subscribe(callback.into_js_value().unchecked_into());
    let status = seen.borrow().clone().expect("subscribing tells the status at once");
    serde_json::from_str(&status).unwrap()
}

/// Waits until the status is as wanted.
pub(crate) async fn until(
    device: &Device,
    statuses: &Rc<RefCell<Vec<Value>>>,
    wanted: fn(&Value) -> bool,
) -> Value {
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
