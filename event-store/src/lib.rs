//! The log: every event of one store, in one total order.
//!
//! # What it promises
//!
//! - **Positions are gapless and their order is commit order** (invariant 11). Whoever appends holds the one
//!   row of `log_head` until commit and numbers its events from it. So `max(position) = count(*)`, a reader's
//!   cursor is one number, and a reader that has seen position *n* has seen everything before it.
//! - **Idempotency is the primary key.** Version *n* of a lead is sequence *n* of its stream. Appending it
//!   again changes nothing and answers where it stands.
//! - **A later version stands on the one before.** It is recorded only where that one is recorded or was
//!   refused, or comes with the same append; else the answer is [`Placed::Waiting`] and nothing changes.
//! - **What is erased stays erased.** [`EventLog::erase`] takes a person out of the recorded events and lets
//!   nobody bring them back: the answer to a resend is [`Placed::Erased`].
//! - **An answer means committed and flushed** (invariant 3). [`connect`] refuses a server that would lie
//!   about it, and sets `synchronous_commit` itself.
//! - **Bytes are kept as received.** Payloads are `json`, not `jsonb`.
//!
//! # Two logs, one contract
//!
//! [`EventLog`] is what intake and the relay are written over. [`PostgresLog`] keeps it in PostgreSQL;
//! [`MemoryLog`] keeps it in a process that can copy, restore and break it at will. What they share (the order
//! of a batch, what needs what, what an erasure leaves) is code that both call; that they answer alike is what
//! the conformance suite proves for both.

mod batch;
mod claim;
#[cfg(feature = "testing")]
pub mod conformance;
mod erasure;
mod event;
mod followed;
mod log;
mod memory;
mod postgres;
#[cfg(feature = "testing")]
pub mod testing;

pub use event::{EmailClaim, NewEvent, RecordedEvent};
pub use followed::FollowedStream;
pub use log::{AppendError, Appended, EventLog, Head, LogError, Placed};
pub use memory::{AppendFailure, MemoryLog};
pub use postgres::{
    ConnectError, PostgresLog, append, close, connect, head, head_to_append, holds_receipts, is_forbidden,
    is_hub, is_there, migrate, missing_append_grants, missing_grants, missing_read_grants, read_after,
};
