//! `GET /api/leads/check-email`: is there a lead with this address already?

use std::time::Instant;

use actix_web::http::header;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, get};
use domain::{CampaignId, Email};
use identity::Subject;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::authorization::{AsksWhatIsKnown, Authorized};
use super::problem::Problem;
use super::rate_limit::Caller;
use super::{Context, query};

/// The address that is asked about.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct EmailQuery {
    /// The campaign.
    #[param(required, example = "shootout-2026")]
    campaign: Option<String>,
    /// The address as typed.
    #[param(required, example = "anna@example.com")]
    email: Option<String>,
}

/// Whether an address is known. Never whose it is.
#[derive(Serialize, ToSchema)]
pub(crate) struct EmailKnown {
    /// Whether a lead of the campaign has it.
    known: bool,
}

/// Says whether a lead of the campaign has this e-mail address, in whatever spelling.
///
/// A courtesy for the form: a lead with a known address is taken like any other. The address is never logged.
#[utoipa::path(
    operation_id = "checkEmail",
    tag = "leads",
    params(EmailQuery),
    security(("oauth" = ["capture"]), ("oauth" = ["organize"]), ("bearer" = ["capture"]), ("bearer" = ["organize"])),
    responses(
        (status = 200, description = "Whether it is known", body = EmailKnown),
        (status = 400, description = "Not an e-mail address, or not the id of a campaign", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "No token, or one that does not count", body = Problem, content_type = "application/problem+json", headers(("WWW-Authenticate" = String, description = "`Bearer`, with the reason and a scope that is enough"))),
        (status = 403, description = "The token is not for this", body = Problem, content_type = "application/problem+json", headers(("WWW-Authenticate" = String, description = "`Bearer`, with the reason and a scope that is enough"))),
        (status = 429, description = "Too many questions of this caller", body = Problem, content_type = "application/problem+json", headers(("Retry-After" = u32, description = "Seconds"))),
        (status = 503, description = "The database does not answer", body = Problem, content_type = "application/problem+json"),
    )
)]
#[get("/api/leads/check-email")]
pub(crate) async fn check_email(
    caller: Authorized<AsksWhatIsKnown>,
    request: HttpRequest,
    context: Data<Context>,
) -> Result<HttpResponse, Problem> {
    // Nobody types that fast; whoever does collects addresses. Whoever is at the server has them anyway.
    if !matches!(caller.principal.subject, Subject::Admin(_)) {
        let limit = &context.email_questions;
        limit.take(Caller::bearer(&caller.principal), Instant::now()).map_err(Problem::too_many_requests)?;
    }
    let EmailQuery { campaign, email } = query::read(&request)?;
    let campaign: Option<CampaignId> = campaign.and_then(|id| id.parse().ok());
    let campaign = campaign
        .ok_or_else(|| Problem::bad_parameter("The parameter campaign is not the id of a campaign."))?;
    let email = email.and_then(|typed| Email::parse(&typed).ok());
    let email =
        email.ok_or_else(|| Problem::bad_parameter("The parameter email is not an e-mail address."))?;
    let known: bool = sqlx::query_scalar(
        "SELECT EXISTS (SELECT FROM email_claims WHERE campaign_id = $1 AND email_key = $2)",
    )
    .bind(campaign.as_str())
    .bind(email.key().as_str())
    .fetch_one(context.store.pool())
    .await?;
    Ok(HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-store")).json(EmailKnown { known }))
}
