//! How often somebody may try something.
//!
//! Each caller, an address or the bearer of a token, has a bucket of attempts, which fills again by one each interval; without
//! another word [`BURST`] of them and a second. All that is kept of a bucket is when it will be full (GCRA), and a full one is
//! not kept. Bounded: when more callers try at once than are kept, those that come later share one bucket.
//!
//! It is a small thing of our own because `actix-governor` is under the GPL, and `governor` below it bounds no number of
//! callers. Each process counts for itself. Behind a proxy that nobody has named every caller has the proxy's address, so the
//! bucket is large enough for all of them together: a client asks four times an hour.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use actix_web::HttpRequest;
use actix_web::web::Data;
use domain::EnrolmentId;
use identity::Principal;

use super::{Context, proxies};

/// Attempts that are answered at once.
pub(crate) const BURST: u32 = 30;

/// After which there is room for another one.
const REFILL_INTERVAL: Duration = Duration::from_secs(1);

/// How often full buckets are looked for when there are too many.
const SWEEP_INTERVAL: Duration = Duration::from_secs(1);

/// Callers of whom it is known when they last tried.
const MAX_CALLERS: usize = 10_000;

/// The buckets.
pub(crate) struct RateLimit(Mutex<Buckets>);

struct Buckets {
    /// How far ahead of now a bucket may be full: what all of it but one attempt needs to fill.
    most_ahead: Duration,
    refill_interval: Duration,
    /// When each will be full again.
    full_at: HashMap<Caller, Instant>,
    /// When full ones were last looked for.
    swept_at: Option<Instant>,
}

/// Who tries something.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Caller {
    /// Whoever is at this address; of IPv6, in this /64.
    Address(IpAddr),
    /// Whoever a token was given to.
    Bearer(String),
    /// A device, by its enrolment. The number that it is, so that nothing is copied for each request.
    Device(u64),
    /// All who have no bucket to themselves.
    Other,
}

impl Caller {
    /// The caller by its address; of one that comes by a trusted proxy, its own.
    pub(crate) fn at(request: &HttpRequest) -> Self {
        let Some(peer) = request.peer_addr() else { return Self::Other };
        let context = request.app_data::<Data<Context>>();
        let trusted = context.map_or(&[][..], |context| &context.settings.trusted_proxies);
        Self::Address(network_of(proxies::caller(trusted, peer.ip(), request.headers())))
    }

    /// The caller by its token.
    pub(crate) fn bearer(principal: &Principal) -> Self {
        Self::Bearer(principal.subject.to_string())
    }

    /// A device.
    pub(crate) fn device(enrolment: &EnrolmentId) -> Self {
        u64::from_str_radix(enrolment.as_str(), 16)
            .map_or_else(|_| Self::Bearer(enrolment.to_string()), Self::Device)
    }
}

impl Default for RateLimit {
    fn default() -> Self {
        Self::new(BURST, REFILL_INTERVAL)
    }
}

impl RateLimit {
    /// `burst` attempts, and then one after each `refill_interval`.
    pub(crate) fn new(burst: u32, refill_interval: Duration) -> Self {
        Self(Mutex::new(Buckets {
            most_ahead: refill_interval * burst.saturating_sub(1),
            refill_interval,
            full_at: HashMap::new(),
            swept_at: None,
        }))
    }

    /// Takes an attempt.
    ///
    /// # Errors
    /// How long it takes until there is another one.
    pub(crate) fn take(&self, caller: Caller, now: Instant) -> Result<(), Duration> {
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        buckets.take(caller, now)
    }

    /// Gives an attempt back that was taken before it was known whether it is to count.
    pub(crate) fn give_back(&self, caller: Caller, now: Instant) {
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        buckets.give_back(caller, now);
    }
}

impl Buckets {
    fn take(&mut self, caller: Caller, now: Instant) -> Result<(), Duration> {
        let caller = self.bucket_of(caller, now);
        let full_at = self.full_at.get(&caller).copied().unwrap_or(now).max(now);
        let ahead = full_at.duration_since(now);
        if ahead > self.most_ahead {
            return Err(ahead - self.most_ahead);
        }
        self.full_at.insert(caller, full_at + self.refill_interval);
        Ok(())
    }

    fn give_back(&mut self, caller: Caller, now: Instant) {
        let caller = self.bucket_of(caller, now);
        if let Some(full_at) = self.full_at.get_mut(&caller) {
            // One that lies in the past is a full bucket.
            *full_at = full_at.checked_sub(self.refill_interval).unwrap_or(now);
        }
    }

    fn bucket_of(&mut self, caller: Caller, now: Instant) -> Caller {
        if self.full_at.contains_key(&caller) || self.full_at.len() < MAX_CALLERS {
            return caller;
        }
        // Looking costs as much as there are callers, so not at every attempt.
        if self.swept_at.is_none_or(|swept| now.duration_since(swept) >= SWEEP_INTERVAL) {
            self.swept_at = Some(now);
            self.full_at.retain(|_, full_at| *full_at > now);
        }
        if self.full_at.len() < MAX_CALLERS { caller } else { Caller::Other }
    }
}

/// One caller has a whole /64 of IPv6.
fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn address(number: u32) -> Caller {
        Caller::Address(Ipv4Addr::from_bits(number).into())
    }

    #[test]
    fn a_burst_is_answered_and_then_one_each_interval() {
        let (limit, now) = (RateLimit::default(), Instant::now());
        for _ in 0..BURST {
            limit.take(address(1), now).unwrap();
        }
        assert_eq!(limit.take(address(1), now), Err(REFILL_INTERVAL));
        limit.take(address(2), now).unwrap();
        let later = now + REFILL_INTERVAL;
        limit.take(address(1), later).unwrap();
        limit.take(address(1), later).unwrap_err();
        // What was refused costs nothing.
        let full = later + REFILL_INTERVAL * BURST;
        assert!((0..BURST).all(|_| limit.take(address(1), full).is_ok()));
    }

    #[test]
    fn what_is_given_back_can_be_taken_again_and_no_more_than_that() {
        let (limit, now) = (RateLimit::default(), Instant::now());
        let take = || limit.take(address(1), now);
        assert!((0..BURST).all(|_| take().is_ok()) && take().is_err());
        limit.give_back(address(1), now);
        assert!(take().is_ok() && take().is_err());
        for _ in 0..2 * BURST {
            limit.give_back(address(1), now);
        }
        assert!((0..BURST).all(|_| take().is_ok()) && take().is_err());
    }

    #[test]
    fn a_limit_of_another_size_lets_that_many_through() {
        let (limit, now) = (RateLimit::new(3, Duration::from_millis(50)), Instant::now());
        let (device, other) = ("0000000000000007".parse().unwrap(), "0000000000000008".parse().unwrap());
        let mut taken = (0..4).map(|_| limit.take(Caller::device(&device), now));
        assert_eq!(taken.by_ref().take(3).collect::<Vec<_>>(), [Ok(()); 3]);
        assert_eq!(taken.next(), Some(Err(Duration::from_millis(50))));
        drop(taken);
        limit.take(Caller::device(&other), now).unwrap();
        limit.take(Caller::device(&device), now + Duration::from_millis(50)).unwrap();
    }

    #[test]
    fn an_ipv6_network_is_one_caller_and_a_mapped_address_is_its_ipv4() {
        let network = |text: &str| network_of(text.parse().unwrap());
        assert_eq!(network("2001:db8::1"), network("2001:db8::ffff:2"));
        assert_ne!(network("2001:db8::1"), network("2001:db8:0:1::1"));
        assert_eq!(network("::ffff:192.0.2.1"), network("192.0.2.1"));
    }

    #[test]
    fn many_callers_take_no_more_memory_and_shut_nobody_out_for_long() {
        let (limit, now) = (RateLimit::default(), Instant::now());
        let most = u32::try_from(MAX_CALLERS).unwrap();
        (0..most).for_each(|number| limit.take(address(number), now).unwrap());
        let answered = (most..2 * most).filter(|number| limit.take(address(*number), now).is_ok()).count();
        assert_eq!(answered, BURST as usize, "they share one bucket");
        limit.take(address(0), now).unwrap();
        assert_eq!(limit.0.lock().unwrap().full_at.len(), MAX_CALLERS + 1);
        let later = now + REFILL_INTERVAL * (BURST + 1);
        limit.take(address(3 * most), later).unwrap();
        assert_eq!(limit.0.lock().unwrap().full_at.len(), 1);
    }
}
