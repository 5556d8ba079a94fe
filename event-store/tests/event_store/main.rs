//! What the log promises, in memory and in PostgreSQL.
#![expect(clippy::unwrap_used, reason = "a test ends where it fails")]

mod conformance;
mod postgres;
