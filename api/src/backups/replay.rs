//! Back into the log: the entries of a snapshot go through the ordinary intake, brought by somebody who is not their
//! device: that is heard when it speaks itself.
//!
//! Nothing is decided here. What the log has is a duplicate, what breaks a rule goes into quarantine, who was erased
//! stays erased; so replaying again, or in another order, ends with the same streams (invariant 6).

use std::collections::BTreeMap;

use domain::{DeviceReport, Snapshot, SnapshotEntry, SyncRequest, Timestamp, Verdict};
use intake::{Arrival, Direct, IntakeError, RelayProgress};
use time::OffsetDateTime;

use crate::store::Store;

/// Entries that are handed to intake at once.
const MAX_REPLAYED_ENTRIES: usize = 500;

/// What became of entries. Adds up over snapshots.
#[derive(Debug, Default)]
pub struct Replay {
    /// How many had each verdict. Those that wait are not in it.
    pub verdicts: BTreeMap<Verdict, u64>,
    /// Entries whose version before is not in the log, nor in anything that was replayed so far.
    pub waiting: Vec<SnapshotEntry>,
}

impl Replay {
    /// Takes a snapshot in. What had to wait for one of its entries follows.
    ///
    /// # Errors
    /// When the log cannot be written. What was taken in stays; repeating all of it is harmless.
    pub async fn take(&mut self, store: &Store, snapshot: &Snapshot<'_>) -> Result<(), IntakeError> {
        let mut entries: Vec<SnapshotEntry> = snapshot.held().map(|(entry, _)| entry.clone()).collect();
        entries.append(&mut self.waiting);
        // A version never comes before the one that it stands on.
        entries.sort_by_key(|entry| entry.version);
        for part in entries.chunks(MAX_REPLAYED_ENTRIES) {
            self.send(store, part, Vec::new()).await?;
        }
        // What the device had saved is told when its entries are there.
        let Some(saved_through) = snapshot.saved_through else { return Ok(()) };
        let report = DeviceReport::hearsay(snapshot.device_id.clone(), saved_through);
        self.send(store, &[], vec![report]).await
    }

    async fn send(
        &mut self,
        store: &Store,
        entries: &[SnapshotEntry],
        reports: Vec<DeviceReport>,
    ) -> Result<(), IntakeError> {
        let request = SyncRequest {
            reports,
            entries: entries.iter().filter_map(|entry| entry.entry.as_deref()).collect(),
            ..SyncRequest::default()
        };
        let (log, campaigns) = (store.log(), store.campaigns());
        let (recorder, relay) = (Direct(log.clone()), RelayProgress::default());
        let now = Arrival::trusted(Timestamp::new(OffsetDateTime::now_utc()));
        let identity = store.identity();
        let answer =
            intake::answer(log, &recorder, campaigns.as_ref(), identity, &relay, now, &request).await?;
        for (entry, result) in entries.iter().zip(answer.results) {
            if result.status == Verdict::Waiting {
                self.waiting.push(entry.clone());
            } else {
                *self.verdicts.entry(result.status).or_default() += 1;
            }
        }
        Ok(())
    }
}
