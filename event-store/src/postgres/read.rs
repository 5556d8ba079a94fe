//! Reading the log in order.

use domain::{
    API_CLIENT_STREAM, AppendId, CAMPAIGN_STREAM, CLOUD_VERDICT_STREAM, ENROLMENT_STREAM, FOLLOW_UP_STREAM,
    PERSON_STREAM,
};
use sqlx::postgres::PgRow;
use sqlx::{PgExecutor, Row};

use crate::RecordedEvent;

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
    rows.iter().map(recorded).collect()
}

/// The events of one kind of stream after `cursor`, oldest first, at most `limit`.
///
/// # Errors
/// When the database does not answer.
pub(super) async fn read_kind_after(
    db: impl PgExecutor<'_>,
    aggregate_type: &str,
    cursor: u64,
    limit: u32,
) -> Result<Vec<RecordedEvent>, sqlx::Error> {
    // The kinds that are read again and again have a partial index each, which the planner only takes when the
    // statement names the kind.
    let sql = match aggregate_type {
        FOLLOW_UP_STREAM => include_str!("sql/read_follow_ups_after.sql"),
        CLOUD_VERDICT_STREAM => include_str!("sql/read_cloud_verdicts_after.sql"),
        API_CLIENT_STREAM => include_str!("sql/read_api_clients_after.sql"),
        ENROLMENT_STREAM => include_str!("sql/read_enrolments_after.sql"),
        PERSON_STREAM => include_str!("sql/read_people_after.sql"),
        CAMPAIGN_STREAM => include_str!("sql/read_campaigns_after.sql"),
        _ => include_str!("sql/read_kind_after.sql"),
    };
    let rows = sqlx::query(sql)
        .bind(i64::try_from(cursor).unwrap_or(i64::MAX))
        .bind(i64::from(limit))
        .bind(aggregate_type)
        .fetch_all(db)
        .await?;
    rows.iter().map(recorded).collect()
}

/// One stream, in the order of its sequence.
///
/// # Errors
/// When the database does not answer.
pub(super) async fn read_stream(
    db: impl PgExecutor<'_>,
    aggregate_type: &str,
    aggregate_id: &str,
) -> Result<Vec<RecordedEvent>, sqlx::Error> {
    let rows = sqlx::query(include_str!("sql/read_stream.sql"))
        .bind(aggregate_type)
        .bind(aggregate_id)
        .fetch_all(db)
        .await?;
    rows.iter().map(recorded).collect()
}

fn recorded(row: &PgRow) -> Result<RecordedEvent, sqlx::Error> {
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
}
