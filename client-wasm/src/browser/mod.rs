//! The shell around the engine in a browser: it does the wishes and tells the facts.
//!
//! [`leadlog`] the class that the app sees; [`device`] the loop between engine and browser; [`leads`] saving,
//! fixing and taking back; [`operator`] who captures; [`facts`] what a person may want to know; [`campaigns`] the documents that are held; [`backup`] the outbox as one document, out
//! and in; [`presence`] which installations have been here; [`reign`] which tab may write and send; [`outbox_db`] what is written to IndexedDB and when a Save is done;
//! [`installation`] who numbers entries, and how far it has got; [`idb`]
//! IndexedDB itself; [`request`] one request with a hard time-out; [`lock`] one sending tab; [`signals`] what
//! the browser says about network, visibility and other tabs; [`clock`] time and randomness; [`task`] work that goes on by itself; [`web`] what is said
//! in the browser's own language.
//!
//! Rule for every `RefCell` in here: a borrow ends before the next `await` and before any JavaScript is
//! called, because both may come back in.

mod backup;
mod campaigns;
mod clock;
mod device;
mod facts;
mod idb;
mod identity;
mod installation;
mod leadlog;
mod leads;
mod lock;
mod operator;
mod outbox_db;
mod pending;
mod presence;
mod reign;
mod request;
mod save_error;
mod signals;
mod task;
mod web;

pub use device::Device;
pub use idb::StorageError;
pub use identity::EnrolError;
pub use leadlog::Leadlog;
pub use outbox_db::{DATABASE_NAME, OutboxDb, PutError};
pub use pending::{PendingForm, take_over};
pub use save_error::SaveError;
