//! Each kind of bad input gets a precise answer, costs its neighbours nothing, and loses nothing.

use std::io::Write;
use std::process::Command;

use domain::{ErrorCode, MAX_BATCH_ENTRIES, MAX_BODY_BYTES, MAX_KEPT_ENTRY_BYTES, Verdict};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

use crate::program::leadlog;
use crate::server::{Answer, Server, lead, lead_with};

pub(crate) fn assert_problem(answer: &Answer, status: u16, kind: &str) {
    let body = String::from_utf8_lossy(&answer.body);
    assert_eq!((answer.status, answer.content_type.as_str()), (status, "application/problem+json"), "{body}");
    assert_eq!(answer.json()["type"], format!("urn:leadlog:problem:{kind}"), "{body}");
    assert!(answer.json()["detail"].as_str().is_some_and(|detail| !detail.is_empty()));
}

pub(crate) fn gzip(body: &[u8]) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    gzip.write_all(body).unwrap();
    gzip.finish().unwrap()
}

#[actix_web::test]
async fn a_body_that_cannot_be_read_is_refused_as_a_whole() {
    let server = Server::start().await;
    for body in [
        "",
        "<html>",
        "{\"entries\": [",
        "{}",
        "{\"entries\": 3}",
        "[]",
        "{\"entries\": []} x",
        "{\"entries\":[],\"savedThrough\":-1}",
    ] {
        assert_problem(&server.post(body).await, 400, "not-json");
    }
    assert_problem(&server.post(vec![0xff, 0xfe, 0x00]).await, 400, "not-json");
    assert_problem(&server.post_encoded("not gzip", Some("gzip")).await, 400, "not-json");
    assert_problem(&server.post_encoded("{}", Some("br")).await, 415, "unsupported-encoding");
    assert_eq!(server.count("LeadCaptured").await, 0);
}

/// What the environment sets is not what must be given.
#[actix_web::test]
async fn a_command_without_its_arguments_is_told_how_it_is_called_whatever_the_environment_sets() {
    for (args, usage) in [
        (&["export"][..], "Usage: leadlog export [OPTIONS] <WHAT>"),
        (&["backups", "show"], "Usage: leadlog backups show [OPTIONS] <DEVICE>"),
        (&["serve", "--help"], "Usage: leadlog serve [OPTIONS]"),
    ] {
        let said = leadlog("postgres://localhost/nowhere", args).await;
        let lines: Vec<&str> = said.error.lines().chain(said.out.lines()).collect();
        assert!(lines.contains(&usage), "{lines:?}");
    }
}

#[actix_web::test]
async fn a_body_over_the_limit_is_refused_so_that_the_sender_halves_it() {
    let server = Server::start().await;
    assert_problem(&server.post(vec![b' '; MAX_BODY_BYTES + 1]).await, 413, "too-large");
    // A bomb: a few kilobytes that claim to hold a hundred megabytes.
    let bomb = gzip(&vec![b' '; 100 * 1024 * 1024]);
    assert!(bomb.len() < 200_000);
    assert_problem(&server.post_encoded(bomb, Some("gzip")).await, 413, "too-large");
    let huge = lead_with(1, |lead| lead["unknown"] = "x".repeat(MAX_KEPT_ENTRY_BYTES).into());
    assert_problem(&server.post(json!({ "entries": [lead(2), huge] }).to_string()).await, 413, "too-large");
    let too_many: Vec<Value> = (0..=MAX_BATCH_ENTRIES).map(|_| json!({})).collect();
    assert_problem(&server.post(json!({ "entries": too_many }).to_string()).await, 413, "too-large");
}

#[actix_web::test]
async fn gzip_is_read() {
    let server = Server::start().await;
    let body = gzip(json!({ "entries": [lead(1)] }).to_string().as_bytes());
    assert_eq!(server.post_encoded(body, Some("gzip")).await.json()["results"][0]["status"], "created");
}

#[actix_web::test]
async fn every_broken_rule_is_named_at_its_field_and_the_entry_is_kept() {
    use ErrorCode::{Malformed, Required, TooLong, UnstorableText};
    let server = Server::start().await;
    let cases: Vec<(Value, &str, ErrorCode)> = vec![
        (lead_with(1, |lead| lead["consents"] = json!([])), "consents.terms", Required),
        (lead_with(2, |lead| lead["contact"]["email"] = "anna@".into()), "email", Malformed),
        (lead_with(3, |lead| lead["contact"]["phone"] = "123".into()), "phone", Malformed),
        (lead_with(4, |lead| lead["contact"]["firstName"] = "x".repeat(10_000).into()), "firstName", TooLong),
        (lead_with(5, |lead| lead["contact"]["lastName"] = "a\u{0}b".into()), "", UnstorableText),
        (lead_with(6, |lead| lead["unknown"] = "\u{0}".into()), "", UnstorableText),
        (lead_with(7, |lead| lead["capturedAt"] = "today".into()), "capturedAt", Malformed),
        (json!(7), "kind", Required),
        (json!(null), "kind", Required),
    ];
    let entries: Vec<Value> = cases.iter().map(|(entry, ..)| entry.clone()).collect();
    let results = server.sync(&entries).await;
    for ((entry, field, code), result) in cases.iter().zip(results) {
        assert_eq!(result.status, Verdict::Invalid, "{entry}");
        assert_eq!((result.errors[0].field.as_str(), result.errors[0].code), (*field, *code), "{entry}");
        assert!(result.position.is_some(), "refused is recorded, too");
    }
    assert_eq!(server.count("SubmissionRefused").await, i64::try_from(entries.len()).unwrap());
}

#[actix_web::test]
async fn half_of_a_surrogate_pair_is_refused_and_kept_to_the_byte() {
    let server = Server::start().await;
    let entry = lead(1).to_string().replace("Anna", "A\\ud800");
    let answer = server.post(format!("{{\"entries\":[{entry}]}}")).await;
    assert_eq!(answer.json()["results"][0]["errors"][0]["code"], "unstorable-text");
    let kept: String =
        sqlx::query_scalar("SELECT payload ->> 'raw' FROM events").fetch_one(&server.pool).await.unwrap();
    assert_eq!(kept, entry);
}

#[actix_web::test]
async fn unknown_fields_are_kept_to_the_byte() {
    let server = Server::start().await;
    let entry = lead(1).to_string().replacen('{', "{ \"team\" : [1.0, \"Rzeszów\"],", 1);
    let answer = server.post(format!("{{\"surprise\":true,\"entries\":[ {entry} ]}}")).await;
    assert_eq!(answer.json()["results"][0]["status"], "created");
    let kept: String =
        sqlx::query_scalar("SELECT payload::text FROM events").fetch_one(&server.pool).await.unwrap();
    assert_eq!(kept, entry);
}

#[actix_web::test]
async fn of_500_entries_with_one_bad_the_other_499_land() {
    let server = Server::start().await;
    let mut entries: Vec<Value> = (1..=500).map(lead).collect();
    entries[250]["contact"]["email"] = "nobody".into();
    let verdicts = server.verdicts(&entries).await;
    assert_eq!(verdicts.iter().filter(|verdict| **verdict == Verdict::Created).count(), 499);
    assert_eq!(verdicts[250], Verdict::Invalid);
    assert_eq!((server.count("LeadCaptured").await, server.count("SubmissionRefused").await), (499, 1));
}

#[actix_web::test]
async fn what_only_the_database_refuses_is_found_and_costs_its_neighbours_nothing() {
    let server = Server::start().await;
    // A rule that the domain does not know: only the database can object.
    sqlx::query("ALTER TABLE events ADD CHECK (payload::text NOT LIKE '%Bobby%')")
        .execute(&server.pool)
        .await
        .unwrap();
    let mut entries: Vec<Value> = (1..=20).map(lead).collect();
    for bad in [0, 7, 19] {
        entries[bad]["contact"]["firstName"] = "Bobby".into();
    }
    // The refusal of such an entry cannot be stored under this rule either: then the whole request is to be
    // sent again, and the neighbours are safe.
    assert_problem(&server.post(json!({ "entries": entries }).to_string()).await, 503, "unavailable");
    assert_eq!(server.count("LeadCaptured").await, 17);

    sqlx::query("ALTER TABLE events DROP CONSTRAINT events_payload_check")
        .execute(&server.pool)
        .await
        .unwrap();
    sqlx::query(
        "ALTER TABLE events ADD CHECK (event_type <> 'LeadCaptured' OR payload::text NOT LIKE '%Bobby%')",
    )
    .execute(&server.pool)
    .await
    .unwrap();
    let verdicts = server.verdicts(&entries).await;
    for (index, verdict) in verdicts.iter().enumerate() {
        let expected = if [0, 7, 19].contains(&index) { Verdict::Invalid } else { Verdict::Duplicate };
        assert_eq!(*verdict, expected, "{index}");
    }
    assert_eq!((server.count("LeadCaptured").await, server.count("SubmissionRefused").await), (17, 3));
}

#[actix_web::test]
async fn a_route_that_is_not_there_says_so() {
    let server = Server::start().await;
    assert_problem(&server.get("/api/nothing").await, 404, "not-found");
    assert_problem(&server.get("/api/exports/people.csv").await, 404, "not-found");
}

/// Each route that is documented, and the pages of the app.
#[actix_web::test]
async fn a_method_that_a_route_has_not_is_answered_with_those_that_it_has() {
    const ALL: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
    let server = Server::start().await;
    let document = serde_json::to_value(leadlog::openapi::document()).unwrap();
    let mut routes: Vec<(String, Vec<&str>)> = vec![("/".to_owned(), vec!["GET", "HEAD"])];
    for (path, item) in document["paths"].as_object().unwrap() {
        let path = path.replace("{format}", "csv").replace("{version}", "1");
        let path = path.replace("{deviceId}", "ipad-7").replace("{id}", "shootout-2026");
        let has = |method: &&str| item.get(method.to_lowercase()).is_some();
        routes.push((path, ALL.into_iter().filter(has).collect()));
    }
    assert!(routes.len() > 9, "{routes:?}");
    for (path, allowed) in routes {
        for method in ALL.into_iter().filter(|method| !allowed.contains(method)) {
            let answer = server.request(method, &path).await;
            let allow = answer.headers().get("allow").map(|value| value.to_str().unwrap());
            assert_eq!(
                (answer.status().as_u16(), allow),
                (405, Some(&*allowed.join(", "))),
                "{method} {path}"
            );
        }
    }
    assert_problem(&server.get("/api/leads/sync").await, 405, "wrong-method");
}

#[actix_web::test]
async fn a_parameter_that_cannot_be_used_is_named() {
    let server = Server::start().await;
    for (path, named) in [
        ("campaigns/shootout-2026?version=1&version=2", "`version` is given more than once"),
        ("leads/check-email?campaign=a&campaign=b&email=a@example.com", "`campaign` is given more than once"),
        ("exports/leads.csv?konsent=terms", "There is no parameter `konsent`; expected one of `campaign`, "),
        ("exports/leads.csv?to=2026-05-23T00:00:00Z&to=2026-05-24T00:00:00Z", "`to` is given more than once"),
    ] {
        let answer = server.get(&format!("/api/{path}")).await;
        assert_problem(&answer, 400, "bad-parameter");
        let detail = answer.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains(named), "{path}: {detail}");
    }
}

/// A misspelt folder is no empty store: nothing is made there, and nobody is told that all is well.
#[test]
fn a_command_says_that_there_is_no_store_in_a_folder() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("misspelt");
    for command in [["projections", "status"], ["quarantine", "list"], ["export", "leads"]] {
        let said = Command::new(env!("CARGO_BIN_EXE_leadlog"))
            .args(command)
            .arg("--data-dir")
            .arg(&folder)
            .env_remove("DATABASE_URL")
            .output()
            .unwrap();
        let error = String::from_utf8_lossy(&said.stderr);
        assert!(!said.status.success() && said.stdout.is_empty(), "{error}");
        assert!(error.contains("misspelt") && error.contains("--data-dir"), "{error}");
    }
    assert!(!folder.exists());
}
