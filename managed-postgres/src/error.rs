//! What can go wrong, and what to do about it.

use std::io;
use std::path::PathBuf;

/// No usable PostgreSQL binaries.
#[derive(Debug, thiserror::Error)]
pub enum BinariesError {
    /// Nothing on `PATH` or in the folders where packages put them.
    #[error("PostgreSQL {} or newer is not installed; install it with: {install}", crate::MIN_MAJOR)]
    Missing {
        /// The command for this machine.
        install: String,
    },
    /// An existing cluster needs the binaries of the version that made it.
    #[error(
        "{} was made by PostgreSQL {major}, whose binaries are not here; install that version, for example \
         with `apt-get install -y postgresql-{major}`, or name its folder in LEADLOG_PG_BIN", cluster.display()
    )]
    VersionMissing {
        /// PGDATA.
        cluster: PathBuf,
        /// The major version in its `PG_VERSION`.
        major: u32,
    },
    /// `LEADLOG_PG_BIN` is set to something else than a folder of PostgreSQL binaries.
    #[error("LEADLOG_PG_BIN={}: {problem}; it must be a folder with postgres, initdb and pg_ctl", folder.display())]
    Configured {
        /// The value.
        folder: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
}

/// PostgreSQL refuses to run as root, and nobody was found to run it as.
#[derive(Debug, thiserror::Error)]
pub enum ServiceUserError {
    /// `LEADLOG_PG_USER` names no user, or root.
    #[error("LEADLOG_PG_USER={name}: {problem}; PostgreSQL needs an existing user other than root")]
    Configured {
        /// The value.
        name: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// Neither `postgres` nor `nobody` exists.
    #[error(
        "PostgreSQL refuses to run as root, and this machine has neither a user `postgres` nor `nobody`; \
         create one and name it in LEADLOG_PG_USER"
    )]
    Nobody,
    /// An ordinary user found a cluster that belongs to someone else.
    #[error("{} belongs to user id {owner}; run leadlog as that user or as root", cluster.display())]
    ForeignCluster {
        /// PGDATA.
        cluster: PathBuf,
        /// Its owner.
        owner: u32,
    },
    /// Root found a cluster that belongs to root.
    #[error(
        "{} belongs to root, as which PostgreSQL refuses to run; give it away with `chown -R postgres {}`",
        cluster.display(), cluster.display()
    )]
    RootCluster {
        /// PGDATA.
        cluster: PathBuf,
    },
}

/// [`Cluster::start`](crate::Cluster::start) or
/// [`Cluster::ensure_running`](crate::Cluster::ensure_running) failed.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// See [`BinariesError`].
    #[error(transparent)]
    Binaries(#[from] BinariesError),
    /// See [`ServiceUserError`].
    #[error(transparent)]
    ServiceUser(#[from] ServiceUserError),
    /// A file or folder of ours.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried, for example `create`.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The user that PostgreSQL runs as cannot get to the data folder.
    #[error(
        "PostgreSQL runs as user {user}, who may not enter {}, which is on the way to {}; allow it with \
         `chmod o+x {}`, or choose a data folder elsewhere, for example --data-dir /var/lib/leadlog",
        blocked.display(), data_dir.display(), blocked.display()
    )]
    Unreachable {
        /// Name and id of the user.
        user: String,
        /// The first folder that it may not enter.
        blocked: PathBuf,
        /// Where it should get to.
        data_dir: PathBuf,
    },
    /// The short folder for the socket exists and is not ours.
    #[error("{} exists but is not a folder of user id {owner} alone; remove it", path.display())]
    SocketFolderTaken {
        /// The folder.
        path: PathBuf,
        /// Who should own it.
        owner: u32,
    },
    /// A program of PostgreSQL could not be run at all.
    #[error("cannot run {}: {source}", program.display())]
    Spawn {
        /// The program.
        program: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// `initdb` failed.
    #[error("initdb could not make a cluster in {}:\n{output}", data_dir.display())]
    Init {
        /// The data folder.
        data_dir: PathBuf,
        /// What it printed.
        output: String,
    },
    /// PostgreSQL did not come up.
    #[error("PostgreSQL did not start on {}; the end of {} says:\n{tail}", data_dir.display(), log.display())]
    Server {
        /// The data folder.
        data_dir: PathBuf,
        /// The log file.
        log: PathBuf,
        /// Its last lines.
        tail: String,
    },
    /// Backends of a killed server still hold its memory.
    #[error(
        "processes of a PostgreSQL that was killed still work on {} (process ids: {pids}); they end when \
         their statement does: wait, or end them, then start again", data_dir.display()
    )]
    LingeringBackends {
        /// The data folder.
        data_dir: PathBuf,
        /// Who they are, or `unknown`.
        pids: String,
    },
    /// A server is there but does not let us in within the bound.
    #[error("PostgreSQL on {} was not ready within {seconds} s: {problem}; its log is in {}", data_dir.display(), log_dir.display())]
    NotReady {
        /// The data folder.
        data_dir: PathBuf,
        /// How long we waited.
        seconds: u64,
        /// What it said last.
        problem: String,
        /// Where its log is.
        log_dir: PathBuf,
    },
    /// Another process has been starting or stopping this cluster for too long.
    #[error("another process has been starting or stopping PostgreSQL on {} for {seconds} s; wait for it or end it", data_dir.display())]
    Busy {
        /// The data folder.
        data_dir: PathBuf,
        /// How long we waited.
        seconds: u64,
    },
    /// The database could not be created.
    #[error("PostgreSQL on {} refused to create the database: {problem}", data_dir.display())]
    CreateDatabase {
        /// The data folder.
        data_dir: PathBuf,
        /// What it said.
        problem: String,
    },
}

/// [`Cluster::release`](crate::Cluster::release) failed; the server may still run, and the next start
/// will use it.
#[derive(Debug, thiserror::Error)]
pub enum ReleaseError {
    /// The locks could not be taken.
    #[error("cannot tell whether others use PostgreSQL on {}: {source}", data_dir.display())]
    Lock {
        /// The data folder.
        data_dir: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// `pg_ctl stop` failed.
    #[error("PostgreSQL on {} did not stop: {output}", data_dir.display())]
    Stop {
        /// The data folder.
        data_dir: PathBuf,
        /// What it printed.
        output: String,
    },
}
