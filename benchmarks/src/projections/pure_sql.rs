//! The ruler: the same leads and contacts made by a few statements inside PostgreSQL, from the same log.
//!
//! It is given every advantage: it reads the log once, in the order that suits it, in one transaction of its own; it
//! builds the indexes when the rows are in; it has memory to sort in; nothing travels; and it does only what this
//! log asks for (see the statements). What it cannot do: begin again in the middle, go on with what comes, pass an
//! event that it does not understand.

use std::time::Instant;

use anyhow::{Result, ensure};
use sqlx::{Connection, Executor, PgConnection};

use super::figures::Measured;
use crate::database::Database;
use crate::usage::cpu_of_postgres;

/// What its sorts may use, where the managed settings have 4 MB.
const WORK_MEM: &str = "512MB";

/// The tables that both make.
const TABLES: [&str; 2] = ["leads", "contacts"];

/// Makes the tables in a schema beside the store's.
pub(super) async fn make(database: &Database) -> Result<Measured> {
    // A connection of its own, whose end is measured with it.
    let mut db = PgConnection::connect(&database.url()).await?;
    db.execute("DROP SCHEMA IF EXISTS pure_sql CASCADE").await?;
    let before = cpu_of_postgres(database.postmaster_pid())?;
    let begun = Instant::now();
    let mut transaction = db.begin().await?;
    transaction.execute(format!("SET LOCAL work_mem = '{WORK_MEM}'").as_str()).await?;
    transaction.execute(include_str!("sql/make_tables.sql")).await?;
    // The planner would sort a gigabyte of payloads instead of walking the key.
    transaction.execute("SET LOCAL enable_sort = off").await?;
    transaction.execute(include_str!("sql/insert_leads.sql")).await?;
    transaction.execute("SET LOCAL enable_sort = on").await?;
    // The next statements read what this one has made.
    transaction.execute("ANALYZE pure_sql.leads").await?;
    transaction.execute(include_str!("sql/find_shared.sql")).await?;
    transaction.execute(include_str!("sql/insert_single_contacts.sql")).await?;
    transaction.execute(include_str!("sql/insert_shared_contacts.sql")).await?;
    let indexes: Vec<String> =
        sqlx::query_scalar(include_str!("sql/index_definitions.sql")).fetch_all(&mut *transaction).await?;
    for index in &indexes {
        transaction.execute(index.as_str()).await?;
    }
    transaction.execute("ANALYZE pure_sql.contacts").await?;
    transaction.commit().await?;
    let wall = begun.elapsed();
    db.close().await?;
    let postgres = cpu_of_postgres(database.postmaster_pid())?.saturating_sub(before);
    Ok(Measured { wall, program: None, postgres })
}

/// Proves that both made the same rows, and removes the ruler's. Answers how many of each.
pub(super) async fn compare(database: &mut Database) -> Result<[u64; 2]> {
    let mut rows = [0; 2];
    for (table, rows) in TABLES.iter().zip(&mut rows) {
        let projected = digest(&mut database.db, table).await?;
        let made = digest(&mut database.db, &format!("pure_sql.{table}")).await?;
        ensure!(
            projected == made,
            "pure SQL makes other {table} than the projection: (rows, digest) {made:?}, not {projected:?}"
        );
        *rows = projected.0.cast_unsigned();
    }
    database.db.execute("DROP SCHEMA pure_sql CASCADE").await?;
    Ok(rows)
}

/// The number of rows, and a sum over hashes of all their columns, which does not depend on their order. `jsonb`,
/// because PostgreSQL and the program write JSON with other spaces.
async fn digest(db: &mut PgConnection, table: &str) -> Result<(i64, String)> {
    let statement = format!(
        "SELECT count(*), coalesce(sum(hashtextextended(to_jsonb(t)::text, 0)), 0)::text FROM {table} t"
    );
    Ok(sqlx::query_as(&statement).fetch_one(db).await?)
}
