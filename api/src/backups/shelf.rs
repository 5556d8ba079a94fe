//! Where backups stand: the table `device_backups`.

use std::collections::BTreeSet;

use domain::{DeviceId, Timestamp};
use serde::Serialize;
use sqlx::{Connection, PgConnection, PgPool, Row};
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

use super::packed::{Packed, unpack};
use super::{BackupError, erasure};

/// Versions of each installation that stay.
pub const KEPT_VERSIONS: i64 = 8;

/// Most backups in one list.
pub const MAX_LISTED: i64 = 200;

/// The SQL that lets the database's user keep backups; `None` when it may.
///
/// # Errors
/// When the database does not answer.
pub async fn missing_grants(pool: &PgPool) -> Result<Option<String>, sqlx::Error> {
    let rights = ["SELECT", "INSERT", "UPDATE", "DELETE"];
    event_store::missing_grants(pool, &rights.map(|right| ("device_backups", right))).await
}

/// A backup, without what is in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Backup {
    /// The installation that it is of.
    pub device_id: String,
    /// From 1, dense for each installation.
    pub version: u64,
    /// When it came, by the store's clock.
    pub received_at: Timestamp,
    /// When it was taken, by the device's clock.
    pub taken_at: Timestamp,
    /// Leads in it.
    pub leads: u64,
    /// Versions of leads in it. What was removed from the device does not count.
    pub entries: u64,
    /// The highest number that the installation had saved.
    #[schema(required)]
    pub saved_through: Option<u64>,
    /// Size of the document in bytes, unpacked.
    pub bytes: u64,
    /// Who held the device.
    pub operators: Vec<String>,
}

/// What became of a snapshot that was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kept {
    /// Version of the backup that holds it.
    pub version: u64,
    /// Versions of leads in it.
    pub entries: u64,
    /// Whether it was stored; else the newest version held the same.
    pub is_new: bool,
}

/// Keeps a snapshot, and drops what is older than the last [`KEPT_VERSIONS`] of its installation.
///
/// People who were erased are taken out of it first.
///
/// # Errors
/// See [`BackupError`]; nothing was stored.
pub async fn put(pool: &PgPool, packed: Packed) -> Result<Kept, BackupError> {
    put_unless(pool, packed, |newest, packed| newest.digest == packed.digest).await
}

/// The same for one that comes over a hub, unless a newer one is here: of an installation that has saved more, or as much
/// and later, by its clock.
///
/// # Errors
/// See [`BackupError`]; nothing was stored.
pub async fn put_if_newer(pool: &PgPool, packed: Packed) -> Result<Kept, BackupError> {
    let is_old = |newest: &Newest, packed: &Packed| {
        let taken_at = packed.taken_at.map(Timestamp::moment);
        let saved_through = packed.saved_through.map(u64::cast_signed);
        newest.digest == packed.digest
            || newest.saved_through > saved_through
            || (newest.saved_through == saved_through
                && taken_at.is_some_and(|taken_at| taken_at <= newest.taken_at))
    };
    put_unless(pool, packed, is_old).await
}

/// The newest backup of an installation.
#[derive(sqlx::FromRow)]
struct Newest {
    version: i64,
    digest: String,
    entries: i64,
    saved_through: Option<i64>,
    taken_at: OffsetDateTime,
}

async fn put_unless(
    pool: &PgPool,
    mut packed: Packed,
    is_there: impl Fn(&Newest, &Packed) -> bool,
) -> Result<Kept, BackupError> {
    let mut connection = pool.acquire().await?;
    let mut transaction = connection.begin().await?;
    erasure::hold_off(&mut transaction).await?;
    // Versions are dense, so those of one installation are numbered one after the other.
    sqlx::query("SELECT pg_advisory_xact_lock(hashtextextended('leadlog backup of ' || $1, 0))")
        .bind(packed.device_id.as_str())
        .execute(&mut *transaction)
        .await?;
    let erased = erasure::erased_of(&mut transaction, &packed.client_ids).await?;
    if !erased.is_empty() {
        packed = erasure::repack(packed, erased).await?;
    }
    let newest: Option<Newest> = sqlx::query_as(
        "SELECT version, digest, entries, saved_through, taken_at FROM device_backups WHERE device_id = $1 ORDER BY version DESC LIMIT 1",
    )
    .bind(packed.device_id.as_str())
    .fetch_optional(&mut *transaction)
    .await?;
    let version = match newest {
        Some(newest) if is_there(&newest, &packed) => {
            transaction.rollback().await?;
            let Newest { version, entries, .. } = newest;
            return Ok(Kept { version: unsigned(version), entries: unsigned(entries), is_new: false });
        }
        Some(newest) => newest.version + 1,
        None => 1,
    };
    insert(&mut transaction, &packed, version).await?;
    sqlx::query("DELETE FROM device_backups WHERE device_id = $1 AND version <= $2")
        .bind(packed.device_id.as_str())
        .bind(version - KEPT_VERSIONS)
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await?;
    Ok(Kept { version: unsigned(version), entries: packed.entries, is_new: true })
}

async fn insert(db: &mut PgConnection, packed: &Packed, version: i64) -> Result<(), sqlx::Error> {
    let taken_at = packed.taken_at.map_or_else(OffsetDateTime::now_utc, Timestamp::moment);
    sqlx::query(
        "INSERT INTO device_backups (device_id, version, taken_at, saved_through, digest, leads, entries, bytes, \
         operators, client_ids, content) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
    )
    .bind(packed.device_id.as_str())
    .bind(version)
    .bind(taken_at)
    .bind(packed.saved_through.map(u64::cast_signed))
    .bind(&packed.digest)
    .bind(packed.leads.cast_signed())
    .bind(packed.entries.cast_signed())
    .bind(packed.bytes.cast_signed())
    .bind(&packed.operators)
    .bind(&packed.client_ids)
    .bind(&packed.content)
    .execute(db)
    .await?;
    Ok(())
}

const LISTED: &str = "SELECT device_id, version, received_at, taken_at, saved_through, leads, entries, bytes, \
                      operators FROM device_backups";

/// The backups of all installations, or of these alone, at most [`MAX_LISTED`]: the newest of each installation, newest first, then the second
/// newest of each. One that is gone must be found, however busy the others are.
///
/// # Errors
/// When the database cannot be read.
pub async fn list(pool: &PgPool, only: Option<&BTreeSet<DeviceId>>) -> Result<Vec<Backup>, sqlx::Error> {
    let only: Option<Vec<&str>> = only.map(|devices| devices.iter().map(DeviceId::as_str).collect());
    let query = format!(
        "{LISTED} WHERE $2::text[] IS NULL OR device_id = ANY ($2) ORDER BY row_number() OVER (PARTITION BY device_id ORDER BY version DESC), received_at DESC, \
         device_id LIMIT $1"
    );
    let rows = sqlx::query(&query).bind(MAX_LISTED).bind(only).fetch_all(pool).await?;
    rows.iter().map(Backup::of).collect()
}

/// The backups of one installation, newest first.
///
/// # Errors
/// When the database cannot be read.
pub async fn of_device(pool: &PgPool, device_id: &DeviceId) -> Result<Vec<Backup>, sqlx::Error> {
    let query = format!("{LISTED} WHERE device_id = $1 ORDER BY version DESC");
    let rows = sqlx::query(&query).bind(device_id.as_str()).fetch_all(pool).await?;
    rows.iter().map(Backup::of).collect()
}

impl Backup {
    fn of(row: &sqlx::postgres::PgRow) -> Result<Self, sqlx::Error> {
        let number = |column| row.try_get::<i64, _>(column).map(unsigned);
        Ok(Self {
            device_id: row.try_get("device_id")?,
            version: number("version")?,
            received_at: Timestamp::new(row.try_get("received_at")?),
            taken_at: Timestamp::new(row.try_get("taken_at")?),
            leads: number("leads")?,
            entries: number("entries")?,
            saved_through: row.try_get::<Option<i64>, _>("saved_through")?.map(unsigned),
            bytes: number("bytes")?,
            operators: row.try_get("operators")?,
        })
    }
}

/// The content of a backup, gzip; of the newest version when none is named. Answers the version, too.
///
/// # Errors
/// When the database cannot be read.
pub async fn content(
    pool: &PgPool,
    device_id: &DeviceId,
    version: Option<u64>,
) -> Result<Option<(u64, Vec<u8>)>, sqlx::Error> {
    // No backup has a number that the database cannot hold.
    let Ok(version) = version.map(i64::try_from).transpose() else { return Ok(None) };
    let found: Option<(i64, Vec<u8>)> = sqlx::query_as(
        "SELECT version, content FROM device_backups WHERE device_id = $1 AND version = coalesce($2, version) \
         ORDER BY version DESC LIMIT 1",
    )
    .bind(device_id.as_str())
    .bind(version)
    .fetch_optional(pool)
    .await?;
    Ok(found.map(|(version, content)| (unsigned(version), content)))
}

/// The document of a backup; of the newest version when none is named. Answers the version, too.
///
/// # Errors
/// See [`BackupError`].
pub async fn document(
    pool: &PgPool,
    device_id: &DeviceId,
    version: Option<u64>,
) -> Result<Option<(u64, String)>, BackupError> {
    let Some((version, content)) = content(pool, device_id, version).await? else { return Ok(None) };
    let document = unpack(&content).ok_or_else(|| super::UnreadableBackup {
        device_id: device_id.to_string(),
        version: Some(version),
    })?;
    Ok(Some((version, document)))
}

/// Replaces what a backup holds, if it is still what it was. Its leads are those that are left.
pub(super) async fn replace(
    pool: &PgPool,
    version: i64,
    old_digest: &str,
    packed: &Packed,
    client_ids: &[Uuid],
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE device_backups SET digest = $4, leads = $5, entries = $6, bytes = $7, operators = $8, \
         client_ids = $9, content = $10 WHERE device_id = $1 AND version = $2 AND digest = $3",
    )
    .bind(packed.device_id.as_str())
    .bind(version)
    .bind(old_digest)
    .bind(&packed.digest)
    .bind(packed.leads.cast_signed())
    .bind(packed.entries.cast_signed())
    .bind(packed.bytes.cast_signed())
    .bind(&packed.operators)
    .bind(client_ids)
    .bind(&packed.content)
    .execute(pool)
    .await?;
    Ok(())
}

fn unsigned(number: i64) -> u64 {
    number.max(0).cast_unsigned()
}
