//! Taking erased people out of backups.
//!
//! The log erases first, in a transaction of its own; then every backup that holds the lead is rewritten. Two things
//! close what lies between:
//!
//! - A snapshot that comes later is looked through before it is stored. While it is stored it holds a lock, which
//!   [`rewrite`] waits for once: whoever looked before the erasure is done by then, whoever looks later finds it.
//! - [`rewrite`] looks for every lead that was ever erased, so what a crash left is found by the next call. The
//!   server calls it when it starts and every minute ([`keep_rewriting`]), which also reaches erasures that came to
//!   the log on another way.

use std::collections::BTreeSet;
use std::time::Duration;

use domain::{ClientId, snapshot_without};
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use super::packed::{Packed, unpack};
use super::{BackupError, UnreadableBackup, shelf};

/// How often a server looks for what is left to rewrite.
const INTERVAL: Duration = Duration::from_secs(60);

/// Names the lock among the locks of the database.
const LOCK: &str = "hashtextextended('leadlog erasure in backups', 0)";

/// Rewrites every backup that holds a person who was erased. Answers how many it rewrote.
///
/// # Errors
/// See [`BackupError`]. What could be rewritten was; calling again does the rest.
pub async fn rewrite(pool: &PgPool) -> Result<u64, BackupError> {
    // Held by nobody who looked before the erasure was committed.
    sqlx::query(&format!("SELECT pg_advisory_xact_lock({LOCK})")).execute(pool).await?;
    let concerned: Vec<(String, i64)> = sqlx::query_as(
        "SELECT device_id, version FROM device_backups \
         WHERE client_ids && (SELECT coalesce(array_agg(client_id::uuid), '{}') FROM erased_leads)",
    )
    .fetch_all(pool)
    .await?;
    let (mut rewritten, mut failed) = (0, None);
    for (device_id, version) in concerned {
        match rewrite_one(pool, device_id, version).await {
            Ok(()) => rewritten += 1,
            // One that is damaged keeps nobody from the others.
            Err(BackupError::Unreadable(error)) => failed = Some(error),
            Err(error) => return Err(error),
        }
    }
    failed.map_or(Ok(rewritten), |error| Err(error.into()))
}

/// Rewrites for as long as the pool is open.
pub async fn keep_rewriting(pool: PgPool) {
    let mut tick = tokio::time::interval(INTERVAL);
    while !pool.is_closed() {
        tick.tick().await;
        match rewrite(&pool).await {
            Ok(0) => {}
            Ok(backups) => tracing::info!(backups, "erased people were taken out of backups"),
            Err(_) if pool.is_closed() => {}
            Err(error) => {
                tracing::error!(%error, "backups may still hold people who were erased; trying again")
            }
        }
    }
}

/// Keeps [`rewrite`] waiting until this transaction ends.
pub(super) async fn hold_off(db: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::query(&format!("SELECT pg_advisory_xact_lock_shared({LOCK})")).execute(db).await?;
    Ok(())
}

/// Those of the leads that were erased.
pub(super) async fn erased_of(
    db: &mut PgConnection,
    client_ids: &[Uuid],
) -> Result<BTreeSet<ClientId>, sqlx::Error> {
    let names: Vec<String> = client_ids.iter().map(Uuid::to_string).collect();
    let erased: Vec<Uuid> =
        sqlx::query_scalar("SELECT client_id::uuid FROM erased_leads WHERE client_id = ANY ($1)")
            .bind(names)
            .fetch_all(db)
            .await?;
    Ok(erased.into_iter().map(ClientId::new).collect())
}

/// The same snapshot without these leads.
pub(super) async fn repack(packed: Packed, erased: BTreeSet<ClientId>) -> Result<Packed, BackupError> {
    let unreadable = UnreadableBackup { device_id: packed.device_id.to_string(), version: None };
    without(packed.content, erased).await.ok_or_else(|| unreadable.into())
}

async fn without(content: Vec<u8>, erased: BTreeSet<ClientId>) -> Option<Packed> {
    let pack = move || Packed::pack(&snapshot_without(&unpack(&content)?, &erased)?).ok();
    tokio::task::spawn_blocking(pack).await.ok().flatten()
}

async fn rewrite_one(pool: &PgPool, device_id: String, version: i64) -> Result<(), BackupError> {
    let found: Option<(String, Vec<u8>, Vec<Uuid>)> = sqlx::query_as(
        "SELECT digest, content, client_ids FROM device_backups WHERE device_id = $1 AND version = $2",
    )
    .bind(&device_id)
    .bind(version)
    .fetch_optional(pool)
    .await?;
    // Later ones have pushed it out.
    let Some((digest, content, client_ids)) = found else { return Ok(()) };
    let erased = erased_of(&mut *pool.acquire().await?, &client_ids).await?;
    let unreadable = UnreadableBackup { device_id, version: Some(version.max(0).cast_unsigned()) };
    let packed = without(content, erased.clone()).await.ok_or(unreadable)?;
    let left: Vec<Uuid> =
        packed.client_ids.iter().copied().filter(|id| !erased.contains(&ClientId::new(*id))).collect();
    Ok(shelf::replace(pool, version, &digest, &packed, &left).await?)
}
