//! `export`: what the CRM takes out, from the real server over HTTP, beside `COPY` of the same columns.

mod copy;
mod figures;
mod measure;
mod report;

use std::path::PathBuf;

use anyhow::{Result, ensure};
use clap::Args;

use crate::database::Database;
use crate::fill::Filler;
use crate::machine::Machine;
use crate::program::Server;
use report::Report;

/// `/proc` counts CPU time in steps of 10 ms: with this many leads, a step is 1 µs per lead.
const MIN_LEADS: u64 = 10_000;

/// No spreadsheet holds more rows.
const MAX_LEADS: u64 = 1_048_575;

/// What to measure, and how much of it.
#[derive(Args)]
pub(crate) struct Options {
    /// Leads in the store
    #[arg(long, default_value_t = 1_000_000, value_name = "N")]
    leads: u64,

    /// Rounds, in each of which everything is downloaded once
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
    ensure!(leads <= MAX_LEADS, "--leads {leads}: a spreadsheet holds no more than {MAX_LEADS} rows");
    ensure!(rounds > 0, "--rounds 0: there must be one at least");
    let mut database = Database::start(&options.folder).await?;
    let machine = Machine::look(&mut database).await?;
    eprintln!("filling in {leads} leads");
    let filled = Filler::new()?.fill(&database, leads).await?.filled();
    eprintln!("projecting them");
    let server = Server::start(&database.url(), &database.folder().join("server.log"))?;
    database.projections_caught_up().await?;
    server.stop().await?;
    database.settle().await?;

    let mut measured = Vec::with_capacity(rounds);
    for number in 1..=rounds {
        eprintln!("round {number} of {rounds}");
        measured.push(measure::round(&mut database, filled).await?);
    }
    database.stop().await?;
    let report = Report::new(machine, filled, &measured);
    if options.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        print!("{report}");
    }
    Ok(())
}
