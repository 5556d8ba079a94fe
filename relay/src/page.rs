//! What of the hub's log travels to the cloud: entries as received, and when their devices were heard.

use domain::{
    Bearer, ClientId, DEVICE_REPORT_STREAM, DeviceId, DeviceReport, DeviceReportEvent, LEAD_STREAM,
    MAX_BATCH_ENTRIES, RefusalReason, SUBMISSION_STREAM, SubmissionEvent, SyncRequest, Timestamp,
};
use event_store::RecordedEvent;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use crate::state::{RelayState, Reports, add_report};

/// Most bytes of entries in one request; a larger single entry travels alone.
pub const MAX_ENTRY_BYTES_PER_REQUEST: usize = 512 * 1024;

/// What one request carries.
#[derive(Debug)]
pub struct Page {
    pub(crate) entries: Vec<Relayed>,
    /// Of each device that the hub has heard: how far it had got, and when that was. The cloud hears it through the hub
    /// alone, so entries say nothing about it there.
    pub(crate) reports: Reports,
    /// Everything up to this position of the log is in here, or does not travel.
    pub(crate) through: u64,
    /// Position of the last held entry in here; 0 when there is none.
    pub(crate) held_through: u64,
    /// Held entries of which an erasure left nothing to relay.
    pub(crate) gone: Vec<u64>,
    bytes: usize,
    max_entries: usize,
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

impl Page {
    /// What travels next: single events that are offered again, then those after the cursor that are not among the
    /// held. Cut where it gets too large.
    pub fn of(
        held: &[RecordedEvent],
        events: &[RecordedEvent],
        state: &RelayState,
        max_entries: usize,
    ) -> Self {
        let mut page = Self {
            entries: Vec::new(),
            reports: Reports::new(),
            through: state.cursor,
            held_through: 0,
            gone: Vec::new(),
            bytes: 0,
            max_entries,
        };
        for event in held {
            let before = page.len();
            if !page.take(event) {
                return page;
            }
            page.held_through = event.position;
            if page.len() == before {
                page.gone.push(event.position);
            }
        }
        for event in events {
            let is_held = state.held.iter().any(|held| held.position == event.position);
            if !is_held && !page.take(event) {
                break;
            }
            page.through = event.position;
        }
        page
    }

    /// Whether nothing travels; there may be something to pass.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.reports.is_empty()
    }

    /// How many entries travel.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// The position of the only entry, if there is just one. Reports beside it are small.
    pub(crate) fn single(&self) -> Option<u64> {
        match self.entries.as_slice() {
            [only] => Some(only.position),
            _ => None,
        }
    }

    /// The body of the request.
    pub fn body(&self, state: &RelayState) -> String {
        let mut reports = state.reports.clone();
        self.reports.values().for_each(|report| add_report(&mut reports, report));
        let request = SyncRequest {
            last_receipt: state.receipt,
            erasures_after: Some(state.erasures_after),
            reports: reports.into_values().take(MAX_BATCH_ENTRIES).collect(),
            entries: self.entries.iter().map(|entry| entry.raw.as_ref()).collect(),
            ..SyncRequest::default()
        };
        // Writing plain data to a string cannot fail; an empty body would be refused and tried again.
        serde_json::to_string(&request).unwrap_or_default()
    }

    /// Takes an event along, or says that the page is full.
    fn take(&mut self, event: &RecordedEvent) -> bool {
        if event.aggregate_type == DEVICE_REPORT_STREAM {
            if let Some(DeviceReportEvent::Reported(report)) = read(event) {
                add_report(&mut self.reports, &report);
            }
            return true;
        }
        let Some(Received { text, label, hub_said }) = Received::read(event) else { return true };
        let bytes = self.bytes.saturating_add(text.len());
        let is_too_large = bytes > MAX_ENTRY_BYTES_PER_REQUEST || self.entries.len() >= self.max_entries;
        if !self.entries.is_empty() && is_too_large {
            return false;
        }
        if let Some(report) = report_of_maker(event, &text) {
            add_report(&mut self.reports, &report);
        }
        // What is not JSON was emptied by an erasure; nothing of it is left to relay.
        if let Ok(raw) = RawValue::from_string(text) {
            self.bytes = bytes;
            self.entries.push(Relayed { position: event.position, label, hub_said, raw });
        }
        true
    }
}

/// An entry as the hub received it. A refused one travels too: the cloud judges for itself.
struct Received {
    text: String,
    label: Option<(ClientId, u32)>,
    hub_said: HubSaid,
}

impl Received {
    fn read(event: &RecordedEvent) -> Option<Self> {
        match event.aggregate_type.as_str() {
            LEAD_STREAM => {
                let version = u32::try_from(event.sequence).ok();
                let label = event.aggregate_id.parse().ok().zip(version);
                Some(Self { text: event.payload.clone(), label, hub_said: HubSaid::Recorded })
            }
            SUBMISSION_STREAM => match read(event) {
                // It was not judged, so it must not come to the cloud as if the hub had. The device keeps it.
                Some(SubmissionEvent::Refused(refusal)) if refusal.reason == RefusalReason::DeviceRevoked => {
                    None
                }
                Some(SubmissionEvent::Refused(refusal)) => {
                    let hub_said = match refusal.reason {
                        RefusalReason::Conflict => HubSaid::Conflict,
                        RefusalReason::Invalid
                        | RefusalReason::Unsupported
                        | RefusalReason::DeviceRevoked => HubSaid::Refused,
                    };
                    // As the hub could read it; the cloud reads it in the same way.
                    let label = refusal.client_id.and_then(|id| id.parse().ok()).zip(refusal.version);
                    Some(Self { text: refusal.raw, label, hub_said })
                }
                _ => None,
            },
            // The rest is the hub's own: the cloud's verdicts, and erasures that came from the cloud.
            _ => None,
        }
    }
}

/// That an entry's own installation has brought it to the hub, and when.
fn report_of_maker(event: &RecordedEvent, entry: &str) -> Option<DeviceReport> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Origin {
        device_id: DeviceId,
        device_seq: u64,
    }
    let bearer: Bearer = serde_json::from_str(&event.metadata).ok()?;
    let Origin { device_id, device_seq } = serde_json::from_str(entry).ok()?;
    let heard_at = Timestamp::new(event.recorded_at);
    bearer.is_maker().then_some(DeviceReport { device_id, saved_through: device_seq, heard_at })
}

/// What an event of the hub's own says, if this program knows it.
fn read<T: DeserializeOwned>(event: &RecordedEvent) -> Option<T> {
    serde_json::from_str(&event.current_payload().ok()?).ok()
}
