//! Erased people in a snapshot: finding them, and taking them out (DESIGN: erasure reaches every copy).
//!
//! Whatever names an erased lead is emptied, also a record that this program cannot read: what it does not know may
//! say who the person is. Everything else stays to the byte.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};

use crate::snapshot::without_mark;
use crate::{ClientId, DeviceId};

/// An object whose fields are kept to the byte.
type Fields<'a> = BTreeMap<String, Cow<'a, RawValue>>;

/// What an erasure leaves of a record beside its ids.
const NUMBERS: [&str; 5] = ["v", "key", "deviceSeq", "version", "savedAt"];

/// Every lead of which the document may hold personal data.
pub fn leads_named_in_snapshot(document: &str) -> BTreeSet<ClientId> {
    let Some(parts) = Parts::read(document) else { return BTreeSet::new() };
    parts.entries.iter().chain(&parts.forms).flat_map(|record| named(record)).collect()
}

/// The document without the personal data of these leads: of their entries the ids and numbers stay, with
/// `"removed":"erased"`; forms of theirs go. `None` when it is no snapshot.
pub fn snapshot_without(document: &str, erased: &BTreeSet<ClientId>) -> Option<String> {
    let Parts { mut document, mut records, entries, forms } = Parts::read(document)?;
    let is_erased = |record: &RawValue| named(record).iter().any(|lead| erased.contains(lead));
    let emptied: Option<Vec<Cow<'_, RawValue>>> =
        entries
            .into_iter()
            .map(|record| {
                if is_erased(record) { emptied(record).map(Cow::Owned) } else { Some(Cow::Borrowed(record)) }
            })
            .collect();
    let had_forms = !forms.is_empty();
    let forms: Vec<&RawValue> = forms.into_iter().filter(|form| !is_erased(form)).collect();
    records.insert("entries".to_owned(), Cow::Owned(to_raw_value(&emptied?).ok()?));
    document.insert("records".to_owned(), Cow::Owned(to_raw_value(&records).ok()?));
    if had_forms {
        document.insert("pendingForms".to_owned(), Cow::Owned(to_raw_value(&forms).ok()?));
    }
    serde_json::to_string(&document).ok()
}

/// A snapshot taken apart.
struct Parts<'a> {
    document: Fields<'a>,
    records: Fields<'a>,
    entries: Vec<&'a RawValue>,
    forms: Vec<&'a RawValue>,
}

impl<'a> Parts<'a> {
    fn read(document: &'a str) -> Option<Self> {
        let document = fields(without_mark(document))?;
        let records = fields(document.get("records")?.get_borrowed()?)?;
        let entries = list(records.get("entries"))?;
        let forms = list(document.get("pendingForms"))?;
        Some(Self { document, records, entries, forms })
    }
}

/// A borrowed value, for as long as the document lives.
trait Borrowed<'a> {
    fn get_borrowed(&self) -> Option<&'a str>;
}

impl<'a> Borrowed<'a> for Cow<'a, RawValue> {
    fn get_borrowed(&self) -> Option<&'a str> {
        match self {
            Cow::Borrowed(value) => Some(value.get()),
            Cow::Owned(_) => None,
        }
    }
}

fn fields(json: &str) -> Option<Fields<'_>> {
    let fields: BTreeMap<String, &RawValue> = serde_json::from_str(json).ok()?;
    Some(fields.into_iter().map(|(name, value)| (name, Cow::Borrowed(value))).collect())
}

fn list<'a>(value: Option<&Cow<'a, RawValue>>) -> Option<Vec<&'a RawValue>> {
    let Some(value) = value else { return Some(Vec::new()) };
    let list: Option<Vec<&'a RawValue>> = serde_json::from_str(value.get_borrowed()?).ok()?;
    Some(list.unwrap_or_default())
}

/// The leads that a record names, itself or in its entry; none when its personal data is gone already.
fn named(record: &RawValue) -> Vec<ClientId> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Entry {
        client_id: Value,
    }
    let it: Value = serde_json::from_str(record.get()).unwrap_or_default();
    if it["removed"] == "erased" && it["entry"] == "" {
        return Vec::new();
    }
    let inner = it["entry"].as_str().and_then(|entry| serde_json::from_str::<Entry>(entry).ok());
    let ids = [Some(it["clientId"].clone()), inner.map(|entry| entry.client_id)];
    ids.into_iter().flatten().filter_map(|id| id.as_str()?.parse().ok()).collect()
}

/// What stays of a record: what it is a record of.
fn emptied(record: &RawValue) -> Option<Box<RawValue>> {
    let it: Value = serde_json::from_str(record.get()).ok()?;
    let mut left = serde_json::Map::new();
    for name in NUMBERS {
        if it[name].is_number() {
            left.insert(name.to_owned(), it[name].clone());
        }
    }
    let is_id = |text: &str| text.parse::<ClientId>().is_ok() || text.parse::<DeviceId>().is_ok();
    for name in ["deviceId", "clientId"] {
        if it[name].as_str().is_some_and(is_id) {
            left.insert(name.to_owned(), it[name].clone());
        }
    }
    left.insert("entry".to_owned(), "".into());
    left.insert("removed".to_owned(), "erased".into());
    to_raw_value(&left).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Snapshot;

    const ANNA: &str = "0197f3c2-5c1e-7c3a-9d64-000000000001";
    const EWA: &str = "0197f3c2-5c1e-7c3a-9d64-000000000002";

    fn record(lead: &str, rest: &str) -> String {
        format!(
            r#"{{"v":1, "key":1,"deviceId":"ipad-1","deviceSeq":1,"clientId":"{lead}","version":1,"savedAt":1,{rest}}}"#
        )
    }

    fn document(entries: &[String], forms: &[&str]) -> String {
        format!(
            r#"{{"format":"leadlog-snapshot","v":1,"deviceId":"ipad-1","records":{{"entries":[{}],"marks":[{{"key" : 1}}]}},"pendingForms":[{}],"later":1.50}}"#,
            entries.join(","),
            forms.join(",")
        )
    }

    #[test]
    fn an_erasure_reaches_everything_that_names_the_lead_and_nothing_else() {
        let ewa = record(EWA, r#""entry":"{\"firstName\" : \"Ewa\"}""#);
        let entries = [
            record(ANNA, r#""entry":"{\"firstName\":\"Anna\"}","note":"Anna""#),
            ewa.clone(),
            // Of a later app, and one whose entry alone names the lead, in another spelling.
            record(ANNA, r#""form":{"firstName":"Anna"}"#).replace("\"v\":1", "\"v\":2"),
            format!(r#"{{"entry":"{{\"clientId\":\"{}\",\"firstName\":\"Anna\"}}"}}"#, ANNA.to_uppercase()),
        ];
        let forms =
            [format!(r#"{{"clientId":"{ANNA}","form":"Anna"}}"#), format!(r#"{{"clientId":"{EWA}"}}"#)];
        let document = document(&entries, &[&forms[0], &forms[1]]);
        let leads = BTreeSet::from([ANNA.parse().unwrap(), EWA.parse().unwrap()]);
        assert_eq!(leads_named_in_snapshot(&document), leads);

        let erased = BTreeSet::from([ANNA.parse().unwrap()]);
        let left = snapshot_without(&document, &erased).unwrap();
        assert!(!left.contains("Anna"), "{left}");
        assert!(
            left.contains(&ewa) && left.contains("\"later\":1.50") && left.contains("{\"key\" : 1}"),
            "{left}"
        );
        assert!(left.contains(&forms[1]), "{left}");
        assert_eq!(leads_named_in_snapshot(&left), BTreeSet::from([EWA.parse().unwrap()]));
        let snapshot = Snapshot::read(&left).unwrap();
        assert_eq!((snapshot.entries.len(), snapshot.leads().len(), snapshot.forms), (2, 1, 1));
        assert_eq!(snapshot_without(&left, &erased).as_ref(), Some(&left), "again changes nothing");
    }

    #[test]
    fn what_is_no_snapshot_is_not_touched() {
        for other in ["", "7", "{}", r#"{"records":7}"#, r#"{"records":{"entries":{}}}"#] {
            assert_eq!(snapshot_without(other, &BTreeSet::new()), None, "{other}");
        }
    }
}
