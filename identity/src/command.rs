//! Commands to the aggregates of this crate, through cqrs-es over postgres-es, on the table that intake appends to.

use std::str::FromStr;
use std::time::Duration;

use cqrs_es::persist::PersistedEventStore;
use cqrs_es::{Aggregate, AggregateError, CqrsFramework};
use domain::Timestamp;
use postgres_es::PostgresEventRepository;
use sqlx::PgPool;
use time::OffsetDateTime;

use crate::secret::{self, SecretError};

/// How often a command is tried again when another one came first.
const MAX_TRIES: u32 = 5;

/// Why nothing was recorded.
#[derive(Debug, thiserror::Error)]
pub enum CommandError<E: std::error::Error + 'static> {
    /// The aggregate refuses.
    #[error(transparent)]
    Refused(E),
    /// No secret or code can be made.
    #[error(transparent)]
    Secret(SecretError),
    /// Others kept changing the same.
    #[error("others are changing the same at this moment; try again")]
    Crossed,
    /// The log is away or in trouble; whether it was recorded is not known.
    #[error("the log cannot be used now: {0}; look whether it was recorded before you try again")]
    Unavailable(String),
}

impl<E: std::error::Error + 'static> From<SecretError> for CommandError<E> {
    fn from(error: SecretError) -> Self {
        Self::Secret(error)
    }
}

/// Does a command, at a moment that [`now`] has said. Of two that cross, the second is decided again on top of the first.
pub(crate) async fn execute<A, C>(
    pool: &PgPool,
    id: &str,
    command: C,
    at: Timestamp,
) -> Result<(), CommandError<A::Error>>
where
    A: Aggregate<Services = (), Command = (C, Timestamp)>,
    A::Error: 'static,
    C: Clone,
{
    // The plain event store: cqrs-es' snapshots and aggregate stores apply events twice.
    let events = PersistedEventStore::<PostgresEventRepository, A>::new_event_store(
        PostgresEventRepository::new(pool.clone()),
    );
    let framework = CqrsFramework::new(events, Vec::new(), ());
    for _ in 0..MAX_TRIES {
        match framework.execute(id, (command.clone(), at)).await {
            Ok(()) => return Ok(()),
            Err(AggregateError::UserError(refused)) => return Err(CommandError::Refused(refused)),
            Err(AggregateError::AggregateConflict) => {}
            Err(error) => return Err(CommandError::Unavailable(error.to_string())),
        }
    }
    Err(CommandError::Crossed)
}

/// The moment of a command: by the database's clock, because that of the machine where it runs may be wrong.
pub(crate) async fn now<E: std::error::Error + 'static>(pool: &PgPool) -> Result<Timestamp, CommandError<E>> {
    database_now(pool).await.map_err(|error| CommandError::Unavailable(error.to_string()))
}

/// A span after a moment, in whole seconds: people read it. The last moment of all when it would be later.
pub(crate) fn later(at: Timestamp, span: Duration) -> Timestamp {
    let moment = at.moment().saturating_add(span.try_into().unwrap_or(time::Duration::MAX));
    Timestamp::new(moment.replace_nanosecond(0).unwrap_or(moment))
}

/// A random id: as many bytes, in hexadecimal digits.
pub(crate) fn random_id<const BYTES: usize, T: FromStr>() -> Result<T, SecretError> {
    let mut random = [0; BYTES];
    secret::fill(&mut random)?;
    hex(&random).parse().map_err(|_| SecretError)
}

/// Bytes in hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The moment by the database's clock.
///
/// # Errors
/// When the database does not answer.
pub async fn database_now(pool: &PgPool) -> Result<Timestamp, sqlx::Error> {
    let now: OffsetDateTime = sqlx::query_scalar("SELECT clock_timestamp()").fetch_one(pool).await?;
    Ok(Timestamp::new(now))
}
