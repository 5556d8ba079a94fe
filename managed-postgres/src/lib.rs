//! Runs real PostgreSQL binaries in a data folder of the product's own.
//!
//! [`Cluster::start`] gives a running PostgreSQL for one data folder, whatever state that folder is in:
//!
//! | what it finds | what it does |
//! | --- | --- |
//! | nothing | `initdb` into a temporary folder, rename, start |
//! | a stopped cluster | start |
//! | a server that runs on this folder (another `leadlog`, or an orphan of one that was killed) | use it |
//! | a server that is starting, recovering or stopping | wait for it |
//! | what `kill -9` leaves: a stale `postmaster.pid`, a zombie, a socket nobody listens on | clear it, start |
//! | backends that outlived their postmaster | wait for them, a bounded time |
//!
//! Several processes may use one cluster; the last one that lets go stops it ([`Cluster::release`]).
//!
//! What it never does: listen on a network address, touch a server that the machine runs, change the
//! owner of a folder that is not its own, or switch `fsync` off. Started as root, it runs PostgreSQL as
//! another user (see [`ServiceUser`]). Everything here blocks; call it from a thread that may.
//!
//! The data folder:
//!
//! ```text
//! DATA_DIR/start.lock    held while a process starts or stops the server
//! DATA_DIR/use.lock      held, shared, by every process that uses it
//! DATA_DIR/cluster/      PGDATA; leadlog.conf in it is rewritten at each start
//! DATA_DIR/log/          PostgreSQL's log, one file a weekday; startup.log of the last start
//! DATA_DIR/socket/       the socket, mode 0700; elsewhere when this path is too long for one
//! ```

mod binaries;
mod cluster;
mod error;
mod folders;
mod locks;
mod postmaster;
mod server_log;
mod service_user;
mod session;
mod settings;

pub use binaries::{Binaries, MIN_MAJOR, install_command};
pub use cluster::Cluster;
pub use error::{BinariesError, ReleaseError, ServiceUserError, StartError};
pub use service_user::ServiceUser;

/// The database that the product keeps its log in, and the superuser of the cluster. Local connections
/// need no password: only the owner of the socket folder, and root, can reach the socket.
pub const DATABASE: &str = "leadlog";

/// Names the socket file. Nothing listens on a TCP port of this number.
pub const PORT: u16 = 54610;
