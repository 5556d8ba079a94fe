//! Any routes converge to the same streams per lead: whatever a store holds of a lead has the bytes that the
//! device made.

use domain::{Digest, LEAD_STREAM};

use super::Violation;
use crate::world::World;

pub(super) fn at_the_end(world: &World) -> Result<(), Violation> {
    for host in &world.hosts {
        for event in host.log.events().into_iter().filter(|event| event.aggregate_type == LEAD_STREAM) {
            let Ok(client_id) = event.aggregate_id.parse() else { continue };
            let Ok(version) = u32::try_from(event.sequence) else { continue };
            let saved = world.truth.get(&(client_id, version));
            // An erasure takes the person, and the digest, along.
            let is_same = saved.is_some_and(|saved| {
                Digest::of(&event.payload) == saved.digest || world.truth.erased.contains(&client_id)
            });
            if !is_same {
                let what = format!("{} holds {client_id}/{version} with bytes that nobody saved", host.name);
                return Err(Violation::new(6, what));
            }
        }
    }
    Ok(())
}
