//! No login, clock, schema, campaign or tier change blocks a Save; if the disk refuses, the text stays and the
//! person is told. So in the end everybody who came was saved.

use super::Violation;
use crate::world::World;

/// Who has not been saved yet.
pub(super) fn what_waits(world: &World) -> Option<Violation> {
    let came = world.plan.devices * world.plan.leads_per_device;
    let left: usize = world.devices.iter().map(|device| device.leads_left).sum();
    let saved = world.truth.entries().filter(|((_, version), _)| *version == 1).count();
    (saved + left < came || left > 0).then(|| {
        let what = format!("{came} people came in all, {left} are still to come, {saved} were saved");
        Violation::new(10, what)
    })
}
