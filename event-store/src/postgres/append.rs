//! Appending many events of many aggregates in one commit.

use domain::{AppendId, ClientId, LEAD_STREAM};
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};
use uuid::Uuid;

use crate::batch::{Batch, Offered, Stored, StoredAt};
use crate::{AppendError, EmailClaim, NewEvent, Placed, claim};

/// SQLSTATE of `append_events_2`: part of the batch is known, so it must look first.
const PARTLY_KNOWN: &str = "LL001";

/// Appends events on this connection, in one transaction; see [`crate::EventLog::append`].
///
/// # Errors
/// See [`AppendError`]; nothing of the call was appended, or (`Unavailable`) all or nothing was.
pub async fn append(db: &mut PgConnection, events: &[NewEvent]) -> Result<Vec<Placed>, AppendError> {
    let batch = Batch::of(events);
    let released = released_claims(db, &batch).await?;
    let rows = match call(db, &batch, &released, true).await {
        Err(error) if sqlstate(&error).as_deref() == Some(PARTLY_KNOWN) => {
            call(db, &batch, &released, false).await
        }
        other => other,
    }?;
    if rows.len() != batch.events.len() {
        let reason =
            format!("append_events_2 answered {} rows for {} events", rows.len(), batch.events.len());
        return Err(AppendError::Unavailable { reason });
    }
    let stored: Result<Vec<Stored>, sqlx::Error> = rows.iter().map(read_stored).collect();
    Ok(batch.answer(events, &stored?))
}

impl From<sqlx::Error> for AppendError {
    fn from(error: sqlx::Error) -> Self {
        match sqlstate(&error) {
            Some(sqlstate) if sqlstate.starts_with("22") || sqlstate.starts_with("23") => {
                Self::Content { sqlstate }
            }
            _ => Self::Unavailable { reason: error.to_string() },
        }
    }
}

fn sqlstate(error: &sqlx::Error) -> Option<String> {
    error.as_database_error()?.code().map(std::borrow::Cow::into_owned)
}

/// A claim and the lead that gives it up.
struct Released<'b> {
    /// Place of the later version in the arrays, from 1.
    at: i64,
    lead: &'b str,
    claim: EmailClaim,
}

/// What the earlier versions of corrected and voided leads claim, and the newest does not. Read before the
/// append: each lead has one writer, and a claim is a courtesy. Ordinary batches have none, and read nothing.
async fn released_claims<'b>(
    db: &mut PgConnection,
    batch: &'b Batch<'_>,
) -> Result<Vec<Released<'b>>, sqlx::Error> {
    let later = sparse(batch, |offered| offered.may_release_claims.then_some(offered));
    if later.is_empty() {
        return Ok(Vec::new());
    }
    let leads: Vec<&str> = later.iter().map(|(_, offered)| offered.event.aggregate_id.as_str()).collect();
    let versions: Vec<(String, i64, String)> = sqlx::query_as(
        "SELECT aggregate_id, sequence, payload::text FROM events WHERE aggregate_type = $1 AND aggregate_id = ANY ($2)",
    )
    .bind(LEAD_STREAM)
    .bind(leads)
    .fetch_all(db)
    .await?;
    let mut released = Vec::new();
    for (at, offered) in later {
        let lead = offered.event.aggregate_id.as_str();
        let versions = || versions.iter().filter(|(id, ..)| id == lead);
        if versions().any(|(_, version, _)| version.cast_unsigned() >= offered.event.sequence) {
            continue;
        }
        let claims = versions().filter_map(|(.., payload)| claim::of_payload(payload));
        let given_up = claims.filter(|claim| Some(claim) != offered.claim);
        released.extend(given_up.map(|claim| Released { at, lead, claim }));
    }
    Ok(released)
}

async fn call(
    db: &mut PgConnection,
    batch: &Batch<'_>,
    released: &[Released<'_>],
    optimistic: bool,
) -> Result<Vec<PgRow>, sqlx::Error> {
    let events: Vec<&NewEvent> = batch.events.iter().map(|offered| offered.event).collect();
    let claims: Vec<Option<&EmailClaim>> = batch.events.iter().map(|offered| offered.claim).collect();
    let needy = sparse(batch, |offered| Some((offered.event.aggregate_id.as_str(), offered.needs?)));
    let refused = sparse(batch, |offered| offered.refuses.as_ref());
    sqlx::query(include_str!("sql/append.sql"))
        .bind(random_append_id().bits())
        .bind(optimistic)
        .bind(needy.is_empty() && refused.is_empty() && released.is_empty())
        .bind(column(&events, |event| event.aggregate_type))
        .bind(column(&events, |event| event.aggregate_id.as_str()))
        .bind(column(&events, |event| event.sequence.cast_signed()))
        .bind(column(&events, |event| event.event_type))
        .bind(column(&events, |event| event.event_version))
        .bind(column(&events, |event| event.payload.as_str()))
        .bind(column(&events, |event| event.metadata_json()))
        .bind(column(&claims, |claim| claim.map(|claim| claim.campaign.as_str())))
        .bind(column(&claims, |claim| claim.map(|claim| claim.email.as_str())))
        .bind(column(&needy, |(at, _)| *at))
        .bind(column(&needy, |(_, (_, version))| version.cast_signed()))
        .bind(column(&refused, |(at, _)| *at))
        .bind(column(&refused, |(_, refused)| refused.client_id.to_string()))
        .bind(column(&refused, |(_, refused)| refused.version.map(u64::cast_signed)))
        .bind(column(released, |released| released.at))
        .bind(column(released, |released| released.claim.campaign.as_str()))
        .bind(column(released, |released| released.claim.email.as_str()))
        .bind(column(released, |released| released.lead))
        .fetch_all(db)
        .await
}

fn column<'e, E, T>(rows: &'e [E], value: impl Fn(&'e E) -> T) -> Vec<T> {
    rows.iter().map(value).collect()
}

/// The few events about which there is something to say, with their places in the arrays, from 1.
fn sparse<'b, T>(batch: &'b Batch<'_>, value: impl Fn(&'b Offered<'_>) -> Option<T>) -> Vec<(i64, T)> {
    (1..).zip(&batch.events).filter_map(|(at, offered)| Some((at, value(offered)?))).collect()
}

/// 60 random bits, from a source that no two stores share.
pub(super) fn random_append_id() -> AppendId {
    let [a, b, c, d, e, f, g, h, ..] = Uuid::new_v4().into_bytes();
    AppendId::from_bits(i64::from_be_bytes([a, b, c, d, e, f, g, h]))
}

fn read_stored(row: &PgRow) -> Result<Stored, sqlx::Error> {
    match row.try_get::<i16, _>("standing")? {
        0 => {}
        1 => return Ok(Stored::Waiting),
        _ => return Ok(Stored::Erased),
    }
    let holder: Option<String> = row.try_get("holder_client_id")?;
    let holder: Option<ClientId> = holder.and_then(|id| id.parse().ok());
    let holder_position: Option<i64> = row.try_get("holder_position")?;
    Ok(Stored::At(StoredAt {
        position: row.try_get::<i64, _>("stored_position")?.cast_unsigned(),
        append_id: AppendId::from_bits(row.try_get("stored_append_id")?),
        is_new: row.try_get("is_new")?,
        digest: row.try_get("stored_digest")?,
        email_holder: holder.zip(holder_position.map(i64::cast_unsigned)),
    }))
}
