//! `growth`: what a store's size does to the steps that people wait for. No step may cost more than the logarithm of
//! the number of events.

mod costs;
mod measure;
mod report;

use anyhow::{Result, ensure};
use clap::Args;

use crate::common::{self, Common};
use crate::database::Database;
use crate::machine::Machine;
use report::Report;

/// Three pages of the log.
const MIN_SIZE: u64 = 3_000;

/// What `--full` adds.
const FULL_SIZE: u64 = 10_000_000;

/// What to measure, and how much of it.
#[derive(Args)]
pub(crate) struct Options {
    /// Leads in the store, from the smallest to the largest
    #[arg(long, value_name = "N,…", value_delimiter = ',', default_values_t = [10_000, 1_000_000])]
    sizes: Vec<u64>,

    /// Measure with 10,000,000 leads, too: half an hour more at least, and about 40 GB of disk
    #[arg(long)]
    full: bool,

    /// Leads that devices send at each size
    #[arg(long, default_value_t = 10_000, value_name = "N")]
    leads: usize,

    /// Rounds, each with a fresh store that grows
    #[arg(long, default_value_t = 1, value_name = "N")]
    rounds: usize,

    #[command(flatten)]
    common: Common,
}

pub(crate) async fn run(options: &Options) -> Result<()> {
    let Options { leads, rounds, .. } = *options;
    common::check(leads as u64, rounds)?;
    let mut sizes = options.sizes.clone();
    sizes.extend(options.full.then_some(FULL_SIZE));
    ensure!(sizes.len() > 1, "--sizes: there must be two at least, to compare");
    ensure!(sizes.is_sorted_by(|a, b| a < b), "--sizes {sizes:?}: each must be larger than the one before");
    ensure!(sizes[0] >= MIN_SIZE, "--sizes {sizes:?}: the smallest must be {MIN_SIZE} at least");

    let mut machine = None;
    let mut measured = Vec::with_capacity(rounds);
    for number in 1..=rounds {
        eprintln!("round {number} of {rounds}");
        let mut database = Database::start(&options.common.folder).await?;
        if machine.is_none() {
            machine = Some(Machine::look(&mut database).await?);
        }
        measured.push(measure::round(database, &sizes, leads).await?);
    }
    let Some(machine) = machine else { return Ok(()) };
    let report = Report::new(machine, leads, &measured);
    options.common.print(&report)
}
