//! What the log holds, and a store to append it to.

use domain::{
    AppendId, DEVICE_REPORT_STREAM, DeviceReport, DeviceReportEvent, Digest, FOLLOW_UP_STREAM, FollowUpEvent,
    LEAD_STREAM, LeadEvent, Refusal, RefusalReason, Release, ReleaseOutcome, SUBMISSION_STREAM,
    SubmissionEvent, Timestamp, erased_entry, erased_submission,
};
use event_store::{NewEvent, RecordedEvent, append};
use serde_json::{Value, json};
use sqlx::PgPool;

pub(crate) const CAMPAIGN: &str = "shootout-2026";

pub(crate) fn lead_id(number: u32) -> String {
    format!("0197f3c2-5c1e-7c3a-9d64-{number:012}")
}

/// A capture as the wire has it; tests change what they are about.
pub(crate) fn capture(number: u32) -> Value {
    json!({
        "kind": "captured", "clientId": lead_id(number), "version": 1, "deviceId": "ipad-7", "deviceSeq": number,
        "campaignId": CAMPAIGN, "campaignVersion": 1, "capturedAt": "2026-05-23T14:03:11.12+02:00",
        "contact": { "firstName": "Anna", "lastName": "Nowak", "email": format!("anna{number}@example.com") },
        "consents": [{ "id": "terms", "textVersion": 1, "language": "pl", "grantedAt": "2026-05-23T14:03:10+02:00" }]
    })
}

pub(crate) fn captures(numbers: impl IntoIterator<Item = u32>) -> Vec<Value> {
    numbers.into_iter().map(capture).collect()
}

/// The same lead in a later version.
pub(crate) fn next(lead: &Value, kind: &str, change: impl FnOnce(&mut Value)) -> Value {
    let mut next = lead.clone();
    next["kind"] = kind.into();
    next["version"] = (lead["version"].as_u64().unwrap() + 1).into();
    change(&mut next);
    next
}

/// An entry as the event that a store records of it.
pub(crate) fn event(entry: &Value) -> NewEvent {
    let payload = entry.to_string();
    let metadata = entry.get("testFlags").and_then(Value::as_str).map(|flags| ("flags", flags.to_owned()));
    NewEvent {
        aggregate_type: LEAD_STREAM,
        aggregate_id: entry["clientId"].as_str().unwrap().to_owned(),
        sequence: entry["version"].as_u64().unwrap(),
        event_type: match entry["kind"].as_str().unwrap() {
            "captured" => "LeadCaptured",
            "corrected" => "LeadCorrected",
            _ => "LeadVoided",
        },
        event_version: LeadEvent::FORM_VERSION,
        digest: Digest::of(&payload),
        payload,
        metadata: metadata.into_iter().collect(),
        claim: None,
    }
}

fn json_event(
    stream: &'static str,
    id: String,
    sequence: u32,
    name: &'static str,
    payload: String,
) -> NewEvent {
    NewEvent {
        aggregate_type: stream,
        aggregate_id: id,
        sequence: sequence.into(),
        event_type: name,
        event_version: "1",
        digest: Digest::of(&payload),
        payload,
        metadata: Vec::new(),
        claim: None,
    }
}

/// What the office did, as its event.
pub(crate) fn follow_up(number: u32, sequence: u32, event: &FollowUpEvent) -> NewEvent {
    let payload = serde_json::to_string(event).unwrap();
    json_event(FOLLOW_UP_STREAM, lead_id(number), sequence, event.name(), payload)
}

pub(crate) fn at(time: &str) -> Timestamp {
    format!("2026-05-23T{time}+02:00").parse().unwrap()
}

pub(crate) fn withdraws(consent: &str, time: &str) -> FollowUpEvent {
    FollowUpEvent::ConsentWithdrawn { consent_id: consent.to_owned(), by: None, at: at(time) }
}

pub(crate) fn corrects(contact: Value) -> FollowUpEvent {
    let contact = serde_json::from_value(contact).unwrap();
    FollowUpEvent::ContactCorrected { contact, by: Some("Ola".to_owned()), at: at("18:00:00") }
}

pub(crate) fn erases() -> FollowUpEvent {
    FollowUpEvent::LeadErased { by: None, at: at("19:00:00") }
}

/// A refused entry, as its event.
pub(crate) fn refused(entry: &Value, reason: RefusalReason) -> NewEvent {
    let raw = entry.to_string();
    let text = |field: &str| entry[field].as_str().map(str::to_owned);
    let number = |field: &str| entry[field].as_u64();
    let refusal = Refusal {
        client_id: text("clientId"),
        version: number("version").map(|version| version.try_into().unwrap()),
        device_id: text("deviceId"),
        device_seq: number("deviceSeq"),
        reason,
        errors: Vec::new(),
        raw,
    };
    let digest = refusal.digest().to_string();
    let event = SubmissionEvent::Refused(refusal);
    let payload = serde_json::to_string(&event).unwrap();
    json_event(SUBMISSION_STREAM, digest, 1, "SubmissionRefused", payload)
}

/// That somebody has dealt with a refused entry.
pub(crate) fn released(entry: &Value, outcome: ReleaseOutcome) -> NewEvent {
    let release = Release { by: None, at: at("20:00:00"), outcome };
    let payload = serde_json::to_string(&SubmissionEvent::Released(release)).unwrap();
    let digest = Digest::of(&entry.to_string()).to_string();
    json_event(SUBMISSION_STREAM, digest, 2, "SubmissionReleased", payload)
}

pub(crate) fn reported(device: &str, saved_through: u32) -> NewEvent {
    let event = DeviceReportEvent::Reported(DeviceReport {
        device_id: device.parse().unwrap(),
        saved_through: saved_through.into(),
        heard_at: at("15:00:00"),
    });
    let payload = serde_json::to_string(&event).unwrap();
    json_event(DEVICE_REPORT_STREAM, device.to_owned(), saved_through, event.name(), payload)
}

/// An event as a reader of the log sees it, for folds that need no store.
pub(crate) fn recorded_event(position: u64, event: NewEvent) -> RecordedEvent {
    let mut metadata: serde_json::Map<String, Value> =
        event.metadata.into_iter().map(|(key, value)| (key.to_owned(), value.into())).collect();
    metadata.insert("digest".to_owned(), event.digest.to_string().into());
    RecordedEvent {
        position,
        append_id: AppendId::from_bits(1),
        recorded_at: at("23:00:00").moment(),
        aggregate_type: event.aggregate_type.to_owned(),
        aggregate_id: event.aggregate_id,
        sequence: event.sequence,
        event_type: event.event_type.to_owned(),
        event_version: event.event_version.to_owned(),
        payload: event.payload,
        metadata: Value::Object(metadata).to_string(),
    }
}

/// A recorded entry as a reader of the log sees it.
pub(crate) fn recorded(position: u64, entry: &Value) -> RecordedEvent {
    recorded_event(position, event(entry))
}

/// What an erasure leaves of an event of the person's streams, as the log keeps it.
pub(crate) fn emptied(event: &RecordedEvent) -> RecordedEvent {
    let payload = match event.aggregate_type.as_str() {
        LEAD_STREAM => erased_entry(&event.payload).unwrap(),
        SUBMISSION_STREAM => erased_submission(&event.payload).unwrap(),
        _ => {
            let read: FollowUpEvent = serde_json::from_str(&event.payload).unwrap();
            serde_json::to_string(&read.without_personal_data()).unwrap()
        }
    };
    RecordedEvent { payload, metadata: "{}".to_owned(), ..event.clone() }
}

/// Appends in one commit.
pub(crate) async fn record(pool: &PgPool, captures: &[Value]) {
    record_events(pool, &captures.iter().map(event).collect::<Vec<_>>()).await;
}

pub(crate) async fn record_events(pool: &PgPool, events: &[NewEvent]) {
    append(&mut pool.acquire().await.unwrap(), events).await.unwrap();
}

/// The rows of a table as text, without what only this arrival knows.
pub(crate) async fn rows(pool: &PgPool, table: &str) -> Vec<String> {
    let sql = format!(
        "SELECT (to_jsonb(t) - '{{position,recorded_at,version_recorded_at,heard_at,heard_position}}'::text[])::text
         FROM {table} t"
    );
    let mut rows: Vec<String> = sqlx::query_scalar(&sql).fetch_all(pool).await.unwrap();
    rows.sort_unstable();
    rows
}
