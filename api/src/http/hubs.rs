//! `POST /api/hubs/enrol`: a hub comes in by a one-time code, with a secret of its own making.

use std::time::Instant;

use actix_web::web::{Data, Json, Payload};
use actix_web::{HttpRequest, post};
use domain::ApiClientId;
use identity::BringError;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::problem::Problem;
use super::rate_limit::Caller;
use super::{Context, body};

/// What is sent has some hundred.
const MAX_BODY_BYTES: usize = 4096;

/// A hub that wants to come in.
#[derive(Deserialize, ToSchema)]
pub(crate) struct HubEnrolRequest {
    /// The one-time code, in any case, with or without its hyphens.
    #[schema(example = "7K3QF0-XW2A9-M4TDZ-H6RBC-1YEP8")]
    code: String,
    /// The secret that the hub has made, by which it gets tokens from then on: `leadlog_secret_`, 8 hexadecimal digits, `_`,
    /// and 256 random bits as base64url.
    secret: String,
}

/// A hub that came in.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct HubEnrolAnswer {
    /// What it is called here; with the secret it gets tokens at `/oauth/token`.
    #[schema(value_type = String, example = "hub-1")]
    client_id: ApiClientId,
}

/// Lets a hub in that shows a one-time code.
///
/// A code works once. The same hub may send the same again, because an answer can be lost.
#[utoipa::path(
    operation_id = "enrolHub",
    tag = "identity",
    request_body(content = HubEnrolRequest, content_type = "application/json"),
    responses(
        (status = 200, description = "It is in", body = HubEnrolAnswer),
        (status = 400, description = "The body is not JSON of this shape", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "The code is unknown, used or expired", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "Too many attempts from this address", body = Problem, content_type = "application/problem+json", headers(("Retry-After" = u32, description = "Seconds"))),
        (status = 503, description = "The store cannot let anybody in now: try again", body = Problem, content_type = "application/problem+json"),
    )
)]
#[post("/api/hubs/enrol")]
pub(crate) async fn enrol_hub(
    request: HttpRequest,
    payload: Payload,
    context: Data<Context>,
) -> Result<Json<HubEnrolAnswer>, Problem> {
    let body = body::read(&request, payload, MAX_BODY_BYTES).await?;
    let HubEnrolRequest { code, secret } = serde_json::from_slice(&body).map_err(|error| {
        // The words of the error may repeat the code.
        let (line, column) = (error.line(), error.column());
        Problem::not_json(format!(
            "The body is not as documented, at line {line} column {column}. See /docs."
        ))
    })?;
    let brought = context.authority.bring_secret(&code, &secret).await;
    if let Err(BringError::UnknownCode | BringError::Refused(_)) = &brought {
        context
            .code_attempts
            .take(Caller::at(&request), Instant::now())
            .map_err(Problem::too_many_requests)?;
    }
    let client_id = brought.map_err(refused)?;
    tracing::info!(hub = %client_id, "a hub was enrolled");
    Ok(Json(HubEnrolAnswer { client_id }))
}

fn refused(error: BringError) -> Problem {
    let another = "`leadlog hubs enrol` makes another.";
    match error {
        BringError::UnknownCode => {
            Problem::invalid_code(format!("There is no such code. Is it mistyped? {another}"))
        }
        BringError::NoSecret => Problem::not_json("The secret is not as documented. See /docs.".to_owned()),
        BringError::Refused(refused) => {
            tracing::info!(error = %refused, "a hub was not enrolled");
            Problem::invalid_code(format!("No hub comes in by this code: {refused}. {another}"))
        }
        BringError::Busy => Problem::unavailable("Too many come in at once. Try again."),
        BringError::Unavailable(error) => {
            tracing::error!(%error, "a hub could not be enrolled");
            Problem::unavailable("The store cannot let anybody in now. Try again.")
        }
    }
}
