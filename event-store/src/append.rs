//! Appending many events of many aggregates in one commit.

use domain::{AppendId, CampaignId, ClientId, Digest, EmailKey};
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};
use uuid::Uuid;

/// SQLSTATE of `append_events`: part of the batch is known, so it must look first.
const PARTLY_KNOWN: &str = "LL001";

/// An event to append.
#[derive(Debug, Clone)]
pub struct NewEvent {
    /// Kind of stream.
    pub aggregate_type: &'static str,
    /// Stream.
    pub aggregate_id: String,
    /// Place in the stream, from 1. With the stream it is the idempotency key.
    pub sequence: u32,
    /// Name of the event.
    pub event_type: &'static str,
    /// Version of its form.
    pub event_version: &'static str,
    /// JSON text, kept to the byte.
    pub payload: String,
    /// Digest of what was received.
    pub digest: Digest,
    /// Further metadata, text by key.
    pub metadata: Vec<(&'static str, String)>,
    /// The e-mail address that a lead claims.
    pub claim: Option<EmailClaim>,
}

/// A lead's claim to be the first of its campaign with an e-mail address.
#[derive(Debug, Clone)]
pub struct EmailClaim {
    /// The campaign.
    pub campaign: CampaignId,
    /// The address in its normal form.
    pub email: EmailKey,
}

/// Where an event stands in the log, whether this append put it there or an earlier one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Appended {
    /// Its position.
    pub position: u64,
    /// The append that recorded it.
    pub append_id: AppendId,
    /// Whether this append recorded it.
    pub is_new: bool,
    /// Whether what stands there has the digest of what was offered.
    pub is_same: bool,
    /// Another lead that holds the e-mail address, with its position.
    pub email_holder: Option<(ClientId, u64)>,
}

/// Why nothing was appended.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// The database refuses the content of some event (SQLSTATE class 22 or 23). Another try with the same
    /// events fails the same way; with fewer, it may not.
    #[error("the database refuses an event of this append: {0}")]
    Content(#[source] sqlx::Error),
    /// The database is away or in trouble. Whether the append was committed is not known; appending again is
    /// harmless.
    #[error("the database cannot append now: {0}")]
    Unavailable(#[source] sqlx::Error),
}

/// Appends events in one commit. The same event may stand in `events` more than once; the first counts.
///
/// Answers one [`Appended`] per event, in order, after the commit was flushed.
///
/// # Errors
/// See [`AppendError`]; nothing of the call was appended, or (`Unavailable`) all or nothing was.
pub async fn append(db: &mut PgConnection, events: &[NewEvent]) -> Result<Vec<Appended>, AppendError> {
    let distinct = Distinct::of(events);
    let rows = match call(db, &distinct.events, true).await {
        Err(error) if sqlstate(&error).as_deref() == Some(PARTLY_KNOWN) => {
            call(db, &distinct.events, false).await
        }
        other => other,
    }
    .map_err(|error| match sqlstate(&error) {
        Some(state) if state.starts_with("22") || state.starts_with("23") => AppendError::Content(error),
        _ => AppendError::Unavailable(error),
    })?;
    if rows.len() != distinct.events.len() {
        let message =
            format!("append_events answered {} rows for {} events", rows.len(), distinct.events.len());
        return Err(AppendError::Unavailable(sqlx::Error::Protocol(message)));
    }
    let stored: Result<Vec<Stored>, sqlx::Error> = rows.iter().map(Stored::read).collect();
    Ok(distinct.answer(events, &stored.map_err(AppendError::Unavailable)?))
}

fn sqlstate(error: &sqlx::Error) -> Option<String> {
    error.as_database_error()?.code().map(std::borrow::Cow::into_owned)
}

async fn call(
    db: &mut PgConnection,
    events: &[&NewEvent],
    optimistic: bool,
) -> Result<Vec<PgRow>, sqlx::Error> {
    fn column<'e, T>(events: &[&'e NewEvent], value: impl Fn(&'e NewEvent) -> T) -> Vec<T> {
        events.iter().map(|event| value(event)).collect()
    }
    sqlx::query(include_str!("sql/append.sql"))
        .bind(random_append_id().bits())
        .bind(optimistic)
        .bind(column(events, |event| event.aggregate_type))
        .bind(column(events, |event| event.aggregate_id.as_str()))
        .bind(column(events, |event| i64::from(event.sequence)))
        .bind(column(events, |event| event.event_type))
        .bind(column(events, |event| event.event_version))
        .bind(column(events, |event| event.payload.as_str()))
        .bind(column(events, NewEvent::metadata_json))
        .bind(column(events, |event| event.claim.as_ref().map(|claim| claim.campaign.as_str())))
        .bind(column(events, |event| event.claim.as_ref().map(|claim| claim.email.as_str())))
        .fetch_all(db)
        .await
}

/// 60 random bits, from a source that no two stores share.
fn random_append_id() -> AppendId {
    let [a, b, c, d, e, f, g, h, ..] = Uuid::new_v4().into_bytes();
    AppendId::from_bits(i64::from_be_bytes([a, b, c, d, e, f, g, h]))
}

impl NewEvent {
    fn key(&self) -> (&'static str, &str, u32) {
        (self.aggregate_type, &self.aggregate_id, self.sequence)
    }

    /// postgres-es reads metadata as an object of texts.
    fn metadata_json(&self) -> String {
        let mut metadata = serde_json::Map::new();
        metadata.insert("digest".to_owned(), self.digest.to_string().into());
        for (key, value) in &self.metadata {
            metadata.insert((*key).to_owned(), value.as_str().into());
        }
        serde_json::Value::Object(metadata).to_string()
    }
}

/// What the database answered about one event.
struct Stored {
    position: u64,
    append_id: AppendId,
    is_new: bool,
    digest: Option<String>,
    email_holder: Option<(ClientId, u64)>,
}

impl Stored {
    fn read(row: &PgRow) -> Result<Self, sqlx::Error> {
        let holder: Option<String> = row.try_get("holder_client_id")?;
        let holder_position: Option<i64> = row.try_get("holder_position")?;
        Ok(Self {
            position: row.try_get::<i64, _>("stored_position")?.cast_unsigned(),
            append_id: AppendId::from_bits(row.try_get("stored_append_id")?),
            is_new: row.try_get("is_new")?,
            digest: row.try_get("stored_digest")?,
            email_holder: holder.and_then(|id| id.parse().ok()).zip(holder_position.map(i64::cast_unsigned)),
        })
    }
}

/// The events of one call without repetitions, sorted by stream so that the index is written in order.
struct Distinct<'e> {
    events: Vec<&'e NewEvent>,
    /// For each offered event, its place in `events`.
    place: Vec<usize>,
}

impl<'e> Distinct<'e> {
    fn of(offered: &'e [NewEvent]) -> Self {
        let mut order: Vec<usize> = (0..offered.len()).collect();
        // Stable, so that of equal keys the first offered comes first.
        order.sort_by_key(|&index| offered[index].key());
        let mut events: Vec<&NewEvent> = Vec::with_capacity(offered.len());
        let mut place = vec![0; offered.len()];
        for index in order {
            let event = &offered[index];
            if events.last().is_none_or(|last| last.key() != event.key()) {
                events.push(event);
            }
            place[index] = events.len() - 1;
        }
        Self { events, place }
    }

    fn answer(&self, offered: &[NewEvent], stored: &[Stored]) -> Vec<Appended> {
        let mut answered = vec![false; stored.len()];
        self.place
            .iter()
            .zip(offered)
            .map(|(&place, event)| {
                let at = &stored[place];
                let is_first = !std::mem::replace(&mut answered[place], true);
                let is_new = at.is_new && is_first;
                Appended {
                    position: at.position,
                    append_id: at.append_id,
                    is_new,
                    is_same: match &at.digest {
                        Some(digest) => *digest == event.digest.to_string(),
                        None => at.is_new && self.events[place].digest == event.digest,
                    },
                    email_holder: at.email_holder,
                }
            })
            .collect()
    }
}
