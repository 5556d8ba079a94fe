//! Who numbers the entries of this device, and how far it has got.

use domain::DeviceId;

use crate::capture::Capture;
use crate::engine::record::{EntryRecord, RECORD_VERSION};
use crate::json::{Fields, Object};

/// One installation of the app, as its record names it.
pub(super) struct Installation {
    pub(super) device_id: DeviceId,
    /// Lower sequence numbers are used, whether their entries can be found or not. A later version of the app may keep
    /// entries where this one does not look.
    pub(super) lowest_seq: u64,
}

impl Installation {
    /// From its record, JSON; `None` when that cannot be read.
    pub(super) fn read(json: &str) -> Option<Self> {
        let it = Object::read(json)?;
        Some(Self {
            device_id: it.parsed("deviceId")?,
            lowest_seq: it.number("nextDeviceSeq").unwrap_or_default(),
        })
    }

    /// The record of a new one, JSON. It never changes: how far its numbers have got is seen by its entries.
    pub(super) fn record_of(device_id: &DeviceId) -> String {
        let mut it = Fields::new();
        it.number("v", RECORD_VERSION.into());
        it.text("deviceId", device_id.as_str());
        it.end()
    }
}

/// What the next entry is numbered by.
pub(super) struct Numbering {
    pub(super) device_id: DeviceId,
    /// The installation's sequence number.
    pub(super) seq: u64,
    /// The key in the outbox, which may hold entries of several installations.
    pub(super) key: u64,
}

impl Numbering {
    /// What is captured, under these numbers.
    pub(super) fn entry(&self, capture: &Capture, saved_at: i64) -> EntryRecord {
        EntryRecord {
            v: RECORD_VERSION,
            key: self.key,
            device_id: self.device_id.clone(),
            device_seq: self.seq,
            client_id: capture.client_id(),
            version: capture.version(),
            saved_at,
            entry: capture.to_text(&self.device_id, self.seq),
            removed: None,
        }
    }

    /// After this entry of the same installation.
    pub(super) fn after(entry: &EntryRecord) -> Self {
        Self { device_id: entry.device_id.clone(), seq: entry.device_seq + 1, key: entry.key + 1 }
    }
}
