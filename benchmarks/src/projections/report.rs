//! The result, as a table and as JSON.

use std::fmt;

use serde::Serialize;

use super::figures::{Figures, Round};
use crate::fill::Filled;
use crate::machine::Machine;
use crate::markdown::{Table, spread, tenths, whole};

/// Everything that a run has to say.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Report {
    machine: Machine,
    leads: u64,
    events: u64,
    contacts: u64,
    /// How long it took to fill the store; nothing of the product is measured by it.
    filling_seconds: f64,
    /// Medians over the rounds.
    median: Round,
    rounds: Vec<Round>,
}

type FiguresOf = fn(&Round) -> Figures;

impl Report {
    pub(super) fn new(machine: Machine, filled: Filled, filling_seconds: f64, rounds: &[Round]) -> Self {
        Self {
            machine,
            leads: filled.leads,
            events: filled.events,
            contacts: filled.contacts(),
            filling_seconds,
            median: Round::median(rounds),
            rounds: rounds.to_vec(),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.machine)?;
        writeln!(
            f,
            "{} leads, {} events, {} contacts; median of {} round(s); filled in {:.1} s\n",
            self.leads,
            self.events,
            self.contacts,
            self.rounds.len(),
            self.filling_seconds
        )?;
        let mut table = Table::new(&[
            "leads/s",
            "seconds",
            "program µs",
            "PostgreSQL µs",
            "both µs",
            "time / pure SQL",
            "CPU / pure SQL",
        ]);
        let ways: [(&str, FiguresOf); 4] = [
            ("pure SQL: leads and contacts", |it| it.pure_sql),
            ("the server catches up from nothing: all projections", |it| it.catch_up),
            ("`leadlog projections rebuild leads`", |it| it.rebuild),
            ("`leadlog projections verify`: all projections", |it| it.verify),
        ];
        for (name, figures_of) in ways {
            let figures = figures_of(&self.median);
            let ratio = |of: fn(&Figures) -> f64| {
                let ratios = self.rounds.iter().map(|it| of(&figures_of(it)) / of(&it.pure_sql));
                spread(&ratios.collect::<Vec<_>>())
            };
            table.row(
                name,
                &[
                    whole(figures.leads_per_second),
                    tenths(figures.seconds),
                    figures.program_us.map(tenths).unwrap_or_default(),
                    tenths(figures.postgres_us),
                    tenths(figures.total_us()),
                    ratio(|it| it.seconds),
                    ratio(Figures::total_us),
                ],
            );
        }
        write!(f, "{table}")
    }
}
