//! One sending tab at a time, by Web Locks where there are any.
//!
//! The lock saves requests; it keeps nothing right, because a resend is harmless and what is written is
//! guarded by the epoch on the disk ([`super::outbox_db`]). So a tab that waits too long for a frozen one
//! sends all the same.
//!
//! Which tab has the sending role, between its requests too, is said by a second lock, which dies with its tab:
//! the others wait for it, and one of them takes over at once.

use std::cell::{Cell, OnceCell, RefCell};
use std::rc::Rc;

use js_sys::{Function, Object, Promise, Reflect};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;

use super::clock::{monotonic_ms, window};
use super::web;

/// How long another tab may hold the lock before it counts as frozen, in milliseconds. Longer than any
/// flight.
const MAX_OTHER_TAB_MS: u64 = 45_000;

#[wasm_bindgen]
extern "C" {
    /// `web-sys` keeps Web Locks behind its flag for unstable interfaces.
    type LockManager;
    #[wasm_bindgen(method, catch)]
    fn request(
        this: &LockManager,
        name: &str,
        options: &Object,
        granted: &Function,
    ) -> Result<Request, JsValue>;

    /// The promise of a lock; `js-sys` takes closures only, and a plain function is at hand.
    type Request;
    #[wasm_bindgen(method)]
    fn then(this: &Request, resolved: &Function, rejected: &Function) -> Promise;
}

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
        let Some(locks) = lock_manager() else { return Some(Held { release: None }) };
        let now_ms = monotonic_ms();
        let is_frozen = self
            .refused_since_ms
            .get()
            .is_some_and(|since_ms| now_ms.saturating_sub(since_ms) > MAX_OTHER_TAB_MS);
        match hold(&locks, &self.name, is_frozen).await {
            Ok(Some(held)) => {
                self.refused_since_ms.set(None);
                Some(held)
            }
            Ok(None) => {
                self.refused_since_ms.set(self.refused_since_ms.get().or(Some(now_ms)));
                None
            }
            // Locks that do not work must not stop the sync.
            Err(_) => Some(Held { release: None }),
        }
    }
}

fn lock_manager() -> Option<LockManager> {
    let locks = Reflect::get(&window().ok()?.navigator(), &"locks".into()).ok()?;
    locks.is_object().then(|| locks.unchecked_into())
}

/// Asks for the lock. It is held until the promise that the callback returns is resolved.
async fn hold(locks: &LockManager, name: &str, steal: bool) -> Result<Option<Held>, JsValue> {
    let options = Object::new();
    Reflect::set(&options, &if steal { "steal" } else { "ifAvailable" }.into(), &JsValue::TRUE)?;
    let release: Rc<RefCell<Option<Function>>> = Rc::default();
    let mut granted: Option<Closure<dyn FnMut(JsValue) -> JsValue>> = None;
    let mut asked: Result<Request, JsValue> = Err(JsValue::UNDEFINED);
    let answer = Promise::new(&mut |resolve, _| {
        let release = Rc::clone(&release);
        let answered = resolve.clone();
        let closure = Closure::<dyn FnMut(JsValue) -> JsValue>::new(move |lock: JsValue| {
            let _ = answered.call1(&JsValue::UNDEFINED, &JsValue::UNDEFINED);
            if lock.is_null() {
                return JsValue::UNDEFINED;
            }
            Promise::new(&mut |resolve, _| *release.borrow_mut() = Some(resolve)).into()
        });
        asked = locks.request(name, &options, closure.as_ref().unchecked_ref());
        if let Ok(promise) = &asked {
            // Also when the browser rejects, for example because another tab has stolen the lock later.
            let _ = promise.then(&resolve, &resolve);
        }
        granted = Some(closure);
    });
    asked?;
    JsFuture::from(answer).await?;
    let release = release.borrow_mut().take();
    Ok(release.map(|release| Held { release: Some(release) }))
}
