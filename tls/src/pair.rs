//! A certificate and the key that fits it, as PEM.

use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use thiserror::Error;
use time::OffsetDateTime;

use crate::der::Contents;

/// Why a certificate and a key are no pair.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum PairError {
    /// Nothing in it that could be shown.
    #[error(
        "there is no certificate in it; it must hold -----BEGIN CERTIFICATE-----, the server's own first, then those of its CA"
    )]
    NoCertificate,
    /// A block that is broken off, or not what it says.
    #[error("what it holds is no certificate that can be read; was it written to the end?")]
    BrokenCertificate,
    /// No key.
    #[error("there is no key in it; it must hold -----BEGIN PRIVATE KEY-----")]
    NoKey,
    /// Locked by a passphrase.
    #[error(
        "the key is locked by a passphrase, which nobody can type while the server starts; store it without one, as a file of the server's user alone"
    )]
    LockedKey,
    /// A kind of key that is not known, or no key.
    #[error("the key cannot be used; it must be ECDSA (P-256, P-384), Ed25519 or RSA (2048 bits or more)")]
    UnusableKey,
    /// Of two that do not belong together.
    #[error(
        "the key does not fit the certificate: they are of two pairs, or one of them was renewed and the other one not"
    )]
    NotAPair,
    /// The key belongs to another certificate of the chain.
    #[error(
        "the key fits a certificate further down in the file; the server's own must come first, then those of its CA"
    )]
    WrongOrder,
    /// It is over.
    #[error("the certificate ended at {0}; renew it (or set this machine's clock, if that is wrong)")]
    Ended(OffsetDateTime),
}

/// A certificate, its chain and its key.
pub(crate) struct Pair {
    pub(crate) certified: CertifiedKey,
    pub(crate) contents: Contents,
}

impl Pair {
    /// Which of the two is at fault stands beside the error.
    pub(crate) fn read(
        certificate: &[u8],
        key: &[u8],
        now: OffsetDateTime,
    ) -> Result<Self, (Part, PairError)> {
        let certificate_error = |error| (Part::Certificate, error);
        let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(certificate)
            .collect::<Result<_, _>>()
            .map_err(|_| certificate_error(PairError::BrokenCertificate))?;
        let leaf = chain.first().ok_or_else(|| certificate_error(PairError::NoCertificate))?;
        let contents = Contents::of(leaf).ok_or_else(|| certificate_error(PairError::BrokenCertificate))?;
        let key = read_key(key).map_err(|error| (Part::Key, error))?;
        let certified = certified(chain, key).map_err(|error| (Part::Key, error))?;
        if contents.not_after <= now {
            return Err(certificate_error(PairError::Ended(contents.not_after)));
        }
        Ok(Self { certified, contents })
    }
}

/// One file of a pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Certificate,
    Key,
}

fn read_key(pem: &[u8]) -> Result<PrivateKeyDer<'static>, PairError> {
    PrivateKeyDer::from_pem_slice(pem).map_err(|_| {
        let holds = |words: &str| pem.windows(words.len()).any(|window| window == words.as_bytes());
        if holds("ENCRYPTED") {
            PairError::LockedKey
        } else if holds("PRIVATE KEY-----") {
            PairError::UnusableKey
        } else {
            PairError::NoKey
        }
    })
}

/// Puts a chain and a key together, and sees whether they fit.
pub(crate) fn certified(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<CertifiedKey, PairError> {
    let provider = aws_lc_rs::default_provider();
    let key = provider.key_provider.load_private_key(key).map_err(|_| PairError::UnusableKey)?;
    let certified = CertifiedKey::new(chain, Arc::clone(&key));
    if certified.keys_match().is_ok() {
        return Ok(certified);
    }
    let public_key = key.public_key();
    let is_of = |certificate: &CertificateDer<'_>| {
        let contents = Contents::of(certificate);
        contents.is_some_and(|contents| {
            public_key.as_ref().is_some_and(|key| key.as_ref() == contents.public_key)
        })
    };
    Err(if certified.cert.iter().any(is_of) { PairError::WrongOrder } else { PairError::NotAPair })
}
