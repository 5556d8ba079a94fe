//! How the projections stand.

use sqlx::{PgPool, Row};
use time::OffsetDateTime;

use crate::build::{Begun, Schemas};
use crate::{ALL, Registration};

/// How one projection stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProjectionStatus {
    /// The projection.
    pub name: &'static str,
    /// Its version in this program.
    pub version: i32,
    /// The version whose rows are live: another one while an older or a newer program has the tables. `None` before the
    /// projection ran for the first time.
    pub live_version: Option<i32>,
    /// The live tables hold everything up to this position.
    pub position: u64,
    /// Where the log ends.
    pub head: u64,
    /// When the oldest event was recorded that the live tables do not hold, by the store's clock.
    pub oldest_unprocessed_at: Option<OffsetDateTime>,
    /// Events that were parked.
    pub parked: u64,
    /// How far a build of it is that is under way or was interrupted.
    pub build_position: Option<u64>,
    /// Whose the build is, when this database user may not look into it.
    pub build_owner: Option<String>,
}

impl ProjectionStatus {
    /// Events that the live tables do not hold.
    pub const fn lag_events(&self) -> u64 {
        self.head.saturating_sub(self.position)
    }
}

/// An event that a projection could not fold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParkedEvent {
    /// The projection.
    pub projection: String,
    /// Where the event stands in the log.
    pub position: u64,
    /// Kind of stream.
    pub aggregate_type: String,
    /// Stream.
    pub aggregate_id: String,
    /// Place in the stream.
    pub sequence: u64,
    /// Why, without personal data.
    pub reason: String,
    /// When it was parked.
    pub parked_at: OffsetDateTime,
}

/// How every projection of this program stands.
///
/// # Errors
/// When the database does not answer.
pub async fn status(pool: &PgPool) -> Result<Vec<ProjectionStatus>, sqlx::Error> {
    let mut all = Vec::new();
    for projection in &ALL {
        all.push(status_of(pool, projection).await?);
    }
    Ok(all)
}

async fn status_of(pool: &PgPool, projection: &Registration) -> Result<ProjectionStatus, sqlx::Error> {
    let row =
        sqlx::query(include_str!("sql/projection_status.sql")).bind(projection.name).fetch_one(pool).await?;
    let mut db = pool.acquire().await?;
    let schemas = Schemas::of_rebuild(&mut db, projection).await?;
    let (build_position, build_owner) = match schemas.begun(&mut db).await? {
        Some(Begun::Ours { position }) => (Some(position), None),
        Some(Begun::Foreign { owner, .. }) => (None, Some(owner)),
        None => (None, None),
    };
    Ok(ProjectionStatus {
        name: projection.name,
        version: projection.version,
        live_version: row.try_get("live_version")?,
        position: row.try_get::<i64, _>("position")?.cast_unsigned(),
        head: row.try_get::<i64, _>("head")?.cast_unsigned(),
        oldest_unprocessed_at: row.try_get("oldest_unprocessed_at")?,
        parked: row.try_get::<i64, _>("parked")?.cast_unsigned(),
        build_position,
        build_owner,
    })
}

/// The events that a projection could not fold, in the order of the log; without a name, those of all projections.
///
/// # Errors
/// When the database does not answer.
pub async fn parked_events(
    pool: &PgPool,
    projection: Option<&Registration>,
) -> Result<Vec<ParkedEvent>, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT projection, position, aggregate_type, aggregate_id, sequence, reason, parked_at
         FROM parked_events WHERE $1 IS NULL OR projection = $1 ORDER BY position, projection",
    )
    .bind(projection.map(|one| one.name))
    .fetch_all(pool)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(ParkedEvent {
                projection: row.try_get("projection")?,
                position: row.try_get::<i64, _>("position")?.cast_unsigned(),
                aggregate_type: row.try_get("aggregate_type")?,
                aggregate_id: row.try_get("aggregate_id")?,
                sequence: row.try_get::<i64, _>("sequence")?.cast_unsigned(),
                reason: row.try_get("reason")?,
                parked_at: row.try_get("parked_at")?,
            })
        })
        .collect()
}

/// How many events up to this position a projection passed because it could not fold them: what they say is in none of its
/// rows.
///
/// # Errors
/// When the database does not answer.
pub async fn parked_count(pool: &PgPool, projection: &str, through: u64) -> Result<u64, sqlx::Error> {
    let parked: i64 =
        sqlx::query_scalar("SELECT count(*) FROM parked_events WHERE projection = $1 AND position <= $2")
            .bind(projection)
            .bind(through.cast_signed())
            .fetch_one(pool)
            .await?;
    Ok(parked.cast_unsigned())
}
