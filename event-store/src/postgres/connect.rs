//! Connections to the log's PostgreSQL.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use sqlx::migrate::MigrateError;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions, PgPool, Row};
use tokio::time::timeout;

/// How long a caller waits for a free connection before it is told that the database is away.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a program that is done waits for its connections.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// Why a store could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The URL is not one of PostgreSQL.
    #[error("the database URL cannot be read; write it as postgres://user:password@host:5432/database")]
    Url(#[source] sqlx::Error),
    /// No connection.
    #[error("{database} cannot be reached; is PostgreSQL running there, and is the URL right?")]
    Unreachable {
        /// Which database of which server, without the password.
        database: String,
        /// What stands in the way.
        source: sqlx::Error,
    },
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
    /// The tables are another user's, and not those of this program yet.
    #[error(
        "the database schema {schema} is not up to date (migration {missing} is missing), and the database user {user} may \
         not change it; run this version of the program once as the owner of the tables, {owner}"
    )]
    NotTheOwner {
        /// Who was to do it.
        user: String,
        /// Where the tables are.
        schema: String,
        /// The first migration that is missing.
        missing: i64,
        /// Whose the tables are.
        owner: String,
        /// What PostgreSQL says about it, if it was asked.
        #[source]
        source: Option<sqlx::Error>,
    },
    /// There are no tables, and the user may not make any.
    #[error(
        "there is no store in the database schema {schema}, and the database user {user} may not make one; if it is \
         elsewhere, name the database and the schema in the URL, or else: GRANT CREATE ON SCHEMA {schema} TO {user}"
    )]
    NoStore {
        /// Who was to do it.
        user: String,
        /// Where it was looked for.
        schema: String,
    },
    /// There is no schema.
    #[error(
        "the database has no schema that the search_path of its user {user} names; name one in the URL, with \
         ?options[search_path]=…, or make it"
    )]
    NoSchema {
        /// Who looked.
        user: String,
    },
    /// The user may not enter the schema.
    #[error("the database user {user} may not enter the schema of the store; let it: {grants}")]
    MayNotEnter {
        /// Who wanted to.
        user: String,
        /// The SQL that lets it.
        grants: String,
    },
    /// The user may not read the tables.
    #[error("the database user may not read the store; let it: {grants}")]
    MayNotRead {
        /// The SQL that lets it.
        grants: String,
    },
}

/// Closes a pool, and waits for its connections for five seconds at most: what was to be done is done.
///
/// Nobody waits for [`PgPool::close`] itself. A database that hangs gives no connection back, and sqlx 0.8 loses count
/// of the connections that come back while it closes (launchbadge/sqlx issue 3217), so that it may wait for good.
pub async fn close(pool: &PgPool) {
    let _ = timeout(CLOSE_TIMEOUT, pool.close()).await;
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
        .connect_with(options.clone())
        .await;
    let pool = match pool {
        Ok(pool) => pool,
        Err(error) => return Err(unreachable(&options, what_is_in_the_way(&options, error).await)),
    };
    for setting in ["fsync", "full_page_writes"] {
        let value: String = sqlx::query("SELECT current_setting($1)")
            .bind(setting)
            .fetch_one(&pool)
            .await
            .map_err(|error| unreachable(&options, error))?
            .get(0);
        if value != "on" {
            return Err(ConnectError::NotDurable { setting: setting.to_owned() });
        }
    }
    Ok(pool)
}

/// A pool tries again while the server refuses it, and says in the end only that its time was over. One connection says
/// why.
async fn what_is_in_the_way(options: &PgConnectOptions, error: sqlx::Error) -> sqlx::Error {
    if !matches!(error, sqlx::Error::PoolTimedOut) {
        return error;
    }
    match timeout(ACQUIRE_TIMEOUT, options.connect()).await {
        Ok(Err(cause)) => cause,
        Ok(Ok(_)) => error,
        Err(_) => {
            let silence = format!("no answer within {} s", ACQUIRE_TIMEOUT.as_secs());
            sqlx::Error::Io(std::io::Error::new(std::io::ErrorKind::TimedOut, silence))
        }
    }
}

pub(super) fn unreachable(options: &PgConnectOptions, source: sqlx::Error) -> ConnectError {
    ConnectError::Unreachable { database: name_of(options), source }
}

/// Which database of which server, for people.
fn name_of(options: &PgConnectOptions) -> String {
    let (host, port) = (options.get_host(), options.get_port());
    // Without a host in the URL, it is the usual folder.
    let folder =
        options.get_socket().map(PathBuf::as_path).or(host.starts_with('/').then_some(Path::new(host)));
    let server = match folder {
        Some(folder) => format!("the socket {}/.s.PGSQL.{port}", folder.display()),
        None => format!("{host}:{port}"),
    };
    // PostgreSQL takes the name of the user where none is given.
    let database = options.get_database().unwrap_or(options.get_username());
    format!("the database {database} at {server}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_is_named_without_the_password() {
        for (url, name) in [
            ("postgres://ewa:secret@10.0.0.5:5433/leads", "the database leads at 10.0.0.5:5433"),
            ("postgres://ewa:secret@db.example.com", "the database ewa at db.example.com:5432"),
            (
                "postgres://ewa@localhost/leads?host=/run/pg",
                "the database leads at the socket /run/pg/.s.PGSQL.5432",
            ),
            (
                "postgres:///leads?host=/run/pg&user=ewa&port=5433",
                "the database leads at the socket /run/pg/.s.PGSQL.5433",
            ),
            ("postgres://ewa@%2Frun%2Fpg/leads", "the database leads at the socket /run/pg/.s.PGSQL.5432"),
        ] {
            assert_eq!(name_of(&url.parse().unwrap()), name, "{url}");
        }
    }
}
