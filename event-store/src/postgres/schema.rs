//! The schema of a store: whether the database has what this program needs, and bringing it up to date.
//!
//! Looking needs no more than reading. Only what is missing is run, so that a user who may not change the schema can
//! use a store that is up to date.

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::{PgConnection, PgPool};

use super::connect::{ConnectError, unreachable};
use super::rights::{is_forbidden, missing_read_grants};

static MIGRATIONS: Migrator = sqlx::migrate!("../migrations");

/// What a session sees of a store before it reads it.
#[derive(sqlx::FromRow)]
struct Seen {
    user: String,
    /// Where the tables are; `None` when the user may enter no schema that it is told to look in.
    schema: Option<String>,
    /// Whose the tables are; `None` when there are none.
    owner: Option<String>,
    /// Whether the user is the owner, or may do what the owner may.
    acts_as_owner: bool,
}

/// Brings the schema up to date. Safe to call from several processes at once. Where it is up to date, the user need not
/// be able to change it.
///
/// # Errors
/// [`ConnectError::Migrate`], or what the user is not allowed to and the SQL that lets it.
pub async fn migrate(pool: &PgPool) -> Result<(), ConnectError> {
    let mut db = pool.acquire().await.map_err(|error| unreachable(&pool.connect_options(), error))?;
    let seen: Seen =
        sqlx::query_as(include_str!("sql/seen.sql")).fetch_one(&mut *db).await.map_err(failed)?;
    let Some(schema) = seen.schema else { return Err(no_schema(&mut db, seen.user).await) };
    let missing = match seen.owner {
        Some(_) => first_missing(&mut db).await?,
        None => MIGRATIONS.iter().next().map(|first| first.version),
    };
    let Some(missing) = missing else { return Ok(()) };
    drop(db);
    if let Some(owner) = seen.owner.as_ref().filter(|_| !seen.acts_as_owner) {
        // Who may make tables here, and does not own those that are there, would leave some that the owner cannot use.
        let (user, owner) = (seen.user, owner.clone());
        return Err(ConnectError::NotTheOwner { user, schema, missing, owner, source: None });
    }
    match MIGRATIONS.run(pool).await {
        Err(MigrateError::Execute(source) | MigrateError::ExecuteMigration(source, _))
            if is_forbidden(&source) =>
        {
            Err(match seen.owner {
                Some(owner) => {
                    let source = Some(source);
                    ConnectError::NotTheOwner { user: seen.user, schema, missing, owner, source }
                }
                None => ConnectError::NoStore { user: seen.user, schema },
            })
        }
        other => other.map_err(ConnectError::Migrate),
    }
}

/// Whether there is a store to be read.
///
/// # Errors
/// [`ConnectError::Migrate`] when the database does not answer.
pub async fn is_there(pool: &PgPool) -> Result<bool, ConnectError> {
    let seen: Seen = sqlx::query_as(include_str!("sql/seen.sql")).fetch_one(pool).await.map_err(failed)?;
    // A user who sees no schema is told so by `migrate`.
    Ok(seen.schema.is_none() || seen.owner.is_some())
}

/// The first migration of this program that the database does not have.
async fn first_missing(db: &mut PgConnection) -> Result<Option<i64>, ConnectError> {
    let applied: Result<Vec<(i64, Vec<u8>, bool)>, sqlx::Error> =
        sqlx::query_as("SELECT version, checksum, success FROM _sqlx_migrations ORDER BY version")
            .fetch_all(&mut *db)
            .await;
    let applied = match applied {
        Err(source) if is_forbidden(&source) => {
            let grants = missing_read_grants(&mut *db).await.map_err(failed)?.unwrap_or_default();
            return Err(ConnectError::MayNotRead { grants });
        }
        other => other.map_err(failed)?,
    };
    for (version, checksum, is_whole) in &applied {
        let known = MIGRATIONS.iter().find(|migration| migration.version == *version);
        let wrong = match known {
            None => MigrateError::VersionMissing(*version),
            Some(_) if !is_whole => MigrateError::Dirty(*version),
            Some(known) if *known.checksum != **checksum => MigrateError::VersionMismatch(*version),
            Some(_) => continue,
        };
        return Err(ConnectError::Migrate(wrong));
    }
    let is_applied = |version| applied.iter().any(|(applied, ..)| *applied == version);
    Ok(MIGRATIONS.iter().map(|migration| migration.version).find(|version| !is_applied(*version)))
}

/// No schema can be entered: because there is none, or because the user may not.
async fn no_schema(db: &mut PgConnection, user: String) -> ConnectError {
    let grants: Result<Option<String>, _> =
        sqlx::query_scalar(include_str!("sql/missing_usage.sql")).fetch_one(db).await;
    match grants {
        Ok(Some(grants)) => ConnectError::MayNotEnter { user, grants },
        Ok(None) => ConnectError::NoSchema { user },
        Err(error) => failed(error),
    }
}

fn failed(error: sqlx::Error) -> ConnectError {
    ConnectError::Migrate(MigrateError::Execute(error))
}
