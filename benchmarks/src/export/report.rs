//! The result, as a table and as JSON.

use std::fmt;

use serde::Serialize;

use super::figures::{Figures, Round};
use crate::fill::Filled;
use crate::machine::Machine;
use crate::markdown::{Table, hundredths, spread, tenths, whole};

/// The memory that a download may cost, whatever it holds.
const MEMORY_GROWTH_TARGET_MIB: f64 = 64.0;

/// Everything that a run has to say.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Report {
    machine: Machine,
    leads: u64,
    contacts: u64,
    memory_growth_target_mib: f64,
    /// The largest of all downloads.
    largest_memory_growth_mib: f64,
    /// Medians over the rounds.
    median: Round,
    rounds: Vec<Round>,
}

type FiguresOf = fn(&Round) -> Figures;

/// The rows of the table, each with its ruler.
const FILES: [(&str, FiguresOf, FiguresOf); 6] = [
    ("`COPY` of leads", |it| it.copy_leads, |it| it.copy_leads),
    ("`leads.csv`", |it| it.leads_csv, |it| it.copy_leads),
    ("`leads.ndjson`", |it| it.leads_ndjson, |it| it.copy_leads),
    ("`leads.xlsx`", |it| it.leads_xlsx, |it| it.copy_leads),
    ("`COPY` of contacts", |it| it.copy_contacts, |it| it.copy_contacts),
    ("`contacts.csv`", |it| it.contacts_csv, |it| it.copy_contacts),
];

impl Report {
    pub(super) fn new(machine: Machine, filled: Filled, rounds: &[Round]) -> Self {
        let growths = rounds.iter().flat_map(|round| FILES.map(|(_, of, _)| of(round).memory_growth_mib));
        Self {
            machine,
            leads: filled.leads,
            contacts: filled.contacts(),
            memory_growth_target_mib: MEMORY_GROWTH_TARGET_MIB,
            largest_memory_growth_mib: growths.flatten().fold(0.0, f64::max),
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
            "{} leads, {} contacts; median of {} round(s)\n",
            self.leads,
            self.contacts,
            self.rounds.len()
        )?;
        let mut table = Table::new(&[
            "rows/s",
            "seconds",
            "first byte s",
            "MiB",
            "server µs",
            "PostgreSQL µs",
            "both µs",
            "memory + MiB",
            "time / `COPY`",
            "CPU / `COPY`",
        ]);
        for (name, figures_of, ruler_of) in FILES {
            let figures = figures_of(&self.median);
            let ratio = |of: fn(&Figures) -> f64| {
                let ratios = self.rounds.iter().map(|it| of(&figures_of(it)) / of(&ruler_of(it)));
                spread(&ratios.collect::<Vec<_>>())
            };
            table.row(
                name,
                &[
                    whole(figures.rows_per_second),
                    tenths(figures.seconds),
                    hundredths(figures.first_byte_seconds),
                    whole(figures.mib),
                    figures.server_us.map(tenths).unwrap_or_default(),
                    tenths(figures.postgres_us),
                    tenths(figures.total_us()),
                    figures.memory_growth_mib.map(tenths).unwrap_or_default(),
                    ratio(|it| it.seconds),
                    ratio(Figures::total_us),
                ],
            );
        }
        let growth = self.largest_memory_growth_mib;
        let verdict = if growth <= MEMORY_GROWTH_TARGET_MIB { "met" } else { "MISSED" };
        writeln!(f, "{table}")?;
        writeln!(
            f,
            "peak memory of the server grows by at most {growth:.1} MiB; target <= {MEMORY_GROWTH_TARGET_MIB:.0} {verdict}"
        )
    }
}
