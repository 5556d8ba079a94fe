//! `projections`: what it takes to make leads and contacts from the log, beside pure SQL that makes the same rows.

mod figures;
mod measure;
mod pure_sql;
mod report;

use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Result, ensure};
use clap::Args;

use crate::database::Database;
use crate::fill::Filler;
use crate::machine::Machine;
use report::Report;

/// `/proc` counts CPU time in steps of 10 ms: with this many leads, a step is 1 µs per lead.
const MIN_LEADS: u64 = 10_000;

/// What to measure, and how much of it.
#[derive(Args)]
pub(crate) struct Options {
    /// Leads in the log
    #[arg(long, default_value_t = 1_000_000, value_name = "N")]
    leads: u64,

    /// Rounds, each of which measures everything once, over the same log
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
    let mut database = Database::start(&options.folder).await?;
    let machine = Machine::look(&mut database).await?;
    eprintln!("filling in {leads} leads");
    let begun = Instant::now();
    let filled = Filler::new()?.fill(&database, leads).await?.filled();
    let filling_seconds = begun.elapsed().as_secs_f64();
    eprintln!("  {filling_seconds:.1} s");

    let mut measured = Vec::with_capacity(rounds);
    for number in 1..=rounds {
        eprintln!("round {number} of {rounds}");
        measured.push(measure::round(&mut database, filled).await?);
    }
    database.stop().await?;
    let report = Report::new(machine, filled, filling_seconds, &measured);
    if options.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        print!("{report}");
    }
    Ok(())
}
