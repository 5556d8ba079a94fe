//! What every outbox promises, the one in IndexedDB and the one in memory that the engine is tested with: the
//! engine's tests say nothing about iPads unless both behave alike.
//!
//! Each promise is a function over [`Outbox`]. `outbox_promises!` names them all, so that neither test binary can
//! leave one out.

use domain::{Campaign, ClientId, DeviceId, SHOOTOUT_2026};
use leadlog_client::capture::{Capture, Moment};
use leadlog_client::engine::record::{EntryRecord, Mark, Records, Removed, Stores};
use uuid::Uuid;

/// An outbox. What fails panics: faults are tested elsewhere.
pub(crate) trait Outbox: Sized {
    /// Opens the outbox of this name; a second time, it is another connection to the same.
    async fn open(name: &str) -> Self;
    fn device_id(&self) -> DeviceId;
    async fn save(&self, capture: &Capture, saved_at: i64) -> EntryRecord;
    async fn restore(&self, entries: Vec<EntryRecord>) -> Vec<EntryRecord>;
    /// Whether it was written; not under another epoch than the present one.
    async fn put(&self, records: &Records, epoch: u64) -> bool;
    async fn read_all(&self, takes_over: bool) -> (Records, u64);
    async fn setting(&self, name: &str) -> Option<String>;
    async fn put_setting(&self, name: &str, value: &str);
}

/// Calls a macro with the name of every promise.
macro_rules! outbox_promises {
    ($each:ident) => {
        $each! {
            entries_are_numbered_without_a_gap_whoever_saves
            the_same_capture_again_is_the_same_entry
            a_version_that_is_taken_is_followed_by_the_next
            what_was_saved_is_read_back_in_order_to_the_byte
            what_was_read_under_an_old_epoch_is_not_written
            a_removed_entry_keeps_its_place_and_its_numbers
            restored_entries_change_nothing_but_their_keys
            restoring_again_adds_nothing
            numbers_of_this_installation_that_come_back_are_not_used_again
            a_setting_is_what_was_kept_last
        }
    };
}
pub(crate) use outbox_promises;

const FORM: &str = r#"{"firstName":"Zażółć","lastName":"Gęślą \"J\"","email":"","phone":"501502503","consents":["terms"],"language":"pl"}"#;

fn capture_at(lead: u128, unix_ms: i64) -> Capture {
    let campaign = Campaign::parse(SHOOTOUT_2026).unwrap();
    let moment = Moment { unix_ms, offset_minutes: 120 };
    // The outbox says which installation it is, whatever the form was opened under.
    Capture::new(&campaign, FORM, lead_id(lead), "nobody".parse().unwrap(), moment).unwrap()
}

fn capture(lead: u128) -> Capture {
    capture_at(lead, 0)
}

fn lead_id(lead: u128) -> ClientId {
    ClientId::new(Uuid::from_u128(lead))
}

/// An entry that another installation has saved.
pub(crate) fn foreign(device_id: &str, device_seq: u64, lead: u128) -> EntryRecord {
    let device_id: DeviceId = device_id.parse().unwrap();
    EntryRecord {
        v: 1,
        key: 9_000 + device_seq,
        device_seq,
        client_id: lead_id(lead),
        version: 1,
        saved_at: -5,
        entry: capture(lead).to_text(&device_id, device_seq),
        removed: None,
        device_id,
    }
}

fn keys(records: &[EntryRecord]) -> Vec<u64> {
    records.iter().map(|record| record.key).collect()
}

/// Invariant 9: the numbers are dense, over all connections.
pub(crate) async fn entries_are_numbered_without_a_gap_whoever_saves<O: Outbox>() {
    let (one, other) = (O::open("numbers").await, O::open("numbers").await);
    assert_eq!(one.device_id(), other.device_id());
    for seq in 1..=6 {
        let outbox = if seq % 2 == 0 { &one } else { &other };
        let saved = outbox.save(&capture(seq.into()), 7).await;
        assert_eq!((saved.key, saved.device_seq, saved.version, saved.saved_at), (seq, seq, 1, 7));
        assert_eq!((&saved.device_id, saved.client_id), (&one.device_id(), lead_id(seq.into())));
    }
}

/// Invariant 2: what was tapped twice, or tried again after an error, is one lead.
pub(crate) async fn the_same_capture_again_is_the_same_entry<O: Outbox>() {
    let outbox = O::open("twice").await;
    let first = outbox.save(&capture(1), 1).await;
    outbox.save(&capture(2), 2).await;
    assert_eq!(outbox.save(&capture(1), 3).await, first);
    assert_eq!(outbox.read_all(false).await.0.entries.len(), 2);
    assert_eq!(outbox.save(&capture(3), 4).await.device_seq, 3, "and no number was used up");
}

/// CAP-6: two tabs that change the same lead at once: both are kept, one after the other.
pub(crate) async fn a_version_that_is_taken_is_followed_by_the_next<O: Outbox>() {
    let outbox = O::open("versions").await;
    let first = outbox.save(&capture(1), 0).await;
    let void = |unix_ms| {
        let moment = Moment { unix_ms, offset_minutes: 0 };
        Capture::voided(&first.entry, outbox.device_id(), moment).unwrap()
    };
    assert_eq!(outbox.save(&void(1_000), 0).await.version, 2);
    let third = outbox.save(&void(2_000), 0).await;
    assert_eq!((third.version, third.device_seq), (3, 3));
    assert_eq!(outbox.save(&void(2_000), 0).await, third);
}

/// Invariant 1.
pub(crate) async fn what_was_saved_is_read_back_in_order_to_the_byte<O: Outbox>() {
    let outbox = O::open("order").await;
    let mut saved = Vec::new();
    // Neither ids nor moments decide the order.
    for lead in [9, 2, 7, 1] {
        saved.push(outbox.save(&capture_at(lead, 1_000 * lead as i64), -(lead as i64)).await);
    }
    let (read, _) = O::open("order").await.read_all(false).await;
    assert_eq!((read.entries, read.unreadable), (saved, 0));
    assert_eq!((read.marks, read.stores), (Vec::new(), None));
}

/// SYN-6: a tab that thaws must not write back receipts that another tab has voided since; a Save asks for no
/// epoch (invariant 10).
pub(crate) async fn what_was_read_under_an_old_epoch_is_not_written<O: Outbox>() {
    let frozen = O::open("epochs").await;
    let key = frozen.save(&capture(1), 0).await.key;
    let marks = Records { marks: vec![Mark { v: 1, key, answers: Vec::new() }], ..Records::default() };
    let (_, old) = frozen.read_all(true).await;
    assert!(frozen.put(&marks, old).await);

    let other = O::open("epochs").await;
    let (read, new) = other.read_all(true).await;
    assert_eq!((read.marks.len(), new), (1, old + 1));
    let stores = Stores { v: 1, ..Stores::default() };
    let changed = Records { stores: Some(stores.clone()), ..marks };
    assert!(!frozen.put(&changed, old).await);
    assert_eq!(other.read_all(false).await.0.stores, None, "nothing of it was written");
    assert!(other.put(&changed, new).await);
    let (read, epoch) = frozen.read_all(false).await;
    assert_eq!((read.stores, epoch), (Some(stores), new), "who only reads begins no epoch");
    assert_eq!(frozen.save(&capture(2), 0).await.device_seq, 2);
}

/// Invariant 4: of an erased person the numbers stay, or completeness could not be told.
pub(crate) async fn a_removed_entry_keeps_its_place_and_its_numbers<O: Outbox>() {
    let outbox = O::open("removed").await;
    for lead in 1..=3 {
        outbox.save(&capture(lead), 0).await;
    }
    let (mut records, epoch) = outbox.read_all(true).await;
    let second = &mut records.entries[1];
    (second.entry, second.removed) = (String::new(), Some(Removed::Erased));
    let removed = Records { entries: vec![second.clone()], ..Records::default() };
    assert!(outbox.put(&removed, epoch).await);
    assert_eq!(outbox.read_all(false).await.0.entries, records.entries);
    assert_eq!(outbox.save(&capture(4), 0).await.key, 4);
}

/// SYN-9: the bytes, the numbers and the installation stay, so that a store which has them says `duplicate`; as
/// many as there are.
pub(crate) async fn restored_entries_change_nothing_but_their_keys<O: Outbox>() {
    let outbox = O::open("restored").await;
    outbox.save(&capture(1), 0).await;
    let mut entries: Vec<_> = (1..=450).map(|seq| foreign("gone", seq, 100 + u128::from(seq))).collect();
    (entries[4].entry, entries[4].removed) = (String::new(), Some(Removed::Retention));
    let added = outbox.restore(entries.clone()).await;
    assert_eq!(keys(&added), (2..=451).collect::<Vec<_>>());
    let with_old_keys: Vec<_> =
        added.iter().zip(&entries).map(|(it, old)| EntryRecord { key: old.key, ..it.clone() }).collect();
    assert_eq!(with_old_keys, entries);
    let (read, _) = O::open("restored").await.read_all(false).await;
    assert_eq!(&read.entries[1..], added);
    let next = outbox.save(&capture(2), 0).await;
    assert_eq!((next.key, next.device_seq, next.device_id), (452, 2, outbox.device_id()));
}

/// SYN-9: by lead and version, and by installation and number.
pub(crate) async fn restoring_again_adds_nothing<O: Outbox>() {
    let outbox = O::open("restored-again").await;
    let own = outbox.save(&capture(1), 0).await;
    let entries =
        vec![own.clone(), foreign("gone", 1, 101), foreign("gone", 2, 102), foreign("gone", 2, 103)];
    let added = outbox.restore(entries.clone()).await;
    assert_eq!(keys(&added), [2, 3]);
    assert_eq!(outbox.restore(entries).await, []);
    let same_lead = EntryRecord { version: 1, ..foreign("another", 1, 101) };
    assert_eq!(outbox.restore(vec![same_lead]).await, []);
    assert_eq!(outbox.read_all(false).await.0.entries.len(), 3);
    assert_eq!(outbox.restore(Vec::new()).await, []);
}

/// An older state of the storage was put back, and then the newest backup: a number that a store may have heard
/// names one entry for ever.
pub(crate) async fn numbers_of_this_installation_that_come_back_are_not_used_again<O: Outbox>() {
    let outbox = O::open("put-back").await;
    outbox.save(&capture(1), 0).await;
    let ours = outbox.device_id();
    let added = outbox.restore(vec![foreign(ours.as_str(), 8, 108)]).await;
    assert_eq!(keys(&added), [2]);
    let next = outbox.save(&capture(2), 0).await;
    assert_eq!((next.device_id, next.device_seq, next.key), (ours, 9, 3));
}

pub(crate) async fn a_setting_is_what_was_kept_last<O: Outbox>() {
    let outbox = O::open("settings").await;
    assert_eq!(outbox.setting("operator").await, None);
    for text in ["{\"2\" : 1,\n\"1\":\"Żółć\"}", "5"] {
        outbox.put_setting("operator", text).await;
        assert_eq!(O::open("settings").await.setting("operator").await.as_deref(), Some(text));
    }
    assert_eq!(outbox.setting("operato").await, None);
    assert_eq!(outbox.save(&capture(1), 0).await.device_seq, 1);
}
