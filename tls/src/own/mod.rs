//! A CA of this machine's own, and the certificate that it gives to the server.
//!
//! The certificate is made at the start and again whenever a name or an address is missing in it, when it comes near its end, or
//! when the clock has been set. It is never on the disk: the CA is what iPads know, and a new certificate under it is nothing to
//! them.
//!
//! Clocks of laptops are wrong. The CA counts from [`authority::VALID_FROM`], so that one which was made by a clock that was
//! ahead counts today. The certificate counts from half a year before it was made, so that neither the iPads' clocks nor this
//! one matter by less than that. A clock that is before [`EARLIEST`] is one that has lost its time; the certificate is made for
//! a later one then.

mod authority;
mod scope;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration as StdDuration;
use std::{fmt, io};

use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose,
    SanType,
};
use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::sign::CertifiedKey;
use sha2::{Digest, Sha256};
use thiserror::Error;
use time::macros::datetime;
use time::{Duration, OffsetDateTime};

use crate::pair::certified;
use crate::server::Certificates;
use authority::Authority;
use scope::Scope;

/// How long a certificate counts, with both margins: iPads refuse more than 825 days, and public ones may have 398.
const VALIDITY: Duration = Duration::days(397);
/// How long it counts before it was made.
const BEFORE: Duration = Duration::days(180);
/// How near its end it is made anew.
const RENEW_BEFORE_END: Duration = Duration::days(30);
/// How near its beginning: that the clock was set back that far says that it was wrong when it was made.
const RENEW_AFTER_BEGINNING: Duration = Duration::days(30);
/// No clock that goes right says less.
const EARLIEST: OffsetDateTime = datetime!(2026-01-01 00:00 UTC);

/// What every machine calls itself.
const LOCALHOST: &str = "localhost";

/// What the server is reached by.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// DNS names.
    pub names: Vec<String>,
    /// Addresses on the LAN. Those of this machine to itself need not be named.
    pub addresses: Vec<IpAddr>,
}

/// What iPads are to trust.
#[derive(Clone, PartialEq, Eq)]
pub struct AuthorityInfo {
    /// What iPads call it, in their list of what they trust.
    pub name: String,
    /// Its certificate.
    pub der: Vec<u8>,
    /// The same as text.
    pub pem: String,
    /// When it ends.
    pub not_after: OffsetDateTime,
}

/// Why there is no certificate of the CA's own.
#[derive(Debug, Error)]
pub enum OwnError {
    /// The folder cannot be used.
    #[error("cannot keep the CA in {}: {source}; let this user write there, or name another folder with --tls-dir", .folder.display())]
    Folder {
        /// Where.
        folder: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A part of the CA cannot be read.
    #[error("the CA in {} cannot be read: {source}; {}", .file.display(), Anew(.file))]
    Unreadable {
        /// Which file.
        file: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A part of the CA is not what it should be.
    #[error("{} is not what it was: {what}; {}", .file.display(), Anew(.file))]
    Broken {
        /// Which file.
        file: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// The CA is too old.
    #[error("the CA in {} ended at {at}, and no iPad trusts it any more; {}", .folder.display(), Anew(&.folder.join("ca.pem")))]
    Ended {
        /// Where.
        folder: PathBuf,
        /// When.
        at: OffsetDateTime,
    },
    /// A name for which the CA was not made.
    #[error("the CA in {} cannot vouch for {name}: it was made for {made_for} alone; leave --tls-name {name} out, or {}", .folder.display(), Anew(&.folder.join("ca.pem")))]
    NotCovered {
        /// The name.
        name: String,
        /// The names it can vouch for.
        made_for: String,
        /// Where.
        folder: PathBuf,
    },
    /// A certificate could not be made.
    #[error("no certificate can be made: {0}")]
    NotMade(String),
}

/// What to do about a CA that is no good.
struct Anew<'a>(&'a Path);

impl fmt::Display for Anew<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let folder = self.0.parent().unwrap_or(self.0);
        write!(
            f,
            "bring it back from a copy, or move {} away and start again: a new CA is made then, which every iPad must be given again",
            folder.display()
        )
    }
}

/// The CA, and the certificate that is in use.
pub struct OwnCertificates {
    authority: Authority,
    certificates: Arc<Certificates>,
    leaf: Leaf,
    /// What the CA cannot vouch for, and was told.
    left_out: Vec<IpAddr>,
    is_failing: bool,
}

/// What is known of a certificate that was made.
struct Leaf {
    wanted: Wanted,
    not_before: OffsetDateTime,
    not_after: OffsetDateTime,
}

impl OwnCertificates {
    /// The CA in this folder, which is made if there is none, and a certificate for what is wanted. A new CA bears the title, and
    /// can vouch for these names beside what every one can.
    ///
    /// # Errors
    /// See [`OwnError`]. A CA that is there and cannot be used is an error, and never replaced.
    pub fn open(
        folder: &Path,
        title: &str,
        names: &[String],
        wanted: &Wanted,
        clock: OffsetDateTime,
    ) -> Result<Self, OwnError> {
        let authority = Authority::open(folder, title, names, clock.max(EARLIEST))?;
        authority.covers(names)?;
        if clock < EARLIEST {
            tracing::warn!(%clock, "this machine has lost its time; set its clock: iPads that come to trust it need the right one");
        }
        let now = plausible(clock, &authority);
        authority.check_end(now)?;
        let mut left_out = Vec::new();
        let wanted = within(authority.scope(), wanted, &mut left_out);
        let (certified, leaf) = make(&authority, wanted, now)?;
        let certificates = Certificates::new(certified);
        Ok(Self { authority, certificates, leaf, left_out, is_failing: false })
    }

    /// What a server shows.
    pub fn certificates(&self) -> Arc<Certificates> {
        Arc::clone(&self.certificates)
    }

    /// The CA as iPads get it.
    pub const fn authority(&self) -> &AuthorityInfo {
        self.authority.info()
    }

    /// Whether the CA can vouch for this address: for a private one.
    pub fn covers_address(&self, address: IpAddr) -> bool {
        self.authority.scope().has_address(address)
    }

    /// Makes a new certificate if the one that is in use is not good any more. If that fails, the old one stays in use.
    pub fn look(&mut self, wanted: &Wanted, clock: OffsetDateTime) {
        let now = plausible(clock, &self.authority);
        let wanted = within(self.authority.scope(), wanted, &mut self.left_out);
        if self.leaf.is_good_for(&wanted, now) {
            return;
        }
        match make(&self.authority, wanted, now) {
            Ok((certified, leaf)) => {
                self.certificates.use_from_now_on(certified);
                tracing::info!(
                    names = ?leaf.wanted.names, addresses = ?leaf.wanted.addresses,
                    "a new certificate is used from now on, of the same CA"
                );
                self.leaf = leaf;
                self.is_failing = false;
            }
            Err(error) if !self.is_failing => {
                self.is_failing = true;
                tracing::error!(%error, "the certificate before stays in use");
            }
            Err(_) => {}
        }
    }
}

impl AuthorityInfo {
    /// The SHA-256 digest of the certificate, as iPads and other programs show it: pairs of digits, from each other.
    pub fn fingerprint(&self) -> String {
        let digest = Sha256::digest(&self.der);
        digest.iter().map(|byte| format!("{byte:02X}")).collect::<Vec<_>>().join(" ")
    }
}

impl Leaf {
    /// Whether all that is wanted is in it, and it counts long enough. What is in it and not wanted any more does no harm: a WiFi
    /// that goes and comes back makes no new one.
    fn is_good_for(&self, wanted: &Wanted, now: OffsetDateTime) -> bool {
        let has_names = wanted.names.iter().all(|name| self.wanted.names.contains(name));
        let has_addresses = wanted.addresses.iter().all(|address| self.wanted.addresses.contains(address));
        let counts =
            self.not_before + RENEW_AFTER_BEGINNING <= now && now + RENEW_BEFORE_END <= self.not_after;
        has_names && has_addresses && counts
    }
}

/// The time by this clock, or a later one that is less wrong.
fn plausible(clock: OffsetDateTime, authority: &Authority) -> OffsetDateTime {
    if clock >= EARLIEST { clock } else { EARLIEST.max(authority.made_at()) }
}

/// What a certificate can be for: one name too many, and clients would refuse it altogether. Tells once what is left out.
fn within(scope: &Scope, wanted: &Wanted, left_out: &mut Vec<IpAddr>) -> Wanted {
    let mut names: Vec<String> =
        wanted.names.iter().map(String::as_str).chain([LOCALHOST]).map(str::to_owned).collect();
    names.retain(|name| scope.has_name(name));
    names.sort_unstable();
    names.dedup();
    let own = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
    let (mut addresses, outside): (Vec<IpAddr>, Vec<IpAddr>) =
        wanted.addresses.iter().copied().chain(own).partition(|address| scope.has_address(*address));
    // A public IPv6 address beside a private IPv4 one is what most networks give.
    let new = outside.iter().filter(|address| address.is_ipv4() && !left_out.contains(address));
    for address in new {
        tracing::warn!(
            %address,
            "the CA vouches for private addresses alone, and this is none: open the server by its name, or use a private network"
        );
    }
    *left_out = outside;
    addresses.sort_unstable();
    addresses.dedup();
    Wanted { names, addresses }
}

/// Makes a certificate, and sees whether clients accept it who trust the CA and nobody else.
fn make(
    authority: &Authority,
    wanted: Wanted,
    now: OffsetDateTime,
) -> Result<(CertifiedKey, Leaf), OwnError> {
    let not_made = |error: rcgen::Error| OwnError::NotMade(error.to_string());
    let key = KeyPair::generate().map_err(not_made)?;
    let mut params = CertificateParams::default();
    // No name of a machine: clients of old times look for one here.
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "Leadlog server");
    params.subject_alt_names = subject_alt_names(&wanted).map_err(not_made)?;
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    let not_before = now - BEFORE;
    (params.not_before, params.not_after) = (not_before, not_before + VALIDITY);
    let not_after = params.not_after;
    let leaf = params.signed_by(&key, authority.issuer()).map_err(not_made)?;
    let chain = vec![leaf.der().clone(), authority.issuer_certificate().clone()];
    let key =
        PrivateKeyDer::try_from(key.serialize_der()).map_err(|error| OwnError::NotMade(error.to_owned()))?;
    let certified = certified(chain, key).map_err(|error| OwnError::NotMade(error.to_string()))?;
    check(authority, &certified, &wanted, now)?;
    Ok((certified, Leaf { wanted, not_before, not_after }))
}

fn subject_alt_names(wanted: &Wanted) -> Result<Vec<SanType>, rcgen::Error> {
    let names = wanted.names.iter().map(|name| Ok(SanType::DnsName(name.as_str().try_into()?)));
    let addresses = wanted.addresses.iter().map(|address| Ok(SanType::IpAddress(*address)));
    names.chain(addresses).collect()
}

/// As a client does.
fn check(
    authority: &Authority,
    certified: &CertifiedKey,
    wanted: &Wanted,
    now: OffsetDateTime,
) -> Result<(), OwnError> {
    let refused = |error: &dyn fmt::Display| OwnError::Broken {
        file: authority.folder().join("issuer.pem"),
        what: format!("no client accepts what it signs ({error})"),
    };
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from(authority.info().der.as_slice())).map_err(|error| refused(&error))?;
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
        .build()
        .map_err(|error| refused(&error))?;
    let now =
        UnixTime::since_unix_epoch(StdDuration::from_secs(u64::try_from(now.unix_timestamp()).unwrap_or(0)));
    let names = wanted.names.iter().map(|name| ServerName::try_from(name.as_str()));
    let addresses = wanted.addresses.iter().map(|address| Ok(ServerName::IpAddress((*address).into())));
    let Some((leaf, chain)) = certified.cert.split_first() else {
        return Err(refused(&"there is none"));
    };
    for name in names.chain(addresses) {
        let name = name.map_err(|error| refused(&error))?;
        verifier.verify_server_cert(leaf, chain, &name, &[], now).map_err(|error| refused(&error))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
