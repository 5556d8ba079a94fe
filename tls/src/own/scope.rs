//! What the CA can vouch for.
//!
//! Whoever holds its key could else pass for any server before every iPad that trusts it, a bank's too. So it is told in the
//! certificates themselves (name constraints, RFC 5280 section 4.2.1.10), and clients see to it.

use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use std::net::{Ipv4Addr, Ipv6Addr};

use rcgen::{CidrSubnet, GeneralSubtree, NameConstraints};

use super::LOCALHOST;
use crate::der::Contents;

/// Names that belong to nobody in the world: those of mDNS (RFC 6762), and of a machine to itself (RFC 6761).
const LOCAL_NAMES: [&str; 2] = ["local", LOCALHOST];

/// Networks that belong to nobody in the world: private ones (RFC 1918, RFC 4193), of a cable without a router (RFC 3927,
/// RFC 4291), and of a machine to itself.
fn private_networks() -> [IpNet; 8] {
    let v4 = |a, b, prefix| IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(a, b, 0, 0), prefix));
    let v6 =
        |first, prefix| IpNet::V6(Ipv6Net::new_assert(Ipv6Addr::new(first, 0, 0, 0, 0, 0, 0, 0), prefix));
    [
        v4(10, 0, 8),
        v4(172, 16, 12),
        v4(192, 168, 16),
        v4(169, 254, 16),
        v4(127, 0, 8),
        v6(0xfc00, 7),
        v6(0xfe80, 10),
        IpNet::V6(Ipv6Net::new_assert(Ipv6Addr::LOCALHOST, 128)),
    ]
}

/// Domains and networks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Scope {
    names: Vec<String>,
    networks: Vec<IpNet>,
}

impl Scope {
    /// Of a new CA.
    pub(super) fn new(names: &[String]) -> Self {
        let local = LOCAL_NAMES.map(str::to_owned);
        let others = names.iter().filter(|name| !LOCAL_NAMES.iter().any(|local| is_below(name, local)));
        Self {
            names: local.into_iter().chain(others.cloned()).collect(),
            networks: private_networks().into(),
        }
    }

    /// Of one that there is. `None` when it could vouch for anything.
    pub(super) fn of(contents: &Contents) -> Option<Self> {
        let Contents { permitted_names: names, permitted_networks: networks, .. } = contents.clone();
        (!names.is_empty() && !networks.is_empty()).then_some(Self { names, networks })
    }

    pub(super) fn has_name(&self, name: &str) -> bool {
        self.names.iter().any(|domain| is_below(name, domain))
    }

    pub(super) fn has_address(&self, address: IpAddr) -> bool {
        self.networks.iter().any(|network| network.contains(&address))
    }

    pub(super) fn names(&self) -> &[String] {
        &self.names
    }

    pub(super) fn constraints(&self) -> NameConstraints {
        let names = self.names.iter().cloned().map(GeneralSubtree::DnsName);
        let networks = self.networks.iter().map(|network| {
            GeneralSubtree::IpAddress(CidrSubnet::from_addr_prefix(network.network(), network.prefix_len()))
        });
        NameConstraints { permitted_subtrees: names.chain(networks).collect(), excluded_subtrees: Vec::new() }
    }
}

fn is_below(name: &str, domain: &str) -> bool {
    name == domain || name.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'))
}
