//! The ruler: `COPY` of the same columns, in the same order, read by a client that throws it away, too.
//!
//! It is given every advantage: one statement and one snapshot, no server in between, times and lists as PostgreSQL
//! writes them, and no look at whether a spreadsheet would run a text as a formula.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use futures_util::TryStreamExt;
use sqlx::{Connection, Executor, PgConnection};
use tokio::time::timeout;

use super::figures::Measured;
use crate::database::Database;
use crate::usage::cpu_of_postgres;

/// How long PostgreSQL may be silent, while it sorts.
const SILENCE_LIMIT: Duration = Duration::from_secs(900);

/// Copies a table out, and counts.
pub(super) async fn copy(database: &Database, statement: &str) -> Result<Measured> {
    // A connection of its own, whose end is measured with it.
    let mut db = PgConnection::connect(&database.url()).await?;
    db.execute("SET TimeZone = 'Europe/Warsaw'").await?;
    let before = cpu_of_postgres(database.postmaster_pid())?;
    let begun = Instant::now();
    let mut first_byte = None;
    let (mut bytes, mut lines) = (0, 0_u64);
    let mut rows = db.copy_out_raw(statement).await?;
    while let Some(piece) = timeout(SILENCE_LIMIT, rows.try_next()).await.context("COPY says nothing")?? {
        first_byte.get_or_insert_with(|| begun.elapsed());
        bytes += piece.len() as u64;
        lines += piece.iter().filter(|byte| **byte == b'\n').count() as u64;
    }
    let wall = begun.elapsed();
    drop(rows);
    db.close().await?;
    let postgres = cpu_of_postgres(database.postmaster_pid())?.saturating_sub(before);
    Ok(Measured {
        // The first line names the columns.
        rows: lines.saturating_sub(1),
        bytes,
        wall,
        first_byte: first_byte.unwrap_or_default(),
        postgres,
        server: None,
    })
}
