//! A projection folded again beside the live one, while leads come in.
//!
//! # How
//!
//! No table is named with its schema, so a fold writes wherever the connection's `search_path` leads. A build is a
//! schema with empty copies of the projection's tables, of `projection_cursors` and of `parked_events`, found
//! before the store's own; the log is found behind them. The fold that runs there is the fold that runs live, to the
//! statement. The live rows are untouched, and exports go on.
//!
//! # What it promises
//!
//! - **Resumable.** Rows and cursor of a build move in one transaction, so one that was killed goes on where it was. One
//!   that another version of the projection or of the schema began is thrown away.
//! - **Cleared.** It holds personal data, so it is gone when it has served; what a killed one left behind goes with the
//!   next one, or with [`abandon`], and what a killed comparison left with [`keep_sweeping`], too.
//! - **Alone.** A lock belongs to the build's session: of two who try, one works and the other is told.
//! - **Never in the way.** Commits of a build are not waited for: after a crash of the database it goes on from an
//!   earlier page. What ends it ([`rebuild`](crate::rebuild)) is flushed, and everything before it with it.

mod schema;

use std::time::Duration;

use event_store::{head, read_after};
use sqlx::{PgConnection, PgPool};

use crate::cursor::{self, Cursor};
use crate::page::{Folded, OnPoison, fold};
use crate::refusal::DatabaseError;
use crate::{Poison, Registration, leadership};
pub(crate) use schema::{Purpose, Schemas, quoted};

/// Time between two sweeps.
const SWEEP_EVERY: Duration = Duration::from_secs(60);

/// Events of one page. A lead has at most 16 KiB, and mostly less than one.
pub(crate) const PAGE_EVENTS: u64 = 5_000;

/// How far a build is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// It holds everything up to this position.
    pub position: u64,
    /// Where the log ended when somebody looked last.
    pub head: u64,
}

/// Why a projection could not be folded again. What was built stays, unless it says otherwise, and another try
/// goes on from there.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// Somebody else is doing the same.
    #[error("another process is at work on {projection}; wait until it has finished")]
    Busy {
        /// The projection.
        projection: &'static str,
    },
    /// A newer program has taken the tables over.
    #[error(
        "the projection {projection} was made by a newer version of this program; use that version, or update this one"
    )]
    Superseded {
        /// The projection.
        projection: &'static str,
    },
    /// An event cannot be folded.
    #[error(
        "{projection} cannot fold the event at position {position}: {poison}. Nothing has changed. Update the program, \
         or let such events be parked"
    )]
    Poisoned {
        /// The projection.
        projection: &'static str,
        /// Where the event stands.
        position: u64,
        /// Why.
        poison: Poison,
    },
    /// The database's user may not make schemas.
    #[error(
        "a rebuild needs a schema of its own, and the database user may not make one; let it, with \
         GRANT CREATE ON DATABASE … TO …"
    )]
    NoSchema(#[source] sqlx::Error),
    /// The tables belong to another database user, and this one may not give it the new ones.
    #[error(
        "the table {table} of {projection} belongs to another database user, and this one may not give it the rebuilt \
         table; the live tables are as they were. Rebuild as the owner, or let this user, which must be one that inherits, act \
         for it, with GRANT owner TO user"
    )]
    Owner {
        /// The projection.
        projection: &'static str,
        /// The table.
        table: &'static str,
        /// What PostgreSQL says about it.
        #[source]
        source: sqlx::Error,
    },
    /// Something was built on the tables.
    #[error(
        "the tables of {projection} cannot be replaced, because something else in the database depends on them \
         ({detail}); drop it, rebuild, and make it again"
    )]
    Dependents {
        /// The projection.
        projection: &'static str,
        /// What PostgreSQL says about it.
        detail: String,
    },
    /// The tables were migrated since the build was begun.
    #[error(
        "the database schema was migrated while {projection} was being built, so what was built does not fit any more; \
         the live tables are as they were. Run this again, with the newest version of this program: it begins anew"
    )]
    Migrated {
        /// The projection.
        projection: &'static str,
    },
    /// The live rows are those of an older program.
    #[error(
        "the rows of {projection} were made by its version {live_version}, and this program folds version {version}, so \
         they cannot be compared; rebuild them, or let a server of this version make them anew"
    )]
    Outdated {
        /// The projection.
        projection: &'static str,
        /// The version that made the live rows.
        live_version: i32,
        /// The version of this program.
        version: i32,
    },
    /// Somebody holds the live tables.
    #[error(
        "{projection} is built, but its tables are in use by a long transaction; end that (see pg_stat_activity) and \
         run this again: it only switches then"
    )]
    Held {
        /// The projection.
        projection: &'static str,
    },
    /// It does not answer, or refuses a statement.
    #[error(transparent)]
    Database(DatabaseError),
}

/// Throws away what interrupted builds of a projection left behind; says whether there was anything.
///
/// # Errors
/// [`BuildError::Busy`] when one is under way.
pub async fn abandon(pool: &PgPool, projection: &'static Registration) -> Result<bool, BuildError> {
    let mut db = pool.acquire().await?.detach();
    let mut was_there = false;
    for purpose in [Purpose::Rebuild, Purpose::Verify] {
        let schemas = Schemas::of(&mut db, projection, purpose).await?;
        if !schemas.lock(&mut db).await? {
            leadership::give_up(db).await;
            return Err(BuildError::Busy { projection: projection.name });
        }
        was_there |= schemas.begun(&mut db).await?.is_some();
        schemas.discard(&mut db).await?;
    }
    leadership::give_up(db).await;
    Ok(was_there)
}

/// Throws away what comparisons left behind that were killed: nobody goes on with them, they hold personal data, and no
/// erasure reaches them. Passes over those that are under way. Says how many there were.
///
/// # Errors
/// When the database does not answer, or does not let this user.
pub async fn sweep_comparisons(pool: &PgPool) -> Result<u32, BuildError> {
    let mut db = pool.acquire().await?.detach();
    let mut swept = 0;
    for projection in &crate::ALL {
        let schemas = Schemas::of(&mut db, projection, Purpose::Verify).await?;
        if schemas.begun(&mut db).await?.is_some() && schemas.lock(&mut db).await? {
            schemas.discard(&mut db).await?;
            swept += 1;
        }
    }
    leadership::give_up(db).await;
    Ok(swept)
}

/// Sweeps every minute, for as long as the pool is open.
pub async fn keep_sweeping(pool: PgPool) {
    let mut tick = tokio::time::interval(SWEEP_EVERY);
    while !pool.is_closed() {
        tick.tick().await;
        match sweep_comparisons(&pool).await {
            Ok(0) => {}
            Ok(swept) => tracing::info!(swept, "what stopped comparisons left behind was thrown away"),
            Err(_) if pool.is_closed() => {}
            Err(error) => tracing::warn!(%error, "what a stopped comparison left behind may still be there"),
        }
    }
}

/// An open build, and the session that has its lock.
pub(crate) struct Build {
    pub(crate) db: PgConnection,
    pub(crate) projection: &'static Registration,
    pub(crate) schemas: Schemas,
    on_poison: OnPoison,
}

impl Build {
    /// Begins a build, or goes on with the one that is there. It must be closed in the end.
    pub(crate) async fn open(
        pool: &PgPool,
        projection: &'static Registration,
        purpose: Purpose,
        on_poison: OnPoison,
    ) -> Result<Self, BuildError> {
        let mut db = pool.acquire().await?.detach();
        let schemas = Schemas::of(&mut db, projection, purpose).await?;
        if !schemas.lock(&mut db).await? {
            return Err(BuildError::Busy { projection: projection.name });
        }
        let mut build = Self { db, projection, schemas, on_poison };
        match build.enter().await {
            Ok(()) => Ok(build),
            Err(error) => {
                build.close(true).await;
                Err(error)
            }
        }
    }

    async fn enter(&mut self) -> Result<(), BuildError> {
        self.schemas.make(&mut self.db, self.projection).await?;
        sqlx::query(
            "SELECT set_config('search_path', $1, false), set_config('synchronous_commit', 'off', false)",
        )
        .bind(self.schemas.search_path())
        .execute(&mut self.db)
        .await?;
        Ok(())
    }

    /// It holds everything up to this position.
    pub(crate) async fn position(&mut self) -> Result<u64, BuildError> {
        match cursor::open(&mut self.db, self.projection).await? {
            Cursor::At(position) => Ok(position),
            Cursor::Superseded => Err(BuildError::Superseded { projection: self.projection.name }),
        }
    }

    /// Where the log ends.
    pub(crate) async fn head(&mut self) -> Result<u64, BuildError> {
        Ok(head(&mut self.db).await?.position)
    }

    /// Folds page after page up to `through`.
    pub(crate) async fn fold_through(
        &mut self,
        through: u64,
        tell: &mut (dyn FnMut(Progress) + Send),
    ) -> Result<(), BuildError> {
        let mut position = self.position().await?;
        tell(Progress { position, head: through });
        while position < through {
            sqlx::query("BEGIN").execute(&mut self.db).await?;
            position = self.fold_page(position, through).await?;
            sqlx::query("COMMIT").execute(&mut self.db).await?;
            tell(Progress { position, head: through });
        }
        Ok(())
    }

    /// Folds one page after `from`, at most up to `through`, inside a transaction that is open.
    pub(crate) async fn fold_page(&mut self, from: u64, through: u64) -> Result<u64, BuildError> {
        let limit = u32::try_from((through - from).min(PAGE_EVENTS)).unwrap_or(u32::MAX);
        let events = read_after(&mut self.db, from, limit).await?;
        match fold(&mut self.db, self.projection, from, &events, self.on_poison).await? {
            Folded::Written => Ok(events.last().map_or(through, |last| last.position)),
            Folded::Poisoned { position, poison } => {
                Err(BuildError::Poisoned { projection: self.projection.name, position, poison })
            }
            // The lock is ours, so only somebody who works by hand has moved it.
            Folded::LostRace => Err(BuildError::Busy { projection: self.projection.name }),
        }
    }

    /// Leaves the build as it is, and lets its lock go, so that the next one can take it when this returns. What failed
    /// may have left a transaction open.
    pub(crate) async fn close(mut self, has_failed: bool) {
        if has_failed {
            // Best effort: without an answer the connection is gone, and the lock with it.
            let _ = sqlx::query("ROLLBACK").execute(&mut self.db).await;
        }
        leadership::give_up(self.db).await;
    }
}
