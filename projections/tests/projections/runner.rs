//! The runner's promises, against a real PostgreSQL.

use std::time::{Duration, Instant};

use crate::QUICK;
use crate::captures::{capture, captures, event, lead_id, record, record_events, rows};
use event_store::testing::fresh_store;
use event_store::{RecordedEvent, connect};
use projections::fold::LeadChange;
use projections::{
    ALL, CatchUpError, DEVICES, DatabaseError, LEADS, Leads, Poison, Projection, QUARANTINE, Registration,
    ReplayError, Runner, RunnerOptions, Table, WaitError, catch_up, replay, wait_for, wait_while_it_moves,
};
use serde_json::json;
use sqlx::{PgConnection, PgPool};
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(60);

/// Small pages, so that there is much between them.
const SMALL_PAGES: RunnerOptions = RunnerOptions { page_events: 3, ..QUICK };

/// So rare that nothing in these tests happens because of a poll.
const WOKEN_ONLY: RunnerOptions = RunnerOptions { poll_interval: Duration::from_secs(3_600), ..QUICK };

async fn reached(pool: &PgPool, position: u64) {
    for projection in &ALL {
        wait_for(pool, projection, position, PATIENCE).await.unwrap();
    }
}

/// Every lead once, counted once.
async fn assert_each_once(pool: &PgPool, leads: i64) {
    let counts: (i64, i64) =
        sqlx::query_as("SELECT (SELECT count(*) FROM leads), (SELECT sum(lead_count)::bigint FROM contacts)")
            .fetch_one(pool)
            .await
            .unwrap();
    assert_eq!(counts, (leads, leads));
    let parked: i64 = sqlx::query_scalar("SELECT count(*) FROM parked_events").fetch_one(pool).await.unwrap();
    assert_eq!(parked, 0);
}

/// Sessions that hold the runner's lock in this schema.
const LEADERS: &str = "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted
     AND classid = 'projection_cursors'::regclass::oid AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";

async fn leaders(pool: &PgPool) -> Vec<i32> {
    sqlx::query_scalar(LEADERS).fetch_all(pool).await.unwrap()
}

#[tokio::test]
async fn a_runner_wakes_when_it_is_told_and_catches_up_when_it_starts() {
    let (pool, _) = fresh_store().await;
    record(&pool, &captures(1..=5)).await;
    let runner = Runner::spawn(pool.clone(), WOKEN_ONLY);
    reached(&pool, 5).await;
    record(&pool, &captures(6..=250)).await;
    runner.waker().wake();
    reached(&pool, 250).await;
    assert_each_once(&pool, 250).await;
    assert_eq!(leaders(&pool).await.len(), 1);
    runner.shutdown().await;
    assert_eq!(leaders(&pool).await, [0_i32; 0], "the lead is given up before shutdown returns");
}

/// However many leads come in, the office sees them.
#[tokio::test]
async fn what_is_appended_without_a_pause_is_projected_all_the_same() {
    let (pool, _) = fresh_store().await;
    let no_pause_is_long_enough =
        RunnerOptions { pause: Duration::from_secs(3_600), gather: Duration::from_millis(50), ..WOKEN_ONLY };
    each_is_reached(&pool, no_pause_is_long_enough).await;
}

#[tokio::test]
async fn after_a_pause_nothing_gathers_any_longer() {
    let (pool, _) = fresh_store().await;
    let only_a_pause_ends_it =
        RunnerOptions { pause: Duration::from_millis(50), gather: Duration::from_secs(3_600), ..WOKEN_ONLY };
    each_is_reached(&pool, only_a_pause_ends_it).await;
}

async fn each_is_reached(pool: &PgPool, options: RunnerOptions) {
    let runner = Runner::spawn(pool.clone(), options);
    for start in [0, 5, 10] {
        record(pool, &captures(start..start + 5)).await;
        runner.wake();
        reached(pool, u64::from(start) + 5).await;
    }
}

#[tokio::test]
async fn a_runner_that_nobody_wakes_polls() {
    let (pool, _) = fresh_store().await;
    let _runner = Runner::spawn(pool.clone(), SMALL_PAGES);
    reached(&pool, 0).await;
    record(&pool, &captures(1..=10)).await;
    reached(&pool, 10).await;
    assert_each_once(&pool, 10).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_several_runners_one_works_and_another_takes_over() {
    let (pool, url) = fresh_store().await;
    let other_pool = connect(&url, 5).await.unwrap();
    let one = Runner::spawn(pool.clone(), SMALL_PAGES);
    record(&pool, &captures(0..1)).await;
    reached(&pool, 1).await;
    let first_leader = leaders(&pool).await;
    assert_eq!(first_leader.len(), 1);

    let other = Runner::spawn(other_pool, SMALL_PAGES);
    for start in (1..201).step_by(20) {
        record(&pool, &captures(start..start + 20)).await;
        one.wake();
        other.wake();
        reached(&pool, u64::from(start) + 20).await;
        assert_eq!(leaders(&pool).await, first_leader, "the one that leads keeps the lead");
    }
    one.shutdown().await;
    record(&pool, &captures(201..260)).await;
    reached(&pool, 260).await;
    assert_each_once(&pool, 260).await;
    let second_leader = leaders(&pool).await;
    assert_eq!(second_leader.len(), 1);
    assert_ne!(second_leader, first_leader);
    other.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_runner_whose_connection_is_killed_again_and_again_goes_on_where_it_was() {
    let (pool, _) = fresh_store().await;
    record(&pool, &captures(1..=400)).await;
    let runner = Runner::spawn(pool.clone(), RunnerOptions { page_events: 1, ..SMALL_PAGES });
    let mut kills = 0;
    while wait_for(&pool, &LEADS, 400, Duration::ZERO).await.is_err() {
        for pid in leaders(&pool).await {
            let killed: bool = sqlx::query_scalar("SELECT pg_terminate_backend($1)")
                .bind(pid)
                .fetch_one(&pool)
                .await
                .unwrap();
            kills += u32::from(killed);
        }
        if kills >= 5 {
            break;
        }
        tokio::task::yield_now().await;
    }
    assert!(kills > 0, "nothing was interrupted");
    reached(&pool, 400).await;
    assert_each_once(&pool, 400).await;
    runner.shutdown().await;
}

#[tokio::test]
async fn a_runner_that_is_dropped_in_the_middle_leaves_whole_pages() {
    let (pool, _) = fresh_store().await;
    record(&pool, &captures(1..=100)).await;
    for page_events in [1, 7, 50] {
        let runner = Runner::spawn(pool.clone(), RunnerOptions { page_events, ..SMALL_PAGES });
        reached(&pool, u64::from(page_events)).await;
        drop(runner);
    }
    catch_up(&pool).await.unwrap();
    assert_each_once(&pool, 100).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn catching_up_works_alone_and_beside_a_runner() {
    let (pool, url) = fresh_store().await;
    catch_up(&pool).await.unwrap();
    record(&pool, &captures(1..=30)).await;
    catch_up(&pool).await.unwrap();
    assert_each_once(&pool, 30).await;

    let runner = Runner::spawn(pool.clone(), SMALL_PAGES);
    record(&pool, &captures(31..=200)).await;
    runner.wake();
    let other = connect(&url, 2).await.unwrap();
    let (one, two, three) = tokio::join!(catch_up(&other), catch_up(&other), catch_up(&pool));
    one.and(two).and(three).unwrap();
    assert_each_once(&pool, 200).await;
    runner.shutdown().await;
}

#[tokio::test]
async fn waiting_ends_with_where_the_projection_stands() {
    let (pool, _) = fresh_store().await;
    record(&pool, &captures(1..=3)).await;
    catch_up(&pool).await.unwrap();
    record(&pool, &captures(4..=4)).await;
    let error = wait_for(&pool, &LEADS, 4, Duration::from_millis(5)).await.unwrap_err();
    assert!(matches!(error, WaitError::Timeout { reached: 3, position: 4, .. }), "{error}");
    let still = Duration::from_millis(5);
    let error = wait_while_it_moves(&pool, &LEADS, 4, Duration::MAX, still).await.unwrap_err();
    assert!(matches!(error, WaitError::StandsStill { reached: 3, position: 4, .. }), "{error}");
}

/// Slow is not still: each movement begins the time anew.
#[tokio::test]
async fn what_moves_is_waited_for_however_slow_it_is() {
    let (pool, _) = fresh_store().await;
    catch_up(&pool).await.unwrap();
    let still = Duration::from_millis(200);
    let begun = Instant::now();
    let waiting = wait_while_it_moves(&pool, &LEADS, u64::from(u32::MAX), PATIENCE, still);
    let moving = async {
        for position in 1..=i64::MAX {
            let moved = "UPDATE projection_cursors SET position = $1 WHERE name = 'leads'";
            sqlx::query(moved).bind(position).execute(&pool).await.unwrap();
            if begun.elapsed() > 3 * still {
                return;
            }
        }
    };
    let (error, ()) = tokio::join!(waiting, moving);
    assert!(begun.elapsed() > 3 * still, "it was given up too early");
    assert!(matches!(error, Err(WaitError::StandsStill { .. })), "{error:?}");
}

#[tokio::test]
async fn poison_is_parked_with_its_key_and_its_neighbours_are_not() {
    let (pool, _) = fresh_store().await;
    let mut events: Vec<_> = captures(1..=10).iter().map(event).collect();
    events[2].payload = "{\"kind\":\"captured\"}".to_owned();
    // JSON that PostgreSQL stores, and a text that it cannot.
    let mut unstorable = capture(7);
    unstorable["operator"] = "a\0b".into();
    unstorable["contact"]["lastName"] = "a\0b".into();
    events[6] = event(&unstorable);
    events[8].event_type = "LeadTransferred";
    record_events(&pool, &events).await;
    catch_up(&pool).await.unwrap();

    let parked: Vec<(String, i64, String, i64, String)> = sqlx::query_as(
        "SELECT projection, position, aggregate_id, sequence, reason FROM parked_events ORDER BY projection, position",
    )
    .fetch_all(&pool)
    .await
    .unwrap();
    let expect = |projection: &str, number: u32, reason: &str| {
        (projection.to_owned(), i64::from(number), lead_id(number), 1, reason.to_owned())
    };
    let unreadable = "payload: . is not readable at line 1 column 19";
    assert_eq!(
        parked,
        [
            expect("devices", 3, unreadable),
            expect("leads", 3, unreadable),
            expect("leads", 7, "the database refuses its rows (SQLSTATE 22021)"),
            expect("leads", 9, "this program does not know LeadTransferred in form 1"),
        ]
    );
    assert_eq!((rows(&pool, "leads").await.len(), rows(&pool, "contacts").await.len()), (7, 7));
    // What comes later is projected.
    record(&pool, &captures(11..=12)).await;
    catch_up(&pool).await.unwrap();
    assert_eq!(rows(&pool, "leads").await.len(), 9);
}

/// [`Leads`] as a newer program might have it.
struct NextLeads;

impl Projection for NextLeads {
    type Change = LeadChange;
    const NAME: &'static str = Leads::NAME;
    const VERSION: i32 = Leads::VERSION + 1;
    const TABLES: &'static [Table] = Leads::TABLES;
    const ORDERED_STREAMS: &'static [&'static str] = Leads::ORDERED_STREAMS;

    fn fold(event: &RecordedEvent) -> Result<Option<LeadChange>, Poison> {
        let mut change = Leads::fold(event)?;
        if let Some(LeadChange::Version(lead)) = &mut change {
            lead.first_name = Some("next".to_owned());
        }
        Ok(change)
    }

    async fn apply(db: &mut PgConnection, changes: Vec<LeadChange>) -> Result<(), sqlx::Error> {
        Leads::apply(db, changes).await
    }
}

static NEXT: [Registration; 1] = [Registration::of::<NextLeads>()];

#[tokio::test]
async fn a_newer_version_begins_again_and_the_older_program_leaves_it_alone() {
    let (pool, _) = fresh_store().await;
    let shared = |number| {
        let mut lead = capture(number);
        lead["contact"] = json!({ "firstName": "Anna", "email": "anna@example.com" });
        lead
    };
    record(&pool, &[shared(1), shared(2)]).await;
    catch_up(&pool).await.unwrap();

    let runner = Runner::spawn_for(pool.clone(), SMALL_PAGES, &NEXT);
    wait_for(&pool, &NEXT[0], 2, PATIENCE).await.unwrap();
    runner.shutdown().await;
    let row: (i64, String) =
        sqlx::query_as("SELECT lead_count, first_name FROM contacts").fetch_one(&pool).await.unwrap();
    assert_eq!(row, (2, "next".to_owned()), "counted once, by the newer fold");

    record(&pool, &[shared(3)]).await;
    let error = catch_up(&pool).await.unwrap_err();
    assert!(matches!(error, CatchUpError::Superseded { projection: "leads" }), "{error}");
    let row: (i64, String) =
        sqlx::query_as("SELECT lead_count, first_name FROM contacts").fetch_one(&pool).await.unwrap();
    assert_eq!(row, (2, "next".to_owned()));
    let here: String =
        sqlx::query_scalar("SELECT here::text FROM device_sequences").fetch_one(&pool).await.unwrap();
    assert_eq!(here, "{[1,4)}", "the other projections go on");
}

#[tokio::test]
async fn a_runner_that_finds_tables_of_a_newer_program_makes_way_for_that_and_keeps_the_others_up() {
    let (pool, _) = fresh_store().await;
    record(&pool, &captures(1..=2)).await;
    let newer = Runner::spawn_for(pool.clone(), SMALL_PAGES, &NEXT);
    wait_for(&pool, &NEXT[0], 2, PATIENCE).await.unwrap();
    newer.shutdown().await;

    let older = Runner::spawn(pool.clone(), SMALL_PAGES);
    record(&pool, &captures(3..=40)).await;
    for projection in [&QUARANTINE, &DEVICES] {
        wait_for(&pool, projection, 40, PATIENCE).await.unwrap();
    }
    let newer = Runner::spawn_for(pool.clone(), SMALL_PAGES, &NEXT);
    wait_for(&pool, &NEXT[0], 40, PATIENCE).await.unwrap();
    newer.shutdown().await;
    older.shutdown().await;
    assert_each_once(&pool, 40).await;
}

/// A projection of [`Leads`]' name in a newer program, which has no use for the contacts.
struct LeadsAlone;

impl Projection for LeadsAlone {
    type Change = LeadChange;
    const NAME: &'static str = Leads::NAME;
    const VERSION: i32 = Leads::VERSION + 1;
    const TABLES: &'static [Table] = &[Table { name: "leads", row_label: "client_id" }];
    const ORDERED_STREAMS: &'static [&'static str] = &[];

    fn fold(_: &RecordedEvent) -> Result<Option<LeadChange>, Poison> {
        Ok(None)
    }

    async fn apply(_: &mut PgConnection, _: Vec<LeadChange>) -> Result<(), sqlx::Error> {
        Ok(())
    }
}

static ALONE: [Registration; 1] = [Registration::of::<LeadsAlone>()];

/// A migration takes away what the older program uses, while that leads.
#[tokio::test]
async fn a_leader_that_the_database_refuses_makes_way_for_one_that_it_does_not() {
    let (pool, _) = fresh_store().await;
    record(&pool, &captures(1..=2)).await;
    let older = Runner::spawn(pool.clone(), SMALL_PAGES);
    reached(&pool, 2).await;
    let newer = Runner::spawn_for(pool.clone(), SMALL_PAGES, &ALONE);
    sqlx::query("ALTER TABLE contacts RENAME TO elsewhere").execute(&pool).await.unwrap();
    record(&pool, &captures(3..=20)).await;
    wait_for(&pool, &ALONE[0], 20, PATIENCE).await.unwrap();
    newer.shutdown().await;
    older.shutdown().await;
}

/// What is refused may be the session's own: settings of its user, plans of a table that has changed.
#[tokio::test]
async fn a_leader_that_the_database_refuses_goes_on_in_a_new_session() {
    let (pool, _) = fresh_store().await;
    record(&pool, &captures(1..=2)).await;
    let runner = Runner::spawn(pool.clone(), SMALL_PAGES);
    reached(&pool, 2).await;
    let first = leaders(&pool).await;
    sqlx::query("ALTER TABLE contacts RENAME TO elsewhere").execute(&pool).await.unwrap();
    record(&pool, &captures(3..=20)).await;
    wait_for(&pool, &DEVICES, 20, PATIENCE).await.unwrap();
    let another = async {
        loop {
            let now = leaders(&pool).await;
            if !now.is_empty() && now != first {
                break;
            }
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, another).await.expect("it leads in another session");
    sqlx::query("ALTER TABLE elsewhere RENAME TO contacts").execute(&pool).await.unwrap();
    reached(&pool, 20).await;
    assert_each_once(&pool, 20).await;
    runner.shutdown().await;
}

#[tokio::test]
async fn a_backlog_without_end_does_not_keep_a_runner_from_making_way() {
    let (pool, _) = fresh_store().await;
    record(&pool, &captures(1..=1)).await;
    let newer = Runner::spawn_for(pool.clone(), SMALL_PAGES, &NEXT);
    wait_for(&pool, &NEXT[0], 1, PATIENCE).await.unwrap();
    newer.shutdown().await;

    record(&pool, &captures(2..=2_000)).await;
    let older = Runner::spawn(pool.clone(), RunnerOptions { page_events: 1, ..SMALL_PAGES });
    wait_for(&pool, &DEVICES, 1, PATIENCE).await.unwrap();
    let newer = Runner::spawn_for(pool.clone(), SMALL_PAGES, &NEXT);
    wait_for(&pool, &NEXT[0], 2_000, PATIENCE).await.unwrap();
    let error = wait_for(&pool, &DEVICES, 2_000, Duration::ZERO).await.unwrap_err();
    assert!(matches!(error, WaitError::Timeout { .. }), "the older one had more to do: {error}");
    newer.shutdown().await;
    older.shutdown().await;
    assert_each_once(&pool, 2_000).await;
}

#[tokio::test]
async fn a_projection_that_the_database_refuses_does_not_hold_the_others_up_and_goes_on_when_it_can() {
    let (pool, _) = fresh_store().await;
    record(&pool, &captures(1..=2)).await;
    let runner = Runner::spawn(pool.clone(), SMALL_PAGES);
    reached(&pool, 2).await;
    sqlx::query("ALTER TABLE contacts RENAME TO elsewhere").execute(&pool).await.unwrap();
    record(&pool, &captures(3..=20)).await;
    for projection in [&QUARANTINE, &DEVICES] {
        wait_for(&pool, projection, 20, PATIENCE).await.unwrap();
    }
    let error = wait_for(&pool, &LEADS, 20, Duration::ZERO).await.unwrap_err();
    assert!(matches!(error, WaitError::Timeout { reached: 2, .. }), "{error}");
    runner.shutdown().await;

    record(&pool, &captures(21..=22)).await;
    let error = catch_up(&pool).await.unwrap_err();
    assert!(matches!(error, CatchUpError::Refused { projection: "leads", .. }), "{error}");
    for projection in [&QUARANTINE, &DEVICES] {
        wait_for(&pool, projection, 22, Duration::ZERO).await.unwrap();
    }
    let error = replay(&pool, &LEADS, 1, None).await.unwrap_err();
    assert!(matches!(error, ReplayError::Database(DatabaseError::Refused(_))), "{error}");

    sqlx::query("ALTER TABLE projection_cursors RENAME TO unseen").execute(&pool).await.unwrap();
    let error = wait_for(&pool, &LEADS, 20, Duration::ZERO).await.unwrap_err();
    assert!(matches!(error, WaitError::Database(DatabaseError::Refused(_))), "{error}");
    sqlx::query("ALTER TABLE unseen RENAME TO projection_cursors").execute(&pool).await.unwrap();

    let runner = Runner::spawn(pool.clone(), SMALL_PAGES);
    sqlx::query("ALTER TABLE elsewhere RENAME TO contacts").execute(&pool).await.unwrap();
    reached(&pool, 22).await;
    assert_each_once(&pool, 22).await;
    runner.shutdown().await;
}
