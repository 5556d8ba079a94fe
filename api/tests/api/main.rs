//! The server as its clients meet it: real HTTP, real PostgreSQL, and for crashes the real program.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod app;
mod authorization;
mod backups;
mod bad_input;
mod campaigns;
mod check_email;
mod clients;
mod crashes;
mod database_users;
mod devices;
mod enrolment;
mod exports;
mod hub;
mod interruptions;
mod live;
mod no_personal_data_in_logs;
mod office;
mod openapi;
mod origins;
mod program;
mod projections;
mod proxies;
mod quarantine;
mod recovery;
mod server;
mod sign_in;
mod spreadsheets;
mod sync;
mod tls;
mod tokens;
mod venue;
mod versions;
