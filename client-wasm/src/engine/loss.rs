//! An installation that was on this device before, and whose storage is gone (SYN-9).
//!
//! It can say nothing any more, so its successor speaks for it: every request reports how far it had got, and the cloud
//! names the numbers that it lacks (invariant 9). Until its entries are back, or a person has put the matter aside, the
//! dot is red.

use domain::{DeviceId, DeviceReport, Timestamp};

use super::record::EntryRecord;

/// What is known of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LostInstallation {
    /// Its name.
    pub device_id: DeviceId,
    /// The highest number that it had saved.
    pub saved_through: u64,
    /// When it was missed, by this device's clock.
    pub missed_at: Timestamp,
    /// A person knows, and does not want to be told again.
    pub is_put_aside: bool,
}

/// A lost installation, and what has come back of it.
pub(super) struct Loss {
    lost: LostInstallation,
    restored: u64,
}

impl Loss {
    pub(super) const fn new(lost: LostInstallation) -> Self {
        Self { lost, restored: 0 }
    }

    /// This entry is here.
    pub(super) fn holds(&mut self, record: &EntryRecord) {
        if record.device_id == self.lost.device_id && record.device_seq <= self.lost.saved_through {
            self.restored += 1;
        }
    }

    /// How many of its entries are not here.
    pub(super) const fn missing(&self) -> u64 {
        self.lost.saved_through.saturating_sub(self.restored)
    }

    /// How many of them a person is to be told of.
    pub(super) const fn untold(&self) -> u64 {
        if self.lost.is_put_aside { 0 } else { self.missing() }
    }

    pub(super) const fn put_aside(&mut self) {
        self.lost.is_put_aside = true;
    }

    /// What a store must know, while something is missing.
    pub(super) fn report(&self) -> Option<DeviceReport> {
        (self.missing() > 0).then(|| DeviceReport {
            device_id: self.lost.device_id.clone(),
            saved_through: self.lost.saved_through,
            heard_at: self.lost.missed_at,
        })
    }
}
