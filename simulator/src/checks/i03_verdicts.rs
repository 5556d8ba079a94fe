//! A verdict ⇒ committed and flushed; and a receipt names the very entry it was given for. Checked on every
//! answer that leaves a store, against what is durable in that moment.

use domain::{Digest, LEAD_STREAM, SUBMISSION_STREAM, SyncRequest, SyncResponse, Verdict};
use event_store::MemoryLog;

use super::{Violation, digest_of, event_at};

/// An answer leaves a store with this log.
///
/// # Errors
/// When it says something that the log does not hold.
pub fn when_answered(
    log: &MemoryLog,
    request: &SyncRequest<'_>,
    response: &SyncResponse,
) -> Result<(), Violation> {
    if response.results.len() != request.entries.len() {
        let (results, entries) = (response.results.len(), request.entries.len());
        return Err(Violation::new(3, format!("{results} results for {entries} entries")));
    }
    for (entry, result) in request.entries.iter().zip(&response.results) {
        let stream = match result.status {
            Verdict::Created | Verdict::Duplicate | Verdict::DuplicateEmail => LEAD_STREAM,
            Verdict::Invalid | Verdict::Conflict | Verdict::Unsupported | Verdict::Quarantined => {
                SUBMISSION_STREAM
            }
            // Nothing was recorded, and nothing is claimed.
            Verdict::Waiting | Verdict::Erased => continue,
        };
        let event = result.position.and_then(|position| event_at(log, position));
        let is_held = event.is_some_and(|event| {
            event.aggregate_type == stream
                && Some(event.append_id) == result.append_id
                && digest_of(&event) == Some(Digest::of(entry.get()).to_string())
                && (stream == SUBMISSION_STREAM || event.payload == entry.get())
        });
        if !is_held {
            let (id, version) = (result.client_id.as_deref().unwrap_or("?"), result.version.unwrap_or(0));
            let what = format!(
                "{:?} for {id}/{version} at {:?} is not what the log holds",
                result.status, result.position
            );
            return Err(Violation::new(3, what));
        }
    }
    Ok(())
}
