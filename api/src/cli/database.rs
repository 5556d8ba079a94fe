//! Where the data is, and a store that is open for the length of one command.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::bail;
use clap::Args;
use managed_postgres::{Cluster, ReleaseError};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::stop_signal::StopSignal;
use crate::store::{Database, Store};

/// How long a command that is done waits for its connections.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a command may take to end by itself after Ctrl-C.
const END_TIMEOUT: Duration = Duration::from_secs(2);

/// Status of a process that was interrupted, as shells have it.
const INTERRUPTED: i32 = 130;

/// Where the data is.
#[derive(Args, Clone)]
pub(super) struct DatabaseArgs {
    /// Folder of the PostgreSQL that this program runs itself. Without it: /var/lib/leadlog for root,
    /// ~/.local/share/leadlog for others. Not used with --database-url.
    #[arg(long, env = "LEADLOG_DATA_DIR", value_name = "DIR")]
    data_dir: Option<PathBuf>,

    /// A PostgreSQL server (15 or newer) to use instead: postgres://user:password@host:5432/database, or by its socket
    /// postgres://user@localhost/database?host=/var/run/postgresql
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

    /// Does something with a store that there is, beside a running server or without one, and lets go of the database,
    /// also at Ctrl-C or SIGTERM: a PostgreSQL that was started for this command must not outlive it.
    pub(super) async fn with_store<T>(
        &self,
        work: impl AsyncFnOnce(&Store) -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        let database = self.database();
        database.check_is_there()?;
        // From here on a signal waits until PostgreSQL has come up, so that none is left behind half-started.
        let stop = StopSignal::new()?;
        let (url, cluster) = tokio::task::spawn_blocking(move || database.start()).await??;
        let share = Share(Arc::new(Mutex::new(cluster)));
        let mut interruption = Interruption::of(stop, share.clone());
        let done = with_store_at(&url, work, &mut interruption).await;
        interruption.forget();
        tokio::task::spawn_blocking(move || share.release()).await??;
        done
    }
}

async fn with_store_at<T>(
    url: &str,
    work: impl AsyncFnOnce(&Store) -> anyhow::Result<T>,
    interruption: &mut Interruption,
) -> anyhow::Result<T> {
    let worked = async {
        let store = Store::open(url).await?;
        let done = work(&store).await;
        anyhow::Ok((store, done))
    };
    let (store, done) = tokio::select! {
        // The work may have its own words for an interruption.
        biased;
        worked = worked => worked?,
        () = interruption.came() => bail!("it was interrupted"),
    };
    // The log keeps a connection to write with, and a pool waits for all of its connections.
    let pool = store.pool().clone();
    drop(store);
    // A database that does not answer gives none back, and the command is done.
    tokio::select! {
        _ = timeout(CLOSE_TIMEOUT, pool.close()) => {}
        () = interruption.came() => {}
    }
    done
}

/// The command's share in the PostgreSQL that this program runs itself, if it is one. Whoever ends the command releases it.
#[derive(Clone)]
struct Share(Arc<Mutex<Option<Cluster>>>);

impl Share {
    /// Waits for whoever releases it at this moment.
    fn release(&self) -> Result<(), ReleaseError> {
        let mut cluster = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        cluster.take().map_or(Ok(()), |cluster| cluster.release().map(drop))
    }
}

/// What makes a command end at a signal. It gets a moment to do so by itself; a thread that hangs in a write (into a pipe
/// that nobody reads) hears of nothing, and is not waited for.
struct Interruption {
    came: watch::Receiver<bool>,
    guard: JoinHandle<()>,
}

impl Interruption {
    fn of(mut stop: StopSignal, share: Share) -> Self {
        let (tell, came) = watch::channel(false);
        let guard = tokio::spawn(async move {
            stop.received().await;
            tell.send_replace(true);
            tokio::time::sleep(END_TIMEOUT).await;
            let released = tokio::task::spawn_blocking(move || share.release()).await;
            if let Ok(Err(error)) = released {
                eprintln!("leadlog: {error}");
            }
            std::process::exit(INTERRUPTED);
        });
        Self { came, guard }
    }

    /// Waits for the signal; ready at once when it has come.
    async fn came(&mut self) {
        // Its sender is gone only when the guard is, which ends the process itself.
        if self.came.wait_for(|came| *came).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Ends nothing any more.
    fn forget(self) {
        self.guard.abort();
    }
}
