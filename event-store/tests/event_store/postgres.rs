//! What is PostgreSQL's alone: postgres-es on the same table, and tables that can be rebuilt from the log.

use std::sync::Arc;

use cqrs_es::persist::PersistedEventStore;
use cqrs_es::{Aggregate, AggregateError, CqrsFramework};
use domain::{
    Campaigns, ContactFields, EmbeddedCampaigns, Entry, FOLLOW_UP_STREAM, FollowUp, FollowUpCommand,
    FollowUpError, Lead, LeadCommand, LeadEvent, Timestamp,
};
use event_store::conformance::events::{captures, erasure, lead, refused, refused_scrap, version};
use event_store::conformance::{append_all, whole};
use event_store::testing::fresh_store;
use event_store::{EventLog, PostgresLog};
use postgres_es::PostgresEventRepository;
use sqlx::PgPool;

type Framework<A> = CqrsFramework<A, PersistedEventStore<PostgresEventRepository, A>>;

fn framework<A: Aggregate>(pool: &PgPool, services: A::Services) -> Framework<A> {
    let repository = PostgresEventRepository::new(pool.clone());
    CqrsFramework::new(PersistedEventStore::new_event_store(repository), Vec::new(), services)
}

#[tokio::test]
async fn postgres_es_reads_and_appends_to_the_same_log() {
    let (pool, _) = fresh_store().await;
    let log = PostgresLog::new(pool.clone());
    append_all(&log, &captures([1])).await;
    let leads = framework::<Lead>(&pool, Arc::new(EmbeddedCampaigns) as Arc<dyn Campaigns + Send + Sync>);
    let entry = |number: u32| -> Entry { serde_json::from_str(&version(number, 1).payload).unwrap() };

    // It appends: with a position of its own, between our appends.
    leads.execute(&lead(2).to_string(), LeadCommand::Capture(entry(2))).await.unwrap();
    append_all(&log, &captures([3])).await;
    let events = whole(&log).await;
    let second = (events[1].aggregate_id.clone(), events[1].event_type.as_str());
    assert_eq!(second, (lead(2).to_string(), "LeadCaptured"));
    assert_eq!(serde_json::from_str::<LeadEvent>(&events[1].payload).unwrap().entry(), &entry(2));

    // It reads what our appends wrote: the aggregate knows that the lead exists.
    let again = leads.execute(&lead(1).to_string(), LeadCommand::Capture(entry(1))).await.unwrap_err();
    assert!(again.to_string().contains("recorded already"), "{again}");
    assert_eq!(whole(&log).await.len(), 3);
}

fn correct(phone: &str) -> FollowUpCommand {
    let contact = ContactFields { phone: Some(phone.to_owned()), ..ContactFields::default() };
    FollowUpCommand::CorrectContact { contact, by: None, at: Timestamp::from_unix_ms(0, 0).unwrap() }
}

#[tokio::test]
async fn follow_ups_go_through_postgres_es_and_an_erasure_takes_them_along() {
    let (pool, _) = fresh_store().await;
    let log = PostgresLog::new(pool.clone());
    append_all(&log, &captures([1])).await;
    let follow_ups = framework::<FollowUp>(&pool, ());
    let id = lead(1).to_string();
    follow_ups.execute(&id, correct("+48501502503")).await.unwrap();
    follow_ups.execute(&id, correct("+48501502504")).await.unwrap();

    log.erase(lead(1), &erasure()).await.unwrap();
    let stream = log.read_stream(FOLLOW_UP_STREAM, &id).await.unwrap();
    let sequences: Vec<u64> = stream.iter().map(|event| event.sequence).collect();
    assert_eq!(sequences, [1, 2, 3]);
    assert!(stream.iter().all(|event| !event.payload.contains("+48")), "{stream:?}");
    // And the aggregate reads what is left of them.
    let refused = follow_ups.execute(&id, correct("+48501502505")).await.unwrap_err();
    assert!(matches!(refused, AggregateError::UserError(FollowUpError::Erased)), "{refused}");
    assert_eq!(whole(&log).await.len(), 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_correction_that_crosses_an_erasure_leaves_nothing_behind() {
    let (pool, _) = fresh_store().await;
    let log = PostgresLog::new(pool.clone());
    for number in 1..=20 {
        append_all(&log, &captures([number])).await;
        let id = lead(number).to_string();
        let (follow_ups, other) = (framework::<FollowUp>(&pool, ()), PostgresLog::new(pool.clone()));
        let correction = tokio::spawn(async move { follow_ups.execute(&id, correct("+48501502503")).await });
        let erased = tokio::spawn(async move { other.erase(lead(number), &erasure()).await });
        let (_, erased) = (correction.await.unwrap(), erased.await.unwrap());
        // An erasure never loses: it holds the head while it looks and writes.
        erased.unwrap();
        let stream = log.read_stream(FOLLOW_UP_STREAM, &lead(number).to_string()).await.unwrap();
        assert!(stream.iter().all(|event| !event.payload.contains("+48")), "{stream:?}");
    }
    whole(&log).await;
}

/// The tables beside the log are courtesies.
#[tokio::test]
async fn what_stands_beside_the_log_can_be_rebuilt_from_it() {
    let (pool, _) = fresh_store().await;
    let log = PostgresLog::new(pool.clone());
    let quoting = r#"{"clientId":"0197f3c2-5c1e-7c3a-9d64-000000000099","version":9}"#;
    let submissions = [refused(1, 1, quoting), refused(1, 2, "raw"), refused_scrap(quoting)];
    append_all(&log, &submissions).await;
    let table = "SELECT client_id, submission_id, version FROM refused_submissions ORDER BY 1, 2";
    let read = async || -> Vec<(String, String, Option<i64>)> {
        sqlx::query_as(table).fetch_all(&pool).await.unwrap()
    };
    let before = read().await;
    assert_eq!(before.len(), 2);
    assert!(before.iter().all(|(client_id, ..)| *client_id == lead(1).to_string()));

    let migration = include_str!("../../../migrations/0006_later_versions_and_erasures.sql");
    let rebuild = &migration[migration.find("INSERT INTO refused_submissions").unwrap()..];
    let rebuild = &rebuild[..rebuild.find(';').unwrap()];
    sqlx::query("TRUNCATE refused_submissions").execute(&pool).await.unwrap();
    sqlx::query(rebuild).execute(&pool).await.unwrap();
    assert_eq!(read().await, before);
}

#[tokio::test]
async fn a_server_that_refuses_is_named_with_what_it_says() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = format!("postgres://ewa:secret@127.0.0.1:{port}/leads");
    let error = event_store::connect(&url, 1).await.unwrap_err();
    assert!(error.to_string().contains(&format!("the database leads at 127.0.0.1:{port}")), "{error}");
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert!(cause.contains("Connection refused"), "{cause}");
    assert!(!format!("{error:?}").contains("secret"));
}

/// The forms of a URL with a socket that README.md names.
#[tokio::test]
async fn a_database_is_reached_through_a_socket() {
    let (_, url) = fresh_store().await;
    let options: sqlx::postgres::PgConnectOptions = url.parse().unwrap();
    let Some(folder) = options.get_socket().map(|folder| folder.display().to_string()) else {
        // Whoever tests with a server of his own may reach it by TCP alone.
        return;
    };
    let (user, port) = (options.get_username(), options.get_port());
    let database = options.get_database().unwrap();
    let packed = folder.replace('/', "%2F");
    for url in [
        format!("postgres://{user}@localhost:{port}/{database}?host={folder}"),
        format!("postgres:///{database}?host={folder}&port={port}&user={user}"),
        format!("postgres://{user}@{packed}:{port}/{database}"),
    ] {
        event_store::connect(&url, 1).await.unwrap_or_else(|error| panic!("{url}: {error}"));
    }
}
