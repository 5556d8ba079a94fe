//! `leadlog export`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use domain::CampaignId;
use projections::export::{Export as Rows, ExportKind};

use super::{DatabaseArgs, output};

/// Writes leads or contacts, complete up to this moment. Works beside a running server and without one.
///
/// CSV has a byte order mark, semicolons and CRLF, so that a spreadsheet opens it right. A file is written
/// whole or not at all.
#[derive(Args)]
pub(super) struct Export {
    /// What to write: one row per lead, or one per person with their consents.
    #[arg(value_parser = ["leads", "contacts"])]
    what: String,

    /// Format of the file.
    #[arg(long, value_enum, default_value_t = Format::Csv)]
    format: Format,

    /// File to write; without it, standard output.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,

    /// Only rows of this campaign.
    #[arg(long, value_name = "ID")]
    campaign: Option<CampaignId>,

    #[command(flatten)]
    database: DatabaseArgs,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    /// Comma-separated values, in the form that Polish Excel opens.
    Csv,
}

impl Export {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let Format::Csv = self.format;
        let rows = Rows { kind: self.what.parse::<ExportKind>()?, campaign: self.campaign };
        let out = self.out;
        self.database
            .with_store(async |store| {
                projections::catch_up(store.pool()).await?;
                let campaigns = store.campaigns();
                let chunks = projections::export::csv(store.pool().clone(), rows, campaigns.as_ref()).await?;
                output::write(chunks, out.as_deref()).await
            })
            .await
    }
}
