//! Triggers and the single flight (SYN-2), retries (SYN-3), batches (SYN-5).
use leadlog_client::engine::backoff::MAX_BACKOFF_MS;
use leadlog_client::engine::batch::MAX_ENTRIES_PER_REQUEST;
use leadlog_client::engine::flight::FLIGHT_LEASE_MS;
use leadlog_client::engine::record::EntryRecord;
use leadlog_client::engine::status::{EntryStatus, Light, Summary};
use leadlog_client::engine::{Failure, Input, SYNC_EVERY_MS};
use serde_json::{Value, json};

use crate::world::{at_rest, entry};

/// SYN-2: after a save, every 60 s, visible, online, by hand.
#[test]
fn each_of_the_five_triggers_sends_a_request() {
    let (mut device, mut cloud) = at_rest();
    device.save();
    assert_eq!(device.request().entries, 1);
    device.answer(&mut cloud);

    device.wait(SYNC_EVERY_MS - 1);
    assert!(device.flight.is_none());
    device.wait(1);
    device.answer(&mut cloud);

    device.tell(Input::Visible);
    device.answer(&mut cloud);

    device.tell(Input::WentOffline);
    device.tell(Input::Visible);
    assert!(device.flight.is_none());
    device.tell(Input::CameOnline);
    device.answer(&mut cloud);

    device.tell(Input::SyncRequested);
    device.answer(&mut cloud);
    assert_eq!(device.done.len(), 1);
}

/// AUT-3: what waited for a new code goes out at once, whatever it waited for.
#[test]
fn a_device_that_was_let_in_waits_for_nothing_any_more() {
    let (mut device, mut cloud) = at_rest();
    cloud.next_verdict = Some("quarantined".to_owned());
    device.save();
    device.answer(&mut cloud);
    assert_eq!(device.status_of(1), EntryStatus::Pending);
    device.save();
    for _ in 0..3 {
        device.fail(Failure::Network);
        device.until_sent();
    }
    device.fail(Failure::Network);
    assert!(device.flight.is_none());
    device.tell(Input::LetIn);
    assert_eq!(device.request().entries, 2);
}

/// SYN-2, SYN-4: five taps on "sync" make one request.
#[test]
fn a_trigger_during_a_run_starts_no_second_request_and_is_answered_with_it() {
    let (mut device, mut cloud) = at_rest();
    device.tell(Input::WentOffline);
    device.save();
    device.tell(Input::CameOnline);
    for _ in 0..5 {
        device.tell(Input::SyncRequested);
        device.tell(Input::Visible);
        device.tell(Input::Tick);
    }
    assert_eq!((device.sent, device.done.len()), (2, 0));
    // Saved meanwhile: the same run takes it along, in the next request.
    device.save();
    assert_eq!((device.sent, device.status_of(2)), (2, EntryStatus::Pending));
    device.answer(&mut cloud);
    assert_eq!((device.sent, device.status_of(2)), (3, EntryStatus::Syncing));
    device.answer(&mut cloud);
    assert_eq!(device.done, [Summary { sent: 2, synced: 2, failed: 0, waiting: 0 }]);
    assert_eq!(cloud.leads(), 2);
}

/// SYN-2.
#[test]
fn offline_a_person_gets_an_empty_summary_and_no_entry_changes() {
    let (mut device, _) = at_rest();
    device.tell(Input::WentOffline);
    device.save();
    let before = device.engine.entry_status(1);
    device.tell(Input::SyncRequested);
    assert_eq!(device.done, [Summary { sent: 0, synced: 0, failed: 0, waiting: 1 }]);
    assert!(device.flight.is_none());
    assert_eq!(device.engine.entry_status(1), before);
}

/// SYN-3: nothing but a typed verdict changes an entry, and everything else is tried again.
#[test]
fn whatever_is_not_a_verdict_leaves_the_entry_pending_and_is_tried_again() {
    let portal = "<html>Arena WiFi</html>";
    for (code, content_type, body) in [
        (200, "text/html", portal),
        (200, "application/json", portal),
        (401, "application/problem+json", "{}"),
        (408, "", ""),
        (413, "", ""),
        (429, "", ""),
        (500, "", ""),
        (503, "application/problem+json", "{}"),
    ] {
        let (mut device, mut cloud) = at_rest();
        device.save();
        device.respond(code, content_type, body, None);
        assert_eq!(device.status_of(1), EntryStatus::Pending, "{code}");
        assert_eq!(device.status().reachable, Some(false));
        device.until_sent();
        assert_eq!(device.request().entries, 1, "{code}");
        device.answer(&mut cloud);
        assert_eq!((device.status_of(1), cloud.leads()), (EntryStatus::Synced, 1), "{code}");
    }
}

#[test]
fn a_failing_network_is_tried_less_and_less_often_but_at_least_every_minute_or_so() {
    let (mut device, _) = at_rest();
    device.save();
    let mut longest = 0;
    for _ in 0..20 {
        let failed_at = device.now_ms;
        device.fail(Failure::Network);
        device.until_sent();
        longest = longest.max(device.now_ms - failed_at);
    }
    assert!((MAX_BACKOFF_MS / 2..=MAX_BACKOFF_MS).contains(&longest), "{longest}");
}

#[test]
fn a_save_does_not_hammer_a_failing_server_but_a_person_may() {
    let (mut device, _) = at_rest();
    device.save();
    device.respond(503, "", "", Some("120"));
    device.save();
    device.tell(Input::Visible);
    device.tell(Input::CameOnline);
    assert!(device.flight.is_none());
    let asked_at = device.now_ms;
    device.tell(Input::SyncRequested);
    assert_eq!(device.request().entries, 2);
    device.respond(503, "", "", Some("120"));
    device.until_sent();
    assert_eq!(device.now_ms - asked_at, 120_000);
}

/// SYN-3.
#[test]
fn refused_for_its_size_a_batch_is_halved_down_to_one_which_then_lets_the_others_pass() {
    let (mut device, mut cloud) = at_rest();
    device.tell(Input::WentOffline);
    for _ in 0..8 {
        device.save();
    }
    device.tell(Input::CameOnline);
    let mut sizes = Vec::new();
    for _ in 0..4 {
        sizes.push(device.request().entries);
        device.respond(413, "", "", None);
        device.until_sent();
    }
    assert_eq!(sizes, [8, 4, 2, 1]);
    assert_eq!(device.request().seqs, [2], "the first entry is set aside");
    device.run_until_quiet(&mut cloud);
    assert_eq!((cloud.leads(), device.status().state), (8, Light::Green));
}

#[test]
fn a_batch_is_bounded() {
    let (mut device, mut cloud) = at_rest();
    device.tell(Input::WentOffline);
    for _ in 0..MAX_ENTRIES_PER_REQUEST + 1 {
        device.save();
    }
    device.tell(Input::CameOnline);
    assert_eq!(device.request().entries, MAX_ENTRIES_PER_REQUEST);
    device.answer(&mut cloud);
    assert_eq!(device.request().entries, 1);
}

#[test]
fn the_bytes_that_were_saved_are_the_bytes_that_are_sent() {
    let (mut device, _) = at_rest();
    let mut record = entry(1);
    record.entry.insert_str(1, " \"unknown\" : [1.0, \"ą\"],\n");
    device.tell(Input::Saved(record.clone()));
    assert!(device.request().body.contains(&record.entry));
    assert!(device.request().body.contains("\"savedThrough\":1"));
}

/// No hung request holds the flight for ever.
#[test]
fn a_request_without_any_outcome_ends_with_its_lease_and_its_late_answer_is_ignored() {
    let (mut device, mut cloud) = at_rest();
    device.save();
    let hung = device.request().clone();
    device.flight = None;
    device.wait(FLIGHT_LEASE_MS);
    assert_eq!(device.status_of(1), EntryStatus::Pending);
    device.respond_to(hung.id, 200, "application/json", &cloud.answer(&hung.body), None);
    assert_eq!(device.status_of(1), EntryStatus::Pending);
    device.run_until_quiet(&mut cloud);
    assert_eq!((device.status_of(1), cloud.leads()), (EntryStatus::Synced, 1));
}

/// TIER-5: each request says what this device still holds for the store that it goes to, beyond what is in it: so a store that
/// has answered knows. A lead counts once, however many of its versions are left.
#[test]
fn a_request_says_what_is_left_beyond_it() {
    let (mut device, mut cloud) = at_rest();
    device.tell(Input::WentOffline);
    let saved: Vec<EntryRecord> = (0..MAX_ENTRIES_PER_REQUEST + 3).map(|_| device.save()).collect();
    device.correct(saved[MAX_ENTRIES_PER_REQUEST].client_id, "");
    device.tell(Input::StorageSeen { is_persisted: Some(true) });
    device.tell(Input::CameOnline);
    let condition = |body: &str| serde_json::from_str::<Value>(body).unwrap()["condition"].clone();
    let first = condition(&device.request().body);
    assert_eq!((&first["left"], &first["isStoragePersisted"]), (&json!(3), &json!(true)));
    assert_eq!(first["oldestLeftAt"], saved[MAX_ENTRIES_PER_REQUEST].saved_at);
    device.answer(&mut cloud);
    let last = condition(&device.request().body);
    assert_eq!((&last["left"], last.get("oldestLeftAt")), (&json!(0), None));
}
