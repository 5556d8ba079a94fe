//! The server as its clients meet it: real HTTP, real PostgreSQL, and for crashes the real program.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod bad_input;
mod crashes;
mod devices;
mod exports;
mod office;
mod openapi;
mod program;
mod quarantine;
mod server;
mod sync;
mod versions;
