//! The shell in a real browser, against its real IndexedDB.
#![cfg(target_arch = "wasm32")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

use wasm_bindgen_test::wasm_bindgen_test_configure;

mod faults;
mod network;
mod page;
mod save;
mod storage;
mod tabs;

wasm_bindgen_test_configure!(run_in_browser);
