//! Invariants 7 and 8 on a real PostgreSQL: the same leads give the same rows, whatever the order and the batches in
//! which they arrive; the tables hold what the pure folds say of the log; and a projection that was interrupted or begun
//! again holds what it held.

use std::time::Duration;

use crate::QUICK;
use crate::captures::{
    CAMPAIGN, capture, corrects, erases, event, follow_up, lead_id, next, record, record_events, refused,
    released, reported, rows, withdraws,
};
use domain::{FollowUpEvent, RefusalReason, ReleaseOutcome, Timestamp};
use event_store::testing::fresh_store;
use event_store::{EventLog, NewEvent, PostgresLog, head, read_after};
use projections::fold::{Devices, LeadViews, Quarantine};
use projections::{ALL, Runner, RunnerOptions, catch_up, devices, quarantine, wait_for};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};
use sqlx::PgPool;

const TABLES: [&str; 5] = ["leads", "lead_follow_ups", "contacts", "quarantine", "device_sequences"];

/// What is appended next to one stream.
#[derive(Debug, Clone)]
enum Step {
    Append(Box<NewEvent>),
    /// The number of the lead.
    Erase(u32),
}

/// Streams, each in its order; and in which order and batches they arrive.
#[derive(Debug, Clone)]
struct Arrival {
    /// The stream of each next step.
    order: Vec<usize>,
    append_batch: usize,
    page_events: u32,
}

fn arrival(streams: &[Vec<Step>]) -> impl Strategy<Value = Arrival> + use<> {
    let order: Vec<usize> =
        streams.iter().enumerate().flat_map(|(stream, steps)| vec![stream; steps.len()]).collect();
    (Just(order).prop_shuffle(), 1_usize..6, 1_u32..6)
        .prop_map(|(order, append_batch, page_events)| Arrival { order, append_batch, page_events })
}

fn arriving(streams: &[Vec<Step>], arrival: &Arrival) -> Vec<Step> {
    let mut streams: Vec<_> = streams.iter().map(|steps| steps.iter()).collect();
    arrival.order.iter().map(|stream| streams[*stream].next().unwrap().clone()).collect()
}

/// Long before any test runs: no grant is noted for later than it is recorded.
fn at(hour: u32, minute: u32) -> Timestamp {
    format!("2020-05-23T{hour}:{minute:02}:00+02:00").parse().unwrap()
}

prop_compose! {
    /// What a version of a lead says. Few values, so that leads collide.
    fn words()(
        email in prop_oneof![
            1 => Just(None), 3 => Just(Some("a@example.com")), 1 => Just(Some("A@Example.com")), 1 => Just(Some("b@example.com")),
        ],
        name in prop_oneof![Just("Anna"), Just("anna"), Just("Żaneta")],
        // Closer together than PostgreSQL's microseconds, and in two zones.
        captured_at in prop_oneof![
            Just("2020-05-23T14:00:00.0000001+02:00"),
            Just("2020-05-23T12:00:00.0000009Z"),
            Just("2020-05-23T14:00:01+02:00"),
            Just("0001-01-01T00:00:00+10:00"),
            Just("9998-12-31T23:59:59.999999999-10:00"),
        ],
        clock_offset_ms in prop::option::of(prop_oneof![Just(-1), Just(7_200_000)]),
        phone in prop::option::of(prop_oneof![Just("501502503"), Just("+48501502504")]),
        grants in prop::collection::vec((0_u32..2, 1_u32..3, 10_u32..14), 0..3),
        campaign in prop_oneof![4 => Just(CAMPAIGN), 1 => Just("unknown-2031")],
    ) -> Value {
        json!({
            "contact": { "firstName": name, "lastName": "Nowak", "email": email, "phone": phone },
            "capturedAt": captured_at,
            "clockOffsetMs": clock_offset_ms,
            "campaignId": campaign,
            "consents": grants.into_iter().map(|(id, version, hour)| json!({
                "id": format!("c{id}"), "textVersion": version, "language": "pl", "grantedAt": at(hour, 0),
            })).collect::<Vec<_>>(),
        })
    }
}

/// How a version is said.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    Said,
    Voided,
    Refused,
    RefusedAndReleased,
    /// Refused first, and recorded in the same version afterwards.
    RefusedAndSaid,
}

fn kind() -> impl Strategy<Value = Kind> {
    prop_oneof![
        6 => Just(Kind::Said),
        2 => Just(Kind::Voided),
        1 => Just(Kind::Refused),
        1 => Just(Kind::RefusedAndReleased),
        1 => Just(Kind::RefusedAndSaid),
    ]
}

/// What a device says of a lead, version by version.
fn said(number: u32, versions: &[(Kind, Value)]) -> Vec<Step> {
    let mut steps = Vec::new();
    for (version, (kind, words)) in (1_u32..).zip(versions) {
        let mut entry = capture(number);
        entry.as_object_mut().unwrap().extend(words.as_object().unwrap().clone());
        entry["version"] = version.into();
        // Some numbers are left out, and so missing.
        entry["deviceSeq"] = (number * 5 + version).into();
        entry["deviceId"] = format!("ipad-{}", number % 2).into();
        entry["kind"] = match kind {
            _ if version == 1 => "captured",
            Kind::Voided => "voided",
            _ => "corrected",
        }
        .into();
        let mut bad = entry.clone();
        bad["contact"]["email"] = "a@".into();
        let mut push = |event: NewEvent| steps.push(Step::Append(Box::new(event)));
        match kind {
            Kind::Said | Kind::Voided => push(event(&entry)),
            Kind::Refused => push(refused(&bad, RefusalReason::Invalid)),
            Kind::RefusedAndReleased => {
                push(refused(&bad, RefusalReason::Unsupported));
                push(released(&bad, ReleaseOutcome::Dismissed));
            }
            Kind::RefusedAndSaid => {
                push(refused(&bad, RefusalReason::Invalid));
                push(event(&entry));
            }
        }
    }
    steps
}

fn office() -> impl Strategy<Value = FollowUpEvent> {
    prop_oneof![
        1 => Just(corrects(json!({ "firstName": "Ola", "email": "B@example.com" }))),
        1 => Just(corrects(json!({ "phone": "+48501502505" }))),
        3 => (0..2, 10_u32..13).prop_map(|(consent, hour)| FollowUpEvent::ConsentWithdrawn {
            consent_id: format!("c{consent}"),
            by: None,
            at: at(hour, 30),
        }),
    ]
}

/// What the office does with a lead, in its order; an erasure comes last.
fn followed(number: u32, events: &[FollowUpEvent], is_erased: bool) -> Vec<Step> {
    let append = |(sequence, event)| Step::Append(Box::new(follow_up(number, sequence, event)));
    let mut steps: Vec<Step> = (1..).zip(events).map(append).collect();
    steps.extend(is_erased.then_some(Step::Erase(number)));
    steps
}

fn streams() -> impl Strategy<Value = Vec<Vec<Step>>> {
    let lead = (
        prop_oneof![
            2 => prop::collection::vec((Just(Kind::Said), words()), 1),
            3 => prop::collection::vec((kind(), words()), 1..4),
        ],
        prop_oneof![Just(Vec::new()), prop::collection::vec(office(), 0..4)],
        prop::bool::weighted(0.15),
    );
    prop::collection::vec(lead, 1..9).prop_map(|leads| {
        let mut streams = vec![vec![Step::Append(Box::new(reported("ipad-1", 30)))]];
        for (number, (versions, events, is_erased)) in (0..).zip(leads) {
            streams.push(said(number, &versions));
            streams.push(followed(number, &events, is_erased));
        }
        streams
    })
}

async fn empty(pool: &PgPool) {
    for statement in [
        "TRUNCATE events, email_claims, refused_submissions, erased_leads, leads, lead_follow_ups, contacts,
                  quarantine, device_sequences, projection_cursors, parked_events",
        "UPDATE log_head SET position = 0",
    ] {
        sqlx::query(statement).execute(pool).await.unwrap();
    }
}

async fn begin_again(pool: &PgPool) {
    sqlx::query(&format!("TRUNCATE {}", TABLES.join(", "))).execute(pool).await.unwrap();
    sqlx::query("UPDATE projection_cursors SET position = 0").execute(pool).await.unwrap();
    catch_up(pool).await.unwrap();
}

async fn reach_head(pool: &PgPool, runner: &Runner) {
    runner.wake();
    let head = head(pool).await.unwrap().position;
    for projection in &ALL {
        wait_for(pool, projection, head, Duration::from_secs(30)).await.unwrap();
    }
}

/// Lets everything arrive while a runner works; answers the rows that do not depend on the order.
async fn rows_after(pool: &PgPool, streams: &[Vec<Step>], arrival: &Arrival) -> [Vec<String>; 3] {
    empty(pool).await;
    let options =
        RunnerOptions { page_events: arrival.page_events, poll_interval: Duration::from_millis(50), ..QUICK };
    let runner = Runner::spawn(pool.clone(), options);
    let log = PostgresLog::new(pool.clone());
    for batch in arriving(streams, arrival).chunks(arrival.append_batch) {
        let mut events = Vec::new();
        for step in batch {
            match step {
                Step::Append(event) => events.push((**event).clone()),
                Step::Erase(number) => {
                    record_events(pool, &std::mem::take(&mut events)).await;
                    log.erase(lead_id(*number).parse().unwrap(), &erases()).await.unwrap();
                }
            }
        }
        record_events(pool, &events).await;
        runner.wake();
    }
    reach_head(pool, &runner).await;
    runner.shutdown().await;
    [rows(pool, "leads").await, rows(pool, "lead_follow_ups").await, rows(pool, "contacts").await]
}

/// What the pure folds say of the log, and what the tables hold.
async fn assert_tables_are_the_folds(pool: &PgPool) -> Result<(), TestCaseError> {
    let (mut leads, mut quarantined, mut sequences) =
        (LeadViews::default(), Quarantine::default(), Devices::default());
    for event in read_after(pool, 0, 10_000).await.unwrap() {
        leads.apply(&event).unwrap();
        quarantined.apply(&event).unwrap();
        sequences.apply(&event).unwrap();
    }
    prop_assert_eq!(stored_leads(pool).await, folded_leads(&leads));
    prop_assert_eq!(stored_contacts(pool).await, folded_contacts(&leads));
    let listed = quarantine::list(pool, 0, 10_000).await.unwrap();
    prop_assert_eq!(listed.iter().collect::<Vec<_>>(), quarantined.submissions());
    let known = sequences.iter().map(|(device_id, sequences)| (device_id.clone(), sequences.clone()));
    prop_assert_eq!(devices::list(pool).await.unwrap(), known.collect());
    Ok(())
}

fn folded_leads(views: &LeadViews) -> Vec<Value> {
    let lead = |view: &projections::fold::LeadView| {
        json!({
            "clientId": view.client_id, "position": view.position, "version": view.version,
            "isVoided": view.is_voided, "deviceId": view.device_id, "deviceSeq": view.device_seq,
            "campaignId": view.campaign_id, "contactKey": view.contact_key().key,
            "firstName": view.first_name, "email": view.email, "phone": view.phone,
            "clockOffsetMs": view.clock_offset_ms, "consents": view.consents, "withdrawn": view.withdrawn,
        })
    };
    views.views().map(lead).collect()
}

async fn stored_leads(pool: &PgPool) -> Vec<Value> {
    sqlx::query_scalar(
        "SELECT json_build_object('clientId', client_id, 'position', position, 'version', version,
             'isVoided', is_voided, 'deviceId', device_id, 'deviceSeq', device_seq,
             'campaignId', campaign_id, 'contactKey', contact_key,
             'firstName', first_name, 'email', email, 'phone', phone,
             'clockOffsetMs', clock_offset_ms, 'consents', consents, 'withdrawn', coalesce(withdrawn, '[]'))
         FROM leads ORDER BY client_id",
    )
    .fetch_all(pool)
    .await
    .unwrap()
}

fn folded_contacts(views: &LeadViews) -> Vec<Value> {
    let contact = |(key, contact): (projections::fold::ContactKey, projections::fold::Contact)| {
        json!({
            "campaignId": key.campaign_id, "contactKey": key.key, "leadCount": contact.lead_count,
            "first": contact.first.client_id, "email": contact.email,
            "phone": contact.phone.map(|(_, phone)| phone),
            "names": contact.names, "consents": contact.consents, "withdrawn": contact.withdrawn,
        })
    };
    views.contacts().into_iter().map(contact).collect()
}

async fn stored_contacts(pool: &PgPool) -> Vec<Value> {
    sqlx::query_scalar(
        "SELECT json_build_object('campaignId', campaign_id, 'contactKey', contact_key, 'leadCount', lead_count,
             'first', first_client_id, 'email', email, 'phone', phone,
             'names', names, 'consents', consents, 'withdrawn', withdrawn)
         FROM contacts ORDER BY campaign_id, contact_key",
    )
    .fetch_all(pool)
    .await
    .unwrap()
}

/// Whole rows.
async fn tables(pool: &PgPool) -> Vec<Vec<String>> {
    let mut tables = Vec::new();
    for table in TABLES {
        let sql = format!("SELECT to_jsonb(t)::text FROM {table} t ORDER BY 1");
        tables.push(sqlx::query_scalar(&sql).fetch_all(pool).await.unwrap());
    }
    tables
}

#[test]
fn any_order_and_any_batches_of_arrival_give_the_same_rows() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let (pool, _) = runtime.block_on(fresh_store());
    let cases = streams().prop_flat_map(|streams| {
        let (one, other) = (arrival(&streams), arrival(&streams));
        (Just(streams), one, other)
    });
    TestRunner::new(Config { cases: 32, failure_persistence: None, ..Config::default() })
        .run(&cases, |(streams, one, other)| {
            runtime.block_on(async {
                let rows_of_one = rows_after(&pool, &streams, &one).await;
                assert_tables_are_the_folds(&pool).await?;
                let live = tables(&pool).await;
                begin_again(&pool).await;
                prop_assert_eq!(tables(&pool).await, live);
                prop_assert_eq!(&rows_after(&pool, &streams, &other).await, &rows_of_one);
                Ok(())
            })
        })
        .unwrap();
}

/// An ordinary capture is merged into its contact without a look at the contact's other leads, but not where a
/// withdrawal among these reaches over to it, whether the contact is there or all its leads were taken back.
#[tokio::test]
async fn a_withdrawal_reaches_an_ordinary_capture_that_comes_later() {
    let (pool, _) = fresh_store().await;
    let of = |number: u32, email: &str| {
        let mut lead = capture(number);
        lead["contact"]["email"] = email.into();
        lead
    };
    let pages = [
        vec![event(&of(1, "a@example.com")), event(&of(2, "b@example.com"))],
        vec![
            follow_up(1, 1, &withdraws("terms", "15:00:00")),
            follow_up(2, 1, &withdraws("terms", "15:00:00")),
        ],
        vec![event(&next(&of(2, "b@example.com"), "voided", |_| {}))],
        vec![event(&of(3, "A@example.com")), event(&of(4, "b@example.com"))],
    ];
    for page in pages {
        record_events(&pool, &page).await;
        catch_up(&pool).await.unwrap();
    }
    let held: Vec<(i64, Value, Value)> =
        sqlx::query_as("SELECT lead_count, consents, withdrawn FROM contacts ORDER BY contact_key")
            .fetch_all(&pool)
            .await
            .unwrap();
    let withdrawn = json!([{ "id": "terms", "withdrawnAt": crate::captures::at("15:00:00") }]);
    assert_eq!(held, [(2, json!([]), withdrawn.clone()), (1, json!([]), withdrawn)]);
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
    catch_up(&pool).await.unwrap();
    let live = tables(&pool).await;
    assert_eq!((live[0].len(), live[2].len()), (50, 7));
    begin_again(&pool).await;
    assert_eq!(tables(&pool).await, live);
}
