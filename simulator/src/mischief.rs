//! The faults that are not of the network: what happens to iPads, stores, campaigns and people.

use domain::{FollowUpEvent, Timestamp};
use event_store::EventLog;
use futures_util::FutureExt;
use leadlog_client::engine::Input;
use leadlog_client::engine::loss::LostInstallation;
use leadlog_client::engine::record::{EntryRecord, Records};

use crate::checks::i08_replay::Live;
use crate::device::disk::{Disk, Kept};
use crate::device::tab::Fact;
use crate::device::{MAX_TABS, Snapshot, installation_id};
use crate::fault::Fault;
use crate::mutant::Mutant;
use crate::people::campaign_id;
use crate::plan::{HOUR_MS, MINUTE_MS};
use crate::store::Host;
use crate::world::{CLOUD, Event, World};

/// The faults that are drawn here; the others are drawn where they strike.
const KINDS: [Fault; 23] = [
    Fault::LinkDown,
    Fault::UplinkDown,
    Fault::WrongOnlineEvent,
    Fault::PageReloaded,
    Fault::DiskQuota,
    Fault::StorageWiped,
    Fault::SecondTab,
    Fault::TabFrozen,
    Fault::OldApp,
    Fault::ClockJump,
    Fault::CampaignChanged,
    Fault::CampaignClosed,
    Fault::PersonErased,
    Fault::HubRestarted,
    Fault::HubReplaced,
    Fault::HubRestored,
    Fault::HubCloned,
    Fault::CloudRestarted,
    Fault::CloudRestored,
    Fault::StoreFull,
    Fault::StoreReadOnly,
    Fault::DeviceCrash,
    Fault::DeviceRevoked,
];

impl World {
    /// One fault by weight, and the next one is planned.
    pub fn mischief(&mut self) {
        if self.is_calm {
            return;
        }
        let wait_ms = self.rng.u64(1..=self.plan.mischief_every_ms * 2);
        self.queue.plan(self.now_ms + wait_ms, Event::Mischief);
        // Copies are what restores are made of.
        for host in 0..self.hosts.len() {
            if self.rng.u8(0..8) == 0 && self.hosts[host].is_up {
                self.hosts[host].copy();
            }
        }
        let weights: Vec<(Fault, u32)> = KINDS
            .iter()
            .map(|fault| (*fault, self.plan.rate(*fault)))
            .filter(|(_, rate)| *rate > 0)
            .collect();
        let total: u32 = weights.iter().map(|(_, rate)| rate).sum();
        if total == 0 {
            return;
        }
        let mut at = self.rng.u32(0..total);
        for (fault, rate) in weights {
            if at < rate {
                if self.strike(fault) {
                    self.tally.count(fault);
                }
                return;
            }
            at -= rate;
        }
    }

    /// Answers whether it really happened.
    fn strike(&mut self, fault: Fault) -> bool {
        let device = self.rng.usize(0..self.devices.len());
        let hub = self.any_hub();
        let pause_ms = self.rng.u64(MINUTE_MS..40 * MINUTE_MS);
        self.trace.say(self.now_ms, || format!("fault {fault} (ipad {device}, store {hub:?})"));
        match fault {
            Fault::LinkDown => self.cut_link(device, pause_ms),
            Fault::UplinkDown => hub.is_some_and(|hub| {
                self.hosts[hub].uplink_down_until_ms = self.now_ms + pause_ms;
                true
            }),
            Fault::WrongOnlineEvent => {
                let input = if self.rng.bool() { Input::WentOffline } else { Input::CameOnline };
                self.tell_first_tab(device, input)
            }
            Fault::DeviceCrash => {
                self.crash(device);
                true
            }
            Fault::PageReloaded => self.reload(device),
            Fault::DiskQuota => {
                self.devices[device].disk.is_full = true;
                self.queue.plan(self.now_ms + pause_ms, Event::Room { device });
                true
            }
            Fault::StorageWiped => self.wipe(device),
            Fault::SecondTab => self.second_tab(device),
            Fault::TabFrozen => self.freeze(device),
            Fault::OldApp => {
                self.devices[device].is_old_app = !self.devices[device].is_old_app;
                self.reload(device)
            }
            Fault::ClockJump => {
                let jump_ms =
                    self.rng.i64(-3..=3) * 24 * HOUR_MS.cast_signed() + self.rng.i64(-60_000..60_000);
                self.devices[device].clock_offset_ms += jump_ms;
                true
            }
            Fault::CampaignChanged => self.publish(device),
            Fault::CampaignClosed => self.close_campaign(),
            Fault::PersonErased => self.erase_somebody(),
            Fault::HubRestarted => hub.is_some_and(|hub| self.stop(hub, pause_ms)),
            Fault::CloudRestarted => self.stop(CLOUD, pause_ms / 8),
            Fault::HubReplaced => self.replace_hub(),
            Fault::HubRestored => hub.is_some_and(|hub| self.restore(hub)),
            Fault::CloudRestored => self.restore_cloud(),
            Fault::HubCloned => self.clone_hub(),
            Fault::DeviceRevoked => {
                self.devices[device].revoked_until_ms = self.now_ms + pause_ms;
                true
            }
            Fault::StoreFull | Fault::StoreReadOnly => {
                let host = hub.filter(|_| self.rng.bool()).unwrap_or(CLOUD);
                self.hosts[host].is_writable = false;
                self.queue.plan(self.now_ms + pause_ms, Event::HostWritable { host });
                true
            }
            _ => false,
        }
    }

    /// A hub that answers at some address.
    fn any_hub(&mut self) -> Option<usize> {
        let hubs: Vec<usize> = self.addresses[1..].iter().flatten().copied().collect();
        self.rng.choice(&hubs).copied()
    }

    fn cut_link(&mut self, device: usize, pause_ms: u64) -> bool {
        // All of the network is gone, or the way to one store.
        let addresses: Vec<usize> = (0..self.addresses.len()).collect();
        let cut = if self.rng.bool() {
            addresses
        } else {
            self.rng.choice(&addresses).copied().into_iter().collect()
        };
        for address in cut {
            self.devices[device].links_down_until_ms.insert(address, self.now_ms + pause_ms);
        }
        true
    }

    fn tell_first_tab(&mut self, device: usize, input: Input) -> bool {
        let open = self.devices[device].tabs[0].as_ref().map(|open| open.generation);
        open.is_some_and(|generation| {
            self.fact(device, 0, generation, Fact::Input(input));
            true
        })
    }

    fn reload(&mut self, device: usize) -> bool {
        let open: Vec<usize> =
            (0..MAX_TABS).filter(|tab| self.devices[device].tabs[*tab].is_some()).collect();
        for tab in &open {
            self.close_tab(device, *tab);
            self.open_tab(device, *tab);
        }
        !open.is_empty()
    }

    fn second_tab(&mut self, device: usize) -> bool {
        if self.devices[device].tabs[1].is_some() {
            self.close_tab(device, 1);
        } else {
            self.open_tab(device, 1);
        }
        true
    }

    fn freeze(&mut self, device: usize) -> bool {
        let open: Vec<usize> =
            (0..MAX_TABS).filter(|tab| self.devices[device].tabs[*tab].is_some()).collect();
        let Some(tab) = self.rng.choice(&open).copied() else { return false };
        let pause_ms = self.rng.u64(10_000..20 * MINUTE_MS);
        let Some(open) = self.devices[device].tabs[tab].as_mut().filter(|open| !open.is_frozen) else {
            return false;
        };
        open.is_frozen = true;
        let generation = open.generation;
        self.queue.plan(self.now_ms + pause_ms, Event::Thaw { device, tab, generation });
        true
    }

    /// A frozen tab goes on, with all that it missed.
    pub fn thaw(&mut self, device: usize, tab: usize, generation: u64) {
        let Some(open) = self.devices[device].tab(tab, generation) else { return };
        open.is_frozen = false;
        let waiting = std::mem::take(&mut open.inbox);
        self.trace.say(self.now_ms, || format!("ipad {device} tab {tab} thaws"));
        for fact in waiting {
            self.fact(device, tab, generation, fact);
        }
    }

    /// The storage is gone. What the last backup holds comes back, under a new installation.
    fn wipe(&mut self, device: usize) -> bool {
        (0..MAX_TABS).for_each(|tab| self.close_tab(device, tab));
        let missed_at = self.timestamp(self.device_unix_ms(device));
        let it = &mut self.devices[device];
        it.people.clear();
        it.editing.clear();
        it.installations += 1;
        let gone = std::mem::replace(&mut it.disk, Disk::new(installation_id(device, it.installations)));
        // The note beside the storage is made with the first Save.
        if gone.next_seq > 1 {
            it.lost.push(LostInstallation {
                device_id: gone.installation,
                saved_through: gone.next_seq - 1,
                missed_at,
                put_aside: 0,
            });
        }
        let newest = self
            .hosts
            .iter()
            .filter(|host| host.is_up)
            .flat_map(|host| &host.backups)
            .filter(|backup| backup.device == device)
            .max_by_key(|backup| backup.made_at_ms)
            .cloned();
        let restored = newest.iter().flat_map(|backup| &backup.entries);
        let restored = restored.map(|record| (record.client_id, record.version)).collect();
        self.truth.wiped(device, &restored);
        if let Some(backup) = newest {
            self.restore_backup(device, &backup);
        } else {
            self.open_tab(device, 0);
        }
        true
    }

    fn restore_backup(&mut self, device: usize, backup: &Snapshot) {
        let disk = &mut self.devices[device].disk;
        let mut restored: Vec<EntryRecord> = Vec::new();
        // Removed ones too, so that no version of a lead is made twice.
        for record in &backup.entries {
            let record = EntryRecord { key: disk.next_key(), ..record.clone() };
            disk.entries.insert(record.key, Kept { record: record.clone(), is_new_form: false });
            restored.push(record);
        }
        if self.mutant == Some(Mutant::SeqUsedTwiceAfterRestore) {
            let own = restored.iter().filter(|record| record.device_id == backup.installation);
            disk.next_seq = own.map(|record| record.device_seq).max().unwrap_or(0) + 1;
            disk.installation = backup.installation.clone();
        }
        self.trace.say(self.now_ms, || format!("ipad {device} restores {} entries", restored.len()));
        self.open_tab(device, 0);
        self.tell_first_tab(device, Input::Restored(Records { entries: restored, ..Records::default() }));
    }

    fn publish(&mut self, device: usize) -> bool {
        self.campaign_version += 1;
        let version = self.campaign_version;
        // The cloud knows at once; a hub, perhaps later; a device, when it loads the app.
        self.hosts[CLOUD].campaigns.publish(version);
        if let Some(hub) = self.any_hub() {
            self.hosts[hub].campaigns.publish(version);
        }
        self.devices[device].campaign_version = version;
        true
    }

    fn close_campaign(&mut self) -> bool {
        if self.is_campaign_closed || self.now_ms < self.plan.chaos_ms / 2 {
            return false;
        }
        self.is_campaign_closed = true;
        for device in 0..self.devices.len() {
            self.devices[device].is_campaign_closed = true;
            self.tell_first_tab(device, Input::CampaignClosed(campaign_id()));
        }
        true
    }

    fn erase_somebody(&mut self) -> bool {
        let cloud = &self.hosts[CLOUD];
        if !cloud.is_up || !cloud.is_writable {
            return false;
        }
        let known: Vec<_> = self.truth.entries().map(|((client_id, _), _)| *client_id).collect();
        let Some(client_id) = self.rng.choice(&known).copied() else { return false };
        let moment = self.moment();
        self.hosts[CLOUD].log.set_now(moment);
        let event = FollowUpEvent::LeadErased { by: None, at: Timestamp::new(moment) };
        if matches!(self.hosts[CLOUD].log.erase(client_id, &event).now_or_never(), Some(Ok(_))) {
            self.truth.erased.insert(client_id);
            return true;
        }
        false
    }

    fn stop(&mut self, host: usize, pause_ms: u64) -> bool {
        if !self.hosts[host].is_up {
            return false;
        }
        self.hosts[host].is_up = false;
        self.queue.plan(self.now_ms + pause_ms, Event::HostUp { host });
        true
    }

    /// A store starts again.
    pub fn host_up(&mut self, host: usize) {
        if !self.hosts[host].is_up {
            self.hosts[host].is_up = true;
            self.hosts[host].restart(&mut self.rng);
            self.poke_relay(host);
        }
    }

    fn replace_hub(&mut self) -> bool {
        let Some(address) = (1..self.addresses.len()).find(|_| self.rng.bool()) else { return false };
        if let Some(old) = self.addresses[address] {
            self.hosts[old].is_up = false;
        }
        let knows_campaign = self.rng.bool();
        let name = format!("hub {} (new)", self.hosts.len());
        let hub = Host::new(&mut self.rng, name, domain::Tier::Hub, knows_campaign);
        self.install(address, hub);
        true
    }

    fn clone_hub(&mut self) -> bool {
        let Some(original) = self.any_hub().filter(|hub| self.hosts[*hub].is_up) else { return false };
        let address = self.rng.usize(1..self.addresses.len());
        if self.addresses[address] == Some(original) {
            return false;
        }
        let name = format!("hub {} (a copy of hub {original})", self.hosts.len());
        let hub = self.hosts[original].clone_of(&mut self.rng, name);
        if let Some(old) = self.addresses[address] {
            self.hosts[old].is_up = false;
        }
        self.install(address, hub);
        true
    }

    fn install(&mut self, address: usize, hub: Host) {
        self.hosts.push(hub);
        let host = self.hosts.len() - 1;
        self.addresses[address] = Some(host);
        self.poke_relay(host);
    }

    fn restore(&mut self, host: usize) -> bool {
        let is_restored = self.hosts[host].restore(&mut self.rng);
        self.poke_relay(host);
        is_restored
    }

    /// The cloud is restored to an earlier point. The ledger of erasures, which lies outside of the database, is
    /// applied at once.
    fn restore_cloud(&mut self) -> bool {
        if !self.restore(CLOUD) {
            return false;
        }
        self.truth.cloud_lost_history = true;
        // A restored database takes its read models along; they are folded again from what it holds.
        self.live = Live::default();
        let moment = self.moment();
        self.hosts[CLOUD].log.set_now(moment);
        let event = FollowUpEvent::LeadErased { by: None, at: Timestamp::new(moment) };
        for client_id in &self.truth.erased {
            let _ = self.hosts[CLOUD].log.erase(*client_id, &event).now_or_never();
        }
        true
    }
}
