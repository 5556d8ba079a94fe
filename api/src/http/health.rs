//! `GET|HEAD /api/health`: is this the store, and can it answer?

use actix_web::http::header;
use actix_web::web::Data;
use actix_web::{HttpResponse, HttpResponseBuilder, get, head};
use domain::{STORE_ID_HEADER, StoreState, TIER_HEADER, Tier};
use serde::Serialize;
use utoipa::ToSchema;

use super::Context;
use super::problem::Problem;

/// A store that can answer.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Health {
    /// The store and how far it is.
    store: StoreState,
    /// Version of the program.
    version: &'static str,
}

/// Says that the store can answer, and which store it is.
///
/// The header `leadlog-store` carries the store's id, so that a captive portal cannot pass for it, and
/// `leadlog-tier` what it is to its devices.
#[utoipa::path(
    operation_id = "getHealth",
    tag = "store",
    responses(
        (status = 200, description = "The store can answer", body = Health, headers(("leadlog-store" = String, description = "Id of the store"), ("leadlog-tier" = Tier, description = "What it is to its devices"))),
        (status = 503, description = "The database does not answer, or takes nothing in", body = Problem, content_type = "application/problem+json"),
    )
)]
#[get("/api/health")]
pub(crate) async fn get_health(context: Data<Context>) -> Result<HttpResponse, Problem> {
    let (mut response, head) = ready(&context).await?;
    Ok(response.json(Health { store: context.store_state(head), version: env!("CARGO_PKG_VERSION") }))
}

/// The same without a body.
#[utoipa::path(
    operation_id = "headHealth",
    tag = "store",
    responses(
        (status = 200, description = "The store can answer", headers(("leadlog-store" = String, description = "Id of the store"), ("leadlog-tier" = Tier, description = "What it is to its devices"))),
        (status = 503, description = "The database does not answer, or takes nothing in"),
    )
)]
#[head("/api/health")]
pub(crate) async fn head_health(context: Data<Context>) -> Result<HttpResponse, Problem> {
    Ok(ready(&context).await?.0.finish())
}

/// The beginning of an answer, and where the log ends: to look there is to see that the database answers, and what other
/// processes have appended counts, too. A store that can take nothing in must not keep devices from one that can.
async fn ready(context: &Context) -> Result<(HttpResponseBuilder, u64), Problem> {
    let Some(head) = event_store::head_to_append(context.store.pool()).await? else {
        return Err(Problem::unavailable("The database is read-only, so that nothing can be taken in."));
    };
    let mut response = HttpResponse::Ok();
    response
        .insert_header((STORE_ID_HEADER, context.store.identity().id.to_string()))
        .insert_header((TIER_HEADER, context.store.identity().tier.as_str()))
        .insert_header((header::CACHE_CONTROL, "no-store"));
    Ok((response, head.position))
}
