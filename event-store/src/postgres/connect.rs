//! Connections to the log's PostgreSQL, and its schema.

use std::str::FromStr;
use std::time::Duration;

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{PgPool, Row};

static MIGRATIONS: Migrator = sqlx::migrate!("../migrations");

/// How long a caller waits for a free connection before it is told that the database is away.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);

/// Why a store could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The URL is not one of PostgreSQL.
    #[error("the database URL cannot be read; write it as postgres://user:password@host:5432/database")]
    Url(#[source] sqlx::Error),
    /// No connection.
    #[error("PostgreSQL cannot be reached; is it running, and is the URL right?")]
    Unreachable(#[source] sqlx::Error),
    /// A commit on this server does not survive a crash.
    #[error(
        "PostgreSQL runs with {setting} = off, so that a crash can lose leads that were confirmed; \
         set {setting} = on in postgresql.conf and restart it"
    )]
    NotDurable {
        /// The setting that is off.
        setting: String,
    },
    /// The schema could not be brought up to date.
    #[error("the database schema cannot be brought up to date")]
    Migrate(#[source] MigrateError),
}

/// Opens a pool of at most `max_connections` connections, and refuses a server that loses commits.
///
/// # Errors
/// See [`ConnectError`].
pub async fn connect(url: &str, max_connections: u32) -> Result<PgPool, ConnectError> {
    let options =
        PgConnectOptions::from_str(url).map_err(ConnectError::Url)?.application_name("leadlog").options([
            // A user's or a database's defaults must not weaken a verdict.
            ("synchronous_commit", "on"),
            // Compiling short statements costs up to 300 ms a call.
            ("jit", "off"),
            ("TimeZone", "UTC"),
            // A client that died in the middle must not hold the head for ever.
            ("idle_in_transaction_session_timeout", "60s"),
        ]);
    let pool = PgPoolOptions::new()
        .max_connections(max_connections)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .connect_with(options)
        .await
        .map_err(ConnectError::Unreachable)?;
    for setting in ["fsync", "full_page_writes"] {
        let value: String = sqlx::query("SELECT current_setting($1)")
            .bind(setting)
            .fetch_one(&pool)
            .await
            .map_err(ConnectError::Unreachable)?
            .get(0);
        if value != "on" {
            return Err(ConnectError::NotDurable { setting: setting.to_owned() });
        }
    }
    Ok(pool)
}

/// Brings the schema up to date. Safe to call from several processes at once.
///
/// # Errors
/// [`ConnectError::Migrate`].
pub async fn migrate(pool: &PgPool) -> Result<(), ConnectError> {
    MIGRATIONS.run(pool).await.map_err(ConnectError::Migrate)
}
