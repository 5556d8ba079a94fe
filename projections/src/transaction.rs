//! Ending the transaction that a refused statement may have left open.

use sqlx::PgConnection;

/// SQLSTATE of "no active SQL transaction".
const NONE_OPEN: &str = "25P01";

/// Rolls back, whether or not a transaction is open. A plain ROLLBACK without one makes PostgreSQL warn whoever looks at
/// the log of something that is nobody's concern.
///
/// # Errors
/// When the database does not answer.
pub(crate) async fn roll_back(db: &mut PgConnection) -> Result<(), sqlx::Error> {
    match sqlx::query("ROLLBACK AND CHAIN").execute(&mut *db).await {
        // Another one is open now, and nothing is wrong with it.
        Ok(_) => sqlx::query("ROLLBACK").execute(db).await.map(|_| ()),
        Err(error) if state(&error).as_deref() == Some(NONE_OPEN) => Ok(()),
        Err(error) => Err(error),
    }
}

fn state(error: &sqlx::Error) -> Option<String> {
    Some(error.as_database_error()?.code()?.into_owned())
}
