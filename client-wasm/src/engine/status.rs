//! What a person is told. Computed from receipts alone: never green because a request returned.

use serde::Serialize;

use super::session::SessionState;
use crate::json::Fields;

/// The colour of the dot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Light {
    /// Every lead is in the cloud, by receipts.
    Green,
    /// Some wait.
    Amber,
    /// Some need a person: they were refused, or the storage that held them is gone.
    Red,
}

impl Light {
    pub(super) const fn of(failed: usize, missing: u64, waiting: usize) -> Self {
        match (failed, missing, waiting) {
            (0, 0, 0) => Self::Green,
            (0, 0, _) => Self::Amber,
            _ => Self::Red,
        }
    }
}

/// How many leads stand where. Each is counted once, where that version of it stands that has got least far;
/// a lead whose person was erased is not counted any more.
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

/// Who can be reached (TIER-2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Reach {
    /// The cloud itself.
    Cloud,
    /// A hub, but not the cloud.
    Hub,
    /// Nobody.
    Solo,
}

/// The state of the whole outbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// The colour of the dot.
    pub state: Light,
    /// Leads that the cloud has not in their newest version, those not counted that failed.
    pub waiting: usize,
    /// When the oldest of what waits was saved, in milliseconds since 1970.
    pub oldest_saved_at: Option<i64>,
    /// Leads whose newest version was refused.
    pub failed: usize,
    /// Entries of an installation whose storage is gone, unless a person has put the matter aside.
    pub missing: u64,
    /// Where leads stand.
    pub places: Places,
    /// Whether a store took part in the last try to sync; `None` before the first.
    pub reachable: Option<bool>,
    /// The best tier that can be reached; `None` before that is known.
    pub reach: Option<Reach>,
    /// How the session of the person who holds the device stands.
    pub session: SessionState,
    /// Leads saved since midnight.
    pub saved_today: usize,
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
    /// Leads that still wait for the cloud.
    pub waiting: usize,
}

impl Status {
    /// As the app reads it: what serde's derived writing would say, in less code.
    pub fn to_json(&self) -> String {
        let mut places = Fields::new();
        places.number("device", self.places.device as u64);
        places.number("hub", self.places.hub as u64);
        places.number("cloud", self.places.cloud as u64);
        let mut it = Fields::new();
        it.text(
            "state",
            match self.state {
                Light::Green => "green",
                Light::Amber => "amber",
                Light::Red => "red",
            },
        );
        it.number("waiting", self.waiting as u64);
        it.raw("oldestSavedAt", &self.oldest_saved_at.map_or_else(|| "null".to_owned(), |at| at.to_string()));
        it.number("failed", self.failed as u64);
        it.number("missing", self.missing);
        it.raw("places", &places.end());
        it.raw(
            "reachable",
            match self.reachable {
                Some(true) => "true",
                Some(false) => "false",
                None => "null",
            },
        );
        it.raw(
            "reach",
            match self.reach {
                Some(Reach::Cloud) => "\"cloud\"",
                Some(Reach::Hub) => "\"hub\"",
                Some(Reach::Solo) => "\"solo\"",
                None => "null",
            },
        );
        it.text(
            "session",
            match self.session {
                SessionState::None => "none",
                SessionState::Valid => "valid",
                SessionState::Grace => "grace",
                SessionState::Reconnect => "reconnect",
            },
        );
        it.number("savedToday", self.saved_today as u64);
        it.end()
    }
}

impl Summary {
    /// As the app reads it.
    pub fn to_json(&self) -> String {
        let mut it = Fields::new();
        it.number("sent", self.sent as u64);
        it.number("synced", self.synced as u64);
        it.number("failed", self.failed as u64);
        it.number("waiting", self.waiting as u64);
        it.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_app_reads_what_serde_would_have_written() {
        for (state, reachable, reach, session, oldest_saved_at) in [
            (Light::Green, None, None, SessionState::None, None),
            (Light::Amber, Some(true), Some(Reach::Cloud), SessionState::Valid, Some(-4)),
            (Light::Red, Some(false), Some(Reach::Hub), SessionState::Grace, Some(i64::MAX)),
            (Light::Red, Some(false), Some(Reach::Solo), SessionState::Reconnect, Some(0)),
        ] {
            let status = Status {
                state,
                waiting: 1,
                oldest_saved_at,
                failed: 2,
                missing: 7,
                places: Places { device: 3, hub: 4, cloud: 5 },
                reachable,
                reach,
                session,
                saved_today: 6,
            };
            assert_eq!(status.to_json(), serde_json::to_string(&status).unwrap());
        }
        let summary = Summary { sent: 1, synced: 2, failed: 3, waiting: 4 };
        assert_eq!(summary.to_json(), serde_json::to_string(&summary).unwrap());
    }
}
