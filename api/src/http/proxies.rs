//! Who is at the other end, where proxies stand in between.
//!
//! Anybody can write what he likes into `X-Forwarded-For`, and each proxy adds on the right whom it has met. So it is read
//! from the right, and only as far as it was written by proxies that somebody has named: the first address there that is no
//! such proxy's is the caller's. `Forwarded` (RFC 7239) is not read: hardly a proxy writes it by itself.

use std::net::IpAddr;
use std::str::FromStr;

use actix_web::http::header::{HeaderMap, HeaderName};
use ipnet::IpNet;
use thiserror::Error;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// A proxy that is believed, or a network of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TrustedProxy(IpNet);

/// Why a text names no proxy.
#[derive(Debug, Error)]
pub enum TrustedProxyError {
    /// Not an address.
    #[error("a proxy is an IP address or a network, as 127.0.0.1, 10.0.0.0/8 or fd00::/8")]
    NotAnAddress,
    /// All there are.
    #[error("that is everybody, so that everybody could pass for anybody; name the proxies")]
    Everybody,
}

impl FromStr for TrustedProxy {
    type Err = TrustedProxyError;

    fn from_str(text: &str) -> Result<Self, TrustedProxyError> {
        let network = text
            .parse::<IpNet>()
            .or_else(|_| text.parse::<IpAddr>().map(|address| address.to_canonical().into()))
            .map_err(|_| TrustedProxyError::NotAnAddress)?;
        if network.prefix_len() == 0 { Err(TrustedProxyError::Everybody) } else { Ok(Self(network)) }
    }
}

/// The address of the caller: of whoever is connected, or of whom the trusted proxies have met.
pub(super) fn caller(trusted: &[TrustedProxy], peer: IpAddr, headers: &HeaderMap) -> IpAddr {
    let is_trusted = |address: IpAddr| trusted.iter().any(|TrustedProxy(network)| network.contains(&address));
    let mut known = peer.to_canonical();
    // One header after another says the same as all of them in one.
    let lines: Vec<&str> =
        headers.get_all(X_FORWARDED_FOR).map(|line| line.to_str().unwrap_or_default()).collect();
    let mut hops = lines.iter().rev().flat_map(|line| line.rsplit(','));
    while is_trusted(known) {
        // What is no address was not written by a proxy that does as it should: what stands left of it is worth nothing.
        let Some(hop) = hops.next().and_then(address) else { break };
        known = hop;
    }
    known
}

/// The address in one place of the header; some proxies write the port, too.
fn address(hop: &str) -> Option<IpAddr> {
    let hop = hop.trim();
    let address = hop.parse().ok().or_else(|| Some(hop.parse::<std::net::SocketAddr>().ok()?.ip()));
    address.map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;

    fn assert_caller(trusted: &[&str], peer: &str, lines: &[&str], expected: &str) {
        let trusted: Vec<TrustedProxy> = trusted.iter().map(|text| text.parse().unwrap()).collect();
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(X_FORWARDED_FOR, HeaderValue::from_str(line).unwrap());
        }
        let found = caller(&trusted, peer.parse().unwrap(), &headers);
        assert_eq!(found, expected.parse::<IpAddr>().unwrap(), "{trusted:?} {peer} {lines:?}");
    }

    #[test]
    fn without_trusted_proxies_whoever_is_connected_is_the_caller() {
        assert_caller(&[], "192.0.2.1", &["198.51.100.7"], "192.0.2.1");
        assert_caller(&["10.0.0.0/8"], "192.0.2.1", &["198.51.100.7"], "192.0.2.1");
    }

    #[test]
    fn the_rightmost_address_that_is_no_trusted_proxy_is_the_caller() {
        let proxies = &["127.0.0.1", "10.0.0.0/8"];
        assert_caller(proxies, "127.0.0.1", &["198.51.100.7"], "198.51.100.7");
        assert_caller(proxies, "127.0.0.1", &["198.51.100.7, 10.1.2.3"], "198.51.100.7");
        assert_caller(proxies, "127.0.0.1", &["198.51.100.7", "10.1.2.3 , 10.1.2.4"], "198.51.100.7");
        assert_caller(proxies, "127.0.0.1", &["198.51.100.7:50123"], "198.51.100.7");
        assert_caller(proxies, "127.0.0.1", &["10.1.2.3"], "10.1.2.3");
        assert_caller(proxies, "127.0.0.1", &[], "127.0.0.1");
    }

    #[test]
    fn what_the_caller_wrote_itself_counts_for_nothing() {
        let proxies = &["127.0.0.1", "10.0.0.0/8"];
        assert_caller(proxies, "127.0.0.1", &["203.0.113.9, 198.51.100.7"], "198.51.100.7");
        assert_caller(proxies, "127.0.0.1", &["127.0.0.1, 10.1.1.1, 198.51.100.7"], "198.51.100.7");
        assert_caller(proxies, "127.0.0.1", &["203.0.113.9", "198.51.100.7, 10.1.2.3"], "198.51.100.7");
    }

    #[test]
    fn behind_what_is_no_address_nothing_is_believed() {
        let proxies = &["127.0.0.1", "10.0.0.0/8"];
        for garbage in ["unknown", "", ",", "203.0.113.9, _hidden", "203.0.113.9, 300.1.1.1", "203.0.113.9;"]
        {
            assert_caller(proxies, "127.0.0.1", &[garbage], "127.0.0.1");
        }
        assert_caller(proxies, "127.0.0.1", &["203.0.113.9, unknown, 10.1.2.3"], "10.1.2.3");
        let mut headers = HeaderMap::new();
        headers.append(X_FORWARDED_FOR, HeaderValue::from_bytes(b"203.0.113.9, \xff").unwrap());
        let (proxy, peer) = ("127.0.0.1".parse().unwrap(), "127.0.0.1".parse().unwrap());
        assert_eq!(caller(&[proxy], peer, &headers), peer);
    }

    #[test]
    fn ipv6_is_read_in_each_of_its_spellings() {
        assert_caller(&["::1"], "::1", &["2001:db8::7"], "2001:db8::7");
        assert_caller(&["fd00::/8"], "fd00::2", &["2001:db8::7, fd12::1"], "2001:db8::7");
        assert_caller(&["::1"], "::1", &["[2001:db8::7]:50123"], "2001:db8::7");
        assert_caller(&["127.0.0.1"], "::ffff:127.0.0.1", &["::ffff:198.51.100.7"], "198.51.100.7");
        assert_caller(&["::ffff:127.0.0.1"], "127.0.0.1", &["198.51.100.7"], "198.51.100.7");
    }

    #[test]
    fn a_proxy_is_an_address_or_a_network_and_not_everybody() {
        for (bad, told) in [
            ("proxy.local", "an IP address or a network"),
            ("10.0.0.0/33", "an IP address or a network"),
            ("", "an IP address or a network"),
            ("0.0.0.0/0", "everybody"),
            ("::/0", "everybody"),
        ] {
            let error = bad.parse::<TrustedProxy>().unwrap_err().to_string();
            assert!(error.contains(told), "{bad}: {error}");
        }
    }
}
