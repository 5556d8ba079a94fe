//! `/api/feed`: what a hub and this store tell each other beside leads.

use std::collections::BTreeSet;

use actix_web::web::{Data, Json, Payload};
use actix_web::{HttpRequest, get, post};
use domain::{
    AppendId, CAMPAIGN_STREAM, ENROLMENT_STREAM, EnrolmentId, FeedCursor, FeedPage, FeedUpdate,
    FeedUpdateAnswer, Lineage, MAX_FEED_UPDATE_EVENTS, Receipt, StoreId, Tier,
};
use event_store::{EventLog, PostgresLog};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::authorization::{Authorized, FollowsCloud};
use super::problem::Problem;
use super::{Context, body, query};

/// Events in one answer: campaigns have some kB each.
const PAGE_EVENTS: u32 = 100;

/// Kinds of streams that hubs are told of.
const TOLD: [&str; 2] = [CAMPAIGN_STREAM, ENROLMENT_STREAM];

/// Bytes of an update: an event has some hundred.
const MAX_UPDATE_BYTES: usize = 1024 * 1024;

/// From where on.
#[derive(Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub(crate) struct FeedQuery {
    /// The position of the event that was read last; without it, from the first on.
    #[param(value_type = Option<u64>, minimum = 1, example = 17)]
    after: Option<String>,
    /// The `appendId` of that event, by which the store finds out whether it still has it.
    #[param(value_type = Option<AppendId>)]
    append_id: Option<String>,
}

/// The body of the answer, for the document; the payloads are written to the byte.
#[derive(ToSchema)]
#[schema(as = FeedPage, rename_all = "camelCase")]
#[expect(dead_code, reason = "only its schema is used")]
pub(crate) struct FeedPageBody {
    /// Who tells it.
    store: StoreId,
    /// What that store is.
    tier: Tier,
    /// Whether the store still holds the event that was read last. If not, this begins with the first event.
    lineage: Lineage,
    /// The next cursor; left out when nothing came after the one that was shown.
    through: Option<FeedCursor>,
    /// Whether there is no more for now.
    is_complete: bool,
    /// Oldest first. One that has come before may come again.
    events: Vec<FeedEventBody>,
}

/// What a hub tells, for the document.
#[derive(ToSchema)]
#[schema(as = FeedUpdate, rename_all = "camelCase")]
#[expect(dead_code, reason = "only its schema is used")]
struct FeedUpdateBody {
    /// Each enrolment from its first event on.
    #[schema(max_items = 300)]
    events: Vec<FeedEventBody>,
}

/// One event.
#[derive(ToSchema)]
#[schema(as = FeedEvent, rename_all = "camelCase")]
#[expect(dead_code, reason = "only its schema is used")]
pub(crate) struct FeedEventBody {
    /// Kind of stream.
    #[schema(example = "campaign")]
    aggregate_type: String,
    /// Stream.
    #[schema(example = "shootout-2026")]
    aggregate_id: String,
    /// Place in the stream, from 1.
    sequence: u64,
    /// Name of the event.
    #[schema(example = "CampaignPublished")]
    event_type: String,
    /// Version of its form.
    #[schema(example = "1")]
    event_version: String,
    /// What it says.
    payload: serde_json::Value,
}

/// What came since, for hubs: the campaigns that were published, and the enrolments of devices that came in.
///
/// A hub keeps the events in its own log, so that it can work alone.
#[utoipa::path(
    operation_id = "getFeed",
    tag = "store",
    params(FeedQuery),
    security(("oauth" = ["relay"]), ("bearer" = ["relay"])),
    responses(
        (status = 200, description = "The next events", body = FeedPageBody),
        (status = 400, description = "A parameter is not as documented", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "No token, or one that does not count", body = Problem, content_type = "application/problem+json", headers(("WWW-Authenticate" = String, description = "`Bearer`, with the reason and a scope that is enough"))),
        (status = 403, description = "The token is not for this", body = Problem, content_type = "application/problem+json", headers(("WWW-Authenticate" = String, description = "`Bearer`, with the reason and a scope that is enough"))),
        (status = 503, description = "The database does not answer: try again", body = Problem, content_type = "application/problem+json"),
    )
)]
#[get("/api/feed")]
pub(crate) async fn get_feed(
    _caller: Authorized<FollowsCloud>,
    request: HttpRequest,
    context: Data<Context>,
) -> Result<Json<FeedPage>, Problem> {
    let (log, identity) = (context.store.log(), context.store.identity());
    let last = query::read::<FeedQuery>(&request)?.last(identity.id)?;
    let is_held = match last {
        // Not on the connection that appends: hubs ask all day.
        Some(receipt) => event_store::holds_receipts(log.pool(), &[receipt]).await? == [true],
        None => true,
    };
    // Of what comes while this reads the one kind may be seen and the other not, so it comes with the next page.
    let head = event_store::head(log.pool()).await?.position;
    let cursor = last.filter(|_| is_held).map_or(0, |receipt| receipt.position);
    let mut news = Vec::new();
    for kind in TOLD {
        news.extend(log.read_kind_after(kind, cursor, PAGE_EVENTS).await?);
    }
    let is_complete = news.len() < PAGE_EVENTS as usize;
    news.retain(|event| event.position <= head);
    news.sort_unstable_by_key(|event| event.position);
    news.truncate(PAGE_EVENTS as usize);
    let through = news.last().map(|last| FeedCursor { position: last.position, append_id: last.append_id });
    let (mut events, mut enrolments) = (Vec::new(), BTreeSet::new());
    for event in news {
        if event.aggregate_type != ENROLMENT_STREAM {
            events.extend(identity::shared(event));
        } else if event.sequence > 1 {
            enrolments.extend(event.aggregate_id.parse::<EnrolmentId>());
        }
    }
    for id in enrolments {
        // From its first event on: that was not told before there was a device.
        events.extend(identity::shared_enrolment(log, &id).await?);
    }
    let lineage = if is_held { Lineage::Intact } else { Lineage::Lost };
    Ok(Json(FeedPage { store: identity.id, tier: identity.tier, lineage, through, is_complete, events }))
}

/// What a hub knows and this store may not: the enrolments of devices that came in at the hub, or were shut out there.
///
/// Telling it again is harmless. A device that came in at a hub is let in here, too.
#[utoipa::path(
    operation_id = "updateFeed",
    tag = "store",
    request_body(content = FeedUpdateBody, content_type = "application/json"),
    security(("oauth" = ["relay"]), ("bearer" = ["relay"])),
    responses(
        (status = 200, description = "All is recorded but what is named", body = FeedUpdateAnswer),
        (status = 400, description = "The body is not JSON of this shape", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "No token, or one that does not count", body = Problem, content_type = "application/problem+json", headers(("WWW-Authenticate" = String, description = "`Bearer`, with the reason and a scope that is enough"))),
        (status = 403, description = "The token is not for this", body = Problem, content_type = "application/problem+json", headers(("WWW-Authenticate" = String, description = "`Bearer`, with the reason and a scope that is enough"))),
        (status = 408, description = "The body did not arrive in time", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "Too many bytes or events: send fewer at once", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The log cannot be written now: try again", body = Problem, content_type = "application/problem+json"),
    )
)]
#[post("/api/feed")]
pub(crate) async fn update_feed(
    caller: Authorized<FollowsCloud>,
    request: HttpRequest,
    payload: Payload,
    context: Data<Context>,
) -> Result<Json<FeedUpdateAnswer>, Problem> {
    let body = body::read(&request, payload, MAX_UPDATE_BYTES).await?;
    let FeedUpdate { events } = serde_json::from_slice(&body).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        Problem::not_json(format!(
            "The body is not as documented, at line {line} column {column}. See /docs."
        ))
    })?;
    if events.len() > MAX_FEED_UPDATE_EVENTS {
        return Err(Problem::too_large(format!(
            "A request has at most {MAX_FEED_UPDATE_EVENTS} events. Send fewer at once."
        )));
    }
    // Rare, and not what devices wait for.
    let log = PostgresLog::new(context.store.pool().clone());
    let refused = identity::take_in_enrolments(&log, &events).await.map_err(|error| {
        tracing::error!(%error, "what a hub told of devices was not recorded");
        Problem::unavailable("What this says of devices cannot be recorded now. Try again.")
    })?;
    tracing::info!(hub = %caller.principal.subject, events = events.len(), refused = refused.len(), "a hub told of devices");
    Ok(Json(FeedUpdateAnswer { refused }))
}

impl FeedQuery {
    fn last(self, store_id: StoreId) -> Result<Option<Receipt>, Problem> {
        let bad = || {
            Problem::bad_parameter(
                "The parameters after and appendId are those of the event that was read last; leave both out to begin.",
            )
        };
        match (self.after, self.append_id) {
            (None, None) => Ok(None),
            (Some(position), Some(append_id)) => Ok(Some(Receipt {
                store_id,
                position: position.parse().map_err(|_| bad())?,
                append_id: append_id.parse().map_err(|_| bad())?,
            })),
            _ => Err(bad()),
        }
    }
}
