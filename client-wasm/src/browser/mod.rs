//! The shell around the engine in a browser: it does the wishes and tells the facts.
//!
//! [`leadlog`] the class that the app sees; [`device`] the loop between engine and browser; [`outbox_db`]
//! what is written to IndexedDB and when a Save is done; [`idb`] IndexedDB itself; [`request`] one `POST`
//! with a hard time-out; [`lock`] one sending tab; [`signals`] what the browser says about network,
//! visibility and other tabs; [`clock`] time and randomness.
//!
//! Rule for every `RefCell` in here: a borrow ends before the next `await` and before any JavaScript is
//! called, because both may come back in.

mod clock;
mod device;
mod idb;
mod leadlog;
mod lock;
mod outbox_db;
mod request;
mod signals;

pub use device::{Device, SaveError};
pub use idb::StorageError;
pub use leadlog::Leadlog;
pub use outbox_db::{DATABASE_NAME, OutboxDb};
