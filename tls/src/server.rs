//! What a server shows of its certificates, and how it speaks TLS.

use std::sync::{Arc, PoisonError, RwLock};

use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

/// The certificate that counts at this moment, with its key. New connections get it.
#[derive(Debug)]
pub struct Certificates(RwLock<Arc<CertifiedKey>>);

impl Certificates {
    pub(crate) fn new(first: CertifiedKey) -> Arc<Self> {
        Arc::new(Self(RwLock::new(Arc::new(first))))
    }

    pub(crate) fn use_from_now_on(&self, next: CertifiedKey) {
        // Nothing is done while the lock is held that could leave it half done.
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(next);
    }

    pub(crate) fn current(&self) -> Arc<CertifiedKey> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl ResolvesServerCert for Certificates {
    /// Whatever name was asked for: who has only the address asks for none, and a client judges the names itself.
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current())
    }
}

/// TLS 1.2 and 1.3 with these certificates, and without certificates of clients.
///
/// # Errors
/// When the crypto library has no such versions.
pub fn server_config(certificates: Arc<Certificates>) -> Result<ServerConfig, rustls::Error> {
    // Named, because the tree holds a second provider, and rustls takes none by itself then.
    let provider = Arc::new(aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(config.with_no_client_auth().with_cert_resolver(certificates))
}
