//! Installations that were on this device before, and whose storage is gone (SYN-9).
//!
//! They can say nothing any more, so their successor speaks for them: every request reports how far each had got, and the
//! cloud names the numbers that it lacks (invariant 9). Until their entries are back, or a person has put the matter
//! aside, the dot is red.

use domain::{DeviceId, DeviceReport, Timestamp};

use super::record::EntryRecord;

/// What is known of one of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LostInstallation {
    /// Its name.
    pub device_id: DeviceId,
    /// The highest number that it had saved.
    pub saved_through: u64,
    /// When it was missed, by this device's clock.
    pub missed_at: Timestamp,
    /// How many missing entries a person knows of, and does not want to be told of again.
    pub put_aside: u64,
}

/// All of them, and what has come back.
#[derive(Default)]
pub(super) struct Losses(Vec<Loss>);

struct Loss {
    lost: LostInstallation,
    restored: u64,
}

impl Loss {
    const fn missing(&self) -> u64 {
        self.lost.saved_through.saturating_sub(self.restored)
    }
}

impl Losses {
    pub(super) fn new(lost: Vec<LostInstallation>) -> Self {
        Self(lost.into_iter().map(|lost| Loss { lost, restored: 0 }).collect())
    }

    /// This entry has come in.
    pub(super) fn entered(&mut self, record: &EntryRecord) {
        for Loss { lost, restored } in &mut self.0 {
            if record.device_id == lost.device_id && record.device_seq <= lost.saved_through {
                *restored += 1;
            }
        }
    }

    /// Those that a person is to be told of, each with the number of entries that are missing.
    pub(super) fn to_be_told(&self) -> impl Iterator<Item = (&LostInstallation, u64)> {
        let losses = self.0.iter().filter(|loss| loss.missing() > loss.lost.put_aside);
        losses.map(|loss| (&loss.lost, loss.missing()))
    }

    /// A person knows of all of it.
    pub(super) fn put_aside(&mut self) {
        self.0.iter_mut().for_each(|loss| loss.lost.put_aside = loss.missing());
    }

    /// What a store must know of those of which something is missing.
    pub(super) fn reports(&self) -> Vec<DeviceReport> {
        let report = |Loss { lost, .. }: &Loss| DeviceReport {
            device_id: lost.device_id.clone(),
            saved_through: lost.saved_through,
            heard_at: lost.missed_at,
        };
        self.0.iter().filter(|loss| loss.missing() > 0).map(report).collect()
    }
}
