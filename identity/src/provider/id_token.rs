//! What a provider says of one person, signed (OpenID Connect Core 1.0, sections 2 and 3.1.3.7).

use domain::{DisplayName, Timestamp};
use jsonwebtoken::jwk::{Jwk, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde_json::{Map, Value};

/// Signatures that are taken: by a private key that the provider alone has. Never by a secret, and never `none`.
const ALGORITHMS: [Algorithm; 9] = [
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::EdDSA,
];

const MAX_TOKEN_BYTES: usize = 64 * 1024;

/// How far the provider's clock and that of this machine may differ, in seconds.
const CLOCK_TOLERANCE_SECONDS: i64 = 120;

/// How long ago a person may have shown the provider who it is: what it asks after that, such as a second factor, takes a while.
const MAX_LOGIN_AGE_SECONDS: i64 = 3 * 60;

/// What people are called, as providers say it; the first that is given counts.
const NAME_CLAIMS: [&str; 4] = ["name", "nickname", "preferred_username", "email"];

/// Why an ID token does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RefusedIdToken {
    /// Not a JWT with what one must say.
    #[error("it is no ID token")]
    Malformed,
    /// Signed in another way than by a private key, or not as the key says.
    #[error("it is not signed in a way that is taken")]
    Algorithm,
    /// Signed by a key that the provider does not have.
    #[error("it is signed by a key that the provider does not name")]
    UnknownKey,
    /// The signature is not that of what it says.
    #[error("its signature is wrong")]
    Signature,
    /// Of somebody else.
    #[error("it is of another provider")]
    Issuer,
    /// For somebody else.
    #[error("it is for another program")]
    Audience,
    /// Its time is over, or has not begun.
    #[error("it does not count at this time; is the clock of this server right?")]
    Expired,
    /// Somebody has signed in there earlier, and may have left the device to another person since.
    #[error("it is of somebody who signed in at the provider some time ago")]
    OldLogin,
    /// It answers another request.
    #[error("it does not belong to this sign-in")]
    Nonce,
    /// Two answers of the provider name different people.
    #[error("the provider names two people")]
    OtherPerson,
}

/// What a token must say.
pub(super) struct Expected<'a> {
    pub(super) issuer: &'a str,
    pub(super) client_id: &'a str,
    pub(super) nonce: &'a str,
    pub(super) now: Timestamp,
}

/// What a provider says of a person.
pub(super) struct Claims {
    /// The person, to the provider.
    pub(super) subject: String,
    all: Map<String, Value>,
}

/// Checks a token against the keys of the provider.
pub(super) fn check(token: &str, keys: Value, expected: &Expected<'_>) -> Result<Claims, RefusedIdToken> {
    if token.len() > MAX_TOKEN_BYTES {
        return Err(RefusedIdToken::Malformed);
    }
    // `none` is no algorithm to the library.
    let header = decode_header(token).map_err(|_| RefusedIdToken::Malformed)?;
    if !ALGORITHMS.contains(&header.alg) {
        return Err(RefusedIdToken::Algorithm);
    }
    let keys: Vec<Jwk> = readable(keys);
    let key = match &header.kid {
        Some(kid) => keys.iter().find(|key| key.common.key_id.as_ref() == Some(kid)),
        // Of one key there is no doubt (section 10.1).
        None if keys.len() == 1 => keys.first(),
        None => None,
    };
    let key = key.ok_or(RefusedIdToken::UnknownKey)?;
    if key.common.key_algorithm.is_some_and(|own| own.to_string() != format!("{:?}", header.alg)) {
        return Err(RefusedIdToken::Algorithm);
    }
    let key = DecodingKey::from_jwk(key).map_err(|_| RefusedIdToken::UnknownKey)?;
    let mut validation = Validation::new(header.alg);
    // Time comes in from the caller, and the rest is checked below, where each has its reason.
    validation.validate_exp = false;
    validation.validate_aud = false;
    validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
    let all = decode::<Map<String, Value>>(token, &key, &validation).map_err(|error| match error.kind() {
        jsonwebtoken::errors::ErrorKind::InvalidSignature => RefusedIdToken::Signature,
        jsonwebtoken::errors::ErrorKind::InvalidAlgorithm => RefusedIdToken::Algorithm,
        _ => RefusedIdToken::Malformed,
    })?;
    Claims::read(all.claims, expected)
}

/// The keys of a set that this program can read: one of a newer kind must not spoil the others.
fn readable(keys: Value) -> Vec<Jwk> {
    let Value::Object(mut set) = keys else { return Vec::new() };
    let Some(Value::Array(keys)) = set.remove("keys") else { return Vec::new() };
    let keys = keys.into_iter().filter_map(|key| serde_json::from_value::<Jwk>(key).ok());
    keys.filter(|key| key.common.public_key_use != Some(PublicKeyUse::Encryption)).collect()
}

impl Claims {
    fn read(all: Map<String, Value>, expected: &Expected<'_>) -> Result<Self, RefusedIdToken> {
        let text = |name: &str| all.get(name).and_then(Value::as_str);
        if text("iss") != Some(expected.issuer) {
            return Err(RefusedIdToken::Issuer);
        }
        let is_ours = |audience: &Value| audience.as_str() == Some(expected.client_id);
        let is_for_us = match all.get("aud") {
            Some(Value::Array(several)) => {
                // Of several, one is the party that it was issued to.
                several.iter().any(is_ours) && (several.len() == 1 || text("azp").is_some())
            }
            Some(one) => is_ours(one),
            None => false,
        };
        if !is_for_us || text("azp").is_some_and(|party| party != expected.client_id) {
            return Err(RefusedIdToken::Audience);
        }
        let now = expected.now.unix_seconds();
        let seconds = |name: &str| all.get(name).and_then(Value::as_f64).map(|seconds| seconds as i64);
        let ends = seconds("exp").ok_or(RefusedIdToken::Malformed)?;
        let begins = seconds("nbf").unwrap_or(i64::MIN);
        if now.saturating_sub(CLOCK_TOLERANCE_SECONDS) >= ends
            || now.saturating_add(CLOCK_TOLERANCE_SECONDS) < begins
        {
            return Err(RefusedIdToken::Expired);
        }
        // Several people share a device, so each attempt asks for a login of its own (`max_age=0`), and a provider that heeds it
        // says when that was. The way there leads through the browser, which could leave the wish out.
        let is_old = |at: i64| now.saturating_sub(at) > MAX_LOGIN_AGE_SECONDS + CLOCK_TOLERANCE_SECONDS;
        if seconds("auth_time").is_some_and(is_old) {
            return Err(RefusedIdToken::OldLogin);
        }
        if text("nonce") != Some(expected.nonce) {
            return Err(RefusedIdToken::Nonce);
        }
        let subject = text("sub").filter(|subject| (1..=255).contains(&subject.len()));
        let subject = subject.ok_or(RefusedIdToken::Malformed)?.to_owned();
        Ok(Self { subject, all })
    }

    /// Adds what the provider says of the same person elsewhere (section 5.3.2).
    pub(super) fn learn(&mut self, more: Value) -> Result<(), RefusedIdToken> {
        let Value::Object(more) = more else { return Err(RefusedIdToken::Malformed) };
        if more.get("sub").and_then(Value::as_str) != Some(&self.subject) {
            return Err(RefusedIdToken::OtherPerson);
        }
        for (name, value) in more {
            self.all.entry(name).or_insert(value);
        }
        Ok(())
    }

    /// What the person is called.
    pub(super) fn name(&self) -> Option<DisplayName> {
        NAME_CLAIMS.iter().find_map(|claim| DisplayName::lenient(self.all.get(*claim)?.as_str()?))
    }

    /// The words at a claim, or behind a JSON pointer: a list, or one text with spaces. `None` when it is not said.
    pub(super) fn scopes_at(&self, claim: &str) -> Option<Vec<String>> {
        let value = match claim.strip_prefix('/') {
            Some(path) => {
                let mut steps = path.split('/').map(|step| step.replace("~1", "/").replace("~0", "~"));
                let first = self.all.get(&steps.next()?)?;
                steps.try_fold(first, |value, step| value.get(step))?
            }
            None => self.all.get(claim)?,
        };
        match value {
            Value::String(text) => Some(text.split_whitespace().map(str::to_owned).collect()),
            Value::Array(words) => Some(words.iter().filter_map(Value::as_str).map(str::to_owned).collect()),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
