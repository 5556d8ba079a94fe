//! Access tokens as JWT (RFC 9068): what they say, how they are made, and how they are read.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::{
    AdminName, ApiClientId, CLI_CLIENT_ID, EnrolmentId, PersonId, Scope, Scopes, StoreId, Timestamp,
};
use jsonwebtoken::errors::{Error, ErrorKind};
use jsonwebtoken::{Algorithm, Header, Validation, decode, decode_header, encode};
use serde::{Deserialize, Serialize};

use crate::secret;
use crate::signing_key::SigningKey;

/// The only algorithm, whatever a token says of itself.
const ALGORITHM: Algorithm = Algorithm::ES256;

/// The type of an access token, which no other JWT has.
const TYPE: &str = "at+jwt";

/// A token of ours has a few hundred.
const MAX_TOKEN_BYTES: usize = 4096;

const TOKEN_ID_BYTES: usize = 16;

/// Whom a token was given to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// An API client, by one of its secrets.
    Client {
        /// Which.
        id: ApiClientId,
        /// Which secret it showed.
        secret_id: String,
    },
    /// Somebody on the server's own machine.
    Admin(AdminName),
    /// A device that came in by this enrolment.
    Device(EnrolmentId),
    /// A person who has signed in.
    Person {
        /// Who.
        id: PersonId,
        /// How often the person had been shut out by then: a token from before the last time is void for good.
        revocations: u32,
    },
}

/// A token that was made. Prints without the token.
pub struct AccessToken {
    /// The token.
    pub text: String,
    /// What it lets its bearer do.
    pub scopes: Scopes,
    /// When it stops.
    pub expires_at: Timestamp,
}

/// Who is behind a request, as a verified token says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// Whom it was given to.
    pub subject: Subject,
    /// What the token lets its bearer do.
    pub scopes: Scopes,
    /// When the token stops.
    pub expires_at: Timestamp,
}

/// A token whose signature was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Verified {
    /// The key that signed it.
    pub(crate) kid: String,
    /// What it says.
    pub(crate) principal: Principal,
}

/// Why a token does not count. Nothing of the token is repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RefusedToken {
    /// Not a JWT of our form.
    #[error("it is not an access token")]
    Malformed,
    /// Signed in another way than ES256, or not at all.
    #[error("it is not signed as the access tokens of this store are")]
    Algorithm,
    /// A JWT for another purpose.
    #[error("it is a token of another type")]
    Type,
    /// Signed by a key that this store does not have.
    #[error("it was not issued by this store, or by a key that it no longer has")]
    UnknownKey,
    /// The signature is not that of what it says.
    #[error("its signature is wrong")]
    Signature,
    /// Another issuer.
    #[error("it was issued by another store")]
    Issuer,
    /// For somebody else.
    #[error("it is for another store")]
    Audience,
    /// Its time is over.
    #[error("it has expired")]
    Expired,
    /// It says that it lives longer than any token may.
    #[error("it would live longer than a token may; was the clock wrong where it was issued?")]
    TooLong,
    /// The client was revoked, or is not known here.
    #[error("its client was revoked")]
    RevokedClient,
    /// The client may no longer have a scope of it.
    #[error("its client may no longer do all that it was issued for")]
    RevokedScope,
    /// The secret that it was got with was revoked, or has expired.
    #[error("the secret that it was got with was revoked")]
    RevokedSecret,
    /// The device is not known here.
    #[error("its device is not enrolled here")]
    UnknownDevice,
    /// The person was shut out, or is not known here.
    #[error("its person was shut out")]
    RevokedPerson,
}

#[derive(Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    sub: String,
    client_id: String,
    scope: String,
    iat: i64,
    exp: i64,
    jti: String,
    /// Ours: which of the client's secrets was shown, so that a token dies with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    secret_id: Option<String>,
    /// Ours: how often the person had been shut out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    revocations: Option<u32>,
}

/// Why no token was made.
#[derive(Debug, thiserror::Error)]
#[error("no token can be signed on this machine")]
pub struct SigningError;

/// Makes a token.
pub(crate) fn sign(
    key: &SigningKey,
    store: StoreId,
    principal: Principal,
    now: Timestamp,
) -> Result<AccessToken, SigningError> {
    let Principal { subject, scopes, expires_at } = principal;
    let mut token_id = [0; TOKEN_ID_BYTES];
    secret::fill(&mut token_id).map_err(|_| SigningError)?;
    let revocations = match &subject {
        Subject::Person { revocations, .. } => Some(*revocations),
        _ => None,
    };
    let (client_id, secret_id) = match &subject {
        Subject::Client { id, secret_id } => (id.to_string(), Some(secret_id.clone())),
        Subject::Admin(_) => (CLI_CLIENT_ID.to_owned(), None),
        Subject::Device(id) => (id.to_string(), None),
        Subject::Person { id, .. } => (id.to_string(), None),
    };
    let claims = Claims {
        iss: urn(store),
        aud: urn(store),
        sub: subject.to_string(),
        client_id,
        scope: scopes.to_string(),
        iat: now.unix_seconds(),
        exp: expires_at.unix_seconds(),
        jti: URL_SAFE_NO_PAD.encode(token_id),
        secret_id,
        revocations,
    };
    let header = Header { typ: Some(TYPE.to_owned()), kid: Some(key.kid.clone()), ..Header::new(ALGORITHM) };
    let text = encode(&header, &claims, &key.private).map_err(|_| SigningError)?;
    Ok(AccessToken { text, scopes, expires_at })
}

/// The key that a token names, which nothing has proven yet.
pub(crate) fn kid_of(text: &str) -> Result<String, RefusedToken> {
    if text.len() > MAX_TOKEN_BYTES {
        return Err(RefusedToken::Malformed);
    }
    let header = decode_header(text).map_err(|_| RefusedToken::Malformed)?;
    if header.alg != ALGORITHM {
        return Err(RefusedToken::Algorithm);
    }
    if !header.typ.as_deref().is_some_and(is_access_token) {
        return Err(RefusedToken::Type);
    }
    header.kid.ok_or(RefusedToken::UnknownKey)
}

/// Reads a token that names this key, and checks all that can be checked without asking anybody, but for its time.
pub(crate) fn read(text: &str, key: &SigningKey, store: StoreId) -> Result<Principal, RefusedToken> {
    let claims = decode::<Claims>(text, &key.public, &validation(store)).map_err(refused)?.claims;
    claims.principal().ok_or(RefusedToken::Malformed)
}

fn validation(store: StoreId) -> Validation {
    let mut validation = Validation::new(ALGORITHM);
    validation.set_issuer(&[urn(store)]);
    validation.set_audience(&[urn(store)]);
    validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
    // Time comes in from the caller, who asks again when a token that is known is used again.
    validation.validate_exp = false;
    validation
}

fn refused(error: Error) -> RefusedToken {
    match error.kind() {
        ErrorKind::InvalidSignature => RefusedToken::Signature,
        ErrorKind::InvalidIssuer => RefusedToken::Issuer,
        ErrorKind::InvalidAudience => RefusedToken::Audience,
        ErrorKind::InvalidAlgorithm => RefusedToken::Algorithm,
        _ => RefusedToken::Malformed,
    }
}

/// RFC 9068 allows both, in any case.
fn is_access_token(typ: &str) -> bool {
    let typ = typ.to_ascii_lowercase();
    typ.strip_prefix("application/").unwrap_or(&typ) == TYPE
}

/// A store as issuer and as audience.
pub(crate) fn urn(store: StoreId) -> String {
    format!("urn:leadlog:store:{store}")
}

impl Claims {
    fn principal(self) -> Option<Principal> {
        let subject = match (self.sub.split_once(':')?, self.secret_id) {
            (("client", id), Some(secret_id)) => Subject::Client { id: id.parse().ok()?, secret_id },
            (("admin", name), None) => Subject::Admin(name.parse().ok()?),
            (("device", id), None) => Subject::Device(id.parse().ok()?),
            (("person", id), None) => {
                Subject::Person { id: id.parse().ok()?, revocations: self.revocations? }
            }
            _ => return None,
        };
        // A scope of a newer program lets nobody do anything here.
        let known = self.scope.split(' ').filter_map(|scope| Scope::from_str(scope).ok());
        let expires_at = Timestamp::from_unix_ms(self.exp.checked_mul(1000)?, 0).ok()?;
        Some(Principal { subject, scopes: Scopes::new(known)?, expires_at })
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Client { id, .. } => write!(f, "client:{id}"),
            Self::Admin(name) => write!(f, "admin:{name}"),
            Self::Device(id) => write!(f, "device:{id}"),
            Self::Person { id, .. } => write!(f, "person:{id}"),
        }
    }
}

impl fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AccessToken({}, until {})", self.scopes, self.expires_at)
    }
}
