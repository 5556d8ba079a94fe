//! Who and what this installation is: its name, its person, its storage, and whether there was another one
//! here before.
//!
//! **An unexpectedly empty database.** Beside the database, in the page's local storage, stands which
//! installation last saved a lead here and under which number. When the app opens and finds another
//! installation there than its own, and no entry of that one, the database was wiped, and the person is offered the
//! restore. Where everything was wiped, nothing can be known, and the restore is a button on the device page. A page
//! that is open while the database is wiped puts back what it knows (`Device::read_whole`).

use std::rc::Rc;

use domain::DeviceId;

use super::clock;
use super::device::Device;
use super::idb::StorageError;
use super::web;
use crate::engine::record::EntryRecord;
use crate::json::{Fields, Object, writer};

/// Setting that holds the name of the person who captures.
pub(super) const OPERATOR: &str = "operator";

/// Name in the local storage of the installation that last saved a lead here.
const PRESENT: &str = "leadlog-installation";

/// Name in the local storage of an installation that is gone.
const LOST: &str = "leadlog-lost-installation";

/// How long the preflight of an e-mail may take, in milliseconds (CAP-4).
const EMAIL_TIMEOUT_MS: u32 = 800;

/// Longest name of a person, in characters; a store takes no more.
const MAX_OPERATOR_CHARS: usize = domain::Entry::MAX_OPERATOR_CHARS;

/// An installation and the highest number that it has saved.
pub(super) type Lost = (String, u64);

/// What was here before this installation, if its storage is gone, and none of its entries is among these.
pub(super) fn lost_before(device_id: &DeviceId, entries: &[EntryRecord]) -> Option<Lost> {
    let read = |text: String| {
        let it = Object::read(&text)?;
        Some((it.text("deviceId")?, it.number("savedThrough")?))
    };
    if let Some(text) = web::recall(PRESENT)
        && let Some(present) = read(text.clone())
        && present.0 != device_id.as_str()
        && !entries.iter().any(|entry| entry.device_id.as_str() == present.0)
    {
        web::remember(LOST, Some(&text));
        web::remember(PRESENT, None);
        return Some(present);
    }
    web::recall(LOST).and_then(read)
}

/// The person that the setting names.
pub(super) fn operator_of(setting: &str) -> Option<String> {
    Object::read(setting)?.text("name").filter(|name| !name.is_empty())
}

impl Device {
    /// Notes outside of the database that there is something in it.
    pub(super) fn mark_presence(&self, record: &EntryRecord) {
        let mut it = Fields::new();
        it.text("deviceId", record.device_id.as_str());
        it.number("savedThrough", record.device_seq);
        web::remember(PRESENT, Some(&it.end()));
    }

    /// What is gone is not asked about any more.
    pub fn forget_lost(&self) {
        self.lost.borrow_mut().take();
        web::remember(LOST, None);
    }

    /// Another person captures from here on; an empty name is nobody's.
    ///
    /// # Errors
    /// When the disk does not keep it; the name holds until the page goes.
    pub async fn hand_over(&self, name: &str) -> Result<(), StorageError> {
        let name: String = name.trim().chars().take(MAX_OPERATOR_CHARS).collect();
        let name = Some(name).filter(|name| !name.is_empty());
        let mut it = Fields::new();
        it.text("name", name.as_deref().unwrap_or_default());
        *self.operator.borrow_mut() = name;
        self.db.put_setting(OPERATOR, &it.end()).await
    }

    /// Whether a store knows this address already. Nobody who answers in time is a no.
    pub async fn is_email_known(self: &Rc<Self>, email: &str) -> bool {
        let Some(campaign) = self.campaigns.newest_id() else { return false };
        let mut url = self.url(0, "/api/leads/check-email?campaign=");
        url.push_str(campaign.as_str());
        url.push_str("&email=");
        url.extend(js_sys::encode_uri_component(email).as_string());
        let answer = web::ask("GET", &url, None, EMAIL_TIMEOUT_MS).await;
        answer.is_some_and(|answer| Object::read(&answer).is_some_and(|it| it.is_true("known")))
    }

    /// What a person may want to know about this device, as JSON.
    pub async fn state(self: &Rc<Self>) -> String {
        let storage = web::storage_state().await;
        let time = |at: Option<i64>| at.map_or_else(|| "null".to_owned(), |at| at.to_string());
        let mut it = Fields::new();
        it.text("deviceId", self.device_id.as_str());
        it.text("version", env!("CARGO_PKG_VERSION"));
        let operator = self.operator.borrow().as_deref().map(writer::text);
        it.raw("operator", operator.as_deref().unwrap_or("null"));
        it.raw_if("storage", storage);
        let lost = self.lost.borrow().as_ref().map(|(device_id, saved_through)| {
            let mut it = Fields::new();
            it.text("deviceId", device_id);
            it.number("savedThrough", *saved_through);
            it.end()
        });
        it.raw("lost", lost.as_deref().unwrap_or("null"));
        it.raw("lastContactAt", &time(self.last_contact_at.get()));
        it.raw("lastBackupAt", &time(self.last_backup_at.get()));
        it.end()
    }

    /// A store has answered.
    pub(super) fn heard_of_a_store(&self) {
        self.last_contact_at.set(Some(clock::moment().unix_ms));
    }
}
