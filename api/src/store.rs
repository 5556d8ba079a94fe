//! A store that is open: its database, its identity, and what it knows.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use domain::{PublishedCampaigns, Tier};
use event_store::{ConnectError, LogError, PostgresLog};
use hub::state::MakeHubError;
use intake::StoreIdentity;
use managed_postgres::Cluster;
use sqlx::PgPool;

use crate::campaigns::KnownCampaigns;

/// Connections to PostgreSQL that one process may hold.
const MAX_CONNECTIONS: u32 = 16;

/// An open store. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    log: PostgresLog,
    identity: StoreIdentity,
    opened_at: u64,
    campaigns: Arc<KnownCampaigns>,
}

/// Where the database of a store is.
#[derive(Debug, Clone)]
pub enum Database {
    /// A server that somebody else runs.
    Url(String),
    /// PostgreSQL that this program runs itself, with its data in this folder.
    Managed(PathBuf),
}

/// Why a store could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The folder was never used.
    #[error(
        "there is no store in {}; name the folder that the server was started with, with --data-dir, or start one there \
         with `leadlog serve`",
        .folder.display()
    )]
    NoStore {
        /// Where it was looked for.
        folder: PathBuf,
    },
    /// The database has no tables of this program.
    #[error(
        "there is no store in this database; is the URL right? `leadlog serve` makes one, and so do \
         `leadlog campaigns publish`, `leadlog import` and `leadlog clients add`"
    )]
    EmptyDatabase,
    /// The managed PostgreSQL did not start.
    #[error(transparent)]
    Managed(#[from] managed_postgres::StartError),
    /// The database cannot be used.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The database's user may not read the store.
    #[error("the database user may not read the store; let it: {grants}")]
    MayNotRead {
        /// The SQL that lets it.
        grants: String,
    },
    /// The database's user may not add to the store.
    #[error(
        "the database user may read this store and not add to it; run this as one that may, or let this one: {grants}"
    )]
    MayNotAppend {
        /// The SQL that lets it.
        grants: String,
    },
    /// The log cannot be read.
    #[error("the log cannot be read")]
    Read(#[from] sqlx::Error),
    /// The campaigns cannot be read.
    #[error("the campaigns cannot be read")]
    Campaigns(#[from] LogError),
}

impl Store {
    /// Opens the store at this URL and brings its schema up to date.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub async fn open(url: &str) -> Result<Self, OpenError> {
        let pool = event_store::connect(url, MAX_CONNECTIONS).await?;
        event_store::migrate(&pool).await?;
        match Self::read(pool.clone()).await {
            Ok(store) => Ok(store),
            Err(error) => match event_store::missing_read_grants(&pool).await {
                Ok(Some(grants)) => Err(OpenError::MayNotRead { grants }),
                Ok(None) | Err(_) => Err(error),
            },
        }
    }

    /// The same for whoever only looks. An empty database is more likely a wrong name than a store without leads.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub async fn open_to_read(url: &str) -> Result<Self, OpenError> {
        let pool = event_store::connect(url, 1).await?;
        let is_there = event_store::is_there(&pool).await?;
        event_store::close(&pool).await;
        if is_there { Self::open(url).await } else { Err(OpenError::EmptyDatabase) }
    }

    /// The same for whoever adds to the log.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub async fn open_to_append(url: &str) -> Result<Self, OpenError> {
        let store = Self::open(url).await?;
        match event_store::missing_append_grants(store.pool()).await? {
            None => Ok(store),
            Some(grants) => Err(OpenError::MayNotAppend { grants }),
        }
    }

    async fn read(pool: PgPool) -> Result<Self, OpenError> {
        let head = event_store::head(&pool).await?;
        let tier = if event_store::is_hub(&pool).await? { Tier::Hub } else { Tier::Cloud };
        let log = PostgresLog::new(pool);
        Ok(Self {
            campaigns: Arc::new(KnownCampaigns::load(log.clone()).await?),
            log,
            identity: StoreIdentity { id: head.store_id, tier },
            opened_at: head.position,
        })
    }

    /// Makes it a hub, for good.
    ///
    /// # Errors
    /// When it is a cloud that is in use.
    pub async fn make_hub(&mut self) -> Result<(), MakeHubError> {
        hub::state::make_hub(self.pool()).await?;
        self.identity.tier = Tier::Hub;
        Ok(())
    }

    /// Its database.
    pub const fn pool(&self) -> &PgPool {
        self.log.pool()
    }

    /// Its log.
    pub const fn log(&self) -> &PostgresLog {
        &self.log
    }

    /// Its identity.
    pub const fn identity(&self) -> StoreIdentity {
        self.identity
    }

    /// Where its log ended when it was opened.
    pub const fn opened_at(&self) -> u64 {
        self.opened_at
    }

    /// The campaigns that this process knows at this moment. Costs nothing and waits for nobody.
    pub fn campaigns(&self) -> Arc<PublishedCampaigns> {
        self.campaigns.current()
    }

    /// The campaigns that are published at this moment.
    ///
    /// # Errors
    /// When the log does not answer.
    pub async fn refreshed_campaigns(&self) -> Result<Arc<PublishedCampaigns>, LogError> {
        self.campaigns.refresh().await
    }

    /// Keeps the campaigns up to date from here on, for as long as the store is held.
    pub fn keep_campaigns_up(&self) {
        KnownCampaigns::keep_up(&self.campaigns);
    }
}

impl Database {
    /// The database for these settings: a given server, else a managed one in `data_dir`, else a managed one
    /// in the usual folder of this machine.
    pub fn choose(url: Option<String>, data_dir: Option<PathBuf>) -> Self {
        match url.filter(|url| !url.is_empty()) {
            Some(url) => Self::Url(url),
            None => Self::Managed(data_dir.unwrap_or_else(default_data_dir)),
        }
    }

    /// Whether there is something to be looked at. A managed folder that was never used is more likely a wrong name.
    ///
    /// # Errors
    /// Says which folder that is, and what to do.
    pub fn check_is_there(&self) -> Result<(), OpenError> {
        match self {
            Self::Managed(folder) if !Cluster::is_there(folder) => {
                Err(OpenError::NoStore { folder: folder.clone() })
            }
            Self::Managed(_) | Self::Url(_) => Ok(()),
        }
    }

    /// Starts the managed PostgreSQL if this is one. The cluster must be released in the end.
    ///
    /// # Errors
    /// When it does not start; the message says what to do.
    pub fn start(&self) -> Result<(String, Option<Cluster>), managed_postgres::StartError> {
        match self {
            Self::Url(url) => Ok((url.clone(), None)),
            Self::Managed(folder) => {
                let cluster = Cluster::start(folder)?;
                Ok((cluster.url(), Some(cluster)))
            }
        }
    }
}

/// Root's own home cannot be entered by the user that PostgreSQL runs as, so root gets the system's place.
pub(crate) fn default_data_dir() -> PathBuf {
    if rustix::process::geteuid().is_root() {
        return PathBuf::from("/var/lib/leadlog");
    }
    std::env::var_os("XDG_DATA_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| Path::new(&home).join(".local/share")))
        .unwrap_or_else(|| PathBuf::from("."))
        .join("leadlog")
}
