//! What the intake is to reach, as ratios to pgbench in the same round.

use serde::Serialize;

use super::figures::Round;
use crate::statistics::median;

/// A target, and where the run stands.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Target {
    pub(crate) name: &'static str,
    pub(crate) measured: f64,
    /// The lowest and the highest of the rounds.
    pub(crate) low: f64,
    pub(crate) high: f64,
    pub(crate) bound: Bound,
    pub(crate) is_met: bool,
}

/// What is good enough.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Bound {
    AtLeast(f64),
    AtMost(f64),
}

impl Bound {
    fn is_met_by(self, value: f64) -> bool {
        match self {
            Self::AtLeast(limit) => value >= limit,
            Self::AtMost(limit) => value <= limit,
        }
    }
}

/// All targets, each by the median over the rounds of its ratio.
pub(crate) fn all(rounds: &[Round]) -> Vec<Target> {
    let target = |name, bound: Bound, value: fn(&Round) -> f64| {
        let values: Vec<f64> = rounds.iter().map(value).collect();
        let measured = median(values.iter().copied());
        Target {
            name,
            measured,
            low: values.iter().copied().fold(f64::INFINITY, f64::min),
            high: values.iter().copied().fold(0.0, f64::max),
            bound,
            is_met: bound.is_met_by(measured),
        }
    };
    vec![
        target("batches of 50: CPU until projected / pgbench's PostgreSQL", Bound::AtMost(2.0), |it| {
            it.batches.settled_us() / it.pgbench_batches.postgres_us
        }),
        target("batches of 50: rate / pgbench", Bound::AtLeast(0.45), |it| {
            it.batches.leads_per_second / it.pgbench_batches.leads_per_second
        }),
        target("single, 20 in flight: rate / pgbench", Bound::AtLeast(0.7), |it| {
            it.singles_20.leads_per_second / it.pgbench_20.leads_per_second
        }),
        target(
            "single, 20 in flight: CPU until projected / pgbench's PostgreSQL",
            Bound::AtMost(1.0),
            |it| it.singles_20.settled_us() / it.pgbench_20.postgres_us,
        ),
        target("single, 200 in flight: rate / pgbench with 20 clients", Bound::AtLeast(1.5), |it| {
            it.singles_200.leads_per_second / it.pgbench_20.leads_per_second
        }),
        target("everything re-sent: rate / new", Bound::AtLeast(1.0), |it| {
            it.resent.leads_per_second / it.batches.leads_per_second
        }),
        target("peak memory of the server, MiB, of the whole round", Bound::AtMost(64.0), |it| it.peak_mib),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::Figures;

    #[test]
    fn a_target_is_judged_by_the_median_of_its_ratios() {
        let round = |resent: f64| Round {
            batches: Figures { leads_per_second: 100.0, ..Figures::default() },
            resent: Figures { leads_per_second: resent, ..Figures::default() },
            ..Round::default()
        };
        let resent = |rounds: &[Round]| {
            let targets = all(rounds);
            *targets.iter().find(|target| target.name.starts_with("everything re-sent")).unwrap()
        };
        let met = resent(&[round(90.0), round(110.0), round(500.0)]);
        assert_eq!((met.measured, met.low, met.high, met.is_met), (1.1, 0.9, 5.0, true));
        assert!(!resent(&[round(90.0)]).is_met);
    }
}
