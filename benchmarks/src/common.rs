//! What every benchmark can be told, and how it tells what it found.

use std::fmt::Display;
use std::path::PathBuf;

use anyhow::{Result, ensure};
use clap::Args;
use serde::Serialize;

/// `/proc` counts CPU time in steps of 10 ms: with this many leads, a step is 1 µs per lead.
const MIN_LEADS: u64 = 10_000;

/// Where the store is, and how the report looks.
#[derive(Args)]
pub(crate) struct Common {
    /// Where to put the temporary store: the disk under it is measured
    #[arg(long, value_name = "DIR", default_value_os_t = std::env::temp_dir())]
    pub(crate) folder: PathBuf,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Common {
    pub(crate) fn print(&self, report: &(impl Display + Serialize)) -> Result<()> {
        if self.json {
            println!("{}", serde_json::to_string_pretty(report)?);
        } else {
            print!("{report}");
        }
        Ok(())
    }
}

/// Refuses a run whose figures would say nothing.
pub(crate) fn check(leads: u64, rounds: usize) -> Result<()> {
    ensure!(leads >= MIN_LEADS, "--leads {leads}: with fewer than {MIN_LEADS} the CPU times would be noise");
    ensure!(rounds > 0, "--rounds 0: there must be one at least");
    Ok(())
}
