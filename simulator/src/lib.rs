//! Whole arenas in one process: iPads, hubs, a cloud, networks, disks and clocks, driven by one seed, with faults.
//!
//! Real are the domain, the device's engine, intake, the relay and the folds of the projections; only network,
//! disk, clock and randomness are simulated. An arena has a chaotic phase; then faults stop, and everything must
//! converge within a bounded time. What must hold stands in [`checks`], one file for each invariant.
//!
//! - [`plan`]: what a seed decides before the first step; [`fault`]: what can go wrong; [`mutant`]: broken
//!   variants that must be caught, or the checks prove nothing.
//! - [`world`]: the clock, the events, the parts; [`device`]: an iPad and its shell around the engine; [`store`]:
//!   the cloud and the hubs; [`network`]: between them; [`mischief`]: the faults that are not of the network;
//!   [`people`]: who comes to the booth.
//! - [`truth`]: what really happened, which nobody in the world can see.
//! - [`arena`]: one run; [`fleet`]: many; [`shrink`]: the smallest run that still fails; [`trace`]: its story.
//!
//! Nothing here waits for real time, and nothing depends on it: the same seed and plan replay the same run.

pub mod arena;
pub mod checks;
pub mod device;
pub mod fault;
pub mod fleet;
pub mod mischief;
pub mod mutant;
pub mod network;
pub mod people;
pub mod plan;
pub mod queue;
pub mod shrink;
pub mod store;
pub mod trace;
pub mod truth;
pub mod world;
