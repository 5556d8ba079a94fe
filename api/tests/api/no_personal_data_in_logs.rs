//! Invariant 12, on the real program: whatever it is told to log, it logs no personal data.

use std::time::Duration;

use serde_json::json;

use crate::backups::snapshot;
use crate::bad_input::gzip;
use crate::program::{DataDir, Program, free_port};
use crate::server::{lead, lead_with};

/// Words that stand in what is sent, and must stand nowhere in the log.
const PERSONAL: [&str; 4] = ["secretina", "anna1@", "anna1%40", "+48501502503"];

#[actix_web::test]
async fn nothing_that_was_sent_stands_in_the_log() {
    let data = DataDir::new();
    let log = data.path().with_file_name("log");
    let program = Program::serve_tracing(&data.path(), &format!("127.0.0.1:{}", free_port()), &log);
    let client = awc::Client::builder().timeout(Duration::from_secs(60)).finish();
    let address = program.address.clone();

    let good = lead_with(1, |lead| lead["contact"]["firstName"] = "Secretina".into());
    let bad = lead_with(2, |lead| lead["contact"]["phone"] = "Secretina".into());
    let sync = json!({ "entries": [good, bad] }).to_string();
    for body in [sync.clone(), sync.replace("\"entries\"", "\"sender\":\"Secretina Nowak\",\"entries\"")] {
        client.post(format!("{address}/api/leads/sync")).send_body(body).await.unwrap();
    }
    for query in
        ["anna1%40example.com", "anna1@example.com", "Secretina", "anna1@example.com&email=Secretina"]
    {
        let url = format!("{address}/api/leads/check-email?campaign=shootout-2026&email={query}");
        client.get(url).send().await.unwrap();
    }
    let backup = snapshot("ipad-7", &[good.clone(), lead(1)]).to_string();
    let url = format!("{address}/api/devices/ipad-7/backups");
    for body in [backup.clone(), backup.replace("\"ipad-7\"", "\"Secretina Nowak\""), backup[1..].to_owned()]
    {
        client.put(&url).send_body(body).await.unwrap();
    }
    client
        .put(&url)
        .insert_header(("content-encoding", "gzip"))
        .send_body(gzip(backup.as_bytes()))
        .await
        .unwrap();
    for path in ["", "/1"] {
        client.get(format!("{url}{path}")).send().await.unwrap();
    }
    client.get(format!("{address}/api/nothing?email=anna1@example.com")).send().await.unwrap();
    assert!(program.interrupt());

    let log = std::fs::read_to_string(log).unwrap();
    assert!(log.contains("/api/leads/check-email"), "the log is that of these requests: {log}");
    assert!(!log.contains('\u{1b}'), "a file is not coloured");
    for line in log.lines() {
        let line = line.to_lowercase();
        assert!(PERSONAL.iter().all(|word| !line.contains(word)), "{line}");
    }
}
