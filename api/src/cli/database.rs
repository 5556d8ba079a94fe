//! Where the data is, and a store that is open for the length of one command.

use std::path::PathBuf;

use anyhow::anyhow;
use clap::Args;

use super::failure;
use super::interruption::{Interrupted, Interruption, Share};
use super::stop_signal::StopSignal;
use crate::store::{self, Database, OpenError, Store};

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

    /// The folder for what is kept in no database. The usual one where somebody else runs the database.
    pub(super) fn data_dir(&self) -> PathBuf {
        match self.database() {
            Database::Managed(folder) => folder,
            Database::Url(_) => store::default_data_dir(),
        }
    }

    /// Where the database lies, if this program runs it.
    pub(super) fn managed_dir(&self) -> Option<PathBuf> {
        match self.database() {
            Database::Managed(folder) => Some(folder),
            Database::Url(_) => None,
        }
    }

    /// Does something with a store that there is, beside a running server or without one, and lets go of the database,
    /// also at Ctrl-C or SIGTERM: a PostgreSQL that was started for this command must not outlive it. The database's user
    /// need not be able to write.
    pub(super) async fn with_store<T>(
        &self,
        work: impl AsyncFnOnce(&Store) -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        self.with(async |url| Store::open_to_read(&url).await, work).await
    }

    /// The same for what adds to the log. Nothing is done for a user that may not.
    pub(super) async fn with_store_to_append<T>(
        &self,
        work: impl AsyncFnOnce(&Store) -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        self.with(async |url| Store::open_to_append(&url).await, work).await
    }

    async fn with<T>(
        &self,
        open: impl AsyncFnOnce(String) -> Result<Store, OpenError>,
        work: impl AsyncFnOnce(&Store) -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        let database = self.database();
        database.check_is_there()?;
        // From here on a signal waits until PostgreSQL has come up, so that none is left behind half-started.
        let stop = StopSignal::new()?;
        let (url, cluster) = tokio::task::spawn_blocking(move || database.start()).await??;
        let share = Share::new(cluster);
        let mut interruption = Interruption::of(stop, share.clone());
        let done = with_open(open(url), work, &mut interruption).await;
        tokio::task::spawn_blocking(move || share.release()).await??;
        done
    }
}

async fn with_open<T>(
    opening: impl Future<Output = Result<Store, OpenError>>,
    work: impl AsyncFnOnce(&Store) -> anyhow::Result<T>,
    interruption: &mut Interruption,
) -> anyhow::Result<T> {
    let worked = async {
        let store = opening.await?;
        let mut done = work(&store).await;
        if let Err(error) = done {
            done = Err(with_missing_right(error, &store).await);
        }
        anyhow::Ok((store, done))
    };
    let (store, done) = tokio::select! {
        // The work may have its own words for an interruption.
        biased;
        worked = worked => worked?,
        () = interruption.came() => return Err(Interrupted.into()),
    };
    // The log keeps a connection to write with, and a pool waits for all of its connections.
    let pool = store.pool().clone();
    drop(store);
    tokio::select! {
        () = event_store::close(&pool) => {}
        () = interruption.came() => {}
    }
    done
}

/// Says with an error that comes from it which right the database's user lacks.
async fn with_missing_right(error: anyhow::Error, store: &Store) -> anyhow::Error {
    let is_forbidden = |cause: &(dyn std::error::Error + 'static)| {
        cause.downcast_ref().is_some_and(event_store::is_forbidden)
    };
    if !error.chain().any(is_forbidden) {
        return error;
    }
    let told = failure::told(&error);
    if let Ok(Some(grants)) = event_store::missing_read_grants(store.pool()).await {
        return anyhow!("{told}; the database user may not read all of the store, let it: {grants}");
    }
    if let Ok(Some(grants)) = identity::missing_grants(store.pool()).await {
        return anyhow!("{told}; the database user may not sign access tokens, let it: {grants}");
    }
    error
}
