//! What an authority promises of devices, people and API clients.
#![expect(clippy::unwrap_used, reason = "a test ends where it fails")]

mod authority;
mod devices;
mod people;
