//! A device that syncs: sends a batch, reads the verdicts, shows its newest receipt the next time.

use std::fmt::Write;
use std::ops::AddAssign;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use tokio::task::JoinSet;

use crate::connection::{Connection, Reach};

const ROUTE: &str = "/api/leads/sync";

/// Entries that travel together, ready to be sent.
pub(crate) struct Batch {
    entries: usize,
    saved_through: usize,
    json: String,
}

impl Batch {
    /// What one device captured, in batches of at most `size`.
    pub(crate) fn all(captured: &[String], size: usize) -> Vec<Self> {
        let mut saved_through = 0;
        captured
            .chunks(size)
            .map(|entries| {
                saved_through += entries.len();
                Self { entries: entries.len(), saved_through, json: entries.join(",") }
            })
            .collect()
    }
}

/// How many entries got which verdict.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Verdicts {
    pub(crate) created: usize,
    pub(crate) duplicate: usize,
    pub(crate) other: usize,
}

impl Verdicts {
    pub(crate) const fn entries(&self) -> usize {
        self.created + self.duplicate + self.other
    }
}

impl AddAssign for Verdicts {
    fn add_assign(&mut self, more: Self) {
        self.created += more.created;
        self.duplicate += more.duplicate;
        self.other += more.other;
    }
}

/// What the server answers, as far as a device needs it here.
#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow)]
    store: AnsweringStore<'a>,
    lineage: &'a str,
    results: Vec<EntryAnswer<'a>>,
}

#[derive(Deserialize)]
struct AnsweringStore<'a> {
    id: &'a str,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct EntryAnswer<'a> {
    status: &'a str,
    position: u64,
    append_id: &'a str,
}

/// A device with a connection of its own, and what it is going to send.
pub(crate) struct Device {
    name: String,
    connection: Connection,
    batches: Vec<Batch>,
    /// The next batch to send.
    next: usize,
    /// The newest receipt, as the JSON that goes into a request.
    receipt: String,
    shows_receipts: bool,
    preamble: String,
}

impl Device {
    pub(crate) async fn connect(
        name: &str,
        server: Reach,
        batches: Vec<Batch>,
        shows_receipts: bool,
    ) -> Result<Self> {
        Ok(Self {
            name: name.to_owned(),
            connection: Connection::open(server).await?,
            batches,
            next: 0,
            receipt: String::new(),
            shows_receipts,
            preamble: String::new(),
        })
    }

    /// Begins again with its first batch.
    pub(crate) const fn rewind(&mut self) {
        self.next = 0;
    }

    /// Turns to the server behind its own in this list, as behind a load balancer.
    pub(crate) async fn turn_to_next(&mut self, servers: &[Reach]) -> Result<()> {
        let own = self.connection.reach();
        let mut behind = servers.iter().cycle().skip_while(|server| *server != own).skip(1);
        let next = behind.next().context("it is connected to a server of the list")?;
        self.connection = Connection::open(next.clone()).await?;
        Ok(())
    }

    /// Sends up to `limit` batches, one after the other, each when the one before was answered.
    async fn send(&mut self, limit: usize, sent: &mut Sent) -> Result<()> {
        let end = self.batches.len().min(self.next.saturating_add(limit));
        while self.next < end {
            let begun = Instant::now();
            let verdicts = self.sync().await.with_context(|| format!("device {}", self.name))?;
            sent.latencies.push(begun.elapsed());
            sent.verdicts += verdicts;
            self.next += 1;
        }
        Ok(())
    }

    async fn sync(&mut self) -> Result<Verdicts> {
        let batch = &self.batches[self.next];
        self.preamble.clear();
        write!(
            self.preamble,
            r#"{{"sender":"{}","savedThrough":{}{},"entries":["#,
            self.name, batch.saved_through, self.receipt
        )?;
        let parts = [self.preamble.as_bytes(), batch.json.as_bytes(), b"]}"];
        let body = self.connection.post(ROUTE, &parts).await?;
        let answer: Answer<'_> = serde_json::from_slice(body).context("the answer is not as documented")?;
        ensure!(answer.lineage == "intact", "the store says that it lost history");
        ensure!(answer.results.len() == batch.entries, "not one result per entry");
        let mut verdicts = Verdicts::default();
        for result in &answer.results {
            match result.status {
                "created" => verdicts.created += 1,
                "duplicate" => verdicts.duplicate += 1,
                _ => verdicts.other += 1,
            }
        }
        if let (true, Some(newest)) =
            (self.shows_receipts, answer.results.iter().max_by_key(|result| result.position))
        {
            self.receipt.clear();
            write!(
                self.receipt,
                r#","lastReceipt":{{"storeId":"{}","position":{},"appendId":"{}"}}"#,
                answer.store.id, newest.position, newest.append_id
            )?;
        }
        Ok(verdicts)
    }
}

/// What devices sent together.
#[derive(Default)]
pub(crate) struct Sent {
    pub(crate) verdicts: Verdicts,
    /// From the first byte sent to the last byte of the answer read.
    pub(crate) latencies: Vec<Duration>,
}

/// All devices send up to `limit` batches each, at the same time.
pub(crate) async fn send_all(devices: Vec<Device>, limit: usize) -> Result<(Vec<Device>, Sent)> {
    let mut sending = JoinSet::new();
    for mut device in devices {
        sending.spawn(async move {
            let mut sent = Sent::default();
            device.send(limit, &mut sent).await.map(|()| (device, sent))
        });
    }
    let mut devices = Vec::with_capacity(sending.len());
    let mut all = Sent::default();
    while let Some(done) = sending.join_next().await {
        let (device, mut sent) = done??;
        devices.push(device);
        all.verdicts += sent.verdicts;
        all.latencies.append(&mut sent.latencies);
    }
    Ok((devices, all))
}
