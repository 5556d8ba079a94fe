//! A hall on one machine, for tests: computers of their own with a network between them, whose cables are cut, slow and lossy.
//!
//! Each computer is a network namespace of Linux with an address; programs are started there by `ip netns exec` (iproute2). What is
//! between them runs in this process, because what the kernel has for slow and lossy networks is not in every kernel. A cut cable
//! says nothing, where a process that was killed closes its connections.
//!
//! It needs root and `/dev/net/tun`. The program `venue` does the same for tests that are not in Rust.

mod cable;
#[cfg_attr(target_os = "linux", path = "namespaces.rs")]
#[cfg_attr(not(target_os = "linux"), path = "elsewhere.rs")]
mod namespaces;
#[cfg(target_os = "linux")]
mod repeater;

use std::io::Write;
use std::net::Ipv4Addr;
use std::process::Command;

pub use cable::Cable;
pub use namespaces::Venue;

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

impl Host {
    /// A program that will run there.
    #[must_use]
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.namespace, program]);
        command
    }
}

impl Venue {
    /// One with computers of these names, where this machine makes them. Where it does not, that is said on standard error, also
    /// when the test passes.
    #[must_use]
    pub fn if_possible(names: &[&str]) -> Option<Self> {
        Self::with_hosts(names)
            .inspect_err(|error| {
                // What is printed by a test that passes is shown to nobody.
                let said = format!("nothing was cut, because this machine makes no hosts: {error}\n");
                let _ = std::io::stderr().write_all(said.as_bytes());
            })
            .ok()
    }
}
