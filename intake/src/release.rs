//! Dealing with what was refused: recorded after all, or put aside.

use domain::{
    Campaigns, Digest, EntryResult, Refusal, Release, ReleaseOutcome, SUBMISSION_STREAM, SubmissionEvent,
    Timestamp, Verdict,
};
use event_store::{EventLog, NewEvent, Placed, RecordedEvent};
use serde_json::value::RawValue;

use crate::answer::{judge_entry, record_entries};
use crate::{IntakeError, Outcome, Recorder};

/// A submission that was released by this call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Released {
    /// Where the release stands in the log.
    pub position: u64,
    /// What became of the entry when it was judged again; `None` when it was dismissed.
    pub result: Option<EntryResult>,
}

/// Why a submission was not released. It prints without personal data.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReleaseError {
    /// The log has no refused submission of this digest.
    #[error("no refused submission has this digest")]
    NotFound,
    /// Somebody has dealt with it already. Nothing was released again.
    #[error("it was {} already, at {}", done(.0.outcome), .0.at)]
    AlreadyReleased(Release),
    /// By today's rules it is no lead either: what stands against it. It stays where it is.
    #[error("today's rules refuse it, too: {}", objection(.0))]
    StillRefused(Box<EntryResult>),
    /// The person was erased, so there is nothing left to record. It can be dismissed.
    #[error("the person was erased, and the entry with them")]
    Erased,
    /// This program cannot read what the log holds of it.
    #[error("this program cannot read the event at position {position}; it may be of a newer one")]
    Unreadable {
        /// Where that stands in the log.
        position: u64,
    },
    /// The log is away or in trouble, and whether anything was recorded is not known. Trying again is harmless.
    #[error(transparent)]
    Unavailable(#[from] IntakeError),
}

/// Releases the refused submission of this digest (64 hexadecimal digits, as [`Digest`] prints).
///
/// [`ReleaseOutcome::Dismissed`] puts it aside. [`ReleaseOutcome::Recorded`] judges the entry again by today's
/// rules, with `at` as the store's clock, and releases it if the log has it as a lead then; otherwise nothing
/// changes. The lead comes first: a call that was interrupted between the two finds a duplicate when it is made
/// again, and goes on.
///
/// # Errors
/// See [`ReleaseError`].
pub async fn release<L: EventLog, R: Recorder>(
    log: &L,
    recorder: &R,
    campaigns: &dyn Campaigns,
    digest: &str,
    how: ReleaseOutcome,
    by: Option<String>,
    at: Timestamp,
) -> Result<Released, ReleaseError> {
    let found = find(log, digest).await?;
    let result = match how {
        ReleaseOutcome::Dismissed => None,
        ReleaseOutcome::Recorded => Some(record(recorder, campaigns, &found, at).await?),
    };
    let event = release_event(digest, Release { by, at, outcome: how });
    let recorded = recorder.record(vec![event], None).await?;
    match recorded.outcomes.first() {
        Some(Outcome::Placed(Placed::At(appended))) if appended.is_new => {
            Ok(Released { position: appended.position, result })
        }
        // Somebody else came first, since the look above.
        Some(Outcome::Placed(Placed::At(_))) => {
            find(log, digest).await?;
            Err(not_recorded("it stands there already and cannot be read"))
        }
        Some(Outcome::Rejected { sqlstate }) => Err(not_recorded(&format!("SQLSTATE {sqlstate}"))),
        _ => Err(not_recorded("the log does not take it")),
    }
}

/// What was refused, if nobody has dealt with it.
async fn find<L: EventLog>(log: &L, digest: &str) -> Result<Found, ReleaseError> {
    let stream = log.read_stream(SUBMISSION_STREAM, digest).await.map_err(IntakeError::from)?;
    let mut found = None;
    for event in &stream {
        match read(event)? {
            SubmissionEvent::Refused(refusal) => found = Some(Found { position: event.position, refusal }),
            SubmissionEvent::Released(release) => return Err(ReleaseError::AlreadyReleased(release)),
        }
    }
    found.ok_or(ReleaseError::NotFound)
}

/// A refusal, and where it stands in the log.
struct Found {
    position: u64,
    refusal: Refusal,
}

fn read(event: &RecordedEvent) -> Result<SubmissionEvent, ReleaseError> {
    event
        .current_payload()
        .ok()
        .and_then(|payload| serde_json::from_str(&payload).ok())
        .ok_or(ReleaseError::Unreadable { position: event.position })
}

/// Takes the entry as if it had come just now. A refusal of the same bytes is in the log already, so another one
/// changes nothing.
async fn record<R: Recorder>(
    recorder: &R,
    campaigns: &dyn Campaigns,
    found: &Found,
    at: Timestamp,
) -> Result<EntryResult, ReleaseError> {
    if found.refusal.raw.is_empty() {
        return Err(ReleaseError::Erased);
    }
    let entry: &RawValue = serde_json::from_str(&found.refusal.raw)
        .map_err(|_| ReleaseError::Unreadable { position: found.position })?;
    let (recording, event) = judge_entry(entry, None, campaigns, at);
    let mut recordings = [recording];
    record_entries(recorder, &mut recordings, vec![event], None).await?;
    let [recording] = recordings;
    let result = recording.into_result();
    match result.status {
        Verdict::Created | Verdict::Duplicate | Verdict::DuplicateEmail => Ok(result),
        Verdict::Erased => Err(ReleaseError::Erased),
        Verdict::Waiting
        | Verdict::Invalid
        | Verdict::Conflict
        | Verdict::Unsupported
        | Verdict::Quarantined => Err(ReleaseError::StillRefused(Box::new(result))),
    }
}

fn release_event(digest: &str, release: Release) -> NewEvent {
    let event = SubmissionEvent::Released(release);
    let payload = serde_json::to_string(&event).unwrap_or_default();
    NewEvent {
        aggregate_type: SUBMISSION_STREAM,
        aggregate_id: digest.to_owned(),
        sequence: 2,
        event_type: event.name(),
        event_version: SubmissionEvent::FORM_VERSION,
        digest: Digest::of(&payload),
        payload,
        metadata: Vec::new(),
        claim: None,
    }
}

fn not_recorded(why: &str) -> ReleaseError {
    IntakeError::Unavailable(format!("the release was not recorded: {why}")).into()
}

const fn done(outcome: ReleaseOutcome) -> &'static str {
    match outcome {
        ReleaseOutcome::Recorded => "released",
        ReleaseOutcome::Dismissed => "dismissed",
    }
}

/// What stands against an entry, for people. Fields and codes hold nothing that anybody typed.
fn objection(result: &EntryResult) -> String {
    match result.status {
        Verdict::Waiting => "the version before it is not here yet".to_owned(),
        Verdict::Conflict => "the same version of this lead is here with other bytes".to_owned(),
        Verdict::Unsupported => "this program is too old to understand it".to_owned(),
        _ => {
            let errors = result.errors.iter().map(|error| {
                let field = if error.field.is_empty() { "entry" } else { &error.field };
                let code = serde_json::to_value(error.code).ok();
                format!("{field} {}", code.as_ref().and_then(|code| code.as_str()).unwrap_or("wrong"))
            });
            errors.collect::<Vec<_>>().join(", ")
        }
    }
}
