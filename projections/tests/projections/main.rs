//! What projections promise, purely and over a real log. One program, because each would be linked with all of SQL anew.
#![expect(clippy::unwrap_used, reason = "a test ends where it fails")]

mod captures;
mod devices;
mod event_forms;
mod export;
mod folds;
mod lead_views;
mod order_of_arrival;
mod quarantine;
mod rebuild;
mod refusals;
mod runner;

use std::time::Duration;

use projections::RunnerOptions;

/// Nothing is waited for.
const QUICK: RunnerOptions = RunnerOptions {
    poll_interval: Duration::from_millis(20),
    pause: Duration::ZERO,
    gather: Duration::ZERO,
    page_events: 100,
};
