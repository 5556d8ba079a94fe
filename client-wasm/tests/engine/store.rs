//! A store as the wire shows it: a log that keeps its promises (a verdict for what is recorded, gapless
//! positions, lineage, versions in order, erasures), and of a hub the relay to the cloud.

use std::collections::BTreeSet;

use domain::{ClientId, Receipt, StoreId, Tier};
use serde_json::{Value, json};
use uuid::Uuid;

/// Which version of which lead.
pub(crate) type Label = (String, u64);

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Event {
    Lead {
        label: Label,
        text: Value,
    },
    Refused {
        label: Label,
        text: Value,
        word: String,
    },
    Erased(String),
    /// Of a hub: what the cloud said.
    CloudWord(Value),
}

pub(crate) struct Store {
    pub(crate) id: Uuid,
    pub(crate) tier: Tier,
    pub(crate) log: Vec<(Event, u64)>,
    appends: u64,
    /// What was ever recorded as a lead here, lost history included.
    pub(crate) ever: BTreeSet<Label>,
    /// What was ever refused here.
    pub(crate) ever_refused: BTreeSet<Label>,
    /// The verdict for the next entry, in place of the true one.
    pub(crate) next_verdict: Option<String>,
    pub(crate) answers_nothing: bool,
    pub(crate) gives_no_receipts: bool,
    pub(crate) claims_lost: bool,
    /// Of a hub: how far it has relayed, and its newest receipt of the cloud.
    pub(crate) relayed_through: usize,
    pub(crate) cloud_receipt: Option<Receipt>,
}

impl Store {
    pub(crate) fn cloud(id: u128) -> Self {
        Self::new(id, Tier::Cloud)
    }

    pub(crate) fn hub(id: u128) -> Self {
        Self::new(id, Tier::Hub)
    }

    fn new(id: u128, tier: Tier) -> Self {
        Self {
            id: Uuid::from_u128(id),
            tier,
            log: Vec::new(),
            // Two stores never draw the same append id, nor does one that was restored.
            appends: u64::try_from(id).unwrap() << 32,
            ever: BTreeSet::new(),
            ever_refused: BTreeSet::new(),
            next_verdict: None,
            answers_nothing: false,
            gives_no_receipts: false,
            claims_lost: false,
            relayed_through: 0,
            cloud_receipt: None,
        }
    }

    pub(crate) fn store_id(&self) -> StoreId {
        StoreId::new(self.id)
    }

    /// How many versions of leads there are; each must be there once.
    pub(crate) fn leads(&self) -> usize {
        let mut labels: Vec<_> = self.log.iter().filter_map(|(event, _)| lead(event)).collect();
        labels.sort_unstable();
        let all = labels.len();
        labels.dedup();
        assert_eq!(labels.len(), all, "a lead is in the log twice");
        all
    }

    /// Whether this entry is here, as a lead or as refused.
    pub(crate) fn holds(&self, label: &Label) -> bool {
        self.log.iter().any(|(event, _)| label_of(event) == Some(label))
    }

    pub(crate) fn has_erased(&self, client_id: &str) -> bool {
        self.log.iter().any(|(event, _)| matches!(event, Event::Erased(erased) if erased == client_id))
    }

    /// Restores an old backup.
    pub(crate) fn forget_after(&mut self, position: usize) {
        if position < self.log.len() {
            self.log.truncate(position);
            // How far the relay was stands in the same backup; it may have been at the start.
            (self.relayed_through, self.cloud_receipt) = (0, None);
        }
    }

    pub(crate) fn erase(&mut self, client_id: &str) {
        if !self.has_erased(client_id) {
            self.appends += 1;
            self.log.push((Event::Erased(client_id.to_owned()), self.appends));
        }
    }

    pub(crate) fn receipt_at(&self, position: usize) -> Option<Receipt> {
        let (_, append) = self.log.get(position.checked_sub(1)?)?;
        let receipt = json!({ "storeId": self.id, "position": position, "appendId": hex(*append) });
        serde_json::from_value(receipt).ok()
    }

    /// Records what is in the request and answers it.
    pub(crate) fn answer(&mut self, body: &str) -> String {
        let request: Value = serde_json::from_str(body).unwrap();
        let shown = &request["lastReceipt"];
        let is_lost = self.claims_lost || (shown["storeId"] == json!(self.id) && !self.has_receipt(shown));
        self.appends += 1;
        let entries = request["entries"].as_array().unwrap();
        let mut results: Vec<Value> = entries.iter().map(|entry| self.record(entry)).collect();
        if self.answers_nothing {
            results.clear();
        }
        let after = |name: &str| usize::try_from(request[name].as_u64().unwrap()).unwrap();
        let mut answer = json!({
            "store": { "id": self.id, "tier": self.tier.as_str(), "head": self.log.len() },
            "lineage": if is_lost { "lost" } else { "intact" },
            "erasures": self.erasures(after("erasuresAfter")),
            "results": results,
        });
        if self.tier == Tier::Hub {
            answer["store"]["relayedThrough"] = json!(self.relayed_through);
            answer["store"]["cloudReceipt"] = json!(self.cloud_receipt);
            answer["cloudVerdicts"] = self.cloud_words(after("cloudVerdictsAfter"));
        }
        answer.to_string()
    }

    fn erasures(&self, after: usize) -> Value {
        let later = self.log.iter().skip(after).map(|(event, _)| event);
        let erased: Vec<_> =
            later.filter_map(|event| if let Event::Erased(id) = event { Some(id) } else { None }).collect();
        json!({ "through": self.log.len().max(after), "clientIds": erased })
    }

    fn cloud_words(&self, after: usize) -> Value {
        let later = self.log.iter().skip(after).map(|(event, _)| event);
        let words: Vec<_> = later
            .filter_map(|event| if let Event::CloudWord(word) = event { Some(word) } else { None })
            .collect();
        json!({ "through": self.log.len().max(after), "verdicts": words })
    }

    fn has_receipt(&self, receipt: &Value) -> bool {
        let position = usize::try_from(receipt["position"].as_u64().unwrap()).unwrap();
        let known = position.checked_sub(1).and_then(|at| self.log.get(at));
        known.is_some_and(|(_, append)| receipt["appendId"] == json!(hex(*append)))
    }

    fn record(&mut self, entry: &Value) -> Value {
        let client_id = entry["clientId"].as_str().unwrap().to_owned();
        let version = entry["version"].as_u64().unwrap();
        let (word, at) = self.judge(&(client_id.clone(), version), entry);
        let errors = match word.as_str() {
            "invalid" => json!([{ "field": "email", "code": "malformed" }]),
            _ => json!([]),
        };
        let mut result =
            json!({ "clientId": client_id, "version": version, "status": word, "errors": errors });
        if let Some(at) = at.filter(|_| !self.gives_no_receipts) {
            result["position"] = json!(at + 1);
            result["appendId"] = json!(hex(self.log[at].1));
        }
        result
    }

    fn judge(&mut self, label: &Label, text: &Value) -> (String, Option<usize>) {
        if self.has_erased(&label.0) {
            return ("erased".to_owned(), None);
        }
        let here = self.log.iter().position(|(event, _)| label_of(event) == Some(label));
        let forced = self.next_verdict.take();
        match (here.map(|at| &self.log[at].0), forced.as_deref()) {
            (
                _,
                Some(
                    word @ ("waiting" | "unsupported" | "quarantined" | "erased" | "new-word" | "postponed"),
                ),
            ) => {
                return (word.to_owned(), None);
            }
            (Some(Event::Refused { word, .. }), _) => return (word.clone(), here),
            (Some(Event::Lead { text: known, .. }), forced) if known == text => {
                let word = if forced == Some("duplicate_email") { "duplicate_email" } else { "duplicate" };
                return (word.to_owned(), here);
            }
            (Some(_), _) => return self.refuse(label, text, "conflict"),
            _ => {}
        }
        let before = (label.0.clone(), label.1 - 1);
        if label.1 > 1 && !self.holds(&before) {
            return ("waiting".to_owned(), None);
        }
        let bad_at = text["badAt"].as_str().unwrap_or_default();
        if let Some(word @ ("invalid" | "conflict")) = forced.as_deref() {
            return self.refuse(label, text, word);
        } else if bad_at == "all" || bad_at == self.tier.as_str() {
            return self.refuse(label, text, "invalid");
        }
        self.ever.insert(label.clone());
        self.log.push((Event::Lead { label: label.clone(), text: text.clone() }, self.appends));
        (forced.unwrap_or_else(|| "created".to_owned()), Some(self.log.len() - 1))
    }

    fn refuse(&mut self, label: &Label, text: &Value, word: &str) -> (String, Option<usize>) {
        self.ever_refused.insert(label.clone());
        let event = Event::Refused { label: label.clone(), text: text.clone(), word: word.to_owned() };
        self.log.push((event, self.appends));
        (word.to_owned(), Some(self.log.len() - 1))
    }

    /// Of a hub: sends at most so many events to the cloud, as the relay does.
    pub(crate) fn relay(&mut self, cloud: &mut Self, events: usize) {
        let shown = json!(self.cloud_receipt);
        if !shown.is_null() && (shown["storeId"] != json!(cloud.id) || !cloud.has_receipt(&shown)) {
            (self.relayed_through, self.cloud_receipt) = (0, None);
        }
        cloud.appends += 1;
        for client_id in cloud.log.clone().iter().filter_map(|(event, _)| erased(event)) {
            self.erase(client_id);
        }
        for _ in 0..events {
            let Some((event, _)) = self.log.get(self.relayed_through).cloned() else { return };
            let (text, was_refused) = match event {
                Event::Lead { text, .. } => (text, false),
                Event::Refused { text, .. } => (text, true),
                Event::Erased(_) | Event::CloudWord(_) => {
                    self.relayed_through += 1;
                    continue;
                }
            };
            let said = cloud.record(&text);
            let word = said["status"].as_str().unwrap();
            if word == "waiting" || word == "unsupported" {
                return;
            }
            if (word == "invalid" || word == "conflict") != was_refused && word != "erased" {
                self.appends += 1;
                let word = json!({
                    "storeId": cloud.id, "clientId": said["clientId"], "version": said["version"], "result": said,
                });
                self.log.push((Event::CloudWord(word), self.appends));
            }
            let receipt =
                said["position"].as_u64().and_then(|at| cloud.receipt_at(usize::try_from(at).unwrap()));
            if receipt.map(|new| new.position) > self.cloud_receipt.map(|known| known.position) {
                self.cloud_receipt = receipt;
            }
            self.relayed_through += 1;
        }
    }
}

pub(crate) fn label(client_id: ClientId, version: u32) -> Label {
    (client_id.to_string(), u64::from(version))
}

fn lead(event: &Event) -> Option<&Label> {
    if let Event::Lead { label, .. } = event { Some(label) } else { None }
}

fn erased(event: &Event) -> Option<&str> {
    if let Event::Erased(client_id) = event { Some(client_id) } else { None }
}

fn label_of(event: &Event) -> Option<&Label> {
    match event {
        Event::Lead { label, .. } | Event::Refused { label, .. } => Some(label),
        Event::Erased(_) | Event::CloudWord(_) => None,
    }
}

fn hex(append: u64) -> String {
    format!("{append:016x}")
}
