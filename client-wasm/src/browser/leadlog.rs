//! The class that the app sees. JSON text crosses the boundary: small, and the same in every language.

use std::rc::Rc;

use domain::SHOOTOUT_2026;
use js_sys::Function;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;

use super::device::Device;
use super::outbox_db::DATABASE_NAME;
use crate::engine::stored;
use crate::json::Fields;

/// This installation of Leadlog.
#[wasm_bindgen]
pub struct Leadlog {
    device: Rc<Device>,
}

#[wasm_bindgen]
impl Leadlog {
    /// Opens this device's outbox and starts its engine. `baseUrl` is where the API is, without a path.
    /// Rejects with a text when the browser gives no storage.
    pub async fn open(#[wasm_bindgen(js_name = baseUrl)] base_url: String) -> Result<Leadlog, JsValue> {
        Ok(Self { device: Device::open(&base_url, DATABASE_NAME).await? })
    }

    /// The campaign document, as JSON.
    pub fn campaign(&self) -> String {
        SHOOTOUT_2026.to_owned()
    }

    /// Every rule that the form breaks, as a JSON array of `{field, code}`.
    pub fn check(&self, form: &str) -> String {
        let errors = self.device.check(form);
        let mut array = String::from("[");
        for error in &errors {
            if array.len() > 1 {
                array.push(',');
            }
            array.push_str(&stored::write_field_error(error));
        }
        array.push(']');
        array
    }

    /// Saves the form. Resolves with `{"clientId","deviceSeq"}` when the lead is durable and was read back.
    /// Rejects with `{"code":"invalid","errors":[…]}` or `{"code":"storage","message":…}`; then nothing
    /// was stored.
    pub async fn save(&self, form: String) -> Result<String, JsValue> {
        let device = Rc::clone(&self.device);
        match device.save(&form).await {
            Ok(saved) => {
                let mut it = Fields::new();
                it.text("clientId", &saved.client_id.to_string());
                it.number("deviceSeq", saved.device_seq);
                Ok(it.end())
            }
            Err(error) => Err(JsValue::from_str(&error.to_json())),
        }
    }

    /// Sends what waits, because a person asked. Resolves with `{"sent","synced","failed","waiting"}`.
    pub async fn sync(&self) -> Result<String, JsValue> {
        let summary = self.device.sync();
        JsFuture::from(summary).await.map(|summary| summary.as_string().unwrap_or_default())
    }

    /// Calls back with the status as JSON, at once and on each change.
    pub fn subscribe(
        &self,
        #[wasm_bindgen(unchecked_param_type = "(status: string) => void")] callback: Function,
    ) {
        self.device.subscribe(callback);
    }
}
