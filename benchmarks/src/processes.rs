//! `processes`: one, two and four servers over one database, as behind a load balancer.
//!
//! What it must show first is not speed: that several processes which append, claim and project at the same time keep
//! every lead once, leave no gap, never deadlock, and have right projections in the end.

mod figures;
mod report;
mod round;

use anyhow::Result;
use clap::Args;

use crate::common::{self, Common};
use report::Report;

/// How many servers.
const COUNTS: [usize; 3] = [1, 2, 4];

/// What to measure, and how much of it.
#[derive(Args)]
pub(crate) struct Options {
    /// Leads per measurement
    #[arg(long, default_value_t = 20_000, value_name = "N")]
    leads: usize,

    /// Rounds, in each of which 1, 2 and 4 processes get a fresh store each
    #[arg(long, default_value_t = 3, value_name = "N")]
    rounds: usize,

    #[command(flatten)]
    common: Common,
}

pub(crate) async fn run(options: &Options) -> Result<()> {
    let Options { leads, rounds, .. } = *options;
    common::check(leads as u64, rounds)?;
    let mut machine = None;
    let mut measured = Vec::with_capacity(rounds);
    for number in 1..=rounds {
        eprintln!("round {number} of {rounds}");
        measured.push(round::measure(options, &mut machine).await?);
    }
    let Some(machine) = machine else { return Ok(()) };
    let report = Report::new(machine, leads, &measured);
    options.common.print(&report)
}
