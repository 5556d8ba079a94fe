//! The world of one arena: one clock, one queue of events, one random source. The same seed and plan give the
//! same run, to the step.

use std::rc::Rc;

use domain::{Tier, Timestamp};
use fastrand::Rng;
use time::OffsetDateTime;

use crate::checks::i08_replay::Live;
use crate::checks::{Violation, dot};
use crate::device::Device;
use crate::device::tab::Fact;
use crate::device::{Tap, Write};
use crate::fault::{Fault, Tally};
use crate::mutant::Mutant;
use crate::network::{Exchange, Fate};
use crate::plan::Plan;
use crate::queue::Queue;
use crate::store::Host;
use crate::trace::Trace;
use crate::truth::Truth;

/// When arenas begin: 2026-05-23T08:00:00Z, in milliseconds since 1970.
pub const BEGIN_UNIX_MS: i64 = 1_779_523_200_000;

/// The address of the cloud. Hubs follow.
pub const CLOUD: usize = 0;

/// Something that is going to happen. Pages, relays and hosts are named by number and by the start that is meant.
#[derive(Debug)]
#[expect(missing_docs, reason = "the fields are named by what they are, the same in every event")]
pub enum Event {
    /// Somebody comes to an iPad.
    Person { device: usize },
    /// Somebody's lead is corrected or taken back.
    Edit { device: usize },
    /// A tap on "Zapisz", once more.
    Tap(Box<Tap>),
    /// A page opens, if none is open there.
    Open { device: usize, tab: usize },
    /// A fact for a page.
    Fact { device: usize, tab: usize, generation: u64, fact: Box<Fact> },
    /// The timer of a page.
    Wake { device: usize, tab: usize, generation: u64, at_ms: u64 },
    /// A person looks at a page that has turned green.
    Look { device: usize, tab: usize, generation: u64 },
    /// A write reaches the disk.
    Written { device: usize, tab: usize, generation: u64, write: Write },
    /// A tab goes on.
    Thaw { device: usize, tab: usize, generation: u64 },
    /// A disk has room again.
    Room { device: usize },
    /// A request arrives.
    Arrive { exchange: Exchange, fate: Fate },
    /// A fact for a relay.
    RelayFact { host: usize, generation: u64, input: Box<relay::Input> },
    /// The timer of a relay.
    RelayWake { host: usize, generation: u64, at_ms: u64 },
    /// A store starts again.
    HostUp { host: usize },
    /// A store can be written again.
    HostWritable { host: usize },
    /// A store commits what it has answered already (a mutant).
    LateCommit { host: usize, body: Rc<str> },
    /// Something goes wrong.
    Mischief,
}

/// Everything there is.
pub struct World {
    /// What it is made of.
    pub plan: Plan,
    /// The broken variant, if any.
    pub mutant: Option<Mutant>,
    /// Draws everything.
    pub rng: Rng,
    /// Milliseconds since the beginning.
    pub now_ms: u64,
    /// What is going to happen.
    pub queue: Queue<Event>,
    /// Whether faults have stopped.
    pub is_calm: bool,
    /// The iPads.
    pub devices: Vec<Device>,
    /// The stores, also those that are gone.
    pub hosts: Vec<Host>,
    /// Which store answers at an address.
    pub addresses: Vec<Option<usize>>,
    /// A read model that follows the cloud's log.
    pub live: Live,
    /// What really happened.
    pub truth: Truth,
    /// How often each fault happened.
    pub tally: Tally,
    /// Requests that set out.
    pub exchanges: u64,
    /// The story.
    pub trace: Trace,
    /// The first promise that was broken.
    pub violation: Option<Violation>,
    /// The newest campaign version.
    pub campaign_version: u32,
    /// Whether the organizer has closed the campaign.
    pub is_campaign_closed: bool,
    /// Mean time between two people at one iPad, in milliseconds.
    pub mean_pause_ms: u64,
}

impl World {
    /// A world at its beginning: stores run, pages are open, people come.
    pub fn new(plan: Plan, mutant: Option<Mutant>, is_traced: bool) -> Self {
        let mut rng = Rng::with_seed(plan.seed);
        let mut hosts = vec![Host::new(&mut rng, "the cloud".to_owned(), Tier::Cloud, true)];
        for hub in 1..=plan.hubs {
            // A hub that was set up in a hurry knows no campaign, and takes what the cloud will refuse.
            let knows_campaign = rng.u8(0..3) > 0;
            hosts.push(Host::new(&mut rng, format!("hub {hub}"), Tier::Hub, knows_campaign));
        }
        let addresses = (0..hosts.len()).map(Some).collect();
        let devices = (0..plan.devices)
            .map(|number| {
                let mut targets: Vec<usize> = (0..hosts.len()).collect();
                // Some pages were loaded from a hub, which is then asked first; some know no hub; some never
                // get further than their hub.
                match rng.u8(0..5) {
                    0 => targets.rotate_right(1),
                    1 => targets.truncate(1 + rng.usize(0..targets.len())),
                    2 if targets.len() > 1 => drop(targets.remove(CLOUD)),
                    _ => {}
                }
                Device::new(number, targets, plan.leads_per_device)
            })
            .collect();
        let mean_pause_ms = (plan.chaos_ms / (plan.leads_per_device as u64 + 1)).max(1);
        let mut world = Self {
            mutant,
            rng,
            now_ms: 0,
            queue: Queue::default(),
            is_calm: false,
            devices,
            hosts,
            addresses,
            live: Live::default(),
            truth: Truth::default(),
            tally: Tally::default(),
            exchanges: 0,
            trace: Trace::new(is_traced),
            violation: None,
            campaign_version: 1,
            is_campaign_closed: false,
            mean_pause_ms,
            plan,
        };
        for device in 0..world.devices.len() {
            world.open_tab(device, 0);
            world.queue.plan(1, Event::Person { device });
        }
        for host in 0..world.hosts.len() {
            world.poke_relay(host);
        }
        world.queue.plan(world.plan.mischief_every_ms, Event::Mischief);
        world
    }

    /// Lets everything happen that is planned up to this moment, or until a promise is broken.
    pub fn run_until(&mut self, until_ms: u64) {
        while self.violation.is_none() && self.queue.next_at_ms().is_some_and(|at_ms| at_ms <= until_ms) {
            let Some((at_ms, event)) = self.queue.pop() else { return };
            self.now_ms = at_ms;
            self.happen(event);
        }
        self.now_ms = self.now_ms.max(until_ms);
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Person { device } => self.next_person(device),
            Event::Edit { device } => self.edit(device),
            Event::Tap(tap) => self.tap(*tap),
            Event::Open { device, tab } => {
                if self.devices[device].tabs[tab].is_none() {
                    self.open_tab(device, tab);
                }
            }
            Event::Fact { device, tab, generation, fact } => self.fact(device, tab, generation, *fact),
            Event::Wake { device, tab, generation, at_ms } => self.wake(device, tab, generation, at_ms),
            Event::Look { device, tab, generation } => {
                if let Err(lie) = dot::when_looked_at(self, device, tab, generation) {
                    self.violated(lie);
                }
            }
            Event::Written { device, tab, generation, write } => {
                self.written(device, tab, generation, write);
            }
            Event::Thaw { device, tab, generation } => self.thaw(device, tab, generation),
            Event::Room { device } => self.devices[device].disk.is_full = false,
            Event::Arrive { exchange, fate } => self.arrive(&exchange, fate),
            Event::RelayFact { host, generation, input } => self.relay_fact(host, generation, *input),
            Event::RelayWake { host, generation, at_ms } => self.relay_wake(host, generation, at_ms),
            Event::HostUp { host } => self.host_up(host),
            Event::HostWritable { host } => self.hosts[host].is_writable = true,
            Event::LateCommit { host, body } => self.late_commit(host, &body),
            Event::Mischief => self.mischief(),
        }
    }

    /// Whether something of this rate happens now; counted by the caller.
    pub fn roll(&mut self, fault: Fault) -> bool {
        let rate = self.plan.rate(fault);
        if rate == 0 || self.is_calm {
            return false;
        }
        // A crash may come after every single wish, of which there are many.
        let scale = if fault == Fault::DeviceCrash { 100_000 } else { 1_000 };
        self.rng.u32(0..scale) < rate
    }

    /// Whether a fault of this rate happens now; counts it.
    pub fn happens(&mut self, fault: Fault) -> bool {
        let happens = self.roll(fault);
        if happens {
            self.tally.count(fault);
        }
        happens
    }

    /// A promise was broken. Only the first counts.
    pub fn violated(&mut self, violation: Violation) {
        self.trace.say(self.now_ms, || format!("BROKEN: {violation}"));
        self.violation.get_or_insert(violation);
    }

    /// True time.
    pub fn moment(&self) -> OffsetDateTime {
        let unix_ms = BEGIN_UNIX_MS + self.now_ms.cast_signed();
        OffsetDateTime::from_unix_timestamp_nanos(i128::from(unix_ms) * 1_000_000)
            .unwrap_or(OffsetDateTime::UNIX_EPOCH)
    }

    /// Time by the clock of an iPad, in milliseconds since 1970.
    pub fn device_unix_ms(&self, device: usize) -> i64 {
        BEGIN_UNIX_MS + self.now_ms.cast_signed() + self.devices[device].clock_offset_ms
    }

    /// As entries hold it.
    pub fn timestamp(&self, unix_ms: i64) -> Timestamp {
        Timestamp::from_unix_ms(unix_ms, 120).unwrap_or_else(|_| Timestamp::new(OffsetDateTime::UNIX_EPOCH))
    }

    /// Whether old apps open records in this arena.
    pub fn has_old_apps(&self) -> bool {
        self.plan.rate(Fault::OldApp) > 0
    }
}
