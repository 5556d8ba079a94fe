//! Where the relay stands, in the hub's database: a copy of the hub takes it along, and goes on from where the copy stood.

use relay::state::RelayState;
use sqlx::types::Json;
use sqlx::{PgConnection, PgExecutor, PgPool};

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

/// The SQL that lets the database's user be a hub; `None` when it may.
///
/// # Errors
/// When the database does not answer.
pub async fn missing_grants(pool: &PgPool) -> Result<Option<String>, sqlx::Error> {
    let rights = ["SELECT", "INSERT", "UPDATE"];
    let tables = ["relay_state", "hub_link"].into_iter();
    let tables: Vec<_> = tables.flat_map(|table| rights.map(|right| (table, right))).collect();
    event_store::missing_grants(pool, &tables).await
}

/// What was kept last.
///
/// # Errors
/// When the database does not answer, or the store is no hub.
pub async fn load(pool: &PgPool) -> Result<RelayState, sqlx::Error> {
    read(pool).await
}

async fn read(db: impl PgExecutor<'_>) -> Result<RelayState, sqlx::Error> {
    let Json(state) = sqlx::query_scalar("SELECT state FROM relay_state").fetch_one(db).await?;
    Ok(state)
}

/// The right to relay from a database: one process at a time has it. The lock belongs to a session, and what is kept is written
/// through that very session: whoever loses the one can do no more of the other.
pub(crate) struct Lease(PgConnection);

impl Lease {
    /// Takes it; `None` when another process has it.
    pub(crate) async fn take(pool: &PgPool) -> Result<Option<Self>, sqlx::Error> {
        let mut db = pool.acquire().await?;
        // With the table's oid it is the key of the lock, so that every schema of a database has its own.
        let lock = "SELECT pg_try_advisory_lock('relay_state'::regclass::oid::integer, 1)";
        let is_taken = sqlx::query_scalar(lock).fetch_one(&mut *db).await?;
        Ok(if is_taken { Some(Self(db.detach())) } else { None })
    }

    /// What was kept last.
    pub(crate) async fn load(&mut self) -> Result<RelayState, sqlx::Error> {
        read(&mut self.0).await
    }

    /// Keeps it, unless the log has lost what it speaks about.
    ///
    /// # Errors
    /// When the database does not answer, was put back to an older copy, or the store is no hub.
    pub(crate) async fn keep(&mut self, state: &RelayState) -> Result<(), sqlx::Error> {
        let kept = sqlx::query(
            "UPDATE relay_state SET state = $1, kept_at = now()
             WHERE EXISTS (SELECT FROM log_head WHERE position >= $2)",
        )
        .bind(Json(state))
        .bind(i64::try_from(state.cursor).unwrap_or(i64::MAX));
        let kept = kept.execute(&mut self.0).await?;
        if kept.rows_affected() == 1 { Ok(()) } else { Err(sqlx::Error::RowNotFound) }
    }
}
