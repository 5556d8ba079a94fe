//! `GET /api/feed`: what a hub has to know of this store.

use actix_web::web::{Data, Json};
use actix_web::{HttpRequest, get};
use domain::{AppendId, CAMPAIGN_STREAM, FeedEvent, FeedPage, Lineage, Receipt, StoreId};
use event_store::{EventLog, RecordedEvent};
use serde::Deserialize;
use serde_json::value::RawValue;
use utoipa::{IntoParams, ToSchema};

use super::authorization::{Authorized, FollowsCloud};
use super::problem::Problem;
use super::{Context, query};

/// Events in one answer: campaigns have some kB each.
const PAGE_EVENTS: u32 = 100;

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
    /// Whose they are.
    store: StoreId,
    /// Whether the store still holds the event that was read last. If not, this begins with the first event.
    lineage: Lineage,
    /// Whether there are no more for now.
    is_complete: bool,
    /// Oldest first.
    events: Vec<FeedEventBody>,
}

/// One event.
#[derive(ToSchema)]
#[schema(as = FeedEvent, rename_all = "camelCase")]
#[expect(dead_code, reason = "only its schema is used")]
pub(crate) struct FeedEventBody {
    /// Where it stands in the log: the next cursor.
    position: u64,
    /// What proves that it stands there.
    append_id: AppendId,
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

/// What was published since, for hubs.
///
/// A hub keeps the events in its own log, so that it can work alone. Today they are those of campaigns.
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
    let (log, store) = (context.store.log(), context.store.identity().id);
    let last = query::read::<FeedQuery>(&request)?.last(store)?;
    let is_held = match last {
        Some(receipt) => log.holds_receipts(&[receipt]).await? == [true],
        None => true,
    };
    let cursor = last.filter(|_| is_held).map_or(0, |receipt| receipt.position);
    let events = log.read_kind_after(CAMPAIGN_STREAM, cursor, PAGE_EVENTS).await?;
    let is_complete = events.len() < PAGE_EVENTS as usize;
    let events: Option<Vec<FeedEvent>> = events.into_iter().map(told).collect();
    Ok(Json(FeedPage {
        store,
        lineage: if is_held { Lineage::Intact } else { Lineage::Lost },
        is_complete,
        events: events.ok_or_else(|| Problem::unavailable("The log holds an event that is no JSON."))?,
    }))
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

fn told(event: RecordedEvent) -> Option<FeedEvent> {
    Some(FeedEvent {
        position: event.position,
        append_id: event.append_id,
        aggregate_type: event.aggregate_type,
        aggregate_id: event.aggregate_id,
        sequence: event.sequence,
        event_type: event.event_type,
        event_version: event.event_version,
        payload: RawValue::from_string(event.payload).ok()?,
    })
}
