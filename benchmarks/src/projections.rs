//! `projections`: what it takes to make leads and contacts from the log, beside pure SQL that makes the same rows.

mod figures;
mod measure;
mod pure_sql;
mod report;

use std::time::Instant;

use anyhow::Result;
use clap::Args;

use crate::common::{self, Common};
use crate::database::Database;
use crate::fill::Filler;
use crate::machine::Machine;
use report::Report;

/// What to measure, and how much of it.
#[derive(Args)]
pub(crate) struct Options {
    /// Leads in the log
    #[arg(long, default_value_t = 1_000_000, value_name = "N")]
    leads: u64,

    /// Rounds, each of which measures everything once, over the same log
    #[arg(long, default_value_t = 3, value_name = "N")]
    rounds: usize,

    #[command(flatten)]
    common: Common,
}

pub(crate) async fn run(options: &Options) -> Result<()> {
    let Options { leads, rounds, .. } = *options;
    common::check(leads, rounds)?;
    let mut database = Database::start(&options.common.folder).await?;
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
    options.common.print(&report)
}
