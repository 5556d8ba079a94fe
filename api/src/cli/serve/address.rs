//! Where people find this server: as text, and as a QR code for an iPad's camera.

use std::io::{IsTerminal, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;

use super::First;
use super::tls::{Tls, address};
use crate::cli::link::Link;
use crate::cli::qr;
use crate::live::{self, LiveReach, Trust};

/// What is told of a server.
pub(super) struct Reach<'a> {
    scheme: &'static str,
    bound: SocketAddr,
    /// By which it is trusted, the best first.
    names: &'a [String],
    /// By which other computers reach it, if it is trusted there.
    address: Option<SocketAddr>,
    setup: Option<SetUp<'a>>,
}

/// How an iPad comes to trust it.
struct SetUp<'a> {
    bound: SocketAddr,
    authority: &'a str,
    fingerprint: String,
}

impl<'a> Reach<'a> {
    pub(super) fn of(bound: SocketAddr, is_secure: bool, tls: &'a Tls) -> std::io::Result<Self> {
        let setup = tls.own.as_ref().map(|own| {
            let (authority, fingerprint) = (own.authority.name.as_str(), own.authority.fingerprint());
            std::io::Result::Ok(SetUp { bound: own.setup.local_addr()?, authority, fingerprint })
        });
        let address = reachable(bound).filter(|at| tls.own.as_ref().is_none_or(|own| own.covers(at.ip())));
        let scheme = if is_secure { "https" } else { "http" };
        Ok(Self { scheme, bound, names: tls.names(), address, setup: setup.transpose()? })
    }

    /// By name if it has one, else by address.
    fn open(&self) -> String {
        match self.names.first() {
            Some(name) => address(self.scheme, name, self.bound.port()),
            None => at(self.scheme, self.address.unwrap_or(local(self.bound))),
        }
    }

    /// The beginning of a link that somebody opens right away.
    fn base_url(&self) -> String {
        // A name that nobody says on the network may lead nowhere yet; this computer's own always leads here.
        if self.scheme == "http" || self.bound.ip().is_loopback() {
            at(self.scheme, local(self.bound))
        } else {
            self.open()
        }
    }
}

/// Prints the address on standard output, and the link by which the first device comes in. The first line is stable:
/// programs wait for it.
pub(super) fn announce(reach: &Reach<'_>, first: Option<&First>) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    // No camera reads the code from a file.
    let shows_code = out.is_terminal();
    write(&mut out, reach, shows_code)?;
    let Some(First { device, owner }) = first else { return out.flush() };
    let base_url = reach.base_url();
    let (opened_on, for_others) = if reach.scheme == "http" {
        ("Open this on this computer", String::new())
    } else if reach.setup.is_some() {
        ("Open this on a device that was set up", format!(" --url {base_url}"))
    } else {
        ("Open this", format!(" --url {base_url}"))
    };
    match device {
        Some(offered) => {
            let link = Link::to_connect(Some(&base_url), &offered.code);
            writeln!(
                out,
                "\n  No device is connected yet. {opened_on}, once, until {}, and capture:\n",
                offered.expires_at
            )?;
            writeln!(out, "  {}\n", link.as_str())?;
            writeln!(out, "  For others: leadlog devices enrol \"iPad 1\"{for_others}")?;
        }
        None => writeln!(
            out,
            "\n  Devices were connected before. For another one: leadlog devices enrol \"iPad 1\"{for_others}"
        )?,
    }
    if let Some(invited) = owner {
        let link = Link::to_sign_in(Some(&base_url), &invited.code);
        writeln!(
            out,
            "\n  To take leads out in the browser, open this, once, until {}:\n",
            invited.expires_at
        )?;
        writeln!(out, "  {}\n", link.as_str())?;
        writeln!(out, "  For others: leadlog invite \"Ewa\"{for_others}")?;
    } else {
        writeln!(
            out,
            "\n  To take leads out in the browser: sign in there, by a link of leadlog invite \"Ewa\" if there is no provider"
        )?;
    }
    out.flush()
}

/// What tells whoever watches how iPads reach this server, at the moment of asking.
pub(super) fn live(bound: SocketAddr, is_secure: bool, tls: &Tls) -> std::io::Result<live::ReachNow> {
    if let Some(own) = &tls.own {
        let (addresses, setup) = (own.addresses(bound), own.setup.local_addr()?);
        let (authority, fingerprint) = (own.authority.name.clone(), own.authority.fingerprint());
        return Ok(Arc::new(move || LiveReach {
            addresses: addresses(),
            trust: Trust::OwnCa,
            set_up_page: Some(at("http", reachable(setup).unwrap_or(local(setup)))),
            authority: Some(authority.clone()),
            fingerprint: Some(fingerprint.clone()),
        }));
    }
    let (scheme, trust) = if is_secure { ("https", Trust::Certificate) } else { ("http", Trust::None) };
    let names: Vec<String> = tls.names().iter().map(|name| address(scheme, name, bound.port())).collect();
    Ok(Arc::new(move || LiveReach {
        addresses: if names.is_empty() {
            vec![at(scheme, reachable(bound).unwrap_or(local(bound)))]
        } else {
            names.clone()
        },
        trust,
        set_up_page: None,
        authority: None,
        fingerprint: None,
    }))
}

/// The address by which this computer reaches the server.
fn local(bound: SocketAddr) -> SocketAddr {
    if bound.ip().is_unspecified() {
        SocketAddr::new(Ipv4Addr::LOCALHOST.into(), bound.port())
    } else {
        bound
    }
}

fn write(mut out: impl Write, reach: &Reach<'_>, shows_code: bool) -> std::io::Result<()> {
    let Reach { scheme, bound, .. } = *reach;
    let open = reach.open();
    // With its port in any case, which programs read.
    writeln!(out, "listening on {scheme}://{}", local(bound))?;
    writeln!(out, "\n  the form   {open}")?;
    if let Some(by_address) = reach.address.filter(|_| !reach.names.is_empty() && reach.setup.is_some()) {
        writeln!(out, "             {}", at(scheme, by_address))?;
    }
    writeln!(out, "  dashboard  {open}/dashboard")?;
    writeln!(out, "  the API    {open}/docs/")?;
    let photographed = match &reach.setup {
        None => open,
        Some(setup) => {
            let page = at("http", reachable(setup.bound).unwrap_or(local(setup.bound)));
            writeln!(
                out,
                "\n  Set up each iPad once, so that it trusts this server. Open on it:\n\n  {page}"
            )?;
            page
        }
    };
    if shows_code && let Some(picture) = qr::picture(&photographed) {
        writeln!(out, "\n{picture}")?;
    }
    if let Some(setup) = &reach.setup {
        writeln!(
            out,
            "\n  Before it is to trust {}, compare its SHA-256 there with this:\n",
            setup.authority
        )?;
        let pairs: Vec<&str> = setup.fingerprint.split(' ').collect();
        for row in pairs.chunks(16) {
            writeln!(out, "  {}", row.join(" "))?;
        }
    }
    if bound.ip().is_loopback() {
        if reach.setup.is_some() {
            writeln!(out)?;
        }
        writeln!(
            out,
            "  Only this computer can open it. For others on the network: --listen 0.0.0.0:{}",
            bound.port()
        )?;
    }
    out.flush()
}

/// The address of a page on this socket.
fn at(scheme: &str, socket: SocketAddr) -> String {
    let host = match socket.ip() {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("[{ip}]"),
    };
    address(scheme, &host, socket.port())
}

/// The address by which other computers reach a server that listens on all of them.
fn reachable(bound: SocketAddr) -> Option<SocketAddr> {
    if !bound.ip().is_unspecified() {
        return Some(bound);
    }
    // Connecting a UDP socket sends nothing; it only asks which way a packet would leave.
    let routed = || {
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
        socket.connect((Ipv4Addr::new(192, 0, 2, 1), 9)).ok()?;
        let ip = socket.local_addr().ok()?.ip();
        (ip != IpAddr::V4(Ipv4Addr::UNSPECIFIED)).then_some(ip)
    };
    // A venue's switch without a router leads nowhere, and is a network all the same.
    let first = || tls::of_this_machine().ok()?.into_iter().find(IpAddr::is_ipv4);
    let ip = routed().or_else(first)?;
    Some(SocketAddr::new(ip, bound.port()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(reach: &Reach<'_>, shows_code: bool) -> String {
        let mut out = Vec::new();
        write(&mut out, reach, shows_code).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_code_is_for_terminals_and_the_first_line_for_programs() {
        let bound = "127.0.0.1:8080".parse().unwrap();
        let reach = Reach { scheme: "http", bound, names: &[], address: Some(bound), setup: None };
        for shows_code in [false, true] {
            assert!(said(&reach, shows_code).starts_with("listening on http://127.0.0.1:8080\n"));
        }
        assert!(said(&reach, false).is_ascii(), "{}", said(&reach, false));
        assert!(said(&reach, true).contains('\u{2588}'));
    }

    #[test]
    fn a_hub_says_its_name_its_set_up_page_and_what_to_compare() {
        let setup = SetUp {
            bound: "192.168.1.7:8090".parse().unwrap(),
            authority: "Leadlog hub-2 3F2A",
            fingerprint: "AB ".repeat(31) + "CD",
        };
        let names = ["hub-2.local".to_owned()];
        let bound = "192.168.1.7:443".parse().unwrap();
        let reach = Reach { scheme: "https", bound, names: &names, address: Some(bound), setup: Some(setup) };
        let said = said(&reach, false);
        assert!(said.starts_with("listening on https://192.168.1.7:443\n"), "{said}");
        for told in [
            "https://hub-2.local\n",
            "https://192.168.1.7\n",
            "http://192.168.1.7:8090\n",
            "Leadlog hub-2 3F2A",
            "AB CD\n",
        ] {
            assert!(said.contains(told), "{told}: {said}");
        }
        assert!(said.is_ascii(), "{said}");
    }

    #[test]
    fn links_lead_where_the_certificate_is_trusted() {
        let names = ["hub.example.com".to_owned()];
        let base_url = |scheme, bound: &str, names| {
            Reach { scheme, bound: bound.parse().unwrap(), names, address: None, setup: None }.base_url()
        };
        assert_eq!(base_url("http", "0.0.0.0:8080", &[]), "http://127.0.0.1:8080");
        assert_eq!(base_url("https", "0.0.0.0:443", &names), "https://hub.example.com");
        assert_eq!(base_url("https", "127.0.0.1:8443", &names), "https://127.0.0.1:8443");
    }
}
