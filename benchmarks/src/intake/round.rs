//! One round: a fresh store, every measurement once, and the proof that every lead is in the log, once.

use std::net::SocketAddr;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};

use super::Options;
use super::figures::{Figures, Round, per_lead_us};
use crate::device::{Batch, Device, Sent, Verdicts, send_all};
use crate::leads::LeadMaker;
use crate::machine::Machine;
use crate::pgbench::{self, Shape};
use crate::processes::{CpuTimes, Memory};
use crate::store::{LogCounts, Store};

const DEVICES: usize = 20;
const MANY_DEVICES: usize = 200;
const BATCH_ENTRIES: usize = 50;

/// How many leads each connected device sends, one by one, before the server's memory is read.
const LEADS_WHILE_CONNECTED: usize = 3;

/// The same people in every run.
const SEED: u64 = 0x1ead_1ead;

/// How often a warm-up sends a batch: connections open, statements get prepared.
const WARM_UP_BATCHES: usize = 1;

/// Measures a round, and looks at the machine if nobody has yet.
pub(super) async fn measure(options: &Options, machine: &mut Option<Machine>) -> Result<Round> {
    let mut store = Store::start(&options.folder, !options.without_projections).await?;
    if machine.is_none() {
        let version = store.postgresql_version().await?;
        *machine = Some(Machine::look(store.folder(), version)?);
    }
    let now_ms = u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis())?;
    let mut arena = Arena { options, leads: LeadMaker::new(SEED, now_ms), created: 0 };
    let payload = arena.leads.captured_by(&["ipad-ruler".to_owned()], 1)?.concat().concat();

    let mut round = Round::default();
    let shape = Shape { clients: DEVICES, rows_per_commit: BATCH_ENTRIES };
    round.pgbench_batches = ruler(&mut store, shape, &payload, options.leads).await?;
    let devices = arena.devices("batches", DEVICES, options.leads, BATCH_ENTRIES, store.address()).await?;
    let (devices, figures) = arena.drive(&mut store, devices, Expect::Created).await?;
    round.batches = figures;
    (_, round.resent) = arena.drive(&mut store, devices, Expect::Duplicate).await?;

    let shape = Shape { clients: DEVICES, rows_per_commit: 1 };
    round.pgbench_20 = ruler(&mut store, shape, &payload, options.leads).await?;
    let devices = arena.devices("single", DEVICES, options.leads, 1, store.address()).await?;
    (_, round.singles_20) = arena.drive(&mut store, devices, Expect::Created).await?;

    let shape = Shape { clients: MANY_DEVICES, rows_per_commit: 1 };
    round.pgbench_200 = ruler(&mut store, shape, &payload, options.leads).await?;
    let devices = arena.devices("many", MANY_DEVICES, options.leads, 1, store.address()).await?;
    (_, round.singles_200) = arena.drive(&mut store, devices, Expect::Created).await?;

    let memory = arena.memory(&store).await?;
    round.resident_mib = memory.resident as f64 / (1024.0 * 1024.0);
    round.peak_mib = memory.peak as f64 / (1024.0 * 1024.0);

    let sent = arena.created as u64;
    let complete = LogCounts { events: sent, newest_position: sent, head: sent, email_claims: sent };
    let counts = store.log_counts().await?;
    ensure!(counts == complete, "{sent} leads were sent and confirmed, but the store holds {counts:?}");
    store.stop().await?;
    Ok(round)
}

async fn ruler(store: &mut Store, shape: Shape, payload: &str, rows: usize) -> Result<Figures> {
    eprintln!("  pgbench, {} rows a commit, {} clients", shape.rows_per_commit, shape.clients);
    let run = pgbench::run(store, shape, payload, rows).await.context("pgbench")?;
    Ok(Figures {
        postgres_us: per_lead_us(run.postgres_cpu, run.rows),
        ..Figures::of(run.rows_per_second, run.latencies)
    })
}

/// What the store must say about everything that is sent.
#[derive(Clone, Copy)]
enum Expect {
    Created,
    Duplicate,
}

impl Expect {
    fn check(self, verdicts: Verdicts) -> Result<()> {
        let entries = verdicts.entries();
        let as_expected = match self {
            Self::Created => verdicts.created,
            Self::Duplicate => verdicts.duplicate,
        };
        ensure!(as_expected == entries, "the store gave unexpected verdicts: {verdicts:?}");
        Ok(())
    }
}

/// The devices, and what they have got confirmed.
struct Arena<'a> {
    options: &'a Options,
    leads: LeadMaker,
    created: usize,
}

impl Arena<'_> {
    /// Connected devices that hold about `leads` leads together, made before any clock starts, and a warm-up.
    async fn devices(
        &mut self,
        kind: &str,
        count: usize,
        leads: usize,
        batch_entries: usize,
        server: SocketAddr,
    ) -> Result<Vec<Device>> {
        let names: Vec<String> = (1..=count).map(|number| format!("ipad-{kind}-{number:04}")).collect();
        let batches = leads.div_ceil(count * batch_entries) + WARM_UP_BATCHES;
        let captured = self.leads.captured_by(&names, batches * batch_entries)?;
        let mut devices = Vec::with_capacity(count);
        for (name, captured) in names.iter().zip(captured) {
            let batches = Batch::all(&captured, batch_entries);
            devices.push(Device::connect(name, server, batches, !self.options.without_receipts).await?);
        }
        Ok(devices)
    }

    /// The devices send all they have, from the beginning.
    async fn drive(
        &mut self,
        store: &mut Store,
        mut devices: Vec<Device>,
        expect: Expect,
    ) -> Result<(Vec<Device>, Figures)> {
        eprintln!("  leadlog, {} devices", devices.len());
        devices.iter_mut().for_each(Device::rewind);
        store.checkpoint().await?;
        let (devices, warm_up) = send_all(devices, WARM_UP_BATCHES).await?;
        self.confirm(expect, &warm_up)?;
        self.settle(store).await?;

        let before = CpuTimes::now(store.server_pid(), store.postmaster_pid())?;
        let begun = Instant::now();
        let (devices, sent) = send_all(devices, usize::MAX).await?;
        let wall = begun.elapsed();
        let answered = CpuTimes::now(store.server_pid(), store.postmaster_pid())?;
        self.settle(store).await?;
        let settled = CpuTimes::now(store.server_pid(), store.postmaster_pid())?;

        self.confirm(expect, &sent)?;
        let leads = sent.verdicts.entries();
        let (used, later) = (answered - before, settled - answered);
        let figures = Figures {
            postgres_us: per_lead_us(used.postgres, leads),
            server_us: per_lead_us(used.server, leads),
            load_us: per_lead_us(used.load, leads),
            afterwards_us: per_lead_us(later.server + later.postgres, leads),
            ..Figures::of(leads as f64 / wall.as_secs_f64(), sent.latencies)
        };
        Ok((devices, figures))
    }

    fn confirm(&mut self, expect: Expect, sent: &Sent) -> Result<()> {
        expect.check(sent.verdicts)?;
        self.created += sent.verdicts.created;
        Ok(())
    }

    async fn settle(&self, store: &mut Store) -> Result<()> {
        if self.options.without_projections { Ok(()) } else { store.projections_caught_up().await }
    }

    /// Memory of the server while many devices, each of which has sent something, are connected.
    async fn memory(&mut self, store: &Store) -> Result<Memory> {
        let count = self.options.connected;
        eprintln!("  leadlog, {count} devices connected");
        let leads = count * (LEADS_WHILE_CONNECTED - WARM_UP_BATCHES);
        let devices = self.devices("idle", count, leads, 1, store.address()).await?;
        let (devices, sent) = send_all(devices, usize::MAX).await?;
        self.confirm(Expect::Created, &sent)?;
        let memory = Memory::of(store.server_pid());
        drop(devices);
        memory
    }
}
