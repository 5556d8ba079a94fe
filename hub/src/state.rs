//! Where the relay stands, in the hub's database: a copy of the hub takes it along, and goes on from where the copy stood.

use relay::state::RelayState;
use sqlx::PgPool;
use sqlx::types::Json;

/// Why a store is made no hub.
#[derive(Debug, thiserror::Error)]
pub enum MakeHubError {
    /// Somebody was let in, or something was recorded, while it was a cloud. Devices would go on to take its word for that of
    /// the cloud.
    #[error(
        "this store was in use before it was a hub; a hub needs a store that nobody has used: give it another --data-dir \
         or DATABASE_URL"
    )]
    IsInUse,
    /// The database does not answer.
    #[error("the database cannot be used")]
    Database(#[from] sqlx::Error),
}

/// Makes this store a hub, for good. It is harmless to repeat.
///
/// # Errors
/// See [`MakeHubError`].
pub async fn make_hub(pool: &PgPool) -> Result<(), MakeHubError> {
    let mut transaction = pool.begin().await?;
    // The row is locked, so that nothing comes in between.
    let (is_hub, position): (bool, i64) = sqlx::query_as("SELECT is_hub, position FROM log_head FOR UPDATE")
        .fetch_one(&mut *transaction)
        .await?;
    if !is_hub {
        // Not even an empty sync may have been answered as a cloud: whoever was let in may have asked.
        if position != 0 {
            return Err(MakeHubError::IsInUse);
        }
        sqlx::query("UPDATE log_head SET is_hub = true").execute(&mut *transaction).await?;
    }
    sqlx::query("INSERT INTO relay_state (state) VALUES ($1) ON CONFLICT DO NOTHING")
        .bind(Json(RelayState::default()))
        .execute(&mut *transaction)
        .await?;
    Ok(transaction.commit().await?)
}

/// What was kept last.
///
/// # Errors
/// When the database does not answer, or the store is no hub.
pub async fn load(pool: &PgPool) -> Result<RelayState, sqlx::Error> {
    let Json(state) = sqlx::query_scalar("SELECT state FROM relay_state").fetch_one(pool).await?;
    Ok(state)
}

/// Keeps it, unless the log has lost what it speaks about.
///
/// # Errors
/// When the database does not answer, was put back to an older copy, or the store is no hub.
pub(crate) async fn keep(pool: &PgPool, state: &RelayState) -> Result<(), sqlx::Error> {
    let kept = sqlx::query(
        "UPDATE relay_state SET state = $1, kept_at = now()
         WHERE EXISTS (SELECT FROM log_head WHERE position >= $2)",
    )
    .bind(Json(state))
    .bind(i64::try_from(state.cursor).unwrap_or(i64::MAX));
    if kept.execute(pool).await?.rows_affected() == 1 { Ok(()) } else { Err(sqlx::Error::RowNotFound) }
}
