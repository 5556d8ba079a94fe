//! What a relay keeps, beside the log that it reads.

use domain::{ClientId, Receipt, StoreId};
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
