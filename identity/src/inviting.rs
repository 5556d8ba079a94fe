//! Letting people in, by invitations or as a provider names them, and shutting them out.

use std::time::Duration;

use domain::{
    DisplayName, Invitation, Person, PersonCommand, PersonError, PersonId, ProvidedIdentity, Scopes,
    Timestamp,
};
use sha2::{Digest, Sha256};
use sqlx::PgPool;

use crate::code::NewCode;
use crate::command::{self, CommandError};
use crate::secret::SecretError;

const ID_BYTES: usize = 16;

/// How long an invitation lasts when nobody says otherwise.
pub const INVITATION_LIFETIME: Duration = Duration::from_secs(60 * 60);

/// How long any invitation may last.
pub const MAX_INVITATION_LIFETIME: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// An invitation that was just made.
#[derive(Debug)]
pub struct Invited {
    /// Names the person.
    pub id: PersonId,
    /// What the person must show.
    pub code: NewCode,
    /// Until when.
    pub expires_at: Timestamp,
}

/// Why nothing was recorded.
pub type PersonCommandError = CommandError<PersonError>;

/// Invites somebody, for at most [`MAX_INVITATION_LIFETIME`], and answers the code.
///
/// # Errors
/// See [`CommandError`].
pub async fn invite(
    pool: &PgPool,
    name: DisplayName,
    scopes: Scopes,
    lifetime: Duration,
) -> Result<Invited, PersonCommandError> {
    let code = NewCode::make()?;
    let code_digest = code.digest().ok_or(SecretError)?;
    let id: PersonId = command::random_id::<ID_BYTES, _>()?;
    let at = command::now(pool).await?;
    let expires_at = command::later(at, lifetime.min(MAX_INVITATION_LIFETIME));
    let invitation = Invitation { name, scopes, code_digest, expires_at };
    execute(pool, &id, PersonCommand::Invite(invitation), at).await?;
    Ok(Invited { id, code, expires_at })
}

/// Shuts a person out, or takes an invitation back.
///
/// # Errors
/// See [`CommandError`].
pub async fn revoke_person(pool: &PgPool, id: &PersonId) -> Result<(), PersonCommandError> {
    execute(pool, id, PersonCommand::Revoke, command::now(pool).await?).await
}

/// Lets a person in again who was shut out, and whom a provider knows.
///
/// # Errors
/// See [`CommandError`].
pub async fn readmit_person(pool: &PgPool, id: &PersonId) -> Result<(), PersonCommandError> {
    execute(pool, id, PersonCommand::Readmit, command::now(pool).await?).await
}

/// Uses an invitation up, for the attempt of one browser.
pub(crate) async fn accept(
    pool: &PgPool,
    id: &PersonId,
    attempt: Option<&str>,
) -> Result<(), PersonCommandError> {
    let attempt = attempt.and_then(|secret| command::hex(&Sha256::digest(secret)).parse().ok());
    execute(pool, id, PersonCommand::Accept { attempt }, command::now(pool).await?).await
}

/// Takes note of a person whom a provider named. When nothing is new about the person, nothing is recorded.
pub(crate) async fn identify(
    pool: &PgPool,
    id: &PersonId,
    identity: ProvidedIdentity,
) -> Result<(), PersonCommandError> {
    execute(pool, id, PersonCommand::Identify(identity), command::now(pool).await?).await
}

/// The id of a person whom a provider knows: the same in every store.
pub(crate) fn id_of(issuer: &str, subject: &str) -> Option<PersonId> {
    // An issuer is an address, which no line break stands in.
    let digest = Sha256::digest(format!("{issuer}\n{subject}").as_bytes());
    command::hex(&digest[..ID_BYTES]).parse().ok()
}

async fn execute(
    pool: &PgPool,
    id: &PersonId,
    command: PersonCommand,
    at: Timestamp,
) -> Result<(), PersonCommandError> {
    command::execute::<Person, _>(pool, id.as_str(), command, at).await
}
