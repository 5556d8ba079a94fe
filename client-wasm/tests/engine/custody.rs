//! Custody and lineage (SYN-7, invariant 5): what proves that the cloud has a lead, and what takes the proof
//! away.
use leadlog_client::engine::status::{EntryStatus, Light};
use leadlog_client::engine::{Failure, Input, SYNC_EVERY_MS};

use crate::store::Store;
use crate::world::{Device, at_rest};

/// Two targets: a hub, then the cloud, which does not answer yet.
fn at_hub() -> (Device, Store, Store) {
    let (mut device, mut hub, cloud) = (Device::with_targets(2), Store::hub(2), Store::cloud(1));
    device.open();
    device.answer(&mut hub);
    device.fail(Failure::Network);
    (device, hub, cloud)
}

/// Asks the hub what is new, while the cloud does not answer.
fn ask_hub(device: &mut Device, hub: &mut Store) {
    device.wait(SYNC_EVERY_MS);
    device.tell(Input::Visible);
    for _ in 0..2 {
        match device.flight.as_ref().map(|flight| flight.target) {
            Some(0) => device.answer(hub),
            Some(_) => device.fail(Failure::Network),
            None => {}
        }
    }
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
    // Nothing of all this is on disk; the receipt there is of a history that is gone. It shows it, and
    // learns.
    device.restart();
    device.disk_is_full = false;
    device.run_until_quiet(&mut cloud);
    let on_disk = device.disk.marks[&1].answers[0].receipt();
    assert_eq!(on_disk, cloud.receipt_at(1));
}

/// A hub's word that it has relayed is cloud custody, and a refusal that it passes on comes before that word.
#[test]
fn what_a_hub_has_relayed_is_in_the_cloud_unless_the_cloud_refused_it() {
    let (mut device, mut hub, mut cloud) = at_hub();
    for bad_at in ["", "cloud"] {
        device.save_bad_at(bad_at);
        device.answer(&mut hub);
    }
    let status = device.status();
    assert_eq!((status.state, status.places.hub, status.waiting), (Light::Amber, 2, 2));
    hub.relay(&mut cloud, 10);
    ask_hub(&mut device, &mut hub);
    assert_eq!((device.status_of(1), device.status_of(2)), (EntryStatus::Synced, EntryStatus::Failed));
    let status = device.status();
    assert_eq!((status.state, status.waiting, status.failed, status.places.cloud), (Light::Red, 0, 1, 1));
    // All of it is on the disk.
    device.restart();
    assert_eq!(device.status().failed, 1);
}

/// Invariants 2 and 5: a hub that is gone cannot take its word back, so others get what only it has vouched
/// for.
#[test]
fn what_only_a_hub_that_is_gone_has_relayed_goes_to_the_next_hub() {
    let (mut device, mut hub, mut cloud) = at_hub();
    device.save();
    device.answer(&mut hub);
    hub.relay(&mut cloud, 10);
    ask_hub(&mut device, &mut hub);
    assert_eq!(device.status().state, Light::Green);
    // The cloud loses it, and the hub dies before it has noticed. An empty hub stands in its place.
    cloud.forget_after(0);
    let mut next = Store::hub(3);
    ask_hub(&mut device, &mut next);
    ask_hub(&mut device, &mut next);
    assert_eq!(next.leads(), 1);
    next.relay(&mut cloud, 10);
    assert_eq!(cloud.leads(), 1);
}

/// Invariant 5: the cloud proves the loss with the receipt that a hub passed on, though it has never answered
/// here.
#[test]
fn a_receipt_that_a_hub_passed_on_is_shown_to_the_cloud_and_proves_the_loss() {
    let (mut device, mut hub, mut cloud) = at_hub();
    device.save();
    device.answer(&mut hub);
    hub.relay(&mut cloud, 10);
    ask_hub(&mut device, &mut hub);
    assert_eq!(device.status().state, Light::Green);
    cloud.forget_after(0);
    device.health[1] = Some((cloud.store_id(), cloud.tier));
    device.until_sent();
    while device.request().target == 0 {
        device.answer(&mut hub);
        device.until_sent();
    }
    let shown: serde_json::Value = serde_json::from_str(&device.request().body).unwrap();
    assert_eq!(shown["lastReceipt"]["storeId"], serde_json::json!(cloud.id));
    device.answer(&mut cloud);
    device.run_until_quiet(&mut cloud);
    assert_eq!((cloud.leads(), device.status().state), (1, Light::Green));
}

/// Of two receipts from different mouths the higher one proves nothing about the lower: the device shows its
/// own.
#[test]
fn a_higher_receipt_from_a_hub_does_not_hide_that_the_cloud_lost_this_devices_leads() {
    let (mut device, mut hub, mut cloud) = at_hub();
    device.tell(Input::SyncRequested);
    device.answer(&mut hub);
    device.answer(&mut cloud);
    device.save();
    device.fail(Failure::Network);
    device.answer(&mut cloud);
    assert_eq!((cloud.leads(), device.status().state), (1, Light::Green));
    // The cloud loses it and grows beyond it by other devices' leads, which come by way of the hub.
    cloud.forget_after(0);
    let mut other = Device::new();
    other.open();
    other.answer(&mut hub);
    for _ in 0..3 {
        let mut lead = crate::world::entry(other.disk.entries.len() as u64 + 100);
        lead.key -= 99;
        other.disk.entries.insert(lead.key, lead.clone());
        other.tell(Input::Saved(lead));
        other.answer(&mut hub);
    }
    hub.relay(&mut cloud, 10);
    assert_eq!(cloud.leads(), 3);
    for _ in 0..8 {
        device.until_sent();
        if device.request().target == 0 { device.answer(&mut hub) } else { device.answer(&mut cloud) }
    }
    assert_eq!(cloud.leads(), 4);
    assert_eq!(device.status().state, Light::Green);
}
