//! One entry on its way: the event that records it, and the result that grows out of it.

use domain::{
    Accepted, Digest, EntryResult, ErrorCode, FieldError, Flag, LEAD_STREAM, LeadEvent, Refusal,
    RefusalReason, SUBMISSION_STREAM, SubmissionEvent, Verdict,
};
use event_store::{Appended, EmailClaim, NewEvent};

/// What is known so far of one entry.
pub(super) struct Recording {
    result: EntryResult,
}

impl Recording {
    /// An entry that obeys the rules: an event in the lead's stream, with the bytes as received.
    pub(super) fn of_accepted(accepted: Accepted, raw: &str) -> (Self, NewEvent) {
        let entry = accepted.event.entry();
        let event = NewEvent {
            aggregate_type: LEAD_STREAM,
            aggregate_id: entry.client_id.to_string(),
            sequence: entry.version,
            event_type: accepted.event.name(),
            event_version: LeadEvent::FORM_VERSION,
            payload: raw.to_owned(),
            digest: accepted.digest,
            metadata: flags_metadata(&accepted.flags),
            claim: accepted.email.map(|email| EmailClaim { campaign: entry.campaign_id.clone(), email }),
        };
        let recording = Self {
            result: EntryResult {
                client_id: Some(event.aggregate_id.clone()),
                version: Some(entry.version),
                flags: accepted.flags,
                ..unanswered(Verdict::Created)
            },
        };
        (recording, event)
    }

    /// An entry that breaks a rule: an event in the stream of its digest.
    pub(super) fn of_refusal(refusal: Refusal) -> (Self, NewEvent) {
        let result = EntryResult {
            client_id: refusal.client_id.clone(),
            version: refusal.version,
            errors: refusal.errors.clone(),
            ..unanswered(refusal.reason.verdict())
        };
        (Self { result }, refusal_event(refusal))
    }

    /// The same lead and version is in the log with other bytes. Returns the event that records it.
    pub(super) fn turn_into_conflict(&mut self, raw: &str) -> NewEvent {
        self.turn_into_refusal(raw, RefusalReason::Conflict, Vec::new())
    }

    /// Only the database found that it cannot be stored. Returns the event that records it.
    pub(super) fn turn_into_invalid(&mut self, raw: &str, sqlstate: &str) -> NewEvent {
        let error = FieldError::new("", ErrorCode::UnstorableText)
            .with_detail(format!("the database refuses it with SQLSTATE {sqlstate}"));
        self.turn_into_refusal(raw, RefusalReason::Invalid, vec![error])
    }

    fn turn_into_refusal(&mut self, raw: &str, reason: RefusalReason, errors: Vec<FieldError>) -> NewEvent {
        self.result.status = reason.verdict();
        self.result.errors.clone_from(&errors);
        refusal_event(Refusal {
            client_id: self.result.client_id.clone(),
            version: self.result.version,
            reason,
            errors,
            raw: raw.to_owned(),
        })
    }

    /// The event that records this entry stands in the log.
    pub(super) fn appended(&mut self, appended: &Appended) {
        self.result.position = Some(appended.position);
        self.result.append_id = Some(appended.append_id);
        if !self.result.status.is_stored() {
            return;
        }
        self.result.server_id =
            Some(appended.email_holder.map_or(appended.position, |(_, position)| position));
        self.result.existing = appended.email_holder.map(|(client_id, _)| client_id);
        self.result.status = match (appended.is_new, appended.email_holder) {
            (false, _) => Verdict::Duplicate,
            (true, Some(_)) => Verdict::DuplicateEmail,
            (true, None) => Verdict::Created,
        };
    }

    /// What the sender is told.
    pub(super) fn into_result(self) -> EntryResult {
        self.result
    }
}

fn refusal_event(refusal: Refusal) -> NewEvent {
    let digest: Digest = refusal.digest();
    let event = SubmissionEvent::Refused(refusal);
    NewEvent {
        aggregate_type: SUBMISSION_STREAM,
        aggregate_id: digest.to_string(),
        sequence: 1,
        event_type: event.name(),
        event_version: SubmissionEvent::FORM_VERSION,
        payload: serde_json::to_string(&event).unwrap_or_default(),
        digest,
        metadata: Vec::new(),
        claim: None,
    }
}

fn flags_metadata(flags: &[Flag]) -> Vec<(&'static str, String)> {
    if flags.is_empty() {
        return Vec::new();
    }
    let names: Vec<&str> = flags.iter().map(|flag| flag.as_str()).collect();
    vec![("flags", names.join(","))]
}

fn unanswered(status: Verdict) -> EntryResult {
    EntryResult {
        client_id: None,
        version: None,
        status,
        position: None,
        append_id: None,
        server_id: None,
        existing: None,
        errors: Vec::new(),
        flags: Vec::new(),
    }
}
