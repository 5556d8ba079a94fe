//! Killing the server or the database at any moment loses nothing and doubles nothing.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::process::Command;
use std::rc::Rc;
use std::time::Duration;

use domain::{EntryResult, SyncResponse, Verdict};
use serde_json::{Value, json};

use crate::program::{DataDir, Program, free_port};
use crate::server::lead;

const SENDERS: u64 = 4;
const LEADS_PER_SENDER: u64 = 300;
const BATCH: usize = 5;

/// One try; `None` when nothing is known about the entries.
async fn try_to_sync(address: &str, token: &str, entries: &[Value]) -> Option<Vec<EntryResult>> {
    let client = awc::Client::builder().timeout(Duration::from_secs(30)).finish();
    let request = client.post(format!("{address}/api/leads/sync")).bearer_auth(token);
    let mut response = request.send_body(json!({ "entries": entries }).to_string()).await.ok()?;
    if response.status() != 200 {
        return None;
    }
    Some(serde_json::from_slice::<SyncResponse>(&response.body().await.ok()?).ok()?.results)
}

/// What a device does: sends until each entry has a verdict.
async fn sync(address: &str, token: &str, entries: &[Value]) -> Vec<EntryResult> {
    loop {
        if let Some(results) = try_to_sync(address, token, entries).await {
            return results;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Invariants 2, 3 and 11, on the real program with real signals.
#[actix_web::test]
async fn no_kill_loses_or_doubles_a_lead_or_takes_a_verdict_back() {
    let data = DataDir::new();
    let listen = format!("127.0.0.1:{}", free_port());
    let mut program = Program::serve(&data.path(), &listen);
    let address = program.address.clone();

    let token = Program::token(&data.path(), "capture").await;

    let answered = Rc::new(Cell::new(0));
    let senders: Vec<_> = (0..SENDERS)
        .map(|sender| {
            let (address, token, answered) = (address.clone(), token.clone(), answered.clone());
            actix_web::rt::spawn(async move {
                let mut receipts = BTreeMap::new();
                let leads: Vec<Value> = (0..LEADS_PER_SENDER)
                    .map(|number| lead(1 + sender * LEADS_PER_SENDER + number))
                    .collect();
                for batch in leads.chunks(BATCH) {
                    for result in sync(&address, &token, batch).await {
                        assert!(result.status.is_stored(), "{result:?}");
                        receipts
                            .insert(result.client_id.unwrap(), (result.position.unwrap(), result.append_id));
                    }
                    answered.set(answered.get() + batch.len() as u64);
                }
                receipts
            })
        })
        .collect();

    // The faults are spread over the work, whatever the speed of the machine.
    let total = SENDERS * LEADS_PER_SENDER;
    let reached = async |share: u64| {
        while answered.get() < total * share / 100 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    reached(15).await;
    data.kill_postgres();
    reached(30).await;
    program.kill();
    program = Program::serve(&data.path(), &listen);
    reached(50).await;
    data.kill_postgres();
    program.kill();
    program = Program::serve(&data.path(), &listen);
    reached(75).await;
    assert!(program.interrupt(), "Ctrl-C ends well in the middle of work");
    program = Program::serve(&data.path(), &listen);

    let mut receipts = BTreeMap::new();
    for sender in senders {
        receipts.extend(sender.await.unwrap());
    }
    assert_eq!(receipts.len() as u64, total);

    // Every verdict that was given still stands, at its place; sending everything again adds nothing.
    for number in 1..=total {
        let result = sync(&address, &token, &[lead(number)]).await.remove(0);
        assert_eq!(result.status, Verdict::Duplicate);
        let receipt = (result.position.unwrap(), result.append_id);
        assert_eq!(receipts.get(&result.client_id.unwrap()), Some(&receipt), "invariant 3");
    }
    assert!(program.interrupt());

    // And all of it comes out, once, by the command that ops use (which starts the database itself).
    let export = Command::new(env!("CARGO_BIN_EXE_leadlog"))
        .args(["export", "leads", "--format", "csv", "--data-dir"])
        .arg(data.path())
        .env_remove("DATABASE_URL")
        .output()
        .unwrap();
    assert!(export.status.success(), "{}", String::from_utf8_lossy(&export.stderr));
    let rows = crate::exports::rows(&export.stdout);
    let mut ids: Vec<&str> = rows.iter().map(|row| row["client_id"].as_str()).collect();
    ids.sort_unstable();
    let expected: Vec<&str> = receipts.keys().map(String::as_str).collect();
    assert_eq!(ids, expected, "invariant 2: all of them, once");
}
