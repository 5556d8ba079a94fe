//! Which sequence numbers of each device are here, and which are missing (invariant 9).
//!
//! A device numbers everything that it saves, from 1 and without gaps. Every version of a lead and every refused
//! submission carries such a number; a report says how far the device had got when it spoke. What lies below the
//! highest number that was ever named, and is not here, is missing.
//!
//! The log cannot tell a device that has nothing to say from one that has lost its network. So "complete" holds
//! for the moment when the device was last heard, and a silent device is unknown since then. It is heard when it speaks
//! itself: what a backup, a hub or another device brings of it says nothing about what else it holds.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use domain::{
    Bearer, DEVICE_REPORT_STREAM, DeviceId, DeviceReport, DeviceReportEvent, LEAD_STREAM, SUBMISSION_STREAM,
};
use event_store::RecordedEvent;
use serde::Deserialize;
use time::OffsetDateTime;

use super::SequenceSet;
use super::parse::{current_payload, in_microseconds, parse};
use crate::Poison;

/// What the log knows of one device's numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceSequences {
    /// Numbers of what is here, accepted or refused.
    pub here: SequenceSet,
    /// The highest number that the device is known to have saved; 0 when none was ever named.
    pub saved_through: u64,
    /// When it was last heard itself, by the store's clock; `None` when others alone have brought what is here.
    pub heard_at: Option<OffsetDateTime>,
    /// Position of the newest event that comes from it, whoever brought it.
    pub heard_position: u64,
}

/// What can be said about the completeness of a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// These numbers are not here.
    Missing {
        /// The numbers, as ranges in order.
        ranges: Vec<RangeInclusive<u64>>,
    },
    /// Everything is here that the device had saved when it was last heard, which is recent.
    Complete {
        /// The highest number that it had saved.
        through: u64,
    },
    /// It has been silent for too long to say anything, or has never named a number.
    Unknown {
        /// When it was last heard, if it ever was.
        since: Option<OffsetDateTime>,
        /// Up to which number everything is here, if it ever named one.
        through: Option<u64>,
    },
}

/// What one event says about one device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceChange {
    /// The device.
    pub device_id: DeviceId,
    /// What is known of it from this event alone.
    pub sequences: DeviceSequences,
}

/// All devices of a log, folded event by event, in memory.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Devices {
    devices: BTreeMap<DeviceId, DeviceSequences>,
}

impl DeviceSequences {
    /// The numbers that the device has saved and that are not here, as ranges in order.
    pub fn gaps(&self) -> Vec<RangeInclusive<u64>> {
        self.here.missing_through(self.saved_through)
    }

    /// What can be said now. A device that was last heard before `silent_before` is silent.
    pub fn standing(&self, silent_before: OffsetDateTime) -> Standing {
        let ranges = self.gaps();
        let through = Some(self.saved_through).filter(|through| *through > 0);
        match through {
            _ if !ranges.is_empty() => Standing::Missing { ranges },
            Some(through) if self.heard_at.is_some_and(|heard_at| heard_at >= silent_before) => {
                Standing::Complete { through }
            }
            _ => Standing::Unknown { since: self.heard_at, through },
        }
    }

    /// What both know of one device. The order does not matter.
    pub fn merge(&mut self, other: &Self) {
        self.here.merge(&other.here);
        self.saved_through = self.saved_through.max(other.saved_through);
        self.heard_at = self.heard_at.max(other.heard_at);
        self.heard_position = self.heard_position.max(other.heard_position);
    }
}

/// The few fields of an entry that say whose it is.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Origin {
    device_id: DeviceId,
    device_seq: u64,
}

/// The same of a refused submission, where they are what the sender wrote.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ClaimedOrigin {
    #[serde(default)]
    device_id: Option<String>,
    #[serde(default)]
    device_seq: Option<u64>,
}

impl DeviceChange {
    /// Reads from an event what it says about a device; `None` when that is nothing.
    ///
    /// # Errors
    /// [`Poison`] when it is about one and cannot be understood.
    pub fn read(event: &RecordedEvent) -> Result<Option<Self>, Poison> {
        // Of an event that only a newer program understands, its origin mostly can be read all the same.
        let payload = current_payload(event).unwrap_or(Cow::Borrowed(&event.payload));
        match (event.aggregate_type.as_str(), event.event_type.as_str()) {
            (LEAD_STREAM, _) => {
                let origin: Origin = parse(&payload, "payload")?;
                if origin.device_seq > SequenceSet::MAX {
                    return Err(Poison::new("deviceSeq is larger than 2^63 - 2"));
                }
                Self::arrived(event, origin.device_id, Some(origin.device_seq)).map(Some)
            }
            (SUBMISSION_STREAM, "SubmissionRefused") => {
                let origin: ClaimedOrigin = parse(&payload, "payload")?;
                let device_id = origin.device_id.and_then(|id| id.parse().ok());
                let device_seq = origin.device_seq.filter(|number| *number <= SequenceSet::MAX);
                device_id.map(|device_id| Self::arrived(event, device_id, device_seq)).transpose()
            }
            (DEVICE_REPORT_STREAM, _) => {
                let DeviceReportEvent::Reported(report) = parse(&payload, "payload")?;
                if report.saved_through > SequenceSet::MAX {
                    return Err(Poison::new("savedThrough is larger than 2^63 - 2"));
                }
                Ok(Some(Self::reported(event, report)))
            }
            _ => Ok(None),
        }
    }

    fn arrived(event: &RecordedEvent, device_id: DeviceId, device_seq: Option<u64>) -> Result<Self, Poison> {
        let bearer: Bearer = parse(&event.metadata, "metadata")?;
        let sequences = DeviceSequences {
            here: device_seq.into_iter().collect(),
            saved_through: device_seq.unwrap_or(0),
            heard_at: bearer.is_maker().then(|| in_microseconds(event.recorded_at)),
            heard_position: event.position,
        };
        Ok(Self { device_id, sequences })
    }

    fn reported(event: &RecordedEvent, report: DeviceReport) -> Self {
        let was_heard = report.was_heard();
        // It was heard before it was recorded, whatever the clock of a hub says.
        let heard_at = report.heard_at.moment().min(event.recorded_at);
        let sequences = DeviceSequences {
            here: SequenceSet::default(),
            saved_through: report.saved_through,
            heard_at: was_heard.then(|| in_microseconds(heard_at)),
            heard_position: event.position,
        };
        Self { device_id: report.device_id, sequences }
    }
}

impl Devices {
    /// Applies the next event of the log.
    ///
    /// # Errors
    /// [`Poison`] when the event is about a device and cannot be understood; nothing has changed then.
    pub fn apply(&mut self, event: &RecordedEvent) -> Result<(), Poison> {
        if let Some(change) = DeviceChange::read(event)? {
            self.merge(change);
        }
        Ok(())
    }

    /// Applies what an event said.
    pub(crate) fn merge(&mut self, change: DeviceChange) {
        match self.devices.get_mut(&change.device_id) {
            Some(known) => known.merge(&change.sequences),
            None => {
                self.devices.insert(change.device_id, change.sequences);
            }
        }
    }

    /// A device, if it was ever heard.
    pub fn get(&self, device_id: &DeviceId) -> Option<&DeviceSequences> {
        self.devices.get(device_id)
    }

    /// Every device that was ever heard, by id.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&DeviceId, &DeviceSequences)> {
        self.devices.iter()
    }

    /// The numbers that the device has saved and that are not here; none of a device that was never heard, about
    /// which nothing is known.
    pub fn gaps(&self, device_id: &DeviceId) -> Vec<RangeInclusive<u64>> {
        self.get(device_id).map(DeviceSequences::gaps).unwrap_or_default()
    }
}
