//! Where people find this server: as text, and as a QR code for an iPad's camera.

use std::io::{IsTerminal, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};

use super::First;
use crate::cli::link::Link;
use crate::cli::qr;

/// Prints the address on standard output, and the link by which the first device comes in. The first line is stable:
/// programs wait for it.
pub(super) fn announce(bound: SocketAddr, first: Option<&First>) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    // No camera reads the code from a file.
    let shows_code = out.is_terminal();
    write(&mut out, bound, shows_code)?;
    let Some(First { device, owner }) = first else { return out.flush() };
    let base_url = format!("http://{}", local(bound));
    match device {
        Some(offered) => {
            let link = Link::to_connect(Some(&base_url), &offered.code);
            writeln!(
                out,
                "\n  No device is connected yet. Open this on this computer, once, until {}, and capture:\n",
                offered.expires_at
            )?;
            writeln!(out, "  {}\n", link.as_str())?;
            writeln!(out, "  For others: leadlog devices enrol \"iPad 1\"")?;
        }
        None => writeln!(
            out,
            "\n  Devices were connected before. For another one: leadlog devices enrol \"iPad 1\""
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
        writeln!(out, "  For others: leadlog invite \"Ewa\"")?;
    } else {
        writeln!(
            out,
            "\n  To take leads out in the browser: sign in there, by a link of leadlog invite \"Ewa\" if there is no provider"
        )?;
    }
    out.flush()
}

/// The address by which this computer reaches the server.
fn local(bound: SocketAddr) -> SocketAddr {
    if bound.ip().is_unspecified() {
        SocketAddr::new(Ipv4Addr::LOCALHOST.into(), bound.port())
    } else {
        bound
    }
}

fn write(mut out: impl Write, bound: SocketAddr, shows_code: bool) -> std::io::Result<()> {
    let local = local(bound);
    let open = format!("http://{}", reachable(bound).unwrap_or(local));
    writeln!(out, "listening on http://{local}")?;
    writeln!(out, "\n  the form   {open}\n  the API    {open}/docs/")?;
    if shows_code && let Some(picture) = qr::picture(&open) {
        writeln!(out, "\n{picture}")?;
    }
    if bound.ip().is_loopback() {
        writeln!(
            out,
            "  Only this computer can open it. For others on the network: --listen 0.0.0.0:{}",
            bound.port()
        )?;
    }
    out.flush()
}

/// The address by which other computers reach a server that listens on all of them.
fn reachable(bound: SocketAddr) -> Option<SocketAddr> {
    if !bound.ip().is_unspecified() {
        return Some(bound);
    }
    // Connecting a UDP socket sends nothing; it only asks which way a packet would leave.
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
    socket.connect((Ipv4Addr::new(192, 0, 2, 1), 9)).ok()?;
    let ip = socket.local_addr().ok()?.ip();
    (ip != IpAddr::V4(Ipv4Addr::UNSPECIFIED)).then(|| SocketAddr::new(ip, bound.port()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_is_for_terminals_and_the_first_line_for_programs() {
        let said = |shows_code| {
            let mut out = Vec::new();
            write(&mut out, "127.0.0.1:8080".parse().unwrap(), shows_code).unwrap();
            String::from_utf8(out).unwrap()
        };
        for shows_code in [false, true] {
            assert!(said(shows_code).starts_with("listening on http://127.0.0.1:8080\n"));
        }
        assert!(said(false).is_ascii(), "{}", said(false));
        assert!(said(true).contains('\u{2588}'));
    }
}
