//! The device library of Leadlog.
//!
//! Four parts, from pure to impure:
//!
//! - [`capture`] turns what was typed into an entry, the bytes that travel and are never made again.
//! - [`engine`] decides what to send and when, and what the answers mean. It does no I/O; it reads no
//!   clock and draws no random number. It runs in tests as it runs on an iPad.
//! - [`json`] reads what both are given.
//! - `browser` (on `wasm32` only) does what the engine wishes: IndexedDB, `fetch`, timers, locks. It also
//!   holds the class `Leadlog`, which is all that the app sees.
//!
//! `engine` and `capture` never name `browser`.

#[cfg(target_arch = "wasm32")]
pub mod browser;
pub mod capture;
pub mod engine;
pub mod json;
