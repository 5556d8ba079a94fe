//! Where the log ends, and whether it still holds what a receipt proves.

use std::collections::HashSet;

use domain::{AppendId, Receipt, StoreId};
use sqlx::postgres::PgRow;
use sqlx::{PgExecutor, Row};
use uuid::Uuid;

use crate::Head;

/// Reads the head.
///
/// # Errors
/// When the database does not answer.
pub async fn head(db: impl PgExecutor<'_>) -> Result<Head, sqlx::Error> {
    read(&sqlx::query("SELECT store_id, position FROM log_head").fetch_one(db).await?)
}

/// Whether the store is a hub.
///
/// # Errors
/// When the database does not answer.
pub async fn is_hub(db: impl PgExecutor<'_>) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("SELECT is_hub FROM log_head").fetch_one(db).await
}

fn read(row: &PgRow) -> Result<Head, sqlx::Error> {
    let position: i64 = row.try_get("position")?;
    Ok(Head {
        store_id: StoreId::new(row.try_get::<Uuid, _>("store_id")?),
        position: position.cast_unsigned(),
    })
}

/// The same; `None` when the database takes nothing in: it is a standby, or somebody has made it read-only.
///
/// # Errors
/// When the database does not answer.
pub async fn head_to_append(db: impl PgExecutor<'_>) -> Result<Option<Head>, sqlx::Error> {
    let sql =
        "SELECT store_id, position FROM log_head WHERE NOT current_setting('transaction_read_only')::boolean";
    sqlx::query(sql).fetch_optional(db).await?.as_ref().map(read).transpose()
}

/// Of each receipt, whether this log holds what it proves; see [`crate::EventLog::holds_receipts`].
///
/// # Errors
/// When the database does not answer.
pub async fn holds_receipts(db: impl PgExecutor<'_>, receipts: &[Receipt]) -> Result<Vec<bool>, sqlx::Error> {
    if receipts.is_empty() {
        return Ok(Vec::new());
    }
    // No log gets as far as a position that PostgreSQL cannot hold.
    let positions: Vec<i64> =
        receipts.iter().map(|receipt| i64::try_from(receipt.position).unwrap_or(i64::MAX)).collect();
    let held: Vec<(i64, i64)> =
        sqlx::query_as("SELECT position, append_id FROM events WHERE position = ANY ($1)")
            .bind(positions)
            .fetch_all(db)
            .await?;
    let held: HashSet<(u64, AppendId)> = held
        .into_iter()
        .map(|(position, append_id)| (position.cast_unsigned(), AppendId::from_bits(append_id)))
        .collect();
    Ok(receipts.iter().map(|receipt| held.contains(&(receipt.position, receipt.append_id))).collect())
}
