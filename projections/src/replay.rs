//! Folding a range of the log once more into the live tables.
//!
//! For events that were parked and that the program understands now, and for rows that are gone. It is one transaction
//! in which the live projection waits, so nobody sees a half-done one, and the range is bounded. A row that is there and
//! is wrong is not put right by it, because a fold that knows a version passes it over: that, and more events, is for
//! [`rebuild`](crate::rebuild).
//!
//! Folds are idempotent over the rest of the log, not over a piece of it: an older correction would stand on top of a
//! newer one. So a replay goes on to where the projection stands, unless nothing behind its end depends on the order.

use sqlx::{PgConnection, PgPool};

use event_store::read_after;

use crate::page::write_rows;
use crate::parked::park;
use crate::refusal::DatabaseError;
use crate::{Registration, cursor, rights};

/// Most events of a replay: a few seconds in which the live projection waits.
pub const MAX_REPLAY_EVENTS: u64 = 100_000;

const PAGE_EVENTS: u32 = 5_000;

/// What a replay did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Replayed {
    /// The first position that was folded.
    pub from: u64,
    /// The last.
    pub to: u64,
    /// Events of the range that are parked now.
    pub parked: u64,
}

/// Why nothing was folded.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The range is not one, or not of what is live.
    #[error(
        "there is nothing to replay from position {from} to position {to}: {projection} holds the log up to position \
         {position}"
    )]
    Empty {
        /// The projection.
        projection: &'static str,
        /// Where it stands.
        position: u64,
        /// The first position that was asked for.
        from: u64,
        /// The last; without one, where the projection stands.
        to: u64,
    },
    /// Later events build on what would be folded again.
    #[error(
        "later events of {projection} stand on these, the next at position {position}; replay from {from} to the end"
    )]
    Depended {
        /// The projection.
        projection: &'static str,
        /// The first position that was asked for.
        from: u64,
        /// The first event behind the range that depends on the order.
        position: u64,
    },
    /// More than a replay may hold up.
    #[error(
        "from position {from} to {to} there are {events} events, and a replay takes at most {MAX_REPLAY_EVENTS} events; end it \
         earlier, or rebuild the projection"
    )]
    TooMany {
        /// The first position.
        from: u64,
        /// The last.
        to: u64,
        /// How many events stand there.
        events: u64,
    },
    /// Another version has the tables.
    #[error("the rows of {projection} are those of another version of this program; rebuild it")]
    OtherVersion {
        /// The projection.
        projection: &'static str,
    },
    /// The database's user may not write the tables.
    #[error("the database user may not write the tables of {projection}; let it: {grants}")]
    MayNotWrite {
        /// The projection.
        projection: &'static str,
        /// The SQL that lets it.
        grants: String,
    },
    /// It does not answer, or refuses a statement.
    #[error(transparent)]
    Database(DatabaseError),
}

/// Folds the events from `from` to `to`, without `to` to where the projection stands. Harmless when repeated.
///
/// # Errors
/// See [`ReplayError`]; then nothing has changed.
pub async fn replay(
    pool: &PgPool,
    projection: &'static Registration,
    from: u64,
    to: Option<u64>,
) -> Result<Replayed, ReplayError> {
    // Dropped on an error: the transaction inside it ends with it.
    let mut db = pool.acquire().await?.detach();
    if let Some(grants) = rights::missing_on_tables(&mut db, projection).await? {
        return Err(ReplayError::MayNotWrite { projection: projection.name, grants });
    }
    sqlx::query("BEGIN").execute(&mut db).await?;
    let replayed = replay_inside(&mut db, projection, from.max(1), to).await?;
    sqlx::query("COMMIT").execute(&mut db).await?;
    Ok(replayed)
}

async fn replay_inside(
    db: &mut PgConnection,
    projection: &'static Registration,
    from: u64,
    to: Option<u64>,
) -> Result<Replayed, ReplayError> {
    let position = take_cursor(db, projection).await?;
    let asked = to.unwrap_or(position);
    let to = asked.min(position);
    if from > to {
        return Err(ReplayError::Empty { projection: projection.name, position, from, to: asked });
    }
    if to - from >= MAX_REPLAY_EVENTS {
        return Err(ReplayError::TooMany { from, to, events: to - from + 1 });
    }
    if let Some(position) = dependent_after(db, projection, to, position).await? {
        return Err(ReplayError::Depended { projection: projection.name, from, position });
    }
    sqlx::query(
        "DELETE FROM parked_events WHERE projection = $1 AND version = $2 AND position BETWEEN $3 AND $4",
    )
    .bind(projection.name)
    .bind(projection.version)
    .bind(from.cast_signed())
    .bind(to.cast_signed())
    .execute(&mut *db)
    .await?;
    let (mut done, mut parked) = (from - 1, 0);
    while done < to {
        let limit = u32::try_from(to - done).unwrap_or(u32::MAX).min(PAGE_EVENTS);
        let events = read_after(&mut *db, done, limit).await?;
        let Some(last) = events.last() else { break };
        done = last.position;
        let unfoldable = write_rows(db, projection, &events).await?;
        park(db, projection, &events, &unfoldable).await?;
        parked += unfoldable.len() as u64;
    }
    Ok(Replayed { from, to: done, parked })
}

/// Where the projection stands; it stays there until the transaction ends.
async fn take_cursor(db: &mut PgConnection, projection: &'static Registration) -> Result<u64, ReplayError> {
    let newest: Option<(i32, i64)> = sqlx::query_as(
        "SELECT version, position FROM projection_cursors WHERE name = $1 ORDER BY version DESC FOR UPDATE",
    )
    .bind(projection.name)
    .fetch_optional(&mut *db)
    .await?;
    match newest {
        Some((version, position)) if version == projection.version => Ok(position.cast_unsigned()),
        Some(_) => Err(ReplayError::OtherVersion { projection: projection.name }),
        // None; or a newer program that was beginning has put its own in the place of the one that was waited for.
        None => match cursor::live_version(db, projection).await? {
            Some(version) if version != projection.version => {
                Err(ReplayError::OtherVersion { projection: projection.name })
            }
            _ => Ok(0),
        },
    }
}

/// The first event after the range, up to where the projection stands, on whose order the rows depend.
async fn dependent_after(
    db: &mut PgConnection,
    projection: &Registration,
    to: u64,
    position: u64,
) -> Result<Option<u64>, sqlx::Error> {
    let first: Option<i64> = sqlx::query_scalar(
        "SELECT min(position) FROM events WHERE position > $1 AND position <= $2 AND aggregate_type = ANY ($3)",
    )
    .bind(to.cast_signed())
    .bind(position.cast_signed())
    .bind(projection.ordered_streams)
    .fetch_one(db)
    .await?;
    Ok(first.map(i64::cast_unsigned))
}
