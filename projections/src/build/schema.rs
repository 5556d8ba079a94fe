//! Where a build stands: a schema beside the store's own.

use sqlx::PgConnection;

use super::BuildError;
use crate::Registration;

/// What stands beside a projection's own tables in its build.
const BOOKKEEPING: [&str; 2] = ["projection_cursors", "parked_events"];

/// Longest name that PostgreSQL keeps, in bytes.
const MAX_NAME_BYTES: usize = 63;

/// SQLSTATE of "insufficient privilege".
const FORBIDDEN: &str = "42501";

/// What a build is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// To take the place of the live tables.
    Rebuild,
    /// To be compared with them.
    Verify,
}

/// The schema of the store and that of a build.
pub(crate) struct Schemas {
    /// The store's, as it is.
    pub(crate) live: String,
    /// The build's, as it is.
    pub(crate) build: String,
    purpose: Purpose,
}

impl Schemas {
    pub(crate) async fn of(
        db: &mut PgConnection,
        projection: &Registration,
        purpose: Purpose,
    ) -> Result<Self, sqlx::Error> {
        let (live, oid): (String, i64) =
            sqlx::query_as("SELECT current_schema()::text, current_schema()::regnamespace::oid::bigint")
                .fetch_one(db)
                .await?;
        Ok(Self { build: build_name(&live, oid, projection, purpose), live, purpose })
    }

    /// Whether a build of this projection exists, with how far it is.
    pub(crate) async fn begun(&self, db: &mut PgConnection) -> Result<Option<u64>, sqlx::Error> {
        let is_there: bool = sqlx::query_scalar("SELECT to_regclass($1) IS NOT NULL")
            .bind(self.in_build(BOOKKEEPING[0]))
            .fetch_one(&mut *db)
            .await?;
        if !is_there {
            return Ok(None);
        }
        let position: Option<i64> =
            sqlx::query_scalar(&format!("SELECT max(position) FROM {}", self.in_build(BOOKKEEPING[0])))
                .fetch_one(db)
                .await?;
        Ok(Some(position.unwrap_or(0).cast_unsigned()))
    }

    /// Takes the build for this session.
    pub(super) async fn lock(&self, db: &mut PgConnection) -> Result<bool, sqlx::Error> {
        sqlx::query_scalar("SELECT pg_try_advisory_lock(hashtextextended('leadlog build ' || $1, 0))")
            .bind(&self.build)
            .fetch_one(db)
            .await
    }

    /// Makes the schema with its empty tables, unless a rebuild is to go on with those that this program made. A
    /// comparison begins anew: somebody may have moved the live cursor back meanwhile.
    pub(super) async fn make(
        &self,
        db: &mut PgConnection,
        projection: &Registration,
    ) -> Result<(), BuildError> {
        let stamp = stamp(db, projection).await?;
        match self.made_by(db).await? {
            Some(made_by) if self.purpose == Purpose::Rebuild && made_by == stamp => return Ok(()),
            Some(_) => self.discard(&mut *db).await?,
            None => {}
        }
        let schema = quoted(&self.build);
        sqlx::query("BEGIN").execute(&mut *db).await?;
        if let Err(error) = sqlx::query(&format!("CREATE SCHEMA {schema}")).execute(&mut *db).await {
            return Err(if is_forbidden(&error) { BuildError::NoSchema(error) } else { error.into() });
        }
        sqlx::query(&format!("COMMENT ON SCHEMA {schema} IS '{stamp}'")).execute(&mut *db).await?;
        for table in projection.tables.iter().map(|table| table.name).chain(BOOKKEEPING) {
            let (copy, original) = (self.in_build(table), self.in_live(table));
            sqlx::query(&format!("CREATE TABLE {copy} (LIKE {original} INCLUDING ALL)"))
                .execute(&mut *db)
                .await?;
            self.run(&mut *db, include_str!("../sql/name_build_indexes.sql"), table).await?;
        }
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
        let tables = projection.tables.iter().map(|table| table.name).chain(BOOKKEEPING);
        for (table, query) in schema.chain(tables.map(|table| (table, copy_owner))) {
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

fn is_forbidden(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(|error| error.code().as_deref() == Some(FORBIDDEN))
}

fn build_name(live: &str, live_oid: i64, projection: &Registration, purpose: Purpose) -> String {
    let purpose = match purpose {
        Purpose::Rebuild => "build",
        Purpose::Verify => "verify",
    };
    let name = format!("{live}_{}_{purpose}", projection.name);
    if name.len() <= MAX_NAME_BYTES {
        name
    } else {
        format!("leadlog_{live_oid}_{}_{purpose}", projection.name)
    }
}

pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
