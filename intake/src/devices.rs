//! What devices say about themselves: which of it is news, and the event that records it (invariant 9).

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use domain::{
    DEVICE_REPORT_STREAM, DeviceId, DeviceReport, DeviceReportEvent, Digest, SyncRequest, Timestamp,
};
use event_store::NewEvent;

/// Most devices that are remembered. When there are more, everything is forgotten, and heard again.
const MAX_DEVICES: usize = 10_000;

/// How long it is remembered. A log that was put back to an earlier state under a running process has forgotten, and not
/// every request can tell.
const MEMORY: Duration = Duration::from_secs(600);

/// The highest number of each device that went into the log through this process. It only saves repetitions: the log records
/// a report once in any case.
#[derive(Debug, Default)]
pub struct HeardDevices(Mutex<Memory>);

#[derive(Debug, Default)]
struct Memory {
    since: Option<Instant>,
    /// In an entry that the device sent itself, or in a report that was heard.
    heard: HashMap<DeviceId, u64>,
    /// In what others say of it.
    hearsay: HashMap<DeviceId, u64>,
}

impl HeardDevices {
    fn is_news(&self, report: &DeviceReport) -> bool {
        let memory = self.memory();
        let is_beyond = |numbers: &HashMap<DeviceId, u64>| {
            numbers.get(&report.device_id).is_none_or(|number| *number < report.saved_through)
        };
        is_beyond(&memory.heard) && (report.was_heard() || is_beyond(&memory.hearsay))
    }

    /// Remembers that the log holds this number of the device, which sent it itself.
    pub(crate) fn hear(&self, device: &DeviceId, number: u64) {
        remember(&mut self.memory().heard, device, number);
    }

    /// The same of a report, whoever says it.
    pub(crate) fn hear_report(&self, report: &DeviceReport) {
        let memory = &mut *self.memory();
        let numbers = if report.was_heard() { &mut memory.heard } else { &mut memory.hearsay };
        remember(numbers, &report.device_id, report.saved_through);
    }

    /// The log does not hold any more what it held.
    pub(crate) fn forget(&self) {
        *self.memory() = Memory::default();
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        let mut memory = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if memory.since.is_none_or(|since| since.elapsed() >= MEMORY) {
            *memory = Memory { since: Some(Instant::now()), ..Memory::default() };
        }
        memory
    }
}

fn remember(numbers: &mut HashMap<DeviceId, u64>, device: &DeviceId, number: u64) {
    if let Some(known) = numbers.get_mut(device) {
        *known = number.max(*known);
        return;
    }
    if numbers.len() >= MAX_DEVICES {
        numbers.clear();
    }
    numbers.insert(device.clone(), number);
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
    // Of one device, only the highest is news; what was heard and what others say are two things.
    let order =
        |report: &DeviceReport| (report.device_id.clone(), report.was_heard(), Reverse(report.saved_through));
    news.sort_by_cached_key(order);
    news.dedup_by_key(|report| (report.device_id.clone(), report.was_heard()));
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
