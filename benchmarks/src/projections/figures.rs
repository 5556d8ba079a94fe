//! What is measured.

use std::time::Duration;

use serde::Serialize;

use crate::figures::us_each;
use crate::statistics::median;

/// One way of making the rows, measured.
#[derive(Debug, Clone, Copy)]
pub(super) struct Measured {
    pub(super) wall: Duration,
    /// CPU time of the server or command; pure SQL has none.
    pub(super) program: Option<Duration>,
    /// CPU time of PostgreSQL.
    pub(super) postgres: Duration,
}

/// The same, per lead.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Figures {
    pub(super) leads_per_second: f64,
    pub(super) seconds: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) program_us: Option<f64>,
    pub(super) postgres_us: f64,
}

/// Everything, once.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Round {
    pub(super) catch_up: Figures,
    pub(super) rebuild: Figures,
    pub(super) verify: Figures,
    pub(super) pure_sql: Figures,
}

impl Measured {
    pub(super) fn per_lead(self, leads: u64) -> Figures {
        let us = |time| us_each(time, usize::try_from(leads).unwrap_or(usize::MAX));
        Figures {
            leads_per_second: leads as f64 / self.wall.as_secs_f64(),
            seconds: self.wall.as_secs_f64(),
            program_us: self.program.map(us),
            postgres_us: us(self.postgres),
        }
    }
}

impl Figures {
    pub(super) fn total_us(&self) -> f64 {
        self.program_us.unwrap_or(0.0) + self.postgres_us
    }

    fn median(all: &[Self]) -> Self {
        let of = |figure: fn(&Self) -> f64| median(all.iter().map(figure));
        let has_program = all.iter().all(|it| it.program_us.is_some());
        Self {
            leads_per_second: of(|it| it.leads_per_second),
            seconds: of(|it| it.seconds),
            program_us: has_program.then(|| of(|it| it.program_us.unwrap_or(0.0))),
            postgres_us: of(|it| it.postgres_us),
        }
    }
}

impl Round {
    /// The median of every figure.
    pub(super) fn median(rounds: &[Self]) -> Self {
        let of =
            |figures: fn(&Self) -> Figures| Figures::median(&rounds.iter().map(figures).collect::<Vec<_>>());
        Self {
            catch_up: of(|it| it.catch_up),
            rebuild: of(|it| it.rebuild),
            verify: of(|it| it.verify),
            pure_sql: of(|it| it.pure_sql),
        }
    }
}
