//! Personal data leaves a device only when the person was erased, or in cloud custody after the campaign
//! (invariant 4).
use leadlog_client::engine::Input;
use leadlog_client::engine::SYNC_EVERY_MS;
use leadlog_client::engine::record::{Records, Removed};
use leadlog_client::engine::status::Light;

use crate::world::at_rest;

fn closed() -> Input {
    Input::CampaignClosed("shootout-2026".parse().unwrap())
}

#[test]
fn an_erasure_removes_every_version_and_leaves_the_ids() {
    let (mut device, mut cloud) = at_rest();
    let first = device.save();
    device.answer(&mut cloud);
    device.correct(first.client_id, "");
    device.answer(&mut cloud);
    device.save();
    device.answer(&mut cloud);
    cloud.erase(&first.client_id.to_string());
    device.disk_is_full = true;
    device.wait(SYNC_EVERY_MS);
    device.answer(&mut cloud);
    // Neither the removal nor the cursor behind it is on the disk: both come again.
    device.disk_is_full = false;
    device.restart();
    device.answer(&mut cloud);
    let removed: Vec<_> = device.disk.entries.values().map(|record| record.removed).collect();
    assert_eq!(removed, [Some(Removed::Erased), Some(Removed::Erased), None]);
    assert!(device.disk.entries[&1].entry.is_empty() && device.disk.entries[&1].client_id == first.client_id);
    let status = device.status();
    assert_eq!((status.state, status.places.cloud, status.waiting), (Light::Green, 1, 0));
    // A cloud that loses history cannot ask for it again, nor does a copy from elsewhere bring it back.
    cloud.forget_after(0);
    device.wait(SYNC_EVERY_MS);
    device.run_until_quiet(&mut cloud);
    assert_eq!(cloud.leads(), 1);
    device.tell(Input::Learned(Records { entries: vec![first], ..Records::default() }));
    assert_eq!((device.status().waiting, device.disk.entries[&1].entry.as_str()), (0, ""));
}

#[test]
fn the_verdict_erased_removes_what_was_never_recorded_there() {
    let (mut device, mut cloud) = at_rest();
    device.tell(Input::WentOffline);
    let first = device.save();
    cloud.erase(&first.client_id.to_string());
    device.tell(Input::CameOnline);
    device.answer(&mut cloud);
    assert_eq!(device.disk.entries[&1].removed, Some(Removed::Erased));
    assert_eq!((device.status().state, device.status().waiting), (Light::Green, 0));
}

#[test]
fn when_the_campaign_closes_only_what_the_cloud_has_is_removed_and_the_rest_when_it_gets_there() {
    let (mut device, mut cloud) = at_rest();
    let first = device.save();
    device.answer(&mut cloud);
    device.tell(Input::WentOffline);
    device.save();
    // A lead goes as a whole: its correction is not in the cloud yet.
    device.correct(first.client_id, "");
    device.save_bad_at("all");
    device.tell(closed());
    assert!(device.disk.entries.values().all(|record| record.removed.is_none()));
    device.restart();
    device.answer(&mut cloud);
    let removed: Vec<_> = device.disk.entries.values().map(|record| record.removed.is_some()).collect();
    assert_eq!(removed, [true, true, true, false], "what was refused is never removed by the software");
    let status = device.status();
    assert_eq!((status.places.cloud, status.failed), (2, 1));
    // They are not sent again, whatever becomes of the cloud.
    cloud.forget_after(0);
    device.restart();
    device.answer(&mut cloud);
    assert_eq!(device.request().seqs, [4]);
    device.answer(&mut cloud);
    assert_eq!(cloud.leads(), 0);
    assert_eq!(device.status().waiting, 0);
}
