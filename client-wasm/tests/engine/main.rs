//! The engine through its only door: facts in, wishes out.
#![cfg(not(target_arch = "wasm32"))]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod faults;
mod rules;
mod world;
