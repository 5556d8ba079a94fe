//! Who captures: the person who holds the device.
//!
//! Somebody who has signed in has a session (AUT-2), which is kept with the name in one setting, so that one write changes both.
//! It ends when she signs out or another person takes over. Nothing but a line on the screen depends on it.

use std::rc::Rc;

use super::clock;
use super::device::Device;
use super::idb::StorageError;
use crate::engine::Input;
use crate::engine::session::SignIn;
use crate::json::{Fields, Object};

/// Setting that holds the name, and the session if there is one.
pub(super) const OPERATOR: &str = "operator";

/// Longest name, in characters; a store takes no more.
const MAX_OPERATOR_CHARS: usize = domain::Entry::MAX_OPERATOR_CHARS;

const MS_PER_HOUR: u64 = 3_600_000;

/// The person that the setting names, and when she signed in.
pub(super) fn operator_of(setting: &str) -> (Option<String>, Option<SignIn>) {
    let Some(it) = Object::read(setting) else { return (None, None) };
    let signed_in = || {
        Some(SignIn {
            at_ms: it.number("signedInAt")?,
            lasts_ms: it.number("lastsMs")?,
            grace_ms: it.number("graceMs")?,
        })
    };
    (it.text("name").filter(|name| !name.is_empty()), signed_in())
}

impl Device {
    /// Another person captures from here on; an empty name is nobody's. With the seconds of her session, if she has signed in.
    /// Whoever was signed in before is so no more.
    ///
    /// # Errors
    /// When the disk does not keep it; the name and the session hold until the page goes.
    pub async fn hand_over(self: &Rc<Self>, name: &str, expires_in: Option<u32>) -> Result<(), StorageError> {
        let signed_in = expires_in.map(|seconds| SignIn {
            at_ms: clock::unix_ms(),
            lasts_ms: u64::from(seconds) * 1000,
            grace_ms: u64::from(self.campaigns.session_grace_hours()) * MS_PER_HOUR,
        });
        let name: String = name.trim().chars().take(MAX_OPERATOR_CHARS).collect();
        let name = Some(name).filter(|name| !name.is_empty());
        let mut it = Fields::new();
        it.text("name", name.as_deref().unwrap_or_default());
        if let Some(SignIn { at_ms, lasts_ms, grace_ms }) = signed_in {
            it.number("signedInAt", at_ms);
            it.number("lastsMs", lasts_ms);
            it.number("graceMs", grace_ms);
        }
        *self.operator.borrow_mut() = name;
        self.signed_in.set(signed_in);
        self.look_at_session();
        self.db.put_setting(OPERATOR, &it.end()).await
    }

    /// Reads the session off the date again: while an iPad sleeps, the clock that the engine is told of stands still.
    pub(super) fn look_at_session(self: &Rc<Self>) {
        self.tell(match self.signed_in.get() {
            Some(signed_in) => Input::SessionStarted(signed_in.session(clock::unix_ms())),
            None => Input::SessionEnded,
        });
    }
}
