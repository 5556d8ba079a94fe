//! Events to append in tests.

use domain::{
    ClientId, DEVICE_REPORT_STREAM, Digest, Email, FollowUpEvent, LEAD_STREAM, LeadEvent, Refusal,
    RefusalReason, SUBMISSION_STREAM, SubmissionEvent, Timestamp,
};
use serde_json::json;

use crate::{EmailClaim, NewEvent};

/// The lead with this number.
pub fn lead(number: u32) -> ClientId {
    format!("0197f3c2-5c1e-7c3a-9d64-{number:012}").parse().unwrap()
}

/// A version of a lead, with an address of the lead's own.
pub fn version(number: u32, version: u32) -> NewEvent {
    entry(number, version, "Anna", &format!("anna{number}@example.com"))
}

/// First versions of leads.
pub fn captures(numbers: impl IntoIterator<Item = u32>) -> Vec<NewEvent> {
    numbers.into_iter().map(|number| version(number, 1)).collect()
}

/// A version of a lead.
pub fn entry(number: u32, version: u32, first_name: &str, email: &str) -> NewEvent {
    let kind = if version == 1 { "captured" } else { "corrected" };
    let claim =
        EmailClaim { campaign: "shootout-2026".parse().unwrap(), email: Email::parse(email).unwrap().key() };
    lead_event(number, version, kind, first_name, email, Some(claim))
}

/// A version that takes the lead back.
pub fn void(number: u32, version: u32) -> NewEvent {
    lead_event(number, version, "voided", "Anna", &format!("anna{number}@example.com"), None)
}

fn lead_event(
    number: u32,
    version: u32,
    kind: &str,
    first_name: &str,
    email: &str,
    claim: Option<EmailClaim>,
) -> NewEvent {
    let payload = json!({
        "kind": kind, "clientId": lead(number), "version": version,
        "deviceId": "ipad-7", "deviceSeq": number * 100 + version,
        "campaignId": "shootout-2026", "campaignVersion": 1, "capturedAt": "2026-05-23T14:03:11.12+02:00",
        "operator": "Ola",
        "contact": { "firstName": first_name, "lastName": "Nowak", "email": email },
        "consents": [{ "id": "terms", "textVersion": 1, "language": "pl", "grantedAt": "2026-05-23T14:03:10+02:00" }]
    })
    .to_string();
    let event: LeadEvent = serde_json::from_str(&payload).unwrap();
    NewEvent {
        aggregate_type: LEAD_STREAM,
        aggregate_id: lead(number).to_string(),
        sequence: u64::from(version),
        event_type: event.name(),
        event_version: LeadEvent::FORM_VERSION,
        digest: Digest::of(&payload),
        payload,
        metadata: vec![("flags", "clock-ahead".to_owned())],
        claim,
    }
}

/// A refused version of a lead. `raw` makes it another submission.
pub fn refused(number: u32, version: u32, raw: &str) -> NewEvent {
    // Upper case, as a device may well write it.
    let client_id = Some(lead(number).to_string().to_uppercase());
    refusal(client_id, Some(version), raw)
}

/// A refused submission that names no lead.
pub fn refused_scrap(raw: &str) -> NewEvent {
    refusal(Some("no lead\u{0}".to_owned()), None, raw)
}

fn refusal(client_id: Option<String>, version: Option<u32>, raw: &str) -> NewEvent {
    let digest = Digest::of(raw);
    let event = SubmissionEvent::Refused(Refusal {
        client_id,
        version,
        device_id: None,
        device_seq: None,
        reason: RefusalReason::Invalid,
        errors: Vec::new(),
        raw: raw.to_owned(),
    });
    NewEvent {
        aggregate_type: SUBMISSION_STREAM,
        aggregate_id: digest.to_string(),
        sequence: 1,
        event_type: event.name(),
        event_version: SubmissionEvent::FORM_VERSION,
        payload: serde_json::to_string(&event).unwrap(),
        digest,
        metadata: Vec::new(),
        claim: None,
    }
}

/// Something that is no lead, in a stream of its own, with a sequence that leaves others out.
pub fn other(stream: &str, sequence: u64) -> NewEvent {
    let payload = json!({ "kind": "reported", "number": sequence }).to_string();
    NewEvent {
        aggregate_type: DEVICE_REPORT_STREAM,
        aggregate_id: stream.to_owned(),
        sequence,
        event_type: "DeviceReported",
        event_version: "1",
        digest: Digest::of(&payload),
        payload,
        metadata: Vec::new(),
        claim: None,
    }
}

/// The wish to erase a person.
pub fn erasure() -> FollowUpEvent {
    let at: Timestamp = "2026-05-24T09:00:00Z".parse().unwrap();
    FollowUpEvent::LeadErased { by: Some("office".to_owned()), at }
}
