//! Letting devices in by one-time codes, and shutting them out.

use std::time::Duration;

use domain::{
    CampaignId, DeviceName, EnrolledDevice, Enrolment, EnrolmentCommand, EnrolmentError, EnrolmentId,
    EnrolmentOffer, Timestamp,
};
use sqlx::PgPool;

use crate::code::NewCode;
use crate::command::{self, CommandError};
use crate::secret::SecretError;

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
pub type EnrollingError = CommandError<EnrolmentError>;

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
    let id: EnrolmentId = command::random_id::<ID_BYTES, _>()?;
    let at = command::now(pool).await?;
    let expires_at = command::later(at, lifetime.min(MAX_CODE_LIFETIME));
    let offer = EnrolmentOffer { campaign_id, device_name, code_digest, expires_at };
    execute(pool, &id, EnrolmentCommand::Offer(offer), at).await?;
    Ok(Offered { id, code, expires_at })
}

/// Shuts a device out, or takes an offer back.
///
/// # Errors
/// See [`EnrollingError`].
pub async fn revoke_enrolment(pool: &PgPool, id: &EnrolmentId) -> Result<(), EnrollingError> {
    execute(pool, id, EnrolmentCommand::Revoke, command::now(pool).await?).await
}

pub(crate) async fn enrol(
    pool: &PgPool,
    id: &EnrolmentId,
    device: EnrolledDevice,
) -> Result<(), EnrollingError> {
    execute(pool, id, EnrolmentCommand::Enrol(device), command::now(pool).await?).await
}

async fn execute(
    pool: &PgPool,
    id: &EnrolmentId,
    command: EnrolmentCommand,
    at: Timestamp,
) -> Result<(), EnrollingError> {
    command::execute::<Enrolment, _>(pool, id.as_str(), command, at).await
}
