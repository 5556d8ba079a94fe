//! Records as JSON, as they stand on the disk and in what one tab tells the others.
//!
//! The records derive serde's reading and writing too, for tools; a device reads and writes with what is
//! here, which is a fraction of the size. The tests compare the two.

use domain::{DeviceReport, ErrorCode, FieldError, Receipt, Verdict};

use super::record::{Answer, EntryRecord, KnownStore, Mark, RECORD_VERSION, Records, Removed, Stores};
use crate::json::{Fields, Object, Raw, text, writer};

/// An entry. Not one of a later version of the app: whoever reads it may write it back, and lose what is new in it.
pub fn entry_record(json: &str) -> Option<EntryRecord> {
    let it = Object::read(json)?;
    let removed = match it.raw("removed") {
        Some(_) => Some(it.word("removed")?),
        None => None,
    };
    Some(EntryRecord {
        v: it.small("v").filter(|v| *v == RECORD_VERSION)?,
        key: it.number("key")?,
        device_id: it.parsed("deviceId")?,
        device_seq: it.number("deviceSeq")?,
        client_id: it.parsed("clientId")?,
        version: it.small("version")?,
        saved_at: it.raw("savedAt")?.text().parse().ok()?,
        entry: it.text("entry")?,
        removed,
    })
}

/// What stores have said about an entry.
pub fn mark(json: &str) -> Option<Mark> {
    let it = Object::read(json)?;
    Some(Mark { v: it.small("v")?, key: it.number("key")?, answers: it.list("answers", answer)? })
}

fn answer(json: Raw<'_>) -> Option<Answer> {
    let it = Object::read(json.text())?;
    Some(Answer {
        store_id: it.parsed("storeId")?,
        tier: it.word("tier")?,
        verdict: it.word::<Verdict>("verdict")?,
        position: it.number("position"),
        append_id: it.parsed("appendId"),
        relayed_by: it.parsed("relayedBy"),
        history: it.small("history").unwrap_or(0),
        errors: it.list("errors", field_error)?,
    })
}

/// What is wrong with a field.
pub fn field_error(json: Raw<'_>) -> Option<FieldError> {
    let it = Object::read(json.text())?;
    Some(FieldError {
        field: it.text("field")?,
        code: it.word::<ErrorCode>("code")?,
        detail: it.text("detail"),
    })
}

/// Proof that a store has recorded something.
pub fn receipt(it: &Object<'_>) -> Option<Receipt> {
    let (store_id, position, append_id) =
        (it.parsed("storeId")?, it.number("position")?, it.parsed("appendId")?);
    Some(Receipt { store_id, position, append_id })
}

/// What is known about stores.
pub fn stores(json: &str) -> Option<Stores> {
    let it = Object::read(json)?;
    Some(Stores {
        v: it.small("v")?,
        cloud: it.parsed("cloud"),
        answering: it.list("answering", |store| Some(text(store).and_then(|id| id.parse().ok())))?,
        known: it.list("known", known_store)?,
        closed_campaigns: it.list("closedCampaigns", |campaign| text(campaign)?.parse().ok())?,
    })
}

fn known_store(json: Raw<'_>) -> Option<KnownStore> {
    let it = Object::read(json.text())?;
    Some(KnownStore {
        history: it.small("history").unwrap_or(0),
        newest: it.object("newest").and_then(|it| receipt(&it)),
        relayed_through: it.number("relayedThrough"),
        cloud_receipt: it.object("cloudReceipt").and_then(|it| receipt(&it)),
        is_distrusted: it.is_true("isDistrusted"),
        vouches_after: it.number("vouchesAfter").unwrap_or(0),
        erasures_after: it.number("erasuresAfter").unwrap_or(0),
        cloud_verdicts_after: it.number("cloudVerdictsAfter").unwrap_or(0),
        ..KnownStore::new(it.parsed("storeId")?, it.word("tier")?)
    })
}

/// Records, as one tab tells the others.
pub fn records(it: &Object<'_>) -> Option<Records> {
    Some(Records {
        entries: it.list("entries", |json| entry_record(json.text()))?,
        marks: it.list("marks", |json| mark(json.text()))?,
        stores: match it.raw("stores") {
            Some(json) => Some(stores(json.text())?),
            None => None,
        },
        unreadable: 0,
    })
}

/// Records, as one tab tells the others.
pub fn write_records(records: &Records) -> String {
    let mut it = Fields::new();
    it.list("entries", &records.entries, write_entry);
    it.list("marks", &records.marks, write_mark);
    it.raw_if("stores", records.stores.as_ref().map(write_stores));
    it.end()
}

/// An entry.
pub fn write_entry(record: &EntryRecord) -> String {
    let mut it = Fields::new();
    it.number("v", record.v.into());
    it.number("key", record.key);
    it.text("deviceId", record.device_id.as_str());
    it.number("deviceSeq", record.device_seq);
    it.text("clientId", &record.client_id.to_string());
    it.number("version", record.version.into());
    it.raw("savedAt", &record.saved_at.to_string());
    it.text("entry", &record.entry);
    match record.removed {
        Some(Removed::Erased) => it.text("removed", "erased"),
        Some(Removed::Retention) => it.text("removed", "retention"),
        None => {}
    }
    it.end()
}

/// What stores have said about an entry.
pub fn write_mark(mark: &Mark) -> String {
    let mut it = Fields::new();
    it.number("v", mark.v.into());
    it.number("key", mark.key);
    it.list("answers", &mark.answers, write_answer);
    it.end()
}

fn write_answer(answer: &Answer) -> String {
    let mut it = Fields::new();
    it.text("storeId", &answer.store_id.to_string());
    it.text("tier", answer.tier.as_str());
    it.text("verdict", answer.verdict.as_str());
    it.number_if("position", answer.position);
    it.raw_if("appendId", answer.append_id.map(|id| quoted(&id)));
    it.raw_if("relayedBy", answer.relayed_by.map(|id| quoted(&id)));
    it.number("history", answer.history.into());
    it.list("errors", &answer.errors, write_field_error);
    it.end()
}

/// What is wrong with a field.
pub fn write_field_error(error: &FieldError) -> String {
    let mut it = Fields::new();
    it.text("field", &error.field);
    it.text("code", error.code.as_str());
    it.raw_if("detail", error.detail.as_deref().map(writer::text));
    it.end()
}

/// How far an installation has got.
pub fn write_report(report: &DeviceReport) -> String {
    let mut it = Fields::new();
    it.text("deviceId", report.device_id.as_str());
    it.number("savedThrough", report.saved_through);
    it.text("heardAt", &report.heard_at.to_string());
    it.end()
}

/// Proof that a store has recorded something.
pub fn write_receipt(receipt: &Receipt) -> String {
    let mut it = Fields::new();
    it.raw("storeId", &quoted(&receipt.store_id));
    it.number("position", receipt.position);
    it.raw("appendId", &quoted(&receipt.append_id));
    it.end()
}

/// What is known about stores.
pub fn write_stores(stores: &Stores) -> String {
    let mut it = Fields::new();
    it.number("v", stores.v.into());
    it.raw_if("cloud", stores.cloud.map(|id| quoted(&id)));
    it.list("answering", &stores.answering, |store| {
        store.map_or_else(|| "null".to_owned(), |id| quoted(&id))
    });
    it.list("known", &stores.known, write_known_store);
    it.list("closedCampaigns", &stores.closed_campaigns, |campaign| writer::text(campaign.as_str()));
    it.end()
}

fn write_known_store(known: &KnownStore) -> String {
    let mut it = Fields::new();
    it.raw("storeId", &quoted(&known.store_id));
    it.text("tier", known.tier.as_str());
    it.number("history", known.history.into());
    it.raw_if("newest", known.newest.as_ref().map(write_receipt));
    it.number_if("relayedThrough", known.relayed_through);
    it.raw_if("cloudReceipt", known.cloud_receipt.as_ref().map(write_receipt));
    it.raw("isDistrusted", if known.is_distrusted { "true" } else { "false" });
    it.number("vouchesAfter", known.vouches_after);
    it.number("erasuresAfter", known.erasures_after);
    it.number("cloudVerdictsAfter", known.cloud_verdicts_after);
    it.end()
}

/// An id, whose text form needs no escapes.
fn quoted(id: &dyn std::fmt::Display) -> String {
    writer::text(&id.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENTRY: &str = r#"{"v":1,"key":3,"deviceId":"ipad-1","deviceSeq":2,"clientId":"0197f3c2-5c1e-7c3a-9d64-0242ac120002",
        "version":4,"savedAt":-5,"entry":"{\"a\":1}","new":[{}]}"#;
    const ANSWER: &str = r#"{"storeId":"0197f3c2-5c1e-7c3a-9d64-0242ac120003","tier":"cloud","verdict":"duplicate_email",
        "position":5,"appendId":"00000000000000aa","history":2}"#;
    const REFUSAL: &str = r#"{"storeId":"0197f3c2-5c1e-7c3a-9d64-0242ac120004","tier":"hub","verdict":"invalid",
        "relayedBy":"0197f3c2-5c1e-7c3a-9d64-0242ac120003","errors":[{"field":"email","code":"too-long","detail":"x"}]}"#;
    const RECEIPT: &str =
        r#"{"storeId":"0197f3c2-5c1e-7c3a-9d64-0242ac120003","position":7,"appendId":"8000000000000000"}"#;

    fn whole() -> String {
        let known = format!(
            r#"{{"storeId":"0197f3c2-5c1e-7c3a-9d64-0242ac120003","tier":"hub","history":1,"newest":{RECEIPT},
                "relayedThrough":4,"cloudReceipt":{RECEIPT},"isDistrusted":true,"vouchesAfter":6,"erasuresAfter":8,"cloudVerdictsAfter":9}}"#
        );
        let removed = ENTRY.replace("\"new\":[{}]", "\"removed\":\"retention\"");
        format!(
            r#"{{"entries":[{ENTRY},{removed}],"marks":[{{"v":1,"key":3,"answers":[{ANSWER},{REFUSAL}]}},{{"v":1,"key":4}}],
                "stores":{{"v":1,"cloud":"0197f3c2-5c1e-7c3a-9d64-0242ac120003","answering":[null,"0197f3c2-5c1e-7c3a-9d64-0242ac120003"],
                "known":[{known}],"closedCampaigns":["shootout-2026"]}}}}"#
        )
    }

    fn agrees(json: &str) {
        let read = Object::read(json).and_then(|it| records(&it));
        assert_eq!(read, serde_json::from_str(json).ok(), "{json}");
        let written = read.as_ref().map(write_records);
        assert_eq!(written.and_then(|json| serde_json::from_str(&json).ok()), read, "{json}");
    }

    #[test]
    fn records_are_read_and_written_as_serde_would() {
        let whole = whole();
        assert!(Object::read(&whole).and_then(|it| records(&it)).is_some());
        for json in ["{}", r#"{"stores":{"v":1}}"#, &whole] {
            agrees(json);
        }
    }

    /// Whoever reads an entry may write it back. Of a later version of the app it could lose what is new in it.
    #[test]
    fn an_entry_of_a_later_version_is_not_read() {
        assert!(entry_record(ENTRY).is_some());
        assert_eq!(entry_record(&ENTRY.replace("\"v\":1", "\"v\":2")), None);
    }

    /// What a newer program wrote, or a disk has damaged, is not read as something else.
    #[test]
    fn a_record_that_lacks_what_it_needs_is_not_read() {
        let whole = whole();
        for (good, bad) in [
            ("\"key\":3", "\"keys\":3"),
            ("\"v\":1", "\"v\":\"1\""),
            ("\"version\":4", "\"version\":99999999999"),
            ("ipad-1", "ipad 1"),
            ("duplicate_email", "put-aside"),
            ("retention", "put-aside"),
            ("\"savedAt\":-5", "\"savedAt\":-5.5"),
            ("too-long", "too-short"),
            ("\"position\":7", "\"position\":7}"),
        ] {
            let damaged = whole.replacen(good, bad, 1);
            let read = Object::read(&damaged).and_then(|it| records(&it));
            assert_eq!(read.is_some(), serde_json::from_str::<Records>(&damaged).is_ok(), "{bad}");
            assert!(read.is_none(), "{bad}");
        }
    }
}
