//! Positions are gapless, and a reader never skips.

use super::Violation;
use crate::world::World;

pub(super) fn at_the_end(world: &World) -> Result<(), Violation> {
    for host in &world.hosts {
        let events = host.log.events();
        for (expected, event) in (1..).zip(&events) {
            if event.position != expected {
                let what = format!("{} has position {} where {expected} belongs", host.name, event.position);
                return Err(Violation::new(11, what));
            }
        }
        let cursor = host.relay_state().cursor;
        if cursor > host.head() {
            let what = format!("{}'s relay stands at {cursor} of {}", host.name, host.head());
            return Err(Violation::new(11, what));
        }
    }
    Ok(())
}
