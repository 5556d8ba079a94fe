//! The computers of a venue.

use std::fs::{File, TryLockError};
use std::io::{Error, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::process::Command;
use std::time::Duration;

use crate::repeater::Repeater;
use crate::{Cable, Host};

/// Venues that one machine can have at the same time.
const NUMBERS: std::ops::RangeInclusive<u8> = 1..=250;
/// Addresses of computers begin with it, in the order in which they are named. This computer has the first.
const FIRST_HOST: u8 = 10;
const HERE: u8 = 1;
/// Where nobody listens: a computer that can be reached says so.
const NO_PORT: u16 = 9;
const REACHED_WITHIN: Duration = Duration::from_secs(5);

/// Computers on one network, which this computer is on, too. They go with it.
pub struct Venue {
    number: Number,
    repeater: Repeater,
    hosts: Vec<Host>,
}

/// What names and addresses are made of, so that no two venues have the same.
struct Number {
    value: u8,
    /// Held as long as the number is in use, also over a kill.
    _lock: File,
}

impl Venue {
    /// With computers of these names.
    ///
    /// # Errors
    /// What this machine does not allow, or has not.
    pub fn with_hosts(names: &[&str]) -> Result<Self, Error> {
        let number = Number::take()?;
        number.clear();
        let host = |(name, host): (&&str, u8)| Host {
            name: (*name).to_owned(),
            namespace: format!("{}{name}", number.prefix()),
            address: number.address(host),
        };
        let hosts: Vec<Host> = names.iter().zip(FIRST_HOST..).map(host).collect();
        let (here, here_address) = (number.device(0), number.address(HERE));
        let devices: Vec<String> = (0..=hosts.len()).map(|port| number.device(port)).collect();
        let repeater = Repeater::of(&devices)?;
        // From here on, what was made is unmade, whatever fails.
        let venue = Self { number, repeater, hosts };
        plug_in(&[], &here, here_address)?;
        for (host, device) in venue.hosts.iter().zip(&devices[1..]) {
            let namespace = host.namespace.as_str();
            ip(&["netns", "add", namespace])?;
            ip(&["link", "set", device, "netns", namespace])?;
            ip(&["-n", namespace, "link", "set", "lo", "up"])?;
            plug_in(&["-n", namespace], device, host.address)?;
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
    pub fn set_cable(&self, name: &str, cable: Cable) {
        let host = self.hosts.iter().position(|host| host.name == name);
        assert!(host.is_some(), "no computer is called {name}");
        // The first port is this computer's.
        host.into_iter().for_each(|host| self.repeater.set_cable(host + 1, cable));
    }

    /// A firewall of the machine's may let nothing through.
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
        self.number.clear();
    }
}

impl Number {
    /// One that nobody has.
    fn take() -> Result<Self, Error> {
        for value in NUMBERS {
            let lock = File::create(std::env::temp_dir().join(format!("leadlog-venue-{value}.lock")))?;
            match lock.try_lock() {
                Ok(()) => return Ok(Self { value, _lock: lock }),
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(error)) => return Err(error),
            }
        }
        Err(Error::other("there are too many venues"))
    }

    fn prefix(&self) -> String {
        format!("leadlog-{}-", self.value)
    }

    /// Of the port with this number. Linux allows 15 characters.
    fn device(&self, port: usize) -> String {
        format!("leadlog{}-{port}", self.value)
    }

    fn address(&self, host: u8) -> Ipv4Addr {
        Ipv4Addr::new(10, 77, self.value, host)
    }

    /// Removes all that has this number, also of a venue that was killed. A device that is in a namespace goes with it.
    fn clear(&self) {
        let Ok(listed) = Command::new("ip").args(["netns", "list"]).output() else { return };
        for line in String::from_utf8_lossy(&listed.stdout).lines() {
            let name = line.split_whitespace().next().unwrap_or_default();
            if name.starts_with(&self.prefix()) {
                let _ = ip(&["netns", "del", name]);
            }
        }
        let devices = std::fs::read_dir("/sys/class/net").into_iter().flatten().flatten();
        for device in devices.filter_map(|entry| entry.file_name().into_string().ok()) {
            if device.starts_with(&format!("leadlog{}-", self.value)) {
                let _ = ip(&["link", "del", &device]);
            }
        }
    }
}

/// Gives a device its address.
fn plug_in(place: &[&str], device: &str, address: Ipv4Addr) -> Result<(), Error> {
    ip(&[place, &["addr", "add", &format!("{address}/24"), "dev", device]].concat())?;
    ip(&[place, &["link", "set", device, "up"]].concat())
}

fn ip(args: &[&str]) -> Result<(), Error> {
    let output =
        Command::new("ip").args(args).output().map_err(|error| Error::other(format!("ip: {error}")))?;
    let said = || String::from_utf8_lossy(&output.stderr).trim().to_owned();
    if output.status.success() {
        Ok(())
    } else {
        Err(Error::other(format!("ip {}: {}", args.join(" "), said())))
    }
}
