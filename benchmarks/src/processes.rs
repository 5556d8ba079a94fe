//! `processes`: one, two and four servers over one database, as behind a load balancer.
//!
//! What it must show first is not speed: that several processes which append, claim and project at the same time keep
//! every lead once, leave no gap, never deadlock, and have right projections in the end.

mod figures;
mod report;
mod round;

use std::path::PathBuf;

use anyhow::{Result, ensure};
use clap::Args;

use report::Report;

/// `/proc` counts CPU time in steps of 10 ms: with this many leads, a step is 1 µs per lead.
const MIN_LEADS: usize = 10_000;

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

    /// Where to put the temporary store: the disk under it is measured
    #[arg(long, value_name = "DIR", default_value_os_t = std::env::temp_dir())]
    folder: PathBuf,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(options: &Options) -> Result<()> {
    let Options { leads, rounds, .. } = *options;
    ensure!(leads >= MIN_LEADS, "--leads {leads}: with fewer than {MIN_LEADS} the CPU times would be noise");
    ensure!(rounds > 0, "--rounds 0: there must be one at least");
    let mut machine = None;
    let mut measured = Vec::with_capacity(rounds);
    for number in 1..=rounds {
        eprintln!("round {number} of {rounds}");
        measured.push(round::measure(options, &mut machine).await?);
    }
    let Some(machine) = machine else { return Ok(()) };
    let report = Report::new(machine, leads, &measured);
    if options.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        print!("{report}");
    }
    Ok(())
}
