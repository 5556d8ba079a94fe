//! The result, as a table and as JSON.

use std::fmt;

use serde::Serialize;

use super::COUNTS;
use super::figures::{Round, Together};
use crate::figures::Figures;
use crate::machine::Machine;
use crate::markdown::{Table, hundredths, spread, tenths, whole};

/// Everything that a run has to say.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Report {
    machine: Machine,
    leads: usize,
    /// Medians over the rounds.
    median: Vec<Together>,
    rounds: Vec<Round>,
}

type FiguresOf = fn(&Together) -> Figures;

impl Report {
    pub(super) fn new(machine: Machine, leads: usize, rounds: &[Round]) -> Self {
        let median =
            |place: usize| Together::median(&rounds.iter().map(|round| round[place]).collect::<Vec<_>>());
        Self { machine, leads, median: (0..COUNTS.len()).map(median).collect(), rounds: rounds.to_vec() }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.machine)?;
        writeln!(f, "{} leads per measurement, median of {} round(s)\n", self.leads, self.rounds.len())?;
        let mut table = Table::new(&[
            "processes",
            "leads/s",
            "p50 ms",
            "p99 ms",
            "servers µs",
            "PostgreSQL µs",
            "both µs",
            "after µs",
            "rate / one process",
            "CPU / one process",
        ]);
        let loads: [(&str, FiguresOf); 4] = [
            ("batches of 50, 20 devices", |it| it.batches),
            ("the same re-sent, each to another process", |it| it.resent),
            ("single, 20 in flight", |it| it.singles_20),
            ("single, 200 in flight", |it| it.singles_200),
        ];
        for (name, figures_of) in loads {
            for (place, median) in self.median.iter().enumerate() {
                let figures = figures_of(median);
                let ratio = |of: fn(&Figures) -> f64| {
                    let ratios =
                        self.rounds.iter().map(|it| of(&figures_of(&it[place])) / of(&figures_of(&it[0])));
                    spread(&ratios.collect::<Vec<_>>())
                };
                table.row(
                    if place == 0 { name } else { "" },
                    &[
                        median.processes.to_string(),
                        whole(figures.leads_per_second),
                        hundredths(figures.p50_ms),
                        hundredths(figures.p99_ms),
                        tenths(figures.server_us),
                        tenths(figures.postgres_us),
                        tenths(figures.total_us()),
                        tenths(figures.afterwards_us),
                        ratio(|it| it.leads_per_second),
                        ratio(Figures::total_us),
                    ],
                );
            }
        }
        writeln!(f, "{table}")?;
        writeln!(
            f,
            "every lead is in the log once, without a gap or a deadlock; every projection holds what the log gives"
        )
    }
}
