//! The program `leadlog`.
//!
//! | module | what lives there |
//! | --- | --- |
//! | [`campaigns`] | the campaigns of a store: what is published, and publishing |
//! | [`cli`] | the command line: one module per command |
//! | [`http`] | the routes: parse, ask, answer |
//! | [`backups`] | snapshots of devices: kept, handed out, replayed into the log |
//! | [`conditions`] | what devices say of themselves |
//! | [`live`] | what is going on, for whoever watches, and what somebody should do something about |
//! | [`office`] | what the office does with a lead after the event |
//! | [`store`] | one store opened: its database, its id, what it knows |
//! | [`openapi`] | the OpenAPI document, generated from the routes |
//!
//! Rules about leads live in `domain`, SQL about the log in `event-store`, tokens and clients in `identity`, the way from entries to verdicts in
//! `intake`, read models and exports in `projections`. This crate only connects them to the network and to the terminal.

pub mod backups;
pub mod campaigns;
pub mod cli;
pub mod conditions;
pub mod http;
pub mod live;
pub mod office;
pub mod openapi;
pub mod store;
