//! Measures the released programs against the limit of the machine they run on.
//!
//! One subcommand per benchmark. `docs/performance.md` says how each measures, and what it has shown.

mod admission;
mod common;
mod connection;
mod database;
mod device;
mod download;
mod export;
mod figures;
mod fill;
mod growth;
mod intake;
mod leads;
mod load;
mod machine;
mod markdown;
mod pgbench;
mod processes;
mod program;
mod projections;
mod statistics;
mod store;
mod usage;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "benchmarks", about = "Measures Leadlog against the limit of this machine")]
struct Cli {
    #[command(subcommand)]
    benchmark: Benchmark,
}

#[derive(Subcommand)]
enum Benchmark {
    /// Leads over HTTP into the log, beside pgbench inserting the same bytes
    Intake(intake::Options),
    /// What the size of the store does to intake, e-mail checks, projections and exports
    Growth(growth::Options),
    /// Downloads of all leads and contacts, beside `COPY` of the same columns
    Export(export::Options),
    /// One, two and four servers over one database
    Processes(processes::Options),
    /// Leads and contacts made from the whole log, beside pure SQL that makes the same rows
    Projections(projections::Options),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(&cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("benchmarks: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: &Cli) -> anyhow::Result<()> {
    // One thread: the load must leave the cores to what is measured. pgbench has one as well.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        // Dropping the benchmark stops what it has started.
        tokio::select! {
            done = async { match &cli.benchmark {
                Benchmark::Intake(options) => intake::run(options).await,
                Benchmark::Export(options) => export::run(options).await,
                Benchmark::Growth(options) => growth::run(options).await,
                Benchmark::Processes(options) => processes::run(options).await,
                Benchmark::Projections(options) => projections::run(options).await,
            } } => done,
            _ = tokio::signal::ctrl_c() => anyhow::bail!("interrupted"),
        }
    })
}
