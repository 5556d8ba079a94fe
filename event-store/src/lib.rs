//! The log: every event of one store, in one total order, in PostgreSQL.
//!
//! # What it promises
//!
//! - **Positions are gapless and their order is commit order** (invariant 11). Whoever appends holds the one
//!   row of `log_head` until commit and numbers its events from it. So `max(position) = count(*)`, a reader's
//!   cursor is one number, and a reader that has seen position *n* has seen everything before it.
//! - **Idempotency is the primary key.** Version *n* of a lead is sequence *n* of its stream. Appending it
//!   again changes nothing and answers where it stands.
//! - **An answer means committed and flushed** (invariant 3). [`connect`] refuses a server that would lie
//!   about it, and sets `synchronous_commit` itself.
//! - **Bytes are kept as received.** Payloads are `json`, not `jsonb`.
//!
//! # How an append works
//!
//! [`append`] hands arrays to the SQL function `append_events` (in the migrations): it takes the head,
//! inserts, claims e-mail addresses and answers per event, in one round trip and one commit. The lock is
//! held for the length of that commit; `leadlog`'s intake pays for it by appending whatever is waiting as
//! one group.
//!
//! `postgres-es` writes the same table: its single rows get their position from a column default that takes
//! the same lock.

mod append;
mod connect;
mod head;
mod read;
#[cfg(feature = "testing")]
pub mod testing;

pub use append::{AppendError, Appended, EmailClaim, NewEvent, append};
pub use connect::{ConnectError, connect, migrate};
pub use head::{Head, head, holds_receipts};
pub use read::{RecordedEvent, read_after};
