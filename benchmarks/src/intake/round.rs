//! One round: a fresh store, every measurement once, and the proof that every lead is in the log, once.

use anyhow::{Context, Result, ensure};

use super::Options;
use super::figures::Round;
use crate::admission::Admission;
use crate::database::{Database, LogCounts};
use crate::figures::{Figures, us_each};
use crate::leads::LeadMaker;
use crate::load::{Expect, Load, WARM_UP_BATCHES};
use crate::machine::Machine;
use crate::pgbench::{self, Shape};
use crate::store::Store;
use crate::usage::Memory;

const DEVICES: usize = 20;
const MANY_DEVICES: usize = 200;
const BATCH_ENTRIES: usize = 50;

/// How many leads each connected device sends, one by one, before the server's memory is read.
const LEADS_WHILE_CONNECTED: usize = 3;

/// Measures a round, and looks at the machine if nobody has yet.
pub(super) async fn measure(options: &Options, machine: &mut Option<Machine>) -> Result<Round> {
    let mut store = Store::start(&options.common.folder, !options.without_projections).await?;
    if machine.is_none() {
        *machine = Some(Machine::look(&mut store.database).await?);
    }
    let mut leads = LeadMaker::new("lead")?;
    let payload = leads.captured_by(&["ipad-ruler".to_owned()], 1)?.concat().concat();
    let mut load = Load::new(leads, !options.without_receipts);
    if !options.with_one_token {
        load = load.letting_in(Admission::to(&store.database).await?);
    }
    let servers = store.reaches();

    let mut round = Round::default();
    let shape = Shape { clients: DEVICES, rows_per_commit: BATCH_ENTRIES };
    round.pgbench_batches = ruler(&mut store.database, shape, &payload, options.leads).await?;
    let devices = load.devices("batches", DEVICES, options.leads, BATCH_ENTRIES, &servers).await?;
    let (devices, figures) = load.drive(&mut store, devices, Expect::Created).await?;
    round.batches = figures;
    (_, round.resent) = load.drive(&mut store, devices, Expect::Duplicate).await?;

    let shape = Shape { clients: DEVICES, rows_per_commit: 1 };
    round.pgbench_20 = ruler(&mut store.database, shape, &payload, options.leads).await?;
    let devices = load.devices("single", DEVICES, options.leads, 1, &servers).await?;
    (_, round.singles_20) = load.drive(&mut store, devices, Expect::Created).await?;

    let shape = Shape { clients: MANY_DEVICES, rows_per_commit: 1 };
    round.pgbench_200 = ruler(&mut store.database, shape, &payload, options.leads).await?;
    let devices = load.devices("many", MANY_DEVICES, options.leads, 1, &servers).await?;
    (_, round.singles_200) = load.drive(&mut store, devices, Expect::Created).await?;

    // Last of the loads, so that the store is as small for the others as it was.
    let devices = load.devices("sustained", DEVICES, options.sustained, BATCH_ENTRIES, &servers).await?;
    (_, round.sustained) = load.drive(&mut store, devices, Expect::Created).await?;

    let memory = memory(options, &mut load, &store).await?;
    round.resident_mib = memory.resident as f64 / (1024.0 * 1024.0);
    round.peak_mib = memory.peak as f64 / (1024.0 * 1024.0);

    let sent = load.created() as u64;
    let events = sent + load.events_beside();
    let complete = LogCounts { events, newest_position: events, head: events, email_claims: sent };
    let counts = store.database.log_counts().await?;
    ensure!(counts == complete, "{sent} leads were sent and confirmed, but the store holds {counts:?}");
    store.stop().await?;
    Ok(round)
}

async fn ruler(database: &mut Database, shape: Shape, payload: &str, rows: usize) -> Result<Figures> {
    eprintln!("  pgbench, {} rows a commit, {} clients", shape.rows_per_commit, shape.clients);
    let run = pgbench::run(database, shape, payload, rows).await.context("pgbench")?;
    Ok(Figures {
        postgres_us: us_each(run.postgres_cpu, run.rows),
        ..Figures::of(run.rows_per_second, run.latencies)
    })
}

/// Memory of the server while many devices, each of which has sent something, are connected.
async fn memory(options: &Options, load: &mut Load, store: &Store) -> Result<Memory> {
    let count = options.connected;
    eprintln!("  leadlog, {count} devices connected");
    let leads = count * (LEADS_WHILE_CONNECTED - WARM_UP_BATCHES);
    let devices = load.devices("idle", count, leads, 1, &store.reaches()).await?;
    let (devices, _) = load.send(devices, usize::MAX, Expect::Created).await?;
    let server = store.server_pids().next().context("the store has a server")?;
    let memory = Memory::of(server);
    drop(devices);
    memory
}
