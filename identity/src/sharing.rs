//! Enrolments that a hub and its cloud tell each other, so that a device that came in at the one is known at the other.
//!
//! What travels is the whole stream of an enrolment by which a device came in, never an offer that still works: a code is good
//! in the store that made it. Telling it again is harmless.

use std::collections::BTreeMap;

use domain::{Digest, ENROLMENT_STREAM, Enrolment, EnrolmentEvent, EnrolmentId, FeedEvent};
use event_store::{AppendError, EventLog, LogError, NewEvent, PostgresLog, RecordedEvent};
use serde_json::value::RawValue;

/// Why nothing was taken in.
#[derive(Debug, thiserror::Error)]
pub enum SharingError {
    /// The log cannot be read.
    #[error(transparent)]
    Read(#[from] LogError),
    /// Nothing was appended.
    #[error(transparent)]
    Append(#[from] AppendError),
}

/// What another store is told of an enrolment; nothing while no device has come in by it.
///
/// # Errors
/// When the log does not answer.
pub async fn shared_enrolment(log: &PostgresLog, id: &EnrolmentId) -> Result<Vec<FeedEvent>, LogError> {
    let stream = log.read_stream(ENROLMENT_STREAM, id.as_str()).await?;
    let has_device = stream.iter().any(|event| event.event_type == EnrolmentEvent::NAMES[0]);
    Ok(if has_device { stream.into_iter().filter_map(shared).collect() } else { Vec::new() })
}

/// An event as another store is told it; `None` when it is no JSON.
pub fn shared(event: RecordedEvent) -> Option<FeedEvent> {
    Some(FeedEvent {
        aggregate_type: event.aggregate_type,
        aggregate_id: event.aggregate_id,
        sequence: event.sequence,
        event_type: event.event_type,
        event_version: event.event_version,
        payload: RawValue::from_string(event.payload).ok()?,
    })
}

/// Records what another store has told of enrolments, and answers those of which nothing was recorded, because they are not
/// whole, or the log says something else of them.
///
/// # Errors
/// When the log does not answer; all or nothing was recorded.
pub async fn take_in_enrolments(
    log: &PostgresLog,
    told: &[FeedEvent],
) -> Result<Vec<EnrolmentId>, SharingError> {
    // By their places: what is told may be told twice.
    let mut streams: BTreeMap<EnrolmentId, BTreeMap<u64, &FeedEvent>> = BTreeMap::new();
    for event in told.iter().filter(|event| event.aggregate_type == ENROLMENT_STREAM) {
        if let Ok(id) = event.aggregate_id.parse() {
            streams.entry(id).or_default().insert(event.sequence, event);
        }
    }
    let (mut news, mut refused) = (Vec::new(), Vec::new());
    for (id, stream) in streams {
        let known = log.read_stream(ENROLMENT_STREAM, id.as_str()).await?;
        match news_of(&known, stream.into_values()) {
            Some(events) => news.extend(events),
            None => refused.push(id),
        }
    }
    if !news.is_empty() {
        log.append(&news).await?;
    }
    Ok(refused)
}

/// What the log has not got of a stream; `None` when that is not whole, or does not fit.
fn news_of<'t>(known: &[RecordedEvent], told: impl Iterator<Item = &'t FeedEvent>) -> Option<Vec<NewEvent>> {
    let mut known = known.iter();
    let (mut enrolment, mut news) = (Enrolment::default(), Vec::new());
    for event in told {
        let is_in_place = event.sequence == enrolment.events() + 1;
        let said = read(event).filter(|said| is_in_place && enrolment.may_go_on_with(said))?;
        match known.next() {
            Some(known) => {
                let recorded: EnrolmentEvent = serde_json::from_str(&known.current_payload().ok()?).ok()?;
                // Both stores may have shut it out, each at a time of its own.
                let are_both_revoked = matches!(
                    (&recorded, &said),
                    (EnrolmentEvent::Revoked { .. }, EnrolmentEvent::Revoked { .. })
                );
                (recorded == said || are_both_revoked).then_some(())?;
            }
            None => news.push(as_new(event, &said)),
        }
        enrolment.evolve(said);
    }
    enrolment.device().is_some().then_some(news)
}

fn read(event: &FeedEvent) -> Option<EnrolmentEvent> {
    let said: EnrolmentEvent = serde_json::from_str(event.payload.get()).ok()?;
    let is_known = event.event_type == said.name() && event.event_version == EnrolmentEvent::FORM_VERSION;
    is_known.then_some(said)
}

fn as_new(event: &FeedEvent, said: &EnrolmentEvent) -> NewEvent {
    let payload = event.payload.get().to_owned();
    NewEvent {
        aggregate_type: ENROLMENT_STREAM,
        aggregate_id: event.aggregate_id.clone(),
        sequence: event.sequence,
        event_type: said.name(),
        event_version: EnrolmentEvent::FORM_VERSION,
        digest: Digest::of(&payload),
        payload,
        metadata: Vec::new(),
        claim: None,
    }
}
