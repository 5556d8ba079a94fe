//! The class that the app sees. JSON text crosses the boundary: small, and the same in every language.

use std::rc::Rc;

use js_sys::Function;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;

use super::backup::RestoreError;
use super::device::Device;
use super::outbox_db::DATABASE_NAME;
use super::save_error::SaveError;
use crate::engine::record::EntryRecord;
use crate::engine::stored;
use crate::json::{Fields, writer};

/// This installation of Leadlog.
#[wasm_bindgen]
pub struct Leadlog {
    device: Rc<Device>,
}

#[wasm_bindgen]
impl Leadlog {
    /// Opens this device's outbox and starts its engine. `baseUrl` is where the API is, without a path;
    /// `campaign` the document that ships with the app. Rejects with a text when the browser gives no storage.
    pub async fn open(
        #[wasm_bindgen(js_name = baseUrl)] base_url: String,
        campaign: String,
    ) -> Result<Leadlog, JsValue> {
        Ok(Self { device: Device::open(&base_url, DATABASE_NAME, &campaign).await? })
    }

    /// The newest campaign document that this device holds.
    pub fn campaign(&self) -> String {
        self.device.campaign()
    }

    /// Uses another campaign from here on. Resolves with whether that is so now.
    #[wasm_bindgen(js_name = useCampaign)]
    pub async fn use_campaign(&self, id: String) -> bool {
        self.device.use_campaign(&id).await
    }

    /// Calls back with each newer document.
    #[wasm_bindgen(js_name = onCampaign)]
    pub fn on_campaign(
        &self,
        #[wasm_bindgen(unchecked_param_type = "(campaign: string) => void")] callback: Function,
    ) {
        self.device.on_campaign(callback);
    }

    /// Every rule that the form breaks, as a JSON array of `{field, code}`.
    pub fn check(&self, form: &str) -> String {
        let errors: Vec<String> = self.device.check(form).iter().map(stored::write_field_error).collect();
        writer::array(&errors)
    }

    /// Saves the form. Resolves with `{"clientId","deviceSeq"}` when the lead is durable and was read back.
    /// Rejects with `{"code":"invalid","errors":[…]}` or `{"code":"storage","message":…}`; then nothing
    /// was stored.
    pub async fn save(&self, form: String) -> Result<String, JsValue> {
        saved(Rc::clone(&self.device).save(&form).await)
    }

    /// Saves the form as the next version of a lead. Resolves and rejects as `save`.
    pub async fn correct(
        &self,
        #[wasm_bindgen(js_name = clientId)] client_id: String,
        form: String,
    ) -> Result<String, JsValue> {
        saved(Rc::clone(&self.device).correct(&client_id, &form).await)
    }

    /// Takes a lead back. Resolves and rejects as `save`.
    #[wasm_bindgen(js_name = takeBack)]
    pub async fn take_back(
        &self,
        #[wasm_bindgen(js_name = clientId)] client_id: String,
    ) -> Result<String, JsValue> {
        saved(Rc::clone(&self.device).take_back(&client_id).await)
    }

    /// What stands in the form of a lead:
    /// `{"clientId","isTakenBack","campaignVersion","contact":{…},"consents":[…],"language"}`, while its data is
    /// on this device.
    pub fn lead(&self, #[wasm_bindgen(js_name = clientId)] client_id: &str) -> Option<String> {
        self.device.lead(client_id)
    }

    /// `{"leads":[{"clientId","name","savedAt","state","place","errors","isTakenBack","canChange"}]}`: those that
    /// failed first, then the newest, at most `limit`.
    pub fn leads(&self, limit: usize) -> String {
        self.device.leads(limit)
    }

    /// Whether a store knows this address; no answer in time is a no.
    #[wasm_bindgen(js_name = isEmailKnown)]
    pub async fn is_email_known(&self, email: String) -> bool {
        self.device.is_email_known(&email).await
    }

    /// What a person may want to know about this device:
    /// `{"deviceId","version","operator","storage":{"persisted","usage","quota"},"lost","lastContactAt","lastBackupAt"}`.
    pub async fn state(&self) -> String {
        Rc::clone(&self.device).state().await
    }

    /// Another person captures from here on.
    #[wasm_bindgen(js_name = handOver)]
    pub async fn hand_over(&self, operator: String) -> Result<(), JsValue> {
        let device = Rc::clone(&self.device);
        device.hand_over(&operator).await.map_err(|error| refused(&RestoreError::Storage(error)))
    }

    /// The backups of every installation: the store's JSON. Rejects with `{"code","message"}`.
    pub async fn backups(&self) -> Result<String, JsValue> {
        self.device.backups().await.ok_or_else(|| refused(&RestoreError::Unreachable))
    }

    /// Takes a backup into this outbox. Resolves with `{"restored","known","unreadable"}`; rejects with
    /// `{"code","message"}`.
    #[wasm_bindgen(js_name = restoreBackup)]
    pub async fn restore_backup(
        &self,
        #[wasm_bindgen(js_name = deviceId)] device_id: String,
        version: u32,
    ) -> Result<String, JsValue> {
        Rc::clone(&self.device).restore_backup(&device_id, version).await.map_err(|error| refused(&error))
    }

    /// The installation whose storage is gone is not asked about any more.
    #[wasm_bindgen(js_name = forgetLost)]
    pub fn forget_lost(&self) {
        self.device.forget_lost();
    }

    /// The whole outbox as one document. Rejects with `{"code","message"}`.
    pub async fn snapshot(&self) -> Result<String, JsValue> {
        let device = Rc::clone(&self.device);
        device.snapshot().await.map_err(|error| refused(&RestoreError::Storage(error)))
    }

    /// Takes such a document into this outbox. Resolves and rejects as `restoreBackup`.
    pub async fn restore(&self, document: String) -> Result<String, JsValue> {
        Rc::clone(&self.device).restore(&document).await.map_err(|error| refused(&error))
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

fn saved(outcome: Result<EntryRecord, SaveError>) -> Result<String, JsValue> {
    let record = outcome.map_err(|error| JsValue::from_str(&error.to_json()))?;
    let mut it = Fields::new();
    it.text("clientId", &record.client_id.to_string());
    it.number("deviceSeq", record.device_seq);
    Ok(it.end())
}

fn refused(error: &RestoreError) -> JsValue {
    JsValue::from_str(&error.to_json())
}
