//! The addresses of this machine, as other machines on its networks reach it.

use std::io;
use std::net::IpAddr;

/// More than that is no laptop: a certificate must not grow with every container.
pub const MAX_ADDRESSES: usize = 64;

/// Addresses of networks that are up, IPv4 first. Without loopback, and without IPv6 link-local ones, which no browser can open.
///
/// # Errors
/// When the system does not say.
pub fn of_this_machine() -> io::Result<Vec<IpAddr>> {
    let interfaces = if_addrs::get_if_addrs()?;
    let mut addresses: Vec<IpAddr> = interfaces
        .iter()
        .filter(|one| one.is_oper_up())
        .map(|one| one.ip())
        .filter(|ip| is_reachable(*ip))
        .collect();
    addresses.sort_unstable();
    addresses.dedup();
    addresses.truncate(MAX_ADDRESSES);
    Ok(addresses)
}

fn is_reachable(address: IpAddr) -> bool {
    let is_link_local = matches!(address, IpAddr::V6(v6) if v6.is_unicast_link_local());
    !address.is_loopback() && !address.is_unspecified() && !address.is_multicast() && !is_link_local
}
