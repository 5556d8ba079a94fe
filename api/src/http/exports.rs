//! `GET /api/exports/{leads,contacts}.csv`: what the CRM takes out.

use std::time::Duration;

use actix_web::http::header;
use actix_web::web::{Data, Query};
use actix_web::{HttpResponse, get};
use domain::CampaignId;
use futures_util::TryStreamExt;
use projections::WaitError;
use projections::export::{Export, ExportError, ExportKind};
use serde::Deserialize;
use utoipa::IntoParams;
use validator::Validate;

use super::Context;
use super::problem::Problem;

/// How long an export waits for its projection to reach the log's head.
const CATCH_UP_TIMEOUT: Duration = Duration::from_secs(60);

/// Which rows.
#[derive(Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ExportQuery {
    /// Only rows of this campaign.
    #[param(example = "shootout-2026")]
    #[validate(length(min = 1, max = 64))]
    campaign: Option<String>,
}

impl ExportQuery {
    fn campaign(&self) -> Result<Option<CampaignId>, Problem> {
        self.validate()
            .ok()
            .and_then(|()| self.campaign.as_deref().map(str::parse).transpose().ok())
            .ok_or_else(|| Problem::bad_parameter("The parameter campaign is not the id of a campaign."))
    }
}

/// All leads as CSV, one row each, complete up to the moment of asking.
///
/// UTF-8 with byte order mark, semicolons, CRLF. The columns are described in `docs/exports.md`. A failure in
/// the middle cuts the connection, so that a partial file is noticed.
#[utoipa::path(
    operation_id = "exportLeads",
    tag = "exports",
    params(ExportQuery),
    responses(
        (status = 200, description = "The rows", body = String, content_type = "text/csv"),
        (status = 400, description = "The campaign is not an id", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The rows are not there yet: try again", body = Problem, content_type = "application/problem+json"),
    )
)]
#[get("/api/exports/leads.csv")]
pub(crate) async fn export_leads(
    query: Query<ExportQuery>,
    context: Data<Context>,
) -> Result<HttpResponse, Problem> {
    answer(ExportKind::Leads, &query, &context).await
}

/// All contacts as CSV: one row per person and campaign, with the proof of each consent.
///
/// Leads with one e-mail address are one contact; a lead without e-mail is a contact of its own. The format is
/// that of the leads.
#[utoipa::path(
    operation_id = "exportContacts",
    tag = "exports",
    params(ExportQuery),
    responses(
        (status = 200, description = "The rows", body = String, content_type = "text/csv"),
        (status = 400, description = "The campaign is not an id", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The rows are not there yet: try again", body = Problem, content_type = "application/problem+json"),
    )
)]
#[get("/api/exports/contacts.csv")]
pub(crate) async fn export_contacts(
    query: Query<ExportQuery>,
    context: Data<Context>,
) -> Result<HttpResponse, Problem> {
    answer(ExportKind::Contacts, &query, &context).await
}

async fn answer(kind: ExportKind, query: &ExportQuery, context: &Context) -> Result<HttpResponse, Problem> {
    let campaign = query.campaign()?;
    let pool = context.store.pool();
    let head = event_store::head(pool).await?.position;
    context.projections.wake();
    projections::wait_for(pool, kind.projection(), head, CATCH_UP_TIMEOUT).await?;
    let campaigns = context.store.refreshed_campaigns().await?;
    let export = Export { kind, campaign };
    let chunks = projections::export::csv(pool.clone(), export, campaigns.as_ref()).await?;
    let chunks = chunks.inspect_err(|error| tracing::error!(%error, "an export was cut"));
    let file = format!("attachment; filename=\"{}.csv\"", kind.as_str());
    Ok(HttpResponse::Ok()
        .content_type("text/csv; charset=utf-8; header=present")
        .insert_header((header::CONTENT_DISPOSITION, file))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .insert_header(("leadlog-head", head.to_string()))
        .streaming(chunks))
}

impl From<WaitError> for Problem {
    fn from(error: WaitError) -> Self {
        tracing::warn!(%error, "an export could not begin");
        Self::unavailable("The rows for this export are not ready yet. Try again.")
    }
}

impl From<ExportError> for Problem {
    fn from(error: ExportError) -> Self {
        tracing::error!(%error, "an export could not begin");
        Self::unavailable("The export could not begin. Try again.")
    }
}
