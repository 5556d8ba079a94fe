//! What an erasure leaves of a recorded event.

use domain::{
    FOLLOW_UP_STREAM, FollowUpEvent, LEAD_STREAM, SUBMISSION_STREAM, erased_entry, erased_submission,
};

use crate::event::DIGEST_KEY;

/// What is left when nothing of a payload can be kept.
const NOTHING: &str = "{}";

/// The payload without what says who the person is. What cannot be read goes altogether.
pub(crate) fn without_person(aggregate_type: &str, payload: &str) -> String {
    let left = match aggregate_type {
        LEAD_STREAM => erased_entry(payload),
        SUBMISSION_STREAM => erased_submission(payload),
        FOLLOW_UP_STREAM => serde_json::from_str::<FollowUpEvent>(payload)
            .and_then(|event| serde_json::to_string(&event.without_personal_data()))
            .ok(),
        _ => None,
    };
    left.unwrap_or_else(|| NOTHING.to_owned())
}

/// The metadata without the digest of what was received: it could prove a guess.
pub(crate) fn without_digest(metadata: &str) -> String {
    match serde_json::from_str(metadata) {
        Ok(serde_json::Value::Object(mut fields)) => {
            fields.remove(DIGEST_KEY);
            serde_json::Value::Object(fields).to_string()
        }
        _ => NOTHING.to_owned(),
    }
}

/// The payload of the event, if it is one that erases.
pub(crate) fn payload_of(event: &FollowUpEvent) -> Option<String> {
    matches!(event, FollowUpEvent::LeadErased { .. }).then(|| serde_json::to_string(event).ok()).flatten()
}
