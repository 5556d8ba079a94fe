//! The projection `devices`: which sequence numbers of each device are here, and which are missing (invariant 9). The
//! rules are those of [`crate::fold::DeviceSequences`].
//!
//! A page costs one statement, with one row for each device in it.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use domain::DeviceId;
use event_store::RecordedEvent;
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, PgExecutor, PgPool, Row};
use time::OffsetDateTime;

use crate::fold::{self, DeviceChange, DeviceSequences, SharedBy, SharedNumbers};
use crate::row::undecodable;
use crate::{Poison, Projection, Table};

/// Which sequence numbers of each device are here.
#[derive(Debug)]
pub struct Devices;

/// What is known of a device; `None` when it was never heard, about which nothing can be said.
///
/// # Errors
/// When the database does not answer.
pub async fn get(
    db: impl PgExecutor<'_>,
    device_id: &DeviceId,
) -> Result<Option<DeviceSequences>, sqlx::Error> {
    let row = sqlx::query(
        "SELECT device_id, here::text AS here, saved_through, heard_at, heard_position
         FROM device_sequences WHERE device_id = $1",
    )
    .bind(device_id.as_str())
    .fetch_optional(db)
    .await?;
    Ok(row.as_ref().map(sequences).transpose()?.map(|(_, sequences)| sequences))
}

/// The numbers that the device has saved and that are not here. An empty answer is no promise of completeness: see
/// [`DeviceSequences::standing`].
///
/// # Errors
/// When the database does not answer.
pub async fn gaps(
    db: impl PgExecutor<'_>,
    device_id: &DeviceId,
) -> Result<Vec<RangeInclusive<u64>>, sqlx::Error> {
    Ok(get(db, device_id).await?.map(|sequences| sequences.gaps()).unwrap_or_default())
}

/// Every device that was ever heard, by id.
///
/// # Errors
/// When the database does not answer.
pub async fn list(db: impl PgExecutor<'_>) -> Result<BTreeMap<DeviceId, DeviceSequences>, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT device_id, here::text AS here, saved_through, heard_at, heard_position FROM device_sequences",
    )
    .fetch_all(db)
    .await?;
    rows.iter().map(sequences).collect()
}

/// Events that are read at once.
const PAGE_EVENTS: u32 = 2_000;

/// The numbers that more than one lead claims. The rows of a device hold each number once, so where there may be any, the
/// whole log is read.
///
/// # Errors
/// When the database does not answer.
pub async fn shared_numbers(pool: &PgPool) -> Result<BTreeMap<DeviceId, SharedBy>, sqlx::Error> {
    let mut numbers = SharedNumbers::default();
    let may_be: bool =
        sqlx::query_scalar(include_str!("sql/numbers_may_be_shared.sql")).fetch_one(pool).await?;
    let mut cursor = may_be.then_some(0);
    while let Some(after) = cursor {
        let page = event_store::read_after(pool, after, PAGE_EVENTS).await?;
        page.iter().for_each(|event| numbers.apply(event));
        cursor = page.last().map(|event| event.position);
    }
    Ok(numbers.into_shared())
}

fn sequences(row: &PgRow) -> Result<(DeviceId, DeviceSequences), sqlx::Error> {
    let device_id: &str = row.try_get("device_id")?;
    let here: &str = row.try_get("here")?;
    let sequences = DeviceSequences {
        here: here.parse().map_err(undecodable)?,
        saved_through: row.try_get::<i64, _>("saved_through")?.cast_unsigned(),
        heard_at: row.try_get("heard_at")?,
        heard_position: row.try_get::<i64, _>("heard_position")?.cast_unsigned(),
    };
    Ok((device_id.parse().map_err(undecodable)?, sequences))
}

impl Projection for Devices {
    type Change = DeviceChange;

    const NAME: &'static str = "devices";
    const VERSION: i32 = 2;
    const TABLES: &'static [Table] = &[Table { name: "device_sequences", row_label: "device_id" }];
    // Unions and maxima.
    const ORDERED_STREAMS: &'static [&'static str] = &[];

    fn fold(event: &RecordedEvent) -> Result<Option<DeviceChange>, Poison> {
        DeviceChange::read(event)
    }

    async fn apply(db: &mut PgConnection, changes: Vec<DeviceChange>) -> Result<(), sqlx::Error> {
        let mut page = fold::Devices::default();
        for change in changes {
            page.merge(change);
        }
        let column = |value: fn(&DeviceSequences) -> i64| -> Vec<i64> {
            page.iter().map(|(_, sequences)| value(sequences)).collect()
        };
        sqlx::query(include_str!("sql/merge_device_sequences.sql"))
            .bind(page.iter().map(|(device_id, _)| device_id.as_str()).collect::<Vec<_>>())
            .bind(page.iter().map(|(_, sequences)| sequences.here.to_string()).collect::<Vec<_>>())
            .bind(column(|sequences| sequences.saved_through.cast_signed()))
            .bind(
                page.iter().map(|(_, sequences)| sequences.heard_at).collect::<Vec<Option<OffsetDateTime>>>(),
            )
            .bind(column(|sequences| sequences.heard_position.cast_signed()))
            .execute(db)
            .await?;
        Ok(())
    }
}
