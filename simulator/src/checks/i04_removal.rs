//! Personal data is deleted from a device only in cloud custody after retention, or on `erased`: checked whenever
//! a device removes any. And who was erased is gone in the end, from every iPad and every store that runs.

use domain::LEAD_STREAM;
use leadlog_client::engine::record::{EntryRecord, Removed};

use super::{Found, Violation, find, stream};
use crate::people::SURNAME;
use crate::world::{CLOUD, World};

/// An erased person of whom something is still there.
pub(super) fn what_waits(world: &World) -> Option<Violation> {
    for (number, device) in world.devices.iter().enumerate() {
        let mut records = device.disk.entries.values().map(|kept| &kept.record);
        let left = records.find(|it| it.removed.is_none() && world.truth.erased.contains(&it.client_id));
        if let Some(record) = left {
            let what = format!("ipad {number} still holds {}, who was erased", record.client_id);
            return Some(Violation::new(4, what));
        }
    }
    for host in world.addresses.iter().flatten().map(|host| &world.hosts[*host]) {
        for client_id in &world.truth.erased {
            let versions = stream(&host.log, LEAD_STREAM, &client_id.to_string());
            if versions.iter().any(|event| event.payload.contains(SURNAME)) {
                return Some(Violation::new(
                    4,
                    format!("{} still holds {client_id}, who was erased", host.name),
                ));
            }
        }
    }
    None
}

/// A device is about to write this record.
///
/// # Errors
/// When it had no right to remove the personal data, or did not say why it did.
pub fn when_removed(world: &World, record: &EntryRecord) -> Result<(), Violation> {
    let key = (record.client_id, record.version);
    let wrong = |why: &str| Err(Violation::new(4, format!("{}/{} was removed, but {why}", key.0, key.1)));
    match record.removed {
        Some(Removed::Erased) if world.truth.erased.contains(&key.0) => Ok(()),
        Some(Removed::Erased) => wrong("nobody has erased that person"),
        Some(Removed::Retention) if !world.is_campaign_closed => wrong("the campaign is not closed"),
        Some(Removed::Retention) => {
            let Some(saved) = world.truth.get(&key) else { return Ok(()) };
            match find(&world.hosts[CLOUD].log, &key, saved.digest) {
                Found::Recorded | Found::Erased => Ok(()),
                Found::Refused | Found::Nowhere => wrong("the cloud does not have it"),
            }
        }
        None => wrong("no reason was given"),
    }
}
