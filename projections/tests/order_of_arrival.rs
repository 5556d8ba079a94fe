//! Invariants 7 and 8 on a real PostgreSQL: the same leads give the same rows, whatever the order and the batches in
//! which they arrive, and however the projection is interrupted or begun again.

#![expect(clippy::unwrap_used, reason = "a test ends where it fails")]

mod captures;

use std::time::Duration;

use captures::{CAMPAIGN, capture, lead_id, record, recorded, rows};
use event_store::{head, testing::fresh_store};
use projections::{ALL, CapturedLead, Contact, Runner, RunnerOptions, wait_for};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};
use sqlx::PgPool;

#[derive(Debug, Clone)]
struct Arrival {
    order: Vec<usize>,
    append_batch: usize,
    page_events: u32,
}

fn arrival(leads: usize) -> impl Strategy<Value = Arrival> {
    (Just((0..leads).collect::<Vec<_>>()).prop_shuffle(), 1_usize..6, 1_u32..6)
        .prop_map(|(order, append_batch, page_events)| Arrival { order, append_batch, page_events })
}

prop_compose! {
    fn lead()(
        email in prop_oneof![Just(None), Just(Some("a@example.com")), Just(Some("A@Example.com")), Just(Some("b@example.com"))],
        name in prop_oneof![Just("Anna"), Just("anna"), Just("Żaneta")],
        // Closer together than PostgreSQL's microseconds, and in two zones.
        captured_at in prop_oneof![
            Just("2026-05-23T14:00:00.0000001+02:00"),
            Just("2026-05-23T12:00:00.0000009Z"),
            Just("2026-05-23T14:00:01+02:00"),
            Just("0001-01-01T00:00:00+10:00"),
            Just("9998-12-31T23:59:59.999999999-10:00"),
        ],
        phone in prop::option::of(prop_oneof![Just("501502503"), Just("+48501502504")]),
        grants in prop::collection::vec((0_u32..2, 1_u32..3, 0_u32..2), 0..3),
        campaign in prop_oneof![Just(CAMPAIGN), Just("unknown-2031")],
    ) -> Value {
        json!({
            "contact": { "firstName": name, "lastName": "Nowak", "email": email, "phone": phone },
            "capturedAt": captured_at,
            "campaignId": campaign,
            "consents": grants.into_iter().map(|(id, version, second)| json!({
                "id": format!("c{id}"), "textVersion": version, "language": "pl",
                "grantedAt": format!("2026-05-23T14:00:0{second}+02:00"),
            })).collect::<Vec<_>>(),
        })
    }
}

fn numbered(parts: Vec<Value>) -> Vec<Value> {
    let number = |(number, part): (usize, Value)| {
        let mut capture = capture(u32::try_from(number).unwrap());
        capture.as_object_mut().unwrap().extend(part.as_object().unwrap().clone());
        capture
    };
    parts.into_iter().enumerate().map(number).collect()
}

async fn empty(pool: &PgPool) {
    for statement in [
        "TRUNCATE events, email_claims, leads, contacts, projection_cursors, parked_events",
        "UPDATE log_head SET position = 0",
    ] {
        sqlx::query(statement).execute(pool).await.unwrap();
    }
}

async fn reach_head(pool: &PgPool, runner: &Runner) {
    runner.wake();
    let head = head(pool).await.unwrap().position;
    for projection in &ALL {
        wait_for(pool, projection, head, Duration::from_secs(30)).await.unwrap();
    }
}

/// Lets the leads arrive while a runner works, and answers the rows of both projections.
async fn rows_after(pool: &PgPool, leads: &[Value], arrival: &Arrival) -> [Vec<String>; 2] {
    empty(pool).await;
    let options = RunnerOptions {
        page_events: arrival.page_events,
        poll_interval: Duration::from_millis(50),
        gather: Duration::ZERO,
    };
    let runner = Runner::spawn(pool.clone(), options);
    let arriving: Vec<Value> = arrival.order.iter().map(|place| leads[*place].clone()).collect();
    for batch in arriving.chunks(arrival.append_batch) {
        record(pool, batch).await;
        runner.wake();
    }
    reach_head(pool, &runner).await;
    runner.shutdown().await;
    [rows(pool, "contacts").await, rows(pool, "leads").await]
}

/// What the pure fold says about the stored contacts, in the parts that can be told without SQL.
fn expected(leads: &[Value]) -> Vec<(String, String, i64)> {
    let read =
        |(position, lead): (u64, &Value)| CapturedLead::read(&recorded(position, lead)).unwrap().unwrap();
    let leads: Vec<CapturedLead> = (1..).zip(leads).map(read).collect();
    Contact::fold(&leads)
        .into_iter()
        .map(|(key, contact)| {
            let json = json!([contact.names, contact.consents]).to_string();
            (format!("{} {}", key.campaign_id, key.key), json, contact.lead_count.cast_signed())
        })
        .collect()
}

async fn stored(pool: &PgPool) -> Vec<(String, String, i64)> {
    let rows: Vec<(String, Value, Value, i64)> = sqlx::query_as(
        "SELECT campaign_id || ' ' || contact_key, names, consents, lead_count FROM contacts
         ORDER BY campaign_id, contact_key",
    )
    .fetch_all(pool)
    .await
    .unwrap();
    rows.into_iter()
        .map(|(key, names, consents, count)| (key, json!([names, consents]).to_string(), count))
        .collect()
}

#[test]
fn any_order_and_any_batches_of_arrival_give_the_same_rows() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let (pool, _) = runtime.block_on(fresh_store());
    let cases = prop::collection::vec(lead(), 1..14).prop_map(numbered).prop_flat_map(|leads| {
        let count = leads.len();
        (Just(leads), arrival(count), arrival(count))
    });
    TestRunner::new(Config { cases: 24, failure_persistence: None, ..Config::default() })
        .run(&cases, |(leads, one, other)| {
            runtime.block_on(async {
                let rows_of_one = rows_after(&pool, &leads, &one).await;
                prop_assert_eq!(stored(&pool).await, expected(&leads));
                prop_assert_eq!(&rows_after(&pool, &leads, &other).await, &rows_of_one);
                Ok(())
            })
        })
        .unwrap();
}

#[tokio::test]
async fn a_projection_that_begins_again_gives_the_same_rows() {
    let (pool, _) = fresh_store().await;
    let mut leads: Vec<Value> = (0..50).map(capture).collect();
    for lead in &mut leads {
        lead["contact"]["email"] =
            format!("anna{}@example.com", lead["deviceSeq"].as_u64().unwrap() % 7).into();
    }
    leads[3]["clientId"] = lead_id(99).into();
    record(&pool, &leads).await;
    projections::catch_up(&pool).await.unwrap();
    let live = [rows(&pool, "contacts").await, rows(&pool, "leads").await];
    assert_eq!((live[0].len(), live[1].len()), (7, 50));

    for statement in ["TRUNCATE leads, contacts", "UPDATE projection_cursors SET position = 0"] {
        sqlx::query(statement).execute(&pool).await.unwrap();
    }
    projections::catch_up(&pool).await.unwrap();
    assert_eq!([rows(&pool, "contacts").await, rows(&pool, "leads").await], live);
}
