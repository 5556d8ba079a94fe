//! What is measured.

use serde::Serialize;

use super::COUNTS;
use crate::figures::Figures;

/// What a number of processes do together.
#[derive(Debug, Clone, Copy, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Together {
    pub(super) processes: usize,
    pub(super) batches: Figures,
    /// Everything again, each time to another process.
    pub(super) resent: Figures,
    pub(super) singles_20: Figures,
    pub(super) singles_200: Figures,
}

/// Every number of processes, once.
pub(super) type Round = [Together; COUNTS.len()];

impl Together {
    /// The median of every figure over the rounds, for the same number of processes.
    pub(super) fn median(all: &[Self]) -> Self {
        let of =
            |figures: fn(&Self) -> Figures| Figures::median(&all.iter().map(figures).collect::<Vec<_>>());
        Self {
            processes: all.first().map_or(0, |it| it.processes),
            batches: of(|it| it.batches),
            resent: of(|it| it.resent),
            singles_20: of(|it| it.singles_20),
            singles_200: of(|it| it.singles_200),
        }
    }
}
