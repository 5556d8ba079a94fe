//! Missing device sequence numbers are reported; silence is never reported as complete. And a number names one
//! entry of one installation, for ever.

use std::collections::BTreeMap;

use domain::{ClientId, DeviceId, LEAD_STREAM, LeadEvent, SUBMISSION_STREAM, SubmissionEvent};
use event_store::RecordedEvent;
use projections::fold::Devices;

use super::Violation;
use crate::device::Device;
use crate::world::{CLOUD, World};

pub(super) fn at_the_end(world: &World) -> Result<(), Violation> {
    let events = world.hosts[CLOUD].log.events();
    let mut devices = Devices::default();
    let mut named: BTreeMap<(DeviceId, u64), (ClientId, u32)> = BTreeMap::new();
    for event in &events {
        devices.apply(event).map_err(|poison| Violation::new(9, poison.to_string()))?;
        let Some((number, entry)) = number_of(event) else { continue };
        let first = *named.entry(number.clone()).or_insert(entry);
        if first != entry {
            let what = format!(
                "number {} of {} names {}/{} and {}/{}",
                number.1, number.0, first.0, first.1, entry.0, entry.1
            );
            return Err(Violation::new(9, what));
        }
    }
    for ((client_id, version), saved) in world.truth.entries() {
        // An erased lead that had not arrived is not recorded any more.
        if world.truth.erased.contains(client_id) {
            continue;
        }
        let known = devices.get(&saved.installation);
        let is_here =
            named.get(&(saved.installation.clone(), saved.device_seq)) == Some(&(*client_id, *version));
        let is_counted = known.is_some_and(|known| known.here.contains(saved.device_seq));
        let is_reported =
            known.is_none_or(|known| known.gaps().iter().any(|range| range.contains(&saved.device_seq)));
        let is_beyond = known.is_none_or(|known| saved.device_seq > known.saved_through);
        let is_right = if is_here { is_counted && !is_reported } else { is_reported || is_beyond };
        if !is_right {
            let what = format!(
                "number {} of {} is here: {is_here}, counted: {is_counted}, reported missing: {is_reported}",
                saved.device_seq, saved.installation
            );
            return Err(Violation::new(9, what));
        }
        // A device that survives has told how far it is, and one that was wiped what it knows of the storage before; so
        // nothing of them can be missing unseen.
        let is_noted = |it: &Device| it.lost.iter().any(|lost| lost.device_id == saved.installation);
        if is_beyond && (!saved.is_excused || world.devices.iter().any(is_noted)) {
            let what = format!("nothing is known of number {} of {}", saved.device_seq, saved.installation);
            return Err(Violation::new(9, what));
        }
    }
    Ok(())
}

fn number_of(event: &RecordedEvent) -> Option<((DeviceId, u64), (ClientId, u32))> {
    match event.aggregate_type.as_str() {
        LEAD_STREAM => {
            let entry = serde_json::from_str::<LeadEvent>(&event.payload).ok()?.into_entry();
            Some(((entry.device_id, entry.device_seq), (entry.client_id, entry.version)))
        }
        SUBMISSION_STREAM => match serde_json::from_str(&event.payload).ok()? {
            SubmissionEvent::Refused(refusal) => {
                let number = (refusal.device_id?.parse().ok()?, refusal.device_seq?);
                Some((number, (refusal.client_id?.parse().ok()?, refusal.version?)))
            }
            SubmissionEvent::Released(_) => None,
        },
        _ => None,
    }
}
