//! A snapshot: the whole outbox of a device as one document, as a store reads it. A backup is one (SYN-9), and so is a
//! file that was taken off a device (SYN-10).
//!
//! ```json
//! {"format":"leadlog-snapshot","v":1,"deviceId":"…","savedThrough":42,"takenAt":1779537790000,
//!  "records":{"entries":[{"v":1,"key":3,"deviceId":"…","deviceSeq":2,"clientId":"…","version":1,
//!                         "savedAt":1779537789000,"entry":"{\"kind\":…}"}],"marks":[…],"stores":{…}},
//!  "pendingForms":[…]}
//! ```
//!
//! Whoever needs one needs it badly, so it is read leniently: fields that are not known are passed over, and a
//! record that cannot be read costs nobody but itself. It is counted, and named by what can be told of it.

use std::collections::BTreeSet;
use std::fmt;

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::{ClientId, ContactFields, DeviceId, Digest, MAX_KEPT_ENTRY_BYTES, Timestamp};

/// The field `format` of every snapshot.
pub const SNAPSHOT_FORMAT: &str = "leadlog-snapshot";

/// Largest snapshot that a store keeps as a backup, in bytes after decompression: some 20,000 leads.
pub const MAX_SNAPSHOT_BYTES: usize = 32 * 1024 * 1024;

/// Form of the document that this program reads.
const DOCUMENT_VERSION: u64 = 1;

/// Form of the records that this program reads.
const RECORD_VERSION: u64 = 1;

/// Most operators that are named of one snapshot.
const MAX_OPERATORS: usize = 20;

/// What a store reads of a snapshot.
pub struct Snapshot<'a> {
    /// The installation that it is of.
    pub device_id: DeviceId,
    /// The highest `deviceSeq` that this installation had saved.
    pub saved_through: Option<u64>,
    /// When it was taken, by the device's clock.
    pub taken_at: Option<Timestamp>,
    /// The entries that can be read, in the order of the document.
    pub entries: Vec<SnapshotEntry>,
    /// The entries that cannot.
    pub damaged: Vec<DamagedRecord>,
    /// How many forms were saved while the device library could not start. They are no entries yet; only a device
    /// can make some of them.
    pub forms: usize,
    /// Whether a newer app wrote the document than this program understands, so that it may hold more than was read.
    pub is_later_form: bool,
    records: &'a RawValue,
    pending_forms: Option<&'a RawValue>,
}

/// One saved entry.
#[derive(Clone)]
pub struct SnapshotEntry {
    /// The installation that made it.
    pub device_id: DeviceId,
    /// Its number there.
    pub device_seq: u64,
    /// The lead.
    pub client_id: ClientId,
    /// Version of the lead.
    pub version: u32,
    /// When it was saved, in milliseconds since 1970 by the device's clock.
    pub saved_at: i64,
    /// The entry's exact bytes. `None` when the personal data was removed, and the entry with it.
    pub entry: Option<Box<RawValue>>,
}

/// A record that cannot be read, as far as it can be named without personal data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DamagedRecord {
    /// Its place among the entries of the document, from 1.
    pub place: usize,
    /// Why it cannot be read.
    pub damage: Damage,
    /// The installation that made it.
    pub device_id: Option<DeviceId>,
    /// Its number there.
    pub device_seq: Option<u64>,
    /// The lead.
    pub client_id: Option<ClientId>,
    /// Version of the lead.
    pub version: Option<u64>,
}

/// What is wrong with a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    /// It has another form.
    #[error("it was written by a newer app than this program understands")]
    LaterForm,
    /// It is not what an app writes.
    #[error("fields are missing or have the wrong form")]
    Malformed,
    /// The entry in it is not JSON.
    #[error("the entry in it is not JSON")]
    NotAnEntry,
    /// The entry in it is larger than any that a store keeps.
    #[error("the entry in it has more than {MAX_KEPT_ENTRY_BYTES} bytes")]
    TooLarge,
}

/// Why a document is no snapshot. It prints without personal data.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SnapshotError {
    /// It cannot be read as JSON of this shape.
    #[error("{field} is not as documented, at line {line} column {column}")]
    Malformed {
        /// Where.
        field: String,
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
    },
    /// It is JSON of something else.
    #[error("the field `format` is not \"{SNAPSHOT_FORMAT}\"")]
    OtherFormat,
    /// It has a later form, in which nothing can be found.
    #[error("it was written by a newer app than this program understands")]
    LaterForm,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    format: String,
    #[serde(default, borrow)]
    v: Option<&'a RawValue>,
    device_id: DeviceId,
    #[serde(default, borrow)]
    saved_through: Option<&'a RawValue>,
    #[serde(default, borrow)]
    taken_at: Option<&'a RawValue>,
    #[serde(borrow)]
    records: &'a RawValue,
    #[serde(default, borrow)]
    pending_forms: Option<&'a RawValue>,
}

/// The fields that every form of the document has.
#[derive(Deserialize)]
struct Form<'a> {
    format: String,
    #[serde(borrow)]
    v: &'a RawValue,
}

#[derive(Deserialize)]
struct Records<'a> {
    #[serde(default, borrow)]
    entries: Vec<&'a RawValue>,
}

impl<'a> Snapshot<'a> {
    /// Reads a snapshot. A byte order mark before it is passed over.
    ///
    /// # Errors
    /// See [`SnapshotError`]; nothing about single records is an error.
    pub fn read(document: &'a str) -> Result<Self, SnapshotError> {
        Self::read_this_form(document)
            .map_err(|error| if is_of_later_form(document) { SnapshotError::LaterForm } else { error })
    }

    fn read_this_form(document: &'a str) -> Result<Self, SnapshotError> {
        let it: Document<'a> = parse("", without_mark(document))?;
        if it.format != SNAPSHOT_FORMAT {
            return Err(SnapshotError::OtherFormat);
        }
        let records: Records<'a> = parse("records", it.records.get())?;
        let forms: Vec<&RawValue> = match it.pending_forms {
            Some(forms) => parse("pendingForms", forms.get())?,
            None => Vec::new(),
        };
        let mut snapshot = Self {
            device_id: it.device_id,
            saved_through: number(it.saved_through).filter(|through| i64::try_from(*through).is_ok()),
            taken_at: number(it.taken_at).and_then(|ms| Timestamp::from_unix_ms(ms, 0).ok()),
            entries: Vec::with_capacity(records.entries.len()),
            damaged: Vec::new(),
            forms: forms.len(),
            is_later_form: is_later(it.v),
            records: it.records,
            pending_forms: it.pending_forms.filter(|_| !forms.is_empty()),
        };
        for (index, record) in records.entries.iter().enumerate() {
            match SnapshotEntry::read(record) {
                Ok(entry) => snapshot.entries.push(entry),
                Err(damage) => snapshot.damaged.push(DamagedRecord::of(index + 1, damage, record)),
            }
        }
        Ok(snapshot)
    }

    /// Says whether two snapshots hold the same; when they were taken does not count.
    pub fn digest(&self) -> Digest {
        match self.pending_forms {
            None => Digest::of(self.records.get()),
            Some(forms) => Digest::of(&format!("{}\n{forms}", self.records)),
        }
    }

    /// The entries that are still there, removed ones left out.
    pub fn held(&self) -> impl Iterator<Item = (&SnapshotEntry, &RawValue)> {
        self.entries.iter().filter_map(|record| Some((record, record.entry.as_deref()?)))
    }

    /// The leads of which an entry is still there.
    pub fn leads(&self) -> BTreeSet<ClientId> {
        self.held().map(|(record, _)| record.client_id).collect()
    }

    /// Who held the device, by name, at most 20.
    pub fn operators(&self) -> Vec<String> {
        let named: BTreeSet<String> = self
            .held()
            .filter_map(|(_, entry)| EntryPeople::of(entry).operator)
            .filter(|name| !name.is_empty() && !name.contains('\0'))
            .filter(|name| name.chars().nth(crate::Entry::MAX_OPERATOR_CHARS).is_none())
            .collect();
        named.into_iter().take(MAX_OPERATORS).collect()
    }
}

impl SnapshotEntry {
    fn read(record: &RawValue) -> Result<Self, Damage> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Record {
            device_id: DeviceId,
            device_seq: u64,
            client_id: ClientId,
            version: u32,
            saved_at: i64,
            entry: String,
        }
        #[derive(Deserialize)]
        struct Form {
            v: u64,
        }
        let form: Form = serde_json::from_str(record.get()).map_err(|_| Damage::Malformed)?;
        if form.v != RECORD_VERSION {
            return Err(Damage::LaterForm);
        }
        let it: Record = serde_json::from_str(record.get()).map_err(|_| Damage::Malformed)?;
        if it.entry.len() > MAX_KEPT_ENTRY_BYTES {
            return Err(Damage::TooLarge);
        }
        let entry = match it.entry.as_str() {
            "" => None,
            text => Some(serde_json::from_str(text).map_err(|_| Damage::NotAnEntry)?),
        };
        let Record { device_id, device_seq, client_id, version, saved_at, .. } = it;
        Ok(Self { device_id, device_seq, client_id, version, saved_at, entry })
    }
}

impl DamagedRecord {
    fn of(place: usize, damage: Damage, record: &RawValue) -> Self {
        let it: Value = serde_json::from_str(record.get()).unwrap_or_default();
        Self {
            place,
            damage,
            device_id: it["deviceId"].as_str().and_then(|id| id.parse().ok()),
            device_seq: it["deviceSeq"].as_u64(),
            client_id: it["clientId"].as_str().and_then(|id| id.parse().ok()),
            version: it["version"].as_u64(),
        }
    }
}

/// What an entry says about people, whatever else is wrong with it.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct EntryPeople {
    /// Who held the device.
    pub operator: Option<String>,
    /// Who the lead is.
    pub contact: ContactFields,
}

impl EntryPeople {
    /// Nothing, when the entry does not have the form of one.
    pub fn of(entry: &RawValue) -> Self {
        serde_json::from_str(entry.get()).unwrap_or_default()
    }
}

fn is_of_later_form(document: &str) -> bool {
    let form = serde_json::from_str::<Form<'_>>(without_mark(document));
    form.is_ok_and(|form| form.format == SNAPSHOT_FORMAT && is_later(Some(form.v)))
}

fn is_later(version: Option<&RawValue>) -> bool {
    number(version).is_some_and(|version: u64| version > DOCUMENT_VERSION)
}

/// A file that went through an editor may begin with a byte order mark.
pub(crate) fn without_mark(document: &str) -> &str {
    document.strip_prefix('\u{feff}').unwrap_or(document)
}

fn parse<'a, T: Deserialize<'a>>(at: &str, json: &'a str) -> Result<T, SnapshotError> {
    let mut reader = serde_json::Deserializer::from_str(json);
    let read = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let field = match error.path().to_string() {
            path if path != "." && at.is_empty() => format!("the field {path}"),
            path if path != "." => format!("the field {at}.{path}"),
            _ if at.is_empty() => "the document".to_owned(),
            _ => format!("the field {at}"),
        };
        SnapshotError::Malformed { field, line: error.inner().line(), column: error.inner().column() }
    })?;
    reader.end().map_err(|error| SnapshotError::Malformed {
        field: "what follows the document".to_owned(),
        line: error.line(),
        column: error.column(),
    })?;
    Ok(read)
}

fn number<'a, T: Deserialize<'a>>(json: Option<&'a RawValue>) -> Option<T> {
    serde_json::from_str(json?.get()).ok()
}

impl fmt::Debug for Snapshot<'_> {
    /// Without the entries, which hold personal data (invariant 12).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (entries, damaged) = (self.entries.len(), self.damaged.len());
        write!(f, "Snapshot({}, {entries} entries, {damaged} damaged, {} forms)", self.device_id, self.forms)
    }
}

impl fmt::Debug for SnapshotEntry {
    /// Without the entry, which holds personal data (invariant 12).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let removed = if self.entry.is_none() { ", removed" } else { "" };
        write!(
            f,
            "SnapshotEntry({} {}, {}/{}{removed})",
            self.device_id, self.device_seq, self.client_id, self.version
        )
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const LEAD: &str = "0197f3c2-5c1e-7c3a-9d64-0242ac120002";

    fn record(change: impl FnOnce(&mut Value)) -> Value {
        let entry = r#"{"kind":"captured", "operator":"Ola","contact":{"firstName":"Anna"}}"#;
        let mut record = json!({
            "v": 1, "key": 3, "deviceId": "ipad-1", "deviceSeq": 2, "clientId": LEAD, "version": 4,
            "savedAt": -5, "entry": entry, "ofALaterApp": true,
        });
        change(&mut record);
        record
    }

    fn document(entries: &[Value]) -> String {
        json!({
            "format": SNAPSHOT_FORMAT, "v": 1, "deviceId": "ipad-1", "savedThrough": 2,
            "takenAt": 1_779_537_790_000_i64, "ofALaterApp": {}, "records": { "entries": entries, "marks": [{}] },
        })
        .to_string()
    }

    #[test]
    fn entries_are_read_to_the_byte_and_a_damaged_one_costs_nobody_else() {
        let entries = [
            record(|_| ()),
            record(|record| record["v"] = 2.into()),
            record(|record| record["clientId"] = "Anna".into()),
            record(|record| record["entry"] = "{\"half".into()),
            record(|record| record["entry"] = "x".repeat(MAX_KEPT_ENTRY_BYTES + 1).into()),
            record(|record| {
                record["entry"] = "".into();
                record["removed"] = "erased".into();
            }),
            json!("not a record"),
        ];
        let document = document(&entries);
        let snapshot = Snapshot::read(&document).unwrap();
        assert_eq!((snapshot.entries.len(), snapshot.leads().len()), (2, 1));
        let (first, entry) = snapshot.held().next().unwrap();
        assert_eq!((first.device_seq, first.version, first.saved_at), (2, 4, -5));
        assert_eq!(entry.get(), r#"{"kind":"captured", "operator":"Ola","contact":{"firstName":"Anna"}}"#);
        assert_eq!(snapshot.operators(), ["Ola"]);
        assert_eq!(snapshot.taken_at.unwrap().to_string(), "2026-05-23T12:03:10Z");
        let damaged: Vec<_> = snapshot.damaged.iter().map(|record| (record.place, record.damage)).collect();
        assert_eq!(
            damaged,
            [
                (2, Damage::LaterForm),
                (3, Damage::Malformed),
                (4, Damage::NotAnEntry),
                (5, Damage::TooLarge),
                (7, Damage::Malformed)
            ]
        );
        assert_eq!(snapshot.damaged[0].client_id, LEAD.parse().ok());
        assert_eq!(snapshot.damaged[1].client_id, None);
    }

    /// Invariant 10: no clock keeps a device from its backup.
    #[test]
    fn a_clock_that_is_far_off_costs_only_its_own_word() {
        for taken_at in ["null", "-9223372036854775808", "1e300", "\"today\"", "99999999999999999999999"] {
            let document = document(&[record(|_| ())]).replace("1779537790000", taken_at);
            let snapshot = Snapshot::read(&document).unwrap();
            assert_eq!((snapshot.taken_at, snapshot.entries.len()), (None, 1), "{taken_at}");
        }
    }

    #[test]
    fn what_is_no_snapshot_is_named_without_what_it_holds() {
        for bad in [
            "",
            "[]",
            "{}",
            "{\"format\":",
            "{\"format\":\"x\",\"deviceId\":\"anna@example.com\",\"records\":{}}",
        ] {
            let error = Snapshot::read(bad).unwrap_err().to_string();
            assert!(!error.contains("anna"), "{error}");
        }
        let other = r#"{"format":"x","deviceId":"a","records":{}}"#;
        assert_eq!(Snapshot::read(other).unwrap_err(), SnapshotError::OtherFormat);
        let cut = document(&[record(|_| ())]);
        assert!(Snapshot::read(&cut[..cut.len() - 1]).is_err());
        assert!(Snapshot::read(&(cut.clone() + "x")).is_err());
        assert!(Snapshot::read(&format!("\u{feff}{cut}")).is_ok());
        let wrong = r#"{"format":"leadlog-snapshot","deviceId":"a","records":{"entries":7}}"#;
        assert!(Snapshot::read(wrong).unwrap_err().to_string().starts_with("the field records.entries"));
    }

    /// What a later form may hold is not there for this program, which must not pass it over in silence.
    #[test]
    fn a_later_form_is_told_from_a_damaged_one_and_what_can_be_read_is() {
        let this = document(&[record(|_| ())]);
        assert!(!Snapshot::read(&this).unwrap().is_later_form);
        let mut later: Value = serde_json::from_str(&this).unwrap();
        later["v"] = 99.into();
        let later = later.to_string();
        let snapshot = Snapshot::read(&later).unwrap();
        assert_eq!((snapshot.entries.len(), snapshot.is_later_form), (1, true));
        let another = r#"{"format":"leadlog-snapshot","v":99,"leads":[]}"#;
        assert_eq!(Snapshot::read(another).unwrap_err(), SnapshotError::LaterForm);
        for damaged in [another.replace("99", "1"), another.replace("leadlog", "lead"), later[1..].to_owned()]
        {
            assert_ne!(Snapshot::read(&damaged).unwrap_err(), SnapshotError::LaterForm, "{damaged}");
        }
    }

    /// SYN-9: a backup is skipped when nothing changed.
    #[test]
    fn the_digest_is_of_what_is_held() {
        let digest = |document: &str| Snapshot::read(document).unwrap().digest();
        let first = document(&[record(|_| ())]);
        assert_eq!(digest(&first), digest(&first.replace("1779537790000", "1779537790001")));
        assert_ne!(digest(&first), digest(&document(&[])));
        let with_form = first.replacen('{', "{\"pendingForms\":[{}],", 1);
        assert_ne!(digest(&first), digest(&with_form));
    }

    /// Invariant 12.
    #[test]
    fn it_prints_without_personal_data() {
        let document = document(&[record(|_| ())]);
        let snapshot = Snapshot::read(&document).unwrap();
        let printed = format!("{snapshot:?} {:?}", snapshot.entries);
        assert!(!printed.contains("Anna") && !printed.contains("Ola"), "{printed}");
    }
}
