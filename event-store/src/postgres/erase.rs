//! Erasing a person from the log. Rare, so it takes its time: several statements in one transaction, all of it
//! under the lock on the head.

use domain::{AppendId, ClientId, Digest, FOLLOW_UP_STREAM, FollowUpEvent, LEAD_STREAM, SUBMISSION_STREAM};
use sqlx::{Connection, PgConnection};

use super::append::random_append_id;
use crate::event::DIGEST_KEY;
use crate::{AppendError, Appended, EmailClaim, claim, erasure};

/// See [`crate::EventLog::erase`].
pub(super) async fn erase(
    db: &mut PgConnection,
    client_id: ClientId,
    event: &FollowUpEvent,
) -> Result<Appended, AppendError> {
    let payload = erasure::payload_of(event).ok_or_else(AppendError::not_an_erasure)?;
    let lead = client_id.to_string();
    let mut transaction = db.begin().await?;
    let position: i64 = sqlx::query_scalar(
        "UPDATE log_head SET position = position + 1, erasures = erasures + 1 RETURNING position",
    )
    .fetch_one(&mut *transaction)
    .await?;
    // The whole of the lead as it is now: nobody appends to it while the head is locked.
    let known: Option<(i64, i64)> = sqlx::query_as(
        "SELECT position, append_id FROM events JOIN erased_leads USING (position) WHERE client_id = $1",
    )
    .bind(&lead)
    .fetch_optional(&mut *transaction)
    .await?;
    if let Some((position, append_id)) = known {
        transaction.rollback().await?;
        return Ok(appended(position, AppendId::from_bits(append_id), false));
    }
    remove_person(&mut transaction, &lead).await?;
    let append_id = random_append_id();
    let metadata = serde_json::json!({ DIGEST_KEY: Digest::of(&payload).to_string() }).to_string();
    sqlx::query(include_str!("sql/append_erasure.sql"))
        .bind(FOLLOW_UP_STREAM)
        .bind(&lead)
        .bind(event.name())
        .bind(FollowUpEvent::FORM_VERSION)
        .bind(&payload)
        .bind(metadata)
        .bind(position)
        .bind(append_id.bits())
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await?;
    Ok(appended(position, append_id, true))
}

const fn appended(position: i64, append_id: AppendId, is_new: bool) -> Appended {
    Appended { position: position.cast_unsigned(), append_id, is_new, is_same: true, email_holder: None }
}

/// Replaces what was recorded about the lead by what an erasure leaves of it, and releases its claims.
async fn remove_person(db: &mut PgConnection, lead: &str) -> Result<(), sqlx::Error> {
    let recorded: Vec<(i64, String, String, String)> = sqlx::query_as(include_str!("sql/events_of_lead.sql"))
        .bind(lead)
        .bind(LEAD_STREAM)
        .bind(FOLLOW_UP_STREAM)
        .bind(SUBMISSION_STREAM)
        .fetch_all(&mut *db)
        .await?;
    let claims: Vec<EmailClaim> =
        recorded.iter().filter_map(|(.., payload, _)| claim::of_payload(payload)).collect();
    sqlx::query(include_str!("sql/release_claims.sql"))
        .bind(lead)
        .bind(claims.iter().map(|claim| claim.campaign.as_str()).collect::<Vec<_>>())
        .bind(claims.iter().map(|claim| claim.email.as_str()).collect::<Vec<_>>())
        .execute(&mut *db)
        .await?;
    let (mut positions, mut payloads, mut metadatas) = (Vec::new(), Vec::new(), Vec::new());
    for (position, aggregate_type, payload, metadata) in recorded {
        positions.push(position);
        payloads.push(erasure::without_person(&aggregate_type, &payload));
        metadatas.push(erasure::without_digest(&metadata));
    }
    sqlx::query(include_str!("sql/replace_payloads.sql"))
        .bind(positions)
        .bind(payloads)
        .bind(metadatas)
        .execute(db)
        .await?;
    Ok(())
}
