//! STA-2: the leads of this device, as the device page lists them.
use leadlog_client::engine::Input;
use leadlog_client::engine::custody::Place;
use leadlog_client::engine::status::EntryStatus;

use crate::world::{Device, at_rest};

#[test]
fn what_failed_comes_first_then_the_newest_each_lead_once_in_its_newest_version() {
    let (mut device, mut cloud) = at_rest();
    let failed = device.save_bad_at("all");
    device.answer(&mut cloud);
    let old = device.save();
    device.answer(&mut cloud);
    device.tell(Input::WentOffline);
    let new = device.save();
    let fixed = device.correct(old.client_id, "");
    let rows = device.engine.leads(9);
    let listed: Vec<_> = rows.iter().map(|row| (row.client_id, row.status, row.place)).collect();
    assert_eq!(
        listed,
        [
            (failed.client_id, EntryStatus::Failed, Place::Device),
            (fixed.client_id, EntryStatus::Pending, Place::Device),
            (new.client_id, EntryStatus::Pending, Place::Device),
        ]
    );
    assert!(!rows[0].errors.is_empty() && rows[1].errors.is_empty());
    assert_eq!(device.engine.leads(1).len(), 1);
}

/// Nobody's name is left, and nothing can be made of it any more.
#[test]
fn of_an_erased_person_only_the_ids_are_listed() {
    let (mut device, mut cloud) = at_rest();
    let lead = device.save();
    device.answer(&mut cloud);
    cloud.erase(&lead.client_id.to_string());
    device.save();
    device.answer(&mut cloud);
    let rows = device.engine.leads(9);
    let erased = rows.iter().find(|row| row.client_id == lead.client_id).unwrap();
    assert_eq!((erased.name.as_str(), erased.status, erased.can_change), ("", EntryStatus::Synced, false));
}

/// CAP-4: without any network, the leads of this device are a list too.
#[test]
fn an_e_mail_is_known_as_long_as_a_lead_here_has_it() {
    let (mut device, _) = at_rest();
    let campaign = "shootout-2026".parse().unwrap();
    let knows = |device: &Device, email| device.engine.knows_email(&campaign, email);
    let email = "lead-1@example.com";
    assert!(!knows(&device, email));
    let lead = device.save();
    assert!(knows(&device, email) && knows(&device, " LEAD-1@Example.com "));
    assert!(!knows(&device, "ead-1@example.com") && !knows(&device, "lead-1@example.co"));
    assert!(!device.engine.knows_email(&"another".parse().unwrap(), email));
    device.take_back(lead.client_id);
    assert!(!knows(&device, email));
}
