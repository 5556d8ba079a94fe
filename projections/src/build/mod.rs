//! A projection folded again beside the live one, while leads come in.
//!
//! # How
//!
//! No table is named with its schema, so a fold writes wherever the connection's `search_path` leads. A build is a
//! schema with empty copies of the projection's tables, of `projection_cursors` and of `parked_events`, found
//! before the store's own; the log is found behind them. The fold that runs there is the fold that runs live, to the
//! statement. The live rows are untouched, and exports go on.
//!
//! What takes the place of the live tables ([`rebuild`](crate::rebuild)) is a schema that lasts. What is only compared
//! with them ([`verify`](crate::verify)) is the session's temporary one: whoever may read the store may compare.
//!
//! # What it promises
//!
//! - **Resumable.** Rows and cursor of a build move in one transaction, so one that was killed goes on where it was. One
//!   that another version of the projection or of the schema began is thrown away.
//! - **Cleared.** It holds personal data, so it is gone when it has served; what a killed rebuild left behind goes with the
//!   next one, or with [`abandon`], and what a killed comparison made goes with its session.
//! - **Alone.** A lock belongs to the session of a rebuild: of two who try, one works and the other is told.
//! - **Never in the way.** Commits of a build are not waited for: after a crash of the database it goes on from an
//!   earlier page. What ends it ([`rebuild`](crate::rebuild)) is flushed, and everything before it with it.

mod schema;

use event_store::{head, read_after};
use sqlx::{PgConnection, PgPool};

use crate::cursor::{self, Cursor};
use crate::page::{Folded, OnPoison, fold};
use crate::refusal::DatabaseError;
use crate::transaction::roll_back;
use crate::{Poison, Registration, leadership};
pub(crate) use schema::{Begun, Schemas, quoted};

/// Events of one page. A lead has at most 16 KiB, and mostly less than one.
pub(crate) const PAGE_EVENTS: u64 = 5_000;

/// What a session keeps of its temporary tables in memory: nobody else caches them, and PostgreSQL's own default is 8 MB.
const TEMP_BUFFERS: &str = "64MB";

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
    /// Another database user has begun one.
    #[error(
        "an unfinished build of {projection} belongs to the database user {owner}, and this one may neither go on with it nor \
         throw it away; rebuild, or run `leadlog projections rebuild {projection} --abandon`, as {owner} or a superuser, or let \
         this user act for {owner}: {grant}"
    )]
    Foreign {
        /// The projection.
        projection: &'static str,
        /// Whose it is.
        owner: String,
        /// The SQL that lets this user.
        grant: String,
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
    #[error("a rebuild needs a schema of its own, and the database user may not make one; let it: {grant}")]
    NoSchema {
        /// The SQL that lets it.
        grant: String,
    },
    /// The database's user may not make temporary tables.
    #[error("a comparison needs temporary tables, and the database user may not make any; let it: {grant}")]
    NoTemporary {
        /// The SQL that lets it.
        grant: String,
    },
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

/// Throws away what an interrupted rebuild of a projection left behind; says whether there was anything.
///
/// # Errors
/// [`BuildError::Busy`] when one is under way, [`BuildError::Foreign`] when it is another database user's.
pub async fn abandon(pool: &PgPool, projection: &'static Registration) -> Result<bool, BuildError> {
    let mut db = pool.acquire().await?.detach();
    let abandoned = abandon_with(&mut db, projection).await;
    leadership::give_up(db).await;
    abandoned
}

async fn abandon_with(db: &mut PgConnection, projection: &'static Registration) -> Result<bool, BuildError> {
    let schemas = Schemas::of_rebuild(db, projection).await?;
    let was_there = schemas.take(db, projection).await?;
    schemas.discard(db).await?;
    Ok(was_there)
}

/// An open build, and the session that has its lock.
pub(crate) struct Build {
    pub(crate) db: PgConnection,
    pub(crate) projection: &'static Registration,
    pub(crate) schemas: Schemas,
    on_poison: OnPoison,
}

impl Build {
    /// Begins a build that is to take the place of the live tables, or goes on with the one that is there. It must be closed
    /// in the end.
    pub(crate) async fn open(
        pool: &PgPool,
        projection: &'static Registration,
        on_poison: OnPoison,
    ) -> Result<Self, BuildError> {
        let mut db = pool.acquire().await?.detach();
        let schemas = Schemas::of_rebuild(&mut db, projection).await?;
        let mut build = Self { db, projection, schemas, on_poison };
        let made = match build.schemas.take(&mut build.db, projection).await {
            Ok(_) => build.schemas.make(&mut build.db, projection).await,
            Err(error) => Err(error),
        };
        build.entered(made).await
    }

    /// Begins a build that is compared with the live tables, and gone with its session.
    pub(crate) async fn open_temporary(
        pool: &PgPool,
        projection: &'static Registration,
    ) -> Result<Self, BuildError> {
        let mut db = pool.acquire().await?.detach();
        let schemas = Schemas::of_comparison(&mut db).await?;
        sqlx::query("SELECT set_config('temp_buffers', $1, false)")
            .bind(TEMP_BUFFERS)
            .execute(&mut db)
            .await?;
        let mut build = Self { db, projection, schemas, on_poison: OnPoison::Park };
        let made = build.schemas.make_temporary(&mut build.db, projection).await;
        build.entered(made).await
    }

    async fn entered(mut self, made: Result<(), BuildError>) -> Result<Self, BuildError> {
        let entered = match made {
            Ok(()) => self.enter().await,
            Err(error) => Err(error),
        };
        match entered {
            Ok(()) => Ok(self),
            Err(error) => {
                self.close(true).await;
                Err(error)
            }
        }
    }

    async fn enter(&mut self) -> Result<(), BuildError> {
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
            let _ = roll_back(&mut self.db).await;
        }
        leadership::give_up(self.db).await;
    }
}
