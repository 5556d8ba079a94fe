//! How long to wait after something went wrong: longer each time, up to a cap, never exactly as long as
//! the neighbour waits.

/// First wait after a failed request, in milliseconds.
pub const BACKOFF_BASE_MS: u64 = 1_000;

/// Longest wait that the engine chooses by itself, in milliseconds. A network that is back is used within
/// a minute, also where no `online` event tells.
pub const MAX_BACKOFF_MS: u64 = 60_000;

/// Longest `Retry-After` that is obeyed, in milliseconds. A proxy that asks for a day must not strand leads.
pub const MAX_RETRY_AFTER_MS: u64 = 300_000;

/// Random numbers for jitter (SplitMix64, Steele et al. 2014), from a seed that the caller draws.
#[derive(Debug, Clone)]
pub struct Jitter(u64);

impl Jitter {
    /// The same seed gives the same waits.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// `base_ms` doubled `doublings` times, at most `max_ms`; then something between half of that and all
    /// of it. Half is kept so that a wait is never nothing.
    pub fn wait_ms(&mut self, base_ms: u64, doublings: u32, max_ms: u64) -> u64 {
        let whole = base_ms.saturating_mul(1_u64.checked_shl(doublings).unwrap_or(u64::MAX)).min(max_ms);
        let half = whole / 2;
        half + self.next() % (whole - half + 1)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }
}

/// The wait before the next request.
#[derive(Debug, Clone, Default)]
pub struct Backoff {
    failures: u32,
    until_ms: Option<u64>,
    ordered_by_server: bool,
}

impl Backoff {
    /// A request failed; `retry_after_ms` is what the server asked for.
    pub fn failed(&mut self, now_ms: u64, retry_after_ms: Option<u64>, jitter: &mut Jitter) {
        let own_ms = jitter.wait_ms(BACKOFF_BASE_MS, self.failures, MAX_BACKOFF_MS);
        let ordered_ms = retry_after_ms.map(|wait_ms| wait_ms.min(MAX_RETRY_AFTER_MS));
        self.failures = self.failures.saturating_add(1);
        self.ordered_by_server = ordered_ms.is_some();
        self.until_ms = Some(now_ms.saturating_add(own_ms.max(ordered_ms.unwrap_or(0))));
    }

    /// Waits without counting a failure.
    pub fn pause(&mut self, now_ms: u64, wait_ms: u64) {
        self.ordered_by_server = false;
        self.until_ms = Some(now_ms.saturating_add(wait_ms));
    }

    /// A request was answered.
    pub fn reset(&mut self) {
        *self = Self::default();
    }

    /// The network came back: no reason to wait, unless a server asked for it.
    pub fn network_came_back(&mut self) {
        if !self.ordered_by_server {
            self.reset();
        }
    }

    /// The target is heard of again: no reason to wait, unless a server asked for it. The failures are
    /// remembered, because a health route may answer where nothing else does.
    pub fn heard_again(&mut self) {
        if !self.ordered_by_server {
            self.until_ms = None;
        }
    }

    /// Ends the wait but remembers the failures: a person asked.
    pub fn skip(&mut self) {
        self.until_ms = None;
    }

    /// When the wait ends, if it has not ended yet.
    pub fn until(&self, now_ms: u64) -> Option<u64> {
        self.until_ms.filter(|until_ms| now_ms < *until_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_the_cap_and_keep_at_least_half() {
        let (mut backoff, mut jitter) = (Backoff::default(), Jitter::new(1));
        let mut expected = BACKOFF_BASE_MS;
        for _ in 0..80 {
            backoff.failed(0, None, &mut jitter);
            let wait = backoff.until(0).unwrap();
            assert!((expected / 2..=expected).contains(&wait), "{wait} for {expected}");
            expected = (expected * 2).min(MAX_BACKOFF_MS);
        }
    }

    #[test]
    fn two_devices_do_not_wait_alike() {
        let wait = |seed| Jitter::new(seed).wait_ms(BACKOFF_BASE_MS, 5, MAX_BACKOFF_MS);
        assert_ne!(wait(1), wait(2));
        assert_eq!(wait(1), wait(1));
    }

    #[test]
    fn retry_after_lengthens_the_wait_up_to_a_bound() {
        let (mut backoff, mut jitter) = (Backoff::default(), Jitter::new(1));
        backoff.failed(0, Some(30_000), &mut jitter);
        assert_eq!(backoff.until(0), Some(30_000));
        backoff.failed(0, Some(u64::MAX), &mut jitter);
        assert_eq!(backoff.until(0), Some(MAX_RETRY_AFTER_MS));
        backoff.network_came_back();
        assert_eq!(backoff.until(0), Some(MAX_RETRY_AFTER_MS), "the server asked for it");
        backoff.skip();
        assert_eq!(backoff.until(0), None);
        backoff.reset();
        backoff.failed(0, Some(0), &mut jitter);
        assert!(backoff.until(0).unwrap() >= BACKOFF_BASE_MS / 2, "never at once");
    }
}
