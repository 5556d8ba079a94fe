//! `POST /api/devices/enrol`: a device comes in by a one-time code, with the public key that it will be known by.

use std::time::Instant;

use actix_web::web::{Data, Json, Payload};
use actix_web::{HttpRequest, post};
use domain::{
    CampaignId, DeviceId, DeviceKey, DeviceName, EnrolledDevice, EnrolmentError, EnrolmentId, EnrolmentOffer,
    StoreId,
};
use identity::EnrolError;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::problem::Problem;
use super::rate_limit::Caller;
use super::{Context, body};

/// What is sent has a few hundred.
const MAX_BODY_BYTES: usize = 4096;

/// A device that wants to come in.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EnrolRequest {
    /// The one-time code, in any case, with or without its hyphens.
    #[schema(example = "7K3QF0-XW2A9-M4TDZ-H6RBC-1YEP8")]
    code: String,
    /// The installation.
    device_id: DeviceId,
    /// Its public key. The private one never leaves it.
    public_key: DeviceKey,
}

/// A device that came in.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EnrolAnswer {
    /// Names the enrolment; issuer and subject of the device's assertions.
    enrolment_id: EnrolmentId,
    /// The store; `urn:leadlog:store:` and this is the audience of the device's assertions.
    store_id: StoreId,
    /// What people call the device.
    device_name: DeviceName,
    /// What it captures for.
    campaign_id: CampaignId,
}

/// Lets a device in that shows a one-time code.
///
/// A code works once. The same device may send the same again, because an answer can be lost. From then on it gets tokens
/// at `/oauth/token` by assertions that it signs with its key (`private_key_jwt`).
#[utoipa::path(
    operation_id = "enrolDevice",
    tag = "identity",
    request_body(content = EnrolRequest, content_type = "application/json"),
    responses(
        (status = 200, description = "It is in", body = EnrolAnswer),
        (status = 400, description = "The body is not JSON of this shape", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "The code is unknown, used or expired", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "Too many attempts from this address", body = Problem, content_type = "application/problem+json", headers(("Retry-After" = u32, description = "Seconds"))),
        (status = 503, description = "The store cannot let anybody in now: try again", body = Problem, content_type = "application/problem+json"),
    )
)]
#[post("/api/devices/enrol")]
pub(crate) async fn enrol_device(
    request: HttpRequest,
    payload: Payload,
    context: Data<Context>,
) -> Result<Json<EnrolAnswer>, Problem> {
    let body = body::read(&request, payload, MAX_BODY_BYTES).await?;
    let EnrolRequest { code, device_id, public_key } = serde_json::from_slice(&body).map_err(|error| {
        // The words of the error may repeat the code.
        let (line, column) = (error.line(), error.column());
        Problem::not_json(format!(
            "The body is not as documented, at line {line} column {column}. See /docs."
        ))
    })?;
    let device = EnrolledDevice { device_id, key: public_key };
    let enrolled = context.authority.enrol(&code, device).await;
    if let Err(EnrolError::UnknownCode) = &enrolled {
        // A code is let through, whoever else guesses from this address: all iPads of a hall have one.
        context
            .code_attempts
            .take(Caller::at(&request), Instant::now())
            .map_err(Problem::too_many_requests)?;
    }
    let (enrolment_id, offer) = enrolled.map_err(refused)?;
    let EnrolmentOffer { device_name, campaign_id, .. } = offer;
    tracing::info!(enrolment = %enrolment_id, device = %device_name, "a device was enrolled");
    let store_id = context.store.identity().id;
    Ok(Json(EnrolAnswer { enrolment_id, store_id, device_name, campaign_id }))
}

fn refused(error: EnrolError) -> Problem {
    if !matches!(error, EnrolError::Unavailable(_)) {
        tracing::info!(%error, "a device was not enrolled");
    }
    match error {
        EnrolError::OtherName { .. } => {
            Problem::invalid_code(format!("No device comes in by this code: {error}."))
        }
        EnrolError::UnknownCode | EnrolError::Refused(EnrolmentError::Unknown) => Problem::invalid_code(
            "There is no such code. Is it mistyped? `leadlog devices enrol` makes another.",
        ),
        EnrolError::Refused(refused) => Problem::invalid_code(format!(
            "No device comes in by this code: {refused}. `leadlog devices enrol` makes another."
        )),
        EnrolError::Unavailable(error) => {
            tracing::error!(%error, "a device could not be enrolled");
            Problem::unavailable("The store cannot let anybody in now. Try again.")
        }
    }
}
