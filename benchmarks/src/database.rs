//! A PostgreSQL of a benchmark's own, run as the product runs it, in a temporary folder.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use managed_postgres::Cluster;
use sqlx::{Connection, PgConnection, Row};
use tokio::time::sleep;

/// pgbench comes with 200 clients, and the managed settings allow 100. Nothing else differs from them.
const MAX_CONNECTIONS: u32 = 300;

/// How long the projections may stand still before they count as stuck.
const STALL_LIMIT: Duration = Duration::from_secs(60);

const POLL: Duration = Duration::from_millis(20);

/// A running PostgreSQL. Dropped, it is stopped, and its data is removed.
pub(crate) struct Database {
    cluster: Cluster,
    /// To the store's database.
    pub(crate) db: PgConnection,
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

impl Database {
    /// Starts one without any table in a new folder under `parent`.
    pub(crate) async fn start(parent: &Path) -> Result<Self> {
        let folder = Folder::create(parent)?;
        let data_dir = folder.0.join("data");
        let cluster = Cluster::start(&data_dir)?;
        let mut db = PgConnection::connect(&cluster.url()).await?;
        let setting = format!("ALTER SYSTEM SET max_connections = {MAX_CONNECTIONS}");
        sqlx::query(&setting).execute(&mut db).await?;
        db.close().await?;
        cluster.release()?;

        let cluster = Cluster::start(&data_dir)?;
        let db = PgConnection::connect(&cluster.url()).await?;
        Ok(Self { cluster, db, folder })
    }

    /// Of the store's database.
    pub(crate) fn url(&self) -> String {
        self.cluster.url()
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
    pub(crate) async fn version(&mut self) -> Result<String> {
        Ok(sqlx::query("SHOW server_version").fetch_one(&mut self.db).await?.try_get(0)?)
    }

    /// Writes all that is dirty now, so that nobody pays for what another wrote before.
    pub(crate) async fn checkpoint(&mut self) -> Result<()> {
        sqlx::query("CHECKPOINT").execute(&mut self.db).await?;
        Ok(())
    }

    /// Does all that autovacuum would do in the middle of the next measurement, and a checkpoint.
    pub(crate) async fn settle(&mut self) -> Result<()> {
        sqlx::query("VACUUM (ANALYZE)").execute(&mut self.db).await?;
        self.checkpoint().await
    }

    /// Takes the lock by which one process over all projects, before a server can: servers then stand by, as all
    /// but one behind a load balancer do. It is held as long as the connection lives.
    pub(crate) async fn hold_projections(&self) -> Result<PgConnection> {
        let pool = event_store::connect(&self.url(), 1).await?;
        event_store::migrate(&pool).await?;
        event_store::close(&pool).await;
        let mut db = PgConnection::connect(&self.url()).await?;
        sqlx::query("SELECT pg_advisory_lock('projection_cursors'::regclass::oid::integer, 1)")
            .execute(&mut db)
            .await?;
        Ok(db)
    }

    /// Waits until every projection holds what the log holds, for as long as they move.
    pub(crate) async fn projections_caught_up(&mut self) -> Result<()> {
        let mut newest = None;
        let mut moved_at = Instant::now();
        loop {
            let lag: Option<i64> =
                sqlx::query("SELECT (SELECT position FROM log_head) - min(position) FROM projection_cursors")
                    .fetch_one(&mut self.db)
                    .await?
                    .try_get(0)?;
            if lag == Some(0) {
                return Ok(());
            }
            if lag != newest {
                (newest, moved_at) = (lag, Instant::now());
            } else if moved_at.elapsed() > STALL_LIMIT {
                let behind =
                    lag.map_or("have not begun".to_owned(), |lag| format!("are {lag} events behind"));
                bail!("the projections {behind} and have not moved for {} s", STALL_LIMIT.as_secs());
            }
            sleep(POLL).await;
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

    /// Stops PostgreSQL and removes the folder.
    pub(crate) async fn stop(self) -> Result<()> {
        self.db.close().await?;
        self.cluster.release()?;
        Ok(())
    }
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
