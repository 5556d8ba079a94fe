//! What the browser does for the engine, in the virtual world: pages open and close, writes take time, a tab
//! that has lost the writing starts anew.

use leadlog_client::engine::record::Records;
use leadlog_client::engine::status::Light;
use leadlog_client::engine::{Config, Engine, Failure, Input, Output};

use super::tab::{Fact, MAX_OTHER_TAB_MS, SendLock, Tab};
use super::{MAX_TABS, Snapshot};
use crate::checks::{dot, i01_survives, i04_removal};
use crate::fault::Fault;
use crate::mutant::Mutant;
use crate::network::{Exchange, Sender, What};
use crate::people::campaign_id;
use crate::world::{Event, World};

/// A write that is under way.
#[derive(Debug)]
pub enum Write {
    /// What the engine asked for.
    Put(Records),
    /// A lead.
    Save(Box<super::Tap>),
}

impl World {
    /// Opens a page: a new engine, from what is on the disk alone.
    pub fn open_tab(&mut self, device: usize, tab: usize) {
        if let Err(lost) = i01_survives::when_opened(self, device) {
            self.violated(lost);
        }
        let seed = self.rng.u64(..);
        let it = &mut self.devices[device];
        it.starts += 1;
        let config = Config {
            device_id: it.disk.installation.clone(),
            seed,
            targets: u8::try_from(it.targets.len()).unwrap_or(u8::MAX),
            makes_backups: true,
            last_backup_age_ms: Some(0),
            lost: it.lost.clone(),
        };
        let records = it.disk.read(it.is_old_app);
        let generation = it.starts;
        it.tabs[tab] = Some(Tab {
            engine: Engine::new(config),
            generation,
            seen_epoch: it.disk.epoch,
            held_epoch: None,
            other_heard_ms: None,
            is_frozen: false,
            inbox: Vec::new(),
            wake_at_ms: None,
            status: None,
        });
        let is_closed = it.is_campaign_closed;
        let entries = records.entries.len();
        self.trace.say(self.now_ms, || format!("ipad {device} tab {tab} opens with {entries} entries"));
        self.tell(device, tab, generation, Input::Opened(records));
        if is_closed {
            self.tell(device, tab, generation, Input::CampaignClosed(campaign_id()));
        }
    }

    /// Ends a page. What was not flushed is gone.
    pub fn close_tab(&mut self, device: usize, tab: usize) {
        let it = &mut self.devices[device];
        it.tabs[tab] = None;
        if it.lock.is_some_and(|lock| lock.holder.0 == tab) {
            it.lock = None;
        }
    }

    /// A fact for a page, unless that start of it is over.
    pub fn fact(&mut self, device: usize, tab: usize, generation: u64, fact: Fact) {
        let it = &mut self.devices[device];
        let is_answer = matches!(fact, Fact::Input(Input::Response { .. } | Input::RequestFailed { .. }));
        if is_answer && it.lock.is_some_and(|lock| lock.holder == (tab, generation)) {
            it.lock = None;
            it.disk.syncing.clear();
            self.announce(device, tab, Records::default());
        }
        match self.devices[device].tab(tab, generation) {
            Some(open) if open.is_frozen => open.inbox.push(fact),
            Some(_) => match fact {
                Fact::Input(input) => self.tell(device, tab, generation, input),
                Fact::News { epoch, records } => self.learn(device, tab, generation, epoch, records),
            },
            None => {}
        }
    }

    /// Another tab wrote something, or says that it lives.
    fn learn(&mut self, device: usize, tab: usize, generation: u64, epoch: Option<u64>, records: Records) {
        let now_ms = self.now_ms;
        let Some(open) = self.devices[device].tab(tab, generation) else { return };
        match epoch {
            None => self.tell(device, tab, generation, Input::Learned(records)),
            // Written before what is known here; it may have been voided since.
            Some(epoch) if epoch < open.epoch() => {}
            Some(epoch) if epoch > open.epoch() => {
                self.close_tab(device, tab);
                self.open_tab(device, tab);
                if let Some(open) = &mut self.devices[device].tabs[tab] {
                    open.other_heard_ms = Some(now_ms);
                }
            }
            Some(_) => {
                open.other_heard_ms = Some(now_ms);
                self.tell(device, tab, generation, Input::Learned(records));
            }
        }
    }

    /// The timer of a page rings, if it is still this one.
    pub fn wake(&mut self, device: usize, tab: usize, generation: u64, at_ms: u64) {
        let Some(open) = self.devices[device].tab(tab, generation) else { return };
        if open.wake_at_ms != Some(at_ms) {
            return;
        }
        if open.is_frozen {
            open.inbox.push(Fact::Input(Input::Tick));
            return;
        }
        open.wake_at_ms = None;
        self.tell(device, tab, generation, Input::Tick);
    }

    fn tell(&mut self, device: usize, tab: usize, generation: u64, input: Input) {
        let now_ms = self.now_ms;
        let Some(open) = self.devices[device].tab(tab, generation) else { return };
        open.engine.handle(now_ms, input);
        loop {
            // A wish may have closed this page.
            let Some(open) = self.devices[device].tab(tab, generation) else { return };
            let Some(output) = open.engine.poll() else { return };
            self.obey(device, tab, generation, output);
            // A crash may come between any two wishes.
            if self.roll(Fault::DeviceCrash) {
                self.tally.count(Fault::DeviceCrash);
                self.crash(device);
                return;
            }
        }
    }

    fn obey(&mut self, device: usize, tab: usize, generation: u64, output: Output) {
        match output {
            Output::Put(records) => {
                let delay_ms = self.rng.u64(2..40);
                self.queue.plan(
                    self.now_ms + delay_ms,
                    Event::Written { device, tab, generation, write: Write::Put(records) },
                );
            }
            Output::Send { request_id, target, body, .. } => {
                if self.may_send(device, tab, generation, request_id) {
                    self.on_send(device, &body);
                    let from = Sender::Tab { device, tab, generation, request_id, target };
                    let address = self.devices[device].targets[usize::from(target)];
                    self.depart(Exchange { from, address, what: What::Sync(body.into()) });
                }
            }
            Output::Probe { target, .. } => {
                let from = Sender::Tab { device, tab, generation, request_id: 0, target };
                let address = self.devices[device].targets[usize::from(target)];
                self.depart(Exchange { from, address, what: What::Probe });
            }
            Output::Backup { request_id, target } => {
                let disk = &self.devices[device].disk;
                let snapshot = Snapshot {
                    device,
                    installation: disk.installation.clone(),
                    made_at_ms: self.now_ms,
                    entries: disk.entries.values().map(|kept| kept.record.clone()).collect(),
                };
                let from = Sender::Tab { device, tab, generation, request_id, target };
                let address = self.devices[device].targets[usize::from(target)];
                self.depart(Exchange { from, address, what: What::Backup(snapshot.into()) });
            }
            Output::WakeAt(at_ms) => {
                let at_ms = at_ms.max(self.now_ms);
                if let Some(open) = self.devices[device].tab(tab, generation) {
                    open.wake_at_ms = Some(at_ms);
                }
                self.queue.plan(at_ms, Event::Wake { device, tab, generation, at_ms });
            }
            Output::Show(status) => {
                if status.state == Light::Green {
                    let at_ms = self.now_ms + dot::LOOK_AFTER_MS;
                    self.queue.plan(at_ms, Event::Look { device, tab, generation });
                }
                self.trace.say(self.now_ms, || {
                    let (light, places) = (status.state, status.places);
                    format!("ipad {device} tab {tab} shows {light:?}, waiting {}, {places:?}", status.waiting)
                });
                if let Some(open) = self.devices[device].tab(tab, generation) {
                    open.status = Some(status);
                }
            }
            Output::Done(_) => {}
        }
    }

    /// Whether this page has the lock and the writing; if not, it is told, or starts anew.
    fn may_send(&mut self, device: usize, tab: usize, generation: u64, request_id: u64) -> bool {
        let now_ms = self.now_ms;
        let it = &mut self.devices[device];
        let is_ruled = it.tab(tab, generation).is_some_and(|open| open.is_ruled_by_other_tab(now_ms));
        let is_taken = it.lock.is_some_and(|lock| {
            lock.holder != (tab, generation) && now_ms.saturating_sub(lock.since_ms) <= MAX_OTHER_TAB_MS
        });
        if is_taken || is_ruled {
            let failed = Input::RequestFailed { request_id, failure: Failure::OtherTab };
            self.queue.plan(
                now_ms + 1,
                Event::Fact { device, tab, generation, fact: Box::new(Fact::Input(failed)) },
            );
            return false;
        }
        if !self.take_over_writing(device, tab, generation) {
            return false;
        }
        self.devices[device].lock = Some(SendLock { holder: (tab, generation), since_ms: now_ms });
        true
    }

    /// Makes sure that this page is the one that may write; a page whose knowledge is old starts anew.
    fn take_over_writing(&mut self, device: usize, tab: usize, generation: u64) -> bool {
        let it = &mut self.devices[device];
        let epoch = it.disk.epoch;
        let Some(open) = it.tab(tab, generation) else { return false };
        if open.held_epoch == Some(epoch) {
            return true;
        }
        let is_fresh = open.held_epoch.is_none() && open.seen_epoch == epoch;
        if is_fresh {
            open.held_epoch = Some(epoch + 1);
            it.disk.epoch = epoch + 1;
            return true;
        }
        self.trace.say(self.now_ms, || format!("ipad {device} tab {tab} has lost the writing"));
        self.close_tab(device, tab);
        self.open_tab(device, tab);
        false
    }

    /// A write reaches the disk, or does not.
    pub fn written(&mut self, device: usize, tab: usize, generation: u64, write: Write) {
        // A crash or a reload came first: the transaction was never committed.
        if self.devices[device].tab(tab, generation).is_none() {
            if let Write::Save(tap) = write {
                self.tap_again(*tap);
            }
            return;
        }
        let is_refused = self.devices[device].disk.is_full || self.disk_fails();
        match write {
            Write::Save(tap) if is_refused => {
                // Her text stays, she is told, and taps again (invariant 10).
                self.tap_again(*tap);
            }
            Write::Save(tap) => self.save(device, tab, generation, *tap),
            Write::Put(_) if is_refused => self.fact(device, tab, generation, Fact::Input(Input::PutFailed)),
            Write::Put(records) => self.put(device, tab, generation, records),
        }
    }

    fn put(&mut self, device: usize, tab: usize, generation: u64, records: Records) {
        if !self.take_over_writing(device, tab, generation) {
            return;
        }
        for record in &records.entries {
            if let Err(wrong) = i04_removal::when_removed(self, record) {
                self.violated(wrong);
            }
        }
        self.trace.say(self.now_ms, || {
            let keys: Vec<u64> = records.marks.iter().map(|mark| mark.key).collect();
            format!("ipad {device} tab {tab} writes marks of {keys:?}")
        });
        self.devices[device].disk.write(records.clone());
        self.after_put(device, &records);
        self.fact(device, tab, generation, Fact::Input(Input::PutDone));
        self.announce(device, tab, records);
    }

    /// What the tab that sends wrote, the others learn; and that it lives.
    fn announce(&mut self, device: usize, tab: usize, records: Records) {
        let epoch = self.devices[device].tabs[tab].as_ref().and_then(|open| open.held_epoch);
        if epoch.is_some() {
            self.tell_other_tabs(device, tab, epoch, &records);
        }
    }

    /// Tells the other tabs of this iPad.
    pub fn tell_other_tabs(&mut self, device: usize, tab: usize, epoch: Option<u64>, records: &Records) {
        for other in (0..MAX_TABS).filter(|other| *other != tab) {
            if let Some(open) = &self.devices[device].tabs[other] {
                let generation = open.generation;
                let fact = Box::new(Fact::News { epoch, records: records.clone() });
                self.queue.plan(self.now_ms + 1, Event::Fact { device, tab: other, generation, fact });
            }
        }
    }

    /// The iPad dies, and is started again soon after.
    pub fn crash(&mut self, device: usize) {
        self.trace.say(self.now_ms, || format!("ipad {device} crashes"));
        (0..MAX_TABS).for_each(|tab| self.close_tab(device, tab));
        let wait_ms = self.rng.u64(1_000..60_000);
        self.queue.plan(self.now_ms + wait_ms, Event::Open { device, tab: 0 });
    }

    fn disk_fails(&mut self) -> bool {
        for fault in [Fault::DiskAbort, Fault::DiskClosed] {
            if self.roll(fault) {
                self.tally.count(fault);
                return true;
            }
        }
        false
    }

    fn on_send(&mut self, device: usize, body: &str) {
        if !matches!(self.mutant, Some(Mutant::DequeueBeforeVerdict | Mutant::SyncingSurvivesCrash)) {
            return;
        }
        let Ok(request) = serde_json::from_str::<serde_json::Value>(body) else { return };
        let sent: Vec<(String, u64)> = request["entries"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|entry| Some((entry["clientId"].as_str()?.to_owned(), entry["version"].as_u64()?)))
            .collect();
        let disk = &mut self.devices[device].disk;
        let is_sent = |record: &leadlog_client::engine::record::EntryRecord| {
            sent.iter().any(|(id, version)| {
                *id == record.client_id.to_string() && *version == u64::from(record.version)
            })
        };
        if self.mutant == Some(Mutant::DequeueBeforeVerdict) {
            disk.entries.retain(|_, kept| !is_sent(&kept.record));
        } else {
            let keys = disk.entries.values().filter(|kept| is_sent(&kept.record)).map(|kept| kept.record.key);
            disk.syncing.extend(keys.collect::<Vec<_>>());
        }
    }

    fn after_put(&mut self, device: usize, records: &Records) {
        if self.mutant != Some(Mutant::ForgetOnHubReceipt) {
            return;
        }
        let disk = &mut self.devices[device].disk;
        for mark in &records.marks {
            let is_at_hub = |answer: &leadlog_client::engine::record::Answer| {
                answer.tier == domain::Tier::Hub && answer.receipt().is_some() && answer.verdict.is_stored()
            };
            if mark.answers.iter().any(is_at_hub) {
                disk.entries.remove(&mark.key);
            }
        }
    }
}
