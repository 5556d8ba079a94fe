//! Later versions, erasures and device reports, over HTTP.

use std::time::Duration;

use domain::Verdict::{Created, Duplicate, Erased, Waiting};
use domain::{Timestamp, Verdict};
use leadlog::office;
use serde_json::{Value, json};

use crate::server::{Server, lead, lead_with};

fn version(number: u64, version: u64, kind: &str) -> Value {
    lead_with(number, |lead| {
        lead["version"] = version.into();
        lead["kind"] = kind.into();
        lead["deviceSeq"] = (number * 10 + version).into();
    })
}

#[actix_web::test]
async fn corrections_and_voids_follow_their_predecessor() {
    let server = Server::start().await;
    let (correction, void) = (version(1, 2, "corrected"), version(1, 3, "voided"));
    let waiting = server.post(json!({ "entries": [void, correction] }).to_string()).await.json();
    assert_eq!(waiting["results"][0]["status"], "waiting");
    assert_eq!(waiting["results"][0].get("position"), None, "nothing was recorded, so there is no receipt");
    assert_eq!(server.verdicts(&[void.clone(), lead(1), correction.clone()]).await, [Created; 3]);
    assert_eq!(server.verdicts(&[lead(1), correction, void]).await, [Duplicate; 3]);
    assert_eq!((server.count("LeadCorrected").await, server.count("LeadVoided").await), (1, 1));
    // A correction as version 1 is no correction.
    assert_eq!(server.verdicts(&[version(2, 1, "corrected")]).await, [Verdict::Invalid]);
}

#[actix_web::test]
async fn the_fix_of_a_refused_entry_is_the_next_version() {
    let server = Server::start().await;
    let refused = lead_with(1, |lead| lead["contact"]["email"] = "anna@".into());
    assert_eq!(server.verdicts(&[refused]).await, [Verdict::Invalid]);
    assert_eq!(server.verdicts(&[version(1, 2, "corrected")]).await, [Created]);
    assert_eq!(server.verdicts(&[version(2, 2, "corrected")]).await, [Waiting]);
}

#[actix_web::test]
async fn everybody_who_syncs_hears_of_an_erasure() {
    let server = Server::start().await;
    server.sync(&[lead(1), lead(2)]).await;
    let at: Timestamp = "2026-05-24T09:00:00Z".parse().unwrap();
    let client_id = lead(1)["clientId"].as_str().unwrap().parse().unwrap();
    let erased = office::erase(&server.store, client_id, None, at).await.unwrap();

    assert_eq!(
        server.verdicts(&[lead(1), lead(2), version(1, 2, "corrected")]).await,
        [Erased, Duplicate, Erased]
    );
    // The page may be a moment behind the verdicts.
    let paged = async {
        loop {
            let erasures = server.ask(json!({ "erasuresAfter": 0, "entries": [] })).await.erasures;
            if erasures.through > 0 {
                break erasures;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let erasures = tokio::time::timeout(Duration::from_secs(10), paged).await.expect("the page follows");
    assert_eq!((erasures.through, erasures.client_ids), (erased.position, vec![client_id]));
    let rest = server.ask(json!({ "erasuresAfter": erasures.through, "entries": [] })).await.erasures;
    assert_eq!((rest.through, rest.client_ids.len()), (erased.position, 0));
    let left: i64 = sqlx::query_scalar("SELECT count(*) FROM events WHERE payload::text LIKE '%anna1@%'")
        .fetch_one(&server.pool)
        .await
        .unwrap();
    assert_eq!(left, 0);
}

/// Invariant 9.
#[actix_web::test]
async fn what_a_device_says_about_itself_is_recorded_when_it_is_news() {
    let server = Server::start().await;
    let report = json!({ "deviceId": "ipad-9", "savedThrough": 3, "heardAt": "2026-05-23T10:00:00Z" });
    let request =
        json!({ "sender": "ipad-7", "savedThrough": 12, "reports": [report], "entries": [lead(1)] });
    for _ in 0..3 {
        server.ask(request.clone()).await;
    }
    server.ask(json!({ "sender": "ipad-7", "savedThrough": 12, "entries": [] })).await;
    let reported: Vec<(String, i64)> = sqlx::query_as(
        "SELECT aggregate_id, sequence FROM events WHERE event_type = 'DeviceReported' ORDER BY 1",
    )
    .fetch_all(&server.pool)
    .await
    .unwrap();
    assert_eq!(reported, [("ipad-7".to_owned(), 12), ("ipad-9".to_owned(), 3)]);
    assert_eq!(server.count("LeadCaptured").await, 1);
}
