//! `intake`: leads over HTTP into the log, beside pgbench inserting the same bytes.
//!
//! A round is a fresh store, so all rounds are alike. In each, pgbench and the devices take turns, so that what
//! else the machine does meets both; a ratio compares two neighbours of one round. Figures are medians over
//! the rounds.

mod figures;
mod report;
mod round;
mod targets;

use std::path::PathBuf;

use anyhow::{Result, ensure};
use clap::Args;

use figures::Round;
use report::Report;

/// `/proc` counts CPU time in steps of 10 ms: with this many leads, a step is 1 µs per lead.
const MIN_LEADS: usize = 10_000;

/// What to measure, and how much of it.
#[derive(Args)]
pub(crate) struct Options {
    /// Leads per measurement
    #[arg(long, default_value_t = 20_000, value_name = "N")]
    leads: usize,

    /// Rounds, each with a fresh store
    #[arg(long, default_value_t = 3, value_name = "N")]
    rounds: usize,

    /// Devices that stay connected while the server's memory is read
    #[arg(long, default_value_t = 1_000, value_name = "N")]
    connected: usize,

    /// Send no `lastReceipt`: the store then need not look for lost history, as it must for real devices
    #[arg(long)]
    without_receipts: bool,

    /// Let the server's projections stand still, as if another process had them
    #[arg(long)]
    without_projections: bool,

    /// Where to put the temporary store: the disk under it is measured
    #[arg(long, value_name = "DIR", default_value_os_t = std::env::temp_dir())]
    folder: PathBuf,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(options: &Options) -> Result<()> {
    ensure!(
        options.leads >= MIN_LEADS,
        "--leads {}: with fewer than {MIN_LEADS} the CPU times would be noise",
        options.leads
    );
    ensure!(options.rounds > 0, "at least one round");
    let mut machine = None;
    let mut rounds: Vec<Round> = Vec::with_capacity(options.rounds);
    for number in 1..=options.rounds {
        eprintln!("round {number} of {}", options.rounds);
        rounds.push(round::measure(options, &mut machine).await?);
    }
    let Some(machine) = machine else { return Ok(()) };
    let report = Report::new(options, machine, &rounds);
    if options.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        print!("{report}");
    }
    Ok(())
}
