//! Any routes converge to the same streams per lead: whatever a store holds of a lead has the bytes that the
//! device made.

use domain::LEAD_STREAM;

use super::{Violation, digest_of};
use crate::world::World;

pub(super) fn at_the_end(world: &World) -> Result<(), Violation> {
    for host in &world.hosts {
        for event in host.log.events().into_iter().filter(|event| event.aggregate_type == LEAD_STREAM) {
            let Ok(client_id) = event.aggregate_id.parse() else { continue };
            let Ok(version) = u32::try_from(event.sequence) else { continue };
            let saved = world.truth.get(&(client_id, version));
            let is_same = match (saved, digest_of(&event)) {
                (Some(saved), Some(digest)) => saved.digest.to_string() == digest,
                // An erasure takes the digest along.
                (Some(_), None) => world.truth.erased.contains(&client_id),
                (None, _) => false,
            };
            if !is_same {
                let what = format!("{} holds {client_id}/{version} with bytes that nobody saved", host.name);
                return Err(Violation::new(6, what));
            }
        }
    }
    Ok(())
}
