//! Whether there was another installation here before this one.
//!
//! **An unexpectedly empty database.** Beside the database, in the page's local storage, stands which installation last
//! saved a lead here and under which number. When the app opens and finds another installation there than its own, and
//! no entry of that one, the database was wiped: the person is offered the restore, and the stores are told how much
//! there was ([`crate::engine::loss`]), whatever the person decides, until all of it is back. Of two in a row, the later
//! is told. Where everything was wiped, nothing can be known; a form without leads offers the restore then. A page that
//! is open while the database is wiped puts back what it knows (`Device::read_whole`).

use std::rc::Rc;

use domain::DeviceId;

use super::clock;
use super::device::Device;
use super::web;
use crate::engine::Input;
use crate::engine::loss::LostInstallation;
use crate::engine::record::EntryRecord;
use crate::json::{Fields, Object};

/// What stands beside a database.
pub(super) struct Presence {
    /// Names the installation that last saved a lead here. The app's reduced mode reads it too.
    installation: String,
    /// Names an installation that is gone.
    lost: String,
}

impl Presence {
    pub(super) fn beside(database: &str) -> Self {
        Self { installation: [database, ".installation"].concat(), lost: [database, ".lost"].concat() }
    }

    /// What was here before this installation, if its storage is gone, and none of its entries is among these.
    pub(super) fn lost_before(
        &self,
        device_id: &DeviceId,
        entries: &[EntryRecord],
    ) -> Option<LostInstallation> {
        if let Some(present) = web::recall(&self.installation).and_then(|note| read(&note))
            && present.device_id != *device_id
            && !entries.iter().any(|entry| entry.device_id == present.device_id)
        {
            self.remember(&present);
            web::remember(&self.installation, None);
            return Some(present);
        }
        web::recall(&self.lost).and_then(|note| read(&note))
    }

    /// Notes that there is something in the database.
    pub(super) fn mark(&self, record: &EntryRecord) {
        let mut it = Fields::new();
        it.text("deviceId", record.device_id.as_str());
        it.number("savedThrough", record.device_seq);
        web::remember(&self.installation, Some(&it.end()));
    }

    fn remember(&self, lost: &LostInstallation) {
        web::remember(&self.lost, Some(&write(lost)));
    }

    fn forget(&self) {
        web::remember(&self.lost, None);
    }
}

fn read(note: &str) -> Option<LostInstallation> {
    let it = Object::read(note)?;
    let missed_at = match it.parsed("missedAt") {
        Some(missed_at) => missed_at,
        None => {
            let now = clock::moment();
            now.timestamp(now.unix_ms).ok()?
        }
    };
    Some(LostInstallation {
        device_id: it.parsed("deviceId")?,
        saved_through: it.number("savedThrough")?,
        missed_at,
        is_put_aside: it.is_true("isPutAside"),
    })
}

fn write(lost: &LostInstallation) -> String {
    let mut it = Fields::new();
    it.text("deviceId", lost.device_id.as_str());
    it.number("savedThrough", lost.saved_through);
    it.text("missedAt", &lost.missed_at.to_string());
    it.raw("isPutAside", if lost.is_put_aside { "true" } else { "false" });
    it.end()
}

impl Device {
    /// A person knows of what is gone, and is not asked about it any more.
    pub fn put_loss_aside(self: &Rc<Self>) {
        if let Some(lost) = self.lost.borrow_mut().as_mut() {
            lost.is_put_aside = true;
            self.presence.remember(lost);
        }
        self.tell(Input::LossPutAside);
    }

    /// Forgets what was lost when all of it is here again.
    pub(super) fn settle_loss(&self) {
        if self.engine.borrow().missing() == 0 && self.lost.take().is_some() {
            self.presence.forget();
        }
    }

    /// What is gone and not put aside, as JSON.
    pub(super) fn loss_json(&self) -> Option<String> {
        let lost = self.lost.borrow();
        let missing = self.engine.borrow().missing();
        let lost = lost.as_ref().filter(|lost| missing > 0 && !lost.is_put_aside)?;
        let mut it = Fields::new();
        it.text("deviceId", lost.device_id.as_str());
        it.number("savedThrough", lost.saved_through);
        it.number("missing", missing);
        Some(it.end())
    }
}
