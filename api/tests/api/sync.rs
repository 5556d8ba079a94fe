//! Verdicts, receipts and what sending again does.

use domain::{FollowUpEvent, Receipt, Timestamp, Verdict};
use event_store::{EventLog, PostgresLog};
use serde_json::json;
use time::OffsetDateTime;

use crate::server::{Server, lead, lead_with};

#[actix_web::test]
async fn each_entry_gets_its_own_verdict_with_a_receipt() {
    let server = Server::start().await;
    let same_email = |number| lead_with(number, |lead| lead["contact"]["email"] = "anna1@example.com".into());
    let no_terms = lead_with(3, |lead| lead["consents"] = json!([]));
    let entries = [lead(1), same_email(2), no_terms];

    let results = server.sync(&entries).await;
    let verdicts: Vec<_> = results.iter().map(|result| result.status).collect();
    assert_eq!(verdicts, [Verdict::Created, Verdict::DuplicateEmail, Verdict::Invalid]);
    assert!(results.iter().all(|result| result.append_id.is_some()));
    let mut positions: Vec<_> = results.iter().map(|result| result.position.unwrap()).collect();
    positions.sort_unstable();
    assert_eq!(positions, [1, 2, 3]);
    assert_eq!(results[1].server_id, results[0].position, "people see the lead that it counts as");
    assert_eq!(results[1].existing.unwrap().to_string(), lead(1)["clientId"]);
    assert_eq!(results[2].errors[0].field, "consents.terms");

    // SYN-4: sending again changes nothing, and each receipt is the one from before.
    let again = server.sync(&entries).await;
    let verdicts: Vec<_> = again.iter().map(|result| result.status).collect();
    assert_eq!(verdicts, [Verdict::Duplicate, Verdict::Duplicate, Verdict::Invalid]);
    for (first, again) in results.iter().zip(&again) {
        assert_eq!((first.position, first.append_id), (again.position, again.append_id));
    }
    assert_eq!((server.count("LeadCaptured").await, server.count("SubmissionRefused").await), (2, 1));
}

#[actix_web::test]
async fn other_content_under_the_same_id_is_a_conflict_and_both_are_kept() {
    let server = Server::start().await;
    let other = lead_with(1, |lead| lead["contact"]["firstName"] = "Ala".into());
    assert_eq!(server.verdicts(&[lead(1)]).await, [Verdict::Created]);
    let conflict = server.sync(std::slice::from_ref(&other)).await.remove(0);
    assert_eq!((conflict.status, conflict.position), (Verdict::Conflict, Some(2)));
    assert_eq!(server.sync(std::slice::from_ref(&other)).await[0].position, Some(2), "recorded once");

    let payloads: Vec<String> = sqlx::query_scalar("SELECT payload::text FROM events ORDER BY position")
        .fetch_all(&server.pool)
        .await
        .unwrap();
    assert_eq!(payloads[0], lead(1).to_string());
    let refused: serde_json::Value = serde_json::from_str(&payloads[1]).unwrap();
    assert_eq!((&refused["reason"], &refused["raw"]), (&"conflict".into(), &other.to_string().into()));
}

#[actix_web::test]
async fn an_unknown_campaign_or_version_is_recorded_and_flagged() {
    let server = Server::start().await;
    let results = server
        .sync(&[
            lead_with(1, |lead| lead["campaignId"] = "unknown-2031".into()),
            lead_with(2, |lead| lead["campaignVersion"] = 99.into()),
            lead_with(3, |lead| lead["capturedAt"] = "2999-01-01T00:00:00+01:00".into()),
        ])
        .await;
    let flags: Vec<_> = results.iter().map(|result| (result.status, result.flags[0].as_str())).collect();
    assert_eq!(
        flags,
        [
            (Verdict::Created, "unknown-campaign"),
            (Verdict::Created, "unknown-campaign-version"),
            (Verdict::Created, "clock-ahead")
        ]
    );
}

#[actix_web::test]
async fn what_a_newer_program_sends_is_kept_and_stays_pending() {
    let server = Server::start().await;
    let newer = lead_with(1, |lead| lead["kind"] = "transferred".into());
    assert_eq!(server.verdicts(&[newer]).await, [Verdict::Unsupported]);
    assert_eq!(server.count("SubmissionRefused").await, 1);
}

#[actix_web::test]
async fn a_store_says_whether_it_still_has_what_it_confirmed() {
    let (server, other) = (Server::start().await, Server::start().await);
    let confirmed = server.sync(&[lead(1)]).await.remove(0);
    other.sync(&[lead(1)]).await;
    let store = |server: &Server| {
        let pool = server.pool.clone();
        async move { event_store::head(&pool).await.unwrap().store_id }
    };
    let receipt =
        Receipt { store_id: store(&server).await, position: 1, append_id: confirmed.append_id.unwrap() };
    // The other log pretends to be this store, as after a restore that has grown again.
    let forged = Receipt { store_id: store(&other).await, ..receipt };
    let lineage = async |server: &Server, receipt: Receipt| {
        let body = json!({ "lastReceipt": receipt, "entries": [] }).to_string();
        server.post(body).await.json()["lineage"].clone()
    };
    assert_eq!(lineage(&server, receipt).await, "intact");
    assert_eq!(lineage(&other, forged).await, "lost", "invariant 5");
}

#[actix_web::test]
async fn the_same_batch_from_20_connections_at_once_gives_one_row_each() {
    let server = Server::start().await;
    let entries: Vec<_> = (1..=50).map(lead).collect();
    let answers = futures_util::future::join_all((0..20).map(|_| server.verdicts(&entries))).await;
    let created: usize = answers.iter().flatten().filter(|verdict| **verdict == Verdict::Created).count();
    assert_eq!(created, 50, "each lead is created for exactly one sender");
    assert!(answers.iter().flatten().all(|verdict| verdict.is_stored()));
    assert_eq!(server.count("LeadCaptured").await, 50);
}

#[actix_web::test]
async fn health_says_where_the_log_ends_whoever_appended() {
    let server = Server::start().await;
    let head = async || server.get("/api/health").await.json()["store"]["head"].clone();
    assert_eq!(head().await, 0);
    server.sync(&[lead(1)]).await;
    assert_eq!(head().await, 1);
    // A command, or another server.
    let erased = FollowUpEvent::LeadErased { by: None, at: Timestamp::new(OffsetDateTime::now_utc()) };
    let elsewhere = PostgresLog::new(server.pool.clone());
    let lead = "0197f3c2-5c1e-7c3a-9d64-000000000001".parse().unwrap();
    elsewhere.erase(lead, &erased).await.unwrap();
    assert_eq!(head().await, 2);
}

#[actix_web::test]
async fn health_and_campaign_answer_what_a_device_needs() {
    let server = Server::start().await;
    let health = server.get("/api/health").await;
    assert_eq!((health.status, &health.json()["store"]["tier"]), (200, &"cloud".into()));
    let store_id = server.store.identity().id.to_string();
    assert_eq!(server.headers("/api/health", "leadlog-store").await, [store_id.clone(), store_id]);
    assert_eq!(server.headers("/api/health", "leadlog-tier").await, ["cloud", "cloud"]);
    let campaign = server.get("/api/campaigns/shootout-2026").await;
    assert_eq!((campaign.status, &campaign.json()["consents"][0]["id"]), (200, &"terms".into()));
    assert_eq!(server.get("/api/campaigns/unknown").await.status, 404);
}
