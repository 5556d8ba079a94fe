//! The keys by which a store signs its access tokens: ES256 (P-256), in the table `signing_keys`.
//!
//! One key signs, and is made when it is first needed. Of several processes that need it at once one makes it, and the
//! others read that. A key that was **replaced** ([`rotate_key`]) signs nothing more, and its tokens count until the last
//! of them has expired. A key that was **retired** ([`retire_keys`]) is void with all of its tokens, in every process from
//! its next look on, which is before its next answer.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::Timestamp;
use jsonwebtoken::{DecodingKey, EncodingKey};
use sha2::{Digest, Sha256};
use sqlx::{PgConnection, PgPool};
use time::OffsetDateTime;
use tokio::sync::Mutex;
use tokio::time::timeout;

use crate::authority::MAX_TOKEN_LIFETIME;

const KID_BYTES: usize = 16;

/// How long a look may take. A database that hangs lets nobody in.
const LOOK_TIMEOUT: Duration = Duration::from_secs(2);

/// How often a key that nobody knows is looked for: anybody can name one.
const UNKNOWN_KEY_INTERVAL: Duration = Duration::from_secs(1);

/// How long a process may go on signing by a key that was replaced since it looked.
const SIGNING_SLACK: Duration = Duration::from_secs(60);

/// A key pair. Prints without what is secret.
pub(crate) struct SigningKey {
    pub(crate) kid: String,
    pub(crate) private: EncodingKey,
    pub(crate) public: DecodingKey,
    pkcs8: Vec<u8>,
}

/// Keys whose tokens count.
#[derive(Default)]
pub(crate) struct Keys {
    by_kid: HashMap<String, Arc<SigningKey>>,
    /// The one that signs.
    signer: Option<Arc<SigningKey>>,
}

/// The keys as a process knows them.
pub(crate) struct KnownKeys {
    pool: PgPool,
    /// Locked for the length of a pointer's copy.
    current: RwLock<Arc<Keys>>,
    /// When an unknown key was last looked for.
    unknown_looked_for: Mutex<Option<Instant>>,
    /// When the last look began that came to its end.
    known_since: std::sync::Mutex<Option<Instant>>,
}

/// Why there is no key to sign with.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The database does not answer, or its user may not see or change keys.
    #[error("the signing keys cannot be read or changed")]
    Database(#[from] sqlx::Error),
    /// The database takes too long.
    #[error("the signing keys were not read within {} s", LOOK_TIMEOUT.as_secs())]
    TooSlow,
    /// What the table holds is no key.
    #[error("the signing key {kid} is damaged; `leadlog keys retire` makes another")]
    Damaged {
        /// Names the key.
        kid: String,
    },
    /// The machine gives no random numbers.
    #[error("this machine gives no random numbers for a signing key")]
    NotMade,
}

/// A key as the table holds it: `kid`, `pkcs8`, and whether it signs.
type Row = (String, Vec<u8>, bool);

impl Keys {
    /// The key of this name, if its tokens count.
    pub(crate) fn get(&self, kid: &str) -> Option<&Arc<SigningKey>> {
        self.by_kid.get(kid)
    }
}

impl KnownKeys {
    /// None yet.
    pub(crate) fn new(pool: PgPool) -> Self {
        Self {
            pool,
            current: RwLock::default(),
            unknown_looked_for: Mutex::default(),
            known_since: std::sync::Mutex::default(),
        }
    }

    /// The keys as of the last look.
    pub(crate) fn current(&self) -> Arc<Keys> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Looks which keys count now.
    pub(crate) async fn refresh(&self) -> Result<Arc<Keys>, KeyError> {
        let looked_at = Instant::now();
        let rows = timeout(LOOK_TIMEOUT, read(&self.pool)).await.map_err(|_| KeyError::TooSlow)??;
        let keys = Arc::new(Keys::of(rows, &self.current())?);
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&keys);
        *self.known_since.lock().unwrap_or_else(PoisonError::into_inner) = Some(looked_at);
        Ok(keys)
    }

    /// The keys that counted up to `max_age` ago.
    pub(crate) async fn known_within(&self, max_age: Duration) -> Result<Arc<Keys>, KeyError> {
        let known_since = *self.known_since.lock().unwrap_or_else(PoisonError::into_inner);
        if known_since.is_some_and(|at| at.elapsed() < max_age) {
            return Ok(self.current());
        }
        self.refresh().await
    }

    /// The keys, looked at again when this one is not among them: another process may have made it.
    pub(crate) async fn with(&self, kid: &str) -> Result<Arc<Keys>, KeyError> {
        let current = self.current();
        if current.get(kid).is_some() {
            return Ok(current);
        }
        let Ok(mut looked_for) = timeout(LOOK_TIMEOUT, self.unknown_looked_for.lock()).await else {
            return Err(KeyError::TooSlow);
        };
        if looked_for.is_some_and(|at| at.elapsed() < UNKNOWN_KEY_INTERVAL) {
            return Ok(self.current());
        }
        let keys = self.refresh().await?;
        *looked_for = Some(Instant::now());
        Ok(keys)
    }

    /// The key that signs at this moment; makes it when there is none.
    pub(crate) async fn signer(&self) -> Result<Arc<SigningKey>, KeyError> {
        if let Some(signer) = &self.refresh().await?.signer {
            return Ok(Arc::clone(signer));
        }
        make(&mut *self.pool.acquire().await?).await?;
        // Another process may have been first.
        self.refresh().await?.signer.clone().ok_or(KeyError::NotMade)
    }
}

impl Keys {
    /// Those that are known already are not read again: that costs more than the query.
    fn of(rows: Vec<Row>, known: &Self) -> Result<Self, KeyError> {
        let mut keys = Self::default();
        for (kid, pkcs8, signs) in rows {
            let key = match known.get(&kid) {
                Some(key) if key.pkcs8 == pkcs8 => Arc::clone(key),
                _ => Arc::new(SigningKey::from_pkcs8(kid.clone(), pkcs8)?),
            };
            if signs {
                keys.signer = Some(Arc::clone(&key));
            }
            keys.by_kid.insert(kid, key);
        }
        Ok(keys)
    }
}

/// Makes another key, which signs from now on. Tokens of the one before count until they expire. Answers the new one's
/// name.
///
/// # Errors
/// See [`KeyError`].
pub async fn rotate_key(pool: &PgPool) -> Result<String, KeyError> {
    replace(
        pool,
        "UPDATE signing_keys SET replaced_at = clock_timestamp() WHERE replaced_at IS NULL AND retired_at IS NULL",
    )
    .await
}

/// Makes every key void, with all tokens that were ever signed, and makes another. Answers its name.
///
/// # Errors
/// See [`KeyError`].
pub async fn retire_keys(pool: &PgPool) -> Result<String, KeyError> {
    replace(pool, "UPDATE signing_keys SET retired_at = clock_timestamp() WHERE retired_at IS NULL").await
}

/// A key as people see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedKey {
    /// Names the key, as it stands in the header of its tokens.
    pub kid: String,
    /// When it was made.
    pub made_at: Timestamp,
    /// Since when it signs nothing more.
    pub replaced_at: Option<Timestamp>,
    /// Since when none of its tokens counts.
    pub retired_at: Option<Timestamp>,
}

impl ListedKey {
    /// Whether it is the one that signs.
    pub fn signs(&self) -> bool {
        self.replaced_at.is_none() && self.retired_at.is_none()
    }
}

/// Every key that there was, oldest first. A database user that may not add to the log sees none.
///
/// # Errors
/// When the database does not answer, or its user may not read the table.
pub async fn list_keys(pool: &PgPool) -> Result<Vec<ListedKey>, sqlx::Error> {
    type Listed = (String, OffsetDateTime, Option<OffsetDateTime>, Option<OffsetDateTime>);
    let rows: Vec<Listed> = sqlx::query_as(
        "SELECT kid, made_at, replaced_at, retired_at FROM signing_keys ORDER BY made_at, kid",
    )
    .fetch_all(pool)
    .await?;
    let listed = |(kid, made_at, replaced_at, retired_at): Listed| ListedKey {
        kid,
        made_at: Timestamp::new(made_at),
        replaced_at: replaced_at.map(Timestamp::new),
        retired_at: retired_at.map(Timestamp::new),
    };
    Ok(rows.into_iter().map(listed).collect())
}

/// The SQL that lets the database's user sign tokens and change keys; `None` when it may.
///
/// # Errors
/// When the database does not answer.
pub async fn missing_grants(pool: &PgPool) -> Result<Option<String>, sqlx::Error> {
    let rights = ["SELECT", "INSERT", "UPDATE"];
    event_store::missing_grants(pool, &rights.map(|right| ("signing_keys", right))).await
}

/// A process that makes the first key at the same moment waits for the commit, or this one for it.
async fn replace(pool: &PgPool, ending: &'static str) -> Result<String, KeyError> {
    let mut transaction = pool.begin().await?;
    sqlx::query("LOCK TABLE signing_keys IN SHARE ROW EXCLUSIVE MODE").execute(&mut *transaction).await?;
    sqlx::query(ending).execute(&mut *transaction).await?;
    let kid = make(&mut transaction).await?;
    transaction.commit().await?;
    Ok(kid)
}

async fn make(db: &mut PgConnection) -> Result<String, KeyError> {
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map_err(|_| KeyError::NotMade)?;
    let pkcs8 = pair.to_pkcs8v1().map_err(|_| KeyError::NotMade)?;
    let kid = kid(&pair);
    let made = sqlx::query("INSERT INTO signing_keys (kid, pkcs8) VALUES ($1, $2) ON CONFLICT DO NOTHING")
        .bind(&kid)
        .bind(pkcs8.as_ref())
        .execute(db)
        .await?;
    if made.rows_affected() == 1 {
        tracing::info!(kid, "made a key that signs this store's access tokens");
    }
    Ok(kid)
}

async fn read(pool: &PgPool) -> Result<Vec<Row>, sqlx::Error> {
    let lifetime = (MAX_TOKEN_LIFETIME + SIGNING_SLACK).as_secs_f64();
    sqlx::query_as(
        "SELECT kid, pkcs8, replaced_at IS NULL FROM signing_keys
         WHERE retired_at IS NULL
           AND (replaced_at IS NULL OR replaced_at > clock_timestamp() - make_interval(secs => $1))",
    )
    .bind(lifetime)
    .fetch_all(pool)
    .await
}

impl SigningKey {
    fn from_pkcs8(kid: String, pkcs8: Vec<u8>) -> Result<Self, KeyError> {
        match EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &pkcs8) {
            Ok(pair) => Ok(Self {
                kid,
                private: EncodingKey::from_ec_der(&pkcs8),
                public: DecodingKey::from_ec_der(pair.public_key().as_ref()),
                pkcs8,
            }),
            Err(_) => Err(KeyError::Damaged { kid }),
        }
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.kid)
    }
}

/// A name that follows from the public key.
fn kid(pair: &EcdsaKeyPair) -> String {
    URL_SAFE_NO_PAD.encode(&Sha256::digest(pair.public_key().as_ref())[..KID_BYTES])
}
