//! The one connection that appends, kept from append to append.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::{PgConnection, PgPool, Postgres};
use tokio::sync::Mutex;

use crate::AppendError;

/// An append that takes longer hangs on a connection that is gone without a word. Shorter than what a request
/// waits, so that requests are answered.
const WRITE_TIMEOUT: Duration = Duration::from_secs(8);

/// Something to do on the connection that appends. It may be done twice.
pub(super) trait Work: Sync {
    type Done: Send;

    fn run(&self, db: &mut PgConnection) -> impl Future<Output = Result<Self::Done, AppendError>> + Send;
}

/// The connection. Whoever writes has it to himself.
#[derive(Clone)]
pub(super) struct Writer {
    pool: PgPool,
    kept: Arc<Mutex<Option<PoolConnection<Postgres>>>>,
}

impl Writer {
    pub(super) fn new(pool: PgPool) -> Self {
        Self { pool, kept: Arc::new(Mutex::new(None)) }
    }

    pub(super) async fn run<W: Work>(&self, work: W) -> Result<W::Done, AppendError> {
        let mut kept = self.kept.lock().await;
        if let Some(mut db) = kept.take() {
            match in_time(&work, &mut db).await {
                // PostgreSQL may have been restarted since the last append. Once more on a fresh connection:
                // what had been committed after all is then known.
                Err(AppendError::Unavailable { .. }) => drop(db.detach()),
                done => {
                    *kept = Some(db);
                    return done;
                }
            }
        }
        let mut db = self.pool.acquire().await?;
        let done = in_time(&work, &mut db).await;
        match done {
            Err(AppendError::Unavailable { .. }) => drop(db.detach()),
            _ => *kept = Some(db),
        }
        done
    }
}

/// Does the work, or gives up on the connection.
async fn in_time<W: Work>(work: &W, db: &mut PgConnection) -> Result<W::Done, AppendError> {
    tokio::time::timeout(WRITE_TIMEOUT, work.run(db)).await.unwrap_or_else(|_| {
        Err(AppendError::Unavailable { reason: format!("no answer within {} s", WRITE_TIMEOUT.as_secs()) })
    })
}
