//! The whole outbox as one document: what a backup ships (SYN-9) and an exported file holds (SYN-10).
//!
//! ```json
//! {"format":"leadlog-snapshot","v":1,"deviceId":"…","savedThrough":42,"takenAt":1779537790000,
//!  "records":{"entries":[…],"marks":[…],"stores":{…}},"pendingForms":[…]}
//! ```
//!
//! Records stand in it as they stand on the disk, those too that only a later version of the app can read.
//! Marks and stores are there for people who look into it; whoever takes it in leaves them out, because
//! whether a store still has what it once took is for that store to say. `pendingForms` are forms that were
//! saved while this library could not start.

use domain::DeviceId;

use crate::engine::record::EntryRecord;
use crate::engine::stored;
use crate::json::{Fields, Object};

/// Form of the document that this program writes.
const VERSION: u64 = 1;

const FORMAT: &str = "leadlog-snapshot";

/// Writes the document. `records` is an object with the records as they stand on the disk; `taken_at` is
/// in milliseconds since 1970.
pub fn write(device_id: &DeviceId, saved_through: Option<u64>, taken_at: i64, records: &str) -> String {
    let mut it = Fields::new();
    it.text("format", FORMAT);
    it.number("v", VERSION);
    it.text("deviceId", device_id.as_str());
    it.raw_if("savedThrough", Some(saved_through.map_or_else(|| "null".to_owned(), |seq| seq.to_string())));
    it.raw("takenAt", &taken_at.to_string());
    it.raw("records", records);
    it.end()
}

/// What can be taken in of a document.
#[derive(Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// The installation that it is of.
    pub device_id: DeviceId,
    /// Its entries.
    pub entries: Vec<EntryRecord>,
    /// Forms that are no entries yet, as JSON.
    pub forms: Vec<String>,
    /// Entries that this program cannot read.
    pub unreadable: usize,
}

/// Reads a document of any version that has these fields. `None` when it is something else.
pub fn read(document: &str) -> Option<Snapshot> {
    let it = Object::read(document)?;
    it.text("format").filter(|format| format == FORMAT)?;
    let records = it.object("records")?;
    let mut read = Snapshot {
        device_id: it.parsed("deviceId")?,
        entries: Vec::new(),
        forms: it.list("pendingForms", |form| Some(form.text().to_owned()))?,
        unreadable: 0,
    };
    for record in records.items("entries").unwrap_or_default() {
        match stored::entry_record(record.text()) {
            Some(record) => read.entries.push(record),
            None => read.unreadable += 1,
        }
    }
    Some(read)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENTRY: &str = r#"{"v":1,"key":3,"deviceId":"ipad-1","deviceSeq":2,
        "clientId":"0197f3c2-5c1e-7c3a-9d64-0242ac120002","version":4,"savedAt":-5,"entry":"{\"a\":1}"}"#;

    /// SYN-10: what one device wrote another takes in; what it cannot read does not spoil the rest.
    #[test]
    fn a_written_snapshot_is_read_and_what_is_unreadable_is_counted() {
        // An entry of a later app may look like one of ours, and hold more.
        let later = ENTRY.replace("\"v\":1", "\"v\":2");
        let records =
            format!(r#"{{"entries":[{ENTRY},{later},{{"v":2,"shape":"of its own"}}],"marks":[{{}}]}}"#);
        let document = write(&"ipad-1".parse().unwrap(), Some(2), 7, &records);
        let read = read(&document).unwrap();
        assert_eq!((read.entries.len(), read.unreadable, read.forms.len()), (1, 2, 0));
        assert_eq!(read.entries[0].entry, r#"{"a":1}"#);
        assert_eq!(read.device_id.as_str(), "ipad-1");
        assert!(document.contains(r#""savedThrough":2,"takenAt":7,"#), "{document}");
    }

    #[test]
    fn forms_that_are_no_entries_yet_are_kept_as_they_are() {
        let document = r#"{"format":"leadlog-snapshot","v":1,"deviceId":"ipad-1","records":{},
            "pendingForms":[{"clientId":"x", "form":"{}"}]}"#;
        assert_eq!(read(document).unwrap().forms, [r#"{"clientId":"x", "form":"{}"}"#]);
    }

    #[test]
    fn something_else_is_no_snapshot() {
        for document in ["", "[]", "{}", r#"{"format":"leadlog-snapshot","deviceId":"a b","records":{}}"#] {
            assert_eq!(read(document), None, "{document}");
        }
    }
}
