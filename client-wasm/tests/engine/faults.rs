//! Random histories: whatever happens on the way, when the network turns good everything is in the cloud,
//! once. Invariants 1 (what was saved survives every crash), 2 (it reaches the log, once), 4 (only what may
//! go is removed), 5 (what a store lost is owed again) and 10 (nothing that happens blocks a Save).
//!
//! One device with two addresses: at the first a hub, or the hub that replaced it; at the second the cloud,
//! or, for a while, the hub. Hubs relay. What the device says is compared with what really is in the logs.
use std::collections::BTreeMap;

use domain::ClientId;
use leadlog_client::engine::flight::FLIGHT_LEASE_MS;
use leadlog_client::engine::record::Removed;
use leadlog_client::engine::status::{EntryStatus, Light};
use leadlog_client::engine::{Failure, Input};
use proptest::prelude::*;

use crate::step::{Step, step};
use crate::store::{Label, Store, label};
use crate::world::Device;

struct World {
    device: Device,
    cloud: Store,
    hubs: [Store; 2],
    /// Which hub stands there.
    hub: usize,
    is_misled: bool,
    /// The device never meets the cloud, but through hubs.
    is_cloud_far: bool,
    is_up: [bool; 2],
    is_closed: bool,
    erased: Vec<ClientId>,
    /// What was saved, and who refuses it.
    saved: BTreeMap<Label, &'static str>,
}

impl World {
    fn new(is_cloud_far: bool) -> Self {
        let mut world = Self {
            device: Device::with_targets(2),
            cloud: Store::cloud(1),
            hubs: [Store::hub(2), Store::hub(3)],
            hub: 0,
            is_misled: is_cloud_far,
            is_cloud_far,
            is_up: [true; 2],
            is_closed: false,
            erased: Vec::new(),
            saved: BTreeMap::new(),
        };
        world.wire();
        world.device.open();
        world
    }

    /// The store at an address, if it leads anywhere.
    fn at(&mut self, target: usize) -> Option<&mut Store> {
        match target {
            _ if !self.is_up[target] => None,
            1 if !self.is_misled => Some(&mut self.cloud),
            _ => Some(&mut self.hubs[self.hub]),
        }
    }

    /// What health routes answer follows from where addresses lead.
    fn wire(&mut self) {
        for target in 0..2 {
            self.device.health[target] = self.at(target).map(|store| (store.store_id(), store.tier));
        }
    }

    fn take(&mut self, step: &Step) {
        match step {
            Step::Save(bad_at) => {
                let record = self.device.save_bad_at(bad_at);
                self.saved.insert(label(record.client_id, record.version), bad_at);
            }
            Step::Correct(lead, bad_at) => {
                if let Some(client_id) = self.lead(*lead).filter(|lead| !self.is_removed(*lead)) {
                    let record = self.device.correct(client_id, bad_at);
                    self.saved.insert(label(client_id, record.version), bad_at);
                }
            }
            Step::Wait(wait_ms) => self.device.wait(*wait_ms),
            Step::Tick => self.device.tell(Input::Tick),
            Step::Visible => self.device.tell(Input::Visible),
            Step::Online => self.device.tell(Input::CameOnline),
            Step::Offline => self.device.tell(Input::WentOffline),
            Step::Manual => self.device.tell(Input::SyncRequested),
            Step::Crash => self.device.restart(),
            Step::NewDevice => self.new_device(),
            Step::Disk { is_full } => self.device.disk_is_full = *is_full,
            Step::Loses { is_cloud, events } => {
                let store = if *is_cloud { &mut self.cloud } else { &mut self.hubs[self.hub] };
                store.forget_after(store.log.len().saturating_sub(*events));
                // A ledger outside the database keeps who was erased.
                if *is_cloud {
                    self.erased.iter().for_each(|lead| self.cloud.erase(&lead.to_string()));
                }
            }
            Step::Relay(events) => self.hubs[self.hub].relay(&mut self.cloud, *events),
            Step::OtherHub => self.hub = 1 - self.hub,
            Step::Misled(is_misled) => self.is_misled = *is_misled || self.is_cloud_far,
            Step::Reach(target, is_up) => self.is_up[*target] = *is_up,
            Step::Erase(lead) => {
                if let Some(client_id) = self.lead(*lead) {
                    self.cloud.erase(&client_id.to_string());
                    self.erased.push(client_id);
                }
            }
            Step::CloseCampaign => {
                self.is_closed = true;
                self.device.tell(Input::CampaignClosed("shootout-2026".parse().unwrap()));
            }
            _ => self.end_request(step),
        }
        self.wire();
    }

    fn lead(&self, lead: usize) -> Option<ClientId> {
        let all: Vec<_> = self.device.disk.entries.values().map(|record| record.client_id).collect();
        all.get(lead % all.len().max(1)).copied()
    }

    /// Nobody can correct what is not there any more; the engine knows it before the disk does.
    fn is_removed(&self, client_id: ClientId) -> bool {
        self.device.engine.newest_version(client_id).is_none_or(|record| record.removed.is_some())
    }

    fn new_device(&mut self) {
        self.device.disk_is_full = false;
        self.device.restore();
        if self.is_closed {
            self.device.tell(Input::CampaignClosed("shootout-2026".parse().unwrap()));
        }
    }

    fn end_request(&mut self, step: &Step) {
        let Some(sent) = self.device.flight.clone() else { return };
        let Some(store) = self.at(usize::from(sent.target)) else {
            return self.device.fail(Failure::Network);
        };
        match step {
            Step::AnswerLost => {
                store.answer(&sent.body);
                self.device.fail(Failure::Network);
            }
            Step::AnswerLate => {
                let body = store.answer(&sent.body);
                self.device.flight = None;
                self.device.wait(FLIGHT_LEASE_MS);
                self.device.respond_to(sent.id, 200, "application/json", &body, None);
            }
            Step::AnswerWithoutResults => {
                store.answers_nothing = true;
                let body = store.answer(&sent.body);
                store.answers_nothing = false;
                self.device.respond(200, "application/json", &body, None);
            }
            Step::Failed(failure) => self.device.fail(*failure),
            Step::Http(code, retry_after) => self.device.respond(*code, "text/plain", "", *retry_after),
            Step::Portal => self.device.respond(200, "text/html", "<html>", None),
            answered => {
                if let Step::Verdict(verdict) = answered {
                    store.next_verdict = Some((*verdict).to_owned());
                }
                let body = store.answer(&sent.body);
                store.next_verdict = None;
                self.device.respond(200, "application/json", &body, None);
            }
        }
    }

    /// Safety: what the device says is true, measured by the logs and not by what it has heard.
    fn check_honest(&self) {
        let status = self.device.status();
        let entries = || self.device.disk.entries.values();
        for record in entries() {
            let entry = label(record.client_id, record.version);
            let was_refused = || {
                self.cloud.ever_refused.contains(&entry)
                    || self.hubs.iter().any(|hub| hub.ever_refused.contains(&entry))
            };
            match record.removed {
                Some(Removed::Erased) => {
                    assert!(self.erased.contains(&record.client_id), "{entry:?} was not erased")
                }
                Some(Removed::Retention) => {
                    assert!(
                        self.is_closed && self.cloud.ever.contains(&entry),
                        "{entry:?} was not to be removed"
                    );
                }
                None => {
                    let is_newest = !entries()
                        .any(|other| other.client_id == record.client_id && other.version > record.version);
                    // Nobody can know that the cloud has just lost something before talking to it. What was
                    // refused and then replaced by another version waits for nobody.
                    let is_settled = self.cloud.ever.contains(&entry)
                        || self.cloud.has_erased(&entry.0)
                        || !is_newest && was_refused();
                    let is_erasing = self.erased.contains(&record.client_id);
                    assert!(
                        status.state != Light::Green || is_settled || is_erasing,
                        "green, but {entry:?} is not in the cloud"
                    );
                }
            }
            match self.device.status_of(record.key) {
                EntryStatus::Failed => assert!(was_refused(), "{entry:?} failed, but nobody has refused it"),
                EntryStatus::Syncing => {
                    let sent = self.device.request();
                    assert!(sent.seqs.contains(&record.device_seq), "{entry:?} is stuck in syncing");
                }
                EntryStatus::Pending | EntryStatus::Synced => {}
            }
        }
        let mut leads: Vec<_> = entries().map(|record| record.client_id).collect();
        leads.sort_unstable();
        leads.dedup();
        let counted = status.places.device + status.places.hub + status.places.cloud;
        let gone = self.erased.iter().filter(|lead| leads.contains(lead)).count();
        assert!(counted <= leads.len() && counted + gone >= leads.len(), "every lead stands somewhere");
    }

    /// The network turns good: every address leads where it should, and the hub relays.
    fn converge(&mut self) {
        (self.is_up, self.is_misled) = ([true; 2], self.is_cloud_far);
        self.device.disk_is_full = false;
        self.wire();
        self.device.tell(Input::CameOnline);
        let good_since_ms = self.device.now_ms;
        let mut quiet = 0;
        while quiet < 30 {
            assert!(
                self.device.now_ms - good_since_ms < 3_600_000,
                "it takes too long: {:?}",
                self.device.status()
            );
            self.device.until_sent();
            self.end_request(&Step::Answered);
            self.hubs[self.hub].relay(&mut self.cloud, 1_000);
            quiet = if self.device.status().waiting == 0 { quiet + 1 } else { 0 };
        }
    }

    /// Liveness: everything has arrived, and the device knows.
    fn check_arrived(&self) {
        let leads = self.cloud.leads();
        assert!(leads <= self.saved.len());
        for (entry, bad_at) in &self.saved {
            // What was rightly removed cannot be sent again to a cloud that lost it, nor what builds on it.
            let removed = self.device.disk.entries.values().filter(|record| record.removed.is_some());
            let mut gone = removed.map(|it| label(it.client_id, it.version));
            if self.cloud.has_erased(&entry.0) || gone.any(|it| it.0 == entry.0 && it.1 <= entry.1) {
                continue;
            }
            assert!(self.cloud.holds(entry), "{entry:?} ({bad_at}) has not arrived");
        }
        // Red exactly for the leads whose newest version breaks a rule of the cloud.
        let newest = |record: &&leadlog_client::engine::record::EntryRecord| {
            !self
                .device
                .disk
                .entries
                .values()
                .any(|it| it.client_id == record.client_id && it.version > record.version)
        };
        let is_bad = |record: &&leadlog_client::engine::record::EntryRecord| {
            let bad_at = self.saved[&label(record.client_id, record.version)];
            record.removed.is_none() && (bad_at == "all" || bad_at == "cloud")
        };
        let failed = self.device.disk.entries.values().filter(newest).filter(is_bad).count();
        let status = self.device.status();
        assert_eq!((status.failed, status.waiting), (failed, 0), "{status:?}");
        assert_eq!(status.state == Light::Green, failed == 0);
    }
}

fn play(steps: &[Step], is_cloud_far: bool) {
    let mut world = World::new(is_cloud_far);
    for step in steps {
        world.take(step);
        world.check_honest();
    }
    world.converge();
    world.check_arrived();
    // And it is on the disk: a restart finds nothing to do.
    world.device.wait(60_000);
    world.device.restart();
    world.check_arrived();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn when_the_network_turns_good_everything_is_in_the_cloud_once(
        steps in prop::collection::vec(step(), 1..120)
    ) {
        play(&steps, false);
    }

    #[test]
    fn a_hub_that_relays_is_way_enough(steps in prop::collection::vec(step(), 1..120)) {
        play(&steps, true);
    }

    /// Invariant 4: when the campaign closes in the middle of it all.
    #[test]
    fn a_campaign_that_closes_takes_nothing_that_the_cloud_has_not(
        before in prop::collection::vec(step(), 1..60), after in prop::collection::vec(step(), 1..60)
    ) {
        let steps: Vec<Step> = before.into_iter().chain([Step::CloseCampaign]).chain(after).collect();
        play(&steps, false);
    }
}

/// Found by the property above: the cloud's refusal fell with its history, the hub that had passed it on did not
/// repeat it, and the hub's watermark alone made the lead look accepted.
#[test]
fn a_refusal_that_fell_with_the_clouds_history_is_not_taken_for_a_yes() {
    use Step::*;
    let steps = [
        Crash,
        Answered,
        Save("cloud"),
        Save(""),
        Answered,
        Crash,
        Answered,
        Crash,
        Answered,
        Save(""),
        Save(""),
        Answered,
        Verdict("waiting"),
        Save(""),
        Save(""),
        Loses { is_cloud: true, events: 1 },
        Crash,
        Relay(2),
        Failed(Failure::Network),
        AnswerLost,
        Wait(7538),
        Wait(29580),
        Failed(Failure::Network),
        CloseCampaign,
        Answered,
        Answered,
        Wait(189058),
        AnswerLate,
        AnswerWithoutResults,
        Answered,
        Failed(Failure::Network),
        Relay(1),
        Manual,
        Answered,
    ];
    play(&steps, false);
}
