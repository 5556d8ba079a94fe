//! The outbox in IndexedDB keeps the promises that the one in memory keeps.

use domain::DeviceId;
use leadlog_client::browser::{OutboxDb, PutError};
use leadlog_client::capture::Capture;
use leadlog_client::engine::record::{EntryRecord, Records};
use wasm_bindgen_test::wasm_bindgen_test;

use crate::outbox_conformance::{self, Outbox, outbox_promises};

struct Opened(OutboxDb, DeviceId);

impl Outbox for Opened {
    async fn open(name: &str) -> Self {
        let (db, device_id) = OutboxDb::open(&format!("conformance-{name}")).await.unwrap();
        Self(db, device_id)
    }

    fn device_id(&self) -> DeviceId {
        self.1.clone()
    }

    async fn save(&self, capture: &Capture, saved_at: i64) -> EntryRecord {
        self.0.save(capture, saved_at).await.unwrap()
    }

    async fn restore(&self, entries: Vec<EntryRecord>) -> Vec<EntryRecord> {
        self.0.restore(entries).await.unwrap()
    }

    async fn put(&self, records: &Records, epoch: u64) -> bool {
        match self.0.put(records, epoch).await {
            Ok(()) => true,
            Err(PutError::Overtaken) => false,
            Err(error) => panic!("{error}"),
        }
    }

    async fn read_all(&self, takes_over: bool) -> (Records, u64) {
        self.0.read_all(takes_over).await.unwrap()
    }

    async fn setting(&self, name: &str) -> Option<String> {
        self.0.setting(name).await.unwrap()
    }

    async fn put_setting(&self, name: &str, value: &str) {
        self.0.put_setting(name, value).await.unwrap();
    }
}

macro_rules! in_indexed_db {
    ($($promise:ident)*) => {
        $(
            #[wasm_bindgen_test]
            async fn $promise() {
                outbox_conformance::$promise::<Opened>().await;
            }
        )*
    };
}
outbox_promises!(in_indexed_db);
