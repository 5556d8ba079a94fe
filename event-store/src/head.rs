//! Where the log ends, and whether it still holds what a receipt proves.

use domain::{Receipt, StoreId};
use sqlx::{PgExecutor, Row};
use uuid::Uuid;

/// The store and its newest position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// The store.
    pub store_id: StoreId,
    /// Position of the newest event; 0 when there is none.
    pub position: u64,
}

/// Reads the head.
///
/// # Errors
/// When the database does not answer.
pub async fn head(db: impl PgExecutor<'_>) -> Result<Head, sqlx::Error> {
    let row = sqlx::query("SELECT store_id, position FROM log_head").fetch_one(db).await?;
    let position: i64 = row.try_get("position")?;
    Ok(Head {
        store_id: StoreId::new(row.try_get::<Uuid, _>("store_id")?),
        position: position.cast_unsigned(),
    })
}

/// Whether this log holds what the receipt proves. Histories are prefixes and every append has a random id,
/// so if it holds that position with that id, it holds all that went before.
///
/// # Errors
/// When the database does not answer.
pub async fn holds_receipt(db: impl PgExecutor<'_>, receipt: &Receipt) -> Result<bool, sqlx::Error> {
    let Ok(position) = i64::try_from(receipt.position) else { return Ok(false) };
    let found: Option<i64> = sqlx::query_scalar("SELECT append_id FROM events WHERE position = $1")
        .bind(position)
        .fetch_optional(db)
        .await?;
    Ok(found == Some(receipt.append_id.bits()))
}
