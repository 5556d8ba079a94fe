//! What the runner and a rebuild make of errors of the database: what is tried again, and how often it is told.

use std::io::Write;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use crate::QUICK;
use crate::captures::{captures, record};
use event_store::connect;
use event_store::testing::fresh_store;
use projections::{
    ALL, CatchUpError, DEVICES, LEADS, Poisoned, Runner, catch_up, catch_up_only, rebuild, verify, wait_for,
};
use sqlx::PgPool;
use tracing::Dispatch;
use tracing::subscriber::DefaultGuard;

const PATIENCE: Duration = Duration::from_secs(60);

/// What this thread says in the log.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

/// With one subscriber alone, a line that is first said on a thread without it counts as one that nobody wants, for good.
static ANOTHER: LazyLock<Dispatch> = LazyLock::new(|| Dispatch::new(tracing_subscriber::fmt().finish()));

impl Log {
    fn listen() -> (Self, DefaultGuard) {
        LazyLock::force(&ANOTHER);
        let log = Self::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt().with_writer(move || writer.clone()).finish();
        (log, tracing::subscriber::set_default(subscriber))
    }

    fn told(&self, what: &str) -> usize {
        String::from_utf8_lossy(&self.0.lock().unwrap()).matches(what).count()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Whoever writes contacts gets this error from here on. Counts how often.
async fn fail_with(pool: &PgPool, state: &str) {
    let sql = format!(
        "CREATE SEQUENCE failures;
         CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN
             PERFORM nextval('failures');
             RAISE EXCEPTION 'as it was told' USING ERRCODE = '{state}';
         END $$;
         CREATE TRIGGER fail BEFORE INSERT OR UPDATE ON contacts EXECUTE FUNCTION fail()"
    );
    sqlx::raw_sql(&sql).execute(pool).await.unwrap();
}

async fn failed_times(pool: &PgPool, times: i64) {
    let failures = "SELECT last_value FROM failures";
    while sqlx::query_scalar::<_, i64>(failures).fetch_one(pool).await.unwrap() < times {
        tokio::task::yield_now().await;
    }
}

async fn reached(pool: &PgPool, position: u64) {
    for projection in &ALL {
        wait_for(pool, projection, position, PATIENCE).await.unwrap();
    }
}

/// Lets a runner fail with this error for a while, and then go on; answers what it said.
async fn log_of_a_runner_that_fails_with(state: &str) -> Log {
    let (log, _listening) = Log::listen();
    let (pool, _) = fresh_store().await;
    let runner = Runner::spawn(pool.clone(), QUICK);
    record(&pool, &captures(1..=2)).await;
    reached(&pool, 2).await;
    fail_with(&pool, state).await;
    record(&pool, &captures(3..=4)).await;
    failed_times(&pool, 4).await;
    sqlx::query("DROP TRIGGER fail ON contacts").execute(&pool).await.unwrap();
    reached(&pool, 4).await;
    runner.shutdown().await;
    log
}

#[tokio::test]
async fn a_refusal_is_told_once_and_so_is_its_end() {
    let log = log_of_a_runner_that_fails_with("42501").await;
    for (what, times) in [
        ("the database refuses a projection", 1),
        ("lets go of their lead from time to time", 1),
        ("a projection that was refused goes on", 1),
        ("keeps every projection up again", 1),
        ("projections wait for the database", 0),
    ] {
        assert_eq!(log.told(what), times, "{what}");
    }
}

/// A session that PostgreSQL ends, because its transaction idled (25P03) or took too long (25P04), is no refusal of what it asked for.
#[tokio::test]
async fn a_session_that_was_ended_is_waited_for_and_told_once() {
    for state in ["25P03", "25P04"] {
        let log = log_of_a_runner_that_fails_with(state).await;
        for (what, times) in
            [("projections wait for the database", 1), ("projections go on", 1), ("refuses", 0)]
        {
            assert_eq!(log.told(what), times, "{state}: {what}");
        }
    }
}

/// Who asks about devices need not wait until contacts can be written.
#[tokio::test]
async fn what_the_database_refuses_one_projection_does_not_keep_a_reader_from_another() {
    let (pool, _) = fresh_store().await;
    fail_with(&pool, "42501").await;
    record(&pool, &captures(1..=2)).await;
    catch_up_only(&pool, &[&DEVICES]).await.unwrap();
    wait_for(&pool, &DEVICES, 2, Duration::ZERO).await.unwrap();
    let refused = catch_up_only(&pool, &[&LEADS]).await.unwrap_err();
    assert!(matches!(refused, CatchUpError::Refused { projection: "leads", .. }), "{refused}");
}

async fn pid_of(db: &mut sqlx::PgConnection) -> i32 {
    sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(db).await.unwrap()
}

async fn until(pool: &PgPool, condition: &str, pid: i32) {
    while !sqlx::query_scalar::<_, bool>(condition).bind(pid).fetch_one(pool).await.unwrap() {
        tokio::task::yield_now().await;
    }
}

/// Somebody takes the tables and then the cursor, which the switch takes first. PostgreSQL lets go of the one that notices.
#[tokio::test]
async fn a_switch_that_ends_in_a_deadlock_is_tried_again() {
    let (pool, url) = fresh_store().await;
    record(&pool, &captures(1..=5)).await;
    catch_up(&pool).await.unwrap();
    let mut first = pool.begin().await.unwrap();
    sqlx::query("SELECT FROM leads").execute(&mut *first).await.unwrap();
    let mut other = pool.begin().await.unwrap();
    // It waits as long as it must: of the two the switch notices.
    for statement in ["SET LOCAL deadlock_timeout = '1h'", "SELECT FROM contacts"] {
        sqlx::query(statement).execute(&mut *other).await.unwrap();
    }
    let (first_pid, other_pid) = (pid_of(&mut first).await, pid_of(&mut other).await);
    let notices_at_once = connect(&format!("{url}&options[deadlock_timeout]=1ms"), 2).await.unwrap();
    let rebuilt =
        tokio::spawn(async move { rebuild(&notices_at_once, &LEADS, Poisoned::Stop, |_| ()).await });
    // The switch has the cursor and waits for the tables, of which `contacts` is the last.
    until(
        &pool,
        "SELECT count(*) > 0 FROM pg_stat_activity WHERE $1 = ANY (pg_blocking_pids(pid))",
        first_pid,
    )
    .await;
    let cursor = "SELECT FROM projection_cursors WHERE name = 'leads' FOR UPDATE";
    let other = tokio::spawn(async move {
        sqlx::query(cursor).execute(&mut *other).await.unwrap();
        other.rollback().await.unwrap();
    });
    until(&pool, "SELECT cardinality(pg_blocking_pids($1)) > 0", other_pid).await;
    first.rollback().await.unwrap();
    other.await.unwrap();
    assert_eq!(rebuilt.await.unwrap().unwrap().position, 5);
    assert!(verify(&pool, &LEADS, |_| ()).await.unwrap().is_equal());
}
