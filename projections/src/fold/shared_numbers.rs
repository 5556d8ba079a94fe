//! Numbers of a device that more than one lead claims.
//!
//! A device gives each number once. Where two leads have the same, two iPads send under one id, for example because one was
//! set up as a copy of the other. Nothing is lost by that, but a number that is here once hides that it is missing once.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use domain::{ClientId, DeviceId, LEAD_STREAM, SUBMISSION_STREAM};
use event_store::RecordedEvent;
use serde::Deserialize;

/// The leads that claim a number, by number.
pub type SharedBy = BTreeMap<u64, BTreeSet<ClientId>>;

/// The numbers of a log, folded event by event, in memory.
#[derive(Debug, Default)]
pub struct SharedNumbers {
    first: HashMap<DeviceId, HashMap<u64, ClientId>>,
    shared: BTreeMap<DeviceId, SharedBy>,
}

/// What an entry, or what is kept of a refused one, says of itself.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Claim {
    #[serde(default)]
    device_id: Option<String>,
    #[serde(default)]
    device_seq: Option<u64>,
    #[serde(default)]
    client_id: Option<String>,
}

impl SharedNumbers {
    /// Applies the next event of the log. What names no number of a device, or no lead, claims nothing.
    pub fn apply(&mut self, event: &RecordedEvent) {
        let Some((device, number, lead)) = claim(event) else { return };
        let numbers = self.first.entry(device.clone()).or_default();
        let first = *numbers.entry(number).or_insert(lead);
        if first != lead {
            let leads = self.shared.entry(device).or_default().entry(number).or_default();
            leads.extend([first, lead]);
        }
    }

    /// What was found, by device.
    pub fn into_shared(self) -> BTreeMap<DeviceId, SharedBy> {
        self.shared
    }
}

fn claim(event: &RecordedEvent) -> Option<(DeviceId, u64, ClientId)> {
    if ![LEAD_STREAM, SUBMISSION_STREAM].contains(&event.aggregate_type.as_str()) {
        return None;
    }
    let Claim { device_id, device_seq, client_id } = serde_json::from_str(&event.payload).ok()?;
    let lead = if event.aggregate_type == LEAD_STREAM { &event.aggregate_id } else { &client_id? };
    Some((device_id?.parse().ok()?, device_seq?, lead.parse().ok()?))
}
