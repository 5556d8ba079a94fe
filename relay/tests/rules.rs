//! The relay through its only door: facts in, wishes out. Beside it a hub's log and a cloud, as the wire shows it.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

use domain::{
    AppendId, ClientId, DEVICE_REPORT_STREAM, Digest, LEAD_STREAM, Refusal, RefusalReason, SUBMISSION_STREAM,
    SubmissionEvent,
};
use event_store::RecordedEvent;
use relay::state::RelayState;
use relay::{FLIGHT_LEASE_MS, HELD_RETRY_MS, Input, Lesson, Output, RELAY_EVERY_MS, Relay};
use serde_json::{Value, json};
use uuid::Uuid;

const CLOUD: u128 = 1;

fn client_id(number: u64) -> ClientId {
    ClientId::new(Uuid::from_u128(u128::from(number)))
}

fn event(position: u64, aggregate_type: &str, id: String, payload: String) -> RecordedEvent {
    RecordedEvent {
        position,
        append_id: AppendId::from_bits(1),
        recorded_at: time::OffsetDateTime::UNIX_EPOCH,
        aggregate_type: aggregate_type.to_owned(),
        aggregate_id: id,
        sequence: 1,
        event_type: event_type(aggregate_type).to_owned(),
        event_version: "1".to_owned(),
        payload,
        metadata: "{}".to_owned(),
    }
}

fn event_type(aggregate_type: &str) -> &'static str {
    match aggregate_type {
        LEAD_STREAM => "LeadCaptured",
        SUBMISSION_STREAM => "SubmissionRefused",
        DEVICE_REPORT_STREAM => "DeviceReported",
        _ => "LeadErased",
    }
}

/// A lead that the hub has recorded; its number is its position.
fn lead(position: u64) -> RecordedEvent {
    let id = client_id(position);
    let payload = format!(r#"{{"kind":"captured","clientId":"{id}","version":1}}"#);
    event(position, LEAD_STREAM, id.to_string(), payload)
}

struct Hub {
    relay: Relay,
    now_ms: u64,
    log: Vec<RecordedEvent>,
    sent: Option<(u64, Value)>,
    lessons: Vec<Lesson>,
    wake_at_ms: Option<u64>,
}

impl Hub {
    fn with(log: Vec<RecordedEvent>) -> Self {
        let relay = Relay::new(RelayState::default(), 7);
        let mut hub = Self { relay, now_ms: 0, log, sent: None, lessons: Vec::new(), wake_at_ms: None };
        hub.tell(Input::Tick);
        hub
    }

    fn tell(&mut self, input: Input) {
        self.relay.handle(self.now_ms, input);
        while let Some(output) = self.relay.poll() {
            match output {
                Output::Read { held, after, limit } => {
                    let at = |position: &u64| self.log[usize::try_from(*position).unwrap() - 1].clone();
                    let held = held.iter().map(at).collect();
                    let page = self.log.iter().filter(|event| event.position > after);
                    let page = page.take(limit.try_into().unwrap()).cloned().collect();
                    self.tell(Input::Read { held, page });
                }
                Output::Send { request_id, body, .. } => {
                    assert!(self.sent.is_none(), "a second request while one is under way");
                    self.sent = Some((request_id, serde_json::from_str(&body).unwrap()));
                }
                Output::Keep(lesson) => self.lessons.push(*lesson),
                Output::WakeAt(at_ms) => self.wake_at_ms = Some(at_ms),
            }
        }
    }

    fn wait(&mut self, wait_ms: u64) {
        self.now_ms += wait_ms;
        self.tell(Input::Tick);
    }

    fn sent_ids(&self) -> Vec<String> {
        let (_, body) = self.sent.as_ref().expect("a request under way");
        let entries = body["entries"].as_array().unwrap();
        entries.iter().map(|entry| entry["clientId"].as_str().unwrap_or("?").to_owned()).collect()
    }

    /// The cloud answers with these words, in order of the request. Positions are those of the hub, plus 100.
    fn answer(&mut self, words: &[&str], change: impl FnOnce(&mut Value)) {
        let (request_id, body) = self.sent.take().expect("a request under way");
        let entries = body["entries"].as_array().unwrap();
        assert_eq!(entries.len(), words.len(), "{entries:?}");
        let result = |(entry, word): (&Value, &&str)| {
            let id: Uuid = entry["clientId"].as_str().unwrap().parse().unwrap();
            let mut result = json!({ "clientId": id, "version": 1, "status": word });
            if !["waiting", "erased", "later"].contains(word) {
                result["position"] = json!(u64::try_from(id.as_u128()).unwrap() + 100);
                result["appendId"] = json!("00000000000000aa");
            }
            result
        };
        let mut answer = json!({
            "store": { "id": Uuid::from_u128(CLOUD), "tier": "cloud", "head": 500 },
            "lineage": "intact",
            "erasures": { "through": 0, "clientIds": [] },
            "results": entries.iter().zip(words).map(result).collect::<Vec<_>>(),
        });
        change(&mut answer);
        self.tell(Input::Response {
            request_id,
            code: 200,
            content_type: "application/json".to_owned(),
            body: answer.to_string(),
            retry_after: None,
        });
    }

    fn answered(&mut self, words: &[&str]) -> Lesson {
        self.answer(words, |_| {});
        let lesson = self.lessons.pop().expect("a lesson");
        self.tell(Input::Kept);
        lesson
    }

    fn watermark(&self) -> u64 {
        self.relay.state().relayed_through()
    }
}

#[test]
fn the_watermark_moves_when_the_lesson_is_kept_and_not_before() {
    let mut hub = Hub::with(vec![lead(1), lead(2)]);
    hub.answer(&["created", "duplicate"], |_| {});
    assert_eq!(hub.watermark(), 0, "a crash now must cost a resend only");
    hub.tell(Input::KeepFailed);
    assert_eq!(hub.watermark(), 0);
    hub.wait(relay::STORE_RETRY_MS);
    let lesson = hub.answered(&["duplicate", "duplicate"]);
    assert_eq!((hub.watermark(), lesson.verdicts.len()), (2, 0));
    assert_eq!(hub.relay.state().receipt.map(|receipt| receipt.position), Some(102));
}

/// Invariant 9: in the cloud, an entry that a hub brought is not its device's voice. What the hub heard from the device
/// itself travels beside it, and what others say of it never becomes its voice.
#[test]
fn the_cloud_is_told_whom_the_hub_has_heard_and_when() {
    let of = |position: u64, device: &str, sender: Option<&str>| {
        let mut lead = lead(position);
        let mut entry: Value = serde_json::from_str(&lead.payload).unwrap();
        entry["deviceId"] = device.into();
        entry["deviceSeq"] = (position * 10).into();
        lead.payload = entry.to_string();
        lead.recorded_at += time::Duration::minutes(position.cast_signed());
        lead.metadata = json!({ "sender": sender }).to_string();
        lead
    };
    let hearsay = json!({
        "kind": "reported", "deviceId": "ipad-7", "savedThrough": 30, "heardAt": "1970-01-01T00:00:00Z"
    });
    let hub = Hub::with(vec![
        of(1, "ipad-7", None),
        of(2, "ipad-7", None),
        of(3, "ipad-7", Some("ipad-9")),
        of(4, "ipad-8", Some("")),
        event(5, DEVICE_REPORT_STREAM, "ipad-7/hearsay".to_owned(), hearsay.to_string()),
    ]);
    let (_, request) = hub.sent.as_ref().unwrap();
    let heard = json!([
        { "deviceId": "ipad-7", "savedThrough": 20, "heardAt": "1970-01-01T00:02:00Z" },
        { "deviceId": "ipad-7", "savedThrough": 30, "heardAt": "1970-01-01T00:00:00Z" },
    ]);
    assert_eq!((request.get("sender"), &request["reports"]), (None, &heard));

    // A cloud that was restored from an older copy lacks it, and no receipt tells.
    let mut hub = hub;
    hub.answered(&["created"; 4]);
    hub.wait(RELAY_EVERY_MS);
    let (_, request) = hub.sent.as_ref().unwrap();
    assert_eq!((&request["entries"], &request["reports"]), (&json!([]), &heard));
}

/// Invariant 5 rests on it: "relayed" must never be taken for "accepted".
#[test]
fn what_the_cloud_refuses_is_told_together_with_the_watermark_that_passes_it() {
    let mut hub = Hub::with(vec![lead(1), lead(2), lead(3)]);
    let lesson = hub.answered(&["created", "invalid", "created"]);
    assert_eq!(hub.watermark(), 3);
    let told: Vec<_> = lesson.verdicts.iter().map(|verdict| (verdict.client_id, verdict.version)).collect();
    assert_eq!(told, [(client_id(2), 1)]);
    assert!(relay::verdict_event(&lesson.verdicts[0]).is_some());
}

#[test]
fn an_entry_without_a_last_word_holds_the_watermark_but_not_the_entries_behind_it() {
    for word in ["waiting", "later"] {
        let mut hub = Hub::with(vec![lead(1), lead(2), lead(3)]);
        hub.answered(&["created", word, "created"]);
        assert_eq!((hub.watermark(), hub.relay.state().cursor), (1, 3), "{word}");
        hub.log.push(lead(4));
        hub.tell(Input::Tick);
        assert_eq!(hub.sent_ids(), [client_id(4).to_string()]);
        hub.answered(&["created"]);
        hub.wait(HELD_RETRY_MS);
        assert_eq!(hub.sent_ids(), [client_id(2).to_string()]);
        hub.answered(&["created"]);
        assert_eq!(hub.watermark(), 4);
    }
}

#[test]
fn what_the_cloud_does_not_understand_yet_is_told_and_tried_again_until_it_does() {
    let mut hub = Hub::with(vec![lead(1), lead(2)]);
    let lesson = hub.answered(&["unsupported", "created"]);
    assert_eq!((hub.watermark(), lesson.verdicts.len()), (2, 1));
    hub.wait(HELD_RETRY_MS);
    let lesson = hub.answered(&["created"]);
    assert_eq!(
        lesson.verdicts[0].result.status,
        domain::Verdict::Created,
        "devices hear that it is there now"
    );
    assert_eq!(hub.relay.state().held, []);
}

/// Many that the cloud cannot take yet must not starve one that it could.
#[test]
fn held_entries_take_turns() {
    let count = relay::MAX_HELD_PER_REQUEST as u64 + 5;
    let mut hub = Hub::with((1..=count).map(lead).collect());
    hub.answered(&vec!["unsupported"; usize::try_from(count).unwrap()]);
    let mut offered = std::collections::BTreeSet::new();
    for _ in 0..2 {
        hub.wait(HELD_RETRY_MS);
        let ids = hub.sent_ids();
        hub.answered(&vec!["unsupported"; ids.len()]);
        offered.extend(ids);
    }
    assert_eq!(offered.len(), usize::try_from(count).unwrap());
}

/// One that never gets through, and makes requests small, must not keep its place before the others.
#[test]
fn held_entries_take_turns_one_by_one() {
    let mut hub = Hub::with((1..=3).map(lead).collect());
    hub.answered(&["waiting"; 3]);
    let too_large = |hub: &mut Hub| {
        let (request_id, _) = hub.sent.take().expect("a request under way");
        let (content_type, body) = (String::new(), String::new());
        hub.tell(Input::Response { request_id, code: 413, content_type, body, retry_after: None });
    };
    let mut offered = std::collections::BTreeSet::new();
    for _ in 0..8 {
        // Longer than any backoff, too.
        hub.wait(4 * HELD_RETRY_MS);
        offered.extend(hub.sent_ids().first().cloned());
        too_large(&mut hub);
    }
    assert_eq!(offered.len(), 3, "each comes first at some time");
}

/// What an erasure emptied has nothing left to relay, and must not hold the watermark.
#[test]
fn a_held_entry_that_an_erasure_emptied_is_released() {
    let mut hub = Hub::with(vec![lead(1)]);
    hub.answered(&["waiting"]);
    assert_eq!(hub.watermark(), 0);
    hub.log[0].payload = String::new();
    hub.wait(HELD_RETRY_MS);
    hub.answer(&[], |_| {});
    hub.tell(Input::Kept);
    assert_eq!(hub.watermark(), 1);
}

/// Invariant 5.
#[test]
fn a_cloud_that_lost_history_or_is_another_one_gets_everything_again() {
    let changes: [fn(&mut Value); 2] = [
        |answer| answer["lineage"] = "lost".into(),
        |answer| answer["store"]["id"] = json!(Uuid::from_u128(2)),
    ];
    for change in changes {
        let mut hub = Hub::with(vec![lead(1), lead(2)]);
        hub.answered(&["created", "created"]);
        hub.log.push(lead(3));
        hub.tell(Input::Tick);
        assert_eq!(hub.sent.as_ref().unwrap().1["lastReceipt"]["position"], 102);
        hub.answer(&["created"], change);
        hub.tell(Input::Kept);
        assert_eq!(hub.watermark(), 0);
        if hub.sent.is_none() {
            hub.wait(RELAY_EVERY_MS);
        }
        assert_eq!(hub.sent_ids().len(), 3, "from the beginning");
        assert!(hub.sent.as_ref().unwrap().1.get("lastReceipt").is_none());
    }
}

#[test]
fn only_a_cloud_is_believed_and_nothing_that_fails_moves_the_cursor() {
    let mut hub = Hub::with(vec![lead(1)]);
    hub.answer(&["created"], |answer| answer["store"]["tier"] = "hub".into());
    assert!(hub.lessons.is_empty());
    for code in [401, 413, 429, 500, 503] {
        hub.now_ms = hub.wake_at_ms.unwrap();
        hub.tell(Input::Tick);
        let (request_id, _) = hub.sent.take().expect("tried again");
        let (content_type, body) = (String::new(), String::new());
        hub.tell(Input::Response { request_id, code, content_type, body, retry_after: None });
        if code == 413 || code == 500 {
            // It cannot be made smaller: it is set aside, and what stands behind it goes on.
            assert_eq!(hub.lessons.pop().unwrap().state.relayed_through(), 0);
            hub.tell(Input::KeepFailed);
        }
    }
    hub.now_ms = hub.wake_at_ms.unwrap();
    hub.tell(Input::Tick);
    assert!(hub.sent.take().is_some());
    hub.wait(FLIGHT_LEASE_MS);
    hub.now_ms = hub.wake_at_ms.unwrap();
    hub.tell(Input::Tick);
    hub.answered(&["created"]);
    assert_eq!(hub.watermark(), 1);
}

#[test]
fn erasures_come_down_and_an_erased_lead_is_settled() {
    let mut hub = Hub::with(vec![lead(1)]);
    let append_id = AppendId::from_bits(77);
    hub.answer(&["erased"], |answer| {
        answer["erasures"] = json!({ "through": 7, "appendId": append_id, "clientIds": [client_id(9)] });
    });
    let lesson = hub.lessons.pop().unwrap();
    hub.tell(Input::Kept);
    assert!(lesson.erased.contains(&client_id(1)) && lesson.erased.contains(&client_id(9)));
    assert_eq!((hub.watermark(), hub.relay.state().erasures_after), (1, 7));
    // At once: there may be more. What stands at 7 proves the cursor, so that a cloud which loses it is caught at it.
    let (_, request) = hub.sent.as_ref().expect("asked for more at once");
    assert_eq!((&request["erasuresAfter"], &request["lastReceipt"]["position"]), (&json!(7), &json!(7)));
    assert_eq!(request["lastReceipt"]["appendId"], json!(append_id));
    // What nothing proves is passed on, and asked for again with the next request.
    hub.answer(&[], |answer| answer["erasures"] = json!({ "through": 9, "clientIds": [client_id(8)] }));
    assert_eq!(hub.lessons.pop().unwrap().erased, [client_id(8)]);
    hub.tell(Input::Kept);
    assert_eq!((hub.relay.state().erasures_after, hub.sent.is_none()), (7, true));
    hub.wait(RELAY_EVERY_MS);
    hub.answer(&[], |answer| answer["lineage"] = "lost".into());
    hub.tell(Input::Kept);
    assert_eq!(hub.relay.state().erasures_after, 0);
}

/// What only the hub needs, here what it heard of the cloud, must not slow down what travels.
#[test]
fn what_does_not_travel_is_passed_at_once() {
    let count = u64::from(relay::MAX_EVENTS_PER_READ) + 10;
    let own = |position| event(position, "cloud_verdict", position.to_string(), "{}".to_owned());
    let log = (1..=count).map(own).chain([lead(count + 1)]).collect();
    let mut hub = Hub::with(log);
    while let Some(lesson) = hub.lessons.pop() {
        assert!(lesson.state.cursor > 0);
        hub.tell(Input::Kept);
    }
    assert_eq!(hub.sent_ids(), [client_id(count + 1).to_string()]);
}

#[test]
fn without_anything_to_relay_it_still_asks_now_and_then() {
    let mut hub = Hub::with(Vec::new());
    hub.answer(&[], |_| {});
    hub.tell(Input::Kept);
    while hub.sent.is_some() {
        hub.answer(&[], |_| {});
        hub.tell(Input::Kept);
    }
    hub.tell(Input::Tick);
    assert!(hub.sent.is_none(), "not all the time");
    hub.wait(RELAY_EVERY_MS);
    assert!(hub.sent.is_some());
}

#[test]
fn what_the_hub_refused_travels_as_it_came_and_a_conflict_is_told_to_nobody() {
    let refused = |position, reason| {
        let raw = lead(position).payload;
        let id = Digest::of(&raw).to_string();
        let refusal = Refusal {
            client_id: Some(client_id(position).to_string()),
            version: Some(1),
            device_id: None,
            device_seq: None,
            reason,
            errors: Vec::new(),
            raw,
        };
        let payload = serde_json::to_string(&SubmissionEvent::Refused(refusal)).unwrap();
        event(position, SUBMISSION_STREAM, id, payload)
    };
    let mut hub =
        Hub::with(vec![refused(1, RefusalReason::Conflict), refused(2, RefusalReason::Unsupported)]);
    assert_eq!(hub.sent_ids(), [client_id(1).to_string(), client_id(2).to_string()]);
    let lesson = hub.answered(&["conflict", "created"]);
    let told: Vec<_> = lesson.verdicts.iter().map(|verdict| verdict.client_id).collect();
    assert_eq!(told, [client_id(2)], "the cloud took what the hub could not");
    assert_eq!(hub.watermark(), 2);
}
