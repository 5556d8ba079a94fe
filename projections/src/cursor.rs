//! How far a projection is: one number per name and version.

use event_store::RecordedEvent;
use sqlx::{PgConnection, PgExecutor};

use crate::Registration;

/// Where a projection stands.
pub(crate) enum Cursor {
    /// Its tables hold everything up to this position.
    At(u64),
    /// A newer program has taken the tables over.
    Superseded,
}

/// Reads the cursor. A projection that has none, or only one of an older version, starts from the beginning with
/// empty tables.
pub(crate) async fn open(db: &mut PgConnection, projection: &Registration) -> Result<Cursor, sqlx::Error> {
    loop {
        let newest: Option<(i32, i64)> = sqlx::query_as(
            "SELECT version, position FROM projection_cursors WHERE name = $1 ORDER BY version DESC LIMIT 1",
        )
        .bind(projection.name)
        .fetch_optional(&mut *db)
        .await?;
        match newest {
            Some((version, position)) if version == projection.version => {
                return Ok(Cursor::At(position.cast_unsigned()));
            }
            Some((version, _)) if version > projection.version => return Ok(Cursor::Superseded),
            _ => start(db, projection).await?,
        }
    }
}

/// Empties the tables and begins at 0, unless another process was faster.
async fn start(db: &mut PgConnection, projection: &Registration) -> Result<(), sqlx::Error> {
    sqlx::query("BEGIN").execute(&mut *db).await?;
    // Waits for another process that is doing the same.
    let begun =
        sqlx::query("INSERT INTO projection_cursors (name, version) VALUES ($1, $2) ON CONFLICT DO NOTHING")
            .bind(projection.name)
            .bind(projection.version)
            .execute(&mut *db)
            .await?
            .rows_affected()
            == 1;
    if begun {
        let tables: Vec<&str> = projection.tables.iter().map(|table| table.name).collect();
        sqlx::query(&format!("TRUNCATE {}", tables.join(", "))).execute(&mut *db).await?;
        sqlx::query("DELETE FROM projection_cursors WHERE name = $1 AND version < $2")
            .bind(projection.name)
            .bind(projection.version)
            .execute(&mut *db)
            .await?;
        sqlx::query("DELETE FROM parked_events WHERE projection = $1")
            .bind(projection.name)
            .execute(&mut *db)
            .await?;
    }
    sqlx::query("COMMIT").execute(db).await?;
    Ok(())
}

/// Moves the cursor from `from` past the last of `events`; false when it does not stand at `from` any more. The row
/// stays locked until the transaction ends, so of two who try, one writes.
pub(crate) async fn advance(
    db: &mut PgConnection,
    projection: &Registration,
    from: u64,
    events: &[RecordedEvent],
) -> Result<bool, sqlx::Error> {
    let to = events.last().map_or(from, |event| event.position);
    let moved = sqlx::query(
        "UPDATE projection_cursors SET position = $4 WHERE name = $1 AND version = $2 AND position = $3",
    )
    .bind(projection.name)
    .bind(projection.version)
    .bind(from.cast_signed())
    .bind(to.cast_signed())
    .execute(db)
    .await?;
    Ok(moved.rows_affected() == 1)
}

/// The version that made the live rows; `None` when none has begun.
pub(crate) async fn live_version(
    db: impl PgExecutor<'_>,
    projection: &Registration,
) -> Result<Option<i32>, sqlx::Error> {
    sqlx::query_scalar("SELECT max(version) FROM projection_cursors WHERE name = $1")
        .bind(projection.name)
        .fetch_one(db)
        .await
}

/// The position of a projection, 0 when it has not begun.
pub(crate) async fn position(db: impl PgExecutor<'_>, projection: &Registration) -> Result<u64, sqlx::Error> {
    let position: Option<i64> =
        sqlx::query_scalar("SELECT position FROM projection_cursors WHERE name = $1 AND version = $2")
            .bind(projection.name)
            .bind(projection.version)
            .fetch_optional(db)
            .await?;
    Ok(position.unwrap_or(0).cast_unsigned())
}
