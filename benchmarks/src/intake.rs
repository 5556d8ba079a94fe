//! `intake`: leads over HTTP into the log, beside pgbench inserting the same bytes.
//!
//! A round is a fresh store, so all rounds are alike. In each, pgbench and the devices take turns, so that what
//! else the machine does meets both; a ratio compares two neighbours of one round. Figures are medians over
//! the rounds.

mod figures;
mod report;
mod round;
mod targets;

use anyhow::Result;
use clap::Args;

use crate::common::{self, Common};
use figures::Round;
use report::Report;

/// What to measure, and how much of it.
#[derive(Args)]
pub(crate) struct Options {
    /// Leads per measurement
    #[arg(long, default_value_t = 20_000, value_name = "N")]
    leads: usize,

    /// Leads of the measurement in batches that lasts for seconds
    #[arg(long, default_value_t = 120_000, value_name = "N")]
    sustained: usize,

    /// Rounds, each with a fresh store
    #[arg(long, default_value_t = 3, value_name = "N")]
    rounds: usize,

    /// Devices that stay connected while the server's memory is read
    #[arg(long, default_value_t = 1_000, value_name = "N")]
    connected: usize,

    /// Send no `lastReceipt`: the store then need not look for lost history, as it must for real devices
    #[arg(long)]
    without_receipts: bool,

    /// Let all devices send with one token of `leadlog tokens issue`, and not each with its own
    #[arg(long)]
    with_one_token: bool,

    /// Let the server's projections stand still, as if another process had them
    #[arg(long)]
    without_projections: bool,

    #[command(flatten)]
    common: Common,
}

pub(crate) async fn run(options: &Options) -> Result<()> {
    common::check(options.leads as u64, options.rounds)?;
    let mut machine = None;
    let mut rounds: Vec<Round> = Vec::with_capacity(options.rounds);
    for number in 1..=options.rounds {
        eprintln!("round {number} of {}", options.rounds);
        rounds.push(round::measure(options, &mut machine).await?);
    }
    let Some(machine) = machine else { return Ok(()) };
    let report = Report::new(options, machine, &rounds);
    options.common.print(&report)
}
