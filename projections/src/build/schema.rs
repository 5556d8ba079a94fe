//! Where a build stands: a schema beside the store's own.

use event_store::is_forbidden;
use sqlx::PgConnection;

use super::BuildError;
use crate::{Registration, rights};

/// What stands beside a projection's own tables in its build.
const BOOKKEEPING: [&str; 2] = ["projection_cursors", "parked_events"];

/// Longest name that PostgreSQL keeps, in bytes.
const MAX_NAME_BYTES: usize = 63;

/// What PostgreSQL calls the schema of a session's own tables, which are gone when the session ends.
const TEMPORARY: &str = "pg_temp";

/// A build of a projection that is there.
pub(crate) enum Begun {
    /// This user may go on with it, or throw it away.
    Ours {
        /// How far it is.
        position: u64,
    },
    /// It belongs to another database user, whose rights this one does not have.
    Foreign {
        /// Whose it is.
        owner: String,
        /// The SQL that gives this user the owner's rights.
        grant: String,
    },
}

/// The schema of the store and that of a build.
pub(crate) struct Schemas {
    /// The store's, as it is.
    pub(crate) live: String,
    /// The build's, as it is.
    pub(crate) build: String,
}

impl Schemas {
    /// Of a build that is to take the place of the live tables.
    pub(crate) async fn of_rebuild(
        db: &mut PgConnection,
        projection: &Registration,
    ) -> Result<Self, sqlx::Error> {
        let (live, oid): (String, i64) =
            sqlx::query_as("SELECT current_schema()::text, current_schema()::regnamespace::oid::bigint")
                .fetch_one(db)
                .await?;
        Ok(Self { build: build_name(&live, oid, projection), live })
    }

    /// Of a build that is compared with the live tables, and seen by this session alone.
    pub(super) async fn of_comparison(db: &mut PgConnection) -> Result<Self, sqlx::Error> {
        let live = sqlx::query_scalar("SELECT current_schema()::text").fetch_one(db).await?;
        Ok(Self { live, build: TEMPORARY.to_owned() })
    }

    /// The build that is there, whoever began it.
    pub(crate) async fn begun(&self, db: &mut PgConnection) -> Result<Option<Begun>, sqlx::Error> {
        let begun: Option<(String, bool, String)> = sqlx::query_as(
            "SELECT pg_get_userbyid(nspowner)::text, pg_has_role(nspowner, 'USAGE'),
                    format('GRANT %I TO %I', pg_get_userbyid(nspowner), current_user)
             FROM pg_namespace WHERE nspname = $1",
        )
        .bind(&self.build)
        .fetch_optional(&mut *db)
        .await?;
        Ok(match begun {
            Some((_, true, _)) => Some(Begun::Ours { position: self.reached(db).await? }),
            Some((owner, false, grant)) => Some(Begun::Foreign { owner, grant }),
            None => None,
        })
    }

    async fn reached(&self, db: &mut PgConnection) -> Result<u64, sqlx::Error> {
        let position: Option<i64> =
            sqlx::query_scalar(&format!("SELECT max(position) FROM {}", self.in_build(BOOKKEEPING[0])))
                .fetch_one(db)
                .await?;
        Ok(position.unwrap_or(0).cast_unsigned())
    }

    /// Takes the build for this session, and says whether there was one. Nobody touches one that is another's.
    pub(super) async fn take(
        &self,
        db: &mut PgConnection,
        projection: &Registration,
    ) -> Result<bool, BuildError> {
        let projection = projection.name;
        if !self.lock(db).await? {
            return Err(BuildError::Busy { projection });
        }
        match self.begun(db).await? {
            Some(Begun::Foreign { owner, grant }) => Err(BuildError::Foreign { projection, owner, grant }),
            there => Ok(there.is_some()),
        }
    }

    async fn lock(&self, db: &mut PgConnection) -> Result<bool, sqlx::Error> {
        sqlx::query_scalar("SELECT pg_try_advisory_lock(hashtextextended('leadlog build ' || $1, 0))")
            .bind(&self.build)
            .fetch_one(db)
            .await
    }

    /// Makes empty tables that last as long as the session: nothing of people's data stays when it is killed, and no right
    /// is needed beyond what every user of a database has, unless somebody took it away.
    pub(super) async fn make_temporary(
        &self,
        db: &mut PgConnection,
        projection: &Registration,
    ) -> Result<(), BuildError> {
        for table in copied(projection) {
            let create =
                format!("CREATE TEMPORARY TABLE {table} (LIKE {} INCLUDING ALL)", self.in_live(table));
            if let Err(error) = sqlx::query(&create).execute(&mut *db).await {
                return Err(match rights::missing_on_database(db, "TEMPORARY").await? {
                    Some(grant) => BuildError::NoTemporary { grant },
                    None => error.into(),
                });
            }
        }
        Ok(())
    }

    /// Makes the schema with its empty tables, unless it is there and this program made it.
    pub(super) async fn make(
        &self,
        db: &mut PgConnection,
        projection: &Registration,
    ) -> Result<(), BuildError> {
        let stamp = stamp(db, projection).await?;
        match self.made_by(db).await? {
            Some(made_by) if made_by == stamp => return Ok(()),
            Some(_) => self.discard(&mut *db).await?,
            None => {}
        }
        if let Some(grant) = rights::missing_on_database(db, "CREATE").await? {
            return Err(BuildError::NoSchema { grant });
        }
        let schema = quoted(&self.build);
        sqlx::query("BEGIN").execute(&mut *db).await?;
        sqlx::query(&format!("CREATE SCHEMA {schema}")).execute(&mut *db).await?;
        sqlx::query(&format!("COMMENT ON SCHEMA {schema} IS '{stamp}'")).execute(&mut *db).await?;
        for table in copied(projection) {
            let (copy, original) = (self.in_build(table), self.in_live(table));
            sqlx::query(&format!("CREATE TABLE {copy} (LIKE {original} INCLUDING ALL)"))
                .execute(&mut *db)
                .await?;
            self.run(&mut *db, include_str!("../sql/name_build_indexes.sql"), table).await?;
        }
        // Again at the switch. Here, so that nobody folds for an hour before it is refused; and with the rest or not at all, so
        // that one user can go on with what is left or throw it away.
        self.copy_owners(&mut *db, projection).await?;
        sqlx::query("COMMIT").execute(db).await?;
        Ok(())
    }

    /// The stamp of the schema that is there, empty when it has none.
    async fn made_by(&self, db: &mut PgConnection) -> Result<Option<String>, sqlx::Error> {
        sqlx::query_scalar(
            "SELECT coalesce(obj_description(oid, 'pg_namespace'), '') FROM pg_namespace WHERE nspname = $1",
        )
        .bind(&self.build)
        .fetch_optional(db)
        .await
    }

    /// Whether the build was made from the tables as they are now. Nothing changes their shape until the caller's
    /// transaction ends.
    pub(crate) async fn lock_shape(
        &self,
        db: &mut PgConnection,
        projection: &Registration,
    ) -> Result<bool, sqlx::Error> {
        // In the order in which they are dropped. A migration holds what it alters until it is recorded, and whoever asks
        // behind it sees the record.
        let tables: Vec<String> = projection.tables.iter().map(|table| self.in_live(table.name)).collect();
        let bookkeeping = BOOKKEEPING.map(|table| self.in_live(table));
        for lock in [
            format!("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE", tables.join(", ")),
            format!("LOCK TABLE {} IN ROW EXCLUSIVE MODE", bookkeeping.join(", ")),
        ] {
            sqlx::query(&lock).execute(&mut *db).await?;
        }
        let now = stamp(db, projection).await?;
        Ok(self.made_by(db).await? == Some(now))
    }

    /// Gives the build, with all that is in it, to whom the originals belong: the server may be another user than whoever
    /// rebuilds, and must go on writing; and what is left of an interrupted rebuild must not be out of its reach.
    pub(crate) async fn copy_owners(
        &self,
        db: &mut PgConnection,
        projection: &Registration,
    ) -> Result<(), BuildError> {
        let give_build = include_str!("../sql/give_build.sql");
        let copy_owner = include_str!("../sql/copy_owner.sql");
        let schema = projection.tables.iter().take(1).map(|table| (table.name, give_build));
        for (table, query) in schema.chain(copied(projection).map(|table| (table, copy_owner))) {
            for statement in self.statements(db, query, table).await? {
                let Err(source) = sqlx::query(&statement).execute(&mut *db).await else { continue };
                return Err(match is_forbidden(&source) && statement.starts_with("ALTER ") {
                    true => BuildError::Owner { projection: projection.name, table, source },
                    false => source.into(),
                });
            }
        }
        Ok(())
    }

    /// Lets others do with the copy of a table what they may do with the original, and nothing else.
    pub(crate) async fn copy_grants(&self, db: &mut PgConnection, table: &str) -> Result<(), sqlx::Error> {
        self.run(db, include_str!("../sql/clear_grants.sql"), table).await?;
        self.run(db, include_str!("../sql/copy_grants.sql"), table).await
    }

    /// Removes the build's schema, with everything in it.
    pub(crate) async fn discard(&self, db: &mut PgConnection) -> Result<(), sqlx::Error> {
        sqlx::query(&format!("DROP SCHEMA IF EXISTS {} CASCADE", quoted(&self.build))).execute(db).await?;
        Ok(())
    }

    /// The build's tables first, the log behind them.
    pub(super) fn search_path(&self) -> String {
        format!("{}, {}", quoted(&self.build), quoted(&self.live))
    }

    /// A table of the build, quoted.
    pub(crate) fn in_build(&self, table: &str) -> String {
        format!("{}.{table}", quoted(&self.build))
    }

    /// A table of the store, quoted.
    pub(crate) fn in_live(&self, table: &str) -> String {
        format!("{}.{table}", quoted(&self.live))
    }

    /// Runs the statements that a query writes about a table and its copy.
    async fn run(&self, db: &mut PgConnection, query: &str, table: &str) -> Result<(), sqlx::Error> {
        for statement in self.statements(db, query, table).await? {
            sqlx::query(&statement).execute(&mut *db).await?;
        }
        Ok(())
    }

    async fn statements(
        &self,
        db: &mut PgConnection,
        query: &str,
        table: &str,
    ) -> Result<Vec<String>, sqlx::Error> {
        sqlx::query_scalar(query).bind(self.in_live(table)).bind(self.in_build(table)).fetch_all(db).await
    }
}

/// Which program makes a build, from tables of which shape.
async fn stamp(db: &mut PgConnection, projection: &Registration) -> Result<String, sqlx::Error> {
    let migration: i64 =
        sqlx::query_scalar("SELECT max(version) FROM _sqlx_migrations").fetch_one(db).await?;
    Ok(format!("{projection:?}, migration {migration}"))
}

/// The tables of which a build has copies.
fn copied(projection: &Registration) -> impl Iterator<Item = &'static str> {
    projection.tables.iter().map(|table| table.name).chain(BOOKKEEPING)
}

fn build_name(live: &str, live_oid: i64, projection: &Registration) -> String {
    let name = format!("{live}_{}_build", projection.name);
    if name.len() <= MAX_NAME_BYTES { name } else { format!("leadlog_{live_oid}_{}_build", projection.name) }
}

pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
