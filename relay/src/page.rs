//! What of the hub's log travels to the cloud: entries as received, and what devices have reported.

use domain::{
    ClientId, DEVICE_REPORT_STREAM, DeviceReport, DeviceReportEvent, LEAD_STREAM, RefusalReason,
    SUBMISSION_STREAM, SubmissionEvent, SyncRequest,
};
use event_store::RecordedEvent;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::state::RelayState;

/// Most bytes of entries in one request; a larger single entry travels alone.
pub const MAX_ENTRY_BYTES_PER_REQUEST: usize = 512 * 1024;

/// What one request carries.
#[derive(Debug)]
pub struct Page {
    pub(crate) entries: Vec<Relayed>,
    reports: Vec<DeviceReport>,
    /// Everything up to this position of the log is in here, or does not travel.
    pub(crate) through: u64,
    bytes: usize,
}

/// An entry and where it stands in the hub's log.
#[derive(Debug)]
pub(crate) struct Relayed {
    pub(crate) position: u64,
    /// Lead and version, if it says so.
    pub(crate) label: Option<(ClientId, u32)>,
    pub(crate) hub_said: HubSaid,
    raw: Box<RawValue>,
}

/// What the hub told the device about an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HubSaid {
    Recorded,
    /// It breaks a rule, or the hub is too old to understand it.
    Refused,
    /// Another entry holds its place. The label does not tell the two apart.
    Conflict,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Label {
    client_id: ClientId,
    version: u32,
}

impl Page {
    /// The page after `cursor`, with single events that are tried again before it. Cut where it gets too large.
    pub fn of(held: &[RecordedEvent], events: &[RecordedEvent], cursor: u64) -> Self {
        let mut page = Self { entries: Vec::new(), reports: Vec::new(), through: cursor, bytes: 0 };
        for event in held {
            if !page.take(event) {
                return page;
            }
        }
        for event in events {
            if !page.take(event) {
                break;
            }
            page.through = event.position;
        }
        page
    }

    /// Whether there was nothing in the log to relay or to pass.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.reports.is_empty()
    }

    /// How many entries travel.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// The position of the only entry, if there is just one.
    pub(crate) fn single(&self) -> Option<u64> {
        match self.entries.as_slice() {
            [only] => Some(only.position),
            _ => None,
        }
    }

    /// The body of the request.
    pub fn body(&self, state: &RelayState) -> String {
        let request = SyncRequest {
            sender: None,
            saved_through: None,
            last_receipt: state.receipt,
            erasures_after: Some(state.erasures_after),
            cloud_verdicts_after: None,
            reports: self.reports.clone(),
            entries: self.entries.iter().map(|entry| entry.raw.as_ref()).collect(),
        };
        // Writing plain data to a string cannot fail; an empty body would be refused and tried again.
        serde_json::to_string(&request).unwrap_or_default()
    }

    /// Takes an event along, or says that the page is full.
    fn take(&mut self, event: &RecordedEvent) -> bool {
        if event.aggregate_type == DEVICE_REPORT_STREAM {
            if let Ok(DeviceReportEvent::Reported(report)) = serde_json::from_str(&event.payload) {
                self.reports.push(report);
            }
            return true;
        }
        let Some((text, hub_said)) = entry_text(event) else { return true };
        let bytes = self.bytes.saturating_add(text.len());
        if !self.entries.is_empty() && bytes > MAX_ENTRY_BYTES_PER_REQUEST {
            return false;
        }
        let label = serde_json::from_str(&text).ok().map(|label: Label| (label.client_id, label.version));
        // What is not JSON was emptied by an erasure; nothing of it is left to relay.
        if let Ok(raw) = RawValue::from_string(text) {
            self.bytes = bytes;
            self.entries.push(Relayed { position: event.position, label, hub_said, raw });
        }
        true
    }
}

/// The entry as the hub received it. A refused one travels too: the cloud judges for itself.
fn entry_text(event: &RecordedEvent) -> Option<(String, HubSaid)> {
    match event.aggregate_type.as_str() {
        LEAD_STREAM => Some((event.payload.clone(), HubSaid::Recorded)),
        SUBMISSION_STREAM => match serde_json::from_str(&event.payload) {
            Ok(SubmissionEvent::Refused(refusal)) => match refusal.reason {
                RefusalReason::Conflict => Some((refusal.raw, HubSaid::Conflict)),
                RefusalReason::Invalid | RefusalReason::Unsupported => Some((refusal.raw, HubSaid::Refused)),
            },
            _ => None,
        },
        // The rest is the hub's own: the cloud's verdicts, and erasures that came from the cloud.
        _ => None,
    }
}
