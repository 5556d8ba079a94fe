//! What a hub adds to a store: its relay at work, over a real log and a real network.
//!
//! [`relay`] decides, without I/O. Here is what it wishes for: [`courier`] reads the log, sends and keeps; [`cloud`] is the
//! way to the cloud, by HTTP with a token; [`state`] is where the relay stands, and [`link`] what the hub is to its cloud, both
//! kept in the hub's own database; [`backlog`] counts what is still to go. Beside leads, [`exchange`] brings down what the cloud has published, and tells both sides of
//! the devices that came in; [`backups`] brings up theirs.
//!
//! That a store is a hub stands in its database, so that every program that opens it knows, whatever it was started with.

pub mod backlog;
pub mod backups;
pub mod cloud;
pub mod courier;
pub mod exchange;
pub mod link;
pub mod state;
