//! Where the data is, and a store that is open for the length of one command.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use tokio::time::timeout;

use crate::store::{Database, Store};

/// How long a command that is done waits for its connections.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// Where the data is.
#[derive(Args, Clone)]
pub(super) struct DatabaseArgs {
    /// Folder of the PostgreSQL that this program runs itself. Without it: /var/lib/leadlog for root,
    /// ~/.local/share/leadlog for others. Not used with --database-url.
    #[arg(long, env = "LEADLOG_DATA_DIR", value_name = "DIR")]
    data_dir: Option<PathBuf>,

    /// A PostgreSQL server (15 or newer) to use instead: postgres://user:password@host:5432/database
    // Many machines have the variable for another program: whoever names a folder means the folder.
    #[arg(
        long,
        env = "DATABASE_URL",
        value_name = "URL",
        hide_env_values = true,
        conflicts_with = "data_dir"
    )]
    database_url: Option<String>,
}

impl DatabaseArgs {
    pub(super) fn database(&self) -> Database {
        Database::choose(self.database_url.clone(), self.data_dir.clone())
    }

    /// Does something with a store that there is, beside a running server or without one, and lets go of the database.
    pub(super) async fn with_store<T>(
        &self,
        work: impl AsyncFnOnce(&Store) -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        let database = self.database();
        database.check_is_there()?;
        let (url, cluster) = tokio::task::spawn_blocking(move || database.start()).await??;
        let done = with_store_at(&url, work).await;
        if let Some(cluster) = cluster {
            tokio::task::spawn_blocking(move || cluster.release()).await??;
        }
        done
    }
}

async fn with_store_at<T>(
    url: &str,
    work: impl AsyncFnOnce(&Store) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let store = Store::open(url).await?;
    let done = work(&store).await;
    // The log keeps a connection to write with, and a pool waits for all of its connections.
    let pool = store.pool().clone();
    drop(store);
    // A database that does not answer gives none back, and the command is done.
    let _ = timeout(CLOSE_TIMEOUT, pool.close()).await;
    done
}
