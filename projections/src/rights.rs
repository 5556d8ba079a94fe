//! What the database user may not do, and the SQL that lets it.

use sqlx::{PgConnection, PgExecutor};

use event_store::missing_grants;

use crate::{ALL, Registration};

/// What is done with the rows of a projection.
const ROWS: [&str; 5] = ["SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE"];

/// Where all projections stand, and what they could not fold: never truncated.
const BOOKKEEPING: [&str; 2] = ["projection_cursors", "parked_events"];

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

/// The SQL that lets the user keep all projections up; `None` when it may.
///
/// # Errors
/// When the database does not answer.
pub async fn missing_write_grants(db: impl PgExecutor<'_>) -> Result<Option<String>, sqlx::Error> {
    missing_on(db, &ALL.each_ref()).await
}

/// The SQL that lets the user write the tables of a projection; `None` when it may.
pub(crate) async fn missing_on_tables(
    db: impl PgExecutor<'_>,
    projection: &Registration,
) -> Result<Option<String>, sqlx::Error> {
    missing_on(db, &[projection]).await
}

async fn missing_on(
    db: impl PgExecutor<'_>,
    projections: &[&Registration],
) -> Result<Option<String>, sqlx::Error> {
    missing_grants(db, &rights_to_write(projections)).await
}

/// Tables, each with a right that whoever writes these projections needs on it.
fn rights_to_write(projections: &[&Registration]) -> Vec<(&'static str, &'static str)> {
    let tables = projections.iter().flat_map(|projection| projection.tables);
    let rows = tables.flat_map(|table| ROWS.map(|right| (table.name, right)));
    let bookkeeping_rights = ROWS.into_iter().filter(|right| *right != "TRUNCATE");
    rows.chain(bookkeeping_rights.flat_map(|right| BOOKKEEPING.map(|table| (table, right)))).collect()
}
