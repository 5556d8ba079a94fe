//! Who projects: one connection over all processes of a store.
//!
//! The lock belongs to a session, and the leader writes through that very session. When the connection dies,
//! PostgreSQL lets the lock go, and whoever held it can write no more.

use sqlx::{Connection, PgConnection, PgPool};

/// With the table's oid it is the key of the lock, so that every schema of a database has its own.
const LOCK: i32 = 1;

/// A connection that holds the lock, taken out of the pool; `None` when somebody else leads. When it is dropped, the
/// server gives the lock back as soon as it notices.
pub(crate) async fn take(pool: &PgPool) -> Result<Option<PgConnection>, sqlx::Error> {
    let mut db = pool.acquire().await?;
    Ok(lock(&mut db).await?.then(|| db.detach()))
}

/// The same with a connection that nothing was done with before: one of the pool may have begun before a user's settings
/// or a table changed.
pub(crate) async fn take_in_new_session(pool: &PgPool) -> Result<Option<PgConnection>, sqlx::Error> {
    let mut db = PgConnection::connect_with(&pool.connect_options()).await?;
    if lock(&mut db).await? {
        return Ok(Some(db));
    }
    let _ = db.close().await;
    Ok(None)
}

/// Whether any process projects: a server runs on this store.
///
/// # Errors
/// When the database does not answer.
pub async fn is_led(pool: &PgPool) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT EXISTS (SELECT FROM pg_locks
         WHERE locktype = 'advisory' AND granted AND classid = 'projection_cursors'::regclass::oid AND objid::integer = $1
         AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))",
    )
    .bind(LOCK)
    .fetch_one(pool)
    .await
}

async fn lock(db: &mut PgConnection) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("SELECT pg_try_advisory_lock('projection_cursors'::regclass::oid::integer, $1)")
        .bind(LOCK)
        .fetch_one(db)
        .await
}

/// Gives the lock back, so that the next one can take it when this returns.
pub(crate) async fn give_up(mut db: PgConnection) {
    // Best effort: without an answer the connection is gone, and the lock with it.
    let _ = sqlx::query("SELECT pg_advisory_unlock_all()").execute(&mut db).await;
    let _ = db.close().await;
}
