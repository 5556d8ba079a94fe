//! One sending tab at a time, by Web Locks where there are any.
//!
//! The lock saves requests; it keeps nothing right, because a resend is harmless and what is written is
//! guarded by the epoch on the disk ([`super::outbox_db`]). So a tab that waits too long for a frozen one
//! sends all the same.
//!
//! Which tab has the sending role, between its requests too, is said by a second lock, which dies with its tab:
//! the others wait for it, and one of them takes over at once.

use std::cell::{Cell, OnceCell};

use js_sys::Function;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;

use super::clock::monotonic_ms;
use super::web;

/// How long another tab may hold the lock before it counts as frozen, in milliseconds. Longer than any
/// flight.
const MAX_OTHER_TAB_MS: u64 = 45_000;

/// The lock as this tab sees it.
pub(crate) struct SendLock {
    /// That of the database.
    name: String,
    refused_since_ms: Cell<Option<u64>>,
    /// Says whether this tab has the sending role.
    role: OnceCell<Function>,
}

/// Held until it is dropped. Empty where the browser has no locks.
pub(crate) struct Held {
    release: Option<Function>,
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(release) = &self.release {
            let _ = release.call0(&JsValue::UNDEFINED);
        }
    }
}

impl SendLock {
    /// The lock of the tabs that share this database.
    pub(crate) fn new(database: &str) -> Self {
        Self { name: database.to_owned(), refused_since_ms: Cell::new(None), role: OnceCell::new() }
    }

    /// Calls `gone` whenever another tab that had the sending role is no more.
    pub(crate) fn watch(&self, gone: impl FnMut() + 'static) {
        let name = [&self.name, "-sender"].concat();
        let gone = Closure::<dyn FnMut()>::new(gone).into_js_value().unchecked_into();
        // Watched once.
        let _ = self.role.set(web::watch_sender(&name, &gone));
    }

    /// This tab has the sending role from here on, until another takes it; or another has it.
    pub(crate) fn tell_role(&self, is_own: bool) {
        if let Some(role) = self.role.get() {
            let _ = role.call1(&JsValue::UNDEFINED, &is_own.into());
        }
    }

    /// The lock, or `None` while another tab sends.
    pub(crate) async fn try_hold(&self) -> Option<Held> {
        let now_ms = monotonic_ms();
        let is_frozen = self
            .refused_since_ms
            .get()
            .is_some_and(|since_ms| now_ms.saturating_sub(since_ms) > MAX_OTHER_TAB_MS);
        let answer = JsFuture::from(web::hold(&self.name, is_frozen)).await.unwrap_or_default();
        if answer.is_null() {
            self.refused_since_ms.set(self.refused_since_ms.get().or(Some(now_ms)));
            return None;
        }
        self.refused_since_ms.set(None);
        // Locks that do not work must not stop the sync.
        Some(Held { release: answer.dyn_into().ok() })
    }
}
