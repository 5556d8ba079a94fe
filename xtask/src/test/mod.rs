//! Every check and every test, in stages. A failed stage does not keep the later ones from running, unless
//! they need what it makes. The last line is the sum of all counts.

mod architecture;
mod counts;
mod policy;
mod stages;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Result;
use clap::Args;

use crate::steps::seconds;
use crate::workspace::Workspace;
use counts::Counts;
use stages::{STAGES, Stage};

/// What `cargo xtask test` takes.
#[derive(Args)]
#[command(after_help = stages::help())]
pub(crate) struct Options {
    /// Only these stages, with commas between them
    #[arg(long, value_name = "STAGE", value_delimiter = ',', value_parser = stages::names())]
    only: Vec<String>,

    /// Also open the exports in LibreOffice, which is large and is installed if it may be
    #[arg(long)]
    office: bool,
}

enum Outcome {
    Ran(Counts),
    /// It needs what this stage should have made.
    Skipped(&'static str),
}

pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<ExitCode> {
    let wanted = |stage: &&Stage| {
        let is_named = options.only.iter().any(|name| name == stage.name);
        let is_usual = options.only.is_empty() && !stage.is_extra;
        is_named || is_usual || (stage.is_extra && options.office)
    };
    let mut done: Vec<(&Stage, Outcome, Duration)> = Vec::new();
    for stage in STAGES.iter().filter(wanted) {
        let begun = Instant::now();
        let outcome = match missing_need(stage, &done) {
            Some(need) => Outcome::Skipped(need),
            None => Outcome::Ran(run_stage(workspace, stage)),
        };
        done.push((stage, outcome, begun.elapsed()));
    }
    println!();
    let mut total = Counts::default();
    for (stage, outcome, time) in &done {
        let (counts, why) = match outcome {
            Outcome::Ran(counts) => (*counts, String::new()),
            Outcome::Skipped(need) => {
                (Counts { skipped: 1, ..Counts::default() }, format!(" (needs {need})"))
            }
        };
        println!("{:<14}{:>13}  {counts}{why}", stage.name, seconds(*time));
        total = total + counts;
    }
    println!("\n{total}");
    Ok(if total.failed > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn run_stage(workspace: &Workspace, stage: &Stage) -> Counts {
    println!("\n── {}: {}", stage.name, stage.about);
    match (stage.run)(workspace) {
        Ok(counts) if counts == Counts::default() => {
            println!("✗ {}: ran no test", stage.name);
            Counts::ONE_FAILED
        }
        Ok(counts) => counts,
        Err(error) => {
            println!("✗ {}: {error:#}", stage.name);
            Counts::ONE_FAILED
        }
    }
}

fn missing_need(stage: &Stage, done: &[(&Stage, Outcome, Duration)]) -> Option<&'static str> {
    let succeeded = |outcome: &Outcome| matches!(outcome, Outcome::Ran(counts) if counts.failed == 0);
    let failed =
        done.iter().find(|(earlier, outcome, _)| stage.needs.contains(&earlier.name) && !succeeded(outcome));
    failed.map(|(earlier, _, _)| earlier.name)
}
