//! A store with its intake, and what tests send to it.

use domain::{EmbeddedCampaigns, EntryResult, SyncRequest, SyncResponse, Tier, Verdict};
use event_store::conformance::{Memory, Postgres, Subject, whole};
use event_store::{EventLog, RecordedEvent};
use intake::{Arrival, Direct, IntakeError, Queue, Recorder, RelayProgress, StoreIdentity};
use serde_json::{Value, json};

/// A log and a way into it.
pub(crate) trait World {
    type Subject: Subject;
    type Recorder: Recorder + Clone + 'static;

    fn recorder(log: <Self::Subject as Subject>::Log) -> Self::Recorder;
}

macro_rules! world {
    ($name:ident, $subject:ident, $recorder:ty, $start:expr) => {
        pub(crate) struct $name;

        impl World for $name {
            type Subject = $subject;
            type Recorder = $recorder;

            fn recorder(log: <$subject as Subject>::Log) -> Self::Recorder {
                $start(log)
            }
        }
    };
}

world!(MemoryDirect, Memory, Direct<event_store::MemoryLog>, Direct);
world!(PostgresDirect, Postgres, Direct<event_store::PostgresLog>, Direct);
world!(MemoryQueue, Memory, Queue, |log| Queue::start(log, 0, || ()));
world!(PostgresQueue, Postgres, Queue, |log| Queue::start(log, 0, || ()));

/// A store under test.
pub(crate) struct Store<W: World> {
    pub(crate) subject: W::Subject,
    pub(crate) recorder: W::Recorder,
    pub(crate) identity: StoreIdentity,
    pub(crate) relay: RelayProgress,
}

impl<W: World> Store<W> {
    pub(crate) async fn cloud() -> Self {
        let subject = W::Subject::fresh().await;
        let id = subject.log().head().await.unwrap().store_id;
        let recorder = W::recorder(subject.log().clone());
        let identity = StoreIdentity { id, tier: Tier::Cloud };
        Self { subject, recorder, identity, relay: RelayProgress::default() }
    }

    pub(crate) async fn hub() -> Self {
        let mut store = Self::cloud().await;
        store.identity.tier = Tier::Hub;
        store
    }

    /// Another process of the same store: its own connection, its own queue.
    pub(crate) fn another_process(&self) -> W::Recorder {
        W::recorder(self.subject.another_writer())
    }

    pub(crate) async fn try_ask(&self, request: &Value) -> Result<SyncResponse, IntakeError> {
        self.ask_through(&self.recorder, request).await
    }

    pub(crate) async fn ask_through(
        &self,
        recorder: &W::Recorder,
        request: &Value,
    ) -> Result<SyncResponse, IntakeError> {
        self.ask_as(recorder, request, false).await
    }

    async fn ask_as(
        &self,
        recorder: &W::Recorder,
        request: &Value,
        is_quarantined: bool,
    ) -> Result<SyncResponse, IntakeError> {
        let body = request.to_string();
        let request: SyncRequest<'_> = serde_json::from_str(&body).unwrap();
        let arrival = Arrival { at: "2026-05-23T12:04:00Z".parse().unwrap(), is_quarantined };
        let log = self.subject.log();
        intake::answer(log, recorder, &EmbeddedCampaigns, self.identity, &self.relay, arrival, &request).await
    }

    /// What a device is told that was shut out.
    pub(crate) async fn hand_in(&self, entries: &[Value]) -> Vec<EntryResult> {
        let request = json!({ "sender": "ipad-7", "entries": entries });
        self.ask_as(&self.recorder, &request, true).await.unwrap().results
    }

    pub(crate) async fn ask(&self, request: Value) -> SyncResponse {
        self.try_ask(&request).await.unwrap()
    }

    pub(crate) async fn sync(&self, entries: &[Value]) -> Vec<EntryResult> {
        self.ask(json!({ "entries": entries })).await.results
    }

    pub(crate) async fn verdicts(&self, entries: &[Value]) -> Vec<Verdict> {
        self.sync(entries).await.iter().map(|result| result.status).collect()
    }

    /// All events, after a look whether positions are gapless.
    pub(crate) async fn events(&self) -> Vec<RecordedEvent> {
        whole(self.subject.log()).await
    }

    pub(crate) async fn count(&self, event_type: &str) -> usize {
        self.events().await.iter().filter(|event| event.event_type == event_type).count()
    }
}

/// A version of a lead that nothing is wrong with.
pub(crate) fn version(number: u64, version: u64) -> Value {
    json!({
        "kind": if version == 1 { "captured" } else { "corrected" },
        "clientId": lead_id(number), "version": version,
        "deviceId": "ipad-7", "deviceSeq": number * 10 + version,
        "campaignId": "shootout-2026", "campaignVersion": 1, "capturedAt": "2026-05-23T14:03:11.120+02:00",
        "contact": { "firstName": "Anna", "lastName": "Żółć", "email": format!("anna{number}@example.com") },
        "consents": [{ "id": "terms", "textVersion": 1, "language": "pl", "grantedAt": "2026-05-23T14:03:10+02:00" }]
    })
}

pub(crate) fn with(mut entry: Value, change: impl FnOnce(&mut Value)) -> Value {
    change(&mut entry);
    entry
}

/// A version that breaks a rule.
pub(crate) fn invalid(number: u64, n: u64) -> Value {
    with(version(number, n), |entry| entry["consents"] = json!([]))
}

/// The same version with other bytes.
pub(crate) fn other_bytes(number: u64, n: u64) -> Value {
    with(version(number, n), |entry| entry["contact"]["firstName"] = "Ala".into())
}

pub(crate) fn lead_id(number: u64) -> String {
    format!("0197f3c2-5c1e-7c3a-9d64-{number:012}")
}
