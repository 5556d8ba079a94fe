//! One entry on its way: the event that records it, and the result that grows out of it.

use domain::{
    Accepted, Bearer, DeviceId, Digest, EntryResult, ErrorCode, FieldError, LEAD_STREAM, LeadEvent, Refusal,
    RefusalReason, SUBMISSION_STREAM, SubmissionEvent, Verdict,
};
use event_store::{Appended, EmailClaim, NewEvent, Placed};

use crate::Outcome;

/// What is known so far of one entry.
pub(crate) struct Recording<'r> {
    raw: &'r str,
    /// The installation that made it, and its number there.
    device: Option<(DeviceId, u64)>,
    /// Who brought it.
    bearer: Bearer,
    /// Whether its event is one of this request, and not one that the log had before.
    is_new: bool,
    /// Whether it is recorded as refused, and not in its lead's stream.
    is_refusal: bool,
    /// The event of a later version, kept because it may have to wait.
    later_version: Option<NewEvent>,
    /// The event of a refusal that the append brought to light, and that nobody has recorded yet.
    refusal: Option<NewEvent>,
    result: EntryResult,
}

impl<'r> Recording<'r> {
    /// An entry that obeys the rules: an event in the lead's stream, with the bytes as received.
    pub(crate) fn of_accepted(
        accepted: Accepted,
        raw: &'r str,
        sender: Option<&DeviceId>,
    ) -> (Self, NewEvent) {
        let device = accepted.event.entry().device_id.clone();
        let bearer = Bearer::of(Some(&device), sender);
        let device = Some((device, accepted.event.entry().device_seq));
        let version = accepted.event.entry().version;
        let flags = accepted.flags.clone();
        let event = lead_event(accepted, raw, &bearer);
        let recording = Self {
            raw,
            device,
            bearer,
            is_new: false,
            is_refusal: false,
            later_version: (version > 1).then(|| event.clone()),
            refusal: None,
            result: EntryResult {
                client_id: Some(event.aggregate_id.clone()),
                version: Some(version),
                flags,
                ..unanswered(Verdict::Created)
            },
        };
        (recording, event)
    }

    /// An entry that breaks a rule: an event in the stream of its digest.
    pub(crate) fn of_refusal(refusal: Refusal, raw: &'r str, sender: Option<&DeviceId>) -> (Self, NewEvent) {
        let device: Option<DeviceId> = refusal.device_id.as_ref().and_then(|id| id.parse().ok());
        let bearer = Bearer::of(device.as_ref(), sender);
        let recording = Self {
            raw,
            device: device.zip(refusal.device_seq),
            bearer,
            is_new: false,
            is_refusal: true,
            later_version: None,
            refusal: None,
            result: EntryResult {
                client_id: refusal.client_id.clone(),
                version: refusal.version,
                errors: refusal.errors.clone(),
                ..unanswered(refusal.reason.verdict())
            },
        };
        let event = refusal_event(refusal, &recording.bearer);
        (recording, event)
    }

    /// Takes what became of the event. Answers why, when the log refuses even the refusal of this entry.
    pub(crate) fn settle<'o>(&mut self, outcome: &'o Outcome) -> Option<&'o str> {
        match outcome {
            Outcome::Placed(Placed::At(appended)) if self.is_refusal || appended.is_same => {
                self.appended(appended);
            }
            Outcome::Placed(Placed::At(_)) => self.refuse(RefusalReason::Conflict, Vec::new()),
            Outcome::Placed(Placed::Waiting) => self.result.status = Verdict::Waiting,
            Outcome::Placed(Placed::Erased) => {
                self.result.status = Verdict::Erased;
                self.result.errors.clear();
                self.result.flags.clear();
            }
            Outcome::Rejected { sqlstate } if self.is_refusal => return Some(sqlstate),
            Outcome::Rejected { sqlstate } => {
                let error = FieldError::new("", ErrorCode::UnstorableText)
                    .with_detail(format!("the database refuses it with SQLSTATE {sqlstate}"));
                self.refuse(RefusalReason::Invalid, vec![error]);
            }
        }
        None
    }

    /// The event of a refusal that is still to be recorded.
    pub(crate) fn take_refusal(&mut self) -> Option<NewEvent> {
        self.refusal.take()
    }

    /// The event to try again, of a version that waits.
    pub(crate) fn waiting(&self) -> Option<NewEvent> {
        self.later_version.clone().filter(|_| self.result.status == Verdict::Waiting)
    }

    /// The installation that made it, and its number there, if this event is its voice in the log: that installation sent
    /// it, and nobody had brought it before.
    pub(crate) fn voice(&self) -> Option<(&DeviceId, u64)> {
        self.own_number().filter(|_| self.is_new)
    }

    /// The installation that made it, and its number there, if that installation sent it.
    pub(crate) fn own_number(&self) -> Option<(&DeviceId, u64)> {
        let device = self.device.as_ref().filter(|_| self.bearer == Bearer::Maker);
        device.map(|(device, number)| (device, *number))
    }

    /// What the sender is told.
    pub(crate) fn into_result(self) -> EntryResult {
        self.result
    }

    fn refuse(&mut self, reason: RefusalReason, errors: Vec<FieldError>) {
        self.is_refusal = true;
        self.result.status = reason.verdict();
        self.result.errors.clone_from(&errors);
        let refusal = Refusal {
            client_id: self.result.client_id.clone(),
            version: self.result.version,
            device_id: self.device.as_ref().map(|(device, _)| device.to_string()),
            device_seq: self.device.as_ref().map(|(_, number)| *number),
            reason,
            errors,
            raw: self.raw.to_owned(),
        };
        self.refusal = Some(refusal_event(refusal, &self.bearer));
    }

    /// The event that records this entry stands in the log.
    fn appended(&mut self, appended: &Appended) {
        self.is_new = appended.is_new;
        self.result.position = Some(appended.position);
        self.result.append_id = Some(appended.append_id);
        if self.is_refusal {
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
}

/// The event of an entry that obeys the rules.
fn lead_event(accepted: Accepted, raw: &str, bearer: &Bearer) -> NewEvent {
    let entry = accepted.event.entry();
    NewEvent {
        aggregate_type: LEAD_STREAM,
        aggregate_id: entry.client_id.to_string(),
        sequence: u64::from(entry.version),
        event_type: accepted.event.name(),
        event_version: LeadEvent::FORM_VERSION,
        payload: raw.to_owned(),
        digest: accepted.digest,
        metadata: metadata(&accepted, bearer),
        claim: accepted.email.map(|email| EmailClaim { campaign: entry.campaign_id.clone(), email }),
    }
}

fn refusal_event(refusal: Refusal, bearer: &Bearer) -> NewEvent {
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
        metadata: bearer.metadata().into_iter().collect(),
        claim: None,
    }
}

/// What was found when it was judged, and who brought it. Most leads have nothing of it.
fn metadata(accepted: &Accepted, bearer: &Bearer) -> Vec<(&'static str, String)> {
    let mut metadata = Vec::from_iter(bearer.metadata());
    if !accepted.flags.is_empty() {
        let names: Vec<&str> = accepted.flags.iter().map(|flag| flag.as_str()).collect();
        metadata.push(("flags", names.join(",")));
    }
    metadata.extend(accepted.phone_plan.as_ref().map(|plan| ("phonePlan", plan.to_string())));
    metadata
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
