//! A store that is measured: the real server, one process or several, over a PostgreSQL of its own.

use std::path::Path;
use std::sync::Arc;

use anyhow::Result;
use sqlx::{Connection, PgConnection};

use crate::connection::Reach;
use crate::database::Database;
use crate::program::{Server, token};
use crate::usage::CpuTimes;

/// A running store. Dropped, it is stopped and removed.
pub(crate) struct Store {
    servers: Vec<Server>,
    /// That the servers take.
    token: Arc<str>,
    /// Holds the projections' lock, when they are to stand still.
    projections_hold: Option<PgConnection>,
    pub(crate) database: Database,
}

impl Store {
    /// Starts an empty store in a new folder under `parent`, with one server.
    pub(crate) async fn start(parent: &Path, with_projections: bool) -> Result<Self> {
        let database = Database::start(parent).await?;
        let hold = if with_projections { None } else { Some(database.hold_projections().await?) };
        let mut store = Self::over(database, 1).await?;
        store.projections_hold = hold;
        Ok(store)
    }

    /// Starts as many servers over a database that may hold a store already.
    pub(crate) async fn over(database: Database, servers: usize) -> Result<Self> {
        let servers: Vec<Server> = (1..=servers)
            .map(|number| {
                Server::start(&database.url(), &database.folder().join(format!("server-{number}.log")))
            })
            .collect::<Result<_>>()?;
        let token = token(&database.url()).await?.into();
        Ok(Self { servers, token, projections_hold: None, database })
    }

    /// How the servers are reached.
    pub(crate) fn reaches(&self) -> Vec<Reach> {
        let reach = |server: &Server| Reach { server: server.address(), token: Arc::clone(&self.token) };
        self.servers.iter().map(reach).collect()
    }

    pub(crate) fn server_pids(&self) -> impl Iterator<Item = u32> {
        self.servers.iter().map(Server::pid)
    }

    pub(crate) fn cpu_times(&self) -> Result<CpuTimes> {
        CpuTimes::now(self.server_pids(), self.database.postmaster_pid())
    }

    /// Waits until every projection holds what the log holds; not when they are to stand still.
    pub(crate) async fn projections_caught_up(&mut self) -> Result<()> {
        if self.projections_hold.is_some() { Ok(()) } else { self.database.projections_caught_up().await }
    }

    /// Stops the servers as an operator does.
    pub(crate) async fn stop_servers(self) -> Result<Database> {
        for server in self.servers {
            server.stop().await?;
        }
        if let Some(hold) = self.projections_hold {
            hold.close().await?;
        }
        Ok(self.database)
    }

    /// Stops the servers, then PostgreSQL, and removes the folder.
    pub(crate) async fn stop(self) -> Result<()> {
        self.stop_servers().await?.stop().await
    }
}
