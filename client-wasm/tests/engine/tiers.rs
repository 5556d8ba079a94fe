//! Several targets: tiers (TIER-2), fairness, and backups (SYN-9).
use leadlog_client::engine::backup::BACKUP_EVERY_MS;
use leadlog_client::engine::flight::FLIGHT_LEASE_MS;
use leadlog_client::engine::status::{Light, Reach};
use leadlog_client::engine::tier::HEARTBEAT_MS;
use leadlog_client::engine::{Failure, Input, SYNC_EVERY_MS};

use crate::store::Store;
use crate::world::{Device, at_rest};

#[test]
fn two_misses_in_a_row_mean_solo_and_one_answer_sends_what_waits() {
    let (mut device, mut cloud) = at_rest();
    assert_eq!(device.status().reach, Some(Reach::Cloud));
    let cloud_answers = device.health[0].take();
    device.wait(HEARTBEAT_MS);
    assert_eq!((device.probes.len(), device.status().reach), (1, Some(Reach::Cloud)), "one miss is none");
    device.wait(HEARTBEAT_MS);
    assert_eq!(device.status().reach, Some(Reach::Solo));
    device.save();
    device.wait(10 * SYNC_EVERY_MS);
    assert!(device.flight.is_none(), "an unreachable target gets health requests only");
    device.health[0] = cloud_answers;
    device.wait(HEARTBEAT_MS);
    assert_eq!(device.request().entries, 1);
    device.answer(&mut cloud);
    assert_eq!((device.status().state, device.status().reach), (Light::Green, Some(Reach::Cloud)));
}

#[test]
fn nothing_is_probed_while_other_words_are_heard() {
    let (mut device, mut cloud) = at_rest();
    for _ in 0..10 {
        device.wait(HEARTBEAT_MS - 1);
        device.save();
        device.answer(&mut cloud);
    }
    assert!(device.probes.is_empty());
}

/// A target that takes a request and never answers costs one lease; then the next has its turn.
#[test]
fn a_hung_target_does_not_starve_the_others() {
    let (mut device, mut cloud) = (Device::with_targets(2), Store::cloud(1));
    device.health[1] = Some((cloud.store_id(), cloud.tier));
    device.open();
    device.save();
    let mut waited_ms = 0;
    for _ in 0..50 {
        device.until_sent();
        let sent_at_ms = device.now_ms;
        if device.request().target == 1 {
            device.answer(&mut cloud);
            break;
        }
        device.flight = None;
        device.wait(FLIGHT_LEASE_MS);
        waited_ms += device.now_ms - sent_at_ms;
    }
    assert_eq!((cloud.leads(), device.status().state), (1, Light::Green));
    assert!(waited_ms <= FLIGHT_LEASE_MS, "{waited_ms}");
    // Later the hung one is not even tried: it does not answer its health route.
    device.wait(2 * HEARTBEAT_MS);
    device.save();
    assert_eq!(device.request().target, 1);
}

#[test]
fn an_entry_is_owed_to_a_hub_until_the_cloud_itself_has_it() {
    let (mut device, mut hub, mut cloud) = (Device::with_targets(2), Store::hub(2), Store::cloud(1));
    device.open();
    device.answer(&mut hub);
    device.answer(&mut cloud);
    assert_eq!(device.status().reach, Some(Reach::Cloud));
    device.save();
    assert_eq!(device.request().target, 0);
    device.answer(&mut hub);
    assert_eq!((device.request().target, device.request().entries), (1, 1));
    device.answer(&mut cloud);
    assert_eq!((hub.leads(), cloud.leads(), device.status().state), (1, 1, Light::Green));
    // The hub times out; the cloud takes it, and then the hub need not.
    device.save();
    device.fail(Failure::Timeout);
    device.answer(&mut cloud);
    device.until_sent();
    device.answer(&mut hub);
    assert_eq!((hub.leads(), cloud.leads()), (1, 2));
}

#[test]
fn a_backup_is_wished_for_when_something_changed_and_a_store_answers() {
    let mut cloud = Store::cloud(1);
    let mut device = Device::new();
    device.makes_backups = true;
    device.open();
    device.answer(&mut cloud);
    device.save();
    device.answer(&mut cloud);
    for _ in 0..2 * BACKUP_EVERY_MS / SYNC_EVERY_MS {
        device.wait(SYNC_EVERY_MS);
        if device.flight.is_some() {
            device.answer(&mut cloud);
        }
        if let [(request_id, 0)] = device.backups[..] {
            device.tell(Input::BackupDone { request_id });
            assert!(device.now_ms >= BACKUP_EVERY_MS);
        }
    }
    assert_eq!(device.backups.len(), 1, "nothing has changed since");
}
