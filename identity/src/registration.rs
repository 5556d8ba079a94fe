//! Letting API clients in, giving them secrets, and taking both back.
//!
//! Each is a command to the aggregate [`ApiClient`]. When it happened is said by the database's clock: that of the machine
//! where a command runs may be wrong.

use std::time::Duration;

use domain::{ApiClient, ApiClientCommand, ApiClientError, ApiClientId, ApiClientSecret, Scopes, Timestamp};
use sqlx::PgPool;

use crate::command::{self, CommandError, database_now};
use crate::secret::{NewSecret, SecretError};

/// Why nothing was recorded.
#[derive(Debug, thiserror::Error)]
pub enum RegistrationError {
    /// The aggregate refuses.
    #[error(transparent)]
    Refused(#[from] ApiClientError),
    /// No secret can be made.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// No clock gets that far.
    #[error("the older secrets would go on for too long")]
    TooFar,
    /// Others kept changing the same client.
    #[error("others are changing this client at this moment; try again")]
    Crossed,
    /// The log is away or in trouble; whether it was recorded is not known.
    #[error("the log cannot be used now: {0}; look at `leadlog clients list` before you try again")]
    Unavailable(String),
}

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
    let at = now(pool).await?;
    execute(pool, name, ApiClientCommand::Register { name: name.clone(), scopes, secret }, at).await?;
    Ok(new)
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
    let at = now(pool).await?;
    let until = |span: Duration| at.moment().checked_add(span.try_into().ok()?).map(Timestamp::new);
    let keep_old_until = keep_old_for.map(|span| until(span).ok_or(RegistrationError::TooFar)).transpose()?;
    execute(pool, name, ApiClientCommand::Rotate { secret, keep_old_until }, at).await?;
    Ok((new, keep_old_until))
}

/// Changes what a client may do. Its secrets go on; tokens that may do more count no longer.
///
/// # Errors
/// See [`RegistrationError`].
pub async fn set_scopes(pool: &PgPool, name: &ApiClientId, scopes: Scopes) -> Result<(), RegistrationError> {
    execute(pool, name, ApiClientCommand::SetScopes { scopes }, now(pool).await?).await
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
    execute(pool, name, ApiClientCommand::RevokeSecret { secret_id }, now(pool).await?).await
}

/// Ends a client, with its secrets and tokens.
///
/// # Errors
/// See [`RegistrationError`].
pub async fn revoke(pool: &PgPool, name: &ApiClientId) -> Result<(), RegistrationError> {
    execute(pool, name, ApiClientCommand::Revoke, now(pool).await?).await
}

async fn now(pool: &PgPool) -> Result<Timestamp, RegistrationError> {
    database_now(pool).await.map_err(|error| RegistrationError::Unavailable(error.to_string()))
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
    command::execute::<ApiClient>(pool, name.as_str(), (command, at)).await.map_err(|error| match error {
        CommandError::Refused(refused) => refused.into(),
        CommandError::Crossed => RegistrationError::Crossed,
        CommandError::Unavailable(reason) => RegistrationError::Unavailable(reason),
    })
}
