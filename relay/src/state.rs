//! What a relay keeps, beside the log that it reads.

use std::collections::BTreeMap;

use domain::{ClientId, DeviceReport, Receipt, StoreId};
use serde::{Deserialize, Serialize};

/// Where a relay stands. Kept in the hub's own database, so that a copy of the hub takes it along: a hub that
/// is restored from an old copy relays again from where that copy stood.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RelayState {
    /// The cloud has been offered everything up to this position.
    pub cursor: u64,
    /// Entries up to the cursor about which it has not given its last word, in order.
    pub held: Vec<Held>,
    /// The store that answered as the cloud.
    pub cloud: Option<StoreId>,
    /// The newest receipt from it: proves that its history is whole, and is passed on to devices.
    pub receipt: Option<Receipt>,
    /// Entries that it has refused, or could not understand. When it takes one after all, devices must hear.
    pub refused: Vec<(ClientId, u32)>,
    /// Cursor over its erasures.
    pub erasures_after: u64,
    /// What it was told of devices. No receipt covers a report, so a cloud that has lost one cannot be caught at it; each
    /// request says them all again, and it records what is news. At most [`MAX_REPORTS`].
    pub reports: Reports,
}

/// Reports of a hub's devices by the stream that records them: what was heard of each, and what others say of it.
pub type Reports = BTreeMap<String, DeviceReport>;

/// Most reports that are said again: more than a hub ever has, even when the storage of iPads is wiped often.
pub const MAX_REPORTS: usize = 500;

/// Adds what a report says to what is known of its device.
pub(crate) fn add_report(reports: &mut Reports, report: &DeviceReport) {
    let known = reports.entry(report.stream()).or_insert_with(|| report.clone());
    known.saved_through = known.saved_through.max(report.saved_through);
    known.heard_at = known.heard_at.max(report.heard_at);
}

/// An entry that is offered again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Held {
    /// Where it stands in the hub's log.
    pub position: u64,
    /// Whether the hub's log holds a verdict that says so. Then it does not hold back the watermark.
    pub is_told: bool,
}

impl RelayState {
    /// Of everything up to this position of the hub's log, the cloud has given its word, and every word other
    /// than "recorded" stands as a verdict in the hub's log.
    pub fn relayed_through(&self) -> u64 {
        let first_untold = self.held.iter().find(|held| !held.is_told);
        first_untold.map_or(self.cursor, |held| held.position.saturating_sub(1).min(self.cursor))
    }

    /// The cloud is another one, or has lost what it once had: everything is to be offered again.
    pub(crate) fn begin_again(&mut self, cloud: StoreId) {
        // What was refused stays known: the refusal was told to devices, and they must hear if it changes.
        let refused = std::mem::take(&mut self.refused);
        *self = Self { cloud: Some(cloud), refused, ..Self::default() };
    }

    /// Notes what the cloud was told of devices. Of too many, those go that were heard longest ago: they may speak again.
    pub(crate) fn note_reports(&mut self, told: &Reports) {
        told.values().for_each(|report| add_report(&mut self.reports, report));
        while self.reports.len() > MAX_REPORTS {
            let oldest = self.reports.values().min_by_key(|report| (!report.was_heard(), report.heard_at));
            let Some(oldest) = oldest.map(DeviceReport::stream) else { return };
            self.reports.remove(&oldest);
        }
    }

    pub(crate) fn hold(&mut self, position: u64, is_told: bool) {
        match self.held.binary_search_by_key(&position, |held| held.position) {
            Ok(at) => self.held[at].is_told = is_told,
            Err(at) => self.held.insert(at, Held { position, is_told }),
        }
    }

    pub(crate) fn release(&mut self, position: u64) {
        self.held.retain(|held| held.position != position);
    }

    /// Notes whether the cloud refuses this entry; answers whether that differs from what was known.
    pub(crate) fn note_refused(&mut self, label: (ClientId, u32), is_refused: bool) -> bool {
        match (self.refused.binary_search(&label), is_refused) {
            (Err(at), true) => {
                self.refused.insert(at, label);
                true
            }
            (Ok(at), false) => {
                self.refused.remove(at);
                true
            }
            _ => false,
        }
    }
}
