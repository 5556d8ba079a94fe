//! What a person may want to know about this device.

use std::rc::Rc;

use super::device::Device;
use super::web;
use crate::engine::loss::LostInstallation;
use crate::json::{Fields, writer};

impl Device {
    /// All of it, as JSON.
    pub async fn state(self: &Rc<Self>) -> String {
        let storage = web::storage_state().await;
        let time = |at: Option<i64>| at.map_or_else(|| "null".to_owned(), |at| at.to_string());
        let mut it = Fields::new();
        it.text("deviceId", self.device_id.borrow().as_str());
        it.text("version", env!("CARGO_PKG_VERSION"));
        let operator = self.operator.borrow().as_deref().map(writer::text);
        it.raw("operator", operator.as_deref().unwrap_or("null"));
        it.raw_if("storage", storage);
        let lost: Vec<String> = self.engine.borrow().losses().map(write_loss).collect();
        it.raw("lost", &writer::array(&lost));
        it.raw("lastContactAt", &time(self.last_contact_at.get()));
        it.raw("lastBackupAt", &time(self.last_backup_at.get()));
        it.end()
    }
}

fn write_loss((lost, missing): (&LostInstallation, u64)) -> String {
    let mut it = Fields::new();
    it.text("deviceId", lost.device_id.as_str());
    it.number("savedThrough", lost.saved_through);
    it.number("missing", missing);
    it.end()
}
