//! What is measured.

use std::time::Duration;

use serde::Serialize;

use crate::figures::us_each;
use crate::statistics::median;

/// One file, taken out once.
#[derive(Debug, Clone, Copy)]
pub(super) struct Measured {
    pub(super) rows: u64,
    pub(super) bytes: u64,
    pub(super) wall: Duration,
    pub(super) first_byte: Duration,
    pub(super) postgres: Duration,
    /// Of the server, which `COPY` does without.
    pub(super) server: Option<OfServer>,
}

/// What a download costs the server.
#[derive(Debug, Clone, Copy)]
pub(super) struct OfServer {
    pub(super) cpu: Duration,
    /// The most memory that was resident meanwhile, above what was before.
    pub(super) memory_growth_bytes: u64,
}

/// The same, per row.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Figures {
    pub(super) rows_per_second: f64,
    pub(super) seconds: f64,
    pub(super) first_byte_seconds: f64,
    pub(super) mib: f64,
    pub(super) postgres_us: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) server_us: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) memory_growth_mib: Option<f64>,
}

/// Every file, once.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Round {
    pub(super) copy_leads: Figures,
    pub(super) leads_csv: Figures,
    pub(super) leads_ndjson: Figures,
    pub(super) leads_xlsx: Figures,
    pub(super) copy_contacts: Figures,
    pub(super) contacts_csv: Figures,
}

impl Measured {
    pub(super) fn per_row(self) -> Figures {
        let us = |time| us_each(time, usize::try_from(self.rows).unwrap_or(usize::MAX));
        Figures {
            rows_per_second: self.rows as f64 / self.wall.as_secs_f64(),
            seconds: self.wall.as_secs_f64(),
            first_byte_seconds: self.first_byte.as_secs_f64(),
            mib: mib(self.bytes),
            postgres_us: us(self.postgres),
            server_us: self.server.map(|server| us(server.cpu)),
            memory_growth_mib: self.server.map(|server| mib(server.memory_growth_bytes)),
        }
    }
}

fn mib(bytes: u64) -> f64 {
    bytes as f64 / (1024.0 * 1024.0)
}

impl Figures {
    pub(super) fn total_us(&self) -> f64 {
        self.server_us.unwrap_or(0.0) + self.postgres_us
    }

    fn median(all: &[Self]) -> Self {
        let of = |figure: fn(&Self) -> f64| median(all.iter().map(figure));
        let of_server = |figure: fn(&Self) -> Option<f64>| {
            let figures: Vec<f64> = all.iter().filter_map(figure).collect();
            (!figures.is_empty()).then(|| median(figures))
        };
        Self {
            rows_per_second: of(|it| it.rows_per_second),
            seconds: of(|it| it.seconds),
            first_byte_seconds: of(|it| it.first_byte_seconds),
            mib: of(|it| it.mib),
            postgres_us: of(|it| it.postgres_us),
            server_us: of_server(|it| it.server_us),
            memory_growth_mib: of_server(|it| it.memory_growth_mib),
        }
    }
}

impl Round {
    /// The median of every figure.
    pub(super) fn median(rounds: &[Self]) -> Self {
        let of =
            |figures: fn(&Self) -> Figures| Figures::median(&rounds.iter().map(figures).collect::<Vec<_>>());
        Self {
            copy_leads: of(|it| it.copy_leads),
            leads_csv: of(|it| it.leads_csv),
            leads_ndjson: of(|it| it.leads_ndjson),
            leads_xlsx: of(|it| it.leads_xlsx),
            copy_contacts: of(|it| it.copy_contacts),
            contacts_csv: of(|it| it.contacts_csv),
        }
    }
}
