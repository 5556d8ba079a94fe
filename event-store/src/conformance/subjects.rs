//! The two logs that are held to it.

use domain::StoreId;
use uuid::Uuid;

use super::Subject;
use crate::testing::fresh_store;
use crate::{AppendFailure, MemoryLog, PostgresLog};

/// A log in memory.
pub struct Memory(MemoryLog);

impl Subject for Memory {
    type Log = MemoryLog;

    async fn fresh() -> Self {
        let store = Uuid::new_v4();
        Self(MemoryLog::new(StoreId::new(store), store.as_u64_pair().0))
    }

    fn log(&self) -> &MemoryLog {
        &self.0
    }

    fn another_writer(&self) -> MemoryLog {
        self.0.clone()
    }

    async fn refuse_content(&self, marker: &'static str) {
        self.0.refuse_content(marker);
    }

    async fn fail_half_way(&self, fails: bool) {
        self.0.fail_appends(fails.then_some(AppendFailure::HalfWay));
    }
}

/// A log in a PostgreSQL schema of its own.
pub struct Postgres {
    log: PostgresLog,
}

impl Subject for Postgres {
    type Log = PostgresLog;

    async fn fresh() -> Self {
        let (pool, _) = fresh_store().await;
        Self { log: PostgresLog::new(pool) }
    }

    fn log(&self) -> &PostgresLog {
        &self.log
    }

    fn another_writer(&self) -> PostgresLog {
        PostgresLog::new(self.log.pool().clone())
    }

    async fn refuse_content(&self, marker: &'static str) {
        let rule = format!(
            "ALTER TABLE events ADD CHECK (aggregate_type <> 'lead' OR payload::text NOT LIKE '%{marker}%')"
        );
        sqlx::query(&rule).execute(self.log.pool()).await.unwrap();
    }

    /// The disk is full when the first claim, or the note of an erasure, is to be written: the last step.
    async fn fail_half_way(&self, fails: bool) {
        let sql = if fails {
            "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS
                 $$ BEGIN RAISE EXCEPTION 'no space left' USING ERRCODE = '53100'; END $$;
             CREATE TRIGGER full_disk BEFORE INSERT ON email_claims EXECUTE FUNCTION full_disk();
             CREATE TRIGGER full_disk BEFORE INSERT ON erased_leads EXECUTE FUNCTION full_disk();"
        } else {
            "DROP FUNCTION full_disk CASCADE"
        };
        sqlx::raw_sql(sql).execute(self.log.pool()).await.unwrap();
    }
}
