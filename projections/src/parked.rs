//! Events that a projection could not fold: named, and passed.

use event_store::RecordedEvent;
use sqlx::PgConnection;

use crate::Registration;
use crate::projection::Unfoldable;

/// Parks events of a page. Runs inside the transaction that moves the cursor past them.
pub(crate) async fn park(
    db: &mut PgConnection,
    projection: &Registration,
    page: &[RecordedEvent],
    unfoldable: &[Unfoldable],
) -> Result<(), sqlx::Error> {
    // Poison is rare: one statement each is quick enough. A projection that is folded again meets it again.
    for Unfoldable { place, poison } in unfoldable {
        let Some(event) = page.get(*place) else { continue };
        sqlx::query(
            "INSERT INTO parked_events
                 (projection, version, position, aggregate_type, aggregate_id, sequence, reason)
             VALUES ($1, $2, $3, $4, $5, $6, $7)
             ON CONFLICT DO NOTHING",
        )
        .bind(projection.name)
        .bind(projection.version)
        .bind(event.position.cast_signed())
        .bind(&event.aggregate_type)
        .bind(&event.aggregate_id)
        .bind(event.sequence.cast_signed())
        .bind(poison.to_string())
        .execute(&mut *db)
        .await?;
        tracing::warn!(
            projection = projection.name,
            position = event.position,
            reason = %poison,
            "an event cannot be projected and was parked; see parked_events"
        );
    }
    Ok(())
}
