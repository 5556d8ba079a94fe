//! The projection `quarantine`: refused submissions that nobody has dealt with, to be listed and exported. When one
//! leaves it is the business of [`crate::fold::Quarantine`].
//!
//! An ordinary page costs one look at whether the quarantine is empty.

mod export;

use domain::{FOLLOW_UP_STREAM, LEAD_STREAM, RefusalReason, SUBMISSION_STREAM};
use event_store::RecordedEvent;
use serde::Deserialize;
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, PgExecutor, Row};

use crate::fold::{self, QuarantineChange, Quarantined};
use crate::row::{json, undecodable};
use crate::{Poison, Projection, Table};

pub use export::{QuarantineFormat, export};

/// Refused submissions that nobody has dealt with.
#[derive(Debug)]
pub struct Quarantine;

/// The submissions after a position of the log, in its order, at most `limit`.
///
/// # Errors
/// When the database does not answer.
pub async fn list(
    db: impl PgExecutor<'_>,
    after_position: u64,
    limit: u32,
) -> Result<Vec<Quarantined>, sqlx::Error> {
    let rows = sqlx::query(include_str!("../sql/quarantine_page.sql"))
        .bind(i64::try_from(after_position).unwrap_or(i64::MAX))
        .bind(i64::from(limit))
        .fetch_all(db)
        .await?;
    rows.iter().map(quarantined).collect()
}

/// How many submissions there are.
///
/// # Errors
/// When the database does not answer.
pub async fn count(db: impl PgExecutor<'_>) -> Result<u64, sqlx::Error> {
    let count: i64 = sqlx::query_scalar("SELECT count(*) FROM quarantine").fetch_one(db).await?;
    Ok(count.cast_unsigned())
}

impl Projection for Quarantine {
    type Change = QuarantineChange;

    const NAME: &'static str = "quarantine";
    const VERSION: i32 = 2;
    const TABLES: &'static [Table] = &[Table { name: "quarantine", row_label: "digest" }];
    // What settles a submission comes behind it.
    const ORDERED_STREAMS: &'static [&'static str] = &[LEAD_STREAM, FOLLOW_UP_STREAM, SUBMISSION_STREAM];

    fn fold(event: &RecordedEvent) -> Result<Option<QuarantineChange>, Poison> {
        QuarantineChange::read(event)
    }

    async fn apply(db: &mut PgConnection, changes: Vec<QuarantineChange>) -> Result<(), sqlx::Error> {
        // Everything in the table was refused before this page, so what the page settles is settled there first.
        let mut page = fold::Quarantine::default();
        let (mut settled, mut erased) = (Settled::default(), Vec::new());
        for change in changes {
            match &change {
                QuarantineChange::Refused(_) => {}
                QuarantineChange::Released { digest } => settled.add(Some(digest.clone()), None),
                QuarantineChange::Recorded { digest, client_id, version } => {
                    settled.add(digest.clone(), Some((client_id.clone(), *version)));
                }
                QuarantineChange::Erased { client_id } => erased.push(client_id.clone()),
            }
            page.change(change);
        }
        settle(db, settled, erased).await?;
        insert(db, &page.submissions()).await
    }
}

/// What leaves the quarantine: by digest, or as a version of a lead.
#[derive(Default)]
struct Settled {
    digests: Vec<Option<String>>,
    client_ids: Vec<Option<String>>,
    versions: Vec<Option<i64>>,
}

impl Settled {
    fn add(&mut self, digest: Option<String>, lead: Option<(String, u32)>) {
        let (client_id, version) = lead.unzip();
        self.digests.push(digest);
        self.client_ids.push(client_id);
        self.versions.push(version.map(i64::from));
    }
}

async fn settle(db: &mut PgConnection, settled: Settled, erased: Vec<String>) -> Result<(), sqlx::Error> {
    if settled.digests.is_empty() && erased.is_empty() {
        return Ok(());
    }
    let is_empty: bool =
        sqlx::query_scalar("SELECT NOT EXISTS (SELECT FROM quarantine)").fetch_one(&mut *db).await?;
    if is_empty {
        return Ok(());
    }
    if !settled.digests.is_empty() {
        sqlx::query(include_str!("../sql/settle_quarantine.sql"))
            .bind(settled.digests)
            .bind(settled.client_ids)
            .bind(settled.versions)
            .execute(&mut *db)
            .await?;
    }
    if !erased.is_empty() {
        sqlx::query("UPDATE quarantine SET raw = '' WHERE client_id = ANY ($1)")
            .bind(erased)
            .execute(db)
            .await?;
    }
    Ok(())
}

async fn insert(db: &mut PgConnection, refused: &[&Quarantined]) -> Result<(), sqlx::Error> {
    fn column<'q, T>(refused: &[&'q Quarantined], value: impl Fn(&'q Quarantined) -> T) -> Vec<T> {
        refused.iter().map(|one| value(one)).collect()
    }
    if refused.is_empty() {
        return Ok(());
    }
    sqlx::query(include_str!("../sql/insert_quarantine.sql"))
        .bind(column(refused, |one| one.digest.as_str()))
        .bind(column(refused, |one| one.position.cast_signed()))
        .bind(column(refused, |one| one.recorded_at))
        .bind(column(refused, |one| reason_text(one.reason)))
        .bind(column(refused, |one| one.client_id.as_deref()))
        .bind(column(refused, |one| one.version.map(i64::from)))
        .bind(column(refused, |one| one.device_id.as_deref()))
        .bind(column(refused, |one| one.device_seq.map(u64::cast_signed)))
        .bind(column(refused, |one| one.sent_by.as_deref()))
        .bind(refused.iter().map(|one| json(&one.errors)).collect::<Result<Vec<_>, _>>()?)
        .bind(column(refused, |one| one.raw.as_str()))
        .execute(db)
        .await?;
    Ok(())
}

fn quarantined(row: &PgRow) -> Result<Quarantined, sqlx::Error> {
    let version: Option<i64> = row.try_get("version")?;
    Ok(Quarantined {
        digest: row.try_get("digest")?,
        position: row.try_get::<i64, _>("position")?.cast_unsigned(),
        recorded_at: row.try_get("recorded_at")?,
        reason: reason_of(row.try_get("reason")?)?,
        client_id: row.try_get("client_id")?,
        version: version.map(u32::try_from).transpose().map_err(undecodable)?,
        device_id: row.try_get("device_id")?,
        device_seq: row.try_get::<Option<i64>, _>("device_seq")?.map(i64::cast_unsigned),
        sent_by: row.try_get("sent_by")?,
        errors: serde_json::from_str(row.try_get("errors")?).map_err(undecodable)?,
        raw: row.try_get("raw")?,
    })
}

/// The reason as it stands on the wire, in the table and in exports.
const fn reason_text(reason: RefusalReason) -> &'static str {
    match reason {
        RefusalReason::Invalid => "invalid",
        RefusalReason::Conflict => "conflict",
        RefusalReason::Unsupported => "unsupported",
        RefusalReason::DeviceRevoked => "device_revoked",
    }
}

fn reason_of(text: &str) -> Result<RefusalReason, sqlx::Error> {
    let text = serde::de::value::StrDeserializer::<serde::de::value::Error>::new(text);
    RefusalReason::deserialize(text).map_err(undecodable)
}
