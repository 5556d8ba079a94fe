//! The shell in a real browser, against its real IndexedDB.
#![cfg(target_arch = "wasm32")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

use wasm_bindgen_test::wasm_bindgen_test_configure;

mod conformance;
mod faults;
mod fixtures;
mod hubs;
mod identity;
mod network;
mod operator;
#[path = "../outbox_conformance/mod.rs"]
mod outbox_conformance;
mod page;
mod pending;
mod save;
mod seam;
mod storage;
mod tabs;

wasm_bindgen_test_configure!(run_in_browser);
