//! The class that the app sees. JSON text crosses the boundary: small, and the same in every language.

use std::rc::Rc;

use js_sys::{Function, Promise};
use wasm_bindgen::prelude::*;

use super::backup::RestoreError;
use super::device::Device;
use super::outbox_db::DATABASE_NAME;
use super::save_error::SaveError;
use super::task::promise;
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
    #[wasm_bindgen(js_name = useCampaign, unchecked_return_type = "Promise<boolean>")]
    pub fn use_campaign(&self, id: String) -> Promise {
        let device = Rc::clone(&self.device);
        promise(async move { Ok(device.use_campaign(&id).await.into()) })
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
    /// Rejects with `{"code":"invalid","errors":[…]}`, and nothing was stored; or with
    /// `{"code":"storage","message":…}`, when that is not known and saving the same form again is the same lead.
    #[wasm_bindgen(unchecked_return_type = "Promise<string>")]
    pub fn save(&self, form: &str) -> Promise {
        saved(self.device.save(form))
    }

    /// Saves the form as the next version of a lead. Resolves and rejects as `save`.
    #[wasm_bindgen(unchecked_return_type = "Promise<string>")]
    pub fn correct(&self, #[wasm_bindgen(js_name = clientId)] client_id: &str, form: &str) -> Promise {
        saved(self.device.correct(client_id, form))
    }

    /// Takes a lead back. Resolves and rejects as `save`.
    #[wasm_bindgen(js_name = takeBack, unchecked_return_type = "Promise<string>")]
    pub fn take_back(&self, #[wasm_bindgen(js_name = clientId)] client_id: &str) -> Promise {
        saved(self.device.take_back(client_id))
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
    #[wasm_bindgen(js_name = isEmailKnown, unchecked_return_type = "Promise<boolean>")]
    pub fn is_email_known(&self, email: String) -> Promise {
        let device = Rc::clone(&self.device);
        promise(async move { Ok(device.is_email_known(&email).await.into()) })
    }

    /// What a person may want to know about this device:
    /// `{"deviceId","version","operator","storage":{"persisted","usage","quota"},
    /// "lost":[{"deviceId","savedThrough","missing"}],"lastContactAt","lastBackupAt"}`.
    #[wasm_bindgen(unchecked_return_type = "Promise<string>")]
    pub fn state(&self) -> Promise {
        let device = Rc::clone(&self.device);
        promise(async move { Ok(device.state().await.into()) })
    }

    /// How this device stands with its store: `{"state","deviceName","campaignId"}`, the state one of `unknown`, `none`,
    /// `connected`, `refused` and `revoked`.
    pub fn enrolment(&self) -> String {
        self.device.enrolment()
    }

    /// Calls back with that, at once and on each change.
    #[wasm_bindgen(js_name = onEnrolment)]
    pub fn on_enrolment(
        &self,
        #[wasm_bindgen(unchecked_param_type = "(enrolment: string) => void")] callback: Function,
    ) {
        self.device.on_enrolment(callback);
    }

    /// Lets this device in by a one-time code. Resolves with how it stands then; rejects with `{"code"}`, one of
    /// `unreachable`, `code`, `busy`, `insecure` and `storage`.
    #[wasm_bindgen(unchecked_return_type = "Promise<string>")]
    pub fn enrol(&self, code: String) -> Promise {
        let device = Rc::clone(&self.device);
        promise(async move {
            let enrolled = device.enrol(&code).await;
            enrolled.map(Into::into).map_err(|error| JsValue::from_str(&error.to_json()))
        })
    }

    /// Another person captures from here on; an empty name is nobody's. `expiresIn`: how many seconds the session lasts, of
    /// somebody who has signed in. Whoever was signed in before is so no more.
    #[wasm_bindgen(js_name = handOver, unchecked_return_type = "Promise<void>")]
    pub fn hand_over(
        &self,
        operator: String,
        #[wasm_bindgen(js_name = expiresIn)] expires_in: Option<u32>,
    ) -> Promise {
        let device = Rc::clone(&self.device);
        promise(async move {
            let kept = device.hand_over(&operator, expires_in).await;
            answered(kept.map(|()| JsValue::UNDEFINED).map_err(RestoreError::Storage))
        })
    }

    /// The backups of every installation: the store's JSON. Rejects with `{"code","message"}`.
    #[wasm_bindgen(unchecked_return_type = "Promise<string>")]
    pub fn backups(&self) -> Promise {
        let device = Rc::clone(&self.device);
        promise(async move { answered(device.backups().await.ok_or(RestoreError::Unreachable)) })
    }

    /// Takes a backup into this outbox. Resolves with `{"restored","known","unreadable"}`; rejects with
    /// `{"code","message"}`.
    #[wasm_bindgen(js_name = restoreBackup, unchecked_return_type = "Promise<string>")]
    pub fn restore_backup(
        &self,
        #[wasm_bindgen(js_name = deviceId)] device_id: String,
        version: u32,
    ) -> Promise {
        let device = Rc::clone(&self.device);
        promise(async move { answered(device.restore_backup(&device_id, version).await) })
    }

    /// The person knows of the installations whose storage is gone, and is not asked about them any more.
    #[wasm_bindgen(js_name = putLossAside)]
    pub fn put_loss_aside(&self) {
        self.device.put_loss_aside();
    }

    /// The whole outbox as one document. Rejects with `{"code","message"}`.
    #[wasm_bindgen(unchecked_return_type = "Promise<string>")]
    pub fn snapshot(&self) -> Promise {
        let device = Rc::clone(&self.device);
        promise(async move { answered(device.snapshot().await.map_err(RestoreError::Storage)) })
    }

    /// Takes such a document into this outbox. Resolves and rejects as `restoreBackup`.
    #[wasm_bindgen(unchecked_return_type = "Promise<string>")]
    pub fn restore(&self, document: String) -> Promise {
        let device = Rc::clone(&self.device);
        promise(async move { answered(device.restore(&document).await) })
    }

    /// Sends what waits, because a person asked. Resolves with `{"sent","synced","failed","waiting"}`.
    #[wasm_bindgen(unchecked_return_type = "Promise<string>")]
    pub fn sync(&self) -> Promise {
        self.device.sync()
    }

    /// Calls back with the status as JSON, at once and on each change.
    pub fn subscribe(
        &self,
        #[wasm_bindgen(unchecked_param_type = "(status: string) => void")] callback: Function,
    ) {
        self.device.subscribe(callback);
    }
}

fn saved(outcome: impl Future<Output = Result<EntryRecord, SaveError>> + 'static) -> Promise {
    promise(async move {
        let record = outcome.await.map_err(|error| JsValue::from_str(&error.to_json()))?;
        let mut it = Fields::new();
        it.text("clientId", &record.client_id.to_string());
        it.number("deviceSeq", record.device_seq);
        Ok(it.end().into())
    })
}

fn answered(answer: Result<impl Into<JsValue>, RestoreError>) -> Result<JsValue, JsValue> {
    answer.map(Into::into).map_err(|error| JsValue::from_str(&error.to_json()))
}
