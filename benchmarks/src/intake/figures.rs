//! What a round of the intake shows.

use serde::Serialize;

use crate::figures::Figures;
use crate::statistics::median;

/// One round.
#[derive(Debug, Clone, Copy, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Round {
    pub(crate) pgbench_batches: Figures,
    pub(crate) batches: Figures,
    pub(crate) resent: Figures,
    /// Batches for longer than the projections let events gather.
    pub(crate) sustained: Figures,
    pub(crate) pgbench_20: Figures,
    pub(crate) singles_20: Figures,
    pub(crate) pgbench_200: Figures,
    pub(crate) singles_200: Figures,
    /// Memory of the server, in MiB: resident while all devices are connected, and the most it ever was.
    pub(crate) resident_mib: f64,
    pub(crate) peak_mib: f64,
}

impl Round {
    /// The median of every figure.
    pub(crate) fn median(rounds: &[Self]) -> Self {
        let of =
            |figures: fn(&Self) -> Figures| Figures::median(&rounds.iter().map(figures).collect::<Vec<_>>());
        Self {
            pgbench_batches: of(|it| it.pgbench_batches),
            batches: of(|it| it.batches),
            resent: of(|it| it.resent),
            sustained: of(|it| it.sustained),
            pgbench_20: of(|it| it.pgbench_20),
            singles_20: of(|it| it.singles_20),
            pgbench_200: of(|it| it.pgbench_200),
            singles_200: of(|it| it.singles_200),
            resident_mib: median(rounds.iter().map(|it| it.resident_mib)),
            peak_mib: median(rounds.iter().map(|it| it.peak_mib)),
        }
    }
}
