//! `leadlog quarantine`, beside a running server.

use domain::{Digest, Refusal, RefusalReason, SUBMISSION_STREAM, SubmissionEvent, Verdict};
use event_store::{EventLog, NewEvent};
use leadlog::http::Settings;
use serde_json::{Value, json};

use crate::enrolment::{Device, code, lead_of};
use crate::exports::rows;
use crate::program::{Said, leadlog};
use crate::server::{Server, lead, lead_with};

async fn quarantine(server: &Server, args: &[&str]) -> Said {
    leadlog(&server.database_url, &[&["quarantine"], args].concat()).await
}

async fn listed(server: &Server) -> Vec<Value> {
    let said = quarantine(server, &["list", "--json"]).await;
    assert!(said.is_success, "{}", said.error);
    serde_json::from_str(&said.out).unwrap()
}

/// An entry that an older version of this program did not understand.
async fn refused_by_an_older_program(server: &Server, entry: &Value) -> String {
    let raw = entry.to_string();
    let digest = Digest::of(&raw);
    let event = SubmissionEvent::Refused(Refusal {
        client_id: entry["clientId"].as_str().map(str::to_owned),
        version: Some(1),
        device_id: Some("ipad-7".to_owned()),
        device_seq: entry["deviceSeq"].as_u64(),
        reason: RefusalReason::Unsupported,
        errors: Vec::new(),
        raw,
    });
    let event = NewEvent {
        aggregate_type: SUBMISSION_STREAM,
        aggregate_id: digest.to_string(),
        sequence: 1,
        event_type: event.name(),
        event_version: SubmissionEvent::FORM_VERSION,
        payload: serde_json::to_string(&event).unwrap(),
        digest,
        metadata: Vec::new(),
        claim: None,
    };
    server.store.log().append(&[event]).await.unwrap();
    digest.to_string()
}

/// Invariant 12 of the list; the export is there to show everything.
#[actix_web::test]
async fn what_was_refused_is_listed_without_personal_data_and_exported_whole() {
    let server = Server::start().await;
    let entry = lead_with(1, |lead| lead["consents"] = json!([]));
    let named = lead_with(2, |lead| lead["clientId"] = "Anna Nowak".into());
    server.sync(&[entry.clone(), named.clone()]).await;

    let listed = listed(&server).await;
    assert_eq!(listed[0]["errors"], json!([{ "field": "consents.terms", "code": "required" }]));
    assert_eq!((&listed[0]["clientId"], &listed[0]["deviceSeq"]), (&entry["clientId"], &json!(1)));
    assert_eq!(listed[1]["clientId"], Value::Null, "what is no id may be anything");
    let table = quarantine(&server, &["list"]).await.out;
    assert!(table.contains("consents.terms required"), "{table}");
    for text in [&table, &json!(listed).to_string()] {
        assert!(!text.contains("Anna") && !text.contains("anna1@") && !text.contains("501502503"), "{text}");
    }

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("refused.csv");
    let said = quarantine(&server, &["export", "--format", "csv", "--out", file.to_str().unwrap()]).await;
    assert!(said.is_success, "{}", said.error);
    let csv = rows(&std::fs::read(&file).unwrap());
    assert_eq!((csv.len(), &csv[0]["entry"]), (2, &entry.to_string()));
    let named_so = folder.path().join("refused.ndjson");
    let said = quarantine(&server, &["export", "--out", named_so.to_str().unwrap()]).await;
    assert!(said.is_success, "{}", said.error);
    let lines = std::fs::read_to_string(named_so).unwrap();
    let raws: Vec<String> = lines
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["raw"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(raws, [entry.to_string(), named.to_string()]);
}

#[actix_web::test]
async fn what_was_refused_is_recorded_or_put_aside_once() {
    let server = Server::start().await;
    let digest = refused_by_an_older_program(&server, &lead(1)).await;
    let entry = lead_with(2, |lead| lead["consents"] = json!([]));
    server.sync(std::slice::from_ref(&entry)).await;
    let refused = Digest::of(&entry.to_string()).to_string();

    let table = quarantine(&server, &["list"]).await.out;
    assert!(table.contains("unsupported  made by a newer app"), "{table}");

    let still = quarantine(&server, &["release", &refused]).await;
    assert!(!still.is_success && still.error.contains("consents.terms required"), "{}", still.error);
    assert!(still.error.contains("quarantine dismiss"), "it says what to do: {}", still.error);
    assert_eq!(listed(&server).await.len(), 2);

    let recorded = quarantine(&server, &["release", &digest, "--by", "Ewa"]).await;
    assert!(recorded.is_success && recorded.out.starts_with("recorded as version 1"), "{}", recorded.error);
    assert_eq!(listed(&server).await.len(), 1);
    let dismissed = quarantine(&server, &["dismiss", &refused.to_uppercase()]).await;
    assert!(dismissed.is_success && dismissed.out.starts_with("dismissed"), "{}", dismissed.error);
    assert_eq!(listed(&server).await, Vec::<Value>::new());

    let leads = rows(&server.get("/api/exports/leads.csv").await.body);
    assert_eq!(leads.iter().map(|row| row["email"].as_str()).collect::<Vec<_>>(), ["anna1@example.com"]);
    for (digest, says) in [
        (refused.as_str(), "dismissed already"),
        (&digest, "released already"),
        (&"0".repeat(64), "quarantine list"),
        ("12", "64 hexadecimal digits"),
    ] {
        let said = quarantine(&server, &["dismiss", digest]).await;
        assert!(!said.is_success && said.error.contains(says), "{}", said.error);
    }
    assert_eq!(server.count("SubmissionReleased").await, 2);
}

/// Every iPad of a copy, or one that was shut out by mistake: nobody copies digests for that.
#[actix_web::test]
async fn what_one_ipad_has_handed_in_is_dealt_with_together() {
    // It sends and sends until the server has looked.
    let device_requests_per_second = 100_000.try_into().unwrap();
    let server = Server::start_with(Settings { device_requests_per_second, ..Settings::default() }).await;
    let device = Device::enrolled(&server, "iPad 7", "ipad-7").await;
    let other = Device::enrolled(&server, "iPad 8", "ipad-8").await;
    code(&server, "iPad 9").await;
    let revoke_all = async || {
        let said = leadlog(&server.database_url, &["devices", "revoke", "--all"]).await;
        assert!(said.is_success, "{}", said.error);
        said.out
    };
    let out = revoke_all().await;
    assert!(out.contains("iPad 7 is shut out") && out.contains("iPad 8 is shut out"), "{out}");
    assert!(out.contains("the code for iPad 9 works no longer"), "{out}");
    assert!(revoke_all().await.contains("No iPad is left to shut out"));

    // Within a second.
    let mut number = 1;
    while device.verdict(lead(number)).await == Verdict::Created {
        number += 1;
    }
    let no_consent = lead_with(number + 1, |lead| lead["consents"] = json!([]));
    assert_eq!(device.verdict(no_consent).await, Verdict::Invalid);
    assert_eq!(device.verdict(lead(number + 2)).await, Verdict::Quarantined);
    assert_eq!(other.verdict(lead_of("ipad-8", number + 3)).await, Verdict::Quarantined);
    let names: Vec<Value> = listed(&server).await.into_iter().map(|row| row["deviceName"].clone()).collect();
    assert_eq!(names, ["iPad 7", "iPad 7", "iPad 7", "iPad 8"]);
    let table = quarantine(&server, &["list"]).await.out;
    assert!(table.contains("ipad-8   iPad 8"), "{table}");

    let released = quarantine(&server, &["release", "--device", "iPad 7", "--by", "Ewa"]).await;
    assert_eq!(released.out.matches("recorded as version 1").count(), 2, "{}", released.out);
    assert!(!released.is_success && released.error.contains("1 of 3 still wait"), "{}", released.error);
    assert!(released.error.contains("consents.terms required"), "{}", released.error);
    let dismissed = quarantine(&server, &["dismiss", "--device", "ipad-7"]).await;
    assert!(dismissed.is_success && dismissed.out.contains(": dismissed"), "{}", dismissed.error);
    for device in ["iPad 7", "ipad-7", "iPad 99"] {
        let said = quarantine(&server, &["release", "--device", device]).await;
        assert!(!said.is_success && said.error.contains("nothing waits that was sent by"), "{}", said.error);
    }

    let left = listed(&server).await;
    let digest = left[0]["digest"].as_str().unwrap();
    let said = quarantine(&server, &["release", &digest[..7]]).await;
    assert!(!said.is_success && said.error.contains("at least the first 8"), "{}", said.error);
    let other = if digest.starts_with('0') { "1" } else { "0" }.repeat(8);
    let said = quarantine(&server, &["release", &other]).await;
    assert!(!said.is_success && said.error.contains("nothing waits whose digest begins"), "{}", said.error);
    for args in [&["release"][..], &["release", digest, "--device", "iPad 8"]] {
        let said = quarantine(&server, args).await;
        assert!(!said.is_success && said.error.contains("--device"), "one or the other: {}", said.error);
    }
    let said = quarantine(&server, &["release", &digest[..8].to_uppercase()]).await;
    assert!(said.is_success && said.out.starts_with("recorded as version 1"), "{}", said.error);
    assert_eq!((left.len(), listed(&server).await.len()), (1, 0));
}
