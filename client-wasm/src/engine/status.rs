//! What a person is told. Computed from receipts alone: never green because a request returned.

use serde::Serialize;

use super::custody::Place;
use super::outbox::Outbox;

/// The colour of the dot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Light {
    /// Every lead has a receipt of the cloud.
    Green,
    /// Some wait.
    Amber,
    /// Some were refused and need a person.
    Red,
}

/// How many leads stand where. Each is counted once, at its farthest place.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Places {
    /// Only on this device.
    pub device: usize,
    /// At a hub too.
    pub hub: usize,
    /// In the cloud.
    pub cloud: usize,
}

/// The state of the whole outbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// The colour of the dot.
    pub state: Light,
    /// Entries without a receipt of the cloud, the refused ones not counted.
    pub waiting: usize,
    /// When the oldest of them was saved, in milliseconds since 1970.
    pub oldest_saved_at: Option<i64>,
    /// Entries that were refused.
    pub failed: usize,
    /// Where entries stand.
    pub places: Places,
    /// Whether a store answered last time; `None` before the first try.
    pub reachable: Option<bool>,
    /// Entries saved since midnight.
    pub saved_today: usize,
}

impl Status {
    /// Looks at every entry. `unreadable` ones are on disk and wait for a newer program; `day_start_ms` is
    /// the last midnight, in milliseconds since 1970.
    pub fn of(outbox: &Outbox, unreadable: usize, reachable: Option<bool>, day_start_ms: i64) -> Self {
        let mut places = Places { device: unreadable, ..Places::default() };
        let (mut waiting, mut failed, mut saved_today) = (unreadable, 0, 0);
        let mut oldest_saved_at: Option<i64> = None;
        for (_, saved_at, place, is_refused) in outbox.standing() {
            match place {
                Place::Device => places.device += 1,
                Place::Hub => places.hub += 1,
                Place::Cloud => places.cloud += 1,
            }
            if is_refused {
                failed += 1;
            } else if place != Place::Cloud {
                waiting += 1;
                oldest_saved_at = Some(oldest_saved_at.map_or(saved_at, |oldest| oldest.min(saved_at)));
            }
            if saved_at >= day_start_ms {
                saved_today += 1;
            }
        }
        let state = match (failed, waiting) {
            (0, 0) => Light::Green,
            (0, _) => Light::Amber,
            _ => Light::Red,
        };
        Self { state, waiting, oldest_saved_at, failed, places, reachable, saved_today }
    }
}

/// State of one entry (SYN-1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntryStatus {
    /// Waits to be sent.
    Pending,
    /// In the request that is under way.
    Syncing,
    /// The cloud has it, or a hub has it and passes it on.
    Synced,
    /// Refused by a store's typed verdict.
    Failed,
}

/// What a run did, for the person who asked for it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// Entries sent; one that was sent twice counts twice.
    pub sent: usize,
    /// Entries for which a store gave its receipt.
    pub synced: usize,
    /// Entries that a store refused.
    pub failed: usize,
    /// Entries that still wait for a receipt of the cloud.
    pub waiting: usize,
}
