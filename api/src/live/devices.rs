//! What can be said of each device.

use std::collections::{BTreeMap, BTreeSet};

use domain::{DeviceId, DeviceName, Timestamp};
use identity::Enrolments;
use projections::fold::DeviceSequences;
use time::{Duration, OffsetDateTime};

use super::report::{LiveDevice, LiveStanding};
use crate::conditions::Heard;

/// A device that is open says something every minute. One that was not heard for longer than this is silent.
const SILENT_AFTER: Duration = Duration::minutes(5);

/// What is known of all devices.
pub(super) struct Known<'a> {
    /// Which were let in.
    pub(super) enrolments: &'a Enrolments,
    /// What is here of each.
    pub(super) sequences: BTreeMap<DeviceId, DeviceSequences>,
    /// What each has said of itself.
    pub(super) heard: BTreeMap<DeviceId, Heard>,
    /// Leads by device.
    pub(super) leads: BTreeMap<String, u64>,
}

/// How one installation was let in.
struct LetIn<'a> {
    name: &'a DeviceName,
    at: Option<Timestamp>,
    is_revoked: bool,
    /// Another installation came in later under its name, for the same campaign.
    is_replaced: bool,
}

/// What can be said of them, those first that were let in, by name.
pub(super) fn report(known: Known<'_>, now: OffsetDateTime) -> Vec<LiveDevice> {
    let let_in = let_in(known.enrolments);
    let ids: BTreeSet<&DeviceId> =
        let_in.keys().copied().chain(known.sequences.keys()).chain(known.heard.keys()).collect();
    let mut devices: Vec<LiveDevice> = ids
        .into_iter()
        .map(|id| {
            let (sequences, heard) = (known.sequences.get(id), known.heard.get(id));
            device(id, let_in.get(id), sequences, heard, known.leads.get(id.as_str()), now)
        })
        .collect();
    devices.sort_by(|a, b| {
        let order = |it: &LiveDevice| (it.name.is_none(), it.name.clone(), it.device_id.clone());
        order(a).cmp(&order(b))
    });
    devices
}

fn let_in(enrolments: &Enrolments) -> BTreeMap<&DeviceId, LetIn<'_>> {
    let mut newest: BTreeMap<_, (Option<Timestamp>, &DeviceId)> = BTreeMap::new();
    let readable =
        || enrolments.iter().filter_map(|(_, it)| it).filter_map(|it| Some((it, it.offer()?, it.device()?)));
    for (enrolment, offer, device) in readable() {
        let named = newest.entry((&offer.device_name, &offer.campaign_id));
        let this = (enrolment.enrolled_at(), &device.device_id);
        named.and_modify(|newest| *newest = (*newest).max(this)).or_insert(this);
    }
    let mut all: BTreeMap<&DeviceId, LetIn<'_>> = BTreeMap::new();
    for (enrolment, offer, device) in readable() {
        let last = newest.get(&(&offer.device_name, &offer.campaign_id));
        let this = LetIn {
            name: &offer.device_name,
            at: enrolment.enrolled_at(),
            is_revoked: enrolment.revoked_at().is_some(),
            is_replaced: last.is_some_and(|(_, id)| *id != &device.device_id),
        };
        // One that came in again, perhaps after it was shut out, stands as it was let in last.
        match all.get(&device.device_id) {
            Some(other) if (!other.is_revoked, other.at) >= (!this.is_revoked, this.at) => {}
            _ => drop(all.insert(&device.device_id, this)),
        }
    }
    all
}

fn device(
    id: &DeviceId,
    let_in: Option<&LetIn<'_>>,
    sequences: Option<&DeviceSequences>,
    heard: Option<&Heard>,
    leads: Option<&u64>,
    now: OffsetDateTime,
) -> LiveDevice {
    let heard_at = sequences.and_then(|it| it.heard_at).max(heard.map(|heard| heard.at));
    let gaps = sequences.map(DeviceSequences::gaps).unwrap_or_default();
    let missing = gaps.iter().map(|gap| gap.end() - gap.start() + 1).sum();
    let left = heard.and_then(|heard| heard.left);
    let holds_something = missing > 0 || left.is_some_and(|left| left > 0);
    let is_out = let_in.is_some_and(|it| it.is_revoked || it.is_replaced);
    let standing = match heard_at {
        _ if is_out && !holds_something => LiveStanding::Retired,
        None if sequences.is_none() => LiveStanding::Nothing,
        Some(at) if now - at <= SILENT_AFTER => {
            if holds_something {
                LiveStanding::Behind
            } else {
                LiveStanding::Complete
            }
        }
        _ => LiveStanding::Silent,
    };
    LiveDevice {
        device_id: id.clone(),
        name: let_in.map(|it| it.name.clone()),
        is_revoked: let_in.is_some_and(|it| it.is_revoked),
        leads: leads.copied().unwrap_or_default(),
        heard_at: heard_at.map(Timestamp::new),
        standing,
        missing,
        left,
        oldest_left_at: heard.and_then(|heard| heard.oldest_left_at).map(Timestamp::new),
        is_storage_persisted: heard.and_then(|heard| heard.is_storage_persisted),
        app_version: heard.and_then(|heard| heard.app_version.clone()),
    }
}
