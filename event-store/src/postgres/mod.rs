//! The log in PostgreSQL.
//!
//! [`append`] hands arrays to the SQL function `append_events_2` (in the migrations): it takes the head,
//! inserts, claims e-mail addresses and answers per event, in one round trip and one commit. The lock is held
//! for the length of that commit; intake pays for it by appending whatever is waiting as one group.
//!
//! What later versions need to be there before them is worked out in the program as far as the call itself
//! goes, and checked against the log under the lock, for those few events only. Whether anybody was ever erased
//! stands in the head, which an append reads anyway; only then are the erased looked at.
//!
//! `postgres-es` writes the same table: its single rows get their position from a column default that takes
//! the same lock.

mod append;
mod connect;
mod erase;
mod head;
mod read;
mod rights;
mod schema;
mod writer;

use domain::{ClientId, FollowUpEvent, Receipt};
use sqlx::{PgConnection, PgPool};

use crate::{AppendError, Appended, EventLog, Head, LogError, NewEvent, Placed, RecordedEvent};
pub use append::append;
pub use connect::{ConnectError, close, connect};
pub use head::{head, head_to_append, holds_receipts, is_hub};
pub use read::read_after;
pub use rights::{is_forbidden, missing_append_grants, missing_grants, missing_read_grants};
pub use schema::{is_there, migrate};
use writer::{Work, Writer};

/// The log in a PostgreSQL. It reads through the pool and writes on one connection that it keeps: a server's
/// group commit never waits for a connection. A clone shares both; who wants to write at the same time makes
/// another with [`PostgresLog::new`].
#[derive(Clone)]
pub struct PostgresLog {
    pool: PgPool,
    writer: Writer,
}

impl PostgresLog {
    /// The log that these connections lead to.
    pub fn new(pool: PgPool) -> Self {
        Self { writer: Writer::new(pool.clone()), pool }
    }

    /// Its connections.
    pub const fn pool(&self) -> &PgPool {
        &self.pool
    }
}

impl EventLog for PostgresLog {
    async fn head(&self) -> Result<Head, LogError> {
        Ok(head(&self.pool).await?)
    }

    /// On the connection that appends: a look-up on another one costs more than the append itself.
    async fn holds_receipts(&self, receipts: &[Receipt]) -> Result<Vec<bool>, LogError> {
        if receipts.is_empty() {
            return Ok(Vec::new());
        }
        let held = self.writer.run(LookForReceipts(receipts)).await;
        held.map_err(|error| LogError { reason: error.to_string() })
    }

    async fn append(&self, events: &[NewEvent]) -> Result<Vec<Placed>, AppendError> {
        if events.is_empty() {
            return Ok(Vec::new());
        }
        self.writer.run(Append(events)).await
    }

    async fn read_after(&self, cursor: u64, limit: u32) -> Result<Vec<RecordedEvent>, LogError> {
        Ok(read_after(&self.pool, cursor, limit).await?)
    }

    async fn read_kind_after(
        &self,
        aggregate_type: &str,
        cursor: u64,
        limit: u32,
    ) -> Result<Vec<RecordedEvent>, LogError> {
        Ok(read::read_kind_after(&self.pool, aggregate_type, cursor, limit).await?)
    }

    async fn read_stream(
        &self,
        aggregate_type: &str,
        aggregate_id: &str,
    ) -> Result<Vec<RecordedEvent>, LogError> {
        Ok(read::read_stream(&self.pool, aggregate_type, aggregate_id).await?)
    }

    async fn erase(&self, client_id: ClientId, event: &FollowUpEvent) -> Result<Appended, AppendError> {
        self.writer.run(Erase(client_id, event)).await
    }
}

impl From<sqlx::Error> for LogError {
    fn from(error: sqlx::Error) -> Self {
        Self { reason: error.to_string() }
    }
}

struct Append<'e>(&'e [NewEvent]);

impl Work for Append<'_> {
    type Done = Vec<Placed>;

    async fn run(&self, db: &mut PgConnection) -> Result<Self::Done, AppendError> {
        append(db, self.0).await
    }
}

struct LookForReceipts<'e>(&'e [Receipt]);

impl Work for LookForReceipts<'_> {
    type Done = Vec<bool>;

    async fn run(&self, db: &mut PgConnection) -> Result<Self::Done, AppendError> {
        Ok(holds_receipts(db, self.0).await?)
    }
}

struct Erase<'e>(ClientId, &'e FollowUpEvent);

impl Work for Erase<'_> {
    type Done = Appended;

    async fn run(&self, db: &mut PgConnection) -> Result<Self::Done, AppendError> {
        erase::erase(db, self.0, self.1).await
    }
}
