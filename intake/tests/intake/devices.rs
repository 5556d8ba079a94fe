//! Invariant 9: how many entries a device has saved is known as soon as it says so, however few have arrived.

use domain::DEVICE_REPORT_STREAM;
use domain::Verdict::{Created, Duplicate};
use event_store::EventLog;
use event_store::conformance::Subject;
use serde_json::json;

use crate::in_every_world;
use crate::world::{MemoryQueue, Store, World, version};

in_every_world!(
    a_report_is_recorded_when_it_says_more_than_the_entries_beside_it,
    a_hub_passes_on_what_it_heard,
    a_report_never_fails_the_entries,
    an_entry_says_who_brought_it_unless_its_own_device_did,
    a_device_is_heard_also_when_others_have_brought_everything_that_it_sends,
);

async fn reported<W: World>(store: &Store<W>, device: &str) -> Vec<u64> {
    let stream = store.subject.log().read_stream(DEVICE_REPORT_STREAM, device).await.unwrap();
    stream.iter().map(|event| event.sequence).collect()
}

async fn a_report_is_recorded_when_it_says_more_than_the_entries_beside_it<W: World>() {
    let store = Store::<W>::cloud().await;
    let ask = async |saved_through: u64, entries: &[serde_json::Value]| {
        store.ask(json!({ "sender": "ipad-7", "savedThrough": saved_through, "entries": entries })).await;
        reported(&store, "ipad-7").await
    };
    // 11 and 21 are the numbers of the entries.
    assert_eq!(ask(21, &[version(1, 1), version(2, 1)]).await, [] as [u64; 0]);
    assert_eq!(ask(40, &[version(1, 1), version(2, 1)]).await, [40]);
    assert_eq!(ask(40, &[version(2, 1)]).await, [40], "once");
    assert_eq!(ask(41, &[]).await, [40, 41]);
    let payload = &store.events().await.last().unwrap().payload.clone();
    assert!(payload.contains("\"heardAt\":\"2026-05-23T12:04:00Z\""), "{payload}");
    // The sender is not the one who made the entries.
    store.ask(json!({ "sender": "ipad-8", "savedThrough": 3, "entries": [version(2, 1)] })).await;
    assert_eq!(reported(&store, "ipad-8").await, [3]);
}

async fn a_hub_passes_on_what_it_heard<W: World>() {
    let store = Store::<W>::cloud().await;
    let report = |device: &str, number: u64| json!({ "deviceId": device, "savedThrough": number, "heardAt": "2026-05-23T10:00:00Z" });
    let reports = [report("ipad-7", 11), report("ipad-8", 5), report("ipad-8", 9), report("ipad-9", 1)];
    let request = json!({ "sender": "hub-1", "reports": reports, "entries": [version(1, 1)] });
    for _ in 0..2 {
        store.ask(request.clone()).await;
        assert_eq!(reported(&store, "ipad-7").await, [11], "the entry beside it is not its own voice");
        assert_eq!(reported(&store, "ipad-8").await, [9]);
        assert_eq!(reported(&store, "ipad-9").await, [1]);
        assert_eq!(store.events().await.len(), 4);
    }
    let heard = store.subject.log().read_stream(DEVICE_REPORT_STREAM, "ipad-9").await.unwrap();
    assert!(heard[0].payload.contains("2026-05-23T10:00:00Z"), "when the hub heard it: {}", heard[0].payload);
}

async fn a_report_never_fails_the_entries<W: World>() {
    let store = Store::<W>::cloud().await;
    let report = |number: u64| json!({ "deviceId": "ipad-8", "savedThrough": number, "heardAt": "2026-05-23T10:00:00Z" });
    for (reports, verdict) in
        [(json!([report(0), report(u64::MAX)]), Created), (json!([report(7)]), Duplicate)]
    {
        let answer = store
            .ask(json!({ "sender": "ipad-7", "savedThrough": u64::MAX, "reports": reports, "entries": [version(1, 1)] }))
            .await;
        assert_eq!(answer.results.iter().map(|result| result.status).collect::<Vec<_>>(), [verdict]);
    }
    assert_eq!((reported(&store, "ipad-7").await, reported(&store, "ipad-8").await), (vec![], vec![7]));
}

async fn an_entry_says_who_brought_it_unless_its_own_device_did<W: World>() {
    let store = Store::<W>::cloud().await;
    let refused = json!({ "kind": "captured", "deviceId": "ipad-7", "deviceSeq": 90 });
    store.ask(json!({ "sender": "ipad-7", "entries": [version(1, 1)] })).await;
    store.ask(json!({ "sender": "ipad-8", "entries": [version(2, 1)] })).await;
    store.ask(json!({ "entries": [version(3, 1)] })).await;
    store.ask(json!({ "sender": "ipad-8", "entries": [refused] })).await;
    let senders: Vec<Option<String>> =
        store.events().await.iter().map(|event| sender(&event.metadata)).collect();
    assert_eq!(senders, [None, Some("ipad-8".to_owned()), Some(String::new()), Some("ipad-8".to_owned())]);
}

fn sender(metadata: &str) -> Option<String> {
    let metadata: serde_json::Value = serde_json::from_str(metadata).unwrap();
    metadata.get("sender").map(|sender| sender.as_str().unwrap().to_owned())
}

/// A backup of it was recovered, another iPad restored it, a hub relayed it: then it finds a network itself.
async fn a_device_is_heard_also_when_others_have_brought_everything_that_it_sends<W: World>() {
    let store = Store::<W>::cloud().await;
    let entries = [version(1, 1), version(2, 1)];
    let hearsay = json!([{ "deviceId": "ipad-7", "savedThrough": 21, "heardAt": "1970-01-01T00:00:00Z" }]);
    store.ask(json!({ "sender": "ipad-8", "entries": entries })).await;
    store.ask(json!({ "reports": hearsay, "entries": [] })).await;
    assert_eq!(reported(&store, "ipad-7").await, [] as [u64; 0], "nobody has heard it");
    for _ in 0..2 {
        store.ask(json!({ "sender": "ipad-7", "savedThrough": 21, "entries": entries })).await;
        assert_eq!(reported(&store, "ipad-7").await, [21]);
    }
    assert_eq!(store.events().await.len(), 4, "two leads, hearsay, its voice");
}

/// A database that was put back to an earlier state under a running process has forgotten reports, too, and no receipt
/// covers them. A hub says its own with each request.
#[tokio::test]
async fn a_log_that_was_put_back_under_a_running_process_hears_again() {
    let store = Store::<MemoryQueue>::cloud().await;
    let report = json!([{ "deviceId": "ipad-7", "savedThrough": 21, "heardAt": "2026-05-23T12:00:00Z" }]);
    let receipts = store.ask(json!({ "reports": report, "entries": [version(1, 1)] })).await;
    assert_eq!(reported(&store, "ipad-7").await, [21]);

    // It is seen by what is appended where something had stood before,
    store.subject.log().truncate(0);
    store.ask(json!({ "reports": report, "entries": [version(2, 1)] })).await;
    assert_eq!(reported(&store, "ipad-7").await, [21]);

    // and by a receipt of which the log knows nothing.
    store.subject.log().truncate(0);
    let [proof] = &receipts.results[..] else { panic!("one result") };
    let receipt = json!({
        "storeId": store.identity.id, "position": proof.position, "appendId": proof.append_id
    });
    store.ask(json!({ "lastReceipt": receipt, "reports": report, "entries": [] })).await;
    assert_eq!(reported(&store, "ipad-7").await, [21]);
}
