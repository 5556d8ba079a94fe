//! Forms that were saved while this library could not start: database `leadlog-pending`.
//!
//! The reduced mode of the app keeps them, in a database of its own so that neither can harm the other's. Here
//! each becomes an entry of the outbox under the id and the moment that it was given then, and is deleted only
//! after that. A crash in between is harmless: the same id is the same lead. What cannot be read stays where it
//! is.

use domain::ClientId;
use wasm_bindgen::JsValue;

use super::idb::{Connection, Mode, StorageError, text};
use super::outbox_db::OutboxDb;
use crate::capture::Capture;
use crate::engine::record::EntryRecord;
use crate::json::{self, Object};

/// The database of the reduced mode.
const DATABASE_NAME: &str = "leadlog-pending";

/// Never a second version: the reduced mode of any version of the app must be able to open it.
const SCHEMA: &str = r#"[{"forms": {"keyPath": "clientId"}}]"#;

const FORMS: &str = "forms";

/// A form that is no entry yet.
pub struct PendingForm {
    /// The lead that it becomes.
    pub client_id: ClientId,
    /// When it was saved, in milliseconds since 1970 by the device's clock.
    pub saved_at: i64,
    /// Minutes east of Greenwich, where the device was.
    pub offset_minutes: i32,
    /// Who captured it, where that was said.
    pub operator: Option<String>,
    /// What was typed, as JSON.
    pub form: String,
}

impl PendingForm {
    /// Reads one. `None` when it is something else, or a later version of the app wrote it.
    pub fn read(json: &str) -> Option<Self> {
        let it = Object::read(json)?;
        it.number("v").filter(|v| *v == 1)?;
        Some(Self {
            client_id: it.parsed("clientId")?,
            saved_at: it.raw("savedAt")?.text().parse().ok()?,
            offset_minutes: it.raw("offsetMinutes")?.text().parse().ok()?,
            operator: it.text("operator"),
            form: it.text("form")?,
        })
    }
}

/// Makes an entry of every form that waits. Returns the entries that were made, and how many forms could not be
/// read or not be saved: they wait on.
///
/// # Errors
/// When what waits cannot be read at all.
pub async fn take_over(
    db: &OutboxDb,
    make: impl Fn(&PendingForm) -> Option<Capture>,
) -> Result<(Vec<EntryRecord>, usize), StorageError> {
    let pending = Connection::new(DATABASE_NAME, SCHEMA);
    let transaction = pending.begin(FORMS, Mode::Read).await?;
    let all = transaction.ask(FORMS, "getAll", &JsValue::UNDEFINED, &JsValue::UNDEFINED).await?;
    let all = text(&all).unwrap_or_default();
    let (mut entries, mut left) = (Vec::new(), 0);
    for json in json::items(&all).unwrap_or_default() {
        let form = PendingForm::read(json.text());
        let capture = form.as_ref().and_then(&make);
        let (Some(form), Some(capture)) = (form, capture) else {
            left += 1;
            continue;
        };
        // Nothing is lost while the outbox refuses.
        let Ok(made) = save(db, &form, &capture).await else {
            left += 1;
            continue;
        };
        entries.extend(made);
        // Fails harmlessly: it is the same lead the next time.
        let _ = forget(&pending, &form.client_id, json.text()).await;
    }
    Ok((entries, left))
}

/// The entry, unless it was made before: then a crash has kept the form from being deleted.
async fn save(
    db: &OutboxDb,
    form: &PendingForm,
    capture: &Capture,
) -> Result<Option<EntryRecord>, StorageError> {
    // Under the same id but of another moment, it was typed anew meanwhile.
    if db.is_saved(form.client_id, form.saved_at).await? {
        return Ok(None);
    }
    db.save(capture, form.saved_at).await.map(Some)
}

/// Deletes a form, unless somebody has changed it since it was read.
async fn forget(pending: &Connection, client_id: &ClientId, read: &str) -> Result<(), StorageError> {
    let transaction = pending.begin(FORMS, Mode::Write).await?;
    let key = JsValue::from_str(&client_id.to_string());
    let present = transaction.get(FORMS, &key).await?;
    if text(&present).as_deref() == Some(read) {
        transaction.ask(FORMS, "delete", &key, &JsValue::UNDEFINED).await?;
    }
    transaction.commit().await
}
