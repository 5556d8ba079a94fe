//! Save resolved and the device survives ⇒ the lead is in the cloud's log in the end, once, accepted or
//! refused.

use std::collections::BTreeMap;

use domain::{ClientId, LEAD_STREAM, RefusalReason, SUBMISSION_STREAM, SubmissionEvent};

use super::{Found, Violation, find};
use crate::truth::{EntryKey, Saved, Worth};
use crate::world::{CLOUD, World};

/// What has not arrived yet, or what a person is still told to wait for.
pub(super) fn what_waits(world: &World) -> Option<Violation> {
    let waiting = asked_for(world).find(|(key, saved)| match place(world, key, saved) {
        Found::Nowhere => true,
        // In quarantine, because its iPad was shut out when it was handed in. No iPad is in the end.
        Found::Refused => saved.worth == Worth::Valid && !is_refused_too(world, saved),
        Found::Recorded | Found::Erased => false,
    });
    if let Some((key, saved)) = waiting {
        return Some(Violation::new(2, describe(world, key, saved)));
    }
    for (number, device) in world.devices.iter().enumerate() {
        let on_disk = || device.disk.entries.values().filter(|kept| kept.record.removed.is_none());
        let from_the_future = on_disk()
            .filter(|kept| {
                let key = (kept.record.client_id, kept.record.version);
                world.truth.get(&key).is_some_and(|saved| saved.worth == Worth::Future)
            })
            .count();
        for (tab, open) in device.tabs.iter().enumerate() {
            let Some(status) = open.as_ref().and_then(|open| open.status.as_ref()) else { continue };
            if status.waiting != from_the_future {
                let what = format!(
                    "ipad {number} tab {tab} waits for {} leads and should for {from_the_future}: {status:?}",
                    status.waiting
                );
                return Some(Violation::new(2, what));
            }
            let refused = refused_and_not_fixed(world, number);
            if status.failed != refused {
                let what = format!(
                    "ipad {number} tab {tab} shows {} failed leads and should show {refused}: {status:?}",
                    status.failed
                );
                return Some(Violation::new(2, what));
            }
        }
    }
    for host in world.addresses.iter().flatten().map(|host| &world.hosts[*host]) {
        if host.relay.is_some() && host.relay_state().cursor < host.head() {
            let what = format!("{} has relayed {} of {}", host.name, host.relay_state().cursor, host.head());
            return Some(Violation::new(2, what));
        }
    }
    None
}

/// Everything is there; is it there once, and as what it is worth?
pub(super) fn at_the_end(world: &World) -> Result<(), Violation> {
    for (key, saved) in asked_for(world) {
        let found = place(world, key, saved);
        let is_right = match saved.worth {
            _ if found == Found::Erased => world.truth.erased.contains(&key.0),
            Worth::Valid => found == Found::Recorded,
            Worth::Invalid | Worth::Future => found == Found::Refused,
        };
        if !is_right {
            let what = format!("{}/{} ({:?}) is {found:?} in the cloud", key.0, key.1, saved.worth);
            return Err(Violation::new(2, what));
        }
    }
    for (key, saved) in asked_for(world).filter(|(_, saved)| saved.worth == Worth::Valid) {
        if is_refused_too(world, saved) {
            let what = format!("{}/{} is recorded in the cloud, and refused as well", key.0, key.1);
            return Err(Violation::new(2, what));
        }
    }
    let mut seen: BTreeMap<(String, String, u64), u64> = BTreeMap::new();
    for event in world.hosts[CLOUD].log.events() {
        if event.aggregate_type == LEAD_STREAM || event.aggregate_type == SUBMISSION_STREAM {
            let name = (event.aggregate_type, event.aggregate_id, event.sequence);
            if let Some(first) = seen.insert(name, event.position) {
                let what = format!("positions {first} and {} of the cloud hold the same", event.position);
                return Err(Violation::new(2, what));
            }
        }
    }
    Ok(())
}

/// Leads on this iPad whose newest version the cloud has refused: a person must see them to fix them.
fn refused_and_not_fixed(world: &World, device: usize) -> usize {
    let mut newest: BTreeMap<ClientId, u32> = BTreeMap::new();
    for kept in world.devices[device].disk.entries.values() {
        let known = newest.entry(kept.record.client_id).or_default();
        *known = (*known).max(kept.record.version);
    }
    let is_refused = |key: &EntryKey| world.truth.get(key).is_some_and(|it| it.worth == Worth::Invalid);
    newest.into_iter().filter(|key| is_refused(key) && !world.truth.erased.contains(&key.0)).count()
}

fn asked_for(world: &World) -> impl Iterator<Item = (&EntryKey, &Saved)> {
    world.truth.entries().filter(|(_, saved)| !saved.is_excused)
}

fn place(world: &World, key: &EntryKey, saved: &Saved) -> Found {
    find(&world.hosts[CLOUD].log, key, saved.digest)
}

/// Whether it was refused for what it is. What is in quarantine because its iPad was shut out leaves it when it becomes a lead.
fn is_refused_too(world: &World, saved: &Saved) -> bool {
    let refusals = super::stream(&world.hosts[CLOUD].log, SUBMISSION_STREAM, &saved.digest.to_string());
    refusals.iter().any(|event| match serde_json::from_str(&event.payload) {
        Ok(SubmissionEvent::Refused(refusal)) => refusal.reason != RefusalReason::DeviceRevoked,
        _ => true,
    })
}

/// Where the copies of a lead are.
fn describe(world: &World, key: &EntryKey, saved: &Saved) -> String {
    let mut places = Vec::new();
    for (number, device) in world.devices.iter().enumerate() {
        let kept =
            device.disk.entries.values().find(|kept| (kept.record.client_id, kept.record.version) == *key);
        if let Some(kept) = kept {
            let mark = device.disk.marks.get(&kept.record.key);
            let said: Vec<String> = mark
                .into_iter()
                .flat_map(|mark| &mark.answers)
                .map(|it| format!("{:?} of {:?} {} at {:?}", it.verdict, it.tier, it.store_id, it.position))
                .collect();
            places.push(format!("ipad {number} (removed: {:?}; heard: {said:?})", kept.record.removed));
        }
    }
    for host in &world.hosts {
        let found = find(&host.log, key, saved.digest);
        if found != Found::Nowhere {
            places.push(format!("{} ({found:?}{})", host.name, if host.is_up { "" } else { ", dead" }));
        }
    }
    let whole = format!("{}/{} of ipad {}", key.0, key.1, saved.device);
    if places.is_empty() {
        format!("{whole} is lost: no copy is left anywhere")
    } else {
        format!("{whole} does not reach the cloud; copies: {}", places.join("; "))
    }
}
