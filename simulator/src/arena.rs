//! One arena from beginning to end: chaos, then calm, then the closing checks.

use leadlog_client::engine::Input;

use crate::checks::{self, Violation};
use crate::device::tab::Fact;
use crate::fault::Tally;
use crate::mutant::Mutant;
use crate::plan::{HOUR_MS, MINUTE_MS, Plan};
use crate::world::{CLOUD, Event, World};

/// How long everything may take to converge once faults have stopped, in milliseconds of the arena's time.
/// Waits that a server ordered (5 minutes), holds (5 minutes) and retries of what is held add up.
pub const MAX_CALM_MS: u64 = 3 * HOUR_MS;

/// What came of an arena.
#[derive(Debug)]
pub struct Outcome {
    /// What it was made of.
    pub plan: Plan,
    /// Entries that were saved.
    pub saved: usize,
    /// Leads among them (first versions).
    pub leads: usize,
    /// Entries whose device did not survive.
    pub excused: usize,
    /// Requests that set out.
    pub exchanges: u64,
    /// How long it took to converge, in milliseconds of the arena's time.
    pub calm_ms: u64,
    /// How often each fault happened.
    pub tally: Tally,
    /// The promise that was broken, if one was.
    pub violation: Option<Violation>,
    /// The story, if it was asked for.
    pub story: Vec<String>,
}

/// Runs an arena.
pub fn run(plan: Plan, mutant: Option<Mutant>, is_traced: bool) -> Outcome {
    let chaos_ms = plan.chaos_ms;
    let mut world = World::new(plan, mutant, is_traced);
    world.run_until(chaos_ms);
    world.calm_down();
    let calm_since_ms = world.now_ms;
    let until_ms = calm_since_ms + MAX_CALM_MS;
    let mut waits = checks::what_waits(&world);
    while world.violation.is_none() && waits.is_some() && world.now_ms < until_ms {
        let next_ms = world.now_ms + MINUTE_MS;
        world.run_until(next_ms);
        waits = checks::what_waits(&world);
    }
    let calm_ms = world.now_ms - calm_since_ms;
    world.live.follow(&world.hosts[CLOUD].log);
    if let Some(stuck) = waits {
        world.violated(stuck);
    }
    if world.violation.is_none()
        && let Err(broken) = checks::at_the_end(&world)
    {
        world.violated(broken);
    }
    Outcome {
        saved: world.truth.len(),
        leads: world.truth.entries().filter(|((_, version), _)| *version == 1).count(),
        excused: world.truth.entries().filter(|(_, saved)| saved.is_excused).count(),
        exchanges: world.exchanges,
        calm_ms,
        tally: world.tally,
        violation: world.violation,
        story: world.trace.lines().to_vec(),
        plan: world.plan,
    }
}

impl World {
    /// Faults stop: links come back, stores run, disks have room, every iPad is let in, and the newest app is open on it.
    fn calm_down(&mut self) {
        self.trace.say(self.now_ms, || "faults stop".to_owned());
        self.is_calm = true;
        for device in 0..self.devices.len() {
            let it = &mut self.devices[device];
            it.links_down_until_ms.clear();
            it.disk.is_full = false;
            it.revoked_until_ms = 0;
            let was_old = std::mem::replace(&mut it.is_old_app, false);
            for tab in 0..it.tabs.len() {
                if let Some(open) = self.devices[device].tabs[tab].as_ref().filter(|open| open.is_frozen) {
                    self.queue.plan(self.now_ms, Event::Thaw { device, tab, generation: open.generation });
                }
                if was_old && self.devices[device].tabs[tab].is_some() {
                    self.close_tab(device, tab);
                    self.open_tab(device, tab);
                }
            }
            self.queue.plan(self.now_ms, Event::Open { device, tab: 0 });
            if let Some(open) = &self.devices[device].tabs[0] {
                let fact = Box::new(Fact::Input(Input::CameOnline));
                let generation = open.generation;
                self.queue.plan(self.now_ms, Event::Fact { device, tab: 0, generation, fact });
            }
        }
        for host in 0..self.hosts.len() {
            self.hosts[host].uplink_down_until_ms = 0;
            self.hosts[host].is_writable = true;
            if self.addresses.contains(&Some(host)) || host == CLOUD {
                self.queue.plan(self.now_ms, Event::HostUp { host });
            }
        }
    }
}
