//! How often one address may try something.
//!
//! Each address has a bucket of [`BURST`] attempts, which fills again by one each [`REFILL_INTERVAL`]. All that is kept
//! of a bucket is when it will be full (GCRA), and a full one is not kept. Bounded: when more addresses try at once than
//! are kept, those that come later share one bucket.
//!
//! It is a small thing of our own because `actix-governor` is under the GPL, and `governor` below it bounds no number of
//! addresses. Each process counts for itself. Behind a proxy every caller has the proxy's address, so the bucket is large
//! enough for all of them together: a client asks four times an hour.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Attempts that are answered at once.
pub(crate) const BURST: u32 = 30;

/// After which there is room for another one.
const REFILL_INTERVAL: Duration = Duration::from_secs(1);

/// Addresses of which it is known when they last tried.
const MAX_ADDRESSES: usize = 10_000;

/// The buckets.
#[derive(Default)]
pub(crate) struct RateLimit(Mutex<Buckets>);

#[derive(Default)]
struct Buckets {
    /// When each will be full again.
    full_at: HashMap<Whose, Instant>,
    /// When full ones were last looked for.
    swept_at: Option<Instant>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Whose {
    Address(IpAddr),
    /// Of all that have no bucket to themselves.
    Others,
}

impl RateLimit {
    /// Takes an attempt.
    ///
    /// # Errors
    /// How long it takes until there is another one.
    pub(crate) fn take(&self, address: Option<IpAddr>, now: Instant) -> Result<(), Duration> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take(address, now)
    }
}

impl Buckets {
    fn take(&mut self, address: Option<IpAddr>, now: Instant) -> Result<(), Duration> {
        let whose = self.bucket_of(address, now);
        let full_at = self.full_at.get(&whose).copied().unwrap_or(now).max(now);
        let ahead = full_at.duration_since(now);
        let most_ahead = REFILL_INTERVAL * (BURST - 1);
        if ahead > most_ahead {
            return Err(ahead - most_ahead);
        }
        self.full_at.insert(whose, full_at + REFILL_INTERVAL);
        Ok(())
    }

    fn bucket_of(&mut self, address: Option<IpAddr>, now: Instant) -> Whose {
        let Some(address) = address else { return Whose::Others };
        let own = Whose::Address(network_of(address));
        if self.full_at.contains_key(&own) || self.full_at.len() < MAX_ADDRESSES {
            return own;
        }
        // Looking costs as much as there are addresses, so not at every attempt.
        if self.swept_at.is_none_or(|swept| now.duration_since(swept) >= REFILL_INTERVAL) {
            self.swept_at = Some(now);
            self.full_at.retain(|_, full_at| *full_at > now);
        }
        if self.full_at.len() < MAX_ADDRESSES { own } else { Whose::Others }
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

    fn address(number: u32) -> Option<IpAddr> {
        Some(Ipv4Addr::from_bits(number).into())
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
    fn an_ipv6_network_is_one_caller_and_a_mapped_address_is_its_ipv4() {
        let network = |text: &str| network_of(text.parse().unwrap());
        assert_eq!(network("2001:db8::1"), network("2001:db8::ffff:2"));
        assert_ne!(network("2001:db8::1"), network("2001:db8:0:1::1"));
        assert_eq!(network("::ffff:192.0.2.1"), network("192.0.2.1"));
    }

    #[test]
    fn many_addresses_take_no_more_memory_and_shut_nobody_out_for_long() {
        let (limit, now) = (RateLimit::default(), Instant::now());
        let most = u32::try_from(MAX_ADDRESSES).unwrap();
        (0..most).for_each(|number| limit.take(address(number), now).unwrap());
        let answered = (most..2 * most).filter(|number| limit.take(address(*number), now).is_ok()).count();
        assert_eq!(answered, BURST as usize, "they share one bucket");
        limit.take(address(0), now).unwrap();
        assert_eq!(limit.0.lock().unwrap().full_at.len(), MAX_ADDRESSES + 1);
        let later = now + REFILL_INTERVAL * (BURST + 1);
        limit.take(address(3 * most), later).unwrap();
        assert_eq!(limit.0.lock().unwrap().full_at.len(), 1);
    }
}
