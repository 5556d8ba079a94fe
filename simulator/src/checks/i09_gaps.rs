//! Missing device sequence numbers are reported; silence is never reported as complete. And a number names one
//! entry of one installation, for ever.

use std::collections::{BTreeMap, BTreeSet};

use domain::{ClientId, DeviceId, LEAD_STREAM, LeadEvent, SUBMISSION_STREAM, SubmissionEvent};
use event_store::RecordedEvent;
use projections::fold::Devices;

use super::Violation;
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
        // A device that survives has told how far it is, so nothing of it can be missing unseen.
        if !saved.is_excused && is_beyond {
            return Err(unheard_of(saved.device_seq, &saved.installation));
        }
    }
    Ok(())
}

/// One that was wiped, too: its successor tells how far it had got. Until it has, the arena has not come to rest.
pub(super) fn what_waits(world: &World) -> Option<Violation> {
    let lost: BTreeSet<&DeviceId> =
        world.devices.iter().flat_map(|it| &it.lost).map(|lost| &lost.device_id).collect();
    if lost.is_empty() {
        return None;
    }
    let mut devices = Devices::default();
    for event in &world.hosts[CLOUD].log.events() {
        // What cannot be folded is told in the end.
        let _ = devices.apply(event);
    }
    let is_unheard_of = |installation: &DeviceId, seq: u64| {
        lost.contains(installation) && devices.get(installation).is_none_or(|known| seq > known.saved_through)
    };
    let mut lost_entries =
        world.truth.entries().filter(|((client_id, _), _)| !world.truth.erased.contains(client_id));
    let (_, saved) = lost_entries.find(|(_, saved)| is_unheard_of(&saved.installation, saved.device_seq))?;
    Some(unheard_of(saved.device_seq, &saved.installation))
}

fn unheard_of(number: u64, installation: &DeviceId) -> Violation {
    Violation::new(9, format!("nothing is known of number {number} of {installation}"))
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
