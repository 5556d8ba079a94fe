//! The one request that is under way, over all targets, and the run that it belongs to. That an entry is
//! `syncing` follows from the flight, which exists in memory only and has a deadline: it is a lease. A crash
//! or a request that never ends leaves nothing behind.

use domain::{Receipt, StoreId};

use super::Target;
use super::reading::Cursors;
use super::status::Summary;

/// How long a request may take before the browser aborts it, in milliseconds.
pub const REQUEST_TIMEOUT_MS: u32 = 30_000;

/// How long the engine waits for the outcome of a request, in milliseconds. Longer than the request's own
/// time, which the browser may fail to keep.
pub const FLIGHT_LEASE_MS: u64 = 35_000;

/// A request that is under way.
#[derive(Debug)]
pub struct Flight {
    /// Names the request; the outcome of another one is too late.
    pub request_id: u64,
    /// Where it went.
    pub target: Target,
    /// The store that it was made for: its receipt was shown, its cursors were sent. `None` when it was not
    /// known who answers there; then the cursors were at the start.
    pub store: Option<StoreId>,
    /// The cursors that were sent.
    pub cursors: Cursors,
    /// The entries in it, oldest first.
    pub keys: Vec<u64>,
    /// The receipt that was shown, on which a verdict about lineage rests.
    pub shown: Option<Receipt>,
    /// When the lease ends.
    pub deadline_ms: u64,
}

/// Requests since the trigger that began it.
#[derive(Debug, Default)]
pub struct Run {
    /// What happened so far.
    pub summary: Summary,
    /// Whether a person waits for the summary.
    pub is_awaited: bool,
}
