//! What the database user may not do, and the SQL that lets it.

use sqlx::{PgConnection, PgExecutor};

use crate::Registration;

/// The statement that gives the user this right on its database; `None` when it has it.
pub(crate) async fn missing_on_database(
    db: &mut PgConnection,
    right: &str,
) -> Result<Option<String>, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT format('GRANT %s ON DATABASE %I TO %I', $1, current_database(), current_user)
         WHERE NOT has_database_privilege(current_database(), $1)",
    )
    .bind(right)
    .fetch_optional(db)
    .await
}

/// The SQL that lets the user write the tables of a projection; `None` when it may.
pub(crate) async fn missing_on_tables(
    db: impl PgExecutor<'_>,
    projection: &Registration,
) -> Result<Option<String>, sqlx::Error> {
    let tables: Vec<&str> = projection.tables.iter().map(|table| table.name).collect();
    sqlx::query_scalar(include_str!("sql/missing_write_grants.sql")).bind(tables).fetch_one(db).await
}
