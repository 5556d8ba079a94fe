//! Comparing the live rows of a projection with what the log gives (invariant 8).
//!
//! The log is folded again in temporary tables ([`crate::build`]), so that whoever may read the store may compare, and
//! nothing stays of a comparison that was killed. The last pages and the comparison happen in one
//! snapshot, in which the live tables and their cursor belong together; so leads may come in meanwhile, and the verdict is
//! about one position.

use sqlx::{PgConnection, PgPool, Row};

use crate::build::{Build, BuildError, Progress, Schemas};
use crate::{Registration, Table};

/// Most rows that are named for one table.
pub const MAX_NAMED_ROWS: u32 = 100;

/// What a comparison found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verification {
    /// The position that live rows and log were compared at.
    pub position: u64,
    /// Of each table.
    pub tables: Vec<TableVerification>,
}

/// What a comparison found in one table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableVerification {
    /// The table.
    pub table: &'static str,
    /// Rows that are live.
    pub live_rows: u64,
    /// Rows that the log gives.
    pub log_rows: u64,
    /// Rows that differ, at most [`MAX_NAMED_ROWS`]. Empty: the digests are equal, and so are the rows.
    pub differences: Vec<RowDifference>,
}

/// A row that is not what the log gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowDifference {
    /// The row, without personal data.
    pub row: String,
    /// What is wrong with it.
    pub kind: DifferenceKind,
}

/// What is wrong with a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DifferenceKind {
    /// The log gives it, and it is not live.
    Missing,
    /// It is live, and the log does not give it.
    Surplus,
    /// These columns have other values.
    Differs(Vec<String>),
}

impl Verification {
    /// Whether the live rows are those of the log.
    pub fn is_equal(&self) -> bool {
        self.tables.iter().all(|table| table.differences.is_empty())
    }
}

/// Folds the log again up to where the live projection stands, and compares.
///
/// # Errors
/// See [`BuildError`]; a projection that never ran compares as empty.
pub async fn verify(
    pool: &PgPool,
    projection: &'static Registration,
    mut tell: impl FnMut(Progress) + Send,
) -> Result<Verification, BuildError> {
    let mut build = Build::open_temporary(pool, projection).await?;
    let verification = verify_in(&mut build, &mut tell).await;
    build.close(verification.is_err()).await;
    verification
}

async fn verify_in(
    build: &mut Build,
    tell: &mut (dyn FnMut(Progress) + Send),
) -> Result<Verification, BuildError> {
    let through = live_position(build).await?;
    build.fold_through(through, tell).await?;
    sqlx::query("BEGIN ISOLATION LEVEL REPEATABLE READ").execute(&mut build.db).await?;
    // Before the snapshot: a rebuild that switched behind it would show tables that it does not know.
    let tables = build.projection.tables.iter().map(|table| build.schemas.in_live(table.name));
    let lock = format!("LOCK TABLE {} IN ACCESS SHARE MODE", tables.collect::<Vec<_>>().join(", "));
    sqlx::query(&lock).execute(&mut build.db).await?;
    let verification = compare(build).await?;
    sqlx::query("COMMIT").execute(&mut build.db).await?;
    Ok(verification)
}

/// Where the live projection stands. The log is never folded beyond that.
async fn live_position(build: &mut Build) -> Result<u64, BuildError> {
    let newest: Option<(i32, i64)> = sqlx::query_as(&format!(
        "SELECT version, position FROM {} WHERE name = $1 ORDER BY version DESC LIMIT 1",
        build.schemas.in_live("projection_cursors")
    ))
    .bind(build.projection.name)
    .fetch_optional(&mut build.db)
    .await?;
    match newest {
        Some((version, _)) if version > build.projection.version => {
            Err(BuildError::Superseded { projection: build.projection.name })
        }
        Some((live_version, _)) if live_version < build.projection.version => Err(BuildError::Outdated {
            projection: build.projection.name,
            live_version,
            version: build.projection.version,
        }),
        Some((_, position)) => Ok(position.cast_unsigned()),
        None => Ok(0),
    }
}

async fn compare(build: &mut Build) -> Result<Verification, BuildError> {
    let live = live_position(build).await?;
    let mut position = build.position().await?;
    while position < live {
        position = build.fold_page(position, live).await?;
    }
    let mut tables = Vec::new();
    for table in build.projection.tables {
        tables.push(compare_table(&mut build.db, &build.schemas, table).await?);
    }
    Ok(Verification { position, tables })
}

async fn compare_table(
    db: &mut PgConnection,
    schemas: &Schemas,
    table: &'static Table,
) -> Result<TableVerification, sqlx::Error> {
    let (live, log) = (schemas.in_live(table.name), schemas.in_build(table.name));
    let (live_rows, live_digest) = digest(db, &live).await?;
    let (log_rows, log_digest) = digest(db, &log).await?;
    let differences = if (live_rows, &live_digest) == (log_rows, &log_digest) {
        Vec::new()
    } else {
        differences(db, table, &live, &log).await?
    };
    Ok(TableVerification { table: table.name, live_rows, log_rows, differences })
}

/// Number of rows, and a sum over their hashes, which does not depend on their order.
async fn digest(db: &mut PgConnection, table: &str) -> Result<(u64, String), sqlx::Error> {
    let (rows, digest): (i64, String) = sqlx::query_as(&format!(
        "SELECT count(*), coalesce(sum(hashtextextended(t::text, 0)), 0)::text FROM {table} t"
    ))
    .fetch_one(db)
    .await?;
    Ok((rows.cast_unsigned(), digest))
}

async fn differences(
    db: &mut PgConnection,
    table: &Table,
    live: &str,
    log: &str,
) -> Result<Vec<RowDifference>, sqlx::Error> {
    let key: Vec<String> =
        sqlx::query_scalar(include_str!("sql/primary_key.sql")).bind(log).fetch_all(&mut *db).await?;
    let side = |table_name: &str| {
        format!("(SELECT {}, {} AS label, t AS line FROM {table_name} t)", key.join(", "), table.row_label)
    };
    let rows = sqlx::query(&format!(
        "SELECT coalesce(live.label, log.label) AS label, live.label IS NULL AS is_missing, log.label IS NULL AS is_surplus,
                ARRAY(SELECT key
                      FROM json_each_text(row_to_json(live.line)) AS of_live
                      JOIN json_each_text(row_to_json(log.line)) AS of_log USING (key)
                      WHERE of_live.value IS DISTINCT FROM of_log.value) AS columns
         FROM {} live FULL JOIN {} log USING ({})
         WHERE live.line::text IS DISTINCT FROM log.line::text
         ORDER BY 1
         LIMIT {MAX_NAMED_ROWS}",
        side(live),
        side(log),
        key.join(", "),
    ))
    .fetch_all(db)
    .await?;
    rows.iter()
        .map(|row| {
            let kind = match (row.try_get("is_missing")?, row.try_get("is_surplus")?) {
                (true, _) => DifferenceKind::Missing,
                (_, true) => DifferenceKind::Surplus,
                (false, false) => DifferenceKind::Differs(row.try_get("columns")?),
            };
            Ok(RowDifference { row: row.try_get("label")?, kind })
        })
        .collect()
}
