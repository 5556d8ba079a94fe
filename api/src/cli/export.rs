//! `leadlog export`.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Args, ValueEnum};
use domain::CampaignId;
use futures_util::TryStreamExt;
use projections::export::{Chunks, Export as Rows, ExportKind};

use super::DatabaseArgs;
use crate::store::Store;

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
        let database = self.database.database();
        let (url, cluster) = tokio::task::spawn_blocking(move || database.start()).await??;
        let written = write(&url, rows, self.out.as_deref()).await;
        if let Some(cluster) = cluster {
            tokio::task::spawn_blocking(move || cluster.release()).await??;
        }
        written
    }
}

async fn write(url: &str, rows: Rows, out: Option<&Path>) -> anyhow::Result<()> {
    let store = Store::open(url).await?;
    projections::catch_up(store.pool()).await?;
    let chunks = projections::export::csv(store.pool().clone(), rows).await?;
    let done = match out {
        None => copy(chunks, std::io::stdout().lock()).await,
        Some(file) => {
            write_file(chunks, file).await.with_context(|| format!("cannot write {}", file.display()))
        }
    };
    store.pool().close().await;
    done
}

/// Writes beside the file and renames in the end, so that nobody takes a part for the whole.
async fn write_file(chunks: Chunks, file: &Path) -> anyhow::Result<()> {
    let mut part = file.as_os_str().to_owned();
    part.push(".part");
    let mut target = std::fs::File::create(&part)?;
    copy(chunks, &mut target).await?;
    target.sync_all()?;
    std::fs::rename(&part, file)?;
    Ok(())
}

async fn copy(mut chunks: Chunks, mut out: impl Write) -> anyhow::Result<()> {
    while let Some(chunk) = chunks.try_next().await? {
        out.write_all(&chunk)?;
    }
    Ok(out.flush()?)
}
