//! Assertions by which a device shows that it has its key (`private_key_jwt`, RFC 7523).
//!
//! An assertion is a JWT that the device signs, for this store alone, good for minutes and for one use. What it says
//! counts only after its signature was checked with the key of the enrolment that it names, by ES256 and nothing else.

use domain::{DeviceKey, EnrolmentId, StoreId, Timestamp};
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde::Deserialize;
use sqlx::PgPool;

use crate::token::urn;

/// The only algorithm, whatever an assertion says of itself.
const ALGORITHM: Algorithm = Algorithm::ES256;

/// One of ours has about 400.
const MAX_ASSERTION_BYTES: usize = 2048;

const MAX_JTI_CHARS: usize = 64;

/// How long an assertion may count. Devices take a minute.
const MAX_LIFETIME_S: i64 = 5 * 60;

/// How far the clocks of whoever made it and of this server may differ.
const CLOCK_TOLERANCE_S: i64 = 60;

/// Why an assertion does not count. Nothing of it is repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RefusedAssertion {
    /// Not a JWT of this form.
    #[error("it is not an assertion of a device")]
    Malformed,
    /// Signed in another way than ES256, or not at all.
    #[error("it is not signed by ES256")]
    Algorithm,
    /// No device came in by this enrolment, as far as this store knows.
    #[error("its device is not enrolled here")]
    UnknownDevice,
    /// The signature is not by the key of the device.
    #[error("its signature is wrong")]
    Signature,
    /// For somebody else.
    #[error("it is for another store")]
    Audience,
    /// Its time is over.
    #[error("it has expired; take the time from the header Date of this store")]
    Expired,
    /// It says that it counts longer than any may.
    #[error("it would count for more than five minutes; take the time from the header Date of this store")]
    TooLong,
    /// It was used already.
    #[error("it was used already")]
    Replayed,
}

#[derive(Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    /// One text. Of several audiences each could use it at the others.
    #[serde(rename = "aud")]
    _aud: String,
    exp: i64,
    jti: String,
}

/// What an assertion says, checked but for whether it was used before.
pub(crate) struct Assertion {
    jti: String,
    /// Seconds since 1970.
    expires_at: i64,
}

/// The enrolment that an assertion names, which nothing has proven yet.
pub(crate) fn enrolment_of(text: &str) -> Result<EnrolmentId, RefusedAssertion> {
    if text.len() > MAX_ASSERTION_BYTES {
        return Err(RefusedAssertion::Malformed);
    }
    let header = decode_header(text).map_err(|_| RefusedAssertion::Malformed)?;
    if header.alg != ALGORITHM {
        return Err(RefusedAssertion::Algorithm);
    }
    let claims = jsonwebtoken::dangerous::insecure_decode_claims::<Claims>(text)
        .map_err(|_| RefusedAssertion::Malformed)?;
    claims.sub.parse().map_err(|_| RefusedAssertion::Malformed)
}

/// Checks all that can be checked without asking anybody.
pub(crate) fn check(
    text: &str,
    enrolment: &EnrolmentId,
    key: &DeviceKey,
    store: StoreId,
    now: Timestamp,
) -> Result<Assertion, RefusedAssertion> {
    let (x, y) = key.coordinates();
    // A key that is no point of the curve signs nothing.
    let key = DecodingKey::from_ec_components(x, y).map_err(|_| RefusedAssertion::Signature)?;
    let Claims { iss, sub, exp, jti, .. } =
        decode::<Claims>(text, &key, &validation(store)).map_err(refused)?.claims;
    let is_id = (1..=MAX_JTI_CHARS).contains(&jti.chars().count()) && !jti.chars().any(char::is_control);
    if iss != sub || sub != enrolment.as_str() || !is_id {
        return Err(RefusedAssertion::Malformed);
    }
    let left = exp.saturating_sub(now.unix_seconds());
    if left <= -CLOCK_TOLERANCE_S {
        Err(RefusedAssertion::Expired)
    } else if left > MAX_LIFETIME_S + CLOCK_TOLERANCE_S {
        Err(RefusedAssertion::TooLong)
    } else {
        Ok(Assertion { jti, expires_at: exp })
    }
}

/// Uses an assertion up, in every process of the store. Forgets those that every process would refuse anyway, by the one
/// clock that all have and with room for their own.
pub(crate) async fn use_up(
    pool: &PgPool,
    enrolment: &EnrolmentId,
    assertion: &Assertion,
) -> Result<Result<(), RefusedAssertion>, sqlx::Error> {
    let used = sqlx::query(
        "WITH forgotten AS (DELETE FROM used_assertions WHERE expires_at < now() - interval '1 hour')
         INSERT INTO used_assertions (enrolment_id, jti, expires_at) VALUES ($1, $2, to_timestamp($3))
         ON CONFLICT DO NOTHING",
    )
    .bind(enrolment.as_str())
    .bind(&assertion.jti)
    .bind(seconds(assertion.expires_at))
    .execute(pool)
    .await?;
    Ok(if used.rows_affected() == 1 { Ok(()) } else { Err(RefusedAssertion::Replayed) })
}

/// The SQL that lets the database's user take assertions; `None` when it may.
///
/// # Errors
/// When the database does not answer.
pub async fn missing_device_grants(pool: &PgPool) -> Result<Option<String>, sqlx::Error> {
    let rights = ["SELECT", "INSERT", "DELETE"];
    event_store::missing_grants(pool, &rights.map(|right| ("used_assertions", right))).await
}

fn validation(store: StoreId) -> Validation {
    let mut validation = Validation::new(ALGORITHM);
    validation.set_audience(&[urn(store)]);
    validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
    // Time comes in from the caller.
    validation.validate_exp = false;
    validation
}

fn refused(error: jsonwebtoken::errors::Error) -> RefusedAssertion {
    match error.kind() {
        ErrorKind::InvalidSignature => RefusedAssertion::Signature,
        ErrorKind::InvalidAudience => RefusedAssertion::Audience,
        ErrorKind::InvalidAlgorithm => RefusedAssertion::Algorithm,
        _ => RefusedAssertion::Malformed,
    }
}

/// PostgreSQL's `to_timestamp` takes a double; these are whole seconds near today.
#[expect(clippy::cast_precision_loss, reason = "seconds since 1970 fit")]
fn seconds(unix_seconds: i64) -> f64 {
    unix_seconds as f64
}
