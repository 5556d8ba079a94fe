//! Who can be reached (TIER-2): the heartbeat of one target.
//!
//! What was heard from a target, a sync answer or a health answer, says that a store is there, and which tier
//! it is. When nothing was heard for [`HEARTBEAT_MS`], the health route is asked. Two misses in a row, of
//! whichever kind, make the target unreachable, so that one lost packet changes nothing on the screen. An
//! unreachable target gets health requests only; the first answer brings it back. A page that is not a
//! store's (a captive portal) is a miss of the health route, because it carries no store's name.

use domain::Tier;

use super::status::Reach;

/// Time without a word from a target after which its health route is asked, in milliseconds.
pub const HEARTBEAT_MS: u64 = 15_000;

/// How long a health request may take before the browser gives up, in milliseconds.
pub const PROBE_TIMEOUT_MS: u32 = 5_000;

/// How long the engine waits for the outcome of a health request, in milliseconds.
pub const PROBE_LEASE_MS: u64 = 7_000;

/// Misses in a row that make a target unreachable.
pub const MISSES_UNTIL_UNREACHABLE: u8 = 2;

/// What is known about one target.
#[derive(Debug, Clone, Default)]
pub(super) struct Contact {
    /// Whether a store answers; `None` before that is known.
    reach: Option<bool>,
    tier: Option<Tier>,
    misses: u8,
    probe_at_ms: u64,
    probe_ends_ms: Option<u64>,
    /// One sync request may be tried though the target counts as unreachable: a person asked.
    is_forced: bool,
}

impl Contact {
    pub(super) fn is_reachable(&self) -> bool {
        self.reach == Some(true)
    }

    /// Whether sync requests may go there.
    pub(super) fn may_send(&self) -> bool {
        self.reach != Some(false) || self.is_forced
    }

    /// A request is being sent there.
    pub(super) const fn sent(&mut self) {
        self.is_forced = false;
    }

    /// Try once more, whatever is known; and ask the health route at once.
    pub(super) fn try_again(&mut self, now_ms: u64) {
        if self.reach == Some(false) {
            self.is_forced = true;
            self.probe_at_ms = now_ms;
        }
    }

    /// A store was heard. Returns whether it was not known to be there.
    pub(super) fn heard(&mut self, now_ms: u64, tier: Tier) -> bool {
        let was_away = self.reach != Some(true);
        (self.reach, self.tier, self.misses) = (Some(true), Some(tier), 0);
        (self.probe_at_ms, self.probe_ends_ms) = (now_ms.saturating_add(HEARTBEAT_MS), None);
        was_away
    }

    /// A request found nobody.
    pub(super) const fn missed(&mut self) {
        self.misses = self.misses.saturating_add(1);
        if self.misses >= MISSES_UNTIL_UNREACHABLE {
            self.reach = Some(false);
        }
    }

    /// The health request found nobody, or no store.
    pub(super) const fn probe_missed(&mut self) {
        if self.probe_ends_ms.take().is_some() {
            self.missed();
        }
    }

    /// Whether a health request is to be sent now, which is then under way. First ends one whose lease is
    /// over.
    pub(super) fn takes_probe(&mut self, now_ms: u64) -> bool {
        if self.probe_ends_ms.is_some_and(|ends_ms| ends_ms <= now_ms) {
            self.probe_missed();
        }
        let is_due = self.probe_ends_ms.is_none() && self.probe_at_ms <= now_ms;
        if is_due {
            self.probe_at_ms = now_ms.saturating_add(HEARTBEAT_MS);
            self.probe_ends_ms = Some(now_ms.saturating_add(PROBE_LEASE_MS));
        }
        is_due
    }

    /// Asks the health route not before this time.
    pub(super) const fn probe_from(&mut self, at_ms: u64) {
        self.probe_at_ms = at_ms;
    }

    /// When something is to be done about the health route.
    pub(super) fn next_ms(&self) -> u64 {
        self.probe_ends_ms.unwrap_or(self.probe_at_ms)
    }
}

/// The best tier among targets; `None` while nobody answered and not all have been found missing.
pub(super) fn best<'a>(contacts: impl Iterator<Item = &'a Contact>) -> Option<Reach> {
    let (mut is_unknown, mut is_hub) = (false, false);
    for contact in contacts {
        match (contact.reach, contact.tier) {
            (Some(true), Some(Tier::Cloud)) => return Some(Reach::Cloud),
            (Some(true), _) => is_hub = true,
            (None, _) => is_unknown = true,
            (Some(false), _) => {}
        }
    }
    match (is_hub, is_unknown) {
        (true, _) => Some(Reach::Hub),
        (false, true) => None,
        (false, false) => Some(Reach::Solo),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// TIER-2: one lost answer changes nothing; two in a row do; one answer brings it back.
    #[test]
    fn two_misses_in_a_row_make_a_target_unreachable_and_one_answer_brings_it_back() {
        let mut contact = Contact::default();
        assert!(contact.heard(0, Tier::Hub) && !contact.heard(1_000, Tier::Cloud));
        assert!(!contact.takes_probe(1_000 + HEARTBEAT_MS - 1));
        let mut now_ms = 1_000 + HEARTBEAT_MS;
        assert!(contact.takes_probe(now_ms) && !contact.takes_probe(now_ms));
        contact.probe_missed();
        contact.probe_missed();
        assert!(contact.is_reachable(), "one probe is one miss");
        now_ms += HEARTBEAT_MS;
        assert!(contact.takes_probe(now_ms));
        // Nothing comes back at all: the lease ends.
        assert_eq!(contact.next_ms(), now_ms + PROBE_LEASE_MS);
        assert!(!contact.takes_probe(now_ms + PROBE_LEASE_MS));
        assert!(!contact.is_reachable() && !contact.may_send());
        contact.try_again(now_ms);
        assert!(contact.may_send());
        assert!(contact.heard(now_ms, Tier::Cloud) && contact.is_reachable());
    }

    #[test]
    fn the_best_tier_wins_and_solo_needs_every_target_to_be_missing() {
        let unknown = Contact::default();
        let (mut hub, mut cloud, mut away) = (unknown.clone(), unknown.clone(), unknown.clone());
        hub.heard(0, Tier::Hub);
        cloud.heard(0, Tier::Cloud);
        away.missed();
        away.missed();
        let best = |contacts: &[&Contact]| best(contacts.iter().copied());
        assert_eq!(best(&[&away, &hub, &cloud]), Some(Reach::Cloud));
        assert_eq!(best(&[&hub, &unknown, &away]), Some(Reach::Hub));
        assert_eq!(best(&[&unknown, &hub]), Some(Reach::Hub));
        assert_eq!(best(&[&unknown, &away]), None);
        assert_eq!(best(&[&away, &unknown]), None);
        assert_eq!(best(&[&away]), Some(Reach::Solo));
    }
}
