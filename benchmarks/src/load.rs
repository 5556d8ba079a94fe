//! Devices that send leads to a store, and what that costs.

use std::time::Instant;

use anyhow::{Result, ensure};

use crate::admission::Admission;
use crate::connection::Reach;
use crate::device::{Batch, Device, Sent, Verdicts, send_all};
use crate::figures::{Figures, us_each};
use crate::leads::LeadMaker;
use crate::store::Store;

/// How often a warm-up sends a batch: connections open, statements get prepared.
pub(crate) const WARM_UP_BATCHES: usize = 1;

/// Few, so that many requests meet.
const RACE_BATCH_ENTRIES: usize = 10;

/// What the store must say about everything that is sent.
#[derive(Clone, Copy)]
pub(crate) enum Expect {
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

/// Makes the devices and their leads, and counts what was confirmed.
pub(crate) struct Load {
    leads: LeadMaker,
    shows_receipts: bool,
    /// Gives each device a token of its own; otherwise they share that of the store.
    admission: Option<Admission>,
    created: usize,
}

impl Load {
    /// Without receipts, the store need not look for lost history.
    pub(crate) const fn new(leads: LeadMaker, shows_receipts: bool) -> Self {
        Self { leads, shows_receipts, admission: None, created: 0 }
    }

    /// Lets every device in before it sends anything.
    pub(crate) fn letting_in(self, admission: Admission) -> Self {
        Self { admission: Some(admission), ..self }
    }

    /// How many events the log must hold beside the leads.
    pub(crate) fn events_beside(&self) -> u64 {
        self.admission.as_ref().map_or(0, Admission::events)
    }

    /// How many leads the store has confirmed as new.
    pub(crate) const fn created(&self) -> usize {
        self.created
    }

    /// Devices that hold about `leads` leads together, made before any clock starts, and a warm-up. They are spread
    /// over the servers, and connected.
    pub(crate) async fn devices(
        &mut self,
        kind: &str,
        count: usize,
        leads: usize,
        batch_entries: usize,
        servers: &[Reach],
    ) -> Result<Vec<Device>> {
        let names: Vec<String> = (1..=count).map(|number| format!("ipad-{kind}-{number:04}")).collect();
        let batches = leads.div_ceil(count * batch_entries) + WARM_UP_BATCHES;
        let captured = self.leads.captured_by(&names, batches * batch_entries)?;
        // Before any connects: a connection on which nothing is asked is closed after some seconds.
        let mut reaches: Vec<Reach> = servers.iter().cycle().take(count).cloned().collect();
        if let Some(admission) = &mut self.admission {
            for (name, reach) in names.iter().zip(&mut reaches) {
                reach.token = admission.token(name).await?;
            }
        }
        let mut devices = Vec::with_capacity(count);
        for ((name, captured), server) in names.iter().zip(captured).zip(reaches) {
            let batches = Batch::all(&captured, batch_entries);
            devices.push(Device::connect(name, server, batches, self.shows_receipts).await?);
        }
        Ok(devices)
    }

    /// The devices send all they have, from the beginning.
    pub(crate) async fn drive(
        &mut self,
        store: &mut Store,
        mut devices: Vec<Device>,
        expect: Expect,
    ) -> Result<(Vec<Device>, Figures)> {
        eprintln!("  leadlog, {} devices", devices.len());
        devices.iter_mut().for_each(Device::rewind);
        store.database.checkpoint().await?;
        let devices = self.send(devices, WARM_UP_BATCHES, expect).await?.0;
        store.projections_caught_up().await?;

        let before = store.cpu_times()?;
        let begun = Instant::now();
        let (devices, sent) = send_all(devices, usize::MAX).await?;
        let wall = begun.elapsed();
        let answered = store.cpu_times()?;
        store.projections_caught_up().await?;
        let settled = store.cpu_times()?;

        self.confirm(expect, &sent)?;
        let leads = sent.verdicts.entries();
        let (used, later) = (answered - before, settled - answered);
        let figures = Figures {
            postgres_us: us_each(used.postgres, leads),
            server_us: us_each(used.server, leads),
            load_us: us_each(used.load, leads),
            afterwards_us: us_each(later.server + later.postgres, leads),
            ..Figures::of(leads as f64 / wall.as_secs_f64(), sent.latencies)
        };
        Ok((devices, figures))
    }

    /// The devices send up to `limit` batches each, and nothing is measured.
    pub(crate) async fn send(
        &mut self,
        devices: Vec<Device>,
        limit: usize,
        expect: Expect,
    ) -> Result<(Vec<Device>, Sent)> {
        let (devices, sent) = send_all(devices, limit).await?;
        self.confirm(expect, &sent)?;
        Ok((devices, sent))
    }

    /// Each of these devices sends all it has over two connections at once, to two servers where there are as many. One
    /// of both must be told that a lead is new, and the other that it is known.
    pub(crate) async fn race(&mut self, count: usize, leads: usize, servers: &[Reach]) -> Result<()> {
        let names: Vec<String> = (1..=count).map(|number| format!("ipad-race-{number:04}")).collect();
        let captured = self.leads.captured_by(&names, leads.div_ceil(count))?;
        let mut devices = Vec::with_capacity(2 * count);
        for ((name, captured), server) in names.iter().zip(&captured).zip(servers.iter().cycle()) {
            let batches = || Batch::all(captured, RACE_BATCH_ENTRIES);
            let first = Device::connect(name, server.clone(), batches(), self.shows_receipts).await?;
            let mut second = Device::connect(name, server.clone(), batches(), self.shows_receipts).await?;
            second.turn_to_next(servers).await?;
            devices.extend([first, second]);
        }
        let (_, sent) = send_all(devices, usize::MAX).await?;
        let raced: usize = captured.iter().map(Vec::len).sum();
        let expected = Verdicts { created: raced, duplicate: raced, other: 0 };
        ensure!(
            sent.verdicts == expected,
            "{raced} leads were sent twice at once, and got {:?}",
            sent.verdicts
        );
        self.created += raced;
        Ok(())
    }

    fn confirm(&mut self, expect: Expect, sent: &Sent) -> Result<()> {
        expect.check(sent.verdicts)?;
        self.created += sent.verdicts.created;
        Ok(())
    }
}
