//! The outbox on disk: database `leadlog-outbox`.
//!
//! | store | key | holds | written |
//! | --- | --- | --- | --- |
//! | `entries` | `key` | [`EntryRecord`], unique by lead and version, and by installation and number | once; later only to remove personal data |
//! | `marks` | `key` | `Mark`: what stores have said | by the engine |
//! | `meta` | name | `installation`: device id and next numbers; `stores`: `Stores`; `epoch`: a number | |
//!
//! **The epoch** guards what the engine writes. Several tabs share this database, and one that was frozen for
//! an hour must not write back receipts that another has voided since. A tab that begins to send counts the
//! epoch up in the very transaction in which it reads everything ([`OutboxDb::read_all`]); every write of an
//! engine names the epoch that it was read under, and is refused under another ([`OutboxDb::put`]). A Save
//! names none: nothing keeps a person from saving.

use domain::{ClientId, DeviceId};
use js_sys::{Array, JSON};
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{IdbDatabase, IdbIndexParameters, IdbKeyRange, IdbObjectStoreParameters};

use super::clock;
use super::idb::{Connection, Mode, StorageError, Transaction};
use crate::capture::Capture;
use crate::engine::record::{EntryRecord, RECORD_VERSION, Records};
use crate::engine::stored;
use crate::json::{self, Fields, Object};

/// The database of the app.
pub const DATABASE_NAME: &str = "leadlog-outbox";

const SCHEMA_VERSION: u32 = 1;
const ENTRIES: &str = "entries";
const BY_LEAD: &str = "byLead";
const BY_SEQ: &str = "bySeq";
const MARKS: &str = "marks";
const META: &str = "meta";
const INSTALLATION: &str = "installation";
const STORES: &str = "stores";
const EPOCH: &str = "epoch";

/// Records read at once. Bounds the memory of a read, not of the outbox.
const MAX_RECORDS_PER_READ: u32 = 500;

/// Who this installation is, and how far its numbers have got.
#[derive(Debug, Clone)]
struct Installation {
    v: u32,
    device_id: DeviceId,
    next_device_seq: u64,
    next_key: u64,
}

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
}

impl OutboxDb {
    /// Opens the database of this name, and makes it when it is not there.
    ///
    /// # Errors
    /// When the browser gives no storage.
    pub async fn open(name: &str) -> Result<(Self, DeviceId), StorageError> {
        let db = Self { connection: Connection::new(name, SCHEMA_VERSION, upgrade) };
        let transaction = db.connection.begin(&[META], Mode::Write).await?;
        let installation = installation(&transaction).await?;
        put_meta(&transaction, INSTALLATION, object(&installation.write())?).await?;
        transaction.commit().await?;
        Ok((db, installation.device_id))
    }

    /// Writes an entry under the next sequence number. Resolves when it is on the disk *and* a read finds
    /// it (CAP-2, invariant 1).
    ///
    /// # Errors
    /// When it could not be written, or not be read back: whether it is on the disk is then not known. Saving the
    /// same capture again is harmless.
    pub async fn save(&self, capture: &Capture, saved_at: i64) -> Result<EntryRecord, StorageError> {
        let saved = match self.write(capture, saved_at).await {
            // The browser has closed the connection under us: once more on a fresh one. If the first
            // attempt did reach the disk, the second finds it.
            Err(StorageError::Closed(_)) => {
                self.connection.forget();
                self.write(capture, saved_at).await?
            }
            written => written?,
        };
        let found = match self.read_entry(saved.key).await {
            Err(StorageError::Closed(_)) => {
                self.connection.forget();
                self.read_entry(saved.key).await?
            }
            found => found?,
        };
        if found.as_ref() == Some(&saved) { Ok(saved) } else { Err(StorageError::NotReadBack(saved.key)) }
    }

    async fn read_entry(&self, key: u64) -> Result<Option<EntryRecord>, StorageError> {
        let transaction = self.connection.begin(&[ENTRIES], Mode::Read).await?;
        let found = transaction.store(ENTRIES)?.get(&number(key));
        Ok(read_entry(&transaction.run(found).await?))
    }

    async fn write(&self, capture: &Capture, saved_at: i64) -> Result<EntryRecord, StorageError> {
        let transaction = self.connection.begin(&[ENTRIES, META], Mode::Write).await?;
        let entries = transaction.store(ENTRIES)?;
        let by_lead = entries.index(BY_LEAD).map_err(|error| StorageError::from_js(&error))?;
        let mut capture = capture.clone();
        loop {
            let lead = lead_key(capture.client_id(), capture.version());
            let Some(saved) = read_entry(&transaction.run(by_lead.get(&lead)).await?) else { break };
            // It reached the disk with an earlier try.
            if saved.entry == capture.to_text(&saved.device_id, saved.device_seq).map_err(unwritable)? {
                return Ok(saved);
            }
            // Another tab has changed the same lead meanwhile. Both are kept; this one is later.
            capture = capture.with_next_version();
        }
        let mut installation = installation(&transaction).await?;
        let device_seq = installation.next_device_seq;
        let entry = capture.to_text(&installation.device_id, device_seq).map_err(unwritable)?;
        let record = EntryRecord {
            v: RECORD_VERSION,
            key: installation.next_key,
            device_id: installation.device_id.clone(),
            device_seq,
            client_id: capture.client_id(),
            version: capture.version(),
            saved_at,
            entry,
            removed: None,
        };
        transaction.run(entries.add(&object(&stored::write_entry(&record))?)).await?;
        installation.next_device_seq = device_seq + 1;
        installation.next_key += 1;
        put_meta(&transaction, INSTALLATION, object(&installation.write())?).await?;
        transaction.commit().await?;
        Ok(record)
    }

    /// Writes what the engine wishes, in one transaction, if this is still the epoch that it was opened
    /// under.
    ///
    /// # Errors
    /// When nothing of it was written.
    pub async fn put(&self, records: &Records, epoch: u64) -> Result<(), PutError> {
        let written = self.write_records(records, epoch).await;
        if let Err(PutError::Storage(StorageError::Closed(_))) = &written {
            self.connection.forget();
        }
        written
    }

    async fn write_records(&self, records: &Records, epoch: u64) -> Result<(), PutError> {
        let transaction = self.connection.begin(&[ENTRIES, MARKS, META], Mode::Write).await?;
        if epoch_of(&transaction).await? != epoch {
            return Err(PutError::Overtaken);
        }
        let (entries, marks) = (transaction.store(ENTRIES)?, transaction.store(MARKS)?);
        // Not awaited one by one: if one fails, the transaction aborts, and the commit says so.
        for record in &records.entries {
            entries
                .put(&object(&stored::write_entry(record))?)
                .map_err(|error| StorageError::from_js(&error))?;
        }
        for mark in &records.marks {
            marks.put(&object(&stored::write_mark(mark))?).map_err(|error| StorageError::from_js(&error))?;
        }
        if let Some(stores) = &records.stores {
            put_meta(&transaction, STORES, object(&stored::write_stores(stores))?).await?;
        }
        Ok(transaction.commit().await?)
    }

    /// The present epoch.
    ///
    /// # Errors
    /// When the disk cannot be read.
    pub async fn epoch(&self) -> Result<u64, StorageError> {
        let transaction = self.connection.begin(&[META], Mode::Read).await?;
        epoch_of(&transaction).await
    }

    /// Reads everything, as of one moment, with the epoch of that moment. With `takes_over`, a new one
    /// begins.
    ///
    /// # Errors
    /// When the disk cannot be read; then no new epoch has begun.
    pub async fn read_all(&self, takes_over: bool) -> Result<(Records, u64), StorageError> {
        let mode = if takes_over { Mode::Write } else { Mode::Read };
        let transaction = self.connection.begin(&[ENTRIES, MARKS, META], mode).await?;
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
            put_meta(&transaction, EPOCH, number(epoch)).await?;
            transaction.commit().await?;
        }
        Ok((records, epoch))
    }
}

async fn epoch_of(transaction: &Transaction) -> Result<u64, StorageError> {
    Ok(get_meta(transaction, EPOCH).await?.and_then(|json| json.parse().ok()).unwrap_or(0))
}

fn upgrade(database: &IdbDatabase, old_version: u32) -> Result<(), JsValue> {
    if old_version < 1 {
        let by_key = IdbObjectStoreParameters::new();
        by_key.set_key_path(&"key".into());
        let entries = database.create_object_store_with_optional_parameters(ENTRIES, &by_key)?;
        let unique = IdbIndexParameters::new();
        unique.set_unique(true);
        for (index, path) in [(BY_LEAD, ["clientId", "version"]), (BY_SEQ, ["deviceId", "deviceSeq"])] {
            let path: Array = path.into_iter().map(JsValue::from_str).collect();
            entries.create_index_with_str_sequence_and_optional_parameters(index, &path, &unique)?;
        }
        database.create_object_store_with_optional_parameters(MARKS, &by_key)?;
        database.create_object_store(META)?;
    }
    Ok(())
}

/// The installation, or a new one when the storage is fresh.
async fn installation(transaction: &Transaction) -> Result<Installation, StorageError> {
    if let Some(known) = get_meta(transaction, INSTALLATION).await?.and_then(|json| Installation::read(&json))
    {
        return Ok(known);
    }
    let device_id = clock::new_device_id().map_err(|error| StorageError::from_js(&error))?;
    Ok(Installation { v: RECORD_VERSION, device_id, next_device_seq: 1, next_key: 1 })
}

impl Installation {
    fn write(&self) -> String {
        let mut it = Fields::new();
        it.number("v", self.v.into());
        it.text("deviceId", self.device_id.as_str());
        it.number("nextDeviceSeq", self.next_device_seq);
        it.number("nextKey", self.next_key);
        it.end()
    }

    fn read(json: &str) -> Option<Self> {
        let it = Object::read(json)?;
        Some(Self {
            v: it.small("v")?,
            device_id: it.parsed("deviceId")?,
            next_device_seq: it.number("nextDeviceSeq")?,
            next_key: it.number("nextKey")?,
        })
    }
}

/// A value of the store of single values, as JSON.
async fn get_meta(transaction: &Transaction, name: &str) -> Result<Option<String>, StorageError> {
    let request = transaction.store(META)?.get(&name.into());
    Ok(text(&transaction.run(request).await?))
}

async fn put_meta(transaction: &Transaction, name: &str, value: JsValue) -> Result<(), StorageError> {
    let request = transaction.store(META)?.put_with_key(&value, &name.into());
    transaction.run(request).await.map(drop)
}

/// What a store holds: pages of records as JSON arrays, each with the number of its records.
struct Pages(Vec<(String, usize)>);

impl Pages {
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
    let store = transaction.store(name)?;
    let (mut pages, mut after) = (Vec::new(), JsValue::from_f64(0.0));
    loop {
        let range = IdbKeyRange::lower_bound_with_open(&after, true)
            .map_err(|error| StorageError::from_js(&error))?;
        let request = store.get_all_with_key_and_limit(&range, MAX_RECORDS_PER_READ);
        let page: Array = transaction.run(request).await?.unchecked_into();
        if page.length() == 0 {
            return Ok(Pages(pages));
        }
        let last = js_sys::Reflect::get(&page.get(page.length() - 1), &"key".into());
        after = last.map_err(|error| StorageError::from_js(&error))?;
        pages.push((text(&page).unwrap_or_default(), page.length() as usize));
    }
}

fn number(key: u64) -> JsValue {
    // Keys stay far below 2^53.
    JsValue::from_f64(key as f64)
}

fn lead_key(client_id: ClientId, version: u32) -> JsValue {
    [JsValue::from_str(&client_id.to_string()), JsValue::from_f64(version.into())]
        .into_iter()
        .collect::<Array>()
        .into()
}

/// As a JavaScript object, by way of JSON: records are small, and their text survives exactly.
fn object(json: &str) -> Result<JsValue, StorageError> {
    JSON::parse(json).map_err(|error| StorageError::from_js(&error))
}

/// Plain data can always be written. Why not is not said: the words would have to be downloaded.
fn unwritable(_: serde_json::Error) -> StorageError {
    StorageError::Refused("a record cannot be written as JSON".to_owned())
}

fn read_entry(value: &JsValue) -> Option<EntryRecord> {
    stored::entry_record(&text(value)?)
}

fn text(value: &JsValue) -> Option<String> {
    JSON::stringify(value).ok().and_then(|text| text.as_string())
}
