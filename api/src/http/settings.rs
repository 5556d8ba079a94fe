//! What whoever starts the server says about its callers.

use std::num::NonZeroU32;
use std::time::Duration;

use super::origin::Origin;
use super::proxies::TrustedProxy;
use super::rate_limit::RateLimit;

/// Requests with leads that a device may send in a second, for as long as it likes. An iPad sends a request for each lead that
/// somebody saves, and a backlog in requests of a hundred.
pub const DEVICE_REQUESTS_PER_SECOND: NonZeroU32 = NonZeroU32::new(20).expect("is not zero");

/// Seconds whose requests a device may send all at once. Together with the rate: room for a backlog of 20,000 leads.
const BURST_SECONDS: u32 = 10;

/// How callers are met. The default is what a server does of which nobody has said anything.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Of which other servers the app may call this one.
    pub allowed_origins: Vec<Origin>,
    /// Whose word counts on where a request comes from.
    pub trusted_proxies: Vec<TrustedProxy>,
    /// How often a device may send leads.
    pub device_requests_per_second: NonZeroU32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            allowed_origins: Vec::new(),
            trusted_proxies: Vec::new(),
            device_requests_per_second: DEVICE_REQUESTS_PER_SECOND,
        }
    }
}

impl Settings {
    pub(super) fn device_sends(&self) -> RateLimit {
        let per_second = self.device_requests_per_second.get();
        RateLimit::new(per_second.saturating_mul(BURST_SECONDS), Duration::from_secs(1) / per_second)
    }
}
