//! Personal data is deleted from a device only in cloud custody after retention, or on `erased`. Checked
//! whenever a device removes any.

use leadlog_client::engine::record::{EntryRecord, Removed};

use super::{Found, Violation, find};
use crate::world::{CLOUD, World};

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
