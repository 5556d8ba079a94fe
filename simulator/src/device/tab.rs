//! One open page: the engine, and the shell that does what it wishes.

use leadlog_client::engine::record::Records;
use leadlog_client::engine::status::Status;
use leadlog_client::engine::{Engine, Input};

/// An open page.
pub struct Tab {
    /// The real engine.
    pub engine: Engine,
    /// Raised with every start, so that what was planned for an earlier one is known to be late.
    pub generation: u64,
    /// The epoch on disk when this page read it.
    pub seen_epoch: u64,
    /// The epoch under which this page may write, if it has taken over the writing.
    pub held_epoch: Option<u64>,
    /// When another tab that sends was heard last.
    pub other_heard_ms: Option<u64>,
    /// Nothing runs; facts wait.
    pub is_frozen: bool,
    /// The facts that wait.
    pub inbox: Vec<Fact>,
    /// When the timer rings.
    pub wake_at_ms: Option<u64>,
    /// What the person sees.
    pub status: Option<Status>,
}

impl Tab {
    /// The newest epoch that this page knows.
    pub fn epoch(&self) -> u64 {
        self.held_epoch.unwrap_or(self.seen_epoch)
    }

    /// Whether another tab sends, and lives.
    pub fn is_ruled_by_other_tab(&self, now_ms: u64) -> bool {
        let is_alive = |heard_ms| now_ms - heard_ms <= MAX_SILENCE_MS;
        self.held_epoch.is_none() && self.other_heard_ms.is_some_and(is_alive)
    }
}

/// What a page hears.
#[derive(Debug)]
pub enum Fact {
    /// For the engine.
    Input(Input),
    /// Another tab wrote this, under that epoch; none for a Save. Or it only says that it lives.
    News {
        /// The epoch of the writer.
        epoch: Option<u64>,
        /// What it wrote.
        records: Records,
    },
}

/// The Web Lock of the tab that has a request under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SendLock {
    /// The tab and its start.
    pub holder: (usize, u64),
    /// Since when.
    pub since_ms: u64,
}

/// How long another tab may hold the lock before it counts as frozen, in milliseconds; as in the browser.
pub const MAX_OTHER_TAB_MS: u64 = 45_000;

/// How long the tab that sends may be silent before another takes over, in milliseconds; as in the browser.
pub const MAX_SILENCE_MS: u64 = 75_000;
