//! The device library of Leadlog.
//!
//! Five parts, from pure to impure:
//!
//! - [`capture`] turns what was typed into an entry, the bytes that travel and are never made again.
//! - [`engine`] decides what to send and when, and what the answers mean. It does no I/O; it reads no
//!   clock and draws no random number. It runs in tests as it runs on an iPad.
//! - [`json`] reads what both are given; [`snapshot`] is the whole outbox as one document.
//! - `browser` (on `wasm32` only) does what the engine wishes: IndexedDB, `fetch`, timers, locks. It also
//!   holds the class `Leadlog`, which is all that the app sees.
//!
//! `engine` and `capture` never name `browser`.

#[cfg(target_arch = "wasm32")]
pub mod browser;
pub mod capture;
pub mod engine;
mod entry_text;
pub mod json;
pub mod snapshot;

/// Constant time, and what is given back is used again.
#[cfg(target_arch = "wasm32")]
#[global_allocator]
static ALLOCATOR: rlsf::SmallGlobalTlsf = rlsf::SmallGlobalTlsf::new();
