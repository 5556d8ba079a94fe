//! Read models over the log, and the exports that are made of them.
//!
//! # What a projection promises
//!
//! A [`Projection`] is a name, a version, tables of its own and a pure fold of recorded events. Its tables
//! equal that fold of the log up to its cursor, at every moment that anybody can see: rows and cursor move in
//! one transaction, by compare-and-set on the cursor. So an interrupted projection, one that was killed, and
//! one that is folded again from the beginning hold the same rows (invariant 8).
//!
//! - [`Leads`]: each lead as people see it, and one contact per campaign and e-mail address, the same whatever the
//!   order of arrival (invariant 7).
//! - [`Quarantine`]: refused submissions that nobody has dealt with.
//! - [`Devices`]: which sequence numbers of each device are here, and which are missing (invariant 9).
//!
//! The rules are pure functions in [`fold`], which need no database.
//!
//! # How they move
//!
//! One [`Runner`] works in all processes of a store: it holds an advisory lock on the connection it writes with,
//! so a runner that lost the lock cannot write. It wakes when it is told, polls anyway, and outlives the database's
//! outages. A command line that needs the rows now, with or without a server, calls [`catch_up`]. Whoever has
//! told the runner and waits for a position calls [`wait_for`].
//!
//! # When an event cannot be folded
//!
//! It is parked: named in `parked_events` with the reason, and passed. It stays in the log.
//!
//! # When the rows are in doubt
//!
//! [`status`] tells how far each projection is and what it parked, [`verify`] compares its rows with the log,
//! [`replay`] folds a piece of the log again, and [`rebuild`] all of it, beside the live rows and while leads come in.
//!
//! A projection whose version was raised starts again from the beginning by itself; a program that finds its
//! tables in the hands of a newer one leaves them alone.

mod build;
mod catch_up;
mod cursor;
pub mod devices;
pub mod export;
pub mod fold;
mod leadership;
mod leads;
mod local_time;
mod page;
mod parked;
mod projection;
pub mod quarantine;
mod rebuild;
mod refusal;
mod replay;
mod rights;
mod row;
mod runner;
pub mod statistics;
mod status;
mod transaction;
mod verify;

pub use build::{BuildError, Progress, abandon};
pub use catch_up::{CatchUpError, WaitError, catch_up, catch_up_only, wait_for, wait_while_it_moves};
pub use devices::Devices;
pub use leadership::is_led;
pub use leads::Leads;
pub use projection::{Poison, Projection, Registration, Table};
pub use quarantine::Quarantine;
pub use rebuild::{Poisoned, Rebuilt, rebuild};
pub use refusal::DatabaseError;
pub use replay::{MAX_REPLAY_EVENTS, ReplayError, Replayed, replay};
pub use rights::missing_write_grants;
pub use runner::{Runner, RunnerOptions, Waker};
pub use status::{ParkedEvent, ProjectionStatus, parked_count, parked_events, status};
pub use verify::{DifferenceKind, MAX_NAMED_ROWS, RowDifference, TableVerification, Verification, verify};

/// The projection [`Leads`] as the runner knows it: leads and contacts.
pub static LEADS: Registration = Registration::of::<Leads>();

/// The projection [`Quarantine`] as the runner knows it.
pub static QUARANTINE: Registration = Registration::of::<Quarantine>();

/// The projection [`Devices`] as the runner knows it.
pub static DEVICES: Registration = Registration::of::<Devices>();

/// Every projection of this program.
pub static ALL: [Registration; 3] =
    [Registration::of::<Leads>(), Registration::of::<Quarantine>(), Registration::of::<Devices>()];

/// The projection of this name.
pub fn named(name: &str) -> Option<&'static Registration> {
    ALL.iter().find(|projection| projection.name == name)
}
