//! A device around the engine: a disk, a clock, a timer, and a person who saves.

use std::collections::BTreeMap;

use domain::{ClientId, DeviceId, StoreId, Tier};
use leadlog_client::engine::flight::FLIGHT_LEASE_MS;
use leadlog_client::engine::loss::LostInstallation;
use leadlog_client::engine::record::{EntryRecord, Records};
use leadlog_client::engine::status::{EntryStatus, Status, Summary};
use leadlog_client::engine::{Config, Engine, Failure, Input, MAX_SLEEP_MS, Output, Target};
use serde_json::Value;
use uuid::Uuid;

use crate::memory_outbox::MemoryOutbox;
use crate::store::Store;

/// An entry as the installation `ipad-1` saves it: its first version of the lead of this number.
pub(crate) fn entry(number: u64) -> EntryRecord {
    let (device_id, client_id) = ("ipad-1".parse().unwrap(), lead_id(number));
    EntryRecord {
        v: 1,
        key: number,
        device_seq: number,
        client_id,
        version: 1,
        saved_at: i64::try_from(number).unwrap(),
        entry: text(client_id, 1, &device_id, number, ""),
        removed: None,
        device_id,
    }
}

fn lead_id(lead: u64) -> ClientId {
    ClientId::new(Uuid::from_u128(u128::from(lead)))
}

fn text(client_id: ClientId, version: u32, device_id: &DeviceId, device_seq: u64, bad_at: &str) -> String {
    let kind = if version == 1 { "captured" } else { "corrected" };
    let lead = client_id.uuid().as_u128();
    format!(
        r#"{{"kind":"{kind}","clientId":"{client_id}","version":{version},"deviceId":"{device_id}","deviceSeq":{device_seq},"campaignId":"shootout-2026","contact":{{"firstName":"Anna","email":"lead-{lead}@example.com"}},"badAt":"{bad_at}"}}"#
    )
}

/// A request that is under way.
#[derive(Debug, Clone)]
pub(crate) struct Sent {
    pub(crate) id: u64,
    pub(crate) target: Target,
    pub(crate) body: String,
    pub(crate) entries: usize,
    pub(crate) seqs: Vec<u64>,
    lease_ends_ms: u64,
}

/// A device that does the engine's wishes.
pub(crate) struct Device {
    pub(crate) engine: Engine,
    targets: u8,
    pub(crate) now_ms: u64,
    pub(crate) disk: MemoryOutbox,
    epoch: u64,
    pub(crate) disk_is_full: bool,
    /// How many leads this person has saved, on whichever iPad.
    leads: u64,
    pub(crate) flight: Option<Sent>,
    pub(crate) sent: usize,
    /// Who answers the health route, by target.
    pub(crate) health: Vec<Option<(StoreId, Tier)>>,
    pub(crate) probes: Vec<Target>,
    pub(crate) makes_backups: bool,
    pub(crate) backups: Vec<(u64, Target)>,
    pub(crate) wake_at_ms: Option<u64>,
    pub(crate) shown: Option<Status>,
    pub(crate) done: Vec<Summary>,
    /// What was on this iPad before it was wiped.
    pub(crate) lost: Vec<LostInstallation>,
    starts: u64,
}

impl Device {
    pub(crate) fn new() -> Self {
        Self::with_targets(1)
    }

    pub(crate) fn with_targets(targets: u8) -> Self {
        let id: DeviceId = "ipad-1".parse().unwrap();
        Self {
            engine: Engine::new(Config {
                device_id: id.clone(),
                seed: 0,
                targets,
                makes_backups: false,
                last_backup_age_ms: None,
                lost: Vec::new(),
            }),
            targets,
            now_ms: 0,
            disk: MemoryOutbox::new(id),
            epoch: 0,
            disk_is_full: false,
            leads: 0,
            flight: None,
            sent: 0,
            health: vec![None; usize::from(targets)],
            probes: Vec::new(),
            makes_backups: false,
            backups: Vec::new(),
            wake_at_ms: None,
            shown: None,
            done: Vec::new(),
            lost: Vec::new(),
            starts: 0,
        }
    }

    /// Opens the disk as it is.
    pub(crate) fn open(&mut self) {
        self.engine = Engine::new(Config {
            device_id: self.disk.device_id.clone(),
            seed: self.starts,
            targets: self.targets,
            makes_backups: self.makes_backups,
            last_backup_age_ms: Some(0),
            lost: self.lost.clone(),
        });
        let (records, epoch) = self.disk.read_all(true);
        self.epoch = epoch;
        self.tell(Input::Opened(records));
    }

    /// A crash: nothing but the disk is left.
    pub(crate) fn restart(&mut self) {
        self.starts += 1;
        (self.flight, self.wake_at_ms, self.shown) = (None, None, None);
        self.open();
    }

    /// The storage is gone; a new installation restores the records from a file, in the order of that file.
    pub(crate) fn restore(&mut self) {
        let id = format!("ipad-1-{}", self.starts + 2).parse().unwrap();
        let gone = std::mem::replace(&mut self.disk, MemoryOutbox::new(id));
        self.restart();
        let entries = self.disk.restore(gone.entries.into_values().collect());
        self.tell(Input::Restored(Records { entries, ..Records::default() }));
    }

    /// A new lead.
    pub(crate) fn save(&mut self) -> EntryRecord {
        self.save_bad_at("")
    }

    /// A new lead that breaks a rule at the stores of this tier, or at `all`.
    pub(crate) fn save_bad_at(&mut self, bad_at: &str) -> EntryRecord {
        self.leads += 1;
        let lead = self.leads;
        self.save_version(lead, 1, bad_at)
    }

    /// The next version of a lead.
    pub(crate) fn correct(&mut self, client_id: ClientId, bad_at: &str) -> EntryRecord {
        let newest = self.engine.newest_version(client_id).expect("a lead");
        let lead = u64::try_from(client_id.uuid().as_u128()).unwrap();
        self.save_version(lead, newest.version + 1, bad_at)
    }

    /// The next version of a lead, which takes it back.
    pub(crate) fn take_back(&mut self, client_id: ClientId) -> EntryRecord {
        let version = self.engine.newest_version(client_id).expect("a lead").version + 1;
        self.save_text(client_id, version, |version, device_id, device_seq| {
            text(client_id, version, device_id, device_seq, "").replace("corrected", "voided")
        })
    }

    fn save_version(&mut self, lead: u64, version: u32, bad_at: &str) -> EntryRecord {
        let client_id = lead_id(lead);
        self.save_text(client_id, version, |version, device_id, device_seq| {
            text(client_id, version, device_id, device_seq, bad_at)
        })
    }

    fn save_text(
        &mut self,
        client_id: ClientId,
        version: u32,
        text: impl Fn(u32, &DeviceId, u64) -> String,
    ) -> EntryRecord {
        let saved_at = i64::try_from(self.disk.next_key()).unwrap();
        let record = self.disk.save(client_id, version, saved_at, text);
        self.tell(Input::Saved(record.clone()));
        record
    }

    pub(crate) fn tell(&mut self, input: Input) {
        self.engine.handle(self.now_ms, input);
        while let Some(output) = self.engine.poll() {
            match output {
                Output::Put(_) if self.disk_is_full => self.tell(Input::PutFailed),
                Output::Put(records) => {
                    assert!(self.disk.put(records, self.epoch), "there is one tab");
                    self.tell(Input::PutDone);
                }
                Output::Send { request_id, target, body, .. } => self.send(request_id, target, body),
                Output::Probe { target, .. } => {
                    self.probes.push(target);
                    match self.health[usize::from(target)] {
                        Some((store, tier)) => self.tell(Input::HealthAnswered { target, store, tier }),
                        None => self.tell(Input::HealthMissed { target }),
                    }
                }
                Output::Backup { request_id, target } => self.backups.push((request_id, target)),
                Output::WakeAt(at_ms) => self.wake_at_ms = Some(at_ms),
                Output::Show(status) => self.shown = Some(status),
                Output::Done(summary) => self.done.push(summary),
            }
        }
        // Liveness: without this one missed event would strand a lead.
        if let Some(wake_at_ms) = self.wake_at_ms {
            assert!(wake_at_ms <= self.now_ms + MAX_SLEEP_MS, "asleep until {wake_at_ms}");
        }
    }

    fn send(&mut self, id: u64, target: Target, body: String) {
        let request: Value = serde_json::from_str(&body).unwrap();
        let entries = request["entries"].as_array().unwrap();
        assert!(self.flight.is_none(), "a second request while one is under way");
        // Versions of a lead in order, and every text whole.
        let mut seen: BTreeMap<&str, u64> = BTreeMap::new();
        for entry in entries {
            let version = entry["version"].as_u64().unwrap();
            let before = seen.insert(entry["clientId"].as_str().unwrap(), version);
            assert!(before.is_none_or(|before| before < version), "versions out of order");
        }
        let seqs = entries.iter().filter_map(|it| it["deviceSeq"].as_u64()).collect();
        let lease_ends_ms = self.now_ms + FLIGHT_LEASE_MS;
        self.flight = Some(Sent { id, target, entries: entries.len(), seqs, lease_ends_ms, body });
        self.sent += 1;
    }

    /// Lets time pass; the timer rings when it should.
    pub(crate) fn wait(&mut self, wait_ms: u64) {
        let until_ms = self.now_ms + wait_ms;
        while let Some(at_ms) = self.wake_at_ms.filter(|at_ms| *at_ms <= until_ms) {
            self.ring(at_ms);
        }
        self.now_ms = until_ms;
    }

    /// Lets time pass until a request is sent.
    pub(crate) fn until_sent(&mut self) {
        for _ in 0..1_000 {
            if self.flight.is_some() {
                return;
            }
            self.ring(self.wake_at_ms.expect("nothing is under way and no timer is set"));
        }
        panic!("the timer rings and rings, but nothing is sent");
    }

    fn ring(&mut self, at_ms: u64) {
        self.now_ms = self.now_ms.max(at_ms);
        self.wake_at_ms = None;
        self.flight.take_if(|flight| flight.lease_ends_ms <= self.now_ms);
        self.tell(Input::Tick);
        assert!(self.wake_at_ms.is_some(), "a timer is set");
    }

    pub(crate) fn request(&self) -> &Sent {
        self.flight.as_ref().expect("a request under way")
    }

    /// The store answers, and from now on its health route too.
    pub(crate) fn answer(&mut self, store: &mut Store) {
        let Sent { body, target, .. } = self.request().clone();
        self.health[usize::from(target)] = Some((store.store_id(), store.tier));
        let body = store.answer(&body);
        self.respond(200, "application/json", &body, None);
    }

    pub(crate) fn respond(&mut self, code: u16, content_type: &str, body: &str, retry_after: Option<&str>) {
        let request_id = self.flight.take().expect("a request under way").id;
        self.respond_to(request_id, code, content_type, body, retry_after);
    }

    pub(crate) fn respond_to(
        &mut self,
        request_id: u64,
        code: u16,
        content_type: &str,
        body: &str,
        retry_after: Option<&str>,
    ) {
        self.tell(Input::Response {
            request_id,
            code,
            content_type: content_type.to_owned(),
            body: body.to_owned(),
            retry_after: retry_after.map(str::to_owned),
        });
    }

    pub(crate) fn fail(&mut self, failure: Failure) {
        let request_id = self.flight.take().expect("a request under way").id;
        self.tell(Input::RequestFailed { request_id, failure });
    }

    /// A good network, until the store has answered and nothing waits.
    pub(crate) fn run_until_quiet(&mut self, store: &mut Store) {
        for _ in 0..10_000 {
            self.until_sent();
            self.answer(store);
            if self.flight.is_none() && self.status().waiting == 0 {
                return;
            }
        }
        panic!("does not come to rest: {:?}", self.status());
    }

    pub(crate) fn status(&self) -> Status {
        self.shown.clone().expect("a status")
    }

    pub(crate) fn status_of(&self, key: u64) -> EntryStatus {
        self.engine.entry_status(key).expect("an entry")
    }
}

/// A device with nothing on it, and a cloud that has answered once.
pub(crate) fn at_rest() -> (Device, Store) {
    let (mut device, mut cloud) = (Device::new(), Store::cloud(1));
    device.open();
    device.answer(&mut cloud);
    (device, cloud)
}
