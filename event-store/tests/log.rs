//! The log's promises, against a real PostgreSQL.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::sync::Arc;

use cqrs_es::CqrsFramework;
use cqrs_es::persist::PersistedEventStore;
use domain::{
    AppendId, Campaigns, Digest, Email, EmbeddedCampaigns, Entry, LEAD_STREAM, Lead, LeadCommand, LeadEvent,
    Receipt,
};
use event_store::testing::fresh_store;
use event_store::{AppendError, Appended, EmailClaim, NewEvent, append, head, holds_receipts, read_after};
use postgres_es::PostgresEventRepository;
use sqlx::PgPool;

fn lead_id(number: u32) -> String {
    format!("0197f3c2-5c1e-7c3a-9d64-{number:012}")
}

fn captured(number: u32, first_name: &str, email: &str) -> NewEvent {
    let payload = serde_json::json!({
        "kind": "captured", "clientId": lead_id(number), "version": 1, "deviceId": "ipad-7", "deviceSeq": number,
        "campaignId": "shootout-2026", "campaignVersion": 1, "capturedAt": "2026-05-23T14:03:11.12+02:00",
        "contact": { "firstName": first_name, "lastName": "Nowak", "email": email },
        "consents": [{ "id": "terms", "textVersion": 1, "language": "pl", "grantedAt": "2026-05-23T14:03:10+02:00" }]
    })
    .to_string();
    NewEvent {
        aggregate_type: LEAD_STREAM,
        aggregate_id: lead_id(number),
        sequence: 1,
        event_type: "LeadCaptured",
        event_version: LeadEvent::FORM_VERSION,
        digest: Digest::of(&payload),
        payload,
        metadata: Vec::new(),
        claim: Some(EmailClaim {
            campaign: "shootout-2026".parse().unwrap(),
            email: Email::parse(email).unwrap().key(),
        }),
    }
}

fn batch(numbers: impl IntoIterator<Item = u32>) -> Vec<NewEvent> {
    numbers.into_iter().map(|number| captured(number, "Anna", &format!("anna{number}@example.com"))).collect()
}

async fn append_in(pool: &PgPool, events: &[NewEvent]) -> Result<Vec<Appended>, AppendError> {
    append(&mut pool.acquire().await.unwrap(), events).await
}

/// `max(position) = count(*)`, the head agrees, and reading in pages sees each position once.
async fn assert_gapless(pool: &PgPool, expected: u64) {
    let (count, newest): (i64, i64) =
        sqlx::query_as("SELECT count(*), coalesce(max(position), 0) FROM events")
            .fetch_one(pool)
            .await
            .unwrap();
    assert_eq!((count.cast_unsigned(), newest.cast_unsigned()), (expected, expected));
    assert_eq!(head(pool).await.unwrap().position, expected);
    let mut cursor = 0;
    while let Some(last) = read_after(pool, cursor, 7).await.unwrap().into_iter().fold(None, |last, event| {
        assert_eq!(event.position, last.unwrap_or(cursor) + 1, "invariant 11");
        Some(event.position)
    }) {
        cursor = last;
    }
    assert_eq!(cursor, expected);
}

#[tokio::test]
async fn appending_again_changes_nothing_and_says_where_it_stands() {
    let (pool, _) = fresh_store().await;
    let first = append_in(&pool, &batch(1..=5)).await.unwrap();
    assert!(first.iter().all(|event| event.is_new && event.is_same && event.email_holder.is_none()));
    assert_eq!(first.iter().map(|event| event.position).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);

    let again = append_in(&pool, &batch(1..=5)).await.unwrap();
    for (first, again) in first.iter().zip(&again) {
        assert_eq!((again.position, again.append_id), (first.position, first.append_id));
        assert!(!again.is_new && again.is_same);
    }
    assert_gapless(&pool, 5).await;
}

#[tokio::test]
async fn a_batch_that_is_part_known_appends_the_rest_without_a_gap() {
    let (pool, _) = fresh_store().await;
    append_in(&pool, &batch([2, 4])).await.unwrap();
    let mixed = append_in(&pool, &batch(1..=5)).await.unwrap();
    assert_eq!(mixed.iter().map(|event| event.is_new).collect::<Vec<_>>(), [true, false, true, false, true]);
    assert_gapless(&pool, 5).await;
}

#[tokio::test]
async fn other_bytes_under_the_same_key_are_told_apart_and_change_nothing() {
    let (pool, _) = fresh_store().await;
    append_in(&pool, &batch([1])).await.unwrap();
    let other = append_in(&pool, &[captured(1, "Ala", "ala@example.com")]).await.unwrap();
    assert!(!other[0].is_new && !other[0].is_same);

    // In one call, too: the first counts.
    let twins = [captured(2, "Anna", "a2@example.com"), captured(2, "Ala", "b2@example.com")];
    let both = append_in(&pool, &twins).await.unwrap();
    assert_eq!(
        [both[0].is_new, both[0].is_same, both[1].is_new, both[1].is_same],
        [true, true, false, false]
    );
    assert_gapless(&pool, 2).await;
}

#[tokio::test]
async fn the_first_lead_with_an_email_holds_it_and_the_others_are_told_who() {
    let (pool, _) = fresh_store().await;
    let shared = |number| captured(number, "Anna", "anna@example.com");
    let answers = append_in(&pool, &[shared(1), shared(2)]).await.unwrap();
    assert_eq!(answers[0].email_holder, None);
    let holder = Some((lead_id(1).parse().unwrap(), answers[0].position));
    assert_eq!(answers[1].email_holder, holder);
    assert_eq!(append_in(&pool, &[shared(3)]).await.unwrap()[0].email_holder, holder);
    assert_eq!(
        append_in(&pool, &[shared(2)]).await.unwrap()[0].email_holder,
        holder,
        "and again when it is resent"
    );
    assert_gapless(&pool, 3).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_same_and_crossing_batches_from_20_connections_give_one_row_each() {
    let (pool, _) = fresh_store().await;
    let tasks: Vec<_> = (0..20_u32)
        .map(|caller| {
            let pool = pool.clone();
            tokio::spawn(async move {
                // Everyone sends 1..=40, each rotated differently, cut in two, so that batches cross.
                let mut numbers: Vec<u32> = (1..=40).collect();
                numbers.rotate_left((caller as usize * 7) % 40);
                let mut created = 0;
                for half in numbers.chunks(20) {
                    let answers = append_in(&pool, &batch(half.iter().copied())).await.unwrap();
                    assert!(answers.iter().all(|event| event.is_same));
                    created += answers.iter().filter(|event| event.is_new).count();
                }
                created
            })
        })
        .collect();
    let mut created = 0;
    for task in tasks {
        created += task.await.unwrap();
    }
    assert_eq!(created, 40, "exactly one caller was told that an event is new");
    assert_gapless(&pool, 40).await;
}

#[tokio::test]
async fn content_that_the_database_refuses_leaves_no_trace() {
    let (pool, _) = fresh_store().await;
    let mut events = batch(1..=3);
    events[1].payload = "{not json".to_owned();
    let refused = append_in(&pool, &events).await.unwrap_err();
    assert!(matches!(refused, AppendError::Content(_)), "{refused:?}");
    assert_gapless(&pool, 0).await;
    append_in(&pool, &batch(1..=3)).await.unwrap();
    assert_gapless(&pool, 3).await;
}

#[tokio::test]
async fn payloads_are_kept_to_the_byte_with_fields_that_nobody_knows() {
    let (pool, _) = fresh_store().await;
    let mut event = captured(1, "Zażółć", "zazolc@example.com");
    event.payload = event.payload.replacen('{', "{ \"favourite\" :  \"3×3 🏀\", \"favourite\": 1.10,", 1);
    append_in(&pool, std::slice::from_ref(&event)).await.unwrap();
    let stored = read_after(&pool, 0, 10).await.unwrap();
    assert_eq!(stored[0].payload, event.payload);
}

#[tokio::test]
async fn a_receipt_is_proof_of_this_history_and_of_no_other() {
    let (pool, _) = fresh_store().await;
    let (other, _) = fresh_store().await;
    let store = head(&pool).await.unwrap().store_id;
    let appended = append_in(&pool, &batch([1])).await.unwrap().remove(0);
    append_in(&other, &batch([1])).await.unwrap();
    let receipt = Receipt { store_id: store, position: appended.position, append_id: appended.append_id };
    let asked = [
        receipt,
        Receipt { position: 2, ..receipt },
        Receipt { append_id: AppendId::from_bits(7), ..receipt },
        Receipt { position: u64::MAX, ..receipt },
        receipt,
    ];
    assert_eq!(holds_receipts(&pool, &asked).await.unwrap(), [true, false, false, false, true]);
    assert_eq!(holds_receipts(&other, &[receipt]).await.unwrap(), [false], "same position, other append");
}

#[tokio::test]
async fn postgres_es_reads_and_appends_to_the_same_log() {
    let (pool, _) = fresh_store().await;
    append_in(&pool, &batch([1])).await.unwrap();

    let store = PersistedEventStore::<PostgresEventRepository, Lead>::new_event_store(
        PostgresEventRepository::new(pool.clone()),
    );
    let campaigns: Arc<dyn Campaigns + Send + Sync> = Arc::new(EmbeddedCampaigns);
    let leads = CqrsFramework::new(store, Vec::new(), campaigns);
    let entry = |number: u32| -> Entry { serde_json::from_str(&batch([number])[0].payload).unwrap() };

    // It appends: with a position of its own, between our appends.
    leads.execute(&lead_id(2), LeadCommand::Capture(entry(2))).await.unwrap();
    append_in(&pool, &batch([3])).await.unwrap();
    assert_gapless(&pool, 3).await;
    let events = read_after(&pool, 0, 10).await.unwrap();
    assert_eq!(
        (events[1].aggregate_id.as_str(), events[1].event_type.as_str()),
        (lead_id(2).as_str(), "LeadCaptured")
    );
    assert_eq!(serde_json::from_str::<LeadEvent>(&events[1].payload).unwrap().entry(), &entry(2));

    // It reads what our appends wrote: the aggregate knows that the lead exists.
    let again = leads.execute(&lead_id(1), LeadCommand::Capture(entry(1))).await.unwrap_err();
    assert!(again.to_string().contains("captured already"), "{again}");
    assert_gapless(&pool, 3).await;
}
