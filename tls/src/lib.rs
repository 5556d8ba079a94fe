//! The certificates of a server that speaks TLS itself, and how an iPad comes to trust them.
//!
//! A server has its certificate in one of two ways. Both are looked at every few seconds while it runs ([`Upkeep`]), and what is
//! found is used for the connections from then on; those that are there already stay as they are ([`Certificates`]).
//!
//! - **Files of somebody else's** ([`CertificateFiles`]): a public name that leads to an address on the LAN, with a public
//!   certificate that some tool renews. What cannot be used is told once, and what was used before goes on.
//! - **A CA of its own** ([`OwnCertificates`]), which iPads get as a configuration profile ([`configuration_profile`]). It is made
//!   once and never again by itself, because each new one must be installed on every iPad by hand. It can vouch for names under
//!   `.local`, private addresses and the names that it was made for, and for nothing else.
//!
//! When nothing can be done (a full disk, a broken file), what is in use stays in use. Only at the start is anything an error.

mod addresses;
mod der;
mod files;
mod folder;
mod names;
mod own;
mod pair;
mod profile;
mod server;
mod upkeep;

pub use addresses::{MAX_ADDRESSES, of_this_machine};
pub use files::{CertificateFiles, FilesError};
pub use names::{NameError, parse_local_label, parse_name};
pub use own::{AuthorityInfo, OwnCertificates, OwnError, Wanted};
pub use pair::PairError;
pub use profile::{ProfileText, configuration_profile};
pub use server::{Certificates, server_config};
pub use upkeep::Upkeep;
