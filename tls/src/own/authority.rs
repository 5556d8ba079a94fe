//! The CA: a root that iPads install, and an issuer below it that signs.
//!
//! The key of the root signs the issuer and is then thrown away; it is never on the disk. So there is one key that can sign, the
//! issuer's, and what holds that one within bounds stands in a certificate *below* the root. Bounds in a root are looked at by
//! some clients and passed over by others, which is their right (RFC 5280 section 6.2); here both have them.
//!
//! ```text
//! FOLDER/authority/ca.pem       the root's certificate, as iPads get it
//! FOLDER/authority/issuer.pem   the issuer's
//! FOLDER/authority/issuer.key   the issuer's key
//! ```

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, ExtendedKeyUsagePurpose,
    IsCa, Issuer, KeyPair, KeyUsagePurpose,
};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use time::macros::datetime;
use time::{Duration, OffsetDateTime};

use super::scope::Scope;
use super::{AuthorityInfo, OwnError};
use crate::der::Contents;
use crate::folder;

/// From when every CA counts, whatever the clock said when it was made.
pub(super) const VALID_FROM: OffsetDateTime = datetime!(2020-01-01 00:00 UTC);
/// For how long from when it was made. Installing one is work by hand, on each iPad.
const VALIDITY: Duration = Duration::days(3652);
/// When it is told that it ends.
const WARN_BEFORE_END: Duration = Duration::days(180);

/// The folder that holds it, whole or not at all.
const FOLDER: &str = "authority";
/// What one is called that is being made.
const UNFINISHED: &str = ".authority-";
const CA: &str = "ca.pem";
const ISSUER: &str = "issuer.pem";
const ISSUER_KEY: &str = "issuer.key";

pub(super) struct Authority {
    folder: PathBuf,
    info: AuthorityInfo,
    scope: Scope,
    issuer_certificate: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    /// The one in this folder, which is made if there is none.
    pub(super) fn open(
        parent: &Path,
        title: &str,
        names: &[String],
        now: OffsetDateTime,
    ) -> Result<Self, OwnError> {
        let unusable = |source| OwnError::Folder { folder: parent.to_owned(), source };
        folder::make(parent).map_err(unusable)?;
        let home = parent.join(FOLDER);
        match fs::symlink_metadata(&home) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                make(parent, &home, title, names, now)?;
                tracing::info!(folder = %home.display(), "a new CA was made, which iPads must be given once");
            }
            Err(error) => return Err(unusable(error)),
        }
        Self::read(home)
    }

    fn read(folder: PathBuf) -> Result<Self, OwnError> {
        let text = |name: &str| {
            let file = folder.join(name);
            fs::read_to_string(&file).map_err(|source| OwnError::Unreadable { file, source })
        };
        let broken =
            |name: &str, what: &str| OwnError::Broken { file: folder.join(name), what: what.to_owned() };
        let (pem, issuer_pem, key) = (text(CA)?, text(ISSUER)?, text(ISSUER_KEY)?);
        let key_file = folder.join(ISSUER_KEY);
        folder::close(&key_file).map_err(|source| OwnError::Unreadable { file: key_file, source })?;
        let certificate = |name: &str, pem: &str| {
            let der = CertificateDer::from_pem_slice(pem.as_bytes()).ok();
            let read = der.and_then(|der| Some((Contents::of(&der)?, der)));
            read.ok_or_else(|| broken(name, "it holds no certificate"))
        };
        let (root, root_der) = certificate(CA, &pem)?;
        let (below, issuer_der) = certificate(ISSUER, &issuer_pem)?;
        if !root.is_self_issued {
            return Err(broken(CA, "it holds another certificate than the root's"));
        }
        let scope =
            Scope::of(&below).ok_or_else(|| broken(ISSUER, "nothing bounds what it can vouch for"))?;
        let key = KeyPair::from_pem(&key).map_err(|_| broken(ISSUER_KEY, "it holds no key"))?;
        if rcgen::PublicKeyData::subject_public_key_info(&key) != below.public_key {
            return Err(broken(ISSUER_KEY, "the key is not the issuer's"));
        }
        let issuer =
            Issuer::from_ca_cert_der(&issuer_der, key).map_err(|error| broken(ISSUER, &error.to_string()))?;
        let name = root.common_name.ok_or_else(|| broken(CA, "it has no name"))?;
        let info = AuthorityInfo {
            name,
            der: root_der.to_vec(),
            pem,
            not_after: root.not_after.min(below.not_after),
        };
        Ok(Self { folder, info, scope, issuer_certificate: issuer_der, issuer })
    }

    /// Whether it can vouch for these.
    pub(super) fn covers(&self, names: &[String]) -> Result<(), OwnError> {
        let Some(name) = names.iter().find(|name| !self.scope.has_name(name)) else { return Ok(()) };
        Err(OwnError::NotCovered {
            name: name.clone(),
            made_for: self.scope.names().join(", "),
            folder: self.folder.clone(),
        })
    }

    pub(super) fn check_end(&self, now: OffsetDateTime) -> Result<(), OwnError> {
        let at = self.info.not_after;
        if at <= now {
            return Err(OwnError::Ended { folder: self.folder.clone(), at });
        }
        if at - now < WARN_BEFORE_END {
            tracing::warn!(%at, folder = %self.folder.display(), "the CA ends; have a new one made in time: move the folder away");
        }
        Ok(())
    }

    /// When it was made, by the clock of that time.
    pub(super) fn made_at(&self) -> OffsetDateTime {
        self.info.not_after - VALIDITY
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(super) const fn info(&self) -> &AuthorityInfo {
        &self.info
    }

    pub(super) const fn scope(&self) -> &Scope {
        &self.scope
    }

    pub(super) const fn issuer(&self) -> &Issuer<'static, KeyPair> {
        &self.issuer
    }

    pub(super) const fn issuer_certificate(&self) -> &CertificateDer<'static> {
        &self.issuer_certificate
    }
}

/// Makes a CA beside its place and moves it there in the end, so that there is a whole one or none, also after a power cut.
fn make(
    parent: &Path,
    home: &Path,
    title: &str,
    names: &[String],
    now: OffsetDateTime,
) -> Result<(), OwnError> {
    let unusable = |source| OwnError::Folder { folder: parent.to_owned(), source };
    remove_unfinished(parent).map_err(unusable)?;
    let Made { ca, issuer, issuer_key } =
        sign(title, names, now).map_err(|error| OwnError::NotMade(error.to_string()))?;
    let part = folder::make_part(parent, UNFINISHED).map_err(unusable)?;
    for (name, contents) in [(CA, &ca), (ISSUER, &issuer), (ISSUER_KEY, &issuer_key)] {
        folder::write(part.path(), name, contents.as_bytes()).map_err(unusable)?;
    }
    match fs::rename(part.path(), home) {
        Ok(()) => {
            let _ = part.keep();
            folder::sync(parent).map_err(unusable)
        }
        // Somebody else was first.
        Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => Ok(()),
        Err(error) => Err(unusable(error)),
    }
}

/// Keys that a crash has left behind.
fn remove_unfinished(parent: &Path) -> io::Result<()> {
    for entry in fs::read_dir(parent)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(UNFINISHED) {
            fs::remove_dir_all(entry.path())?;
        }
    }
    Ok(())
}

/// As PEM.
struct Made {
    ca: String,
    issuer: String,
    issuer_key: String,
}

fn sign(title: &str, names: &[String], now: OffsetDateTime) -> Result<Made, rcgen::Error> {
    let scope = Scope::new(names);
    let key = KeyPair::generate()?;
    // Two hubs of one name must differ in the iPads' list, and clients tell CAs apart by their names.
    let tag: String = rcgen::PublicKeyData::der_bytes(&key)
        .iter()
        .rev()
        .take(2)
        .map(|byte| format!("{byte:02X}"))
        .collect();
    let name = format!("{title} {tag}");
    let params = |name: &str, paths_below: u8| {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(paths_below));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.name_constraints = Some(scope.constraints());
        // Names of people and of programs are not bounded by that, so it vouches for servers alone.
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        (params.not_before, params.not_after) = (VALID_FROM, now + VALIDITY);
        params
    };
    let root = CertifiedIssuer::self_signed(params(&name, 1), key)?;
    let issuer_key = KeyPair::generate()?;
    let issuer = params(&format!("{name} issuer"), 0).signed_by(&issuer_key, &root)?;
    // The root's key ends here.
    Ok(Made { ca: root.pem(), issuer: issuer.pem(), issuer_key: issuer_key.serialize_pem() })
}
