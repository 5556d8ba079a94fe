//! Commands to the aggregates of this crate, through cqrs-es over postgres-es, on the table that intake appends to.

use cqrs_es::persist::PersistedEventStore;
use cqrs_es::{Aggregate, AggregateError, CqrsFramework};
use domain::Timestamp;
use postgres_es::PostgresEventRepository;
use sqlx::PgPool;
use time::OffsetDateTime;

/// How often a command is tried again when another one came first.
const MAX_TRIES: u32 = 5;

/// Why nothing was recorded.
#[derive(Debug)]
pub(crate) enum CommandError<E> {
    /// The aggregate refuses.
    Refused(E),
    /// Others kept changing the same aggregate.
    Crossed,
    /// The log is away or in trouble; whether it was recorded is not known.
    Unavailable(String),
}

/// Does a command. Of two that cross, the second is decided again on top of the first.
pub(crate) async fn execute<A>(
    pool: &PgPool,
    id: &str,
    command: A::Command,
) -> Result<(), CommandError<A::Error>>
where
    A: Aggregate<Services = ()>,
    A::Command: Clone,
{
    // The plain event store: cqrs-es' snapshots and aggregate stores apply events twice.
    let events = PersistedEventStore::<PostgresEventRepository, A>::new_event_store(
        PostgresEventRepository::new(pool.clone()),
    );
    let framework = CqrsFramework::new(events, Vec::new(), ());
    for _ in 0..MAX_TRIES {
        match framework.execute(id, command.clone()).await {
            Ok(()) => return Ok(()),
            Err(AggregateError::UserError(refused)) => return Err(CommandError::Refused(refused)),
            Err(AggregateError::AggregateConflict) => {}
            Err(error) => return Err(CommandError::Unavailable(error.to_string())),
        }
    }
    Err(CommandError::Crossed)
}

/// The moment by the database's clock.
///
/// # Errors
/// When the database does not answer.
pub async fn database_now(pool: &PgPool) -> Result<Timestamp, sqlx::Error> {
    let now: OffsetDateTime = sqlx::query_scalar("SELECT clock_timestamp()").fetch_one(pool).await?;
    Ok(Timestamp::new(now))
}
