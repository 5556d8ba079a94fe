//! The result, as a table and as JSON.

use std::fmt;

use serde::Serialize;

use super::costs::{Costs, STEPS, allowed_growth};
use crate::machine::Machine;
use crate::markdown::{Table, hundredths, spread, whole};

/// Everything that a run has to say.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Report {
    machine: Machine,
    leads_per_intake: usize,
    /// Medians over the rounds, from the smallest store to the largest.
    median: Vec<Costs>,
    rounds: Vec<Vec<Costs>>,
}

impl Report {
    pub(super) fn new(machine: Machine, leads: usize, rounds: &[Vec<Costs>]) -> Self {
        let sizes = rounds.first().map_or(0, Vec::len);
        let median =
            |place: usize| Costs::median(&rounds.iter().map(|round| round[place]).collect::<Vec<_>>());
        Self {
            machine,
            leads_per_intake: leads,
            median: (0..sizes).map(median).collect(),
            rounds: rounds.to_vec(),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.machine)?;
        writeln!(
            f,
            "{} leads per measurement of the intake; median of {} round(s)\n",
            self.leads_per_intake,
            self.rounds.len()
        )?;
        let (Some(smallest), Some(largest)) = (self.median.first(), self.median.last()) else {
            return Ok(());
        };
        let mut columns: Vec<String> =
            self.median.iter().map(|costs| format!("{} events", whole(costs.events as f64))).collect();
        columns.extend(["growth of the cost", "its logarithm's", "target"].map(str::to_owned));
        let mut table = Table::new(&columns);
        let allowed = allowed_growth(smallest, largest);
        for step in STEPS {
            let mut cells: Vec<String> =
                self.median.iter().map(|costs| (step.shown)((step.value)(costs))).collect();
            let growths: Vec<f64> = self
                .rounds
                .iter()
                .filter_map(|round| Some(step.growth(round.first()?, round.last()?)))
                .collect();
            let verdict =
                if crate::statistics::median(growths.iter().copied()) <= allowed { "met" } else { "MISSED" };
            cells.extend([spread(&growths), hundredths(allowed), verdict.to_owned()]);
            table.row(step.name, &cells);
        }
        write!(f, "{table}")
    }
}
