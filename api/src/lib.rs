//! The program `leadlog`.
//!
//! | module | what lives there |
//! | --- | --- |
//! | [`cli`] | the command line: one module per command |
//! | [`http`] | the routes: parse, ask, answer |
//! | [`intake`] | from raw entries to committed events and verdicts: the group commit |
//! | [`store`] | one store opened: its database, its id, what it knows |
//! | [`openapi`] | the OpenAPI document, generated from the routes |
//!
//! Rules about leads live in `domain`, SQL about the log in `event-store`, read models and exports in
//! `projections`. This crate only connects them to the network and to the terminal.

pub mod cli;
pub mod http;
pub mod intake;
pub mod openapi;
pub mod store;
