//! Which tab may write, and what to do with facts while an engine is being read from the disk.
//!
//! A reign is the life of one engine in this tab. It knows the epoch of the disk that it was read under, and
//! whether this tab began that epoch; only then may it write, and sends. The tab that sends is heard at least
//! after each request; while it is, the others leave the sending to it, or they would displace each other for
//! ever.

use std::cell::{Cell, RefCell};

use crate::engine::Input;
use crate::engine::record::Records;

/// How long the tab that sends may be silent before another takes over, in milliseconds. Longer than the time
/// between two regular requests.
const MAX_SILENCE_MS: u64 = 75_000;

/// The present reign.
pub(crate) struct Reign {
    number: Cell<u64>,
    epoch: Cell<u64>,
    is_own: Cell<bool>,
    /// When another tab that sends was heard.
    other_heard_ms: Cell<Option<u64>>,
    /// While the next engine is being read: what it must hear afterwards.
    kept: RefCell<Option<Vec<Input>>>,
}

/// What another tab's news are worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Heard {
    /// Of the epoch that is known here, or of none: a Save.
    Ours,
    /// Another tab has taken over since.
    Newer,
    /// Written before what is known here; it may have been voided since.
    Older,
}

impl Reign {
    pub(crate) fn new(epoch: u64, is_own: bool) -> Self {
        let (epoch, is_own) = (Cell::new(epoch), Cell::new(is_own));
        Self {
            number: Cell::new(0),
            epoch,
            is_own,
            other_heard_ms: Cell::new(None),
            kept: RefCell::new(None),
        }
    }

    /// Names this reign.
    pub(crate) fn number(&self) -> u64 {
        self.number.get()
    }

    /// Whether it is still that reign.
    pub(crate) fn is(&self, number: u64) -> bool {
        self.number.get() == number
    }

    /// The epoch that this tab has begun, if it has the writing.
    pub(crate) fn own_epoch(&self) -> Option<u64> {
        self.is_own.get().then(|| self.epoch.get())
    }

    pub(crate) fn judge(&self, epoch: Option<u64>, now_ms: u64) -> Heard {
        let Some(epoch) = epoch else { return Heard::Ours };
        if epoch < self.epoch.get() {
            return Heard::Older;
        }
        self.other_heard_ms.set(Some(now_ms));
        if epoch > self.epoch.get() { Heard::Newer } else { Heard::Ours }
    }

    /// Whether another tab sends, and lives.
    pub(crate) fn is_ruled_by_other_tab(&self, now_ms: u64) -> bool {
        let is_alive = |heard_ms| now_ms.saturating_sub(heard_ms) <= MAX_SILENCE_MS;
        !self.is_own.get() && self.other_heard_ms.get().is_some_and(is_alive)
    }

    /// The tab that had the sending role is no more.
    pub(crate) fn other_is_gone(&self) {
        self.other_heard_ms.set(None);
    }

    /// Keeps a fact while the next engine is being read; otherwise gives it back.
    pub(crate) fn keep_while_reading(&self, input: Input) -> Option<Input> {
        match self.kept.borrow_mut().as_mut() {
            Some(kept) => {
                // What stores said, the read finds on the disk, and perhaps something newer.
                kept.push(match input {
                    Input::Learned(Records { entries, .. }) => {
                        Input::Learned(Records { entries, ..Records::default() })
                    }
                    other => other,
                });
                None
            }
            None => Some(input),
        }
    }

    /// The next engine is being read: outcomes of what this one wished are of no use any more. `false` when
    /// that is so already.
    pub(crate) fn begin_reading(&self) -> bool {
        let mut kept = self.kept.borrow_mut();
        if kept.is_some() {
            return false;
        }
        *kept = Some(Vec::new());
        self.number.set(self.number.get() + 1);
        true
    }

    /// It was read. Returns what it must hear after that.
    pub(crate) fn read(&self, epoch: u64, is_own: bool) -> Vec<Input> {
        self.epoch.set(epoch);
        self.is_own.set(is_own);
        self.kept.take().unwrap_or_default()
    }

    /// It could not be read, and the old one goes on. Returns what it missed: a write that was under way
    /// counts as failed, because its outcome is not told any more.
    pub(crate) fn not_read(&self) -> Vec<Input> {
        self.is_own.set(false);
        let mut missed = vec![Input::PutFailed];
        missed.append(&mut self.kept.take().unwrap_or_default());
        missed
    }
}
