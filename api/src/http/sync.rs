//! `POST /api/leads/sync`: what devices and hubs send.

use std::borrow::Cow;
use std::time::{Duration, Instant};

use actix_web::web::{Data, Json, Payload};
use actix_web::{HttpRequest, post};
use domain::{
    DeviceCondition, DeviceId, DeviceReport, EntryResult, LeadEvent, MAX_BATCH_ENTRIES, MAX_BODY_BYTES,
    MAX_KEPT_ENTRY_BYTES, Receipt, Scope, SyncRequest, SyncResponse, Timestamp, Verdict,
};
use identity::Subject;
use intake::{Arrival, IntakeError};
use serde_json::value::RawValue;
use time::OffsetDateTime;
use utoipa::ToSchema;
use validator::{Validate, ValidationError};

use super::authorization::{Authorized, DeviceVoice, GivesLeads, Voice};
use super::problem::Problem;
use super::rate_limit::Caller;
use super::{Context, body};
use crate::conditions::Heard;

/// How long a request waits for its answer before it is answered 503.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(25);

/// The body of a sync, for the document; it is read as [`SyncRequest`], which keeps entries as raw text.
#[derive(ToSchema)]
#[schema(as = SyncRequest, rename_all = "camelCase")]
#[expect(dead_code, reason = "only its schema is used")]
struct SyncRequestBody {
    /// The installation that sends, which need not have made the entries.
    sender: Option<DeviceId>,
    /// The highest `deviceSeq` that the sender has saved.
    saved_through: Option<u64>,
    /// The sender's newest receipt from this store.
    last_receipt: Option<Receipt>,
    /// Cursor over the store's erasures.
    erasures_after: Option<u64>,
    /// Cursor over what a hub knows of the cloud's verdicts.
    cloud_verdicts_after: Option<u64>,
    /// Of a hub that relays: what devices have told it about themselves.
    #[schema(max_items = 1_000)]
    reports: Option<Vec<DeviceReport>>,
    /// Of a device: what it says of itself. What makes no sense here is left out, and refuses nothing.
    condition: Option<DeviceCondition>,
    /// The entries. Unknown fields are kept.
    #[schema(max_items = 1_000)]
    entries: Vec<LeadEvent>,
}

/// The bounds on a request as a whole. What is wrong inside an entry is that entry's verdict.
#[derive(Validate)]
struct Shape {
    #[validate(range(max = "MAX_BATCH_ENTRIES"))]
    entries: usize,
    #[validate(custom(function = "at_most_i64"))]
    saved_through: u64,
    #[validate(custom(function = "at_most_i64"))]
    erasures_after: u64,
    #[validate(custom(function = "at_most_i64"))]
    cloud_verdicts_after: u64,
    #[validate(range(max = "MAX_BATCH_ENTRIES"))]
    reports: usize,
}

fn at_most_i64(number: u64) -> Result<(), ValidationError> {
    i64::try_from(number).map(drop).map_err(|_| ValidationError::new("range"))
}

/// Records entries, and answers a verdict for each.
///
/// Sending again is harmless. A verdict is given after the entry is durable. What a device hands in that was shut out is
/// kept for somebody to look at (`quarantined`).
#[utoipa::path(
    operation_id = "syncLeads",
    tag = "leads",
    request_body(content = SyncRequestBody, content_type = "application/json"),
    security(("oauth" = ["capture"]), ("oauth" = ["quarantine"]), ("oauth" = ["relay"]), ("bearer" = ["capture"]), ("bearer" = ["quarantine"]), ("bearer" = ["relay"])),
    responses(
        (status = 200, description = "One result per entry, in order", body = SyncResponse),
        (status = 400, description = "The body is not JSON of this shape", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "No token, or one that does not count", body = Problem, content_type = "application/problem+json", headers(("WWW-Authenticate" = String, description = "`Bearer`, with the reason and a scope that is enough"))),
        (status = 403, description = "The token is not for this", body = Problem, content_type = "application/problem+json", headers(("WWW-Authenticate" = String, description = "`Bearer`, with the reason and a scope that is enough"))),
        (status = 408, description = "The body did not arrive in time", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "Too many bytes or entries: send fewer at once", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "An encoding other than gzip", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "A device sends too often, or one that was shut out hands in too much at once: keep everything, try again", body = Problem, content_type = "application/problem+json", headers(("Retry-After" = u32, description = "Seconds"))),
        (status = 503, description = "The log cannot be written now: keep everything, try again", body = Problem, content_type = "application/problem+json"),
    )
)]
#[post("/api/leads/sync")]
pub(crate) async fn sync_leads(
    caller: Authorized<GivesLeads>,
    request: HttpRequest,
    payload: Payload,
    context: Data<Context>,
) -> Result<Json<SyncResponse>, Problem> {
    if let Subject::Device(enrolment) = &caller.principal.subject {
        // One that sends and sends fills the disk. Before the body, which is most of the work.
        let device = Caller::device(enrolment);
        context.device_sends.take(device, Instant::now()).map_err(Problem::too_many_requests)?;
    }
    let body = body::read(&request, payload, MAX_BODY_BYTES).await?;
    let mut sync = parse(&body)?;
    // After the body was read, which may have taken a minute.
    let voice = Voice::of(&caller.principal, &context).await?;
    // A device that was shut out hands in what it holds; nobody else has that scope.
    let is_quarantined = match &voice {
        Voice::Of(device) => device.is_revoked,
        Voice::Any | Voice::None => {
            let scopes = caller.principal.scopes;
            !scopes.contains(Scope::Capture) && !scopes.contains(Scope::Relay)
        }
    };
    if is_quarantined {
        // Somebody looks at all of it.
        let caller = Caller::bearer(&caller.principal);
        context.handed_in.take(caller, Instant::now()).map_err(Problem::too_many_requests)?;
    }
    vouch(&mut sync, &voice, is_quarantined);
    let arrival = Arrival { at: Timestamp::new(OffsetDateTime::now_utc()), is_quarantined };
    // Before anything else: what it covers has its verdicts in the log already.
    let relay = context.relay_progress();
    let campaigns = context.store.campaigns();
    let answer = intake::answer(
        context.store.log(),
        &context.queue,
        campaigns.as_ref(),
        context.store.identity(),
        &relay,
        arrival,
        &sync,
    );
    let answer = tokio::time::timeout(ANSWER_TIMEOUT, answer).await.unwrap_or(Err(IntakeError::TimedOut))?;
    // What was in the request is here now, but for what the store did not take. After that, so that whatever the log knows of the
    // device by then, it was said after it.
    if let Voice::Of(device) = voice {
        let is_final = |it: &EntryResult| {
            it.status.is_stored() || it.status.is_refused() || it.status == Verdict::Erased
        };
        let not_taken = answer.results.iter().filter(|result| !is_final(result)).count() as u64;
        let heard = Heard::of(OffsetDateTime::now_utc(), sync.condition.map(RawValue::get), not_taken);
        context.conditions.note(device.own, heard);
    }
    Ok(Json(answer))
}

/// Lets the request say of devices only what the store has made sure of. Entries of another installation are taken like
/// everything else; that the caller *is* that installation, or has heard it, is not.
fn vouch(sync: &mut SyncRequest<'_>, voice: &Voice, is_quarantined: bool) {
    let device = match voice {
        Voice::Any => return,
        Voice::Of(device) => Some(device),
        Voice::None => None,
    };
    let own = device.map(|device| &device.own);
    if sync.sender.as_ref() != own {
        sync.sender = own.cloned();
        sync.saved_through = None;
        sync.condition = None;
    }
    if is_quarantined {
        sync.saved_through = None;
        sync.reports.clear();
    }
    if sync.reports.is_empty() {
        return;
    }
    let heard = device.map(DeviceVoice::under_its_name).unwrap_or_default();
    for report in sync.reports.iter_mut().filter(|report| !heard.contains(&report.device_id)) {
        *report = DeviceReport::hearsay(report.device_id.clone(), report.saved_through);
    }
}

fn parse(body: &[u8]) -> Result<SyncRequest<'_>, Problem> {
    let mut json = serde_json::Deserializer::from_slice(body);
    let sync: SyncRequest<'_> = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let at = match error.path().to_string() {
            path if path == "." => Cow::Borrowed("The body"),
            path => Cow::Owned(format!("The field {path}")),
        };
        let (line, column) = (error.inner().line(), error.inner().column());
        Problem::not_json(format!("{at} is not as documented, at line {line} column {column}. See /docs."))
    })?;
    json.end().map_err(|_| Problem::not_json("Something follows the JSON of the body."))?;
    let shape = Shape {
        entries: sync.entries.len(),
        saved_through: sync.saved_through.unwrap_or(0),
        erasures_after: sync.erasures_after.unwrap_or(0),
        cloud_verdicts_after: sync.cloud_verdicts_after.unwrap_or(0),
        reports: sync.reports.len(),
    };
    shape.validate().map_err(|errors| {
        let errors = errors.field_errors();
        if errors.contains_key("entries") || errors.contains_key("reports") {
            let limit = format!("A request has at most {MAX_BATCH_ENTRIES} entries, and as many reports.");
            return Problem::too_large(format!("{limit} Send fewer at once."));
        }
        Problem::not_json("savedThrough, erasuresAfter or cloudVerdictsAfter is larger than any position.")
    })?;
    match sync.entries.iter().position(|entry| entry.get().len() > MAX_KEPT_ENTRY_BYTES) {
        None => Ok(sync),
        Some(index) => Err(Problem::too_large(format!(
            "The entry with index {index} has more than {MAX_KEPT_ENTRY_BYTES} bytes. Send the others without it."
        ))),
    }
}
