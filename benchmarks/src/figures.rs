//! What a way of storing leads costs.

use std::time::Duration;

use serde::Serialize;

use crate::statistics::{median, percentile_ms};

/// One way of storing leads, measured.
#[derive(Debug, Clone, Copy, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Figures {
    pub(crate) leads_per_second: f64,
    /// Latency of a request, or of a transaction of pgbench, each sent when the one before was answered.
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    /// CPU time per lead, until the last answer.
    pub(crate) postgres_us: f64,
    pub(crate) server_us: f64,
    /// Of the load generator, which takes its part of the machine.
    pub(crate) load_us: f64,
    /// CPU time per lead of server and PostgreSQL from the last answer until the projections have caught up.
    pub(crate) afterwards_us: f64,
}

impl Figures {
    /// Rate and latencies; CPU times are added by whoever has them.
    pub(crate) fn of(leads_per_second: f64, mut latencies: Vec<Duration>) -> Self {
        latencies.sort_unstable();
        Self {
            leads_per_second,
            p50_ms: percentile_ms(&latencies, 50),
            p99_ms: percentile_ms(&latencies, 99),
            ..Self::default()
        }
    }

    /// CPU time of server and PostgreSQL per lead, in microseconds, until the last answer.
    pub(crate) fn total_us(&self) -> f64 {
        self.server_us + self.postgres_us
    }

    /// The same until the projections have caught up: what a lead costs in the end.
    pub(crate) fn settled_us(&self) -> f64 {
        self.total_us() + self.afterwards_us
    }

    /// The median of each figure.
    pub(crate) fn median(all: &[Self]) -> Self {
        let of = |figure: fn(&Self) -> f64| median(all.iter().map(figure));
        Self {
            leads_per_second: of(|it| it.leads_per_second),
            p50_ms: of(|it| it.p50_ms),
            p99_ms: of(|it| it.p99_ms),
            postgres_us: of(|it| it.postgres_us),
            server_us: of(|it| it.server_us),
            load_us: of(|it| it.load_us),
            afterwards_us: of(|it| it.afterwards_us),
        }
    }
}

/// Microseconds for each of so many.
pub(crate) fn us_each(time: Duration, count: usize) -> f64 {
    time.as_secs_f64() * 1e6 / count as f64
}
