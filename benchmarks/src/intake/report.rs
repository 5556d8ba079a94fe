//! The result, as text and as JSON.

use std::fmt;

use serde::Serialize;

use super::Options;
use super::figures::Round;
use super::targets::{self, Bound, Target};
use crate::figures::Figures;
use crate::machine::Machine;

/// Everything that a run has to say.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Report {
    machine: Machine,
    leads: usize,
    sustained: usize,
    connected: usize,
    with_receipts: bool,
    with_projections: bool,
    /// Medians over the rounds.
    median: Round,
    targets: Vec<Target>,
    rounds: Vec<Round>,
}

impl Report {
    pub(crate) fn new(options: &Options, machine: Machine, rounds: &[Round]) -> Self {
        Self {
            machine,
            leads: options.leads,
            sustained: options.sustained,
            connected: options.connected,
            with_receipts: !options.without_receipts,
            with_projections: !options.without_projections,
            median: Round::median(rounds),
            targets: targets::all(rounds),
            rounds: rounds.to_vec(),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.machine)?;
        writeln!(
            f,
            "{} leads per measurement, {} sustained, median of {} round(s), receipts {}, projections {}\n",
            self.leads,
            self.sustained,
            self.rounds.len(),
            on(self.with_receipts),
            on(self.with_projections)
        )?;
        writeln!(
            f,
            "{:<34}{:>9}{:>9}{:>9}{:>10}{:>9}{:>9}{:>9}{:>9}",
            "", "leads/s", "p50 ms", "p99 ms", "postgres", "server", "both", "after", "client"
        )?;
        let median = &self.median;
        for (name, figures) in [
            ("pgbench, 50 a commit, 20 clients", &median.pgbench_batches),
            ("leadlog, batches of 50, 20 devices", &median.batches),
            ("leadlog, the same re-sent", &median.resent),
            ("leadlog, batches of 50, sustained", &median.sustained),
            ("pgbench, 1 a commit, 20 clients", &median.pgbench_20),
            ("leadlog, single, 20 in flight", &median.singles_20),
            ("pgbench, 1 a commit, 200 clients", &median.pgbench_200),
            ("leadlog, single, 200 in flight", &median.singles_200),
        ] {
            write_figures(f, name, figures)?;
        }
        writeln!(
            f,
            "{:<34}{:>9}{:>9}{:>9}{:>55}",
            "", "", "", "", "CPU µs per lead; after = until projected"
        )?;
        writeln!(
            f,
            "\nserver memory: {:.1} MiB resident with {} devices connected, peak {:.1} MiB\n",
            median.resident_mib, self.connected, median.peak_mib
        )?;
        for target in &self.targets {
            let (sign, limit) = match target.bound {
                Bound::AtLeast(limit) => (">=", limit),
                Bound::AtMost(limit) => ("<=", limit),
            };
            let verdict = if target.is_met { "met" } else { "MISSED" };
            writeln!(
                f,
                "{:<74}{:>7.2}  ({:.2} to {:.2})  target {sign} {limit:<5} {verdict}",
                target.name, target.measured, target.low, target.high
            )?;
        }
        Ok(())
    }
}

fn write_figures(f: &mut fmt::Formatter<'_>, name: &str, it: &Figures) -> fmt::Result {
    write!(
        f,
        "{name:<34}{:>9.0}{:>9.2}{:>9.2}{:>10.1}",
        it.leads_per_second, it.p50_ms, it.p99_ms, it.postgres_us
    )?;
    if it.server_us == 0.0 {
        return writeln!(f);
    }
    writeln!(f, "{:>9.1}{:>9.1}{:>9.1}{:>9.1}", it.server_us, it.total_us(), it.afterwards_us, it.load_us)
}

const fn on(is_on: bool) -> &'static str {
    if is_on { "on" } else { "off" }
}
