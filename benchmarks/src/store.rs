//! A store that is measured: the real server as a process of its own, with a managed PostgreSQL in a
//! temporary folder.

use std::env;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use managed_postgres::Cluster;
use rustix::process::{Pid, Signal, kill_process};
use sqlx::{Connection, PgConnection, Row};
use tokio::time::sleep;

/// Names the program to measure; without it, the one beside this program.
const PROGRAM_VARIABLE: &str = "LEADLOG_BIN";

/// pgbench comes with 200 clients, and the managed settings allow 100. Nothing else differs from them.
const MAX_CONNECTIONS: u32 = 300;

/// The database beside the store's that pgbench works in.
pub(crate) const PGBENCH_DATABASE: &str = "pgbench";

const STOP_LIMIT: Duration = Duration::from_secs(60);
const CATCH_UP_LIMIT: Duration = Duration::from_secs(300);
const POLL: Duration = Duration::from_millis(20);

/// A running store. Dropped, it is stopped and removed.
pub(crate) struct Store {
    server: Server,
    cluster: Cluster,
    /// To the store's database.
    db: PgConnection,
    /// Holds the projections' lock, when they are to stand still.
    _projections_hold: Option<PgConnection>,
    // The last to be dropped.
    folder: Folder,
}

/// What the log holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LogCounts {
    pub(crate) events: u64,
    pub(crate) newest_position: u64,
    pub(crate) head: u64,
    pub(crate) email_claims: u64,
}

impl Store {
    /// Starts an empty store in a new folder under `parent`.
    pub(crate) async fn start(parent: &Path, with_projections: bool) -> Result<Self> {
        let folder = Folder::create(parent)?;
        let data_dir = folder.0.join("data");
        let cluster = Cluster::start(&data_dir)?;
        let mut db = PgConnection::connect(&cluster.url()).await?;
        let setting = format!("ALTER SYSTEM SET max_connections = {MAX_CONNECTIONS}");
        sqlx::query(&setting).execute(&mut db).await?;
        db.close().await?;
        cluster.release()?;

        let cluster = Cluster::start(&data_dir)?;
        let mut db = PgConnection::connect(&cluster.url()).await?;
        sqlx::query(&format!("CREATE DATABASE {PGBENCH_DATABASE}")).execute(&mut db).await?;
        let hold = if with_projections { None } else { Some(hold_projections(&cluster.url()).await?) };
        let server = Server::start(&data_dir, &folder.0.join("server.log"))?;
        Ok(Self { server, cluster, db, _projections_hold: hold, folder })
    }

    pub(crate) const fn address(&self) -> SocketAddr {
        self.server.address
    }

    pub(crate) fn server_pid(&self) -> u32 {
        self.server.process.id()
    }

    pub(crate) fn postmaster_pid(&self) -> u32 {
        self.cluster.postmaster_pid()
    }

    pub(crate) const fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// A folder for files of the benchmark, on the same disk.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder.0
    }

    /// Version of PostgreSQL.
    pub(crate) async fn postgresql_version(&mut self) -> Result<String> {
        Ok(sqlx::query("SHOW server_version").fetch_one(&mut self.db).await?.try_get(0)?)
    }

    /// Writes all that is dirty now, so that nobody pays for what another wrote before.
    pub(crate) async fn checkpoint(&mut self) -> Result<()> {
        sqlx::query("CHECKPOINT").execute(&mut self.db).await?;
        Ok(())
    }

    /// Waits until every projection holds what the log holds.
    pub(crate) async fn projections_caught_up(&mut self) -> Result<()> {
        let begun = Instant::now();
        loop {
            let lag: Option<i64> =
                sqlx::query("SELECT (SELECT position FROM log_head) - min(position) FROM projection_cursors")
                    .fetch_one(&mut self.db)
                    .await?
                    .try_get(0)?;
            match lag {
                Some(0) => return Ok(()),
                _ if begun.elapsed() > CATCH_UP_LIMIT => {
                    bail!("projections are {lag:?} events behind after {} s", CATCH_UP_LIMIT.as_secs())
                }
                _ => sleep(POLL).await,
            }
        }
    }

    pub(crate) async fn log_counts(&mut self) -> Result<LogCounts> {
        let row = sqlx::query(
            "SELECT (SELECT count(*) FROM events), (SELECT coalesce(max(position), 0) FROM events),
                    (SELECT position FROM log_head), (SELECT count(*) FROM email_claims)",
        )
        .fetch_one(&mut self.db)
        .await?;
        let number = |column: usize| -> Result<u64> { Ok(row.try_get::<i64, _>(column)?.cast_unsigned()) };
        Ok(LogCounts {
            events: number(0)?,
            newest_position: number(1)?,
            head: number(2)?,
            email_claims: number(3)?,
        })
    }

    /// Stops the server as an operator does, then PostgreSQL, and removes the folder.
    pub(crate) async fn stop(mut self) -> Result<()> {
        self.db.close().await?;
        self.server.stop().await?;
        self.cluster.release()?;
        Ok(())
    }
}

/// Takes the lock by which one process over all projects, before the server can: the server then stands by, as
/// one of several behind a load balancer does.
async fn hold_projections(url: &str) -> Result<PgConnection> {
    let pool = event_store::connect(url, 1).await?;
    event_store::migrate(&pool).await?;
    pool.close().await;
    let mut db = PgConnection::connect(url).await?;
    sqlx::query("SELECT pg_advisory_lock('projection_cursors'::regclass::oid::integer, 1)")
        .execute(&mut db)
        .await?;
    Ok(db)
}

/// `leadlog serve` as a process.
struct Server {
    process: Child,
    address: SocketAddr,
    /// Kept open, because the server would be told that nobody reads.
    _stdout: BufReader<ChildStdout>,
}

impl Server {
    fn start(data_dir: &Path, log: &Path) -> Result<Self> {
        let program = program()?;
        let log_file = fs::File::create(log)?;
        let mut process = Command::new(&program)
            .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
            .arg(data_dir)
            .env_remove("DATABASE_URL")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log_file)
            .spawn()
            .with_context(|| format!("cannot run {}", program.display()))?;
        let mut stdout = BufReader::new(process.stdout.take().context("its output is a pipe")?);
        let mut line = String::new();
        stdout.read_line(&mut line)?;
        let Some(address) =
            line.trim().strip_prefix("listening on http://").and_then(|text| text.parse().ok())
        else {
            // A server that has not said where it listens has ended, or will do so when nobody reads.
            let _ = process.kill();
            let _ = process.wait();
            bail!("the server did not start: {}", fs::read_to_string(log)?.trim_end());
        };
        Ok(Self { process, address, _stdout: stdout })
    }

    async fn stop(&mut self) -> Result<()> {
        let pid = i32::try_from(self.process.id()).ok().and_then(Pid::from_raw);
        kill_process(pid.context("a process has a number")?, Signal::TERM)?;
        let begun = Instant::now();
        loop {
            if let Some(status) = self.process.try_wait()? {
                ensure!(status.success(), "the server ended with {status}");
                return Ok(());
            }
            ensure!(
                begun.elapsed() < STOP_LIMIT,
                "the server does not stop within {} s",
                STOP_LIMIT.as_secs()
            );
            sleep(POLL).await;
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Of a process that was waited for, both do nothing.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The server to measure.
fn program() -> Result<PathBuf> {
    let program = match env::var_os(PROGRAM_VARIABLE).filter(|value| !value.is_empty()) {
        Some(program) => PathBuf::from(program),
        None => env::current_exe()?.with_file_name("leadlog"),
    };
    ensure!(
        program.is_file(),
        "there is no {}; build it with `cargo build --release -p leadlog`, or name one in {PROGRAM_VARIABLE}",
        program.display()
    );
    Ok(program)
}

/// A folder that is removed when dropped. Not `tempfile`: its folders are closed to the user that PostgreSQL
/// runs as.
struct Folder(PathBuf);

impl Folder {
    fn create(parent: &Path) -> Result<Self> {
        let path = parent.join(format!("leadlog-benchmark-{}", std::process::id()));
        fs::create_dir(&path).with_context(|| format!("cannot create {}", path.display()))?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            eprintln!("benchmarks: cannot remove {}: {error}", self.0.display());
        }
    }
}
