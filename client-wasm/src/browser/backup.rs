//! The whole outbox on its way out and back in: backups at a store (SYN-9), files (SYN-10).
//!
//! Taking records in is harmless however often it is done: what is here already is passed over, and what is
//! added keeps its ids, its numbers and its bytes, so that a store which has it says `duplicate`.

use std::rc::Rc;

use domain::ClientId;

use super::clock;
use super::device::{Device, OWN};
use super::idb::StorageError;
use super::pending;
use super::signals::News;
use crate::engine::record::Records;
use crate::engine::{Input, Target};
use crate::json::Fields;
use crate::snapshot;

/// Setting that holds when a store took the last backup, in milliseconds since 1970.
pub(super) const LAST_BACKUP: &str = "lastBackupAt";

/// A whole outbox over a slow network.
const TIMEOUT_MS: u32 = 120_000;

/// How long a person waits for a list, in milliseconds.
const LIST_TIMEOUT_MS: u32 = 15_000;

/// Why leads could not be taken in.
#[derive(Debug)]
pub enum RestoreError {
    /// No store answered, or it has no such backup.
    Unreachable,
    /// This is no snapshot.
    Unreadable,
    /// This device's disk did not take it.
    Storage(StorageError),
}

impl RestoreError {
    /// As the app reads it.
    pub fn to_json(&self) -> String {
        let mut it = Fields::new();
        it.text(
            "code",
            match self {
                Self::Unreachable => "unreachable",
                Self::Unreadable => "unreadable",
                Self::Storage(_) => "storage",
            },
        );
        if let Self::Storage(error) = self {
            it.text("message", &error.to_string());
        }
        it.end()
    }
}

impl Device {
    /// Ships the outbox to a store, because the engine wished it.
    pub(super) async fn back_up(self: Rc<Self>, reign: u64, request_id: u64, target: Target) {
        let is_taken = self.reign.own_epoch().is_some() && self.ship(target).await;
        let outcome = if is_taken {
            let now = clock::moment().unix_ms;
            self.last_backup_at.set(Some(now));
            // Only a person who looks misses it.
            let _ = self.db.put_setting(LAST_BACKUP, &now.to_string()).await;
            Input::BackupDone { request_id }
        } else {
            Input::BackupFailed { request_id }
        };
        self.tell_outcome(reign, outcome);
    }

    async fn ship(self: &Rc<Self>, target: Target) -> bool {
        let Ok(document) = self.snapshot().await else { return false };
        let route = backups_route(self.device_id.borrow().as_str(), None);
        self.ask("PUT", target, &route, Some(&document), TIMEOUT_MS).await.is_some()
    }

    /// The whole outbox, as it is on the disk.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn snapshot(&self) -> Result<String, StorageError> {
        let records = self.db.dump().await?;
        let saved_through = self.engine.borrow().saved_through();
        let device_id = self.device_id.borrow();
        Ok(snapshot::write(&device_id, saved_through, clock::moment().unix_ms, &records))
    }

    /// The backups that the store has of this device, under whatever installation, as its JSON.
    pub async fn backups(self: &Rc<Self>) -> Option<String> {
        self.ask("GET", OWN, "/api/backups", None, LIST_TIMEOUT_MS).await
    }

    /// Takes a backup into this outbox.
    ///
    /// # Errors
    /// [`RestoreError`]; what was taken in before stays.
    pub async fn restore_backup(
        self: &Rc<Self>,
        device_id: &str,
        version: u32,
    ) -> Result<String, RestoreError> {
        let route = backups_route(device_id, Some(version));
        let document =
            self.ask("GET", OWN, &route, None, TIMEOUT_MS).await.ok_or(RestoreError::Unreachable)?;
        self.restore(&document).await
    }

    /// Takes a snapshot into this outbox. The summary is JSON: leads that are `restored`, in a version at least, those
    /// that were `known`, and `unreadable` records.
    ///
    /// # Errors
    /// [`RestoreError`]; what was taken in before stays.
    pub async fn restore(self: &Rc<Self>, document: &str) -> Result<String, RestoreError> {
        let snapshot = snapshot::read(document).ok_or(RestoreError::Unreadable)?;
        let failed = |error| {
            self.disk_is_ahead();
            RestoreError::Storage(error)
        };
        let mut leads: Vec<ClientId> = snapshot.entries.iter().map(|entry| entry.client_id).collect();
        let mut added = self.db.restore(snapshot.entries).await.map_err(failed)?;
        let mut unreadable = snapshot.unreadable;
        for form in &snapshot.forms {
            let capture = pending::PendingForm::read(form).and_then(|form| self.pending_capture(&form));
            let Some(capture) = capture else {
                unreadable += 1;
                continue;
            };
            leads.push(capture.client_id());
            if self.engine.borrow().newest_version(capture.client_id()).is_some() {
                continue;
            }
            let saved = self.db.save(&capture, clock::moment().unix_ms).await;
            added.push(saved.map_err(failed)?);
        }
        let restored = distinct(added.iter().map(|entry| entry.client_id));
        let known = distinct(leads).saturating_sub(restored);
        let records = Records { entries: added, ..Records::default() };
        self.tell_tabs(News { epoch: None, records: records.clone() });
        self.tell(Input::Restored(records));
        self.mark_presence();
        // What was here already, the engine need not have heard of.
        self.disk_is_ahead();
        let mut it = Fields::new();
        it.number("restored", restored as u64);
        it.number("known", known as u64);
        it.number("unreadable", unreadable as u64);
        Ok(it.end())
    }
}

/// They come nearly in order. To sort them would cost a device more to download than all else in here.
fn distinct(leads: impl IntoIterator<Item = ClientId>) -> usize {
    let mut sorted: Vec<ClientId> = Vec::new();
    for lead in leads {
        if let Err(at) = sorted.binary_search(&lead) {
            sorted.insert(at, lead);
        }
    }
    sorted.len()
}

fn backups_route(device_id: &str, version: Option<u32>) -> String {
    let mut route = ["/api/devices/", device_id, "/backups"].concat();
    if let Some(version) = version {
        route.push('/');
        route.push_str(&version.to_string());
    }
    route
}
