//! Where the relay stands, in the hub's database: a copy of the hub takes it along, and goes on from where the copy stood.

use domain::LEAD_STREAM;
use relay::state::RelayState;
use sqlx::PgPool;
use sqlx::types::Json;

/// Why a store is made no hub.
#[derive(Debug, thiserror::Error)]
pub enum MakeHubError {
    /// It is a cloud that is in use. Its devices would be told that their leads are not in the cloud any more.
    #[error(
        "this store has taken leads in as a cloud; a hub needs one of its own: give it another --data-dir or DATABASE_URL"
    )]
    IsCloud,
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
    // The row is locked, so that no lead comes in between.
    let is_hub: bool =
        sqlx::query_scalar("SELECT is_hub FROM log_head FOR UPDATE").fetch_one(&mut *transaction).await?;
    if !is_hub {
        let has_leads: bool =
            sqlx::query_scalar("SELECT EXISTS (SELECT FROM events WHERE aggregate_type = $1)")
                .bind(LEAD_STREAM)
                .fetch_one(&mut *transaction)
                .await?;
        if has_leads {
            return Err(MakeHubError::IsCloud);
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

/// Keeps it.
///
/// # Errors
/// When the database does not answer, or the store is no hub.
pub(crate) async fn keep(pool: &PgPool, state: &RelayState) -> Result<(), sqlx::Error> {
    let kept = sqlx::query("UPDATE relay_state SET state = $1, kept_at = now()").bind(Json(state));
    if kept.execute(pool).await?.rows_affected() == 1 { Ok(()) } else { Err(sqlx::Error::RowNotFound) }
}
