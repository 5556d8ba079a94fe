//! Says the name of this server aloud on its network (mDNS, RFC 6762; as services, RFC 6763), so that iPads open it as
//! `https://leadlog.local`.
//!
//! Nothing depends on it: where it does not work, which is where a network keeps its clients apart, the addresses do.
//!
//! Before a name is used, the library asks whether somebody has it, and takes the next one if so (`leadlog-2.local`). The
//! certificate then is for both, and it is told, because links that were printed lead to the other one. That asking is done once.
//! Two hubs that meet later, when two networks become one, are told by listening on: who says an address under this name that
//! was never this machine's.

use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use mdns_sd::{DaemonEvent, HostnameResolutionEvent, Receiver, ServiceDaemon, ServiceInfo};

/// How often it is looked whether to stop.
const POLL: Duration = Duration::from_millis(500);
/// How long the network is told that the name is gone.
const GOODBYE: Duration = Duration::from_secs(1);

/// How long it takes until this server has its name for good: three questions, for each name that somebody has.
const SETTLING: Duration = Duration::from_secs(10);

/// Servers of web pages, and those of this program.
const SERVICE_TYPES: [&str; 2] = ["_https._tcp.local.", "_leadlog._tcp.local."];
const PLAIN_SERVICE_TYPES: [&str; 2] = ["_http._tcp.local.", "_leadlog._tcp.local."];

/// The name that this server has on its network, as it is at the moment.
#[derive(Clone)]
pub(super) struct HostName(Arc<Mutex<String>>);

impl HostName {
    pub(super) fn new(label: &str) -> Self {
        Self(Arc::new(Mutex::new(format!("{label}.local"))))
    }

    /// As `leadlog.local`.
    pub(super) fn dns_name(&self) -> String {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn change(&self, name: String) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = name;
    }
}

/// Says it for as long as it is held.
pub(super) struct Announcer {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Announcer {
    /// Begins. What goes wrong is told in the log, and stops nothing.
    pub(super) fn start(host: HostName, bound: SocketAddr, is_secure: bool) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let until = Arc::clone(&stop);
        let thread = thread::Builder::new().name("mdns".to_owned()).spawn(move || {
            let name = host.dns_name();
            if let Err(error) = announce(host, bound, is_secure, &until) {
                tracing::warn!(
                    %error, name,
                    "the name cannot be said on the network (mDNS); devices reach this server by its address all the same"
                );
            }
        });
        if let Err(error) = &thread {
            tracing::warn!(%error, "no thread can be started that says the name on the network");
        }
        Self { stop, thread: thread.ok() }
    }
}

impl Drop for Announcer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the thread that says the name on the network panicked");
        }
    }
}

fn announce(host: HostName, bound: SocketAddr, is_secure: bool, stop: &AtomicBool) -> mdns_sd::Result<()> {
    let daemon = ServiceDaemon::new()?;
    let wanted = host.dns_name();
    let label = wanted.trim_end_matches(".local");
    let types = if is_secure { SERVICE_TYPES } else { PLAIN_SERVICE_TYPES };
    let events = daemon.monitor()?;
    for service_type in types {
        let instance = format!("Leadlog {label}");
        let properties: &[(&str, &str)] = &[("path", "/")];
        let service = ServiceInfo::new(
            service_type,
            &instance,
            &format!("{wanted}."),
            address_of(bound),
            bound.port(),
            properties,
        )?;
        daemon.register(if bound.ip().is_unspecified() { service.enable_addr_auto() } else { service })?;
    }
    tracing::info!(name = wanted, "the name is said on the network");
    let heard = daemon.resolve_hostname(&format!("{wanted}."), None)?;
    Listening::new(wanted, host).until(stop, &events, &heard);
    let _ = daemon.shutdown()?.recv_timeout(GOODBYE);
    Ok(())
}

/// Empty for all addresses, which the library finds by itself.
fn address_of(bound: SocketAddr) -> String {
    if bound.ip().is_unspecified() { String::new() } else { bound.ip().to_string() }
}

struct Listening {
    /// The name that somebody chose.
    wanted: String,
    /// The one that it has.
    host: HostName,
    since: Instant,
    /// All addresses that this machine has had: what was said about an earlier one is heard for some minutes.
    own: HashSet<IpAddr>,
    /// Addresses of others under the wanted name, and whether they were told.
    others: HashMap<IpAddr, bool>,
}

impl Listening {
    fn new(wanted: String, host: HostName) -> Self {
        Self { wanted, host, since: Instant::now(), own: HashSet::new(), others: HashMap::new() }
    }

    fn until(
        mut self,
        stop: &AtomicBool,
        events: &Receiver<DaemonEvent>,
        heard: &Receiver<HostnameResolutionEvent>,
    ) {
        while !stop.load(Ordering::Relaxed) {
            self.own.extend(tls::of_this_machine().unwrap_or_default());
            while let Ok(event) = heard.try_recv() {
                if let HostnameResolutionEvent::AddressesFound(_, addresses) = event {
                    addresses.iter().for_each(|address| self.hear(address.to_ip_addr()));
                }
            }
            match events.recv_timeout(POLL) {
                Ok(DaemonEvent::NameChange(change)) => self.rename(&change.original, &change.new_name),
                Ok(DaemonEvent::Error(error)) => tracing::debug!(%error, "mDNS"),
                _ => {}
            }
            for address in self.rivals(self.since.elapsed()) {
                tracing::warn!(
                    %address,
                    "another machine on this network says that it is {}, too; start one of the two with another --mdns-name: \
                     until then devices may meet either",
                    self.wanted
                );
            }
        }
    }

    /// Somebody else was here first. Other names than the host's are nobody's business.
    fn rename(&self, from: &str, to: &str) {
        let to = to.trim_end_matches('.');
        if from.trim_end_matches('.') != self.wanted || self.host.dns_name() == to {
            return;
        }
        tracing::warn!(
            "another machine on this network is {} already, so this one is {to}; start it with a name of its own, such as \
             --mdns-name hub-2, so that nobody takes one for the other",
            self.wanted
        );
        self.host.change(to.to_owned());
    }

    /// Somebody says that this is the address of the name.
    fn hear(&mut self, address: IpAddr) {
        if !self.own.contains(&address) && !is_of_itself(address) {
            self.others.entry(address).or_insert(false);
        }
    }

    /// Who says that the name is theirs, though this server has it; each is told once.
    fn rivals(&mut self, elapsed: Duration) -> Vec<IpAddr> {
        if elapsed < SETTLING || self.host.dns_name() != self.wanted {
            return Vec::new();
        }
        let own = &self.own;
        let new = self.others.iter_mut().filter(|(address, told)| !**told && !own.contains(address));
        new.map(|(address, told)| {
            *told = true;
            *address
        })
        .collect()
    }
}

/// Link-local IPv6 addresses are not among those of this machine that anybody opens.
const fn is_of_itself(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_loopback(),
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listening() -> Listening {
        let host = HostName::new("leadlog");
        let mut listening = Listening::new(host.dns_name(), host);
        listening.own.extend(["10.9.0.2".parse::<IpAddr>().unwrap()]);
        listening
    }

    #[test]
    fn a_hub_whose_name_is_taken_has_another_one() {
        let mut hub = listening();
        hub.hear("10.9.0.1".parse().unwrap());
        hub.rename("Leadlog leadlog._https._tcp.local.", "Leadlog leadlog (2)._https._tcp.local.");
        assert_eq!(hub.host.dns_name(), "leadlog.local");
        hub.rename("leadlog.local.", "leadlog-2.local.");
        assert_eq!(hub.host.dns_name(), "leadlog-2.local");
        assert!(hub.rivals(SETTLING).is_empty(), "the other one has the name by right");
    }

    #[test]
    fn two_hubs_of_one_name_that_meet_later_are_told_once() {
        let mut hub = listening();
        for address in ["10.9.0.2", "127.0.0.1", "fe80::1", "10.9.0.1"] {
            hub.hear(address.parse().unwrap());
        }
        assert!(hub.rivals(Duration::ZERO).is_empty(), "it may have to take another name yet");
        assert_eq!(hub.rivals(SETTLING), ["10.9.0.1".parse::<IpAddr>().unwrap()]);
        assert!(hub.rivals(SETTLING).is_empty());
    }
}
