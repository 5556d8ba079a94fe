//! What an arena is made of: everything that a seed decides before the first step.
//!
//! Seed and plan together replay a run to the step. A plan can be made smaller (fewer devices, leads, faults)
//! while the seed stays; that is how a failure is shrunk.

use std::collections::BTreeMap;

use fastrand::Rng;

use crate::fault::Fault;

/// One minute, in milliseconds.
pub const MINUTE_MS: u64 = 60_000;

/// One hour, in milliseconds.
pub const HOUR_MS: u64 = 60 * MINUTE_MS;

/// The size of an arena, its length, and its faults.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Decides everything.
    pub seed: u64,
    /// How large it was to be.
    pub size: Size,
    /// iPads.
    pub devices: usize,
    /// Leads that each of them saves in the chaotic phase.
    pub leads_per_device: usize,
    /// Hubs, beside the cloud.
    pub hubs: usize,
    /// Length of the chaotic phase, in milliseconds.
    pub chaos_ms: u64,
    /// Rate of each fault that happens at all, in thousandths: of exchanges for faults of the network, as a
    /// weight for the others.
    pub rates: BTreeMap<Fault, u32>,
    /// Mean time between two faults that are not of the network, in milliseconds.
    pub mischief_every_ms: u64,
}

/// How large arenas are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    /// What most runs need: 1 to 6 devices, some 200 leads on average.
    Usual,
    /// An event: 20 devices with 100 leads each.
    Event,
}

impl Plan {
    /// The plan of a seed.
    pub fn of(seed: u64, size: Size) -> Self {
        let mut rng = Rng::with_seed(seed ^ 0x6c65_6164_6c6f_6731);
        let (devices, leads_per_device) = match size {
            Size::Event => (20, 100),
            // Small arenas find most, larger ones find batches, limits and crossings.
            Size::Usual => match rng.u8(0..10) {
                0..4 => (rng.usize(1..=3), rng.usize(5..=40)),
                4..8 => (rng.usize(2..=6), rng.usize(20..=80)),
                _ => (rng.usize(4..=6), rng.usize(80..=140)),
            },
        };
        let mut rates = BTreeMap::new();
        // The last came later, and is drawn last: kept seeds draw the others as they did.
        for fault in Fault::ALL.iter().filter(|fault| **fault != Fault::DeviceRevoked) {
            // Swarm testing (Groce et al. 2012): a run without some faults reaches what these would prevent.
            if rng.u8(0..3) == 0 {
                rates.insert(*fault, *rng.choice(&[5, 20, 60, 150]).unwrap_or(&20));
            }
        }
        // A device that has deleted rightfully cannot heal a cloud that loses history later. That is accepted
        // (backups of the store are the answer), so one arena never has both.
        if rates.contains_key(&Fault::CloudRestored) {
            rates.remove(&Fault::CampaignClosed);
        }
        let hubs = *rng.choice(&[0, 1, 1, 2, 2, 3]).unwrap_or(&1);
        let chaos_ms = rng.u64(20..=240) * MINUTE_MS;
        let mischief_every_ms = rng.u64(20..=300) * 1_000;
        if rng.u8(0..3) == 0 {
            rates.insert(Fault::DeviceRevoked, *rng.choice(&[5, 20, 60, 150]).unwrap_or(&20));
        }
        Self { seed, size, devices, leads_per_device, hubs, chaos_ms, rates, mischief_every_ms }
    }

    /// The rate of a fault, in thousandths.
    pub fn rate(&self, fault: Fault) -> u32 {
        self.rates.get(&fault).copied().unwrap_or(0)
    }

    /// How to run just this again.
    pub fn command(&self) -> String {
        let full = Self::of(self.seed, self.size);
        let mut command = format!("cargo run --release -p simulator -- --seed {} --trace", self.seed);
        if self.size == Size::Event {
            command.push_str(" --event");
        }
        if self.devices != full.devices {
            command.push_str(&format!(" --devices {}", self.devices));
        }
        if self.leads_per_device != full.leads_per_device {
            command.push_str(&format!(" --leads {}", self.leads_per_device));
        }
        if self.hubs != full.hubs {
            command.push_str(&format!(" --hubs {}", self.hubs));
        }
        if self.chaos_ms != full.chaos_ms {
            command.push_str(&format!(" --minutes {}", self.chaos_ms / MINUTE_MS));
        }
        if self.rates.keys().ne(full.rates.keys()) {
            let faults: Vec<&str> = self.rates.keys().map(|fault| fault.name()).collect();
            command.push_str(&format!(
                " --faults {}",
                if faults.is_empty() { "none".into() } else { faults.join(",") }
            ));
        }
        command
    }
}
