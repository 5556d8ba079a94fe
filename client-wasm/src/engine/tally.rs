//! How leads stand, counted as they change: a person is told after every fact, and ten thousand entries must
//! not be walked through each time.

use super::custody::Place;
use super::status::Places;

/// How one lead stands, over all of its versions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct LeadStanding {
    /// When its first version was saved, in milliseconds since 1970.
    pub(super) saved_at: i64,
    /// Its newest version takes it back.
    pub(super) is_taken_back: bool,
    /// When the oldest version that waits was saved.
    pub(super) waiting_since: Option<i64>,
    /// The newest version was refused.
    pub(super) is_failed: bool,
    /// Where the version stands that has got least far. `None` when the person was erased.
    pub(super) place: Option<Place>,
}

impl LeadStanding {
    fn is_of_the_day(&self, day_start_ms: i64) -> bool {
        self.saved_at >= day_start_ms && !self.is_taken_back
    }
}

/// The sum over leads.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) waiting: usize,
    pub(super) failed: usize,
    pub(super) places: Places,
    pub(super) saved_today: usize,
    oldest: Option<i64>,
    /// The oldest has stopped waiting, and who is the oldest now is not known.
    is_stale: bool,
}

impl Tally {
    pub(super) fn add(&mut self, lead: &LeadStanding, day_start_ms: i64) {
        *self.at(lead) += usize::from(lead.place.is_some());
        self.failed += usize::from(lead.is_failed);
        self.saved_today += usize::from(lead.is_of_the_day(day_start_ms));
        if let Some(since) = lead.waiting_since {
            self.waiting += 1;
            self.oldest = Some(self.oldest.map_or(since, |oldest| oldest.min(since)));
        }
    }

    /// Takes back what was added for the same standing and day.
    pub(super) fn subtract(&mut self, lead: &LeadStanding, day_start_ms: i64) {
        *self.at(lead) -= usize::from(lead.place.is_some());
        self.failed -= usize::from(lead.is_failed);
        self.saved_today -= usize::from(lead.is_of_the_day(day_start_ms));
        if lead.waiting_since.is_some() {
            self.waiting -= 1;
            self.is_stale |= lead.waiting_since == self.oldest;
        }
    }

    /// When the oldest lead that waits was saved; `waiting` lists them all, and is asked only when it must
    /// be.
    pub(super) fn oldest(&mut self, waiting: impl FnOnce() -> Option<i64>) -> Option<i64> {
        if std::mem::take(&mut self.is_stale) {
            self.oldest = waiting();
        }
        self.oldest
    }

    fn at(&mut self, lead: &LeadStanding) -> &mut usize {
        match lead.place {
            None | Some(Place::Device) => &mut self.places.device,
            Some(Place::Hub) => &mut self.places.hub,
            Some(Place::Cloud) => &mut self.places.cloud,
        }
    }
}
