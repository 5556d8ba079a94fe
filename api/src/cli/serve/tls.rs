//! The flags of `leadlog serve` about HTTPS, and what is made of them.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use clap::builder::BoolishValueParser;
use rustls::ServerConfig;
use time::OffsetDateTime;
use tls::{AuthorityInfo, CertificateFiles, OwnCertificates, Upkeep, Wanted};

use super::mdns::HostName;

/// How often it is looked whether the certificate is still the right one.
const LOOK_INTERVAL: Duration = Duration::from_secs(5);

/// Where the set-up page is, if nobody says so.
const SETUP_PORT: u16 = 8090;

/// What a hub is called on its network, if nobody says so.
const DEFAULT_NAME: &str = "leadlog";

/// How devices come to trust this server, and to find it.
#[derive(Args, Default)]
#[command(next_help_heading = "HTTPS and names")]
pub(super) struct TlsArgs {
    /// Serve over HTTPS with this certificate: a PEM file with the server's own first, then those of its CA. A renewed one is
    /// used without a restart.
    #[arg(
        long,
        env = "LEADLOG_TLS_CERT",
        value_name = "FILE",
        requires = "tls_key",
        conflicts_with = "tls_own_ca"
    )]
    tls_cert: Option<PathBuf>,

    /// The key of that certificate: a PEM file without a passphrase.
    #[arg(long, env = "LEADLOG_TLS_KEY", value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,

    /// Serve over HTTPS with a certificate of a CA of this machine's own, which is made at the first start and kept. iPads
    /// install it once, by the set-up page whose address is printed. It can vouch for .local names, private addresses and each
    /// --tls-name, and for nothing else.
    #[arg(long, env = "LEADLOG_TLS_OWN_CA", value_parser = BoolishValueParser::new())]
    tls_own_ca: bool,

    /// Another name by which devices reach this server, such as hub-1.example.com. For each once, or separated by commas. The CA
    /// must know it when it is made.
    #[arg(
        long = "tls-name",
        env = "LEADLOG_TLS_NAMES",
        value_name = "NAME",
        value_delimiter = ',',
        value_parser = tls::parse_name,
        requires = "tls_own_ca"
    )]
    tls_names: Vec<String>,

    /// Where the CA is kept. Without it: the folder tls in the data folder.
    #[arg(long, env = "LEADLOG_TLS_DIR", value_name = "DIR", requires = "tls_own_ca")]
    tls_dir: Option<PathBuf>,

    /// Where the page that sets up iPads listens, over plain HTTP. Without it: port 8090 beside --listen.
    #[arg(long, env = "LEADLOG_SETUP_LISTEN", value_name = "ADDRESS:PORT", requires = "tls_own_ca")]
    setup_listen: Option<SocketAddr>,

    /// What this server is called on its network, as NAME.local (mDNS): hub-2 for the second hub. Said aloud with --tls-own-ca, or
    /// when it is given. Without it: leadlog.
    #[arg(long, env = "LEADLOG_MDNS_NAME", value_name = "NAME", value_parser = tls::parse_local_label)]
    mdns_name: Option<String>,

    /// Say no name aloud.
    #[arg(long, env = "LEADLOG_NO_MDNS", value_parser = BoolishValueParser::new())]
    no_mdns: bool,
}

/// What was made of the flags, before anything is served.
pub(super) struct Tls {
    /// How to serve; `None` for plain HTTP.
    pub(super) config: Option<ServerConfig>,
    /// The name to be said aloud, if any.
    pub(super) host: Option<HostName>,
    /// By which names the certificate is trusted, the best first.
    names: Vec<String>,
    /// Of a CA of its own.
    pub(super) own: Option<Own>,
    _upkeep: Option<Upkeep>,
}

/// A CA of this machine's own.
pub(super) struct Own {
    /// What devices come to trust.
    pub(super) authority: AuthorityInfo,
    /// What the hub is called.
    pub(super) name: String,
    /// Where the set-up page is to listen.
    pub(super) setup: TcpListener,
    host: Option<HostName>,
    /// Other names, which lead here by somebody's DNS.
    names: Vec<String>,
    certificates: Arc<Mutex<OwnCertificates>>,
}

impl TlsArgs {
    /// Reads or makes what is needed, and looks after it from here on.
    pub(super) fn prepare(self, listen: SocketAddr, default_folder: &Path) -> anyhow::Result<Tls> {
        let is_named = self.mdns_name.is_some();
        let name = self.mdns_name.unwrap_or_else(|| DEFAULT_NAME.to_owned());
        // On an address of this machine alone, nobody could follow the name.
        let says_name = !self.no_mdns && (self.tls_own_ca || is_named) && !listen.ip().is_loopback();
        let host = says_name.then(|| HostName::new(&name));
        if let (Some(certificate), Some(key)) = (self.tls_cert, self.tls_key) {
            return with_files(certificate, key, host);
        }
        if !self.tls_own_ca {
            return Ok(Tls { config: None, host, names: Vec::new(), own: None, _upkeep: None });
        }
        let setup_listen = self.setup_listen.unwrap_or(SocketAddr::new(listen.ip(), SETUP_PORT));
        let setup = TcpListener::bind(setup_listen).with_context(|| {
            format!("the set-up page cannot listen on {setup_listen}; is something else there? Choose another with --setup-listen")
        })?;
        let folder = self.tls_dir.unwrap_or_else(|| default_folder.join("tls"));
        let looking = Looking {
            name: name.clone(),
            names: self.tls_names.clone(),
            host: host.clone(),
            last: Vec::new(),
        };
        with_own(&folder, looking, setup)
    }
}

fn with_files(certificate: PathBuf, key: PathBuf, host: Option<HostName>) -> anyhow::Result<Tls> {
    let mut files = CertificateFiles::open(certificate, key, OffsetDateTime::now_utc())?;
    let config = tls::server_config(files.certificates())?;
    let names = files.names().iter().filter(|name| !name.starts_with("*.")).cloned().collect();
    let upkeep = Upkeep::every(LOOK_INTERVAL, move || files.look(OffsetDateTime::now_utc()))?;
    Ok(Tls { config: Some(config), host, names, own: None, _upkeep: Some(upkeep) })
}

fn with_own(folder: &Path, mut looking: Looking, setup: TcpListener) -> anyhow::Result<Tls> {
    let name = looking.name.clone();
    let title = if name == DEFAULT_NAME { "Leadlog".to_owned() } else { format!("Leadlog {name}") };
    let wanted = looking.wanted();
    let own = OwnCertificates::open(folder, &title, &looking.names, &wanted, OffsetDateTime::now_utc())?;
    let (config, authority) = (tls::server_config(own.certificates())?, own.authority().clone());
    let (host, others) = (looking.host.clone(), looking.names.clone());
    let names = host.iter().map(HostName::dns_name).chain(others.iter().cloned()).collect();
    let certificates = Arc::new(Mutex::new(own));
    let looked_after = Arc::clone(&certificates);
    let upkeep = Upkeep::every(LOOK_INTERVAL, move || {
        let wanted = looking.wanted();
        lock(&looked_after).look(&wanted, OffsetDateTime::now_utc());
    })?;
    let own = Own { authority, name, setup, host: host.clone(), names: others, certificates };
    Ok(Tls { config: Some(config), host, names, own: Some(own), _upkeep: Some(upkeep) })
}

impl Tls {
    /// By which names devices reach it, the best first.
    pub(super) fn names(&self) -> &[String] {
        &self.names
    }
}

impl Own {
    /// Whether a device that trusts the CA can open this address.
    pub(super) fn covers(&self, address: IpAddr) -> bool {
        lock(&self.certificates).covers_address(address)
    }

    /// What tells by which addresses devices open the app at the moment of asking: the names first, then the addresses that the CA
    /// can vouch for.
    pub(super) fn addresses(&self, bound: SocketAddr) -> impl Fn() -> Vec<String> + Send + Sync + use<> {
        let (host, names, certificates) =
            (self.host.clone(), self.names.clone(), Arc::clone(&self.certificates));
        move || {
            let mut hosts: Vec<String> =
                host.iter().map(HostName::dns_name).chain(names.iter().cloned()).collect();
            let listening = if bound.ip().is_unspecified() {
                lan_addresses().unwrap_or_default()
            } else {
                vec![bound.ip()]
            };
            let own = lock(&certificates);
            // A person types IPv4 addresses, and each network has them.
            hosts.extend(
                listening
                    .into_iter()
                    .filter(|ip| ip.is_ipv4() && own.covers_address(*ip))
                    .map(|ip| ip.to_string()),
            );
            hosts.iter().map(|host| address("https", host, bound.port())).collect()
        }
    }
}

/// Looks what the certificate must be for.
struct Looking {
    /// What the hub is called.
    name: String,
    /// Other names.
    names: Vec<String>,
    /// The name that is said aloud, which another hub may have taken.
    host: Option<HostName>,
    /// The addresses that were found last.
    last: Vec<IpAddr>,
}

impl Looking {
    fn wanted(&mut self) -> Wanted {
        // What cannot be read now was right a moment ago.
        if let Ok(addresses) = lan_addresses() {
            self.last = addresses;
        }
        let said = self.host.iter().map(HostName::dns_name);
        // Also when nobody says it aloud: the system may, or somebody's DNS.
        let named = [format!("{}.local", self.name)];
        let names = self.names.iter().cloned().chain(named).chain(said).collect();
        Wanted { names, addresses: self.last.clone() }
    }
}

/// The address of a page, without the port that browsers leave out.
pub(super) fn address(scheme: &str, host: &str, port: u16) -> String {
    match (scheme, port) {
        ("https", 443) | ("http", 80) => format!("{scheme}://{host}"),
        _ => format!("{scheme}://{host}:{port}"),
    }
}

fn lan_addresses() -> io::Result<Vec<IpAddr>> {
    tls::of_this_machine()
}

fn lock(own: &Mutex<OwnCertificates>) -> std::sync::MutexGuard<'_, OwnCertificates> {
    own.lock().unwrap_or_else(PoisonError::into_inner)
}
