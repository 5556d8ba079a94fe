//! Secrets of API clients: made here, shown once, kept as a hash.
//!
//! `leadlog_secret_ID_RANDOM`: the beginning lets people and scanners of leaked secrets recognise one; the id says which
//! of a client's hashes it must fit, so that an attempt never costs more than one hash; 256 random bits are the secret.

use std::fmt;

use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::{ApiClientSecret, SecretHash};

use crate::command;

/// How every secret begins.
pub const SECRET_PREFIX: &str = "leadlog_secret_";

const ID_BYTES: usize = 4;
const RANDOM_BYTES: usize = 32;
const SALT_BYTES: usize = 16;

/// Of those that OWASP recommends as equal, the one with the least memory: 7 MiB for as long as an attempt takes.
const MEMORY_KIB: u32 = 7 * 1024;
const PASSES: u32 = 5;
const LANES: u32 = 1;

/// A secret that was just made. It is not kept; prints redacted.
pub struct NewSecret {
    id: String,
    text: String,
}

/// The machine gives no random numbers, or no memory to hash with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this machine gives no random numbers or no memory for a secret")]
pub struct SecretError;

impl NewSecret {
    /// Makes one.
    ///
    /// # Errors
    /// When the machine gives no random numbers.
    pub fn make() -> Result<Self, SecretError> {
        let id: String = command::random_id::<ID_BYTES, _>()?;
        let mut random = [0; RANDOM_BYTES];
        fill(&mut random)?;
        let text = format!("{SECRET_PREFIX}{id}_{}", URL_SAFE_NO_PAD.encode(random));
        Ok(Self { id, text })
    }

    /// One that somebody else has made; `None` when it is not as secret as those that are made here.
    pub(crate) fn of(text: &str) -> Option<Self> {
        let (id, random) = text.strip_prefix(SECRET_PREFIX)?.split_once('_')?;
        let is_id = id.len() == 2 * ID_BYTES && id.bytes().all(|byte| byte.is_ascii_hexdigit());
        let is_random = URL_SAFE_NO_PAD.decode(random).is_ok_and(|bytes| bytes.len() == RANDOM_BYTES);
        (is_id && is_random).then(|| Self { id: id.to_owned(), text: text.to_owned() })
    }

    /// Names it among the client's secrets; it is no part of what is secret.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The secret itself, for the one time that it is shown.
    pub fn reveal(&self) -> &str {
        &self.text
    }

    /// The same, where the hash that it fits is known.
    pub(crate) fn with_hash(&self, hash: SecretHash) -> ApiClientSecret {
        ApiClientSecret { secret_id: self.id.clone(), hash }
    }

    /// The secret as the store keeps it. Takes a while and some memory, so not for a thread that answers requests.
    pub(crate) fn hashed(&self) -> Result<ApiClientSecret, SecretError> {
        Ok(ApiClientSecret { secret_id: self.id.clone(), hash: hash(&self.text)? })
    }
}

impl fmt::Debug for NewSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NewSecret({})", self.id)
    }
}

/// The id in the text of a secret; `None` when the text is no secret.
pub(crate) fn id_in(text: &str) -> Option<&str> {
    text.strip_prefix(SECRET_PREFIX)?.split_once('_').map(|(id, _)| id)
}

/// Whether the text is what was hashed. Not for a thread that answers requests.
pub(crate) fn fits(text: &str, hash: &SecretHash) -> bool {
    Argon2::default().verify_password(text.as_bytes(), hash.as_str()).is_ok()
}

fn hash(text: &str) -> Result<SecretHash, SecretError> {
    let mut salt = [0; SALT_BYTES];
    fill(&mut salt)?;
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(|_| SecretError)?;
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let phc = argon2.hash_password_with_salt(text.as_bytes(), &salt).map_err(|_| SecretError)?;
    Ok(SecretHash::new(phc.to_string()))
}

/// Random bytes from the operating system's seed.
pub(crate) fn fill(bytes: &mut [u8]) -> Result<(), SecretError> {
    aws_lc_rs::rand::fill(bytes).map_err(|_| SecretError)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_fits_its_own_hash_alone() {
        let (secret, other) = (NewSecret::make().unwrap(), NewSecret::make().unwrap());
        let hashed = secret.hashed().unwrap();
        assert!(hashed.hash.as_str().starts_with("$argon2id$v=19$m=7168,t=5,p=1$"));
        assert!(fits(secret.reveal(), &hashed.hash) && !fits(other.reveal(), &hashed.hash));
        assert!(!fits(secret.reveal(), &SecretHash::new("no hash".to_owned())));
    }

    #[test]
    fn a_secret_is_recognised_has_256_random_bits_and_does_not_print() {
        let secret = NewSecret::make().unwrap();
        let random = secret.reveal().strip_prefix(&format!("{SECRET_PREFIX}{}_", secret.id())).unwrap();
        assert_eq!(URL_SAFE_NO_PAD.decode(random).unwrap().len() * 8, 256);
        assert_eq!(id_in(secret.reveal()), Some(secret.id()));
        assert_eq!(NewSecret::of(secret.reveal()).unwrap().id(), secret.id());
        for no_secret in ["", "password", "leadlog_secret_0a1b2c3d_short", &secret.reveal()[1..]] {
            assert!(NewSecret::of(no_secret).is_none(), "{no_secret}");
        }
        assert_eq!(id_in("password"), None);
        assert!(!format!("{secret:?}").contains(random));
    }
}
