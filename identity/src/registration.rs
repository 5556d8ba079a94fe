//! Letting API clients in, giving them secrets or codes with which they bring their own, and taking all that back.
//!
//! Each is a command to the aggregate [`ApiClient`]. When it happened is said by the database's clock: that of the machine
//! where a command runs may be wrong.

use std::time::Duration;

use domain::{
    ApiClient, ApiClientCommand, ApiClientError, ApiClientId, ApiClientOffer, ApiClientSecret, Scopes,
    Timestamp,
};
use sqlx::PgPool;

use crate::code::NewCode;
use crate::command::{self, CommandError};
use crate::enrolling::MAX_CODE_LIFETIME;
use crate::secret::{NewSecret, SecretError};

/// Why nothing was recorded.
pub type RegistrationError = CommandError<ApiClientError>;

/// Registers a client, and answers its first secret.
///
/// # Errors
/// See [`RegistrationError`].
pub async fn register(
    pool: &PgPool,
    name: &ApiClientId,
    scopes: Scopes,
) -> Result<NewSecret, RegistrationError> {
    let (new, secret) = make_secret().await?;
    let at = command::now(pool).await?;
    execute(pool, name, ApiClientCommand::Register { name: name.clone(), scopes, secret }, at).await?;
    Ok(new)
}

/// A code that was just made for a client.
#[derive(Debug)]
pub struct OfferedToClient {
    /// What the client must show.
    pub code: NewCode,
    /// Until when.
    pub expires_at: Timestamp,
}

/// Offers that a client may bring a secret of its own, for at most [`MAX_CODE_LIFETIME`], and answers the code for it. Once it
/// does, the secrets that it had end.
///
/// # Errors
/// See [`RegistrationError`].
pub async fn offer_to_client(
    pool: &PgPool,
    name: &ApiClientId,
    scopes: Scopes,
    lifetime: Duration,
) -> Result<OfferedToClient, RegistrationError> {
    let code = NewCode::make()?;
    let code_digest = code.digest().ok_or(SecretError)?;
    let at = command::now(pool).await?;
    let expires_at = command::later(at, lifetime.min(MAX_CODE_LIFETIME));
    let offer = ApiClientOffer { code_digest, expires_at };
    execute(pool, name, ApiClientCommand::Offer { name: name.clone(), scopes, offer }, at).await?;
    Ok(OfferedToClient { code, expires_at })
}

/// Takes the secret that a client brings.
pub(crate) async fn bring(
    pool: &PgPool,
    name: &ApiClientId,
    secret: ApiClientSecret,
) -> Result<(), RegistrationError> {
    execute(pool, name, ApiClientCommand::Bring { secret }, command::now(pool).await?).await
}

/// Gives a client another secret, and answers it, with the moment until which the older ones go on; without
/// `keep_old_for` they end at once.
///
/// # Errors
/// See [`RegistrationError`].
pub async fn rotate(
    pool: &PgPool,
    name: &ApiClientId,
    keep_old_for: Option<Duration>,
) -> Result<(NewSecret, Option<Timestamp>), RegistrationError> {
    let (new, secret) = make_secret().await?;
    let at = command::now(pool).await?;
    let keep_old_until = keep_old_for.map(|span| command::later(at, span));
    execute(pool, name, ApiClientCommand::Rotate { secret, keep_old_until }, at).await?;
    Ok((new, keep_old_until))
}

/// Changes what a client may do. Its secrets go on; tokens that may do more count no longer.
///
/// # Errors
/// See [`RegistrationError`].
pub async fn set_scopes(pool: &PgPool, name: &ApiClientId, scopes: Scopes) -> Result<(), RegistrationError> {
    execute(pool, name, ApiClientCommand::SetScopes { scopes }, command::now(pool).await?).await
}

/// Ends one secret of a client, with the tokens that were got with it.
///
/// # Errors
/// See [`RegistrationError`].
pub async fn revoke_secret(
    pool: &PgPool,
    name: &ApiClientId,
    secret_id: String,
) -> Result<(), RegistrationError> {
    execute(pool, name, ApiClientCommand::RevokeSecret { secret_id }, command::now(pool).await?).await
}

/// Ends a client, with its secrets and tokens.
///
/// # Errors
/// See [`RegistrationError`].
pub async fn revoke(pool: &PgPool, name: &ApiClientId) -> Result<(), RegistrationError> {
    execute(pool, name, ApiClientCommand::Revoke, command::now(pool).await?).await
}

async fn make_secret() -> Result<(NewSecret, ApiClientSecret), SecretError> {
    let made = tokio::task::spawn_blocking(|| {
        let new = NewSecret::make()?;
        let hashed = new.hashed()?;
        Ok((new, hashed))
    });
    made.await.map_err(|_| SecretError)?
}

async fn execute(
    pool: &PgPool,
    name: &ApiClientId,
    command: ApiClientCommand,
    at: Timestamp,
) -> Result<(), RegistrationError> {
    command::execute::<ApiClient, _>(pool, name.as_str(), command, at).await
}
