//! What the database user may not do with a store, as the SQL that lets it.

use sqlx::PgExecutor;

/// SQLSTATE of "insufficient privilege".
const FORBIDDEN: &str = "42501";

/// Whether the database refuses this to its user, and would do it for another.
pub fn is_forbidden(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(|error| error.code().as_deref() == Some(FORBIDDEN))
}

/// The SQL that lets the current user read the store; `None` when it may.
///
/// # Errors
/// When the database does not answer.
pub async fn missing_read_grants(db: impl PgExecutor<'_>) -> Result<Option<String>, sqlx::Error> {
    let grants: Option<Option<String>> =
        sqlx::query_scalar(include_str!("sql/missing_read_grants.sql")).fetch_optional(db).await?;
    Ok(grants.flatten())
}

/// The SQL that gives the current user rights, each on its table; `None` when it has them all.
///
/// # Errors
/// When the database does not answer.
pub async fn missing_grants(
    db: impl PgExecutor<'_>,
    needed: &[(&str, &str)],
) -> Result<Option<String>, sqlx::Error> {
    let (tables, rights): (Vec<&str>, Vec<&str>) = needed.iter().copied().unzip();
    sqlx::query_scalar(include_str!("sql/missing_grants.sql")).bind(tables).bind(rights).fetch_one(db).await
}

/// The SQL that lets the current user append to the log; `None` when it may.
///
/// # Errors
/// When the database does not answer.
pub async fn missing_append_grants(db: impl PgExecutor<'_>) -> Result<Option<String>, sqlx::Error> {
    sqlx::query_scalar(include_str!("sql/missing_append_grants.sql")).fetch_one(db).await
}
