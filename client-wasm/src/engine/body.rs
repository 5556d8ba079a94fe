//! The body of a request: what `domain::SyncRequest` reads, with the entries' bytes as they are.
//!
//! `serde_json` would carry them as `RawValue`s only, and makes one by reading its text all over again.

use domain::{DeviceId, DeviceReport, Receipt};

use super::owed::Left;
use super::reading::Cursors;
use super::stored;
use crate::json::Fields;

/// What stands before the entries.
pub(super) struct Head<'a> {
    pub(super) sender: &'a DeviceId,
    pub(super) saved_through: Option<u64>,
    pub(super) last_receipt: Option<Receipt>,
    pub(super) cursors: Cursors,
    /// About installations that were here before.
    pub(super) reports: Vec<DeviceReport>,
    pub(super) condition: Condition,
}

/// What the device says of itself, for whoever looks after the event.
#[derive(Clone, Copy)]
pub(super) struct Condition {
    /// What it still holds for this store beyond this request.
    pub(super) left: Left,
    pub(super) is_storage_persisted: Option<bool>,
}

/// A request with these entries, each of which must be one JSON value.
pub(super) fn write<'a>(head: &Head<'_>, entries: impl Iterator<Item = &'a str>) -> String {
    let mut it = Fields::new();
    it.text("sender", head.sender.as_str());
    it.number_if("savedThrough", head.saved_through);
    it.raw_if("lastReceipt", head.last_receipt.as_ref().map(stored::write_receipt));
    it.number("erasuresAfter", head.cursors.erasures);
    it.number("cloudVerdictsAfter", head.cursors.cloud_verdicts);
    it.list("reports", &head.reports, stored::write_report);
    it.raw("condition", &write_condition(head.condition));
    let mut array = String::from("[");
    for entry in entries {
        if array.len() > 1 {
            array.push(',');
        }
        array.push_str(entry);
    }
    array.push(']');
    it.raw("entries", &array);
    it.end()
}

fn write_condition(Condition { left, is_storage_persisted }: Condition) -> String {
    let mut it = Fields::new();
    it.number("left", left.leads);
    it.raw_if("oldestLeftAt", left.oldest_saved_at.map(|at| at.to_string()));
    it.raw_if("isStoragePersisted", is_storage_persisted.map(|is_persisted| is_persisted.to_string()));
    it.text("appVersion", env!("CARGO_PKG_VERSION"));
    it.end()
}

#[cfg(test)]
mod tests {
    use domain::{AppendId, DeviceCondition, StoreId, SyncRequest};
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_store_reads_the_head_and_the_very_bytes_of_the_entries() {
        let receipt = Receipt {
            store_id: StoreId::new(Uuid::from_u128(1)),
            position: 5,
            append_id: AppendId::from_bits(-1),
        };
        let report = DeviceReport {
            device_id: "ipad-6".parse().unwrap(),
            saved_through: 4,
            heard_at: "2026-05-23T14:03:10+02:00".parse().unwrap(),
        };
        for entries in [&[][..], &[r#"{"a": [1 ]}"#], &["{}", " 7 ", r#""x""#]] {
            let sender: DeviceId = "ipad-7".parse().unwrap();
            let head = Head {
                sender: &sender,
                saved_through: (!entries.is_empty()).then_some(3),
                last_receipt: (!entries.is_empty()).then_some(receipt),
                cursors: Cursors { erasures: 8, cloud_verdicts: 9 },
                reports: (!entries.is_empty()).then(|| report.clone()).into_iter().collect(),
                condition: Condition {
                    left: Left {
                        leads: entries.len() as u64,
                        oldest_saved_at: (!entries.is_empty()).then_some(-4),
                    },
                    is_storage_persisted: (!entries.is_empty()).then_some(true),
                },
            };
            let body = write(&head, entries.iter().copied());
            let read: SyncRequest<'_> = serde_json::from_str(&body).unwrap();
            assert_eq!(
                (read.sender.as_ref(), read.saved_through),
                (Some(&sender), head.saved_through),
                "{body}"
            );
            assert_eq!((read.last_receipt, &read.reports), (head.last_receipt, &head.reports), "{body}");
            assert_eq!((read.erasures_after, read.cloud_verdicts_after), (Some(8), Some(9)), "{body}");
            let condition: DeviceCondition = serde_json::from_str(read.condition.unwrap().get()).unwrap();
            assert_eq!(condition.left, entries.len() as u64, "{body}");
            assert_eq!(condition.oldest_left_at, head.condition.left.oldest_saved_at, "{body}");
            assert_eq!(condition.is_storage_persisted, head.condition.is_storage_persisted, "{body}");
            assert_eq!(condition.app_version.as_deref(), Some(env!("CARGO_PKG_VERSION")), "{body}");
            let texts: Vec<_> = read.entries.iter().map(|entry| entry.get()).collect();
            assert_eq!(texts, entries.iter().map(|entry| entry.trim()).collect::<Vec<_>>(), "{body}");
        }
    }
}
