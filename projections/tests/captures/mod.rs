//! Captures as the log holds them, and a store to append them to.
#![expect(dead_code, reason = "every test program uses its part")]

use domain::{AppendId, Digest, LEAD_STREAM, LeadEvent};
use event_store::{NewEvent, RecordedEvent, append};
use serde_json::{Value, json};
use sqlx::PgPool;
use time::OffsetDateTime;

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

pub(crate) fn event(capture: &Value) -> NewEvent {
    let payload = capture.to_string();
    let metadata = capture.get("testFlags").and_then(Value::as_str).map(|flags| ("flags", flags.to_owned()));
    NewEvent {
        aggregate_type: LEAD_STREAM,
        aggregate_id: capture["clientId"].as_str().unwrap().to_owned(),
        sequence: 1,
        event_type: "LeadCaptured",
        event_version: LeadEvent::FORM_VERSION,
        digest: Digest::of(&payload),
        payload,
        metadata: metadata.into_iter().collect(),
        claim: None,
    }
}

/// The same event as a reader of the log sees it, for folds that need no store.
pub(crate) fn recorded(position: u64, capture: &Value) -> RecordedEvent {
    let event = event(capture);
    let metadata: serde_json::Map<String, Value> =
        event.metadata.into_iter().map(|(key, value)| (key.to_owned(), value.into())).collect();
    RecordedEvent {
        position,
        append_id: AppendId::from_bits(1),
        recorded_at: OffsetDateTime::UNIX_EPOCH,
        aggregate_type: event.aggregate_type.to_owned(),
        aggregate_id: event.aggregate_id,
        sequence: 1,
        event_type: event.event_type.to_owned(),
        event_version: event.event_version.to_owned(),
        payload: event.payload,
        metadata: Value::Object(metadata).to_string(),
    }
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
    let sql = format!("SELECT (to_jsonb(t) - 'position' - 'recorded_at')::text FROM {table} t");
    let mut rows: Vec<String> = sqlx::query_scalar(&sql).fetch_all(pool).await.unwrap();
    rows.sort_unstable();
    rows
}
