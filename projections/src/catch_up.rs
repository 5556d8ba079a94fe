//! Waiting until the projections hold what the log holds.

use std::time::Duration;

use event_store::{head, is_forbidden};
use sqlx::{PgConnection, PgPool};
use tokio::time::{Instant, sleep};

use crate::page::{LastPage, Step, step};
use crate::refusal::DatabaseError;
use crate::transaction::roll_back;
use crate::{ALL, Registration, RunnerOptions, cursor, leadership, rights};

/// How often cursors of another process are looked at.
const LOOK_INTERVAL: Duration = Duration::from_millis(25);

/// How long another process may lead without any progress before [`catch_up`] gives up: longer than the longest step.
const MAX_STALL: Duration = Duration::from_secs(90);

/// Why the projections did not catch up.
#[derive(Debug, thiserror::Error)]
pub enum CatchUpError {
    /// What was written stays, and another try goes on from there.
    #[error("the projections cannot be brought up to date")]
    Database(#[source] DatabaseError),
    /// The database answers, and will not do what this projection asks.
    #[error(
        "the projection {projection} cannot be brought up to date, because the database refuses a statement"
    )]
    Refused {
        /// The projection.
        projection: &'static str,
        /// What PostgreSQL says about it.
        #[source]
        source: sqlx::Error,
    },
    /// The database's user may not write the tables, and no server is there that does.
    #[error(
        "the projection {projection} is behind the log, no server is there that can bring it up to date, and the database \
         user may not; start one with `leadlog serve`, or if one runs, look into its log for what the database refuses it; or \
         let this user: {grants}"
    )]
    MayNotWrite {
        /// The projection.
        projection: &'static str,
        /// The SQL that lets it.
        grants: String,
    },
    /// A newer program has taken the tables over.
    #[error(
        "the projection {projection} was made by a newer version of this program; use that version, or update this one"
    )]
    Superseded {
        /// The projection.
        projection: &'static str,
    },
    /// An older program has the lead, and the tables.
    #[error(
        "the projection {projection} is kept by a process of an older version of this program: its rows are those of \
         version {live_version}, and this program has version {version}; stop that process, or update it"
    )]
    Outdated {
        /// The projection.
        projection: &'static str,
        /// The version that made the live rows.
        live_version: i32,
        /// The version of this program.
        version: i32,
    },
    /// Another process has the lead and does nothing.
    #[error(
        "the projection {projection} stands at position {reached} of {head}, and the process that leads it makes no \
         progress; is a server stopped or suspended?"
    )]
    Stalled {
        /// The projection.
        projection: &'static str,
        /// Where it stands.
        reached: u64,
        /// Where the log ended when this call began.
        head: u64,
    },
}

/// Why a projection was not waited for to the end.
#[derive(Debug, thiserror::Error)]
pub enum WaitError {
    /// Nobody knows where it stands.
    #[error("the state of the projections cannot be read")]
    Database(#[source] DatabaseError),
    /// Not there in time.
    #[error(
        "the projection {projection} stands at position {reached}, {position} was not reached in {waited_ms} ms; try again"
    )]
    Timeout {
        /// The projection.
        projection: &'static str,
        /// Where it stands.
        reached: u64,
        /// What was waited for.
        position: u64,
        /// How long, in milliseconds.
        waited_ms: u128,
    },
    /// Nobody brings it there.
    #[error(
        "the projection {projection} stands still at position {reached}, and {position} was waited for; if a server runs, its \
         log says why"
    )]
    StandsStill {
        /// The projection.
        projection: &'static str,
        /// Where it stands.
        reached: u64,
        /// What was waited for.
        position: u64,
    },
}

/// Brings all projections to the head that the log has now, in this process, or by waiting for the runner
/// that leads in another. Needs two connections at most.
///
/// # Errors
/// See [`CatchUpError`].
pub async fn catch_up(pool: &PgPool) -> Result<(), CatchUpError> {
    catch_up_unless_stalled(pool, &ALL.each_ref(), MAX_STALL).await
}

/// The same for these projections only: who reads one of them need not wait for the others, nor for what the database
/// refuses them.
///
/// # Errors
/// See [`CatchUpError`].
pub async fn catch_up_only(pool: &PgPool, projections: &[&'static Registration]) -> Result<(), CatchUpError> {
    catch_up_unless_stalled(pool, projections, MAX_STALL).await
}

async fn catch_up_unless_stalled(
    pool: &PgPool,
    projections: &[&'static Registration],
    max_stall: Duration,
) -> Result<(), CatchUpError> {
    let head = head(pool).await?.position;
    let mut progress = (0, Instant::now());
    loop {
        let Some((behind, reached)) = most_behind(pool, projections, head).await? else { return Ok(()) };
        if let Some(mut db) = leadership::take(pool).await? {
            let reached = reach_each(&mut db, projections, head).await;
            if !matches!(reached, Err(CatchUpError::Database(_))) {
                leadership::give_up(db).await;
            }
            return reached;
        }
        // Rows of a newer program never go back to ours.
        if cursor::live_version(pool, behind).await?.is_some_and(|live| live > behind.version) {
            return Err(CatchUpError::Superseded { projection: behind.name });
        }
        if reached != progress.0 {
            progress = (reached, Instant::now());
        } else if progress.1.elapsed() > max_stall {
            return Err(stalled(pool, behind, reached, head).await?);
        }
        sleep(LOOK_INTERVAL).await;
    }
}

/// Brings each projection to `head`. One that belongs to a newer program, or that the database refuses, does not hold the
/// others up.
async fn reach_each(
    db: &mut PgConnection,
    projections: &[&'static Registration],
    head: u64,
) -> Result<(), CatchUpError> {
    let mut reached = Ok(());
    for projection in projections {
        let one = match reach(db, projection, head).await {
            Err(silent @ CatchUpError::Database(_)) => return Err(silent),
            Err(CatchUpError::Refused { source, .. }) => Err(refusal(db, projection, source).await?),
            other => other,
        };
        match (&reached, one) {
            (Ok(()), one) => reached = one,
            // Only one can be answered.
            (Err(_), Err(error)) => tracing::error!(
                error = &error as &dyn std::error::Error,
                "another projection cannot be brought up to date, either"
            ),
            (Err(_), Ok(())) => {}
        }
    }
    reached
}

/// What is to be said of a refusal: which right the user lacks, if it is that. The next projection finds no transaction open.
async fn refusal(
    db: &mut PgConnection,
    projection: &Registration,
    source: sqlx::Error,
) -> Result<CatchUpError, sqlx::Error> {
    roll_back(db).await?;
    let grants = match is_forbidden(&source) {
        true => rights::missing_on_tables(db, projection).await?,
        false => None,
    };
    let projection = projection.name;
    Ok(match grants {
        Some(grants) => CatchUpError::MayNotWrite { projection, grants },
        None => CatchUpError::Refused { projection, source },
    })
}

/// The projection that is furthest behind `head`, and where it stands; `None` when all are there.
async fn most_behind(
    pool: &PgPool,
    projections: &[&'static Registration],
    head: u64,
) -> Result<Option<(&'static Registration, u64)>, sqlx::Error> {
    let mut furthest = None;
    for projection in projections {
        let reached = cursor::position(pool, projection).await?;
        if reached < head && furthest.is_none_or(|(_, least)| reached < least) {
            furthest = Some((*projection, reached));
        }
    }
    Ok(furthest)
}

/// Why a projection that another process leads makes no progress.
async fn stalled(
    pool: &PgPool,
    behind: &Registration,
    reached: u64,
    head: u64,
) -> Result<CatchUpError, sqlx::Error> {
    let projection = behind.name;
    Ok(match cursor::live_version(pool, behind).await? {
        Some(live_version) if live_version < behind.version => {
            CatchUpError::Outdated { projection, live_version, version: behind.version }
        }
        _ => CatchUpError::Stalled { projection, reached, head },
    })
}

fn of(projection: &Registration, error: sqlx::Error) -> CatchUpError {
    match DatabaseError::from(error) {
        DatabaseError::Refused(source) => CatchUpError::Refused { projection: projection.name, source },
        silent @ DatabaseError::Silent(_) => CatchUpError::Database(silent),
    }
}

async fn reach(db: &mut PgConnection, projection: &Registration, head: u64) -> Result<(), CatchUpError> {
    loop {
        let mut page = LastPage::default();
        let stepped = step(db, projection, RunnerOptions::default().page_events, &mut page).await;
        match stepped.map_err(|error| of(projection, error))? {
            Step::Moved { through, .. } if through < head => {}
            Step::Moved { .. } | Step::CaughtUp => return Ok(()),
            Step::LostRace => {}
            Step::Superseded => return Err(CatchUpError::Superseded { projection: projection.name }),
        }
    }
}

/// Waits until the projection holds everything up to `position`; somebody else must bring it there. Wake the
/// runner first when it is in this process.
///
/// # Errors
/// See [`WaitError`].
pub async fn wait_for(
    pool: &PgPool,
    projection: &Registration,
    position: u64,
    at_most: Duration,
) -> Result<(), WaitError> {
    wait_while_it_moves(pool, projection, position, at_most, at_most).await
}

/// The same, for as long as it moves: where it stands still for `max_still`, nothing is waited for any more.
///
/// # Errors
/// See [`WaitError`].
pub async fn wait_while_it_moves(
    pool: &PgPool,
    projection: &Registration,
    position: u64,
    at_most: Duration,
    max_still: Duration,
) -> Result<(), WaitError> {
    let begun = Instant::now();
    let mut moved = (None, begun);
    let mut pause = Duration::from_millis(1);
    loop {
        let reached = cursor::position(pool, projection).await?;
        if reached >= position {
            return Ok(());
        }
        if moved.0 != Some(reached) {
            moved = (Some(reached), Instant::now());
        }
        if begun.elapsed() >= at_most {
            return Err(WaitError::Timeout {
                projection: projection.name,
                reached,
                position,
                waited_ms: at_most.as_millis(),
            });
        }
        if moved.1.elapsed() >= max_still {
            return Err(WaitError::StandsStill { projection: projection.name, reached, position });
        }
        sleep(pause).await;
        pause = (pause * 2).min(LOOK_INTERVAL);
    }
}

#[cfg(test)]
mod tests {
    use event_store::testing::fresh_store;

    use super::*;
    use crate::LEADS;

    #[tokio::test]
    async fn who_leads_and_makes_no_progress_is_told_by_the_version_of_the_rows() {
        let (pool, _) = fresh_store().await;
        for statement in [
            "UPDATE log_head SET position = 5",
            "INSERT INTO projection_cursors (name, version) VALUES ('leads', 1)",
        ] {
            sqlx::query(statement).execute(&pool).await.unwrap();
        }
        let leader = leadership::take(&pool).await.unwrap().expect("nobody else leads");
        for (version, expected) in
            [(LEADS.version - 1, "an older version"), (LEADS.version + 1, "a newer version")]
        {
            sqlx::query("UPDATE projection_cursors SET version = $1 WHERE name = 'leads'")
                .bind(version)
                .execute(&pool)
                .await
                .unwrap();
            let error =
                catch_up_unless_stalled(&pool, &[&LEADS], Duration::ZERO).await.unwrap_err().to_string();
            assert!(error.contains("leads") && error.contains(expected), "{error}");
        }
        sqlx::query("UPDATE projection_cursors SET version = $1 WHERE name = 'leads'")
            .bind(LEADS.version)
            .execute(&pool)
            .await
            .unwrap();
        let error = catch_up_unless_stalled(&pool, &[&LEADS], Duration::ZERO).await.unwrap_err();
        assert!(matches!(error, CatchUpError::Stalled { head: 5, .. }), "{error}");
        leadership::give_up(leader).await;
    }
}
