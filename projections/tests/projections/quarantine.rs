//! What is in the quarantine, what leaves it, and how it is exported.

use crate::captures::{
    capture, emptied, erases, event, follow_up, lead_id, next, record_events, recorded_event, refused,
    released,
};
use domain::RefusalReason::{Conflict, Invalid, Unsupported};
use domain::ReleaseOutcome;
use event_store::NewEvent;
use event_store::testing::fresh_store;
use futures_util::TryStreamExt;
use projections::fold::Quarantine;
use projections::quarantine::{QuarantineFormat, export, list};
use projections::{catch_up, quarantine};
use serde_json::{Value, json};
use sqlx::PgPool;

fn folded(events: impl IntoIterator<Item = NewEvent>) -> Quarantine {
    let mut quarantine = Quarantine::default();
    for (position, event) in (1..).zip(events) {
        quarantine.apply(&recorded_event(position, event)).unwrap();
    }
    quarantine
}

fn positions(events: impl IntoIterator<Item = NewEvent>) -> Vec<u64> {
    folded(events).submissions().iter().map(|submission| submission.position).collect()
}

/// The same lead and version, mended.
fn mended(entry: &Value) -> Value {
    let mut mended = entry.clone();
    mended["operator"] = "Ola".into();
    mended
}

#[test]
fn a_refusal_stays_until_it_is_released_or_recorded_after_all() {
    let entry = capture(1);
    let bad = refused(&entry, Invalid);
    assert_eq!(positions([bad.clone()]), [1]);
    assert_eq!(positions([bad.clone(), released(&entry, ReleaseOutcome::Dismissed)]), [0; 0]);
    assert_eq!(positions([bad.clone(), event(&entry)]), [0; 0], "the very same bytes");
    assert_eq!(positions([bad.clone(), event(&mended(&entry))]), [0; 0], "the same version of the same lead");
    assert_eq!(positions([bad.clone(), event(&capture(2))]), [1], "another lead");
    let fix = next(&entry, "corrected", |_| {});
    assert_eq!(positions([bad, event(&fix)]), [1], "another version");
}

#[test]
fn a_conflict_with_what_was_recorded_before_stays() {
    let entry = capture(1);
    assert_eq!(positions([event(&entry), refused(&mended(&entry), Conflict)]), [2]);
}

#[test]
fn what_only_a_newer_program_understands_waits_for_it() {
    let mut newer = capture(1);
    newer["kind"] = "transferred".into();
    let unsupported = refused(&newer, Unsupported);
    assert_eq!(positions([unsupported.clone(), event(&capture(2))]), [1]);
    assert_eq!(positions([unsupported, event(&capture(1))]), [0; 0]);
}

#[test]
fn an_id_in_another_spelling_is_the_same_lead_and_what_no_column_holds_is_replaced() {
    let mut entry = capture(1);
    entry["clientId"] = lead_id(1).to_uppercase().into();
    assert_eq!(positions([refused(&entry, Invalid), event(&capture(1))]), [0; 0]);
    entry["clientId"] = "no\0id".into();
    entry["deviceSeq"] = u64::MAX.into();
    let quarantine = folded([refused(&entry, Invalid)]);
    let kept = quarantine.submissions()[0];
    assert_eq!((kept.client_id.as_deref(), kept.device_seq), (Some("no\u{fffd}id"), None));
}

#[test]
fn who_sent_it_is_named_also_when_the_entry_does_not_say_who_made_it() {
    let mut nameless = capture(1);
    nameless.as_object_mut().unwrap().remove("deviceId");
    let by = |sender: &str| NewEvent {
        metadata: vec![("sender", sender.to_owned())],
        ..refused(&nameless, Invalid)
    };
    let sent_by = |event| folded([event]).submissions()[0].sent_by.clone();
    assert_eq!(sent_by(by("ipad-9")).as_deref(), Some("ipad-9"));
    assert_eq!(sent_by(by("")), None);
    assert_eq!(sent_by(refused(&capture(1), Invalid)).as_deref(), Some("ipad-7"), "the one that made it");
}

#[test]
fn an_erasure_empties_the_entry_and_a_log_that_it_emptied_gives_the_same() {
    let log: Vec<_> = (1..)
        .zip([refused(&capture(1), Invalid), refused(&capture(2), Invalid), follow_up(1, 1, &erases())])
        .map(|(position, event)| recorded_event(position, event))
        .collect();
    let (mut live, mut rebuilt) = (Quarantine::default(), Quarantine::default());
    for event in &log {
        live.apply(event).unwrap();
        rebuilt.apply(&if event.position == 1 { emptied(event) } else { event.clone() }).unwrap();
    }
    assert!(live == rebuilt);
    let raws: Vec<bool> = live.submissions().iter().map(|submission| submission.raw.is_empty()).collect();
    assert_eq!(raws, [true, false]);
}

async fn exported(pool: &PgPool, format: QuarantineFormat) -> String {
    let chunks: Vec<_> = export(pool.clone(), format).try_collect().await.unwrap();
    String::from_utf8(chunks.concat()).unwrap()
}

#[tokio::test]
async fn the_table_is_listed_and_exported_in_the_order_of_the_log() {
    let (pool, _) = fresh_store().await;
    let mut odd = capture(2);
    odd["deviceId"] = "=1+1".into();
    odd["contact"] = json!({ "lastName": "Gęślą; \"Jaźń\"" });
    let events = [
        refused(&capture(1), Invalid),
        refused(&odd, Unsupported),
        refused(&capture(3), Conflict),
        event(&capture(1)),
    ];
    for event in &events {
        record_events(&pool, std::slice::from_ref(event)).await;
    }
    catch_up(&pool).await.unwrap();

    let listed = list(&pool, 0, 10).await.unwrap();
    assert_eq!(listed.iter().map(|one| one.position).collect::<Vec<_>>(), [2, 3]);
    assert_eq!((listed[0].reason, listed[1].reason), (Unsupported, Conflict));
    assert_eq!(listed[0].raw, odd.to_string());
    assert_eq!(list(&pool, 2, 10).await.unwrap(), listed[1..]);
    assert_eq!(quarantine::count(&pool).await.unwrap(), 2);

    let lines = exported(&pool, QuarantineFormat::Ndjson).await;
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 2);
    assert_eq!((&lines[0]["reason"], &lines[0]["clientId"]), (&"unsupported".into(), &lead_id(2).into()));
    assert_eq!(lines[0]["raw"], odd.to_string());

    let csv = exported(&pool, QuarantineFormat::Csv).await;
    let mut reader = ::csv::ReaderBuilder::new()
        .delimiter(b';')
        .from_reader(csv.strip_prefix('\u{feff}').unwrap().as_bytes());
    let cell = |row: &::csv::StringRecord, name: &str, headers: &::csv::StringRecord| {
        row[headers.iter().position(|header| header == name).unwrap()].to_owned()
    };
    let headers = reader.headers().unwrap().clone();
    let rows: Vec<_> = reader.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 2);
    assert_eq!(cell(&rows[0], "device_id", &headers), "'=1+1", "no formula");
    assert_eq!(cell(&rows[0], "entry", &headers), odd.to_string());
    assert_eq!(cell(&rows[1], "reason", &headers), "conflict");
}
