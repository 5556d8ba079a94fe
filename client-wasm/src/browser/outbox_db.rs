//! The outbox on disk: database `leadlog-outbox`.
//!
//! | store | key | holds | written |
//! | --- | --- | --- | --- |
//! | `entries` | `key` | [`EntryRecord`], unique by lead and version, and by installation and number | once; later only to remove personal data |
//! | `marks` | `key` | `Mark`: what stores have said | by the engine |
//! | `meta` | name | `installation`: the device id; `installation/…`: what stood there and could not be read; `stores`: `Stores`; `epoch`: a number; `setting/…`: text | |
//!
//! **The numbers** of the next entry are those after the highest that are there: entries are never deleted. So a Save
//! writes one record and nothing else. Two tabs that take the same number cannot both keep it, because it is unique; and
//! as long as no other number was taken, a page need not look.
//!
//! **The epoch** guards what the engine writes. Several tabs share this database, and one that was frozen for
//! an hour must not write back receipts that another has voided since. A tab that begins to send counts the
//! epoch up in the very transaction in which it reads everything ([`OutboxDb::read_all`]); every write of an
//! engine names the epoch that it was read under, and is refused under another ([`OutboxDb::put`]). A Save
//! names none: nothing keeps a person from saving.

use std::cell::RefCell;

use domain::{ClientId, DeviceId};
use js_sys::{Array, JSON, Math};
use wasm_bindgen::JsValue;

use super::clock;
use super::idb::{Connection, Mode, StorageError, Transaction, text, within};
use super::installation::{Installation, Numbering};
use crate::capture::Capture;
use crate::engine::record::{EntryRecord, Records};
use crate::engine::stored;
use crate::json::{self, Fields, writer};

/// The database of the app.
pub const DATABASE_NAME: &str = "leadlog-outbox";

/// What each version of the schema adds to the one before.
const SCHEMA: &str = r#"[{
    "entries": {"keyPath": "key", "indexes": {"byLead": ["clientId", "version"], "bySeq": ["deviceId", "deviceSeq"]}},
    "marks": {"keyPath": "key"},
    "meta": {}
}]"#;

const ENTRIES: &str = "entries";
const BY_LEAD: &str = "entries.byLead";
const BY_SEQ: &str = "entries.bySeq";
const MARKS: &str = "marks";
const META: &str = "meta";
const EVERYTHING: &str = "entries marks meta";
const INSTALLATION: &str = "installation";
const STORES: &str = "stores";
const EPOCH: &str = "epoch";
/// What a Save looks at that knows no numbers.
const ENTRIES_AND_META: &str = "entries meta";

/// Records read at once. Bounds the memory of a read, not of the outbox.
const MAX_RECORDS_PER_READ: u32 = 500;

/// Records restored in one transaction. A Save waits for no more than that.
const MAX_RECORDS_PER_RESTORE: usize = 200;

/// Above it, the browser cannot tell two numbers apart.
const LAST_NUMBER: u64 = 1 << 53;

/// How long a Save may take before the person is told that the disk does not answer, in milliseconds.
const SAVE_TIMEOUT_MS: i32 = 8_000;

/// Why an engine's write did not happen.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PutError {
    /// Another tab sends now, and may know better.
    #[error("another tab has taken over")]
    Overtaken,
    /// Nothing of it was written.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// The outbox on disk.
pub struct OutboxDb {
    connection: Connection,
    /// The numbers after those of this page's last Save, and the generation of the connection in which they are free, if
    /// no other tab saves. Nobody has them while a Save is under way: should it fail, they would leave a gap.
    next: RefCell<Option<(Numbering, u32)>>,
}

impl OutboxDb {
    /// Opens the database of this name, and makes it when it is not there.
    ///
    /// # Errors
    /// When the browser gives no storage.
    pub async fn open(name: &str) -> Result<(Self, DeviceId), StorageError> {
        let db = Self { connection: Connection::new(name, SCHEMA), next: RefCell::default() };
        let device_id = db.device_id().await?;
        Ok((db, device_id))
    }

    /// The installation, which is made when it is not there.
    ///
    /// # Errors
    /// When the disk cannot be read, or not be written where it must.
    pub async fn device_id(&self) -> Result<DeviceId, StorageError> {
        match self.known_or_new().await {
            Err(StorageError::Closed(_)) => self.known_or_new().await,
            device_id => device_id,
        }
    }

    /// Writes nothing where nothing is to be written: a full disk must not keep the app from starting.
    async fn known_or_new(&self) -> Result<DeviceId, StorageError> {
        let transaction = self.connection.begin(META, Mode::Read).await?;
        if let Ok(known) = installation(&transaction).await? {
            return Ok(known.device_id);
        }
        drop(transaction);
        let transaction = self.connection.begin(ENTRIES_AND_META, Mode::Write).await?;
        let numbering = numbering(&transaction).await?;
        transaction.commit().await?;
        Ok(numbering.device_id)
    }

    /// Writes an entry under the next sequence number. Resolves when it is on the disk *and* a read finds
    /// it (CAP-2, invariant 1).
    ///
    /// # Errors
    /// When it could not be written, or not be read back, or the disk has not answered in time: whether it is on
    /// the disk is then not known, and may change. Saving the same capture again is harmless.
    pub async fn save(&self, capture: &Capture, saved_at: i64) -> Result<EntryRecord, StorageError> {
        let saved = within(SAVE_TIMEOUT_MS, self.write_and_read_back(capture, saved_at)).await;
        if saved == Err(StorageError::TimedOut) {
            self.connection.forget();
        }
        saved
    }

    async fn write_and_read_back(
        &self,
        capture: &Capture,
        saved_at: i64,
    ) -> Result<EntryRecord, StorageError> {
        match self.write_next(capture, saved_at).await {
            Ok(Some(saved)) => return Ok(saved),
            // It is not known which numbers are free, or another tab has used them: with a look at what is there, then.
            Ok(None) | Err(StorageError::Closed(_)) => {}
            Err(error) if is_conflict(&error) => {}
            Err(error) => return Err(error),
        }
        let saved = match self.write(capture, saved_at).await {
            // The browser has closed the connection under us: once more on a fresh one. If the first
            // attempt did reach the disk, the second finds it.
            Err(StorageError::Closed(_)) => self.write(capture, saved_at).await?,
            written => written?,
        };
        match self.look_back(&saved).await {
            Err(StorageError::Closed(_)) => self.look_back(&saved).await?,
            found => found?,
        }
        Ok(saved)
    }

    async fn look_back(&self, saved: &EntryRecord) -> Result<(), StorageError> {
        let transaction = self.connection.begin(ENTRIES, Mode::Read).await?;
        confirm(saved, &transaction.get(ENTRIES, &number(saved.key)).await?)
    }

    /// The Save of nearly every lead, where nothing has to be looked up: its numbers follow those that this page
    /// used last. `None` when it does not know them; then nothing was written.
    async fn write_next(
        &self,
        capture: &Capture,
        saved_at: i64,
    ) -> Result<Option<EntryRecord>, StorageError> {
        let Some((numbering, generation)) = self.next.take() else { return Ok(None) };
        let record = numbering.entry(capture, saved_at);
        match self.connection.add(ENTRIES, generation, &stored::write_entry(&record)).await? {
            Some(true) => {}
            Some(false) => return Err(StorageError::NotReadBack(record.key)),
            None => return Ok(None),
        }
        self.next.replace(Some((Numbering::after(&record), generation)));
        Ok(Some(record))
    }

    /// The Save of a lead that may be there already, by an earlier try or by another tab, or after another tab has
    /// saved.
    async fn write(&self, capture: &Capture, saved_at: i64) -> Result<EntryRecord, StorageError> {
        let transaction = self.connection.begin(ENTRIES_AND_META, Mode::Write).await?;
        let generation = self.connection.generation();
        let mut capture = capture.clone();
        loop {
            let lead = lead_key(capture.client_id(), capture.version());
            let found = transaction.get(BY_LEAD, &lead).await?;
            if found.is_undefined() {
                break;
            }
            // It reached the disk with an earlier try.
            if let Some(saved) = read_entry(&found)
                && saved.entry == capture.to_text(&saved.device_id, saved.device_seq)
            {
                return Ok(saved);
            }
            // Another tab has changed the same lead meanwhile. Both are kept; this one is later.
            capture = capture.with_next_version();
        }
        let record = numbering(&transaction).await?.entry(&capture, saved_at);
        add_entry(&transaction, &record).await?;
        transaction.commit().await?;
        self.next.replace(Some((Numbering::after(&record), generation)));
        Ok(record)
    }

    /// Adds entries of any installation, from a backup or a file, as they are but for their keys. What is here
    /// already, by lead and version or by installation and number, is passed over. Returns what was added.
    ///
    /// # Errors
    /// When the disk refuses; what was added before stays. Doing it again is harmless.
    pub async fn restore(&self, entries: Vec<EntryRecord>) -> Result<Vec<EntryRecord>, StorageError> {
        let mut added = Vec::new();
        for some in entries.chunks(MAX_RECORDS_PER_RESTORE) {
            let before = added.len();
            if let Err(error) = self.restore_some(some, &mut added).await {
                added.truncate(before);
                let StorageError::Closed(_) = error else { return Err(error) };
                self.restore_some(some, &mut added).await?;
            }
        }
        Ok(added)
    }

    /// In one transaction.
    async fn restore_some(
        &self,
        records: &[EntryRecord],
        added: &mut Vec<EntryRecord>,
    ) -> Result<(), StorageError> {
        let transaction = self.connection.begin(ENTRIES_AND_META, Mode::Write).await?;
        let mut key = numbering(&transaction).await?.key;
        for record in records {
            let same_lead = lead_key(record.client_id, record.version);
            let same_seq = pair(record.device_id.as_str(), record.device_seq as f64);
            if !transaction.get(BY_LEAD, &same_lead).await?.is_undefined()
                || !transaction.get(BY_SEQ, &same_seq).await?.is_undefined()
            {
                continue;
            }
            let record = EntryRecord { key, ..record.clone() };
            add_entry(&transaction, &record).await?;
            key += 1;
            added.push(record);
        }
        transaction.commit().await
    }

    /// Whether a version of this lead was saved at this moment.
    pub(crate) async fn is_saved(&self, client_id: ClientId, saved_at: i64) -> Result<bool, StorageError> {
        let transaction = self.connection.begin(ENTRIES, Mode::Read).await?;
        for version in 1.. {
            let found = transaction.get(BY_LEAD, &lead_key(client_id, version)).await?;
            if found.is_undefined() {
                break;
            }
            if read_entry(&found).is_some_and(|saved| saved.saved_at == saved_at) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// What was kept under this name.
    ///
    /// # Errors
    /// When the disk cannot be read.
    pub async fn setting(&self, name: &str) -> Result<Option<String>, StorageError> {
        let transaction = self.connection.begin(META, Mode::Read).await?;
        Ok(transaction.get(META, &setting_key(name).into()).await?.as_string())
    }

    /// Keeps a text under this name, to the character.
    ///
    /// # Errors
    /// When the disk refuses; the text before stays.
    pub async fn put_setting(&self, name: &str, value: &str) -> Result<(), StorageError> {
        let transaction = self.connection.begin(META, Mode::Write).await?;
        put_meta(&transaction, &setting_key(name), &value.into()).await?;
        transaction.commit().await
    }

    /// Writes what the engine wishes, in one transaction, if this is still the epoch that it was opened
    /// under.
    ///
    /// # Errors
    /// When nothing of it was written.
    pub async fn put(&self, records: &Records, epoch: u64) -> Result<(), PutError> {
        let transaction = self.connection.begin(EVERYTHING, Mode::Write).await?;
        if epoch_of(&transaction).await? != epoch {
            return Err(PutError::Overtaken);
        }
        let entries: Vec<String> = records.entries.iter().map(stored::write_entry).collect();
        transaction.put_all(ENTRIES, &writer::array(&entries))?;
        let marks: Vec<String> = records.marks.iter().map(stored::write_mark).collect();
        transaction.put_all(MARKS, &writer::array(&marks))?;
        if let Some(stores) = &records.stores {
            put_meta(&transaction, STORES, &object(&stored::write_stores(stores))?).await?;
        }
        Ok(transaction.commit().await?)
    }

    /// Everything that is known of leads, as it stands on the disk: an object with `entries`, `marks` and
    /// `stores`. What only a later version of the app can read is in it too.
    ///
    /// # Errors
    /// When the disk cannot be read.
    pub async fn dump(&self) -> Result<String, StorageError> {
        let transaction = self.connection.begin(EVERYTHING, Mode::Read).await?;
        let mut it = Fields::new();
        for name in [ENTRIES, MARKS] {
            it.raw(name, &read_pages(&transaction, name).await?.joined());
        }
        it.raw_if(STORES, get_meta(&transaction, STORES).await?);
        Ok(it.end())
    }

    /// The present epoch.
    ///
    /// # Errors
    /// When the disk cannot be read.
    pub async fn epoch(&self) -> Result<u64, StorageError> {
        let transaction = self.connection.begin(META, Mode::Read).await?;
        epoch_of(&transaction).await
    }

    /// Reads everything, as of one moment, with the epoch of that moment. With `takes_over`, a new one
    /// begins.
    ///
    /// # Errors
    /// When the disk cannot be read; then no new epoch has begun.
    pub async fn read_all(&self, takes_over: bool) -> Result<(Records, u64), StorageError> {
        match self.read(takes_over).await {
            Err(StorageError::Closed(_)) => self.read(takes_over).await,
            read => read,
        }
    }

    async fn read(&self, takes_over: bool) -> Result<(Records, u64), StorageError> {
        let mode = if takes_over { Mode::Write } else { Mode::Read };
        let transaction = self.connection.begin(EVERYTHING, mode).await?;
        let mut epoch = epoch_of(&transaction).await?;
        let mut records = Records::default();
        let pages = read_pages(&transaction, ENTRIES).await?;
        records.unreadable = pages.each(|json| {
            let entry = stored::entry_record(json);
            let is_read = entry.is_some();
            records.entries.extend(entry);
            is_read
        });
        // A mark that cannot be read costs a resend.
        read_pages(&transaction, MARKS).await?.each(|json| {
            let mark = stored::mark(json);
            let is_read = mark.is_some();
            records.marks.extend(mark);
            is_read
        });
        records.stores = get_meta(&transaction, STORES).await?.and_then(|json| stored::stores(&json));
        if takes_over {
            epoch += 1;
            put_meta(&transaction, EPOCH, &number(epoch)).await?;
            transaction.commit().await?;
        }
        Ok((records, epoch))
    }
}

async fn epoch_of(transaction: &Transaction) -> Result<u64, StorageError> {
    Ok(get_meta(transaction, EPOCH).await?.and_then(|json| json.parse().ok()).unwrap_or(0))
}

/// The installation; or what stands in its place, where that cannot be read.
async fn installation(transaction: &Transaction) -> Result<Result<Installation, JsValue>, StorageError> {
    let found = transaction.get(META, &INSTALLATION.into()).await?;
    Ok(text(&found).and_then(|json| Installation::read(&json)).ok_or(found))
}

/// The numbers of the next entry: of the installation, or of a new one when the storage is fresh, when nobody
/// can tell whose the numbers are, because the record cannot be read, and when a file has brought one so high that none
/// is left. Numbers are never used twice, and nothing keeps a
/// person from saving (invariant 10). The old record is kept beside.
async fn numbering(transaction: &Transaction) -> Result<Numbering, StorageError> {
    let installation = installation(transaction).await?;
    let key = transaction.last_number(ENTRIES, None).await? + 1;
    let unreadable = match installation {
        Ok(Installation { device_id, lowest_seq }) => {
            let last = transaction.last_number(BY_SEQ, Some(device_id.as_str())).await?;
            let seq = lowest_seq.max(last.saturating_add(1));
            if seq < LAST_NUMBER {
                return Ok(Numbering { device_id, seq, key });
            }
            transaction.get(META, &INSTALLATION.into()).await?
        }
        Err(unreadable) => unreadable,
    };
    let device_id = clock::new_device_id().map_err(|error| StorageError::from_js(&error))?;
    if unreadable.is_undefined() {
        // A tab that knows a database of this name which is gone must not take this one for it.
        put_meta(transaction, EPOCH, &number((Math::random() * 1e12) as u64)).await?;
    } else {
        put_meta(transaction, &[INSTALLATION, "/", device_id.as_str()].concat(), &unreadable).await?;
    }
    put_meta(transaction, INSTALLATION, &object(&Installation::record_of(&device_id))?).await?;
    Ok(Numbering { device_id, seq: 1, key })
}

/// A number, or the version of a lead, is there already.
fn is_conflict(error: &StorageError) -> bool {
    matches!(error, StorageError::Refused(text) if text.starts_with("ConstraintError"))
}

fn confirm(saved: &EntryRecord, found: &JsValue) -> Result<(), StorageError> {
    if read_entry(found).as_ref() == Some(saved) { Ok(()) } else { Err(StorageError::NotReadBack(saved.key)) }
}

/// A value of the store of single values, as JSON.
async fn get_meta(transaction: &Transaction, name: &str) -> Result<Option<String>, StorageError> {
    Ok(text(&transaction.get(META, &name.into()).await?))
}

async fn put_meta(transaction: &Transaction, name: &str, value: &JsValue) -> Result<(), StorageError> {
    transaction.ask(META, "put", value, &name.into()).await.map(drop)
}

async fn add_entry(transaction: &Transaction, record: &EntryRecord) -> Result<(), StorageError> {
    let record = object(&stored::write_entry(record))?;
    transaction.ask(ENTRIES, "add", &record, &JsValue::UNDEFINED).await.map(drop)
}

/// What a store holds: pages of records as JSON arrays, each with the number of its records.
struct Pages(Vec<(String, usize)>);

impl Pages {
    /// All records as one array.
    fn joined(&self) -> String {
        let inner =
            self.0.iter().filter_map(|(page, _)| page.get(1..page.len().checked_sub(1)?).map(str::to_owned));
        writer::array(&inner.collect::<Vec<_>>())
    }

    /// Shows every record to a reader, which says whether it could read it. Returns the number of the others.
    fn each(&self, mut read: impl FnMut(&str) -> bool) -> usize {
        let mut unreadable = 0;
        for (page, length) in &self.0 {
            let records = json::items(page).unwrap_or_default();
            // What cannot even be listed is there all the same, and must not make the dot green.
            unreadable += length - records.len().min(*length);
            unreadable += records.iter().filter(|record| !read(record.text())).count();
        }
        unreadable
    }
}

async fn read_pages(transaction: &Transaction, name: &str) -> Result<Pages, StorageError> {
    let (mut pages, mut after) = (Vec::new(), number(0));
    loop {
        let page = transaction.page(name, &after, MAX_RECORDS_PER_READ).await?;
        if page.length == 0 {
            return Ok(Pages(pages));
        }
        pages.push((page.json, page.length));
        after = page.last_key;
    }
}

fn number(key: u64) -> JsValue {
    // Keys stay far below 2^53.
    JsValue::from_f64(key as f64)
}

fn lead_key(client_id: ClientId, version: u32) -> JsValue {
    pair(&client_id.to_string(), version.into())
}

fn pair(text: &str, number: f64) -> JsValue {
    [JsValue::from_str(text), JsValue::from_f64(number)].into_iter().collect::<Array>().into()
}

fn setting_key(name: &str) -> String {
    ["setting/", name].concat()
}

/// As a JavaScript object, by way of JSON: records are small, and their text survives exactly.
fn object(json: &str) -> Result<JsValue, StorageError> {
    JSON::parse(json).map_err(|error| StorageError::from_js(&error))
}

fn read_entry(value: &JsValue) -> Option<EntryRecord> {
    stored::entry_record(&text(value)?)
}
