//! What was on this iPad before its storage was wiped is told until it is back (SYN-9, invariant 9).
use leadlog_client::engine::loss::LostInstallation;
use leadlog_client::engine::record::{EntryRecord, Records};
use leadlog_client::engine::status::Light;
use leadlog_client::engine::{Input, SYNC_EVERY_MS};
use serde_json::{Value, json};

use crate::memory_outbox::MemoryOutbox;
use crate::store::Store;
use crate::world::{Device, at_rest};

/// What the next request says about another installation.
fn report(device: &mut Device, cloud: &mut Store) -> Value {
    device.wait(SYNC_EVERY_MS);
    let body: Value = serde_json::from_str(&device.request().body).unwrap();
    device.run_until_quiet(cloud);
    body["reports"].clone()
}

fn standing(device: &Device) -> (Light, u64) {
    let status = device.status();
    (status.state, status.missing)
}

fn restore(device: &mut Device, entry: EntryRecord) {
    let entries = device.disk.restore(vec![entry]);
    device.tell(Input::Restored(Records { entries, ..Records::default() }));
}

#[test]
fn a_lost_installation_is_told_until_its_entries_are_back_and_no_one_puts_it_out_of_the_stores_sight() {
    let (mut device, mut cloud) = at_rest();
    assert_eq!(report(&mut device, &mut cloud), Value::Null);
    let gone = [device.save(), device.save(), device.save()];
    device.disk = MemoryOutbox::new("ipad-1-2".parse().unwrap());
    let missed_at = "2026-05-23T14:03:10+02:00";
    device.lost = vec![LostInstallation {
        device_id: "ipad-1".parse().unwrap(),
        saved_through: 3,
        missed_at: missed_at.parse().unwrap(),
        put_aside: 0,
    }];
    device.restart();
    device.run_until_quiet(&mut cloud);
    assert_eq!(standing(&device), (Light::Red, 3), "though nothing waits");
    let told = json!([{ "deviceId": "ipad-1", "savedThrough": 3, "heardAt": missed_at }]);
    assert_eq!(report(&mut device, &mut cloud), told);
    let [first, second, third] = gone;
    restore(&mut device, first);
    device.run_until_quiet(&mut cloud);
    assert_eq!(standing(&device), (Light::Red, 2));
    device.tell(Input::LossPutAside);
    assert_eq!(standing(&device), (Light::Green, 0), "the person knows");
    assert_eq!(report(&mut device, &mut cloud), told, "the organizer may not");
    restore(&mut device, second);
    restore(&mut device, third);
    device.run_until_quiet(&mut cloud);
    assert_eq!(standing(&device), (Light::Green, 0));
    assert_eq!(report(&mut device, &mut cloud), Value::Null, "the entries speak for themselves");
}
