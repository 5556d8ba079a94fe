//! Invariant 8, by hand of an operator: what is rebuilt, verified and replayed while leads come in.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use crate::QUICK;
use crate::captures::{
    capture, captures, corrects, erases, event, follow_up, lead_id, next, record, record_events, refused,
    released, reported,
};
use domain::{RefusalReason, ReleaseOutcome};
use event_store::connect;
use event_store::testing::fresh_store;
use projections::{
    ALL, BuildError, DEVICES, DatabaseError, DifferenceKind, LEADS, Poisoned, QUARANTINE, ReplayError,
    Runner, abandon, catch_up, parked_events, rebuild, replay, status, verify,
};
use serde_json::json;
use sqlx::PgPool;

async fn assert_verified(pool: &PgPool) {
    for projection in &ALL {
        let verification = verify(pool, projection, |_| ()).await.unwrap();
        assert!(verification.is_equal(), "{projection:?}: {verification:?}");
    }
}

/// What a comparison makes holds personal data, and no erasure reaches it: PostgreSQL drops it with its session.
#[tokio::test]
async fn a_killed_comparison_leaves_nothing_that_lasts_longer_than_its_session() {
    let (pool, _) = fresh_store().await;
    record_a_day(&pool).await;
    catch_up(&pool).await.unwrap();
    let killed = pool.clone();
    let killed = tokio::spawn(async move { verify(&killed, &LEADS, |_| panic!("killed")).await });
    assert!(killed.await.unwrap_err().is_panic());
    let lasting =
        "SELECT count(*) FROM pg_class WHERE relkind = 'r' AND relpersistence = 'p' AND relname = 'contacts'
                   AND relnamespace <> current_schema()::regnamespace
                   AND relnamespace::regnamespace::text LIKE current_schema() || '%'";
    assert_eq!(sqlx::query_scalar::<_, i64>(lasting).fetch_one(&pool).await.unwrap(), 0);
    assert!(verify(&pool, &LEADS, |_| ()).await.unwrap().is_equal());
}

/// Everything that a store meets: later versions, corrections, erasures, refusals and reports.
async fn record_a_day(pool: &PgPool) {
    record(pool, &captures(1..=40)).await;
    let fixed = next(&capture(3), "corrected", |lead| lead["contact"]["email"] = json!("ola@example.com"));
    let bad = capture(50);
    let events = [
        event(&fixed),
        event(&next(&capture(4), "voided", |_| ())),
        follow_up(5, 1, &corrects(json!({ "firstName": "Ola" }))),
        follow_up(5, 2, &corrects(json!({ "firstName": "Olga" }))),
        follow_up(6, 1, &erases()),
        refused(&bad, RefusalReason::Invalid),
        refused(&capture(51), RefusalReason::Invalid),
        reported("ipad-7", 60),
    ];
    record_events(pool, &events).await;
    record_events(pool, &[released(&bad, ReleaseOutcome::Dismissed)]).await;
}

async fn shape(pool: &PgPool) -> Vec<String> {
    sqlx::query_scalar(
        "SELECT pg_get_indexdef(indexrelid) FROM pg_index
         JOIN pg_class ON pg_class.oid = indrelid
         WHERE relnamespace = current_schema()::regnamespace
         UNION ALL
         SELECT concat_ws(' ', relname, attname, atttypid::regtype, attnotnull, attgenerated, attcollation)
         FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
         WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r' AND attnum > 0
         UNION ALL
         SELECT concat_ws(' ', conrelid::regclass, conname, pg_get_constraintdef(oid)) FROM pg_constraint
         WHERE connamespace = current_schema()::regnamespace
         UNION ALL
         SELECT concat_ws(' ', relname, relowner::regrole, relacl) FROM pg_class
         WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r'
         UNION ALL
         SELECT concat_ws(' ', relname, attname, attacl)
         FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
         WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r' AND attnum > 0
         ORDER BY 1",
    )
    .fetch_all(pool)
    .await
    .unwrap()
}

async fn builds(pool: &PgPool) -> Vec<String> {
    sqlx::query_scalar("SELECT nspname::text FROM pg_namespace WHERE nspname LIKE current_schema() || '\\_%'")
        .fetch_all(pool)
        .await
        .unwrap()
}

#[tokio::test]
async fn a_rebuilt_projection_is_the_same_to_the_last_index_and_grant_and_nothing_is_left_behind() {
    let (pool, _) = fresh_store().await;
    for statement in [
        "GRANT SELECT ON leads, contacts TO PUBLIC",
        "GRANT SELECT ON leads TO pg_monitor WITH GRANT OPTION",
        "GRANT SELECT (digest, reason), UPDATE (reason) ON quarantine TO pg_monitor",
    ] {
        sqlx::query(statement).execute(&pool).await.unwrap();
    }
    record_a_day(&pool).await;
    catch_up(&pool).await.unwrap();
    assert_verified(&pool).await;
    let before = shape(&pool).await;
    for projection in &ALL {
        let rebuilt = rebuild(&pool, projection, Poisoned::Stop, |_| ()).await.unwrap();
        assert_eq!((rebuilt.position, rebuilt.resumed_at), (49, 0));
    }
    assert_eq!(shape(&pool).await, before);
    assert_verified(&pool).await;
    assert_eq!(builds(&pool).await, [""; 0]);
    // What comes next is folded onto the new tables.
    record(&pool, &captures(60..=70)).await;
    catch_up(&pool).await.unwrap();
    assert_verified(&pool).await;
    sqlx::query("REVOKE ALL ON leads, quarantine FROM pg_monitor").execute(&pool).await.unwrap();
}

/// A user of the database, for one test, and the store as that user sees it.
async fn user(pool: &PgPool, url: &str, name: &str, allowed: &[&str]) -> (String, PgPool) {
    let (schema, database): (String, String) =
        sqlx::query_as("SELECT current_schema()::text, current_database()::text")
            .fetch_one(pool)
            .await
            .unwrap();
    let user = format!("{schema}_{name}");
    for statement in [
        format!("CREATE ROLE {user}"),
        format!("GRANT CREATE ON DATABASE \"{database}\" TO {user}"),
        format!("GRANT USAGE ON SCHEMA {schema} TO {user}"),
    ] {
        sqlx::query(&statement).execute(pool).await.unwrap();
    }
    for statement in allowed {
        let statement = statement.replace("SCHEMA", &format!("SCHEMA {schema}")).replace("USER", &user);
        sqlx::query(&statement).execute(pool).await.unwrap();
    }
    let as_user = connect(&format!("{url}&options[role]={user}"), 5).await.unwrap();
    (user, as_user)
}

#[tokio::test]
async fn whoever_rebuilds_the_tables_stay_the_servers_own_and_who_may_not_do_that_is_told_before_anything_changed()
 {
    let (pool, url) = fresh_store().await;
    let (owner, server) = user(&pool, &url, "server", &["GRANT CREATE ON SCHEMA TO USER"]).await;
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT relname::text FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r'",
    )
    .fetch_all(&pool)
    .await
    .unwrap();
    for table in tables {
        sqlx::query(&format!("ALTER TABLE {table} OWNER TO {owner}")).execute(&pool).await.unwrap();
    }
    let may_act_for_it = format!("GRANT {owner} TO USER");
    // Of a colleague's own tables, everybody may read each.
    let shows_all = "ALTER DEFAULT PRIVILEGES FOR ROLE USER GRANT SELECT ON TABLES TO PUBLIC";
    let (colleague, of_colleague) = user(&pool, &url, "colleague", &[&may_act_for_it, shows_all]).await;
    let may_write = "GRANT ALL ON ALL TABLES IN SCHEMA TO USER";
    let (stranger, of_stranger) = user(&pool, &url, "stranger", &[may_write]).await;
    record_a_day(&server).await;
    catch_up(&server).await.unwrap();
    let before = shape(&pool).await;

    for (first, rebuilder) in [(100, &pool), (110, &of_colleague)] {
        for projection in &ALL {
            rebuild(rebuilder, projection, Poisoned::Stop, |_| ()).await.unwrap();
        }
        assert_eq!(shape(&pool).await, before);
        assert_eq!(builds(&pool).await, [""; 0]);
        record(&server, &captures(first..first + 5)).await;
        catch_up(&server).await.unwrap();
        assert_verified(&server).await;
    }

    // What an interrupted rebuild leaves is the server's, too.
    let mut poison = event(&capture(200));
    poison.event_type = "LeadTransferred";
    record_events(&pool, &[poison]).await;
    catch_up(&server).await.unwrap();
    for _ in 0..2 {
        let error = rebuild(&of_colleague, &LEADS, Poisoned::Stop, |_| ()).await.unwrap_err();
        assert!(matches!(error, BuildError::Poisoned { .. }), "{error}");
        assert!(status(&server).await.unwrap()[0].build_position.is_some());
        assert!(abandon(&server, &LEADS).await.unwrap());
    }
    rebuild(&of_colleague, &LEADS, Poisoned::Stop, |_| ()).await.unwrap_err();
    rebuild(&server, &LEADS, Poisoned::Park, |_| ()).await.unwrap();
    assert_eq!(shape(&pool).await, before);

    let error = rebuild(&of_stranger, &LEADS, Poisoned::Stop, |progress| {
        panic!("it is refused before it folds: {progress:?}");
    })
    .await
    .unwrap_err();
    assert!(matches!(error, BuildError::Owner { projection: "leads", .. }), "{error}");
    assert_eq!((shape(&pool).await, builds(&pool).await), (before.clone(), Vec::new()), "nothing was begun");

    // What the server has begun is not the stranger's to go on with or to throw away.
    rebuild(&server, &LEADS, Poisoned::Stop, |_| ()).await.unwrap_err();
    for error in [
        rebuild(&of_stranger, &LEADS, Poisoned::Stop, |_| ()).await.unwrap_err(),
        abandon(&of_stranger, &LEADS).await.unwrap_err(),
    ] {
        assert!(matches!(&error, BuildError::Foreign { owner: of, .. } if *of == owner), "{error}");
        assert!(error.to_string().contains(&format!("GRANT {owner} TO {stranger}")), "{error}");
    }
    let seen = &status(&of_stranger).await.unwrap()[0];
    assert_eq!((seen.build_position, seen.build_owner.as_ref()), (None, Some(&owner)));
    assert!(abandon(&server, &LEADS).await.unwrap());

    for user in [stranger, colleague, owner] {
        for statement in [format!("DROP OWNED BY {user} CASCADE"), format!("DROP ROLE {user}")] {
            sqlx::query(&statement).execute(&pool).await.unwrap();
        }
    }
}

/// Something in the database that is not there for the length of a test.
async fn rename(pool: &PgPool, from: &str, to: &str) {
    sqlx::query(&format!("ALTER TABLE {from} RENAME TO {to}")).execute(pool).await.unwrap();
}

#[tokio::test]
async fn a_statement_that_is_refused_is_no_database_that_does_not_answer() {
    let (pool, _) = fresh_store().await;
    record_a_day(&pool).await;
    catch_up(&pool).await.unwrap();
    rename(&pool, "events", "elsewhere").await;
    for error in [
        rebuild(&pool, &LEADS, Poisoned::Stop, |_| ()).await.unwrap_err(),
        verify(&pool, &LEADS, |_| ()).await.unwrap_err(),
    ] {
        assert!(
            matches!(error, BuildError::Database(DatabaseError::Refused(_)))
                && error.to_string().contains("refuses"),
            "{error}"
        );
    }
    rename(&pool, "elsewhere", "events").await;
    drop(pool.close());
    let error = verify(&pool, &LEADS, |_| ()).await.unwrap_err();
    assert!(error.to_string().contains("does not answer"), "{error}");
}

#[tokio::test]
async fn rows_of_an_older_version_are_not_compared_and_both_versions_are_named() {
    let (pool, _) = fresh_store().await;
    record_a_day(&pool).await;
    catch_up(&pool).await.unwrap();
    sqlx::query("UPDATE projection_cursors SET version = version - 1 WHERE name = 'leads'")
        .execute(&pool)
        .await
        .unwrap();
    let error = verify(&pool, &LEADS, |_| ()).await.unwrap_err();
    let (live_version, version) = (LEADS.version - 1, LEADS.version);
    assert!(
        matches!(error, BuildError::Outdated { live_version: live, .. } if live == live_version),
        "{error}"
    );
    let named = format!("version {live_version}, and this program folds version {version}");
    assert!(error.to_string().contains(&named), "{error}");
    assert_eq!(builds(&pool).await, [""; 0]);
    rebuild(&pool, &LEADS, Poisoned::Stop, |_| ()).await.unwrap();
    assert_verified(&pool).await;
}

#[tokio::test]
async fn what_was_built_before_a_migration_does_not_take_the_place_of_what_was_migrated() {
    let (pool, _) = fresh_store().await;
    record_a_day(&pool).await;
    catch_up(&pool).await.unwrap();
    let before = shape(&pool).await;
    // Somebody who reads holds the switch up.
    let mut reader = pool.begin().await.unwrap();
    sqlx::query("SELECT FROM leads").execute(&mut *reader).await.unwrap();
    let work = tokio::spawn({
        let pool = pool.clone();
        async move { rebuild(&pool, &LEADS, Poisoned::Stop, |_| ()).await }
    });
    let waits = "SELECT count(*) > 0 FROM pg_locks WHERE NOT granted AND relation = 'leads'::regclass";
    while !sqlx::query_scalar::<_, bool>(waits).fetch_one(&pool).await.unwrap() {
        tokio::task::yield_now().await;
    }
    sqlx::query(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
         VALUES (9999, 'a later one', true, '', 0)",
    )
    .execute(&pool)
    .await
    .unwrap();
    reader.rollback().await.unwrap();
    let error = work.await.unwrap().unwrap_err();
    assert!(matches!(error, BuildError::Migrated { projection: "leads" }), "{error}");
    assert_eq!(shape(&pool).await, before);
    assert_verified(&pool).await;
    let rebuilt = rebuild(&pool, &LEADS, Poisoned::Stop, |_| ()).await.unwrap();
    assert_eq!(rebuilt.resumed_at, 0, "it begins anew");
    assert_verified(&pool).await;
}

/// Waits until somebody waits for what this session holds.
async fn waited_for(pool: &PgPool, pid: i32) {
    let waits = "SELECT count(*) > 0 FROM pg_stat_activity WHERE $1 = ANY (pg_blocking_pids(pid))";
    while !sqlx::query_scalar::<_, bool>(waits).bind(pid).fetch_one(pool).await.unwrap() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn who_waits_for_the_cursor_while_a_newer_program_begins_leaves_its_tables_alone() {
    let (pool, _) = fresh_store().await;
    record_a_day(&pool).await;
    catch_up(&pool).await.unwrap();
    for is_rebuild in [true, false] {
        let mut newer = pool.begin().await.unwrap();
        let pid: i32 = sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(&mut *newer).await.unwrap();
        for statement in [
            "INSERT INTO projection_cursors (name, version, position)
             SELECT name, version + 1, position FROM projection_cursors WHERE name = 'leads'",
            "DELETE FROM projection_cursors a USING projection_cursors b WHERE a.name = b.name AND a.version < b.version",
        ] {
            sqlx::query(statement).execute(&mut *newer).await.unwrap();
        }
        let working = pool.clone();
        let work = tokio::spawn(async move {
            if is_rebuild {
                let error = rebuild(&working, &LEADS, Poisoned::Stop, |_| ()).await.unwrap_err();
                assert!(matches!(error, BuildError::Superseded { .. }), "{error}");
            } else {
                let error = replay(&working, &LEADS, 1, None).await.unwrap_err();
                assert!(matches!(error, ReplayError::OtherVersion { .. }), "{error}");
            }
        });
        waited_for(&pool, pid).await;
        newer.commit().await.unwrap();
        work.await.unwrap();
        let version: i32 = sqlx::query_scalar("SELECT version FROM projection_cursors WHERE name = 'leads'")
            .fetch_one(&pool)
            .await
            .unwrap();
        assert_eq!(version, LEADS.version + 1);
        sqlx::query("UPDATE projection_cursors SET version = $1 WHERE name = 'leads'")
            .bind(LEADS.version)
            .execute(&pool)
            .await
            .unwrap();
    }
    assert_verified(&pool).await;
}

#[tokio::test]
async fn an_empty_store_and_a_single_event_are_rebuilt_and_verified_like_any_other() {
    let (pool, _) = fresh_store().await;
    for head in 0..=1_u32 {
        for projection in &ALL {
            assert!(verify(&pool, projection, |_| ()).await.unwrap().is_equal());
            assert_eq!(
                rebuild(&pool, projection, Poisoned::Stop, |_| ()).await.unwrap().position,
                u64::from(head)
            );
        }
        assert_verified(&pool).await;
        record(&pool, &[capture(head)]).await;
    }
    assert!(
        status(&pool)
            .await
            .unwrap()
            .iter()
            .all(|it| it.lag_events() == 1 && it.oldest_unprocessed_at.is_some())
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_rebuild_that_is_killed_twice_while_leads_come_in_loses_and_doubles_nothing() {
    let (pool, _) = fresh_store().await;
    for start in (0..20_000).step_by(2_000) {
        record(&pool, &captures(start..start + 2_000)).await;
    }
    catch_up(&pool).await.unwrap();
    let runner = Runner::spawn(pool.clone(), QUICK);
    let sent = std::sync::Arc::new(AtomicU32::new(20_000));
    let is_over = std::sync::Arc::new(AtomicBool::new(false));
    let devices: Vec<_> = (0..4)
        .map(|_| {
            let (pool, sent) = (pool.clone(), std::sync::Arc::clone(&sent));
            let is_over = std::sync::Arc::clone(&is_over);
            tokio::spawn(async move {
                while !is_over.load(Ordering::Relaxed) {
                    let number = sent.fetch_add(5, Ordering::Relaxed);
                    record(&pool, &captures(number..number + 5)).await;
                }
            })
        })
        .collect();

    for kill_at in [5_000, 10_000] {
        let (told, mut reached) = tokio::sync::mpsc::unbounded_channel();
        let working = pool.clone();
        let work = tokio::spawn(async move {
            rebuild(&working, &LEADS, Poisoned::Stop, |progress| {
                let _ = told.send(progress.position);
            })
            .await
        });
        while reached.recv().await.unwrap() < kill_at {}
        let killed = sqlx::query_scalar::<_, bool>(
            "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 1
             AND pg_locks.database = (SELECT oid FROM pg_database WHERE datname = current_database())
             AND (classid::bigint << 32) + objid::bigint = hashtextextended('leadlog build ' || current_schema() || '_leads_build', 0)",
        )
        .fetch_all(&pool)
        .await
        .unwrap();
        assert_eq!(killed, [true], "the build's session is found and killed");
        work.await.unwrap().unwrap_err();
        let standing = status(&pool).await.unwrap();
        assert!(standing[0].build_position.unwrap() >= kill_at, "it is still there: {standing:?}");
    }
    let rebuilt = rebuild(&pool, &LEADS, Poisoned::Stop, |_| ()).await.unwrap();
    assert!(rebuilt.resumed_at >= 10_000, "{rebuilt:?}");
    assert_verified(&pool).await;
    // Not in the middle of an append, which would be recorded behind what is compared.
    is_over.store(true, Ordering::Relaxed);
    for device in devices {
        device.await.unwrap();
    }
    runner.shutdown().await;
    catch_up(&pool).await.unwrap();
    assert_verified(&pool).await;
    let counts: (i64, i64, i64) = sqlx::query_as(
        "SELECT (SELECT count(*) FROM leads), (SELECT sum(lead_count)::bigint FROM contacts), position FROM log_head",
    )
    .fetch_one(&pool)
    .await
    .unwrap();
    assert!(counts.0 > 20_000 && counts.0 == counts.1 && counts.0 == counts.2, "{counts:?}");
}

#[tokio::test]
async fn a_build_is_one_processes_alone() {
    let (pool, _) = fresh_store().await;
    record(&pool, &captures(1..=3)).await;
    let mut db = pool.acquire().await.unwrap();
    sqlx::query("SELECT pg_advisory_lock(hashtextextended('leadlog build ' || current_schema() || '_leads_build', 0))")
        .execute(&mut *db)
        .await
        .unwrap();
    let error = rebuild(&pool, &LEADS, Poisoned::Stop, |_| ()).await.unwrap_err();
    assert!(matches!(error, BuildError::Busy { projection: "leads" }), "{error}");
    rebuild(&pool, &DEVICES, Poisoned::Stop, |_| ()).await.unwrap();
}

#[tokio::test]
async fn what_stands_on_the_tables_is_named_and_nothing_has_changed() {
    let (pool, _) = fresh_store().await;
    record_a_day(&pool).await;
    catch_up(&pool).await.unwrap();
    sqlx::query("CREATE VIEW people AS SELECT first_name FROM leads").execute(&pool).await.unwrap();
    let error = rebuild(&pool, &LEADS, Poisoned::Stop, |_| ()).await.unwrap_err();
    assert!(error.to_string().contains("view people depends on table"), "{error}");
    assert_verified(&pool).await;
    sqlx::query("DROP VIEW people").execute(&pool).await.unwrap();
    assert_eq!(
        rebuild(&pool, &LEADS, Poisoned::Stop, |_| ()).await.unwrap().resumed_at,
        49,
        "it only switches"
    );
    assert_verified(&pool).await;
}

#[tokio::test]
async fn verify_names_each_row_that_is_not_what_the_log_gives_and_a_rebuild_mends_it() {
    let (pool, _) = fresh_store().await;
    record_a_day(&pool).await;
    catch_up(&pool).await.unwrap();
    for damage in [
        format!("DELETE FROM leads WHERE client_id = '{}'", lead_id(1)),
        format!("UPDATE leads SET first_name = 'X', flags = '{{x}}' WHERE client_id = '{}'", lead_id(2)),
        "INSERT INTO lead_follow_ups VALUES ('00000000-0000-0000-0000-000000000001', '{}')".to_owned(),
    ] {
        sqlx::query(&damage).execute(&pool).await.unwrap();
    }
    let verification = verify(&pool, &LEADS, |_| ()).await.unwrap();
    let found: Vec<_> = verification
        .tables
        .iter()
        .flat_map(|table| {
            table.differences.iter().map(|one| (table.table, one.row.clone(), one.kind.clone()))
        })
        .collect();
    assert_eq!(
        found,
        [
            ("leads", lead_id(1), DifferenceKind::Missing),
            ("leads", lead_id(2), DifferenceKind::Differs(vec!["first_name".into(), "flags".into()])),
            ("lead_follow_ups", "00000000-0000-0000-0000-000000000001".into(), DifferenceKind::Surplus),
        ]
    );
    assert!(verify(&pool, &QUARANTINE, |_| ()).await.unwrap().is_equal());
    rebuild(&pool, &LEADS, Poisoned::Stop, |_| ()).await.unwrap();
    assert_verified(&pool).await;
}

/// Lead 2 cannot be read.
async fn with_poison(pool: &PgPool) {
    let mut events: Vec<_> = captures(1..=4).iter().map(event).collect();
    events[1].event_type = "LeadTransferred";
    record_events(pool, &events).await;
    catch_up(pool).await.unwrap();
}

async fn understand_poison(pool: &PgPool) {
    sqlx::query("UPDATE events SET event_type = 'LeadCaptured' WHERE position = 2")
        .execute(pool)
        .await
        .unwrap();
}

async fn parked_positions(pool: &PgPool) -> Vec<u64> {
    parked_events(pool, Some(&LEADS)).await.unwrap().iter().map(|event| event.position).collect()
}

#[tokio::test]
async fn a_rebuild_stops_at_poison_and_says_which_and_goes_on_when_it_is_told_to_or_understands() {
    let (pool, _) = fresh_store().await;
    with_poison(&pool).await;
    for _ in 0..2 {
        let error = rebuild(&pool, &LEADS, Poisoned::Stop, |_| ()).await.unwrap_err();
        assert!(matches!(error, BuildError::Poisoned { projection: "leads", position: 2, .. }), "{error}");
    }
    assert_verified(&pool).await;
    rebuild(&pool, &LEADS, Poisoned::Park, |_| ()).await.unwrap();
    assert_eq!(parked_positions(&pool).await, [2]);
    assert_eq!(status(&pool).await.unwrap()[0].parked, 1);
    understand_poison(&pool).await;
    rebuild(&pool, &LEADS, Poisoned::Stop, |_| ()).await.unwrap();
    assert_eq!(parked_positions(&pool).await, [0; 0]);
    assert_verified(&pool).await;
}

#[tokio::test]
async fn a_replay_takes_in_what_was_parked_and_is_harmless_when_repeated() {
    let (pool, _) = fresh_store().await;
    with_poison(&pool).await;
    // A later version of it came while it was parked.
    record(&pool, &[next(&capture(2), "corrected", |lead| lead["contact"]["firstName"] = json!("Ola"))])
        .await;
    catch_up(&pool).await.unwrap();
    assert_eq!(replay(&pool, &LEADS, 2, Some(2)).await.unwrap().parked, 1);
    understand_poison(&pool).await;
    for _ in 0..2 {
        assert_eq!(replay(&pool, &LEADS, 2, Some(2)).await.unwrap().parked, 0);
        assert_eq!(parked_positions(&pool).await, [0; 0]);
        assert_verified(&pool).await;
    }
}

#[tokio::test]
async fn a_replay_never_puts_an_earlier_word_on_top_of_a_later_one() {
    let (pool, _) = fresh_store().await;
    record_a_day(&pool).await;
    catch_up(&pool).await.unwrap();
    let error = replay(&pool, &LEADS, 43, Some(43)).await.unwrap_err();
    assert!(matches!(error, ReplayError::Depended { position: 44, .. }), "{error}");
    for projection in &ALL {
        for from in 0..=49 {
            replay(&pool, projection, from, None).await.unwrap();
        }
    }
    replay(&pool, &DEVICES, 2, Some(5)).await.unwrap();
    assert_verified(&pool).await;
    let error = replay(&pool, &LEADS, 50, None).await.unwrap_err();
    assert!(matches!(error, ReplayError::Empty { position: 49, from: 50, to: 49, .. }), "{error}");
}
