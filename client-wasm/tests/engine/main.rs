//! The engine through its only door: facts in, wishes out. One file per rule of its documentation, and random
//! histories in `faults`.
#![cfg(not(target_arch = "wasm32"))]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod custody;
mod faults;
mod listing;
mod loss;
mod memory_outbox;
#[path = "../outbox_conformance/mod.rs"]
mod outbox_conformance;
mod removal;
mod status;
mod step;
mod store;
mod tiers;
mod triggers;
mod versions;
mod world;
