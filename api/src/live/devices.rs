//! What can be said of each device.

use std::collections::{BTreeMap, BTreeSet};

use domain::{DeviceId, DeviceName, Tier, Timestamp};
use identity::Enrolments;
use projections::fold::DeviceSequences;
use time::{Duration, OffsetDateTime};

use super::report::{LiveDevice, LiveStanding};
use crate::conditions::{Heard, MAX_AHEAD};

/// A device that is open says something every minute. One that was not heard for longer than this is silent.
const SILENT_AFTER: Duration = Duration::minutes(5);

/// What a device says of itself is noted a moment after what it has sent was recorded, and by another clock where the database is
/// elsewhere.
const SAME_MOMENT: Duration = Duration::seconds(2);

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
    /// When another installation came in later under its name, for the same campaign.
    replaced_at: Option<Timestamp>,
}

/// What can be said of them, those first that were let in, by name.
pub(super) fn report(known: Known<'_>, tier: Tier, now: OffsetDateTime) -> Vec<LiveDevice> {
    let let_in = let_in(known.enrolments);
    let ids: BTreeSet<&DeviceId> =
        let_in.keys().copied().chain(known.sequences.keys()).chain(known.heard.keys()).collect();
    let mut devices: Vec<LiveDevice> = ids
        .into_iter()
        .map(|id| {
            let (sequences, heard) = (known.sequences.get(id), known.heard.get(id));
            let leads = known.leads.get(id.as_str()).copied().unwrap_or_default();
            device(id, leads, let_in.get(id), sequences, heard, tier, now)
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
            replaced_at: last.filter(|(_, id)| *id != &device.device_id).and_then(|(at, _)| *at),
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
    leads: u64,
    let_in: Option<&LetIn<'_>>,
    sequences: Option<&DeviceSequences>,
    heard: Option<&Heard>,
    tier: Tier,
    now: OffsetDateTime,
) -> LiveDevice {
    // Before the clock was set, it may have been heard in the future.
    let past = |at: &OffsetDateTime| *at <= now + MAX_AHEAD;
    let recorded_at = sequences.and_then(|it| it.heard_at).filter(past);
    let heard = heard.filter(|heard| past(&heard.at));
    let heard_at = recorded_at.max(heard.map(|heard| heard.at));
    // Of one that was heard since, by way of a hub, or a moment ago, it is not known any more what it holds.
    let is_last_word = |heard: &&Heard| recorded_at.is_none_or(|at| at <= heard.at + SAME_MOMENT);
    let last_word = heard.filter(is_last_word);
    let left = last_word.and_then(|heard| heard.left);
    let gaps = sequences.filter(|_| tier == Tier::Cloud).map(DeviceSequences::gaps).unwrap_or_default();
    let missing = gaps.iter().map(|gap| gap.end() - gap.start() + 1).sum();
    let holds_something = missing > 0 || left.is_some_and(|left| left > 0);
    let is_recent = |at: OffsetDateTime| now - at <= SILENT_AFTER;
    let is_replaced = let_in
        .and_then(|it| it.replaced_at)
        .is_some_and(|at| heard_at.is_none_or(|heard_at| heard_at <= at.moment()));
    let is_out = is_replaced || let_in.is_some_and(|it| it.is_revoked);
    let is_known = heard_at.is_some() || sequences.is_some();
    let standing = if is_out && !holds_something {
        LiveStanding::Retired
    } else if heard_at.is_some_and(is_recent) {
        match (holds_something, tier, left) {
            (true, ..) => LiveStanding::Behind,
            // A hub has no numbers to go by.
            (false, Tier::Hub, None) => LiveStanding::Silent,
            (false, ..) => LiveStanding::Complete,
        }
    } else if !is_known && let_in.and_then(|it| it.at).is_some_and(|at| is_recent(at.moment())) {
        LiveStanding::Nothing
    } else {
        LiveStanding::Silent
    };
    LiveDevice {
        device_id: id.clone(),
        name: let_in.map(|it| it.name.clone()),
        is_revoked: let_in.is_some_and(|it| it.is_revoked),
        leads,
        heard_at: heard_at.map(Timestamp::new),
        standing,
        missing,
        left,
        oldest_left_at: last_word.and_then(|heard| heard.oldest_left_at).map(Timestamp::new),
        is_storage_persisted: heard.and_then(|heard| heard.is_storage_persisted),
        app_version: heard.and_then(|heard| heard.app_version.clone()),
    }
}

/// Silence is never taken for completeness (invariant 9).
#[cfg(test)]
mod tests {
    use super::*;

    const NOW: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;

    fn ago(minutes: i64) -> OffsetDateTime {
        NOW - Duration::minutes(minutes)
    }

    fn said(minutes_ago: i64, left: u64) -> Option<Heard> {
        Some(Heard::of(ago(minutes_ago), Some(&format!(r#"{{"left":{left}}}"#)), 0))
    }

    /// It has saved up to 3, and these are here.
    fn numbers(here: &str, minutes_ago: Option<i64>) -> Option<DeviceSequences> {
        let here = here.parse().unwrap();
        Some(DeviceSequences { here, saved_through: 3, heard_at: minutes_ago.map(ago), heard_position: 1 })
    }

    /// How a device stands that was let in this long ago, and what it is said to hold.
    fn standing(
        let_in: LetIn<'_>,
        sequences: Option<DeviceSequences>,
        heard: Option<Heard>,
        tier: Tier,
    ) -> (LiveStanding, u64, Option<u64>) {
        let id = "ipad-3".parse().unwrap();
        let told = device(&id, 0, Some(&let_in), sequences.as_ref(), heard.as_ref(), tier, NOW);
        (told.standing, told.missing, told.left)
    }

    #[test]
    fn each_standing_follows_from_what_was_said_and_what_is_here() {
        use LiveStanding::{Behind, Complete, Nothing, Retired, Silent};
        let name: DeviceName = "iPad 3".parse().unwrap();
        let at = |minutes| Some(Timestamp::new(ago(minutes)));
        let in_since = |minutes| LetIn { name: &name, at: at(minutes), is_revoked: false, replaced_at: None };
        let shut_out = || LetIn { is_revoked: true, ..in_since(60) };
        let replaced = |minutes| LetIn { replaced_at: at(minutes), ..in_since(60) };
        let (all, some) = ("{[1,4)}", "{[1,2)}");
        let (cloud, hub) = (Tier::Cloud, Tier::Hub);
        for (case, found, wanted) in [
            ("let in a moment ago", standing(in_since(5), None, None, cloud), (Nothing, 0, None)),
            ("let in, and never heard", standing(in_since(6), None, None, cloud), (Silent, 0, None)),
            (
                "all is here",
                standing(in_since(60), numbers(all, Some(5)), said(5, 0), cloud),
                (Complete, 0, Some(0)),
            ),
            (
                "silent since",
                standing(in_since(60), numbers(all, Some(6)), said(6, 0), cloud),
                (Silent, 0, Some(0)),
            ),
            (
                "it holds some",
                standing(in_since(60), numbers(some, Some(1)), said(1, 2), cloud),
                (Behind, 2, Some(2)),
            ),
            (
                "it holds none, and some are missing",
                standing(in_since(60), numbers(some, Some(1)), said(1, 0), cloud),
                (Behind, 2, Some(0)),
            ),
            // It has been heard since: by way of a hub, or in the middle of what it sends.
            (
                "an old word of nothing left",
                standing(in_since(60), numbers(some, Some(1)), said(3, 0), cloud),
                (Behind, 2, None),
            ),
            (
                "an old word of some left",
                standing(in_since(60), numbers(all, Some(1)), said(3, 2), cloud),
                (Complete, 0, None),
            ),
            // What the cloud has, a hub need not have.
            (
                "at a hub",
                standing(in_since(60), numbers("{}", Some(1)), said(1, 0), hub),
                (Complete, 0, Some(0)),
            ),
            (
                "at a hub that it tells nothing",
                standing(in_since(60), numbers(all, Some(1)), None, hub),
                (Silent, 0, None),
            ),
            (
                "heard by a clock that was set since",
                standing(in_since(60), numbers(all, Some(-180)), said(-180, 0), cloud),
                (Silent, 0, None),
            ),
            ("brought by others", standing(in_since(60), numbers(all, None), None, cloud), (Silent, 0, None)),
            (
                "shut out",
                standing(shut_out(), numbers(all, Some(60)), said(60, 0), cloud),
                (Retired, 0, Some(0)),
            ),
            (
                "shut out with some",
                standing(shut_out(), numbers(some, Some(60)), said(60, 2), cloud),
                (Silent, 2, Some(2)),
            ),
            (
                "replaced",
                standing(replaced(10), numbers(all, Some(20)), said(20, 0), cloud),
                (Retired, 0, Some(0)),
            ),
            (
                "replaced, and heard since",
                standing(replaced(10), numbers(all, Some(1)), said(1, 0), cloud),
                (Complete, 0, Some(0)),
            ),
            (
                "replaced, heard since, silent",
                standing(replaced(10), numbers(all, Some(8)), said(8, 0), cloud),
                (Silent, 0, Some(0)),
            ),
        ] {
            assert_eq!(found, wanted, "{case}");
        }
    }
}
