//! STA-1: the dot is green only when every lead on the iPad is in the cloud. Looked at a moment after a page has
//! turned green, as a person would: what another page saved in that very moment may still be on its way here.

use leadlog_client::engine::status::Light;

use super::{Found, Violation, find};
use crate::truth::Worth;
use crate::world::{CLOUD, World};

/// When a person looks, in milliseconds after the dot has turned green.
pub const LOOK_AFTER_MS: u64 = 1_000;

/// A person looks at a page that has turned green.
///
/// # Errors
/// When it is still green and a lead is not in the cloud.
pub fn when_looked_at(world: &World, device: usize, tab: usize, generation: u64) -> Result<(), Violation> {
    let open = world.devices[device].tabs[tab].as_ref().filter(|open| open.generation == generation);
    let is_green = open.is_some_and(|open| {
        !open.is_frozen && open.status.as_ref().is_some_and(|status| status.state == Light::Green)
    });
    // Nobody can know that the cloud has just lost something before talking to it.
    if !is_green || world.truth.cloud_lost_history {
        return Ok(());
    }
    for kept in world.devices[device].disk.entries.values() {
        let record = &kept.record;
        let key = (record.client_id, record.version);
        let Some(saved) = world.truth.get(&key) else { continue };
        let is_new = saved.saved_at_ms + LOOK_AFTER_MS > world.now_ms;
        // What was refused by a hub and replaced by a later version waits for nobody.
        if is_new || record.removed.is_some() || saved.worth == Worth::Invalid {
            continue;
        }
        if find(&world.hosts[CLOUD].log, &key, saved.digest) == Found::Nowhere {
            let what = format!("ipad {device} shows green, but {}/{} is not in the cloud", key.0, key.1);
            return Err(Violation::new(2, what));
        }
    }
    Ok(())
}
