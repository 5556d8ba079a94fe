//! The outbox on disk: database `leadlog-outbox`.
//!
//! | store | key | holds | written |
//! | --- | --- | --- | --- |
//! | `entries` | `deviceSeq` | [`EntryRecord`], unique by lead and version | once, never again |
//! | `marks` | `deviceSeq` | [`Mark`]: what stores have said | by the engine |
//! | `meta` | name | `installation`: device id and next sequence number; `stores`: [`Stores`] | |

use domain::{ClientId, DeviceId};
use js_sys::{Array, JSON};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{IdbDatabase, IdbIndexParameters, IdbKeyRange, IdbObjectStoreParameters};

use super::clock;
use super::idb::{Connection, Mode, StorageError, Transaction};
use crate::capture::Capture;
use crate::engine::record::{EntryRecord, Mark, RECORD_VERSION, Records, Stores};
use crate::json::{self, Raw};

/// The database of the app.
pub const DATABASE_NAME: &str = "leadlog-outbox";

const SCHEMA_VERSION: u32 = 1;
const ENTRIES: &str = "entries";
const BY_LEAD: &str = "byLead";
const MARKS: &str = "marks";
const META: &str = "meta";
const INSTALLATION: &str = "installation";
const STORES: &str = "stores";

/// Records read at once. Bounds the memory of a read, not of the outbox.
const MAX_RECORDS_PER_READ: u32 = 500;

/// Who this installation is, and how far its numbers have got.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Installation {
    v: u32,
    device_id: DeviceId,
    next_device_seq: u64,
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
        put_meta(&transaction, INSTALLATION, &installation).await?;
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
        let found = match self.read_entry(saved.device_seq).await {
            Err(StorageError::Closed(_)) => {
                self.connection.forget();
                self.read_entry(saved.device_seq).await?
            }
            found => found?,
        };
        if found.as_ref() == Some(&saved) {
            Ok(saved)
        } else {
            Err(StorageError::NotReadBack(saved.device_seq))
        }
    }

    async fn read_entry(&self, device_seq: u64) -> Result<Option<EntryRecord>, StorageError> {
        let transaction = self.connection.begin(&[ENTRIES], Mode::Read).await?;
        let found = transaction.store(ENTRIES)?.get(&key(device_seq));
        Ok(read(&transaction.run(found).await?))
    }

    async fn write(&self, capture: &Capture, saved_at: i64) -> Result<EntryRecord, StorageError> {
        let transaction = self.connection.begin(&[ENTRIES, META], Mode::Write).await?;
        let entries = transaction.store(ENTRIES)?;
        let lead = lead_key(capture.client_id(), capture.version());
        let by_lead = entries.index(BY_LEAD).map_err(|error| StorageError::from_js(&error))?;
        if let Some(saved) = read(&transaction.run(by_lead.get(&lead)).await?) {
            return Ok(saved);
        }
        let mut installation = installation(&transaction).await?;
        let device_seq = installation.next_device_seq;
        let entry = capture.to_text(device_seq).map_err(unwritable)?;
        let record = EntryRecord {
            v: RECORD_VERSION,
            device_seq,
            client_id: capture.client_id(),
            version: capture.version(),
            saved_at,
            entry,
        };
        transaction.run(entries.add(&write(&record)?)).await?;
        installation.next_device_seq = device_seq + 1;
        put_meta(&transaction, INSTALLATION, &installation).await?;
        transaction.commit().await?;
        Ok(record)
    }

    /// Writes what the engine wishes, in one transaction.
    ///
    /// # Errors
    /// When nothing of it was written.
    pub async fn put(&self, records: &Records) -> Result<(), StorageError> {
        let written = self.write_marks(records).await;
        if let Err(StorageError::Closed(_)) = &written {
            self.connection.forget();
        }
        written
    }

    async fn write_marks(&self, records: &Records) -> Result<(), StorageError> {
        let transaction = self.connection.begin(&[MARKS, META], Mode::Write).await?;
        let marks = transaction.store(MARKS)?;
        for mark in &records.marks {
            // Not awaited one by one: if one fails, the transaction aborts, and the commit says so.
            marks.put(&write(mark)?).map_err(|error| StorageError::from_js(&error))?;
        }
        if let Some(stores) = &records.stores {
            put_meta(&transaction, STORES, stores).await?;
        }
        transaction.commit().await
    }

    /// Reads everything, as of one moment.
    ///
    /// # Errors
    /// When the disk cannot be read.
    pub async fn read_all(&self) -> Result<Records, StorageError> {
        let transaction = self.connection.begin(&[ENTRIES, MARKS, META], Mode::Read).await?;
        let (entries, unreadable) = read_store::<EntryRecord>(&transaction, ENTRIES).await?;
        // A mark that cannot be read costs a resend.
        let (marks, _) = read_store::<Mark>(&transaction, MARKS).await?;
        let stores: Option<Stores> = get_meta(&transaction, STORES).await?;
        Ok(Records { entries, marks, stores, unreadable })
    }
}

fn upgrade(database: &IdbDatabase, old_version: u32) -> Result<(), JsValue> {
    if old_version < 1 {
        let by_seq = IdbObjectStoreParameters::new();
        by_seq.set_key_path(&"deviceSeq".into());
        let entries = database.create_object_store_with_optional_parameters(ENTRIES, &by_seq)?;
        let unique = IdbIndexParameters::new();
        unique.set_unique(true);
        let lead: Array = ["clientId", "version"].into_iter().map(JsValue::from_str).collect();
        entries.create_index_with_str_sequence_and_optional_parameters(BY_LEAD, &lead, &unique)?;
        database.create_object_store_with_optional_parameters(MARKS, &by_seq)?;
        database.create_object_store(META)?;
    }
    Ok(())
}

/// The installation, or a new one when the storage is fresh.
async fn installation(transaction: &Transaction) -> Result<Installation, StorageError> {
    if let Some(known) = get_meta(transaction, INSTALLATION).await? {
        return Ok(known);
    }
    let device_id = clock::new_device_id().map_err(|error| StorageError::from_js(&error))?;
    Ok(Installation { v: RECORD_VERSION, device_id, next_device_seq: 1 })
}

async fn get_meta<T: DeserializeOwned>(
    transaction: &Transaction,
    name: &str,
) -> Result<Option<T>, StorageError> {
    let request = transaction.store(META)?.get(&name.into());
    Ok(read(&transaction.run(request).await?))
}

async fn put_meta<T: Serialize>(
    transaction: &Transaction,
    name: &str,
    value: &T,
) -> Result<(), StorageError> {
    let request = transaction.store(META)?.put_with_key(&write(value)?, &name.into());
    transaction.run(request).await.map(drop)
}

/// Every readable record of a store, and the number of the others.
async fn read_store<T: DeserializeOwned>(
    transaction: &Transaction,
    name: &str,
) -> Result<(Vec<T>, usize), StorageError> {
    let store = transaction.store(name)?;
    let (mut records, mut unreadable, mut after) = (Vec::new(), 0, JsValue::from_f64(0.0));
    loop {
        let range = IdbKeyRange::lower_bound_with_open(&after, true)
            .map_err(|error| StorageError::from_js(&error))?;
        let request = store.get_all_with_key_and_limit(&range, MAX_RECORDS_PER_READ);
        let page: Array = transaction.run(request).await?.unchecked_into();
        if page.length() == 0 {
            return Ok((records, unreadable));
        }
        let last = js_sys::Reflect::get(&page.get(page.length() - 1), &"deviceSeq".into());
        after = last.map_err(|error| StorageError::from_js(&error))?;
        let length = page.length() as usize;
        let page = text(&page).unwrap_or_default();
        let lines: Vec<Raw<'_>> = json::read(&page).unwrap_or_default();
        // What cannot even be listed is there all the same, and must not make the dot green.
        unreadable += length - lines.len().min(length);
        for line in lines {
            match json::read(line.text()) {
                Ok(record) => records.push(record),
                Err(_) => unreadable += 1,
            }
        }
    }
}

fn key(device_seq: u64) -> JsValue {
    // Sequence numbers stay far below 2^53.
    JsValue::from_f64(device_seq as f64)
}

fn lead_key(client_id: ClientId, version: u32) -> JsValue {
    [JsValue::from_str(&client_id.to_string()), JsValue::from_f64(version.into())]
        .into_iter()
        .collect::<Array>()
        .into()
}

/// As a JavaScript object, by way of JSON: records are small, and their text survives exactly.
fn write<T: Serialize>(value: &T) -> Result<JsValue, StorageError> {
    let text = serde_json::to_string(value).map_err(unwritable)?;
    JSON::parse(&text).map_err(|error| StorageError::from_js(&error))
}

/// Plain data can always be written. Why not is not said: the words would have to be downloaded.
fn unwritable(_: serde_json::Error) -> StorageError {
    StorageError::Refused("a record cannot be written as JSON".to_owned())
}

fn read<T: DeserializeOwned>(value: &JsValue) -> Option<T> {
    json::read(&text(value)?).ok()
}

fn text(value: &JsValue) -> Option<String> {
    JSON::stringify(value).ok().and_then(|text| text.as_string())
}
