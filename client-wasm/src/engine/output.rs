//! Wishes: what the engine asks the shell to do.

use super::Target;
use super::record::Records;
use super::status::{Status, Summary};

/// A wish.
#[derive(Debug, PartialEq, Eq)]
pub enum Output {
    /// Write these in one transaction, then say [`Input::PutDone`] or [`Input::PutFailed`]. There is never
    /// a second one before that.
    Put(Records),
    /// `POST` this to the sync route, once, within this time. There is never a second one before its outcome
    /// or the end of its lease.
    Send {
        /// To be named in the outcome.
        request_id: u64,
        /// Where.
        target: Target,
        /// JSON.
        body: String,
        /// When to abort, in milliseconds.
        timeout_ms: u32,
    },
    /// Ask the health route, within this time; say [`Input::HealthAnswered`] or [`Input::HealthMissed`].
    Probe {
        /// Where.
        target: Target,
        /// When to give up, in milliseconds.
        timeout_ms: u32,
    },
    /// Ship the whole database as it is on disk; say [`Input::BackupDone`] or [`Input::BackupFailed`].
    Backup {
        /// To be named in the outcome.
        request_id: u64,
        /// Where.
        target: Target,
    },
    /// Say [`Input::Tick`] at this time, in the milliseconds of [`Engine::handle`]. Replaces the last wish.
    WakeAt(u64),
    /// Tell people.
    Show(Status),
    /// What the run did that a person had asked for.
    Done(Summary),
}
