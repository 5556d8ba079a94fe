//! Folding a projection again from the first event, beside the live one, and switching.
//!
//! The build ([`crate::build`]) follows the log until it is a page behind. The switch is one short transaction: it takes
//! the live cursor, so that the runner waits before its next page; folds what is still missing; sees that no migration has
//! changed the tables since the build was begun; and puts the built tables in the place of the live ones. Whoever reads sees the old rows before and the new ones after,
//! and the runner goes on from the cursor that came with them. The tables keep their owner, and what others were granted
//! on them stays granted.

use std::time::Duration;

use sqlx::PgPool;
use tokio::time::sleep;

use crate::Registration;
use crate::build::{Build, BuildError, PAGE_EVENTS, Progress, quoted};
use crate::page::OnPoison;
use crate::refusal::DatabaseError;

/// How long the switch waits for readers, in milliseconds. New readers wait behind it meanwhile.
const SWITCH_LOCK_TIMEOUT_MS: u32 = 2_000;

/// How often it tries.
const MAX_SWITCH_TRIES: u32 = 30;

const PAUSE_BETWEEN_TRIES: Duration = Duration::from_millis(500);

/// SQLSTATE of "lock not available".
const LOCK_TIMEOUT: &str = "55P03";

/// SQLSTATE of "deadlock detected": somebody takes the tables and then the cursor. Of the two, one is let go, and it may
/// be the other one next time.
const DEADLOCK: &str = "40P01";

/// SQLSTATE of "dependent objects still exist".
const DEPENDENTS: &str = "2BP01";

/// A projection that was rebuilt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rebuilt {
    /// Its tables hold everything up to this position.
    pub position: u64,
    /// Where an interrupted build was taken up; 0 when there was none.
    pub resumed_at: u64,
}

/// What a rebuild does with an event that cannot be folded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Poisoned {
    /// It stops, and the live tables stay.
    Stop,
    /// It parks the event and passes it, as the live projection does.
    Park,
}

/// Folds a projection again while leads come in, and switches. Interrupted at any point, it leaves the live tables as
/// they were, and another call goes on.
///
/// # Errors
/// See [`BuildError`].
pub async fn rebuild(
    pool: &PgPool,
    projection: &'static Registration,
    poisoned: Poisoned,
    mut tell: impl FnMut(Progress) + Send,
) -> Result<Rebuilt, BuildError> {
    let on_poison = match poisoned {
        Poisoned::Stop => OnPoison::Stop,
        Poisoned::Park => OnPoison::Park,
    };
    let mut build = Build::open(pool, projection, on_poison).await?;
    let rebuilt = rebuild_in(&mut build, &mut tell).await;
    build.close(rebuilt.is_err()).await;
    rebuilt
}

async fn rebuild_in(
    build: &mut Build,
    tell: &mut (dyn FnMut(Progress) + Send),
) -> Result<Rebuilt, BuildError> {
    let resumed_at = build.position().await?;
    begin_live(build).await?;
    let mut is_analyzed = false;
    let mut tries = 0;
    loop {
        let head = build.head().await?;
        build.fold_through(head, tell).await?;
        if !is_analyzed {
            analyze(build).await?;
            is_analyzed = true;
        }
        match switch(build).await? {
            Switch::Done { position } => return Ok(Rebuilt { position, resumed_at }),
            Switch::TooFarBehind => {}
            Switch::Held => {
                tries += 1;
                if tries == MAX_SWITCH_TRIES {
                    return Err(BuildError::Held { projection: build.projection.name });
                }
                sleep(PAUSE_BETWEEN_TRIES).await;
            }
        }
    }
}

/// The planner must know the new tables from their first second.
async fn analyze(build: &mut Build) -> Result<(), BuildError> {
    for table in build.projection.tables {
        let analyze = format!("ANALYZE {}", build.schemas.in_build(table.name));
        sqlx::query(&analyze).execute(&mut build.db).await?;
    }
    Ok(())
}

/// A projection that never ran has no cursor yet that the switch could take.
async fn begin_live(build: &mut Build) -> Result<(), BuildError> {
    let cursors = build.schemas.in_live("projection_cursors");
    sqlx::query(&format!(
        "INSERT INTO {cursors} (name, version)
         SELECT $1, $2 WHERE NOT EXISTS (SELECT FROM {cursors} WHERE name = $1)
         ON CONFLICT DO NOTHING"
    ))
    .bind(build.projection.name)
    .bind(build.projection.version)
    .execute(&mut build.db)
    .await?;
    Ok(())
}

enum Switch {
    Done {
        position: u64,
    },
    /// The live projection has moved on by more than a page meanwhile.
    TooFarBehind,
    /// Somebody reads the live tables and does not stop.
    Held,
}

/// Tries to switch. Nothing has changed unless it is done.
async fn switch(build: &mut Build) -> Result<Switch, BuildError> {
    let begin = format!("SET LOCAL lock_timeout = {SWITCH_LOCK_TIMEOUT_MS}");
    for statement in ["BEGIN", &begin, "SET LOCAL synchronous_commit = on"] {
        sqlx::query(statement).execute(&mut build.db).await?;
    }
    let switched = switch_inside(build).await;
    let is_done = matches!(switched, Ok(Switch::Done { .. }));
    sqlx::query(if is_done { "COMMIT" } else { "ROLLBACK" }).execute(&mut build.db).await?;
    let Err(BuildError::Database(DatabaseError::Refused(error))) = &switched else { return switched };
    let Some(refused) = error.as_database_error() else { return switched };
    match refused.code().as_deref() {
        Some(LOCK_TIMEOUT | DEADLOCK) => Ok(Switch::Held),
        Some(DEPENDENTS) => {
            let refused = refused.try_downcast_ref::<sqlx::postgres::PgDatabaseError>();
            let detail = refused.and_then(|error| error.detail()).unwrap_or("PostgreSQL does not say what");
            Err(BuildError::Dependents {
                projection: build.projection.name,
                detail: detail.replace('\n', "; "),
            })
        }
        _ => switched,
    }
}

async fn switch_inside(build: &mut Build) -> Result<Switch, BuildError> {
    let Registration { name, version, tables, .. } = *build.projection;
    let cursors = build.schemas.in_live("projection_cursors");
    // The runner takes this row before it touches a table, and so do we.
    let live: Vec<(i32, i64)> = sqlx::query_as(&format!(
        "SELECT version, position FROM {cursors} WHERE name = $1 ORDER BY version DESC FOR UPDATE"
    ))
    .bind(name)
    .fetch_all(&mut build.db)
    .await?;
    let live = live.first().copied();
    if live.is_some_and(|(newest, _)| newest > version) {
        return Err(BuildError::Superseded { projection: name });
    }
    let live =
        live.filter(|(newest, _)| *newest == version).map_or(0, |(_, position)| position.cast_unsigned());
    let mut position = build.position().await?;
    if live.saturating_sub(position) > PAGE_EVENTS {
        return Ok(Switch::TooFarBehind);
    }
    while position < live {
        position = build.fold_page(position, live).await?;
    }
    if !build.schemas.lock_shape(&mut build.db, build.projection).await? {
        return Err(BuildError::Migrated { projection: name });
    }
    // A newer program that was beginning when the cursor was asked for has put its own in the place of that one, and who
    // waited for the row found none.
    let now: Option<i32> = sqlx::query_scalar(&format!("SELECT max(version) FROM {cursors} WHERE name = $1"))
        .bind(name)
        .fetch_one(&mut build.db)
        .await?;
    if now.is_some_and(|newest| newest > version) {
        return Err(BuildError::Superseded { projection: name });
    }
    build.schemas.copy_owners(&mut build.db, build.projection).await?;
    for table in tables {
        build.schemas.copy_grants(&mut build.db, table.name).await?;
        let (old, new) = (build.schemas.in_live(table.name), build.schemas.in_build(table.name));
        let live_schema = quoted(&build.schemas.live);
        for statement in [format!("DROP TABLE {old}"), format!("ALTER TABLE {new} SET SCHEMA {live_schema}")]
        {
            sqlx::query(&statement).execute(&mut build.db).await?;
        }
    }
    take_over_bookkeeping(build).await?;
    build.schemas.discard(&mut build.db).await?;
    Ok(Switch::Done { position })
}

/// The cursor and the parked events of the build take the place of the live ones.
async fn take_over_bookkeeping(build: &mut Build) -> Result<(), BuildError> {
    for (table, of) in [("parked_events", "projection"), ("projection_cursors", "name")] {
        let (old, new) = (build.schemas.in_live(table), build.schemas.in_build(table));
        for statement in [
            format!("DELETE FROM {old} WHERE {of} = $1"),
            format!("INSERT INTO {old} SELECT * FROM {new} WHERE {of} = $1"),
        ] {
            sqlx::query(&statement).bind(build.projection.name).execute(&mut build.db).await?;
        }
    }
    Ok(())
}
