//! Backups of devices, and the ways back from them (SYN-9, SYN-10).
//!
//! A device ships its whole outbox every few minutes when something changed. It is a safety net beside the log: nothing
//! here is a lead until it went through intake.
//!
//! - [`put`] keeps a snapshot: a dense version per installation, the last [`KEPT_VERSIONS`] of each. Of two that
//!   come at once the second waits. The same records are not stored twice.
//! - [`list`], [`of_device`], [`content`] and [`document`] find and read them.
//! - [`replay`] hands the entries of a snapshot to intake, as a sync would: harmless however often, in any order.
//! - [`erasure`] takes erased people out of them.
//!
//! When the database is away, nothing is stored, and the device ships its outbox again with the next backup.

pub mod erasure;
mod packed;
pub mod replay;
mod shelf;

pub use packed::{Packed, UnreadableBackup};
pub use shelf::{
    Backup, KEPT_VERSIONS, Kept, MAX_LISTED, content, document, list, missing_grants, of_device, put,
    put_if_newer,
};

/// Why backups cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The database is away or in trouble.
    #[error("the database cannot be used now")]
    Database(#[from] sqlx::Error),
    /// What is stored cannot be read.
    #[error(transparent)]
    Unreadable(#[from] UnreadableBackup),
}
