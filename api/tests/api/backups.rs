//! Backups of devices: kept, handed out, and without anybody who was erased (SYN-9).

use std::io::Read;

use domain::{ClientId, FollowUpEvent, MAX_SNAPSHOT_BYTES, Timestamp};
use event_store::EventLog;
use event_store::testing::fresh_store;
use flate2::read::GzDecoder;
use futures_util::future::join_all;
use leadlog::backups::{self, Packed, erasure};
use leadlog::office;
use leadlog::store::Store;
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::bad_input::{assert_problem, gzip};
use crate::clients::{registered, token_for};
use crate::server::{Answer, Server, lead, lead_with};

/// A snapshot of a device that holds these entries.
pub(crate) fn snapshot(device: &str, entries: &[Value]) -> Value {
    let records: Vec<Value> = entries
        .iter()
        .enumerate()
        .map(|(index, entry)| {
            json!({
                "v": 1, "key": index + 1, "deviceId": entry["deviceId"], "deviceSeq": entry["deviceSeq"],
                "clientId": entry["clientId"], "version": entry["version"], "savedAt": 1_779_537_790_000_i64,
                "entry": entry.to_string(),
            })
        })
        .collect();
    json!({
        "format": "leadlog-snapshot", "v": 1, "deviceId": device, "savedThrough": entries.len(),
        "takenAt": 1_779_537_791_000_i64, "records": { "entries": records, "marks": [{ "v": 1, "key": 1 }] },
    })
}

/// Sends it as the device's backup.
pub(crate) async fn back_up(server: &Server, snapshot: &Value) -> Answer {
    let path = format!("/api/devices/{}/backups", snapshot["deviceId"].as_str().unwrap());
    server.put(&path, snapshot.to_string(), None).await
}

async fn versions(server: &Server, device: &str) -> Vec<u64> {
    let listed = server.get(&format!("/api/devices/{device}/backups")).await.json();
    listed["backups"].as_array().unwrap().iter().map(|backup| backup["version"].as_u64().unwrap()).collect()
}

fn client_id(number: u64) -> ClientId {
    lead(number)["clientId"].as_str().unwrap().parse().unwrap()
}

fn at() -> Timestamp {
    "2026-05-24T09:00:00Z".parse().unwrap()
}

/// A hub brings what it was given some time ago. What the device has brought itself since stays the newest.
#[actix_web::test]
async fn a_hub_brings_no_backup_over_one_that_holds_more() {
    let server = Server::start().await;
    let (hub, secret) = registered(&server, "hub-1", "relay").await;
    let token = token_for(&server.address(), &hub, &secret).await;
    let brought = async |entries: u64, taken_at: i64| {
        let by = |number| lead_with(number, |lead| lead["operator"] = "Ola".into());
        let mut snapshot = snapshot("ipad-7", &(1..=entries).map(by).collect::<Vec<_>>());
        snapshot["takenAt"] = taken_at.into();
        let url = format!("{}/api/devices/ipad-7/backups", server.address());
        let request = awc::Client::default().put(url).bearer_auth(&token).send_body(snapshot.to_string());
        Answer::read(request.await.unwrap()).await.status
    };
    let noon = 1_779_537_791_000;
    assert_eq!(back_up(&server, &snapshot("ipad-7", &[lead(1), lead(2)])).await.status, 201, "at noon");
    for (entries, taken_at, status, case) in [
        (1, noon + 60_000, 200, "it holds less, whatever its clock says"),
        (2, noon - 60_000, 200, "it holds as much, and is older"),
        (2, noon + 60_000, 201, "it holds as much, and is newer"),
        (2, noon + 90_000, 200, "the very same records"),
        (3, noon - 60_000, 201, "it holds more, whatever its clock says"),
    ] {
        assert_eq!(brought(entries, taken_at).await, status, "{case}");
    }
    assert_eq!(versions(&server, "ipad-7").await, [3, 2, 1]);
}

/// SYN-9: what a device ships comes back to the byte, and the same is not stored twice.
#[actix_web::test]
async fn a_backup_comes_back_as_it_was_sent() {
    let server = Server::start().await;
    let mut with_operator = lead(2);
    with_operator["operator"] = "Ola".into();
    let first = snapshot("ipad-7", &[lead(1), with_operator.clone()]);
    let sent = back_up(&server, &first).await;
    assert_eq!((sent.status, sent.json()), (201, json!({ "version": 1, "entries": 2 })));
    let mut later = first.clone();
    later["takenAt"] = 1_779_537_999_000_i64.into();
    let again = back_up(&server, &later).await;
    assert_eq!((again.status, again.json()), (200, json!({ "version": 1, "entries": 2 })));

    let second = snapshot("ipad-7", &[lead(1), with_operator, lead(3)]);
    let path = "/api/devices/ipad-7/backups";
    let sent = server.put(path, gzip(second.to_string().as_bytes()), Some("gzip")).await;
    assert_eq!((sent.status, sent.json()), (201, json!({ "version": 2, "entries": 3 })));
    assert_eq!(server.get(&format!("{path}/1")).await.json(), first);
    assert_eq!(server.get(&format!("{path}/2")).await.body, second.to_string().into_bytes());
    let mut unpacked = String::new();
    let packed = server.get_packed(&format!("{path}/2")).await;
    GzDecoder::new(packed.body.as_slice()).read_to_string(&mut unpacked).unwrap();
    assert_eq!((packed.content_type.as_str(), unpacked), ("application/json", second.to_string()));

    back_up(&server, &snapshot("ipad-8", &[])).await;
    let all = server.get("/api/backups").await.json();
    let names: Vec<_> =
        all["backups"].as_array().unwrap().iter().map(|it| (&it["deviceId"], &it["version"])).collect();
    assert_eq!(
        names,
        [(&json!("ipad-8"), &json!(1)), (&json!("ipad-7"), &json!(2)), (&json!("ipad-7"), &json!(1))]
    );
    let mut newest = all["backups"][1].clone();
    newest["receivedAt"].take().as_str().unwrap().parse::<Timestamp>().unwrap();
    let expected = json!({
        "deviceId": "ipad-7", "version": 2, "receivedAt": null, "takenAt": "2026-05-23T12:03:11Z", "leads": 3,
        "entries": 3, "savedThrough": 3, "bytes": second.to_string().len(), "operators": ["Ola"],
    });
    assert_eq!(newest, expected);
    for unknown in ["/9", "/0", "/-1", "/x", "/18446744073709551615"] {
        assert_problem(&server.get(&format!("{path}{unknown}")).await, 404, "not-found");
    }
    assert_eq!(server.get("/api/devices/ipad-9/backups").await.json(), json!({ "backups": [] }));
}

/// SYN-9: the last 8 stay, and a wiped iPad, which is another installation, cannot push the good ones out.
#[actix_web::test]
async fn the_last_eight_of_each_installation_stay() {
    let server = Server::start().await;
    for leads in 1..=10 {
        let entries: Vec<Value> = (1..=leads).map(lead).collect();
        assert_eq!(back_up(&server, &snapshot("good", &entries)).await.json()["version"], leads);
    }
    for number in 1..=20 {
        back_up(&server, &snapshot("wiped", &[lead(number)])).await;
    }
    assert_eq!(versions(&server, "good").await, [10, 9, 8, 7, 6, 5, 4, 3]);
    assert_eq!(versions(&server, "wiped").await, [20, 19, 18, 17, 16, 15, 14, 13]);
    assert_problem(&server.get("/api/devices/good/backups/2").await, 404, "not-found");
}

/// SYN-9: however busy the others are, the list leads to the newest backup of one that is gone.
#[actix_web::test]
async fn the_newest_backup_of_each_installation_is_listed_before_older_ones_of_any() {
    let server = Server::start().await;
    back_up(&server, &snapshot("gone", &[lead(1)])).await;
    sqlx::query(
        "INSERT INTO device_backups (device_id, version, taken_at, digest, leads, entries, bytes, operators, client_ids, \
         content) SELECT 'busy-' || device, version, now(), '', 1, 1, 1, '{}', '{}', '' \
         FROM generate_series(1, 30) AS device, generate_series(1, 8) AS version",
    )
    .execute(&server.pool)
    .await
    .unwrap();
    let listed = server.get("/api/backups").await.json();
    let listed = listed["backups"].as_array().unwrap();
    assert_eq!(listed.len() as i64, backups::MAX_LISTED);
    let newest: Vec<_> =
        listed[..31].iter().map(|backup| (&backup["deviceId"], &backup["version"])).collect();
    assert_eq!(newest[30], (&json!("gone"), &json!(1)));
    assert!(newest[..30].iter().all(|(_, version)| **version == json!(8)), "{newest:?}");
}

#[actix_web::test]
async fn backups_of_one_installation_that_come_at_once_are_all_numbered() {
    let server = Server::start().await;
    let snapshots: Vec<Value> = (1..=12).map(|number| snapshot("ipad-7", &[lead(number)])).collect();
    let answers = join_all(snapshots.iter().map(|snapshot| back_up(&server, snapshot))).await;
    let mut numbers: Vec<u64> =
        answers.iter().map(|answer| answer.json()["version"].as_u64().unwrap()).collect();
    numbers.sort_unstable();
    assert!(answers.iter().all(|answer| answer.status == 201));
    assert_eq!(numbers, (1..=12).collect::<Vec<_>>());
    assert_eq!(versions(&server, "ipad-7").await, [12, 11, 10, 9, 8, 7, 6, 5]);
}

/// Invariant 9: a backup says how far its device has got, though none of its leads is recorded by it.
#[actix_web::test]
async fn a_backup_tells_of_leads_that_never_came() {
    let server = Server::start().await;
    server.sync(&[lead(1)]).await;
    back_up(&server, &snapshot("ipad-7", &[lead(1), lead(2), lead(3)])).await;
    assert_eq!((server.count("LeadCaptured").await, server.count("DeviceReported").await), (1, 1));
    projections::catch_up(&server.pool).await.unwrap();
    let devices = projections::devices::list(&server.pool).await.unwrap();
    assert_eq!(devices[&"ipad-7".parse().unwrap()].gaps(), [2..=3]);
}

#[actix_web::test]
async fn what_is_no_backup_of_that_device_is_refused_with_the_reason() {
    let server = Server::start().await;
    let path = "/api/devices/ipad-7/backups";
    let good = snapshot("ipad-7", &[lead(1)]).to_string();
    for body in ["", "<html>", "{}", "[]", &good[..good.len() - 1], &format!("{good}x"), "{\"format\":\"x\"}"]
    {
        assert_problem(&server.put(path, body, None).await, 400, "not-json");
    }
    assert_problem(&server.put(path, vec![0xff, 0xfe], None).await, 400, "not-json");
    assert_problem(
        &server.put("/api/devices/ipad-8/backups", good.clone(), None).await,
        400,
        "bad-parameter",
    );
    assert_problem(
        &server.put("/api/devices/i%20pad/backups", good.clone(), None).await,
        400,
        "bad-parameter",
    );
    assert_problem(&server.get("/api/devices/i%20pad/backups").await, 400, "bad-parameter");
    assert_problem(&server.put(path, good.clone(), Some("br")).await, 415, "unsupported-encoding");
    assert_problem(&server.put(path, good.clone(), Some("gzip")).await, 400, "not-json");
    let packed = gzip(good.as_bytes());
    assert_problem(&server.put(path, &packed[..packed.len() - 9], Some("gzip")).await, 400, "not-json");
    assert_problem(&server.put(path, vec![b' '; MAX_SNAPSHOT_BYTES + 1], None).await, 413, "too-large");
    let bomb = gzip(&vec![b' '; 100 * 1024 * 1024]);
    assert!(bomb.len() < 200_000);
    assert_problem(&server.put(path, bomb, Some("gzip")).await, 413, "too-large");
    assert_eq!(server.get("/api/backups").await.json(), json!({ "backups": [] }));
    // What cannot be read of one record costs the others nothing.
    let mut damaged = snapshot("ipad-7", &[lead(1), lead(2)]);
    damaged["records"]["entries"][0] = json!({ "v": 7 });
    damaged["takenAt"] = "yesterday".into();
    assert_eq!(back_up(&server, &damaged).await.json(), json!({ "version": 1, "entries": 1 }));
    assert_eq!(server.get(&format!("{path}/1")).await.json(), damaged);
}

/// Every stored byte, unpacked.
async fn contents(pool: &PgPool) -> Vec<String> {
    let contents: Vec<Vec<u8>> =
        sqlx::query_scalar("SELECT content FROM device_backups").fetch_all(pool).await.unwrap();
    let unpack = |content: Vec<u8>| {
        let mut document = String::new();
        GzDecoder::new(content.as_slice()).read_to_string(&mut document).unwrap();
        document
    };
    contents.into_iter().map(unpack).collect()
}

/// DESIGN section 11: an erasure reaches every backup, and what is sent afterwards.
#[actix_web::test]
async fn an_erasure_reaches_every_backup() {
    let server = Server::start().await;
    let mut both = snapshot("ipad-7", &[lead(1), lead(2)]);
    let form = json!({ "v": 1, "clientId": client_id(1), "form": "{\"email\":\"anna1@example.com\"}" });
    both["pendingForms"] = json!([form]);
    back_up(&server, &snapshot("ipad-7", &[lead(1)])).await;
    back_up(&server, &both).await;
    back_up(&server, &snapshot("ipad-8", &[lead(1)])).await;
    back_up(&server, &snapshot("ipad-9", &[lead(2)])).await;
    // The lead never came to the log by itself.
    office::erase(&server.store, client_id(1), None, at()).await.unwrap();
    let left = contents(&server.pool).await;
    assert_eq!(left.len(), 4);
    assert!(left.iter().all(|document| !document.contains("anna1@")), "{left:?}");
    assert_eq!(left.iter().filter(|document| document.contains("anna2@")).count(), 2);
    let document = server.get("/api/devices/ipad-7/backups/2").await.json();
    let record = &document["records"]["entries"][0];
    assert_eq!((&record["entry"], &record["removed"]), (&json!(""), &json!("erased")));
    assert_eq!((&record["deviceSeq"], &document["pendingForms"]), (&json!(1), &json!([])));
    assert_eq!(document["records"]["entries"][1], both["records"]["entries"][1]);
    let listed = server.get("/api/devices/ipad-7/backups").await.json();
    assert_eq!((&listed["backups"][0]["leads"], &listed["backups"][1]["leads"]), (&json!(1), &json!(0)));

    // A device that has not heard of it sends the same again: it is the same still.
    let again = back_up(&server, &both).await;
    assert_eq!((again.status, &again.json()["version"]), (200, &json!(2)));
    back_up(&server, &snapshot("ipad-10", &[lead(1)])).await;
    assert!(contents(&server.pool).await.iter().all(|document| !document.contains("anna1@")));
}

/// What a crash left between the log and the backups is found by the next look.
#[actix_web::test]
async fn an_erasure_that_was_interrupted_is_finished() {
    // Without a server, which would finish it by itself.
    let (pool, url) = fresh_store().await;
    let store = Store::open(&url).await.unwrap();
    let document = snapshot("ipad-7", &[lead(1), lead(2)]).to_string();
    backups::put(&pool, Packed::pack(&document).unwrap()).await.unwrap();
    let event = FollowUpEvent::LeadErased { by: None, at: at() };
    store.log().erase(client_id(1), &event).await.unwrap();
    assert!(contents(&pool).await[0].contains("anna1@"));
    assert_eq!(erasure::rewrite(&pool).await.unwrap(), 1);
    let left = contents(&pool).await;
    assert!(!left[0].contains("anna1@") && left[0].contains("anna2@"));
    assert_eq!(erasure::rewrite(&pool).await.unwrap(), 0, "nothing is left to do");
}

/// A backup that is on its way while the person is erased holds nothing of them afterwards.
#[actix_web::test]
async fn an_erasure_reaches_backups_that_come_at_the_same_time() {
    let server = Server::start().await;
    for round in 0..5_u64 {
        let person = 100 + round;
        let snapshots: Vec<Value> =
            (0..6).map(|number| snapshot(&format!("ipad-{round}-{number}"), &[lead(person)])).collect();
        let sent = join_all(snapshots.iter().map(|snapshot| back_up(&server, snapshot)));
        let erased = office::erase(&server.store, client_id(person), None, at());
        let (sent, erased) = futures_util::future::join(sent, erased).await;
        assert!(sent.iter().all(|answer| answer.status == 201));
        erased.unwrap();
    }
    let left = contents(&server.pool).await;
    assert_eq!(left.len(), 30);
    assert!(left.iter().all(|document| !document.contains("@example.com")));
}
