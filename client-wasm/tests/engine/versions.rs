//! Corrections and voids: versions of one lead, in order (SYN-5, CAP-6).
use leadlog_client::engine::status::{EntryStatus, Light};
use leadlog_client::engine::{Failure, Input, SYNC_EVERY_MS};

use crate::store::{Store, label};
use crate::world::{Device, at_rest};

#[test]
fn versions_of_a_lead_travel_in_one_request_in_order_and_are_one_lead() {
    let (mut device, mut cloud) = at_rest();
    device.tell(Input::WentOffline);
    let first = device.save();
    device.correct(first.client_id, "");
    device.tell(Input::CameOnline);
    assert_eq!(device.request().entries, 2);
    assert_eq!((device.status().waiting, device.status().places.device), (1, 1));
    device.answer(&mut cloud);
    assert_eq!((cloud.leads(), device.status().places.cloud, device.status().state), (2, 1, Light::Green));
}

/// What is held back holds back the later versions of the same lead, and nothing else.
#[test]
fn a_version_waits_for_the_one_before_while_that_is_set_aside() {
    for word in ["waiting", "unsupported", "postponed"] {
        let (mut device, mut cloud) = at_rest();
        let first = device.save();
        cloud.next_verdict = Some(word.to_owned());
        device.answer(&mut cloud);
        device.correct(first.client_id, "");
        assert!(device.flight.is_none(), "{word}");
        device.save();
        assert_eq!(device.request().seqs, [3], "{word}");
        device.answer(&mut cloud);
        device.until_sent();
        assert_eq!(device.request().seqs, [1, 2], "{word}");
        device.answer(&mut cloud);
        assert_eq!(device.status().state, Light::Green, "{word}");
    }
}

/// The fix of a failed lead is its next version. It goes as it is, and the refused one counts no more.
#[test]
fn the_fix_of_a_refused_version_makes_the_lead_whole() {
    let (mut device, mut cloud) = at_rest();
    let first = device.save_bad_at("all");
    device.answer(&mut cloud);
    assert_eq!((device.status().state, device.status().failed), (Light::Red, 1));
    device.correct(first.client_id, "");
    assert_eq!((device.status().state, device.status().failed), (Light::Amber, 0));
    assert_eq!(device.request().seqs, [2]);
    device.answer(&mut cloud);
    let status = device.status();
    assert_eq!((status.state, status.failed, status.places.cloud), (Light::Green, 0, 1));
    assert_eq!((device.status_of(1), device.status_of(2)), (EntryStatus::Failed, EntryStatus::Synced));
}

/// The cloud has the first version, so it is owed to nobody; a hub that lacks it gets it all the same.
#[test]
fn a_hub_that_lacks_the_version_before_gets_it_though_the_cloud_has_it() {
    let (mut device, mut hub, mut cloud) = (Device::with_targets(2), Store::hub(2), Store::cloud(1));
    device.open();
    device.fail(Failure::Network);
    device.answer(&mut cloud);
    let first = device.save();
    while cloud.leads() == 0 {
        device.until_sent();
        if device.request().target == 1 { device.answer(&mut cloud) } else { device.fail(Failure::Network) }
    }
    // Now only the hub answers.
    device.health = vec![Some((hub.store_id(), hub.tier)), None];
    device.wait(3 * SYNC_EVERY_MS);
    device.flight = None;
    device.correct(first.client_id, "");
    for _ in 0..20 {
        device.until_sent();
        if device.request().target == 0 { device.answer(&mut hub) } else { device.fail(Failure::Network) }
    }
    assert!(hub.holds(&label(first.client_id, 2)), "{:?}", hub.log);
    assert_eq!(hub.leads(), 2);
}

/// Another order on the disk, as a file may have it, changes nothing.
#[test]
fn restored_versions_go_in_their_order_and_keep_their_numbers() {
    let (mut device, mut cloud) = at_rest();
    device.tell(Input::WentOffline);
    let first = device.save();
    let second = device.correct(first.client_id, "");
    let mut fresh = Device::new();
    fresh.disk.device_id = "ipad-2".parse().unwrap();
    fresh.open();
    fresh.answer(&mut cloud);
    let restored = vec![
        leadlog_client::engine::record::EntryRecord { key: 1, ..second },
        leadlog_client::engine::record::EntryRecord { key: 2, ..first },
    ];
    fresh.disk.entries = restored.iter().map(|record| (record.key, record.clone())).collect();
    let records = leadlog_client::engine::record::Records { entries: restored, ..Default::default() };
    fresh.tell(Input::Restored(records));
    assert!(!fresh.request().body.contains("savedThrough"), "nothing of it was saved by this installation");
    fresh.run_until_quiet(&mut cloud);
    assert_eq!((cloud.leads(), fresh.status().places.cloud), (2, 1));
}
