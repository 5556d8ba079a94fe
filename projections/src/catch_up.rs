//! Waiting until the projections hold what the log holds.

use std::time::Duration;

use event_store::head;
use sqlx::PgPool;
use tokio::time::{Instant, sleep};

use crate::page::{LastPage, Step, step};
use crate::{ALL, Registration, RunnerOptions, cursor, leadership};

/// How often cursors of another process are looked at.
const LOOK_INTERVAL: Duration = Duration::from_millis(25);

/// How long another process may lead without any progress before [`catch_up`] gives up: longer than the longest step.
const MAX_STALL: Duration = Duration::from_secs(90);

/// Why the projections did not catch up.
#[derive(Debug, thiserror::Error)]
pub enum CatchUpError {
    /// No answer; what was written stays, and another try goes on from there.
    #[error("the projections cannot be brought up to date, because the database does not answer")]
    Database(#[from] sqlx::Error),
    /// A newer program has taken the tables over.
    #[error(
        "the projection {projection} was made by a newer version of this program; use that version, or update this one"
    )]
    Superseded {
        /// The projection.
        projection: &'static str,
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
    /// No answer.
    #[error("the state of the projections cannot be read, because the database does not answer")]
    Database(#[from] sqlx::Error),
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
}

/// Brings all projections to the head that the log has now, in this process, or by waiting for the runner
/// that leads in another. Needs two connections at most.
///
/// # Errors
/// See [`CatchUpError`].
pub async fn catch_up(pool: &PgPool) -> Result<(), CatchUpError> {
    let head = head(pool).await?.position;
    let mut progress = (0, Instant::now());
    loop {
        let Some((behind, reached)) = most_behind(pool, head).await? else { return Ok(()) };
        if let Some(mut db) = leadership::take(pool).await? {
            let mut reached = Ok(());
            for projection in &ALL {
                // A projection that belongs to a newer program does not hold the others up.
                reached = reached.and(match reach(&mut db, projection, head).await {
                    Err(CatchUpError::Database(error)) => return Err(error.into()),
                    other => other,
                });
            }
            leadership::give_up(db).await;
            return reached;
        }
        if reached != progress.0 {
            progress = (reached, Instant::now());
        } else if progress.1.elapsed() > MAX_STALL {
            return Err(CatchUpError::Stalled { projection: behind.name, reached, head });
        }
        sleep(LOOK_INTERVAL).await;
    }
}

/// The projection that is furthest behind `head`, and where it stands; `None` when all are there.
async fn most_behind(pool: &PgPool, head: u64) -> Result<Option<(&'static Registration, u64)>, sqlx::Error> {
    let mut furthest = None;
    for projection in &ALL {
        let reached = cursor::position(pool, projection).await?;
        if reached < head && furthest.is_none_or(|(_, least)| reached < least) {
            furthest = Some((projection, reached));
        }
    }
    Ok(furthest)
}

async fn reach(
    db: &mut sqlx::PgConnection,
    projection: &Registration,
    head: u64,
) -> Result<(), CatchUpError> {
    loop {
        match step(db, projection, RunnerOptions::default().page_events, &mut LastPage::default()).await? {
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
    let begun = Instant::now();
    let mut pause = Duration::from_millis(1);
    loop {
        let reached = cursor::position(pool, projection).await?;
        if reached >= position {
            return Ok(());
        }
        if begun.elapsed() >= at_most {
            return Err(WaitError::Timeout {
                projection: projection.name,
                reached,
                position,
                waited_ms: at_most.as_millis(),
            });
        }
        sleep(pause).await;
        pause = (pause * 2).min(LOOK_INTERVAL);
    }
}
