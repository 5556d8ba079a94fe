//! Letting devices in by one-time codes, and shutting them out.

use std::time::Duration;

use domain::{
    CampaignId, DeviceName, EnrolledDevice, Enrolment, EnrolmentCommand, EnrolmentError, EnrolmentId,
    EnrolmentOffer, Timestamp,
};
use sqlx::PgPool;

use crate::code::NewCode;
use crate::command::{self, CommandError, database_now};
use crate::secret::{self, SecretError};

const ID_BYTES: usize = 8;

/// How long a code works when nobody says otherwise.
pub const CODE_LIFETIME: Duration = Duration::from_secs(10 * 60);

/// How long any code may work.
pub const MAX_CODE_LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);

/// An offer that was just made.
#[derive(Debug)]
pub struct Offered {
    /// Names it.
    pub id: EnrolmentId,
    /// What the device must show.
    pub code: NewCode,
    /// Until when.
    pub expires_at: Timestamp,
}

/// Why nothing was recorded.
#[derive(Debug, thiserror::Error)]
pub enum EnrollingError {
    /// The aggregate refuses.
    #[error(transparent)]
    Refused(#[from] EnrolmentError),
    /// No code can be made.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// Others kept changing the same enrolment.
    #[error("others are changing this enrolment at this moment; try again")]
    Crossed,
    /// The log is away or in trouble; whether it was recorded is not known.
    #[error("the log cannot be used now: {0}")]
    Unavailable(String),
}

/// Offers to let one device in, for at most [`MAX_CODE_LIFETIME`], and answers the code for it.
///
/// # Errors
/// See [`EnrollingError`].
pub async fn offer(
    pool: &PgPool,
    device_name: DeviceName,
    campaign_id: CampaignId,
    lifetime: Duration,
) -> Result<Offered, EnrollingError> {
    let code = NewCode::make()?;
    let code_digest = code.digest().ok_or(SecretError)?;
    let id = new_id()?;
    let at = now(pool).await?;
    let lifetime = lifetime.min(MAX_CODE_LIFETIME).try_into().unwrap_or_default();
    let expires_at = at.moment().checked_add(lifetime).unwrap_or(at.moment());
    // People read it.
    let expires_at = Timestamp::new(expires_at.replace_nanosecond(0).unwrap_or(expires_at));
    let offer = EnrolmentOffer { campaign_id, device_name, code_digest, expires_at };
    execute(pool, &id, EnrolmentCommand::Offer(offer), at).await?;
    Ok(Offered { id, code, expires_at })
}

/// Shuts a device out, or takes an offer back.
///
/// # Errors
/// See [`EnrollingError`].
pub async fn revoke_enrolment(pool: &PgPool, id: &EnrolmentId) -> Result<(), EnrollingError> {
    execute(pool, id, EnrolmentCommand::Revoke, now(pool).await?).await
}

pub(crate) async fn enrol(
    pool: &PgPool,
    id: &EnrolmentId,
    device: EnrolledDevice,
) -> Result<(), EnrollingError> {
    execute(pool, id, EnrolmentCommand::Enrol(device), now(pool).await?).await
}

fn new_id() -> Result<EnrolmentId, SecretError> {
    let mut random = [0; ID_BYTES];
    secret::fill(&mut random)?;
    let hex: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    hex.parse().map_err(|_| SecretError)
}

async fn now(pool: &PgPool) -> Result<Timestamp, EnrollingError> {
    database_now(pool).await.map_err(|error| EnrollingError::Unavailable(error.to_string()))
}

async fn execute(
    pool: &PgPool,
    id: &EnrolmentId,
    command: EnrolmentCommand,
    at: Timestamp,
) -> Result<(), EnrollingError> {
    command::execute::<Enrolment>(pool, id.as_str(), (command, at)).await.map_err(|error| match error {
        CommandError::Refused(refused) => refused.into(),
        CommandError::Crossed => EnrollingError::Crossed,
        CommandError::Unavailable(reason) => EnrollingError::Unavailable(reason),
    })
}
