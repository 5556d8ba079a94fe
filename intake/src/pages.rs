//! The two pages that an answer carries: who was erased, and what the cloud said.

use domain::{
    CLOUD_VERDICT_STREAM, ClientId, CloudVerdictEvent, CloudVerdictsAnswer, ErasuresAnswer, FOLLOW_UP_STREAM,
    FollowUpEvent, MAX_PAGE_ITEMS,
};
use event_store::{EventLog, LogError, RecordedEvent};

/// [`MAX_PAGE_ITEMS`] as a limit for reading.
const PAGE_LIMIT: u32 = MAX_PAGE_ITEMS as u32;

/// The erasures after `cursor`, as many as one answer carries.
pub(crate) async fn erasures<L: EventLog>(log: &L, cursor: u64) -> Result<ErasuresAnswer, LogError> {
    let follow_ups = log.read_kind_after(FOLLOW_UP_STREAM, cursor, PAGE_LIMIT).await?;
    Ok(ErasuresAnswer {
        through: follow_ups.last().map_or(cursor, |event| event.position),
        append_id: follow_ups.last().map(|event| event.append_id),
        client_ids: follow_ups.iter().filter_map(erased).collect(),
    })
}

fn erased(event: &RecordedEvent) -> Option<ClientId> {
    (event.event_type == FollowUpEvent::LEAD_ERASED).then(|| event.aggregate_id.parse().ok()).flatten()
}

/// A page of the cloud's verdicts.
pub(crate) struct CloudVerdicts {
    pub(crate) answer: CloudVerdictsAnswer,
    /// Whether it holds everything that was there after the cursor.
    pub(crate) is_complete: bool,
}

/// The verdicts of the cloud after `cursor`, as many as one answer carries.
pub(crate) async fn cloud_verdicts<L: EventLog>(log: &L, cursor: u64) -> Result<CloudVerdicts, LogError> {
    // One more than fits says whether there are more.
    let limit = PAGE_LIMIT + 1;
    let events = log.read_kind_after(CLOUD_VERDICT_STREAM, cursor, limit).await?;
    let mut answer = CloudVerdictsAnswer { through: cursor, verdicts: Vec::new() };
    for event in events.iter().take(MAX_PAGE_ITEMS) {
        // One that this program cannot read is a newer program's. Passing over it could turn a refusal into a
        // confirmation, so the page ends before it.
        let read = event.current_payload().ok().and_then(|payload| serde_json::from_str(&payload).ok());
        let Some(CloudVerdictEvent::Given(verdict)) = read else {
            tracing::error!(position = event.position, "a verdict of the cloud cannot be read");
            break;
        };
        answer.verdicts.push(verdict);
        answer.through = event.position;
    }
    let is_complete = events.last().is_none_or(|last| last.position == answer.through);
    Ok(CloudVerdicts { answer, is_complete })
}
