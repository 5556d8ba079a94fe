//! What a device says about itself: how many entries it has saved. With the sequence numbers that are in the
//! log, it tells what is missing (invariant 9).
//!
//! Most reports say nothing new, because the newest entry travels with them. Only one that names a number
//! beyond every entry beside it is recorded: the event in `device_report/<deviceId>`, or for what others say of a
//! device in `device_report/<deviceId>/hearsay`, whose sequence *is* the number, so that it is recorded once.

use serde::{Deserialize, Serialize};

use crate::{DeviceId, Timestamp};

/// Aggregate type of the streams that hold reports of devices.
pub const DEVICE_REPORT_STREAM: &str = "device_report";

/// How far a device has got.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct DeviceReport {
    /// The installation.
    pub device_id: DeviceId,
    /// The highest `deviceSeq` that it has saved.
    #[cfg_attr(feature = "openapi", schema(minimum = 1))]
    pub saved_through: u64,
    /// When a store heard it, by that store's clock; of an installation whose storage is gone, when the next one
    /// on the device missed it, by the device's clock. The beginning of 1970 when nobody can say.
    pub heard_at: Timestamp,
}

/// What happened to a device's count.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum DeviceReportEvent {
    /// The device has saved more than had arrived with the report.
    Reported(DeviceReport),
}

impl DeviceReport {
    /// How far a device has got, when nobody can say that it was heard: a backup says so, or a file.
    pub fn hearsay(device_id: DeviceId, saved_through: u64) -> Self {
        Self { device_id, saved_through, heard_at: Timestamp::UNIX_EPOCH }
    }

    /// Whether somebody heard the device say it.
    pub fn was_heard(&self) -> bool {
        self.heard_at > Timestamp::UNIX_EPOCH
    }

    /// The stream that records it. Hearsay has one of its own, so that it never keeps the device from being heard with
    /// the same number.
    pub fn stream(&self) -> String {
        if self.was_heard() { self.device_id.to_string() } else { format!("{}/hearsay", self.device_id) }
    }
}

impl DeviceReportEvent {
    /// Version of the event's form in the log.
    pub const FORM_VERSION: &'static str = "1";

    /// Name of the event in the log.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Reported(_) => "DeviceReported",
        }
    }
}
