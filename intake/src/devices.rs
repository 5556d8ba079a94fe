//! What devices say about themselves: which of it is news, and the event that records it (invariant 9).

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use domain::{
    DEVICE_REPORT_STREAM, DeviceId, DeviceReport, DeviceReportEvent, Digest, SyncRequest, Timestamp,
};
use event_store::NewEvent;

/// Most devices that are remembered. When there are more, everything is forgotten, and heard again.
const MAX_DEVICES: usize = 10_000;

/// The highest number of each device that went into the log through this process, in an entry that it sent itself or in a
/// report.
/// It only saves repetitions: the log records a report once in any case.
#[derive(Debug, Default)]
pub struct HeardDevices(Mutex<HashMap<DeviceId, u64>>);

impl HeardDevices {
    fn is_news(&self, report: &DeviceReport) -> bool {
        self.devices().get(&report.device_id).is_none_or(|heard| *heard < report.saved_through)
    }

    /// Remembers that the log holds this number of the device.
    pub(crate) fn hear(&self, device: &DeviceId, number: u64) {
        let mut devices = self.devices();
        if let Some(heard) = devices.get_mut(device) {
            *heard = number.max(*heard);
            return;
        }
        if devices.len() >= MAX_DEVICES {
            devices.clear();
        }
        devices.insert(device.clone(), number);
    }

    /// The same of a report; what nobody heard from the device itself is no news of it.
    pub(crate) fn hear_report(&self, report: &DeviceReport) {
        if report.was_heard() {
            self.hear(&report.device_id, report.saved_through);
        }
    }

    fn devices(&self) -> MutexGuard<'_, HashMap<DeviceId, u64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The reports of this request that say more than the numbers beside them, and than what was heard before.
pub(crate) fn news(
    request: &SyncRequest<'_>,
    received_at: Timestamp,
    highest_beside: &HashMap<DeviceId, u64>,
    heard: Option<&HeardDevices>,
) -> Vec<DeviceReport> {
    let own = request
        .sender
        .clone()
        .zip(request.saved_through)
        .map(|(device_id, saved_through)| DeviceReport { device_id, saved_through, heard_at: received_at });
    let mut news: Vec<DeviceReport> = request
        .reports
        .iter()
        .cloned()
        .chain(own)
        // What a log cannot number, no device has.
        .filter(|report| (1..=i64::MAX.cast_unsigned()).contains(&report.saved_through))
        .filter(|report| {
            highest_beside.get(&report.device_id).is_none_or(|highest| *highest < report.saved_through)
        })
        .filter(|report| heard.is_none_or(|heard| heard.is_news(report)))
        .collect();
    // Of one device, only the highest is news.
    news.sort_by(|a, b| (&a.device_id, b.saved_through).cmp(&(&b.device_id, a.saved_through)));
    news.dedup_by(|later, first| later.device_id == first.device_id);
    news
}

/// The event that records a report: its sequence is the number, so that it is recorded once.
pub(crate) fn event(report: &DeviceReport) -> Option<NewEvent> {
    let event = DeviceReportEvent::Reported(report.clone());
    let payload = serde_json::to_string(&event).ok()?;
    Some(NewEvent {
        aggregate_type: DEVICE_REPORT_STREAM,
        aggregate_id: report.stream(),
        sequence: report.saved_through,
        event_type: event.name(),
        event_version: DeviceReportEvent::FORM_VERSION,
        digest: Digest::of(&payload),
        payload,
        metadata: Vec::new(),
        claim: None,
    })
}
