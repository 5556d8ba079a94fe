//! An outbox in memory: the disk of the engine's tests. It is held to the same promises as the one in IndexedDB.

use std::collections::BTreeMap;

use domain::{ClientId, DeviceId};
use leadlog_client::engine::record::{EntryRecord, Mark, RECORD_VERSION, Records, Stores};

/// What survives a restart.
#[derive(Debug)]
pub(crate) struct MemoryOutbox {
    pub(crate) device_id: DeviceId,
    pub(crate) entries: BTreeMap<u64, EntryRecord>,
    pub(crate) marks: BTreeMap<u64, Mark>,
    pub(crate) stores: Option<Stores>,
    next_device_seq: u64,
    epoch: u64,
    settings: BTreeMap<String, String>,
}

impl MemoryOutbox {
    /// Fresh storage: a new installation.
    pub(crate) fn new(device_id: DeviceId) -> Self {
        Self {
            device_id,
            entries: BTreeMap::new(),
            marks: BTreeMap::new(),
            stores: None,
            next_device_seq: 1,
            epoch: 0,
            settings: BTreeMap::new(),
        }
    }

    pub(crate) fn next_key(&self) -> u64 {
        self.entries.keys().next_back().map_or(1, |key| key + 1)
    }

    fn find(&self, client_id: ClientId, version: u32) -> Option<&EntryRecord> {
        self.entries.values().find(|record| record.client_id == client_id && record.version == version)
    }

    /// Writes an entry under the next number, unless it was written before. Its text is made of its version, the
    /// installation and the number.
    pub(crate) fn save(
        &mut self,
        client_id: ClientId,
        mut version: u32,
        saved_at: i64,
        text: impl Fn(u32, &DeviceId, u64) -> String,
    ) -> EntryRecord {
        while let Some(saved) = self.find(client_id, version) {
            if saved.entry == text(version, &saved.device_id, saved.device_seq) {
                return saved.clone();
            }
            version += 1;
        }
        let record = EntryRecord {
            v: RECORD_VERSION,
            key: self.next_key(),
            device_id: self.device_id.clone(),
            device_seq: self.next_device_seq,
            client_id,
            version,
            saved_at,
            entry: text(version, &self.device_id, self.next_device_seq),
            removed: None,
        };
        self.next_device_seq += 1;
        self.entries.insert(record.key, record.clone());
        record
    }

    pub(crate) fn restore(&mut self, entries: Vec<EntryRecord>) -> Vec<EntryRecord> {
        let mut added = Vec::new();
        for record in entries {
            let has_seq = |known: &EntryRecord| {
                (&known.device_id, known.device_seq) == (&record.device_id, record.device_seq)
            };
            if self.find(record.client_id, record.version).is_some() || self.entries.values().any(has_seq) {
                continue;
            }
            if record.device_id == self.device_id {
                self.next_device_seq = self.next_device_seq.max(record.device_seq + 1);
            }
            let record = EntryRecord { key: self.next_key(), ..record };
            self.entries.insert(record.key, record.clone());
            added.push(record);
        }
        added
    }

    /// Whether it was written.
    pub(crate) fn put(&mut self, records: Records, epoch: u64) -> bool {
        if epoch != self.epoch {
            return false;
        }
        for record in records.entries {
            assert!(
                record.removed.is_some() && record.entry.is_empty(),
                "a record changes only to be removed"
            );
            self.entries.insert(record.key, record);
        }
        self.marks.extend(records.marks.into_iter().map(|mark| (mark.key, mark)));
        self.stores = records.stores.or(self.stores.take());
        true
    }

    pub(crate) fn read_all(&mut self, takes_over: bool) -> (Records, u64) {
        self.epoch += u64::from(takes_over);
        let records = Records {
            entries: self.entries.values().cloned().collect(),
            marks: self.marks.values().cloned().collect(),
            stores: self.stores.clone(),
            unreadable: 0,
        };
        (records, self.epoch)
    }
}

/// By the suite that IndexedDB passes too.
mod conformance {
    use std::cell::RefCell;
    use std::pin::pin;
    use std::rc::Rc;
    use std::task::{Context, Poll, Waker};

    use leadlog_client::capture::Capture;

    use super::*;
    use crate::outbox_conformance::{self, Outbox, outbox_promises};

    thread_local! {
        /// What was opened in this test, by name.
        static OPEN: RefCell<BTreeMap<String, Rc<RefCell<MemoryOutbox>>>> = RefCell::default();
    }

    struct Opened(Rc<RefCell<MemoryOutbox>>);

    impl Outbox for Opened {
        async fn open(name: &str) -> Self {
            let fresh = || Rc::new(RefCell::new(MemoryOutbox::new("ipad-1".parse().unwrap())));
            Self(OPEN.with_borrow_mut(|open| Rc::clone(open.entry(name.to_owned()).or_insert_with(fresh))))
        }

        fn device_id(&self) -> DeviceId {
            self.0.borrow().device_id.clone()
        }

        async fn save(&self, capture: &Capture, saved_at: i64) -> EntryRecord {
            let text = |version, device_id: &DeviceId, device_seq| {
                let next = |capture: Capture, _| capture.with_next_version();
                let capture = (capture.version()..version).fold(capture.clone(), next);
                capture.to_text(device_id, device_seq)
            };
            self.0.borrow_mut().save(capture.client_id(), capture.version(), saved_at, text)
        }

        async fn restore(&self, entries: Vec<EntryRecord>) -> Vec<EntryRecord> {
            self.0.borrow_mut().restore(entries)
        }

        async fn put(&self, records: &Records, epoch: u64) -> bool {
            self.0.borrow_mut().put(records.clone(), epoch)
        }

        async fn read_all(&self, takes_over: bool) -> (Records, u64) {
            self.0.borrow_mut().read_all(takes_over)
        }

        async fn setting(&self, name: &str) -> Option<String> {
            self.0.borrow().settings.get(name).cloned()
        }

        async fn put_setting(&self, name: &str, value: &str) {
            self.0.borrow_mut().settings.insert(name.to_owned(), value.to_owned());
        }
    }

    /// Memory never makes anybody wait.
    fn at_once(promise: impl Future<Output = ()>) {
        let mut context = Context::from_waker(Waker::noop());
        assert_eq!(pin!(promise).poll(&mut context), Poll::Ready(()));
    }

    macro_rules! in_memory {
        ($($promise:ident)*) => {
            $(
                #[test]
                fn $promise() {
                    at_once(outbox_conformance::$promise::<Opened>());
                }
            )*
        };
    }
    outbox_promises!(in_memory);
}
