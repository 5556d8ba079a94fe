//! Stores: the cloud and the hubs, each a real log in memory with the real intake in front of it.

mod relaying;
mod serving;

use domain::{StoreId, Tier};
use event_store::{EventLog, MemoryLog};
use fastrand::Rng;
use futures_util::FutureExt;
use intake::StoreIdentity;
use relay::Relay;
use relay::state::RelayState;

use crate::device::Snapshot;
use crate::people::{KnownCampaigns, draw_uuid};

/// Most old copies of one store.
const MAX_COPIES: usize = 4;

/// A running store, or one that is down.
pub struct Host {
    /// For people.
    pub name: String,
    /// Its log.
    pub log: MemoryLog,
    /// Which store it is.
    pub identity: StoreIdentity,
    /// What it knows of the campaign.
    pub campaigns: KnownCampaigns,
    /// Of a hub.
    pub relay: Option<Relay>,
    /// When the relay wants to be woken.
    pub relay_wake_at_ms: Option<u64>,
    /// Raised with every start.
    pub generation: u64,
    /// Whether it runs.
    pub is_up: bool,
    /// Whether it can be written.
    pub is_writable: bool,
    /// Until when a hub does not reach the cloud.
    pub uplink_down_until_ms: u64,
    /// Old copies of it.
    pub copies: Vec<HostCopy>,
    /// Backups of devices; beside the log, so no restore touches them.
    pub backups: Vec<Snapshot>,
    /// Positions that a reader does not see yet, and until when (a mutant).
    pub hidden: Vec<(u64, u64)>,
}

/// An old copy of a store.
pub struct HostCopy {
    log: MemoryLog,
    relay: RelayState,
}

impl Host {
    /// An empty store.
    pub fn new(rng: &mut Rng, name: String, tier: Tier, knows_campaign: bool) -> Self {
        let id = StoreId::new(draw_uuid(rng));
        let relay = (tier == Tier::Hub).then(|| Relay::new(RelayState::default(), rng.u64(..)));
        Self {
            name,
            log: MemoryLog::new(id, rng.u64(..)),
            identity: StoreIdentity { id, tier },
            campaigns: KnownCampaigns::new(knows_campaign),
            relay,
            relay_wake_at_ms: None,
            generation: 1,
            is_up: true,
            is_writable: true,
            uplink_down_until_ms: 0,
            copies: Vec::new(),
            backups: Vec::new(),
            hidden: Vec::new(),
        }
    }

    /// What its relay has kept.
    pub fn relay_state(&self) -> RelayState {
        self.relay.as_ref().map(|relay| relay.state().clone()).unwrap_or_default()
    }

    /// Position of the newest event.
    pub fn head(&self) -> u64 {
        self.log.head().now_or_never().and_then(Result::ok).map_or(0, |head| head.position)
    }

    /// Keeps a copy of the store as it is; of many, the newest few.
    pub fn copy(&mut self) {
        if self.copies.len() == MAX_COPIES {
            self.copies.remove(0);
        }
        self.copies.push(HostCopy { log: self.log.snapshot(), relay: self.relay_state() });
    }

    /// Starts again from what is durable.
    pub fn restart(&mut self, rng: &mut Rng) {
        self.generation += 1;
        self.relay_wake_at_ms = None;
        if self.relay.is_some() {
            self.relay = Some(Relay::new(self.relay_state(), rng.u64(..)));
        }
    }

    /// Becomes an old copy of itself again.
    pub fn restore(&mut self, rng: &mut Rng) -> bool {
        let Some(at) = self.copies.len().checked_sub(1).map(|last| rng.usize(0..=last)) else { return false };
        self.copies.truncate(at + 1);
        let copy = &self.copies[at];
        self.log = copy.log.snapshot();
        if self.relay.is_some() {
            self.relay = Some(Relay::new(copy.relay.clone(), rng.u64(..)));
        }
        self.hidden.clear();
        self.generation += 1;
        self.relay_wake_at_ms = None;
        true
    }

    /// Another store with the same identity and the same past.
    pub fn clone_of(&self, rng: &mut Rng, name: String) -> Self {
        Self {
            name,
            log: self.log.snapshot(),
            identity: self.identity,
            campaigns: self.campaigns.clone(),
            relay: self.relay.is_some().then(|| Relay::new(self.relay_state(), rng.u64(..))),
            relay_wake_at_ms: None,
            generation: 1,
            is_up: true,
            is_writable: true,
            uplink_down_until_ms: 0,
            copies: Vec::new(),
            backups: Vec::new(),
            hidden: Vec::new(),
        }
    }
}
