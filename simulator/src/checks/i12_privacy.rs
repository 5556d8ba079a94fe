//! No personal data in logs, metrics, or error reports: the story of an arena is made of what the parts print of
//! themselves, and every surname in it would be seen.

use super::Violation;
use crate::people::SURNAME;
use crate::world::World;

pub(super) fn at_the_end(world: &World) -> Result<(), Violation> {
    match world.trace.lines().iter().find(|line| line.contains(SURNAME)) {
        Some(_) => Err(Violation::new(12, "a line of the story names a person".to_owned())),
        None => Ok(()),
    }
}
