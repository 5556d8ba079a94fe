//! The engine's rules, one test each, through its only door: facts in, wishes out.
use crate::world::{Device, Store, entry};
use leadlog_client::engine::backoff::MAX_BACKOFF_MS;
use leadlog_client::engine::batch::MAX_ENTRIES_PER_REQUEST;
use leadlog_client::engine::flight::FLIGHT_LEASE_MS;
use leadlog_client::engine::record::Records;
use leadlog_client::engine::status::{EntryStatus, Light, Summary};
use leadlog_client::engine::{Failure, Input, SYNC_EVERY_MS};

/// A device with nothing on it, and a cloud that has answered once.
fn at_rest() -> (Device, Store) {
    let (mut device, mut cloud) = (Device::new(), Store::cloud(1));
    device.open();
    device.answer(&mut cloud);
    (device, cloud)
}

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

/// SYN-1, SYN-3: `invalid` and `conflict`, and nothing else, make an entry failed.
#[test]
fn each_verdict_has_its_meaning() {
    for (verdict, status, light) in [
        ("created", EntryStatus::Synced, Light::Green),
        ("duplicate", EntryStatus::Synced, Light::Green),
        ("duplicate_email", EntryStatus::Synced, Light::Green),
        ("invalid", EntryStatus::Failed, Light::Red),
        ("conflict", EntryStatus::Failed, Light::Red),
        ("waiting", EntryStatus::Pending, Light::Amber),
        ("unsupported", EntryStatus::Pending, Light::Amber),
        ("erased", EntryStatus::Pending, Light::Amber),
        ("postponed-by-a-newer-store", EntryStatus::Pending, Light::Amber),
    ] {
        let (mut device, mut cloud) = at_rest();
        device.save();
        cloud.next_verdict = Some(verdict.to_owned());
        device.answer(&mut cloud);
        assert_eq!((device.status_of(1), device.status().state), (status, light), "{verdict}");
        // Set aside: neither asked again at once nor in the way of the next lead.
        assert!(device.flight.is_none(), "{verdict}");
        device.save();
        assert_eq!(device.request().seqs, [2], "{verdict}");
        device.answer(&mut cloud);
        device.restart();
        device.answer(&mut cloud);
        if status != EntryStatus::Pending {
            assert_eq!(device.status_of(1), status, "{verdict} survives a restart");
        }
    }
}

#[test]
fn an_answer_without_a_result_or_without_a_receipt_is_no_answer() {
    let (mut device, mut cloud) = at_rest();
    device.save();
    cloud.answers_nothing = true;
    device.answer(&mut cloud);
    assert_eq!(device.status_of(1), EntryStatus::Pending);
    cloud.answers_nothing = false;
    cloud.gives_no_receipts = true;
    device.until_sent();
    device.answer(&mut cloud);
    assert_eq!((device.status_of(1), device.status().state), (EntryStatus::Pending, Light::Amber));
    cloud.gives_no_receipts = false;
    device.run_until_quiet(&mut cloud);
    assert_eq!(device.status().state, Light::Green);
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

/// STA-1 and custody: a hub's receipt is not the end.
#[test]
fn a_hub_moves_the_lead_on_but_only_the_cloud_makes_it_green() {
    let mut device = Device::new();
    let (mut hub, mut cloud) = (Store::hub(2), Store::cloud(1));
    device.open();
    device.answer(&mut hub);
    device.save();
    device.answer(&mut hub);
    let status = device.status();
    assert_eq!((status.state, status.places.hub, status.waiting), (Light::Amber, 1, 1));
    device.wait(SYNC_EVERY_MS);
    assert_eq!(device.request().entries, 0, "the hub has given its receipt");
    // The cloud answers at the same address: the lead is owed to it.
    device.answer(&mut cloud);
    assert_eq!(device.request().entries, 1);
    device.answer(&mut cloud);
    assert_eq!((device.status().state, device.status().places.cloud), (Light::Green, 1));
    // Another cloud takes over: everything is owed again.
    let mut other = Store::cloud(9);
    device.wait(SYNC_EVERY_MS);
    device.answer(&mut other);
    device.answer(&mut other);
    assert_eq!((other.leads(), device.status().state), (1, Light::Green));
}

/// Invariant 5: lost lineage voids every receipt of that store, and then everything is owed again.
#[test]
fn a_store_that_lost_its_history_gets_everything_again() {
    let (mut device, mut cloud) = at_rest();
    for _ in 0..3 {
        device.save();
        device.answer(&mut cloud);
    }
    assert_eq!(device.status().state, Light::Green);
    cloud.forget_after(1);
    device.wait(SYNC_EVERY_MS);
    device.answer(&mut cloud);
    assert_eq!(device.status().waiting, 3);
    // Also after a crash in the middle.
    device.restart();
    assert_eq!(device.status().waiting, 3);
    device.run_until_quiet(&mut cloud);
    assert_eq!((cloud.leads(), device.status().state), (3, Light::Green));
}

/// Invariant 5: only the store whose receipt was shown can prove a loss.
#[test]
fn another_store_cannot_void_receipts() {
    let (mut device, mut cloud) = at_rest();
    device.save();
    device.answer(&mut cloud);
    let mut liar = Store::hub(3);
    liar.claims_lost = true;
    device.wait(SYNC_EVERY_MS);
    device.answer(&mut liar);
    assert_eq!((device.status().state, device.status().places.cloud), (Light::Green, 1));
}

#[test]
fn marks_that_cannot_be_written_are_written_later_and_voiding_is_never_overtaken() {
    let (mut device, mut cloud) = at_rest();
    device.save();
    device.answer(&mut cloud);
    cloud.forget_after(0);
    device.disk_is_full = true;
    device.wait(SYNC_EVERY_MS);
    device.answer(&mut cloud);
    device.answer(&mut cloud);
    assert_eq!(device.status().state, Light::Green);
    // Nothing of all this is on disk; the receipt there is of a history that is gone. It shows it, and learns.
    device.restart();
    device.disk_is_full = false;
    device.run_until_quiet(&mut cloud);
    let on_disk = device.disk.marks[&1].answers[0].receipt();
    assert_eq!(on_disk, cloud.receipt_of(1));
}

#[test]
fn what_another_tab_has_written_counts_here_too() {
    let (mut device, mut cloud) = at_rest();
    let (mut other, _) = at_rest();
    let saved = other.save();
    device.tell(Input::Learned(Records { entries: vec![saved], ..Records::default() }));
    assert_eq!((device.status().waiting, device.flight.is_none()), (1, true), "the other tab sends it");
    other.answer(&mut cloud);
    let written = Records {
        marks: other.disk.marks.values().cloned().collect(),
        stores: other.disk.stores,
        ..Records::default()
    };
    device.tell(Input::Learned(written));
    assert_eq!(device.status().state, Light::Green);
}

#[test]
fn while_another_tab_sends_this_one_waits_without_calling_the_network_bad() {
    let (mut device, mut cloud) = at_rest();
    device.save();
    device.fail(Failure::OtherTab);
    assert_eq!(device.status().reachable, Some(true));
    device.run_until_quiet(&mut cloud);
    assert_eq!(cloud.leads(), 1);
}

/// STA-1: never green while something on the disk cannot even be read.
#[test]
fn an_entry_of_a_newer_program_keeps_the_dot_amber() {
    let mut device = Device::new();
    device.tell(Input::Opened(Records { unreadable: 1, ..Records::default() }));
    assert_eq!((device.status().state, device.status().waiting), (Light::Amber, 1));
}

#[test]
fn the_status_counts_today_and_names_the_oldest_that_waits() {
    let (mut device, _) = at_rest();
    device.tell(Input::WentOffline);
    for saved_at in [500, 900, 1_500] {
        let mut record = entry(saved_at);
        record.saved_at = i64::try_from(saved_at).unwrap();
        device.tell(Input::Saved(record));
    }
    device.tell(Input::DayStarted(900));
    assert_eq!((device.status().saved_today, device.status().oldest_saved_at), (2, Some(500)));
    let json = serde_json::to_string(&device.status()).unwrap();
    assert_eq!(
        json,
        r#"{"state":"amber","waiting":3,"oldestSavedAt":500,"failed":0,"places":{"device":3,"hub":0,"cloud":0},"reachable":false,"savedToday":2}"#
    );
}
