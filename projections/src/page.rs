//! One step of a projection: read a page after the cursor, write its rows and move the cursor, in one
//! transaction. Which tables that are says the connection's `search_path`: a build has a schema of its own
//! ([`crate::build`]).
//!
//! After an error the connection may be left inside a transaction: whoever gets one rolls back, or drops the connection.

use event_store::{RecordedEvent, read_after};
use sqlx::PgConnection;

use crate::cursor::{self, Cursor};
use crate::parked::park;
use crate::projection::Unfoldable;
use crate::{Poison, Registration};

/// What becomes of an event that cannot be folded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OnPoison {
    /// It is parked and passed.
    Park,
    /// Nothing of its page is kept.
    Stop,
}

/// What became of a page inside the caller's transaction.
pub(crate) enum Folded {
    /// Its rows are written, and the cursor stands behind it.
    Written,
    /// The cursor did not stand before it; nothing was written.
    LostRace,
    /// It holds this event, which cannot be folded. The caller must roll back.
    Poisoned {
        /// Where the event stands.
        position: u64,
        /// Why it cannot be folded.
        poison: Poison,
    },
}

/// What a step did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// The tables now hold more.
    Moved {
        /// Everything up to this position.
        through: u64,
        /// Whether the page was full, so that there is probably more.
        is_full: bool,
    },
    /// There was nothing after the cursor.
    CaughtUp,
    /// Somebody else moved the cursor meanwhile; nothing was written.
    LostRace,
    /// A newer program has taken the tables over; nothing was written.
    Superseded,
}

/// The page that was read last. Projections mostly stand at the same position, and reading costs as much as
/// folding: in one round all that stand there share it. Kept for one round only, because the log grows.
#[derive(Default)]
pub(crate) struct LastPage {
    from: u64,
    events: Vec<RecordedEvent>,
}

impl LastPage {
    async fn read(
        &mut self,
        db: &mut PgConnection,
        from: u64,
        limit: u32,
    ) -> Result<&[RecordedEvent], sqlx::Error> {
        if self.events.is_empty() || self.from != from {
            self.events = read_after(db, from, limit).await?;
            self.from = from;
        }
        Ok(&self.events)
    }
}

/// Makes one step of at most `limit` events, which is the same for all steps of a round.
pub(crate) async fn step(
    db: &mut PgConnection,
    projection: &Registration,
    limit: u32,
    last_page: &mut LastPage,
) -> Result<Step, sqlx::Error> {
    let from = match cursor::open(db, projection).await? {
        Cursor::At(position) => position,
        Cursor::Superseded => return Ok(Step::Superseded),
    };
    let events = last_page.read(db, from, limit).await?;
    let is_full = u32::try_from(events.len()).is_ok_and(|read| read >= limit);
    write(db, projection, from, events, is_full).await
}

async fn write(
    db: &mut PgConnection,
    projection: &Registration,
    from: u64,
    events: &[RecordedEvent],
    is_full: bool,
) -> Result<Step, sqlx::Error> {
    let Some(last) = events.last() else { return Ok(Step::CaughtUp) };
    sqlx::query("BEGIN").execute(&mut *db).await?;
    match fold(db, projection, from, events, OnPoison::Park).await? {
        Folded::Written => {
            sqlx::query("COMMIT").execute(db).await?;
            Ok(Step::Moved { through: last.position, is_full })
        }
        Folded::LostRace | Folded::Poisoned { .. } => {
            sqlx::query("ROLLBACK").execute(db).await?;
            Ok(Step::LostRace)
        }
    }
}

/// Writes the rows of a page and moves the cursor from `from` past it, inside the caller's transaction.
pub(crate) async fn fold(
    db: &mut PgConnection,
    projection: &Registration,
    from: u64,
    events: &[RecordedEvent],
    on_poison: OnPoison,
) -> Result<Folded, sqlx::Error> {
    if !cursor::advance(db, projection, from, events).await? {
        return Ok(Folded::LostRace);
    }
    let unfoldable = write_rows(db, projection, events).await?;
    if let (OnPoison::Stop, Some(first)) = (on_poison, unfoldable.first())
        && let Some(event) = events.get(first.place)
    {
        return Ok(Folded::Poisoned { position: event.position, poison: first.poison.clone() });
    }
    park(db, projection, events, &unfoldable).await?;
    Ok(Folded::Written)
}

/// Writes the rows of events inside the caller's transaction; answers those that cannot be folded.
pub(crate) async fn write_rows(
    db: &mut PgConnection,
    projection: &Registration,
    events: &[RecordedEvent],
) -> Result<Vec<Unfoldable>, sqlx::Error> {
    sqlx::query("SAVEPOINT page").execute(&mut *db).await?;
    match projection.project(db, events).await {
        Err(error) if refused_content(&error).is_some() => {
            sqlx::query("ROLLBACK TO page").execute(&mut *db).await?;
            project_one_by_one(db, projection, events).await
        }
        other => other,
    }
}

/// Finds the events whose rows the database refuses, so that they are parked and their neighbours are not.
async fn project_one_by_one(
    db: &mut PgConnection,
    projection: &Registration,
    events: &[RecordedEvent],
) -> Result<Vec<Unfoldable>, sqlx::Error> {
    let mut unfoldable = Vec::new();
    for (place, event) in events.iter().enumerate() {
        sqlx::query("SAVEPOINT one_event").execute(&mut *db).await?;
        let end = match projection.project(db, std::slice::from_ref(event)).await {
            Ok(found) => {
                unfoldable.extend(found.into_iter().map(|found| Unfoldable { place, ..found }));
                "RELEASE one_event"
            }
            Err(error) => {
                let Some(state) = refused_content(&error) else { return Err(error) };
                let poison = Poison::new(format!("the database refuses its rows (SQLSTATE {state})"));
                unfoldable.push(Unfoldable { place, poison });
                "ROLLBACK TO one_event"
            }
        };
        sqlx::query(end).execute(&mut *db).await?;
    }
    Ok(unfoldable)
}

/// The SQLSTATE, when it is the content that the database refuses (class 22 or 23): another try fails the same way.
fn refused_content(error: &sqlx::Error) -> Option<String> {
    let state = error.as_database_error()?.code()?.into_owned();
    (state.starts_with("22") || state.starts_with("23")).then_some(state)
}

#[cfg(test)]
mod tests {
    use event_store::testing::fresh_store;

    use super::*;
    use crate::LEADS;

    /// Two who both believe that they lead: each reads the same page, one writes it.
    #[tokio::test]
    async fn of_two_steps_from_the_same_cursor_one_is_kept() {
        let (pool, _) = fresh_store().await;
        let mut db = pool.acquire().await.unwrap();
        sqlx::query(
            r#"INSERT INTO events (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata)
               SELECT 'lead', id, 1, 'LeadCaptured', '1', json_build_object(
                          'kind', 'captured', 'clientId', id, 'version', 1, 'deviceId', 'ipad-7', 'deviceSeq', n,
                          'campaignId', 'shootout-2026', 'campaignVersion', 1,
                          'capturedAt', '2026-05-23T14:03:11+02:00',
                          'contact', json_build_object('email', 'anna@example.com')), '{}'
               FROM (SELECT n, gen_random_uuid()::text AS id FROM generate_series(1, 10) n) ids"#,
        )
        .execute(&mut *db)
        .await
        .unwrap();
        assert!(matches!(cursor::open(&mut db, &LEADS).await.unwrap(), Cursor::At(0)));
        let page = read_after(&mut *db, 0, 100).await.unwrap();
        let mut tasks = Vec::new();
        for _ in 0..4 {
            let (pool, page) = (pool.clone(), page.clone());
            tasks.push(tokio::spawn(async move {
                write(&mut pool.acquire().await.unwrap(), &LEADS, 0, &page, false).await.unwrap()
            }));
        }
        let mut kept = 0;
        for task in tasks {
            let step = task.await.unwrap();
            assert!(matches!(step, Step::Moved { through: 10, .. } | Step::LostRace), "{step:?}");
            kept += u32::from(matches!(step, Step::Moved { .. }));
        }
        assert_eq!(kept, 1);
        let counted: i64 = sqlx::query_scalar("SELECT sum(lead_count)::bigint FROM contacts")
            .fetch_one(&pool)
            .await
            .unwrap();
        assert_eq!(counted, 10);
    }
}
