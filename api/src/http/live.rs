//! `GET /api/live`: what is going on, as it happens.

use std::sync::Arc;
use std::time::Duration;

use actix_web::http::header::{self, ContentEncoding};
use actix_web::web::{Bytes, Data};
use actix_web::{HttpResponse, get};
use domain::Timestamp;
use futures_util::stream;
use identity::Authority;
use time::OffsetDateTime;
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use super::Context;
use super::authorization::{Authorized, WatchesEvent};
use super::problem::Problem;
use crate::live::{LiveReport, Told};

/// How long a stream may last. Then it is asked for again: a proxy or a network may have forgotten it.
const MAX_STREAM: Duration = Duration::from_secs(5 * 60);

/// How long nothing may be said, before it is said that there is nothing: by that a browser notices that the network is gone.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Tells how many leads there are, what can be said of each device, and of a hub how its relay fares: at once, and whenever any
/// of it has changed, at most once a second, at least every quarter of a minute.
///
/// Server-sent events: each `report` is a whole report in one line of JSON, and replaces the one before it. A comment comes every
/// 15 seconds. The stream ends after five minutes at most; ask again.
#[utoipa::path(
    operation_id = "watchLive",
    tag = "live",
    security(("oauth" = ["organize"]), ("bearer" = ["organize"])),
    responses(
        (status = 200, description = "`event: report`, with a report as `data`", body = LiveReport, content_type = "text/event-stream"),
        (status = 401, description = "No token, or one that does not count", body = Problem, content_type = "application/problem+json", headers(("WWW-Authenticate" = String, description = "`Bearer`, with the reason and a scope that is enough"))),
        (status = 403, description = "The token is not for this", body = Problem, content_type = "application/problem+json", headers(("WWW-Authenticate" = String, description = "`Bearer`, with the reason and a scope that is enough"))),
        (status = 503, description = "Too many watch at once, or it cannot be said now who may: try again", body = Problem, content_type = "application/problem+json"),
    )
)]
#[get("/api/live")]
pub(crate) async fn watch_live(
    caller: Authorized<WatchesEvent>,
    context: Data<Context>,
) -> Result<HttpResponse, Problem> {
    let Some(told) = context.live.watch() else {
        return Err(Problem::unavailable("Too many watch at this moment. Try again."));
    };
    let ends_at = Instant::now() + MAX_STREAM;
    let Authorized { token, .. } = caller;
    let watcher = Watcher { told, ends_at, is_first: true, token, authority: Arc::clone(&context.authority) };
    let events = stream::unfold(watcher, |mut watcher| async move {
        let said = watcher.next().await?;
        // Whoever was shut out meanwhile is told no more, and asks again, and is told why.
        watcher.still_may().await.then_some((Ok::<_, actix_web::Error>(said), watcher))
    });
    Ok(HttpResponse::Ok()
        // What is compressed on the way is held back until there is enough of it.
        .insert_header(ContentEncoding::Identity)
        .insert_header((header::CACHE_CONTROL, "no-store"))
        // Some proxies hold answers back, too.
        .insert_header(("x-accel-buffering", "no"))
        .content_type("text/event-stream")
        .streaming(events))
}

struct Watcher {
    told: watch::Receiver<Told>,
    ends_at: Instant,
    /// What was there before anybody watched is told at once.
    is_first: bool,
    token: String,
    authority: Arc<Authority>,
}

impl Watcher {
    async fn still_may(&self) -> bool {
        let now = Timestamp::new(OffsetDateTime::now_utc());
        self.authority.authorize_lately(&self.token, now).await.is_ok()
    }

    /// What is to be said next; `None` at the end.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if Instant::now() >= self.ends_at {
                return None;
            }
            if !std::mem::take(&mut self.is_first) {
                match timeout_at(self.ends_at.min(Instant::now() + KEEP_ALIVE), self.told.changed()).await {
                    Ok(Ok(())) => {}
                    Ok(Err(_)) => return None,
                    Err(_) => return Some(Bytes::from_static(b":\n\n")),
                }
            }
            match &*self.told.borrow_and_update() {
                Told::Nothing => {}
                Told::Report(json) => return Some(event(json)),
                Told::Unknown | Told::Closed => return None,
            }
        }
    }
}

/// A report as the format has it (HTML, 9.2.6): JSON that is written without white space is one line.
fn event(json: &[u8]) -> Bytes {
    [b"event: report\ndata: ", json, b"\n\n"].concat().into()
}
