//! One round, and what must hold after everything that several processes have done at once.

use anyhow::{Result, ensure};

use super::figures::{Round, Together};
use super::{COUNTS, Options};
use crate::database::{Database, LogCounts};
use crate::leads::LeadMaker;
use crate::load::{Expect, Load};
use crate::machine::Machine;
use crate::program::run_command;
use crate::store::Store;

const DEVICES: usize = 20;
const MANY_DEVICES: usize = 200;
const BATCH_ENTRIES: usize = 50;

/// Leads that are sent to two processes at once, for the proof.
const RACED_LEADS: usize = 4_000;

/// Measures each number of processes, and looks at the machine if nobody has yet.
pub(super) async fn measure(options: &Options, machine: &mut Option<Machine>) -> Result<Round> {
    let mut round = Round::default();
    for (processes, measured) in COUNTS.into_iter().zip(&mut round) {
        eprintln!("  {processes} process(es)");
        let mut database = Database::start(&options.common.folder).await?;
        if machine.is_none() {
            *machine = Some(Machine::look(&mut database).await?);
        }
        let mut load = Load::new(LeadMaker::new("lead")?, true);
        let (together, database) = together(options, database, processes, &mut load).await?;
        prove(database, load.created() as u64).await?;
        *measured = together;
    }
    Ok(round)
}

async fn together(
    options: &Options,
    database: Database,
    processes: usize,
    load: &mut Load,
) -> Result<(Together, Database)> {
    let mut store = Store::over(database, processes).await?;
    let servers = store.reaches();
    let mut together = Together { processes, ..Together::default() };

    let devices = load.devices("batches", DEVICES, options.leads, BATCH_ENTRIES, &servers).await?;
    let (mut devices, figures) = load.drive(&mut store, devices, Expect::Created).await?;
    together.batches = figures;
    for device in &mut devices {
        device.turn_to_next(&servers).await?;
    }
    (_, together.resent) = load.drive(&mut store, devices, Expect::Duplicate).await?;

    let devices = load.devices("single", DEVICES, options.leads, 1, &servers).await?;
    (_, together.singles_20) = load.drive(&mut store, devices, Expect::Created).await?;
    let devices = load.devices("many", MANY_DEVICES, options.leads, 1, &servers).await?;
    (_, together.singles_200) = load.drive(&mut store, devices, Expect::Created).await?;

    eprintln!("  leadlog, the same leads to two processes at once");
    load.race(DEVICES, RACED_LEADS, &servers).await?;
    store.projections_caught_up().await?;
    Ok((together, store.stop_servers().await?))
}

/// Every lead is there once and positions have no gap; nothing has deadlocked; and every row of every projection, all of
/// which have reached the head, is what the log gives.
async fn prove(mut database: Database, sent: u64) -> Result<()> {
    let complete = LogCounts { events: sent, newest_position: sent, head: sent, email_claims: sent };
    let counts = database.log_counts().await?;
    ensure!(counts == complete, "{sent} leads were sent and confirmed, but the store holds {counts:?}");
    // What a backend counts is there when it has ended, and the servers have.
    let deadlocks: i64 =
        sqlx::query_scalar("SELECT coalesce(sum(deadlocks), 0)::bigint FROM pg_stat_database")
            .fetch_one(&mut database.db)
            .await?;
    ensure!(deadlocks == 0, "PostgreSQL has broken {deadlocks} deadlock(s)");
    run_command(&database.url(), &["projections", "verify"]).await?;
    database.stop().await
}
