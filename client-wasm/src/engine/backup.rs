//! When the whole database is shipped as a backup (SYN-9): the safety net for a device that is lost. It keeps
//! nothing right by itself; what comes back from it enters the outbox as [`super::Input::Restored`].
//!
//! Every [`BACKUP_EVERY_MS`], also over pages that live shorter than that, and when a person asks for a sync, if something has changed since the last one that
//! a store took, and a store can be reached. A failure waits longer each time. What is under way has a lease, as everything has.

use super::backoff::Jitter;

/// Least time between two backups, in milliseconds.
pub const BACKUP_EVERY_MS: u64 = 300_000;

/// Least time between the opening of a page and its first backup, in milliseconds: what is there is sent first.
pub const BACKUP_AFTER_OPENING_MS: u64 = 20_000;

/// First wait after one that failed, in milliseconds.
pub const BACKUP_RETRY_MS: u64 = 60_000;

/// Longest wait after one that failed, in milliseconds.
pub const MAX_BACKUP_RETRY_MS: u64 = 3_600_000;

/// How long the engine waits for the outcome of a backup, in milliseconds.
pub const BACKUP_LEASE_MS: u64 = 180_000;

/// The schedule.
#[derive(Debug, Default)]
pub(super) struct BackupSchedule {
    is_changed: bool,
    next_at_ms: u64,
    failures: u32,
    flight: Option<(u64, u64)>,
}

impl BackupSchedule {
    /// The database was opened. What the last backup holds is not known, so what is there counts as changed.
    pub(super) fn opened(&mut self, now_ms: u64, holds_entries: bool, last_age_ms: Option<u64>) {
        self.is_changed = holds_entries;
        let rest_ms = last_age_ms.map_or(0, |age_ms| BACKUP_EVERY_MS.saturating_sub(age_ms));
        self.next_at_ms = now_ms.saturating_add(rest_ms.max(BACKUP_AFTER_OPENING_MS));
    }

    /// Something that a backup holds has changed.
    pub(super) const fn changed(&mut self) {
        self.is_changed = true;
    }

    /// A person wants everything to be safe now.
    pub(super) fn hurry(&mut self, now_ms: u64) {
        self.next_at_ms = self.next_at_ms.min(now_ms);
    }

    /// A store takes them from here on: what failed before says nothing. What is there is sent first.
    pub(super) fn let_in(&mut self, now_ms: u64) {
        self.failures = 0;
        self.next_at_ms = self.next_at_ms.min(now_ms.saturating_add(BACKUP_AFTER_OPENING_MS));
    }

    /// Whether one is to be made now, which is then under way under this number.
    pub(super) const fn begins(&mut self, now_ms: u64, request_id: u64) -> bool {
        let begins = self.is_changed && self.flight.is_none() && self.next_at_ms <= now_ms;
        if begins {
            self.is_changed = false;
            self.flight = Some((request_id, now_ms.saturating_add(BACKUP_LEASE_MS)));
        }
        begins
    }

    /// A store has taken it.
    pub(super) fn done(&mut self, now_ms: u64, request_id: u64) {
        if self.flight.take_if(|flight| flight.0 == request_id).is_some() {
            self.failures = 0;
            self.next_at_ms = now_ms.saturating_add(BACKUP_EVERY_MS);
        }
    }

    /// It was not taken.
    pub(super) fn failed(&mut self, now_ms: u64, request_id: u64, jitter: &mut Jitter) {
        if self.flight.take_if(|flight| flight.0 == request_id).is_some() {
            self.is_changed = true;
            let wait_ms = jitter.wait_ms(BACKUP_RETRY_MS, self.failures, MAX_BACKUP_RETRY_MS);
            self.failures = self.failures.saturating_add(1);
            self.next_at_ms = now_ms.saturating_add(wait_ms);
        }
    }

    /// Ends one whose lease is over.
    pub(super) fn tick(&mut self, now_ms: u64, jitter: &mut Jitter) {
        if let Some((request_id, ends_ms)) = self.flight
            && ends_ms <= now_ms
        {
            self.failed(now_ms, request_id, jitter);
        }
    }

    /// When something is to be done: in any case, and if a store can be reached.
    pub(super) const fn next_ms(&self, is_reachable: bool) -> Option<u64> {
        match self.flight {
            Some((_, ends_ms)) => Some(ends_ms),
            None if self.is_changed && is_reachable => Some(self.next_at_ms),
            None => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// SYN-9: pages that live for a minute each have a backup too, and no more of them than one that lives long.
    #[test]
    fn the_time_since_the_last_backup_counts_over_pages() {
        for (last_age_ms, expected_ms) in [
            (None, BACKUP_AFTER_OPENING_MS),
            (Some(0), BACKUP_EVERY_MS),
            (Some(60_000), BACKUP_EVERY_MS - 60_000),
            (Some(BACKUP_EVERY_MS - 1), BACKUP_AFTER_OPENING_MS),
            (Some(u64::MAX), BACKUP_AFTER_OPENING_MS),
        ] {
            let mut schedule = BackupSchedule::default();
            schedule.opened(1_000, true, last_age_ms);
            assert_eq!(schedule.next_ms(true), Some(1_000 + expected_ms), "{last_age_ms:?}");
        }
    }

    #[test]
    fn a_backup_is_made_when_something_changed_and_failures_back_off() {
        let (mut schedule, mut jitter) = (BackupSchedule::default(), Jitter::new(1));
        schedule.opened(0, false, Some(0));
        assert!(!schedule.begins(BACKUP_EVERY_MS, 1), "nothing to back up");
        schedule.changed();
        assert_eq!((schedule.next_ms(false), schedule.next_ms(true)), (None, Some(BACKUP_EVERY_MS)));
        assert!(!schedule.begins(BACKUP_EVERY_MS - 1, 1) && schedule.begins(BACKUP_EVERY_MS, 1));
        schedule.changed();
        schedule.done(BACKUP_EVERY_MS, 9);
        assert!(schedule.next_ms(true).is_some_and(|at_ms| at_ms == BACKUP_EVERY_MS + BACKUP_LEASE_MS));
        schedule.done(BACKUP_EVERY_MS, 1);
        assert!(!schedule.begins(2 * BACKUP_EVERY_MS - 1, 2));
        schedule.hurry(2 * BACKUP_EVERY_MS - 1);
        assert!(schedule.begins(2 * BACKUP_EVERY_MS - 1, 2), "changed while the first was under way");
        let mut now_ms = 2 * BACKUP_EVERY_MS;
        for wait_ms in [BACKUP_RETRY_MS, 2 * BACKUP_RETRY_MS, 4 * BACKUP_RETRY_MS] {
            // No outcome at all: the lease ends.
            now_ms += BACKUP_LEASE_MS;
            schedule.tick(now_ms, &mut jitter);
            let next_ms = schedule.next_ms(true).unwrap();
            assert!((wait_ms / 2..=wait_ms).contains(&(next_ms - now_ms)), "{}", next_ms - now_ms);
            now_ms = next_ms;
            assert!(schedule.begins(now_ms, 2));
        }
    }
}
