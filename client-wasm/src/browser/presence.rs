//! Which installations have been on this device.
//!
//! **An unexpectedly empty database.** Beside the database, in the page's local storage, stands each installation that was
//! here, with its highest number. It is never taken away: entries are never deleted, so as long as fewer of them are
//! in the outbox than there were, storage was wiped. Then the person is offered the restore, and the stores are told how
//! much there was ([`crate::engine::loss`]). Where local storage was wiped too, nothing can be known; a form without
//! leads offers the restore then. A page that is open while the database is wiped puts back what it knows
//! (`Device::read_whole`).

use std::rc::Rc;

use domain::{DeviceId, Timestamp};

use super::clock;
use super::device::Device;
use super::web;
use crate::engine::Input;
use crate::engine::loss::LostInstallation;
use crate::engine::record::{EntryRecord, Records};
use crate::json::{self, Fields, Object, writer};

/// The note beside a database.
pub(super) struct Presence {
    name: String,
}

/// An installation in it.
struct Noted {
    device_id: DeviceId,
    /// The highest number that it has saved.
    saved_through: u64,
    /// When it was found that some of its entries are gone.
    missed_at: Option<Timestamp>,
    /// How many are gone that a person knows of.
    put_aside: u64,
}

impl Presence {
    pub(super) fn beside(database: &str) -> Self {
        // The app's reduced mode reads it too.
        Self { name: [database, ".installations"].concat() }
    }

    /// Notes that this installation has saved this number.
    pub(super) fn mark(&self, device_id: &DeviceId, seq: u64) {
        let mut all = self.read();
        let at = all.iter().position(|noted| noted.device_id == *device_id).unwrap_or(all.len());
        let mut noted = if at < all.len() {
            all.remove(at)
        } else {
            Noted { device_id: device_id.clone(), saved_through: 0, missed_at: None, put_aside: 0 }
        };
        // Another tab may have noted a higher one.
        noted.saved_through = noted.saved_through.max(seq);
        // The one that saves is the last.
        all.push(noted);
        self.write(&all);
    }

    /// The installations of which some entries are not among these. This one is not lost, whatever is missing.
    pub(super) fn lost(&self, device_id: &DeviceId, records: &Records) -> Vec<LostInstallation> {
        let mut lost = Vec::new();
        let mut all = self.read();
        for noted in all.iter_mut().filter(|noted| noted.device_id != *device_id) {
            let is_its =
                |it: &&EntryRecord| it.device_id == noted.device_id && it.device_seq <= noted.saved_through;
            // What only a later version of the app can read may be its.
            let here = records.entries.iter().filter(is_its).count() + records.unreadable;
            if here as u64 >= noted.saved_through {
                // Should it be lost once more, that is another matter.
                (noted.missed_at, noted.put_aside) = (None, 0);
                continue;
            }
            let now = clock::moment();
            let Some(missed_at) = noted.missed_at.or_else(|| now.timestamp(now.unix_ms).ok()) else {
                continue;
            };
            noted.missed_at = Some(missed_at);
            lost.push(LostInstallation {
                device_id: noted.device_id.clone(),
                saved_through: noted.saved_through,
                missed_at,
                put_aside: noted.put_aside,
            });
        }
        if !all.is_empty() {
            self.write(&all);
        }
        lost
    }

    /// A person knows that so many entries of this installation are missing.
    fn put_aside(&self, device_id: &DeviceId, missing: u64) {
        let mut all = self.read();
        for noted in all.iter_mut().filter(|noted| noted.device_id == *device_id) {
            noted.put_aside = missing;
        }
        self.write(&all);
    }

    fn is_put_aside(&self, device_id: &DeviceId, missing: u64) -> bool {
        self.read().iter().any(|noted| noted.device_id == *device_id && noted.put_aside >= missing)
    }

    fn read(&self) -> Vec<Noted> {
        let note = web::recall(&self.name).unwrap_or_default();
        let noted = |it: json::Raw<'_>| {
            let it = Object::read(it.text())?;
            Some(Noted {
                device_id: it.parsed("deviceId")?,
                saved_through: it.number("savedThrough")?,
                missed_at: it.parsed("missedAt"),
                put_aside: it.number("putAside").unwrap_or_default(),
            })
        };
        json::items(&note).unwrap_or_default().into_iter().filter_map(noted).collect()
    }

    fn write(&self, all: &[Noted]) {
        let noted = |noted: &Noted| {
            let mut it = Fields::new();
            it.text("deviceId", noted.device_id.as_str());
            it.number("savedThrough", noted.saved_through);
            it.raw_if("missedAt", noted.missed_at.map(|at| writer::text(&at.to_string())));
            it.number("putAside", noted.put_aside);
            it.end()
        };
        web::remember(&self.name, &writer::array(&all.iter().map(noted).collect::<Vec<_>>()));
    }
}

impl Device {
    /// A person knows of what is gone, and is not asked about it any more.
    pub fn put_loss_aside(self: &Rc<Self>) {
        for (device_id, missing) in self.losses() {
            self.presence.put_aside(&device_id, missing);
        }
        self.tell(Input::LossPutAside);
    }

    /// A person may have said so in another tab.
    pub(super) fn look_for_word_of_loss(self: &Rc<Self>) {
        let losses = self.losses();
        if losses.iter().all(|(device_id, missing)| self.presence.is_put_aside(device_id, *missing)) {
            self.tell(Input::LossPutAside);
        }
    }

    fn losses(&self) -> Vec<(DeviceId, u64)> {
        self.engine.borrow().losses().map(|(lost, missing)| (lost.device_id.clone(), missing)).collect()
    }
}
