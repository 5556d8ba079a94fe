//! One round: a store that grows, and the steps at each of its sizes.

use std::time::{Duration, Instant};

use ::projections::RunnerOptions;
use anyhow::{Context, Result, ensure};
use event_store::read_after;

use super::costs::Costs;
use crate::connection::{Connection, Reach};
use crate::database::{Database, LogCounts};
use crate::download::download;
use crate::fill::{Filler, MAILBOX};
use crate::leads::{CAMPAIGN, LeadMaker, email_of};
use crate::load::{Expect, Load};
use crate::statistics::{median, percentile_ms};
use crate::store::Store;

const DEVICES: usize = 20;
const BATCH_ENTRIES: usize = 50;

const EMAIL_CHECKS: usize = 2_000;
const EMAIL_CHECKS_TO_WARM_UP: usize = 200;

/// Of each hundred filled in leads, this one has its address to itself for ever.
const LEAD_WITH_LASTING_EMAIL: u64 = 1;

/// Pages after one another, and how often each is read: the median is of a page that PostgreSQL or the system has in
/// memory, as the newest are when projections follow.
const PAGES: u64 = 3;
const PAGE_READINGS: usize = 10;

/// Fills the store to each size and measures there.
pub(super) async fn round(mut database: Database, sizes: &[u64], leads: usize) -> Result<Vec<Costs>> {
    let mut filler = Filler::new()?;
    // Addresses of their own, so that no lead of theirs is known.
    let mut load = Load::new(LeadMaker::new("guest")?, true);
    let mut costs = Vec::with_capacity(sizes.len());
    for (number, size) in (1..).zip(sizes) {
        eprintln!("  filling up to {size} leads");
        filler = filler.fill(&database, *size).await?;
        eprintln!("  projecting them");
        let mut store = Store::over(database, 1).await?;
        store.projections_caught_up().await?;
        database = store.stop_servers().await?;
        database.settle().await?;

        prove(&mut database, &filler, &load).await?;
        let (at_size, unchanged) = at_size(database, *size, leads, number, &mut load).await?;
        costs.push(at_size);
        database = unchanged;
    }
    prove(&mut database, &filler, &load).await?;
    database.stop().await?;
    Ok(costs)
}

/// All that was filled in and sent stands in the log, without a gap; and addresses are claimed once.
async fn prove(database: &mut Database, filler: &Filler, load: &Load) -> Result<()> {
    let (filled, sent) = (filler.filled(), load.created() as u64);
    let events = filled.events + sent;
    // Who corrects an address gives the old one up.
    let email_claims = filled.contacts() + sent;
    let complete = LogCounts { events, newest_position: events, head: events, email_claims };
    let counts = database.log_counts().await?;
    ensure!(
        counts == complete,
        "{filled:?} and {sent} more should give {complete:?}, the store holds {counts:?}"
    );
    Ok(())
}

/// Measures each step; the intake last, because it makes the store larger.
async fn at_size(
    mut database: Database,
    size: u64,
    leads: usize,
    number: usize,
    load: &mut Load,
) -> Result<(Costs, Database)> {
    let events = database.log_counts().await?.head;
    eprintln!("  {events} events: pages of the log");
    let page_events = u64::from(RunnerOptions::default().page_events);
    let last = events.saturating_sub(PAGES * page_events);
    let first_page_ms = page_ms(&mut database, 0).await?;
    let middle_page_ms = page_ms(&mut database, last / 2).await?;
    let last_page_ms = page_ms(&mut database, last).await?;

    let mut store = Store::over(database, 1).await?;
    store.projections_caught_up().await?;
    let servers = store.reaches();
    let reach = servers.first().context("the store has a server")?;
    eprintln!("  {events} events: checks of e-mail addresses");
    let mut random = fastrand::Rng::with_seed(size);
    let mut number_with_email = || random.u64(0..size / 100) * 100 + LEAD_WITH_LASTING_EMAIL;
    let known = check_emails(reach, true, || email_of(MAILBOX, number_with_email())).await?;
    let unknown = check_emails(reach, false, || email_of("nobody", number_with_email())).await?;

    eprintln!("  {events} events: leads.csv");
    let downloaded = download(reach.server, "/api/exports/leads.csv", &reach.token).await?;
    let rows = downloaded.lines.saturating_sub(1);
    ensure!(rows >= size, "leads.csv has {rows} rows, of {size} leads and more");

    eprintln!("  {events} events: intake");
    let devices = load.devices(&format!("growth-{number}"), DEVICES, leads, BATCH_ENTRIES, &servers).await?;
    let (_, intake) = load.drive(&mut store, devices, Expect::Created).await?;
    let costs = Costs {
        events,
        intake_leads_per_second: intake.leads_per_second,
        intake_us: intake.settled_us(),
        known_email_p50_ms: percentile_ms(&known, 50),
        known_email_p99_ms: percentile_ms(&known, 99),
        unknown_email_p50_ms: percentile_ms(&unknown, 50),
        unknown_email_p99_ms: percentile_ms(&unknown, 99),
        first_page_ms,
        middle_page_ms,
        last_page_ms,
        export_ms_per_1000_rows: downloaded.wall.as_secs_f64() * 1e6 / rows as f64,
    };
    Ok((costs, store.stop_servers().await?))
}

/// Reads pages as the projections do, with their very statement.
async fn page_ms(database: &mut Database, after: u64) -> Result<f64> {
    let page_events = RunnerOptions::default().page_events;
    let mut taken = Vec::new();
    for _ in 0..PAGE_READINGS {
        for page in 0..PAGES {
            let cursor = after + page * u64::from(page_events);
            let begun = Instant::now();
            let events = read_after(&mut database.db, cursor, page_events).await?;
            taken.push(begun.elapsed().as_secs_f64() * 1e3);
            ensure!(!events.is_empty(), "there is no event after {cursor}");
        }
    }
    Ok(median(taken))
}

/// Asks about one address after the other, and answers how long each took, sorted.
async fn check_emails(
    reach: &Reach,
    is_known: bool,
    mut email: impl FnMut() -> String,
) -> Result<Vec<Duration>> {
    let mut taken = Vec::with_capacity(EMAIL_CHECKS);
    let expected = format!(r#"{{"known":{is_known}}}"#);
    let mut connection = Connection::open(reach.clone()).await?;
    for number in 0..EMAIL_CHECKS_TO_WARM_UP + EMAIL_CHECKS {
        let path = format!("/api/leads/check-email?campaign={CAMPAIGN}&email={}", email());
        let begun = Instant::now();
        let body = connection.get(&path).await?;
        let wall = begun.elapsed();
        ensure!(
            body == expected.as_bytes(),
            "{path} is answered with {}, not {expected}",
            String::from_utf8_lossy(body)
        );
        if number >= EMAIL_CHECKS_TO_WARM_UP {
            taken.push(wall);
        }
    }
    taken.sort_unstable();
    Ok(taken)
}
