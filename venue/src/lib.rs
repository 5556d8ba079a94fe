//! A hall on one machine, for tests: computers of their own with a switch between them, whose cables are cut, slow and lossy.
//!
//! Each computer is a network namespace of Linux with an address; programs are started there by `ip netns exec` (iproute2). The
//! switch runs in this process ([`switch`]), because what the kernel has for slow and lossy networks is not in every kernel. A cut
//! cable says nothing, where a process that was killed closes its connections.
//!
//! It needs root and `/dev/net/tun`. The program `venue` does the same for tests that are not in Rust.

mod cable;
#[cfg(target_os = "linux")]
mod switch;

use std::io::{Error, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::process::Command;
use std::time::Duration;

pub use cable::Cable;
#[cfg(target_os = "linux")]
use switch::Switch;

/// Venues that one machine can have at the same time.
const NUMBERS: u32 = 250;
/// Addresses of computers begin above it, in the order in which they are named; below it is this computer's.
const FIRST_HOST: u8 = 10;
const HERE: u8 = 1;
/// Where nobody listens: a computer that can be reached says so.
const NO_PORT: u16 = 9;
const REACHED_WITHIN: Duration = Duration::from_secs(5);

/// Computers on one network, which this computer is on, too. They go with it.
pub struct Venue {
    #[cfg(target_os = "linux")]
    switch: Switch,
    hosts: Vec<Host>,
}

/// One of the computers.
#[derive(Debug, Clone)]
pub struct Host {
    /// What the test calls it.
    pub name: String,
    /// How `ip netns` calls it.
    pub namespace: String,
    /// By which the others reach it.
    pub address: Ipv4Addr,
}

impl Venue {
    /// With computers of these names.
    ///
    /// # Errors
    /// What this machine does not allow, or has not.
    #[cfg(target_os = "linux")]
    pub fn of(names: &[&str]) -> Result<Self, Error> {
        let mut found = Err(Error::other("no number is free"));
        // Others may run at the same time, or may have been killed.
        for number in (0..NUMBERS).map(|step| (std::process::id() + step) % NUMBERS + 1) {
            found = Self::numbered(u8::try_from(number).unwrap_or_default(), names);
            if !matches!(&found, Err(error) if error.kind() == ErrorKind::AlreadyExists) {
                break;
            }
        }
        found
    }

    /// With computers of these names.
    ///
    /// # Errors
    /// Always: only Linux has network namespaces.
    #[cfg(not(target_os = "linux"))]
    pub fn of(_: &[&str]) -> Result<Self, Error> {
        Err(Error::new(ErrorKind::Unsupported, "only Linux has network namespaces"))
    }

    #[cfg(target_os = "linux")]
    fn numbered(number: u8, names: &[&str]) -> Result<Self, Error> {
        let host = |(name, host): (&&str, u8)| Host {
            name: (*name).to_owned(),
            namespace: format!("leadlog-{number}-{name}"),
            address: Ipv4Addr::new(10, 77, number, host),
        };
        let hosts: Vec<Host> = names.iter().zip(FIRST_HOST..).map(host).collect();
        let here = format!("leadlog{number}");
        let cables: Vec<String> = (0..hosts.len()).map(|index| format!("leadlog{number}-{index}")).collect();
        let devices = [std::slice::from_ref(&here), &cables].concat();
        if std::path::Path::new("/sys/class/net").join(&here).exists() {
            return Err(ErrorKind::AlreadyExists.into());
        }
        // What is made is unmade from here on, whatever fails.
        let mut venue = Self { switch: Switch::of(&devices)?, hosts: Vec::new() };
        plug_in(&[], &here, Ipv4Addr::new(10, 77, number, HERE))?;
        for (host, cable) in hosts.into_iter().zip(&cables) {
            ip(&["netns", "add", &host.namespace])?;
            let (namespace, address) = (host.namespace.clone(), host.address);
            venue.hosts.push(host);
            ip(&["link", "set", cable, "netns", &namespace])?;
            ip(&["-n", &namespace, "link", "set", "lo", "up"])?;
            plug_in(&["-n", &namespace], cable, address)?;
        }
        venue.check()?;
        Ok(venue)
    }

    /// The computers, in the order of their names.
    #[must_use]
    pub fn hosts(&self) -> &[Host] {
        &self.hosts
    }

    /// From now on, the cable of this computer is like this.
    ///
    /// # Panics
    /// When none has that name.
    pub fn lay(&self, name: &str, cable: Cable) {
        let host = self.hosts.iter().position(|host| host.name == name);
        assert!(host.is_some(), "no computer is called {name}");
        #[cfg(target_os = "linux")]
        // The first port is this computer's.
        host.into_iter().for_each(|host| self.switch.lay(host + 1, cable));
        #[cfg(not(target_os = "linux"))]
        let _ = cable;
    }

    /// A firewall of the machine's may let nothing through.
    #[cfg(target_os = "linux")]
    fn check(&self) -> Result<(), Error> {
        for host in &self.hosts {
            let address = SocketAddr::from((host.address, NO_PORT));
            match TcpStream::connect_timeout(&address, REACHED_WITHIN) {
                Err(error) if error.kind() == ErrorKind::ConnectionRefused => {}
                Err(error) => return Err(Error::other(format!("{} is not reached: {error}", host.name))),
                Ok(_) => return Err(Error::other(format!("somebody else answers at {address}"))),
            }
        }
        Ok(())
    }
}

impl Drop for Venue {
    fn drop(&mut self) {
        for host in &self.hosts {
            // A device goes with its namespace.
            let _ = ip(&["netns", "del", &host.namespace]);
        }
    }
}

impl Host {
    /// A program that will run there.
    #[must_use]
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.namespace, program]);
        command
    }
}

/// Gives a device its address.
#[cfg(target_os = "linux")]
fn plug_in(place: &[&str], device: &str, address: Ipv4Addr) -> Result<(), Error> {
    ip(&[place, &["addr", "add", &format!("{address}/24"), "dev", device]].concat())?;
    ip(&[place, &["link", "set", device, "up"]].concat())
}

fn ip(args: &[&str]) -> Result<(), Error> {
    let output =
        Command::new("ip").args(args).output().map_err(|error| Error::other(format!("ip: {error}")))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let kind = if said.contains("File exists") { ErrorKind::AlreadyExists } else { ErrorKind::Other };
    Err(Error::new(kind, format!("ip {}: {}", args.join(" "), said.trim())))
}
