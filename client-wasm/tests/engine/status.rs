//! What a person is told, and what several tabs and newer programs have to do with it (STA-1).
use leadlog_client::engine::record::Records;
use leadlog_client::engine::session::{Session, SessionState};
use leadlog_client::engine::status::{EntryStatus, Light};
use leadlog_client::engine::{Failure, Input};

use crate::world::{Device, at_rest, entry};

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
        ("quarantined", EntryStatus::Pending, Light::Amber),
        ("erased", EntryStatus::Synced, Light::Green),
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
        stores: other.disk.stores.clone(),
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
        r#"{"state":"amber","waiting":3,"oldestSavedAt":500,"failed":0,"missing":0,"places":{"device":3,"hub":0,"cloud":0},"reachable":false,"reach":"solo","session":"none","savedToday":2}"#
    );
}

/// CAP-6: nobody counts who was taken back.
#[test]
fn a_lead_that_was_taken_back_is_not_of_the_day_until_it_is_brought_back() {
    let (mut device, _) = at_rest();
    device.tell(Input::WentOffline);
    device.tell(Input::DayStarted(0));
    device.save();
    let lead = device.save();
    let void = device.take_back(lead.client_id);
    assert_eq!((device.status().saved_today, device.status().waiting), (1, 2));
    device.correct(void.client_id, "");
    assert_eq!(device.status().saved_today, 2);
}

/// AUT-2: a session that ends changes a word on the screen, and nothing else.
#[test]
fn a_session_that_has_ended_blocks_nothing() {
    let (mut device, mut cloud) = at_rest();
    device.tell(Input::SessionStarted(Session { valid_for_ms: 1_000, grace_ms: 2_000 }));
    assert_eq!(device.status().session, SessionState::Valid);
    device.wait(1_000);
    assert_eq!(device.status().session, SessionState::Grace);
    device.wait(2_000);
    assert_eq!(device.status().session, SessionState::Reconnect);
    device.save();
    device.answer(&mut cloud);
    assert_eq!(device.status().state, Light::Green);
    device.tell(Input::SessionEnded);
    assert_eq!(device.status().session, SessionState::None);
}
