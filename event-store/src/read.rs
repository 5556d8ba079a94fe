//! Reading the log in order.

use domain::AppendId;
use sqlx::{PgExecutor, Row};
use time::OffsetDateTime;

/// An event as the log holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedEvent {
    /// Its place in the total order, from 1, without gaps.
    pub position: u64,
    /// The append that recorded it.
    pub append_id: AppendId,
    /// When, by the database's clock.
    pub recorded_at: OffsetDateTime,
    /// Kind of stream.
    pub aggregate_type: String,
    /// Stream.
    pub aggregate_id: String,
    /// Place in the stream, from 1.
    pub sequence: u64,
    /// Name of the event.
    pub event_type: String,
    /// Version of its form.
    pub event_version: String,
    /// JSON text, as received.
    pub payload: String,
    /// JSON text: an object of texts.
    pub metadata: String,
}

/// The events after `cursor`, oldest first, at most `limit`.
///
/// # Errors
/// When the database does not answer.
pub async fn read_after(
    db: impl PgExecutor<'_>,
    cursor: u64,
    limit: u32,
) -> Result<Vec<RecordedEvent>, sqlx::Error> {
    let rows = sqlx::query(include_str!("sql/read_after.sql"))
        .bind(i64::try_from(cursor).unwrap_or(i64::MAX))
        .bind(i64::from(limit))
        .fetch_all(db)
        .await?;
    rows.into_iter()
        .map(|row| {
            Ok(RecordedEvent {
                position: row.try_get::<i64, _>("position")?.cast_unsigned(),
                append_id: AppendId::from_bits(row.try_get("append_id")?),
                recorded_at: row.try_get("recorded_at")?,
                aggregate_type: row.try_get("aggregate_type")?,
                aggregate_id: row.try_get("aggregate_id")?,
                sequence: row.try_get::<i64, _>("sequence")?.cast_unsigned(),
                event_type: row.try_get("event_type")?,
                event_version: row.try_get("event_version")?,
                payload: row.try_get("payload")?,
                metadata: row.try_get("metadata")?,
            })
        })
        .collect()
}
