//! A small world around the engine: a device with a disk, a clock and a timer, and stores that keep the
//! promises of the wire (a verdict for what is recorded, gapless positions, lineage).

use std::collections::BTreeMap;

use domain::{ClientId, Receipt};
use leadlog_client::engine::flight::FLIGHT_LEASE_MS;
use leadlog_client::engine::record::{EntryRecord, Mark, Records, Stores};
use leadlog_client::engine::status::{EntryStatus, Status, Summary};
use leadlog_client::engine::{Config, Engine, Failure, Input, Output};
use serde_json::{Value, json};
use uuid::Uuid;

/// An entry as a device saves it.
pub(crate) fn entry(device_seq: u64) -> EntryRecord {
    let client_id = ClientId::new(Uuid::from_u128(u128::from(device_seq)));
    let saved_at = i64::try_from(device_seq).unwrap();
    let entry =
        format!(r#"{{"kind":"captured","clientId":"{client_id}","version":1,"deviceSeq":{device_seq}}}"#);
    EntryRecord { v: 1, device_seq, client_id, version: 1, saved_at, entry }
}

/// A request that is under way.
#[derive(Debug, Clone)]
pub(crate) struct Sent {
    pub(crate) id: u64,
    pub(crate) body: String,
    pub(crate) entries: usize,
    pub(crate) seqs: Vec<u64>,
    lease_ends_ms: u64,
}

/// What survives a restart.
#[derive(Debug, Default)]
pub(crate) struct Disk {
    pub(crate) entries: BTreeMap<u64, EntryRecord>,
    pub(crate) marks: BTreeMap<u64, Mark>,
    pub(crate) stores: Option<Stores>,
}

/// A device that does the engine's wishes.
pub(crate) struct Device {
    pub(crate) engine: Engine,
    pub(crate) now_ms: u64,
    pub(crate) disk: Disk,
    pub(crate) disk_is_full: bool,
    pub(crate) flight: Option<Sent>,
    pub(crate) sent: usize,
    pub(crate) wake_at_ms: Option<u64>,
    pub(crate) shown: Option<Status>,
    pub(crate) done: Vec<Summary>,
    starts: u64,
}

impl Device {
    pub(crate) fn new() -> Self {
        Self {
            engine: new_engine(0),
            now_ms: 0,
            disk: Disk::default(),
            disk_is_full: false,
            flight: None,
            sent: 0,
            wake_at_ms: None,
            shown: None,
            done: Vec::new(),
            starts: 0,
        }
    }

    /// Opens the disk as it is.
    pub(crate) fn open(&mut self) {
        let records = Records {
            entries: self.disk.entries.values().cloned().collect(),
            marks: self.disk.marks.values().cloned().collect(),
            stores: self.disk.stores,
            unreadable: 0,
        };
        self.tell(Input::Opened(records));
    }

    /// A crash: nothing but the disk is left.
    pub(crate) fn restart(&mut self) {
        self.starts += 1;
        self.engine = new_engine(self.starts);
        self.flight = None;
        self.wake_at_ms = None;
        self.shown = None;
        self.open();
    }

    pub(crate) fn save(&mut self) -> EntryRecord {
        let record = entry(self.disk.entries.len() as u64 + 1);
        self.disk.entries.insert(record.device_seq, record.clone());
        self.tell(Input::Saved(record.clone()));
        record
    }

    pub(crate) fn tell(&mut self, input: Input) {
        self.engine.handle(self.now_ms, input);
        while let Some(output) = self.engine.poll() {
            match output {
                Output::Put(records) => {
                    if self.disk_is_full {
                        self.tell(Input::PutFailed);
                    } else {
                        self.disk.marks.extend(records.marks.into_iter().map(|mark| (mark.device_seq, mark)));
                        self.disk.stores = records.stores.or(self.disk.stores);
                        self.tell(Input::PutDone);
                    }
                }
                Output::Send { request_id, body, .. } => {
                    let entries: Value = serde_json::from_str(&body).unwrap();
                    let entries = entries["entries"].as_array().unwrap();
                    let seqs: Vec<_> = entries.iter().filter_map(|it| it["deviceSeq"].as_u64()).collect();
                    assert!(self.flight.is_none(), "a second request while one is under way");
                    assert!(seqs.is_sorted(), "out of order: {seqs:?}");
                    let lease_ends_ms = self.now_ms + FLIGHT_LEASE_MS;
                    self.flight =
                        Some(Sent { id: request_id, body, entries: entries.len(), seqs, lease_ends_ms });
                    self.sent += 1;
                }
                Output::WakeAt(at_ms) => self.wake_at_ms = Some(at_ms),
                Output::Show(status) => self.shown = Some(status),
                Output::Done(summary) => self.done.push(summary),
            }
        }
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
    }

    pub(crate) fn request(&self) -> &Sent {
        self.flight.as_ref().expect("a request under way")
    }

    pub(crate) fn answer(&mut self, store: &mut Store) {
        let body = store.answer(&self.request().body.clone());
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

    pub(crate) fn status_of(&self, device_seq: u64) -> EntryStatus {
        self.engine.entry_status(device_seq).expect("an entry")
    }
}

fn new_engine(seed: u64) -> Engine {
    Engine::new(Config { device_id: "ipad-1".parse().unwrap(), seed })
}

/// A store: a log of leads, as the wire shows it.
pub(crate) struct Store {
    id: Uuid,
    tier: &'static str,
    log: Vec<(String, u64)>,
    appends: u64,
    /// The verdict for the next entry, in place of the true one.
    pub(crate) next_verdict: Option<String>,
    pub(crate) answers_nothing: bool,
    pub(crate) gives_no_receipts: bool,
    pub(crate) claims_lost: bool,
}

impl Store {
    pub(crate) fn cloud(id: u128) -> Self {
        Self::new(id, "cloud")
    }

    pub(crate) fn hub(id: u128) -> Self {
        Self::new(id, "hub")
    }

    fn new(id: u128, tier: &'static str) -> Self {
        Self {
            id: Uuid::from_u128(id),
            tier,
            log: Vec::new(),
            appends: 0,
            next_verdict: None,
            answers_nothing: false,
            gives_no_receipts: false,
            claims_lost: false,
        }
    }

    /// How many leads there are; each must be there once.
    pub(crate) fn leads(&self) -> usize {
        let mut ids: Vec<_> = self.log.iter().map(|(client_id, _)| client_id).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), self.log.len(), "a lead is in the log twice");
        ids.len()
    }

    /// Restores an old backup.
    pub(crate) fn forget_after(&mut self, position: usize) {
        self.log.truncate(position);
    }

    pub(crate) fn receipt_of(&self, device_seq: u64) -> Option<Receipt> {
        let client_id = entry(device_seq).client_id.to_string();
        let position = self.log.iter().position(|(known, _)| *known == client_id)? + 1;
        let receipt = json!({
            "storeId": self.id, "position": position, "appendId": format!("{:016x}", self.log[position - 1].1),
        });
        serde_json::from_value(receipt).ok()
    }

    /// Records what is in the request and answers it.
    pub(crate) fn answer(&mut self, body: &str) -> String {
        let request: Value = serde_json::from_str(body).unwrap();
        let shown = &request["lastReceipt"];
        let is_lost = self.claims_lost || (shown["storeId"] == json!(self.id) && !self.holds(shown));
        self.appends += 1;
        let mut results = Vec::new();
        for entry in request["entries"].as_array().unwrap() {
            let client_id = entry["clientId"].as_str().unwrap();
            results.push(self.record(client_id));
        }
        if self.answers_nothing {
            results.clear();
        }
        json!({
            "store": { "id": self.id, "tier": self.tier, "head": self.log.len() },
            "lineage": if is_lost { "lost" } else { "intact" },
            "erasures": { "through": 0, "clientIds": [] },
            "results": results,
        })
        .to_string()
    }

    fn holds(&self, receipt: &Value) -> bool {
        let position = usize::try_from(receipt["position"].as_u64().unwrap()).unwrap();
        let known = position.checked_sub(1).and_then(|at| self.log.get(at));
        known.is_some_and(|(_, append)| receipt["appendId"] == json!(format!("{append:016x}")))
    }

    fn record(&mut self, client_id: &str) -> Value {
        let mut verdict = self.next_verdict.take().unwrap_or_else(|| "created".to_owned());
        if !["created", "duplicate", "duplicate_email"].contains(&verdict.as_str()) {
            return json!({ "clientId": client_id, "version": 1, "status": verdict, "errors": [] });
        }
        let known = self.log.iter().position(|(known, _)| known == client_id);
        if known.is_some() && verdict == "created" {
            verdict = "duplicate".to_owned();
        }
        let at = known.unwrap_or_else(|| {
            self.log.push((client_id.to_owned(), self.appends));
            self.log.len() - 1
        });
        let mut result = json!({ "clientId": client_id, "version": 1, "status": verdict });
        if !self.gives_no_receipts {
            result["position"] = json!(at + 1);
            result["appendId"] = json!(format!("{:016x}", self.log[at].1));
        }
        result
    }
}
