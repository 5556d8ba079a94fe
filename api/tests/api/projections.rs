//! `leadlog projections`, as an operator uses it beside a server that takes leads in (invariant 8).

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value, json};

use crate::program::leadlog;
use crate::server::{Server, lead, lead_with};

const SEEDED: u64 = 20_000;

/// Starts a rebuild and kills it as soon as it has told of this position.
fn rebuild_and_kill_at(database_url: &str, position: u64) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_leadlog"));
    command.args(["projections", "rebuild", "leads", "--json"]).env("DATABASE_URL", database_url);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let told = BufReader::new(child.stdout.take().unwrap()).lines();
    for line in told {
        let line: Value = serde_json::from_str(&line.unwrap()).unwrap();
        if line["position"].as_u64().is_some_and(|told| told >= position) {
            break;
        }
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

async fn said(server: &Server, args: &[&str]) -> Vec<Value> {
    let mut said = leadlog(&server.database_url, args).await;
    // PostgreSQL keeps the lock of a process that was killed until it notices.
    while said.error.contains("another process is at work") {
        said = leadlog(&server.database_url, args).await;
    }
    assert!(said.is_success, "{args:?}: {}{}", said.out, said.error);
    said.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[actix_web::test]
async fn a_rebuild_killed_twice_while_twenty_devices_send_ends_in_a_switch_with_no_lost_or_doubled_row() {
    let server = std::rc::Rc::new(Server::start().await);
    for start in (0..SEEDED).step_by(500) {
        server.sync(&(start..start + 500).map(lead).collect::<Vec<_>>()).await;
    }
    let sent = std::rc::Rc::new(AtomicU64::new(SEEDED));
    let is_over = std::rc::Rc::new(std::cell::Cell::new(false));
    let devices: Vec<_> = (0..20)
        .map(|_| {
            let (server, sent) = (std::rc::Rc::clone(&server), std::rc::Rc::clone(&sent));
            let is_over = std::rc::Rc::clone(&is_over);
            actix_web::rt::spawn(async move {
                while !is_over.get() {
                    server.sync(&[lead(sent.fetch_add(1, Ordering::Relaxed))]).await;
                }
            })
        })
        .collect();
    for position in [0, 5_000] {
        let url = server.database_url.clone();
        actix_web::web::block(move || rebuild_and_kill_at(&url, position)).await.unwrap();
    }
    let rebuilt = said(&server, &["projections", "rebuild", "leads", "--json"]).await.pop().unwrap();
    assert!(rebuilt["rebuiltThrough"].as_u64() >= Some(SEEDED), "{rebuilt}");
    // While they send.
    let verified = said(&server, &["projections", "verify", "--json"]).await;
    let verdicts = verified.iter().filter(|line| line.get("isEqual").is_some());
    assert_eq!(verdicts.map(|line| &line["isEqual"]).collect::<Vec<_>>(), [true, true, true], "{verified:?}");
    // Each gets its last answer: a request that is cut off may still commit, after the count.
    is_over.set(true);
    for device in devices {
        device.await.unwrap();
    }
    let head = server.count("LeadCaptured").await;
    assert_eq!(server.get("/api/exports/leads.csv").await.status, 200, "exports have caught up");
    let rows: (i64, i64) =
        sqlx::query_as("SELECT (SELECT count(*) FROM leads), (SELECT sum(lead_count)::bigint FROM contacts)")
            .fetch_one(&server.pool)
            .await
            .unwrap();
    assert_eq!(rows, (head, head));
    said(&server, &["projections", "verify", "--json"]).await;
}

#[actix_web::test]
async fn an_operator_sees_how_far_each_projection_is_and_what_to_do() {
    let server = Server::start().await;
    let refused = lead_with(2, |lead| lead["consents"] = json!([]));
    server.sync(&[lead(1), refused]).await;
    server.get("/api/exports/leads.csv").await;
    leadlog(&server.database_url, &["devices"]).await;
    let [status] = &said(&server, &["projections", "status", "--json"]).await[..] else {
        panic!("one array")
    };
    let fields = |row: &Value| {
        json!([row["name"], row["position"], row["lagEvents"], row["parked"], row["buildPosition"]])
    };
    assert_eq!(
        status.as_array().unwrap().iter().map(fields).collect::<Vec<_>>(),
        [
            json!(["leads", 2, 0, 0, null]),
            json!(["quarantine", 2, 0, 0, null]),
            json!(["devices", 2, 0, 0, null])
        ]
    );
    let listed = leadlog(&server.database_url, &["projections", "list"]).await.out;
    assert!(listed.contains("leads, lead_follow_ups, contacts"), "{listed}");

    sqlx::query("UPDATE leads SET first_name = 'Eve'").execute(&server.pool).await.unwrap();
    let verified = leadlog(&server.database_url, &["projections", "verify", "leads"]).await;
    assert!(!verified.is_success, "a difference is an error for scripts");
    assert!(
        verified.out.contains("differs in first_name: 0197f3c2-5c1e-7c3a-9d64-000000000001"),
        "{}",
        verified.out
    );
    assert!(verified.error.contains("leadlog projections rebuild"), "{}", verified.error);
    let replayed = leadlog(&server.database_url, &["projections", "replay", "leads", "--from", "1"]).await;
    assert_eq!(replayed.out, "leads: replayed 1 to 2\n");
    let beyond = leadlog(&server.database_url, &["projections", "replay", "leads", "--from", "9"]).await;
    let range = "nothing to replay from position 9 to position 2: leads holds the log up to position 2";
    assert!(beyond.error.contains(range), "{}", beyond.error);

    let unknown = leadlog(&server.database_url, &["projections", "rebuild", "lead"]).await;
    assert!(unknown.error.contains("there are leads, quarantine, devices"), "{}", unknown.error);
    let abandoned = leadlog(&server.database_url, &["projections", "rebuild", "leads", "--abandon"]).await;
    assert_eq!(abandoned.out, "leads: nothing was left behind\n");
}

async fn set_payload(server: &Server, payload: &str) {
    let set = "UPDATE events SET payload = $1::json WHERE position = 2";
    sqlx::query(set).bind(payload).execute(&server.pool).await.unwrap();
}

/// What cannot be read is missing, and everybody who looks is told so.
#[actix_web::test]
async fn who_exports_verifies_or_replays_is_told_of_events_that_cannot_be_read() {
    let mut server = Server::start().await;
    server.stop_projecting().await;
    server.sync(&[lead(1), lead(2)]).await;
    let payload = "SELECT payload::text FROM events WHERE position = 2";
    let payload: String = sqlx::query_scalar(payload).fetch_one(&server.pool).await.unwrap();
    set_payload(&server, "{}").await;
    let exported = leadlog(&server.database_url, &["export", "leads"]).await;
    assert!(exported.is_success && !exported.out.contains("anna2@example.com"), "{}", exported.out);
    assert!(exported.error.contains("1 event(s) of the log could not be read"), "{}", exported.error);
    assert_eq!(server.headers("/api/exports/leads.csv", "leadlog-parked").await, ["1", "1"]);
    let verified = said(&server, &["projections", "verify", "leads", "--json"]).await.pop().unwrap();
    assert_eq!((&verified["isEqual"], &verified["parked"]), (&json!(true), &json!(1)));

    let replay = ["projections", "replay", "leads", "--from", "2"];
    let replayed = leadlog(&server.database_url, &replay).await;
    assert!(
        !replayed.is_success && replayed.error.contains("events of leads are parked still"),
        "{}",
        replayed.error
    );
    let devices = leadlog(&server.database_url, &["devices"]).await;
    assert!(devices.error.contains("1 event(s) of the log could not be read"), "{}", devices.error);
    // As if the program had been updated.
    set_payload(&server, &payload).await;
    assert!(leadlog(&server.database_url, &replay).await.is_success);
    assert_eq!(server.headers("/api/exports/leads.csv", "leadlog-parked").await, ["0", "0"]);
    let backwards = leadlog(&server.database_url, &[&replay[..], &["--to", "1"]].concat()).await;
    assert!(backwards.error.contains("--to 1 stands before --from 2"), "{}", backwards.error);
}
