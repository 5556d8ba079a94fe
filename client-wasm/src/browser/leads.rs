//! What people do with leads on this device: save one, fix it, take it back.

use std::rc::Rc;

use domain::{Campaign, ClientId, ErrorCode, FieldError};

use super::clock;
use super::device::Device;
use super::idb::StorageError;
use super::save_error::SaveError;
use super::signals::News;
use super::task::spawn;
use super::web;
use crate::capture::{Capture, Moment, saved_lead};
use crate::engine::Input;
use crate::engine::custody::Place;
use crate::engine::listing::LeadRow;
use crate::engine::record::{EntryRecord, Records};
use crate::engine::status::EntryStatus;
use crate::engine::stored;
use crate::json::{Fields, Object, Raw, writer};

/// How long a store may take to say whether it knows an e-mail, in milliseconds (CAP-4).
const EMAIL_TIMEOUT_MS: u32 = 800;

impl Device {
    /// Every rule that what was typed breaks.
    pub fn check(&self, form_json: &str) -> Vec<FieldError> {
        self.campaigns.judging(form_json, |campaign| Capture::check(campaign, form_json)).unwrap_or_default()
    }

    /// Saves a lead. Resolves when it is durable; never waits for the network or for the engine.
    ///
    /// # Errors
    /// [`SaveError`]; the text must stay in the form. After [`SaveError::Invalid`] nothing was stored; after
    /// [`SaveError::Storage`] that is not known, and saving the same form again is the same lead.
    pub fn save(
        self: &Rc<Self>,
        form_json: &str,
    ) -> impl Future<Output = Result<EntryRecord, SaveError>> + use<> {
        let wish = self.wish(said(form_json), &|moment| {
            let client_id =
                clock::new_client_id(moment.unix_ms).map_err(|error| StorageError::from_js(&error))?;
            self.judged(form_json, &|campaign| {
                let capture =
                    Capture::new(campaign, form_json, client_id, self.device_id.borrow().clone(), moment)?;
                // A later version keeps the name of who captured the lead.
                Ok(capture.by(self.operator.borrow().clone()))
            })
        });
        Rc::clone(self).keep(wish)
    }

    /// Saves what was typed as the next version of a lead.
    ///
    /// # Errors
    /// As [`Self::save`]; `version` when the lead is not on this device, or not any more.
    pub fn correct(
        self: &Rc<Self>,
        client_id: &str,
        form_json: &str,
    ) -> impl Future<Output = Result<EntryRecord, SaveError>> + use<> {
        let wish = self.wish([client_id, &said(form_json)].concat(), &|moment| {
            let saved = self.newest_text(client_id)?;
            self.judged(form_json, &|campaign| {
                Capture::corrected(campaign, &saved, form_json, self.device_id.borrow().clone(), moment)
            })
        });
        Rc::clone(self).keep(wish)
    }

    /// Takes a lead back: its next version.
    ///
    /// # Errors
    /// As [`Self::correct`].
    pub fn take_back(
        self: &Rc<Self>,
        client_id: &str,
    ) -> impl Future<Output = Result<EntryRecord, SaveError>> + use<> {
        let wish = self.wish(client_id.to_owned(), &|moment| {
            let saved = self.newest_text(client_id)?;
            Capture::voided(&saved, self.device_id.borrow().clone(), moment).map_err(SaveError::Invalid)
        });
        Rc::clone(self).keep(wish)
    }

    fn judged(
        &self,
        form_json: &str,
        judge: &dyn Fn(&Campaign) -> Result<Capture, Vec<FieldError>>,
    ) -> Result<Capture, SaveError> {
        let judged = self.campaigns.judging(form_json, judge);
        judged.unwrap_or_else(|| Err(malformed())).map_err(SaveError::Invalid)
    }

    /// What a person asks for, by these words. Asked again after the disk failed, it is the same entry, so that it
    /// cannot become two.
    fn wish(
        &self,
        words: String,
        make: &dyn Fn(Moment) -> Result<Capture, SaveError>,
    ) -> Result<Wish, SaveError> {
        let moment = clock::moment();
        let mut unsettled = self.unsettled.borrow_mut();
        let failed = unsettled.iter().position(|(known, _)| *known == words);
        let capture = match failed {
            Some(at) => unsettled.swap_remove(at).1,
            None => make(moment)?,
        };
        // What was wished of this lead before is over: asked for once more, it is a wish of its own.
        unsettled.retain(|(_, known)| known.client_id() != capture.client_id());
        Ok(Wish { words, capture, saved_at: moment.unix_ms })
    }

    /// Writes an entry.
    async fn keep(self: Rc<Self>, wish: Result<Wish, SaveError>) -> Result<EntryRecord, SaveError> {
        let Wish { words, capture, saved_at } = wish?;
        let record = match self.db.save(&capture, saved_at).await {
            Ok(record) => record,
            Err(error) => {
                self.unsettled.borrow_mut().push((words, capture));
                self.disk_is_ahead();
                return Err(error.into());
            }
        };
        let records = Records { entries: vec![record.clone()], ..Records::default() };
        self.tell_tabs(News { epoch: None, records });
        self.look_around();
        self.presence.mark(&record.device_id, record.device_seq);
        self.tell(Input::Saved(record.clone()));
        if *self.device_id.borrow() != record.device_id {
            // The storage was wiped under this page, and another installation has begun there.
            spawn(Rc::clone(&self).start_anew(None));
        }
        if !self.has_asked_to_persist.replace(true) {
            // At the first save, because browsers judge by use.
            web::ask_to_persist();
            self.look_at_storage();
        }
        Ok(record)
    }

    /// Whether this address is on the list already: on this device, or at a store that answers in time (CAP-4).
    pub async fn is_email_known(self: &Rc<Self>, email: &str) -> bool {
        let Some(campaign) = self.campaigns.newest_id() else { return false };
        if self.engine.borrow().knows_email(&campaign, email) {
            return true;
        }
        let nearest = self.nearest();
        let mut url = self.url(nearest, "/api/leads/check-email?campaign=");
        url.push_str(campaign.as_str());
        url.push_str("&email=");
        url.extend(js_sys::encode_uri_component(email).as_string());
        let Some(token) = self.token_at_hand(nearest) else { return false };
        let answer = web::ask_with("GET", &url, None, EMAIL_TIMEOUT_MS, &token).await;
        let answer = match answer {
            Ok(answer) => answer,
            Err(web::Refused::Token) => {
                self.token_refused(nearest, &token);
                None
            }
            Err(web::Refused::Scope) => {
                self.shut_out(nearest, &token);
                None
            }
        };
        answer.is_some_and(|answer| Object::read(&answer).is_some_and(|it| it.is_true("known")))
    }

    fn newest_text(&self, client_id: &str) -> Result<String, SaveError> {
        let engine = self.engine.borrow();
        let newest = client_id.parse::<ClientId>().ok().and_then(|id| engine.newest_version(id));
        newest.map(|record| record.entry.clone()).ok_or_else(|| SaveError::Invalid(malformed()))
    }

    /// The newest version of a lead as JSON, while its data is on this device.
    pub fn lead(&self, client_id: &str) -> Option<String> {
        saved_lead(&self.newest_text(client_id).ok()?)
    }

    /// At most this many leads, as JSON.
    pub fn leads(&self, limit: usize) -> String {
        let mut list = Fields::new();
        list.list("leads", &self.engine.borrow().leads(limit), write_row);
        list.end()
    }
}

/// What a person asked for.
struct Wish {
    words: String,
    capture: Capture,
    /// In milliseconds since 1970.
    saved_at: i64,
}

/// What a person said in a form. When it was ticked, and in which language, is beside that: who ticks again after the disk
/// has failed wishes the same, and the first tick proves it.
fn said(form_json: &str) -> String {
    let Some(form) = Object::read(form_json) else { return form_json.to_owned() };
    let fields = ["firstName", "lastName", "email", "phone", "consents", "campaignVersion"];
    fields.map(|name| form.raw(name).map_or("", Raw::text)).join(",")
}

/// The lead is not there to be changed.
fn malformed() -> Vec<FieldError> {
    vec![FieldError::new("version", ErrorCode::Malformed)]
}

fn write_row(row: &LeadRow) -> String {
    let flag = |is_set: bool| if is_set { "true" } else { "false" };
    let mut it = Fields::new();
    it.text("clientId", &row.client_id.to_string());
    it.text("name", &row.name);
    it.raw("savedAt", &row.saved_at.to_string());
    it.text(
        "state",
        match row.status {
            EntryStatus::Pending => "pending",
            EntryStatus::Syncing => "syncing",
            EntryStatus::Synced => "synced",
            EntryStatus::Failed => "failed",
        },
    );
    it.text(
        "place",
        match row.place {
            Place::Device => "device",
            Place::Hub => "hub",
            Place::Cloud => "cloud",
        },
    );
    let errors: Vec<String> = row.errors.iter().map(stored::write_field_error).collect();
    it.raw("errors", &writer::array(&errors));
    it.raw("isTakenBack", flag(row.is_taken_back));
    it.raw("canChange", flag(row.can_change));
    it.end()
}
