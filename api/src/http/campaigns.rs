//! `GET /api/campaigns/{id}`: what a form asks for.

use actix_web::http::header;
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse, get};
use domain::{Campaign, CampaignId, PublishedCampaigns};
use serde::Deserialize;
use utoipa::IntoParams;

use super::problem::Problem;
use super::{Context, query};

/// Which version.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct CampaignQuery {
    /// Exactly this version; without it, the newest.
    #[param(value_type = Option<u32>, minimum = 1, example = 1)]
    version: Option<String>,
}

/// The newest version of a campaign, or exactly the one that is asked for.
///
/// The entity tag is the version, in quotes: with `If-None-Match`, what is known already is answered 304 without a
/// body. A version never changes once it is published. Nobody needs to sign in.
#[utoipa::path(
    operation_id = "getCampaign",
    tag = "campaigns",
    params(
        ("id" = String, Path, description = "The campaign", example = "shootout-2026"),
        CampaignQuery,
        ("If-None-Match" = Option<String>, Header, description = "Entity tags of versions that are known already", example = "\"1\"")
    ),
    responses(
        (status = 200, description = "The campaign document", body = Campaign, headers(("ETag" = String, description = "The version, in quotes"))),
        (status = 304, description = "That version is known already", headers(("ETag" = String, description = "The version, in quotes"))),
        (status = 400, description = "The version is not a whole number", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "This store does not know the campaign, or has no such version of it", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The database does not answer: try again", body = Problem, content_type = "application/problem+json"),
    )
)]
#[get("/api/campaigns/{id}")]
pub(crate) async fn get_campaign(
    request: HttpRequest,
    id: Path<String>,
    context: Data<Context>,
) -> Result<HttpResponse, Problem> {
    let unknown = || Problem::not_found("This store does not know that campaign. Check its id.");
    let id: CampaignId = id.parse().map_err(|_| unknown())?;
    let version = query::read::<CampaignQuery>(&request)?.version()?;
    let mut known = context.store.campaigns();
    if known.get(&id, version).is_none() {
        // Another process may have published it a moment ago.
        known = context.store.refreshed_campaigns().await?;
    }
    let published = known.get(&id, version).ok_or_else(|| match newest(&known, &id) {
        Some(newest) => {
            Problem::not_found(format!("That campaign has no such version. Its newest is {newest}."))
        }
        None => unknown(),
    })?;
    let tag = format!("\"{}\"", published.campaign.version);
    let is_known = names(&request, &tag);
    let mut response = if is_known { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    response.insert_header((header::ETAG, tag)).insert_header((header::CACHE_CONTROL, "no-cache"));
    if is_known {
        return Ok(response.finish());
    }
    Ok(response.content_type("application/json").body(published.json.clone()))
}

impl CampaignQuery {
    fn version(&self) -> Result<Option<u32>, Problem> {
        let version = self.version.as_deref().map(str::parse).transpose();
        version.map_err(|_| {
            Problem::bad_parameter(
                "The parameter version is not the version of a campaign: a whole number from 1.",
            )
        })
    }
}

fn newest(known: &PublishedCampaigns, id: &CampaignId) -> Option<u32> {
    known.get(id, None).map(|newest| newest.campaign.version)
}

/// Whether the sender knows what has this tag. Compression marks a tag as weak, which makes no difference here.
fn names(request: &HttpRequest, tag: &str) -> bool {
    let known = request.headers().get_all(header::IF_NONE_MATCH).filter_map(|value| value.to_str().ok());
    known.flat_map(|value| value.split(',')).any(|one| {
        let one = one.trim();
        one == "*" || one.trim_start_matches("W/") == tag
    })
}
