//! `GET /api/campaigns/{id}`: what a form asks for.

use actix_web::get;
use actix_web::web::{Data, Json, Path};
use domain::{Campaign, CampaignId};

use super::Context;
use super::problem::Problem;

/// The newest version of a campaign.
#[utoipa::path(
    operation_id = "getCampaign",
    tag = "campaigns",
    params(("id" = String, Path, description = "The campaign", example = "shootout-2026")),
    responses(
        (status = 200, description = "The campaign document", body = Campaign),
        (status = 404, description = "This store does not know the campaign", body = Problem, content_type = "application/problem+json"),
    )
)]
#[get("/api/campaigns/{id}")]
pub(crate) async fn get_campaign(
    id: Path<String>,
    context: Data<Context>,
) -> Result<Json<Campaign>, Problem> {
    let unknown = || Problem::not_found("This store does not know that campaign. Check its id.");
    let id: CampaignId = id.parse().map_err(|_| unknown())?;
    context.store.campaigns().newest(&id).cloned().map(Json).ok_or_else(unknown)
}
