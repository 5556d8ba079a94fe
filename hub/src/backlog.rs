//! What the cloud has not got yet.

use domain::{LEAD_STREAM, SUBMISSION_STREAM};
use sqlx::{PgExecutor, Row};
use time::OffsetDateTime;

use crate::courier::RelayStatus;

/// What a hub holds and its cloud does not.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Backlog {
    /// How many leads, those included that were refused here.
    pub leads: u64,
    /// When the first of it came in, by this hub's clock.
    pub oldest_at: Option<OffsetDateTime>,
}

/// When the first of it came in, which costs no counting.
///
/// # Errors
/// When the database does not answer.
pub async fn waiting_since(
    db: impl PgExecutor<'_>,
    status: &RelayStatus,
) -> Result<Option<OffsetDateTime>, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT recorded_at FROM events
         WHERE (position > $1 OR position = ANY($2)) AND aggregate_type IN ($3, $4) ORDER BY position LIMIT 1",
    )
    .bind(i64::try_from(status.offered_through).unwrap_or(i64::MAX))
    .bind(held(status))
    .bind(LEAD_STREAM)
    .bind(SUBMISSION_STREAM)
    .fetch_optional(db)
    .await
}

/// Counts it in the hub's log.
///
/// # Errors
/// When the database does not answer.
pub async fn backlog(db: impl PgExecutor<'_>, status: &RelayStatus) -> Result<Backlog, sqlx::Error> {
    let row = sqlx::query(
        "SELECT count(DISTINCT (aggregate_type, aggregate_id)) AS leads, min(recorded_at) AS oldest_at FROM events
         WHERE (position > $1 OR position = ANY($2)) AND aggregate_type IN ($3, $4)",
    )
    .bind(i64::try_from(status.offered_through).unwrap_or(i64::MAX))
    .bind(held(status))
    .bind(LEAD_STREAM)
    .bind(SUBMISSION_STREAM)
    .fetch_one(db)
    .await?;
    Ok(Backlog {
        leads: row.try_get::<i64, _>("leads")?.cast_unsigned(),
        oldest_at: row.try_get("oldest_at")?,
    })
}

fn held(status: &RelayStatus) -> Vec<i64> {
    status.held.iter().filter_map(|position| i64::try_from(*position).ok()).collect()
}
