//! Reading on in a store's log: whom it has erased, and what the cloud told a hub, each after a cursor.
//!
//! A cursor is a position, and a position means something in one history only. A store that lost history and
//! grew again may have another event there, and the device would pass over it. Lineage protects positions up
//! to the receipt that was shown, and no further: so a cursor is *kept* only up to there, once everything up
//! to the end was read. What stands behind it is read again with later requests, which is harmless and rarely
//! much.

use domain::StoreId;

/// How far one target's store was read, beyond what is kept.
#[derive(Debug, Default)]
pub(super) struct Reading {
    store: Option<StoreId>,
    erasures: Option<Walk>,
    cloud_verdicts: Option<u64>,
}

/// One way through the log, from the kept cursor to the end.
#[derive(Debug, Clone, Copy)]
struct Walk {
    after: u64,
    /// The position that lineage had proven when it began.
    proven: u64,
}

/// Cursors over a store's erasures and over the cloud's verdicts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cursors {
    /// Over its erasures.
    pub erasures: u64,
    /// Over what a hub knows of the cloud's verdicts.
    pub cloud_verdicts: u64,
}

impl Reading {
    /// The cursors to send to this store.
    pub(super) fn cursors(&mut self, store: Option<StoreId>, kept: Cursors) -> Cursors {
        if self.store != store {
            *self = Self { store, ..Self::default() };
        }
        Cursors {
            erasures: self.erasures.map_or(kept.erasures, |walk| walk.after),
            cloud_verdicts: self.cloud_verdicts.unwrap_or(kept.cloud_verdicts),
        }
    }

    /// Begins again at what is kept.
    pub(super) fn begin_again(&mut self) {
        *self = Self::default();
    }

    /// Erasures after `sent` were read up to `through`, with an answer that proved everything up to `proven`.
    /// Returns the cursor to keep, when the end was reached.
    pub(super) const fn erasures(&mut self, sent: u64, through: u64, proven: u64) -> Option<u64> {
        let proven = match self.erasures {
            Some(walk) => walk.proven,
            None => proven,
        };
        if through > sent {
            self.erasures = Some(Walk { after: through, proven });
            return None;
        }
        self.erasures = None;
        Some(proven)
    }

    /// The same of the cloud's verdicts. A hub says itself whether its page reached the end. Returns whether
    /// all that it says about the cloud may be believed, and `proven` be kept.
    pub(super) const fn cloud_verdicts(&mut self, sent: u64, through: u64, is_whole: bool) -> bool {
        let is_read = is_whole || through <= sent;
        self.cloud_verdicts = if is_read { None } else { Some(through) };
        is_read
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_cursor_is_kept_at_the_end_and_no_further_than_lineage_had_proven_at_the_start() {
        let store = Some(StoreId::new(Uuid::from_u128(1)));
        let kept = Cursors { erasures: 5, cloud_verdicts: 6 };
        let mut reading = Reading::default();
        assert_eq!(reading.cursors(store, kept), kept);
        assert_eq!(reading.erasures(5, 40, 20), None);
        assert_eq!(reading.cursors(store, kept).erasures, 40);
        assert_eq!(reading.erasures(40, 40, 30), Some(20), "what came between is read again");
        assert_eq!(reading.cursors(store, kept), kept);
        assert!(!reading.cloud_verdicts(6, 90, false));
        assert_eq!(reading.cursors(store, kept).cloud_verdicts, 90);
        assert!(reading.cloud_verdicts(90, 95, true));
        assert!(!reading.cloud_verdicts(6, 90, false));
        // Another store begins at its own cursors.
        assert_eq!(reading.cursors(None, Cursors::default()), Cursors::default());
    }
}
