//! `export`: what the CRM takes out, from the real server over HTTP, beside `COPY` of the same columns.

mod copy;
mod figures;
mod measure;
mod report;

use anyhow::{Result, ensure};
use clap::Args;

use crate::common::{self, Common};
use crate::database::Database;
use crate::fill::Filler;
use crate::machine::Machine;
use crate::program::Server;
use report::Report;

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

    #[command(flatten)]
    common: Common,
}

pub(crate) async fn run(options: &Options) -> Result<()> {
    let Options { leads, rounds, .. } = *options;
    common::check(leads, rounds)?;
    ensure!(leads <= MAX_LEADS, "--leads {leads}: a spreadsheet holds no more than {MAX_LEADS} rows");
    let mut database = Database::start(&options.common.folder).await?;
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
    options.common.print(&report)
}
