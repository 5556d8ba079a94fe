//! Contacts equal one deterministic fold of the log, whatever the order of arrival; no consent is lost.

use std::collections::BTreeMap;

use domain::{ClientId, FOLLOW_UP_STREAM, LEAD_STREAM};
use event_store::RecordedEvent;
use projections::fold::LeadViews;

use super::Violation;
use crate::truth::Worth;
use crate::world::{CLOUD, World};

pub(super) fn at_the_end(world: &World) -> Result<(), Violation> {
    let events = world.hosts[CLOUD].log.events();
    let as_arrived = fold(&events)?;
    // The same leads, each with its own events in order, as if the last lead had come first.
    let mut by_lead: BTreeMap<String, Vec<RecordedEvent>> = BTreeMap::new();
    for event in events {
        if event.aggregate_type == LEAD_STREAM || event.aggregate_type == FOLLOW_UP_STREAM {
            by_lead.entry(event.aggregate_id.clone()).or_default().push(event);
        }
    }
    let backwards: Vec<RecordedEvent> = by_lead.into_values().rev().flatten().collect();
    if fold(&backwards)?.contacts() != as_arrived.contacts() {
        return Err(Violation::new(7, "another order of arrival gives other contacts".to_owned()));
    }
    let views: BTreeMap<ClientId, u32> = as_arrived
        .views()
        .filter(|view| !view.is_voided)
        .map(|view| (view.client_id, view.version))
        .collect();
    let mut newest: BTreeMap<ClientId, (u32, bool)> = BTreeMap::new();
    for ((client_id, version), saved) in world.truth.entries() {
        // What only wiped devices held may be there or not.
        let is_certain = saved.worth == Worth::Valid && !world.truth.erased.contains(client_id);
        if is_certain {
            let known = newest.entry(*client_id).or_default();
            *known = (*known).max((*version, saved.is_void));
        }
    }
    for (client_id, (version, is_void)) in newest {
        let is_excused =
            (1..=version).any(|it| world.truth.get(&(client_id, it)).is_none_or(|saved| saved.is_excused));
        let seen = views.get(&client_id).copied();
        let expected = (!is_void).then_some(version);
        if !is_excused && seen != expected {
            let what = format!("{client_id} is seen in version {seen:?} and should be in {expected:?}");
            return Err(Violation::new(7, what));
        }
    }
    Ok(())
}

fn fold(events: &[RecordedEvent]) -> Result<LeadViews, Violation> {
    let mut views = LeadViews::default();
    for event in events {
        views.apply(event).map_err(|poison| {
            Violation::new(7, format!("the event at {} cannot be folded: {poison}", event.position))
        })?;
    }
    Ok(views)
}
