//! Save resolved ⇒ the lead survives a crash at any later step. Checked whenever a page opens.

use std::collections::BTreeMap;

use super::Violation;
use crate::world::World;

/// A page opens on this iPad.
///
/// # Errors
/// When an entry whose Save had resolved is not on its disk, or with other bytes.
pub fn when_opened(world: &World, device: usize) -> Result<(), Violation> {
    let disk = &world.devices[device].disk;
    let kept: BTreeMap<_, _> = disk
        .entries
        .values()
        .map(|kept| ((kept.record.client_id, kept.record.version), &kept.record))
        .collect();
    for (key, saved) in world.truth.of_device(device) {
        let is_whole = kept.get(key).is_some_and(|record| {
            record.removed.is_some() || domain::Digest::of(&record.entry) == saved.digest
        });
        if !is_whole {
            return Err(Violation::new(
                1,
                format!("{}/{} is gone from the disk of ipad {device}", key.0, key.1),
            ));
        }
    }
    Ok(())
}
