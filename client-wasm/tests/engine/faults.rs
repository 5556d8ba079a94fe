//! Random histories: whatever happens on the way, when the network turns good everything is in the cloud,
//! once. Invariants 1 (what was saved survives every crash), 2 (it reaches the log, once) and 10 (nothing
//! that happens blocks a Save).
use crate::world::{Device, Store};
use leadlog_client::engine::flight::FLIGHT_LEASE_MS;
use leadlog_client::engine::status::{EntryStatus, Light};
use leadlog_client::engine::{Failure, Input};
use proptest::prelude::*;

/// Longest that an engine may sleep while something is owed, in milliseconds: `Retry-After` at its bound.
const MAX_SLEEP_MS: u64 = 300_000;

/// One step of a history.
#[derive(Debug, Clone)]
enum Step {
    Save,
    /// Time passes, in milliseconds, and the timer rings as it should.
    Wait(u64),
    /// A timer that rings although nobody asked for it.
    Tick,
    Visible,
    Online,
    Offline,
    Manual,
    /// The store records and answers.
    Answered,
    /// The store records, and its answer is lost.
    AnswerLost,
    /// The store records; its answer comes when the flight's lease is over.
    AnswerLate,
    /// The answer knows nothing about the entries, or has a word that nobody knows.
    AnswerWithoutResults,
    Verdict(&'static str),
    Failed(Failure),
    Http(u16, Option<&'static str>),
    Portal,
    /// The device dies and starts again.
    Crash,
    /// Marks cannot be written from now on, or can again.
    Disk {
        is_full: bool,
    },
    /// The cloud restores a backup that is this many events old.
    CloudLoses(usize),
    /// The hub answers, or the cloud.
    AtHub(bool),
}

fn step() -> impl Strategy<Value = Step> {
    use Step::*;
    prop_oneof![
        6 => Just(Save),
        4 => (0..200_000_u64).prop_map(Wait),
        1 => Just(Tick),
        1 => Just(Visible),
        1 => Just(Online),
        1 => Just(Offline),
        1 => Just(Manual),
        6 => Just(Answered),
        2 => Just(AnswerLost),
        1 => Just(AnswerLate),
        1 => Just(AnswerWithoutResults),
        2 => prop::sample::select(vec!["waiting", "unsupported", "erased", "duplicate_email", "new-word"]).prop_map(Verdict),
        2 => prop::sample::select(vec![Failure::Network, Failure::Timeout, Failure::OtherTab]).prop_map(Failed),
        3 => (prop::sample::select(vec![400, 401, 404, 408, 413, 429, 500, 502, 503]), prop::sample::select(vec![None, Some("5"), Some("999999"), Some("soon")])).prop_map(|(code, wait)| Http(code, wait)),
        1 => Just(Portal),
        2 => Just(Crash),
        1 => any::<bool>().prop_map(|is_full| Disk { is_full }),
        1 => (0..5_usize).prop_map(CloudLoses),
        1 => any::<bool>().prop_map(AtHub),
    ]
}

struct World {
    device: Device,
    cloud: Store,
    hub: Store,
    at_hub: bool,
    saves: usize,
}

impl World {
    fn store(&mut self) -> &mut Store {
        if self.at_hub { &mut self.hub } else { &mut self.cloud }
    }

    fn take(&mut self, step: &Step) {
        match step {
            Step::Save => {
                self.device.save();
                self.saves += 1;
            }
            Step::Wait(wait_ms) => self.device.wait(*wait_ms),
            Step::Tick => self.device.tell(Input::Tick),
            Step::Visible => self.device.tell(Input::Visible),
            Step::Online => self.device.tell(Input::CameOnline),
            Step::Offline => self.device.tell(Input::WentOffline),
            Step::Manual => self.device.tell(Input::SyncRequested),
            Step::Crash => self.device.restart(),
            Step::Disk { is_full } => self.device.disk_is_full = *is_full,
            Step::CloudLoses(age) => {
                let kept = self.cloud.leads().saturating_sub(*age);
                self.cloud.forget_after(kept);
            }
            Step::AtHub(at_hub) => self.at_hub = *at_hub,
            _ => self.end_request(step),
        }
    }

    fn end_request(&mut self, step: &Step) {
        let Some(sent) = self.device.flight.clone() else { return };
        match step {
            Step::AnswerLost => {
                self.store().answer(&sent.body);
                self.device.fail(Failure::Network);
            }
            Step::AnswerLate => {
                let body = self.store().answer(&sent.body);
                self.device.flight = None;
                self.device.wait(FLIGHT_LEASE_MS);
                self.device.respond_to(sent.id, 200, "application/json", &body, None);
            }
            Step::AnswerWithoutResults => {
                self.store().answers_nothing = true;
                let body = self.store().answer(&sent.body);
                self.store().answers_nothing = false;
                self.device.respond(200, "application/json", &body, None);
            }
            Step::Failed(failure) => self.device.fail(*failure),
            Step::Http(code, retry_after) => self.device.respond(*code, "text/plain", "", *retry_after),
            Step::Portal => self.device.respond(200, "text/html", "<html>", None),
            answered => {
                if let Step::Verdict(verdict) = answered {
                    self.store().next_verdict = Some((*verdict).to_owned());
                }
                let body = self.store().answer(&sent.body);
                self.store().next_verdict = None;
                self.device.respond(200, "application/json", &body, None);
            }
        }
    }

    /// Liveness: there is always a time at which the engine wants to be woken, and it is near. Without
    /// this one missed event would strand a lead.
    fn check_awake(&self) {
        let wake_at_ms = self.device.wake_at_ms.expect("a timer is set");
        assert!(wake_at_ms.saturating_sub(self.device.now_ms) <= MAX_SLEEP_MS, "asleep until {wake_at_ms}");
    }

    /// Safety: what the dot says is true, and an entry is `syncing` only while a request is under way.
    fn check_honest(&self) {
        let status = self.device.status();
        let counted = status.places.device + status.places.hub + status.places.cloud;
        assert_eq!(counted, self.saves, "every lead stands somewhere");
        assert_eq!(status.failed, 0, "nothing was refused");
        assert_eq!(status.state == Light::Green, status.places.cloud == self.saves);
        for seq in 1..=self.saves as u64 {
            if self.device.status_of(seq) == EntryStatus::Syncing {
                assert!(self.device.request().seqs.contains(&seq), "{seq} is stuck in syncing");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn when_the_network_turns_good_everything_is_in_the_cloud_once(
        steps in prop::collection::vec(step(), 1..80)
    ) {
        let mut world = World {
            device: Device::new(), cloud: Store::cloud(1), hub: Store::hub(2), at_hub: false, saves: 0,
        };
        world.device.open();
        for step in &steps {
            world.take(step);
            world.check_awake();
            world.check_honest();
        }
        // The network turns good: the cloud answers everything, and the browser says that it is online.
        world.device.disk_is_full = false;
        world.device.tell(Input::CameOnline);
        let good_since_ms = world.device.now_ms;
        world.device.run_until_quiet(&mut world.cloud);
        // A loss of history that nobody has noticed yet shows at the next contact.
        world.device.until_sent();
        world.device.answer(&mut world.cloud);
        if world.device.flight.is_some() || world.device.status().waiting > 0 {
            world.device.run_until_quiet(&mut world.cloud);
        }
        prop_assert_eq!(world.cloud.leads(), world.saves);
        prop_assert_eq!(world.device.status().state, Light::Green);
        prop_assert!(world.device.now_ms - good_since_ms < 3_600_000, "it took too long");
        // And it is on the disk: a restart finds nothing to do.
        world.device.wait(60_000);
        if world.device.flight.is_some() {
            world.device.answer(&mut world.cloud);
        }
        world.device.restart();
        prop_assert_eq!(world.device.status().state, Light::Green);
        prop_assert_eq!(world.device.request().entries, 0);
    }
}
