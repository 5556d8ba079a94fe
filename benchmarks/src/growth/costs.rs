//! What the steps cost at one size, and whether that grows too fast.

use serde::Serialize;

use crate::markdown::{hundredths, tenths, whole};
use crate::statistics::median;

/// What the steps cost in a store with this many events.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Costs {
    pub(super) events: u64,
    pub(super) intake_leads_per_second: f64,
    /// CPU time of server and PostgreSQL, until the projections have caught up.
    pub(super) intake_us: f64,
    pub(super) known_email_p50_ms: f64,
    pub(super) known_email_p99_ms: f64,
    pub(super) unknown_email_p50_ms: f64,
    pub(super) unknown_email_p99_ms: f64,
    pub(super) first_page_ms: f64,
    pub(super) middle_page_ms: f64,
    pub(super) last_page_ms: f64,
    pub(super) export_ms_per_1000_rows: f64,
}

/// A row of the table.
pub(super) struct Step {
    pub(super) name: &'static str,
    pub(super) value: fn(&Costs) -> f64,
    pub(super) shown: fn(f64) -> String,
    /// A rate costs more when it is lower.
    is_rate: bool,
}

impl Step {
    const fn cost(name: &'static str, value: fn(&Costs) -> f64, shown: fn(f64) -> String) -> Self {
        Self { name, value, shown, is_rate: false }
    }

    /// How many times as much the step costs in the larger store.
    pub(super) fn growth(&self, smaller: &Costs, larger: &Costs) -> f64 {
        let ratio = (self.value)(larger) / (self.value)(smaller);
        if self.is_rate { 1.0 / ratio } else { ratio }
    }
}

/// Every step.
pub(super) const STEPS: [Step; 10] = [
    Step {
        name: "intake, batches of 50 from 20 devices: leads/s",
        value: |it| it.intake_leads_per_second,
        shown: whole,
        is_rate: true,
    },
    Step::cost("intake: CPU until projected, µs per lead", |it| it.intake_us, tenths),
    Step::cost("`check-email`, known: p50 ms", |it| it.known_email_p50_ms, hundredths),
    Step::cost("`check-email`, known: p99 ms", |it| it.known_email_p99_ms, hundredths),
    Step::cost("`check-email`, unknown: p50 ms", |it| it.unknown_email_p50_ms, hundredths),
    Step::cost("`check-email`, unknown: p99 ms", |it| it.unknown_email_p99_ms, hundredths),
    Step::cost("a page of the log at its beginning: ms", |it| it.first_page_ms, hundredths),
    Step::cost("a page of the log in its middle: ms", |it| it.middle_page_ms, hundredths),
    Step::cost("a page of the log at its end: ms", |it| it.last_page_ms, hundredths),
    Step::cost("`leads.csv`: ms per 1,000 rows", |it| it.export_ms_per_1000_rows, hundredths),
];

impl Costs {
    /// The median of every figure, for the same size.
    pub(super) fn median(all: &[Self]) -> Self {
        let of = |figure: fn(&Self) -> f64| median(all.iter().map(figure));
        Self {
            events: all.first().map_or(0, |it| it.events),
            intake_leads_per_second: of(|it| it.intake_leads_per_second),
            intake_us: of(|it| it.intake_us),
            known_email_p50_ms: of(|it| it.known_email_p50_ms),
            known_email_p99_ms: of(|it| it.known_email_p99_ms),
            unknown_email_p50_ms: of(|it| it.unknown_email_p50_ms),
            unknown_email_p99_ms: of(|it| it.unknown_email_p99_ms),
            first_page_ms: of(|it| it.first_page_ms),
            middle_page_ms: of(|it| it.middle_page_ms),
            last_page_ms: of(|it| it.last_page_ms),
            export_ms_per_1000_rows: of(|it| it.export_ms_per_1000_rows),
        }
    }
}

/// How many times as much a step may cost.
pub(super) fn allowed_growth(smaller: &Costs, larger: &Costs) -> f64 {
    (larger.events as f64).log10() / (smaller.events as f64).log10()
}
