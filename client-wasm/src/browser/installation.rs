//! Who numbers the entries of this device, and how far it has got.

use domain::DeviceId;
use wasm_bindgen::JsValue;

use super::idb::{merged, text};
use crate::capture::Capture;
use crate::engine::record::{EntryRecord, RECORD_VERSION};
use crate::json::{Fields, Object};

/// One installation of the app. Its record in the outbox is kept as it is, with whatever a later version of the app
/// has put there, but for the numbers.
#[derive(Clone)]
pub(super) struct Installation {
    record: JsValue,
    pub(super) device_id: DeviceId,
    pub(super) next_device_seq: u64,
    pub(super) next_key: u64,
}

impl Installation {
    /// A new one, in an outbox in which this key is free.
    pub(super) fn new(device_id: DeviceId, next_key: u64) -> Self {
        let mut it = Fields::new();
        it.number("v", RECORD_VERSION.into());
        it.text("deviceId", device_id.as_str());
        let record = merged(&JsValue::UNDEFINED, &it.end());
        Self { record, device_id, next_device_seq: 1, next_key }
    }

    /// From its record; `None` when that cannot be read.
    pub(super) fn read(record: &JsValue) -> Option<Self> {
        let json = text(record)?;
        let it = Object::read(&json)?;
        Some(Self {
            record: record.clone(),
            device_id: it.parsed("deviceId")?,
            next_device_seq: it.number("nextDeviceSeq")?,
            next_key: it.number("nextKey")?,
        })
    }

    /// As it is to stand on the disk.
    pub(super) fn to_record(&self) -> JsValue {
        let mut it = Fields::new();
        it.number("nextDeviceSeq", self.next_device_seq);
        it.number("nextKey", self.next_key);
        merged(&self.record, &it.end())
    }

    /// What is captured, under its next numbers.
    pub(super) fn next_entry(&self, capture: &Capture, saved_at: i64) -> EntryRecord {
        EntryRecord {
            v: RECORD_VERSION,
            key: self.next_key,
            device_id: self.device_id.clone(),
            device_seq: self.next_device_seq,
            client_id: capture.client_id(),
            version: capture.version(),
            saved_at,
            entry: capture.to_text(&self.device_id, self.next_device_seq),
            removed: None,
        }
    }

    /// After the numbers of this entry.
    pub(super) fn after(&self, entry: &EntryRecord) -> Self {
        Self { next_device_seq: entry.device_seq + 1, next_key: entry.key + 1, ..self.clone() }
    }
}
