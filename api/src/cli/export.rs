//! `leadlog export`.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, ensure};
use clap::{Args, ValueEnum};
use domain::{CampaignId, DeviceId, Timestamp};
use projections::DEVICES;
use projections::export::{self, ConsentId, Export as Rows, ExportKind, FileType, Filter};

use tokio::time::timeout;

use super::{DatabaseArgs, output};

/// How long it waits until all devices are known.
const DEVICES_TIMEOUT: Duration = Duration::from_secs(10);

/// Writes leads or contacts, complete up to this moment. Works beside a running server and without one.
///
/// Import contacts into the CRM: one row per person, with the consents that are proven. Leads show what was typed, when,
/// and on which device. A file is written whole or not at all. docs/exports.md describes the columns.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Export {
    /// What to write: one row per lead, or one per person with their consents.
    #[arg(value_parser = ["leads", "contacts"])]
    what: String,

    /// Kind of file. Without it, as the name of the file ends; else csv.
    #[arg(long, value_enum)]
    format: Option<Format>,

    /// File to write; without it, standard output.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,

    #[command(flatten)]
    filter: FilterArgs,

    /// CSV only: what stands between two cells. Semicolon is what Polish Excel opens, comma what most programs read.
    #[arg(long, value_enum, value_name = "SIGN")]
    delimiter: Option<Delimiter>,

    /// CSV only: no byte order mark, for programs. Excel needs the mark to get ąęł right.
    #[arg(long)]
    no_bom: bool,

    #[command(flatten)]
    database: DatabaseArgs,
}

const EXAMPLES: &str = "\
Examples:
  leadlog export contacts --out contacts.csv             opens in Polish Excel with a double click
  leadlog export contacts --out contacts.xlsx            telephone numbers stay +48…
  leadlog export contacts --consent marketing-email --out mailing.xlsx
  leadlog export leads --device ipad-7 --from 2026-05-23T00:00:00+02:00 --to 2026-05-24T00:00:00+02:00
  leadlog export leads --format ndjson | jq -r .email";

const ROWS: &str = "Which rows";

/// Which rows; those for which all of it holds. The routes have the same as query parameters.
#[derive(Args)]
struct FilterArgs {
    /// Only rows of this campaign.
    #[arg(long, help_heading = ROWS, value_name = "ID")]
    campaign: Option<CampaignId>,

    /// Only leads of this device, by its id in the column device_id. Not for contacts, of which one may have leads of
    /// several devices.
    #[arg(long, help_heading = ROWS, value_name = "ID")]
    device: Option<DeviceId>,

    /// Only what was captured at this moment or later: 2026-05-23T00:00:00+02:00. A contact counts by its first
    /// capture.
    #[arg(long, help_heading = ROWS, value_name = "TIME")]
    from: Option<Timestamp>,

    /// Only what was captured before this moment.
    #[arg(long, help_heading = ROWS, value_name = "TIME")]
    to: Option<Timestamp>,

    /// Only rows in which this consent stands (given, and not withdrawn since), by its id in the campaign. To mail
    /// people, ask contacts: a lead does not know what was withdrawn through another one.
    #[arg(long, help_heading = ROWS, value_name = "ID")]
    consent: Option<ConsentId>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    /// Comma-separated values, in the form that Polish Excel opens: byte order mark, semicolons, CRLF.
    Csv,
    /// A workbook for Excel and LibreOffice, in which everything is as it was typed.
    Xlsx,
    /// One JSON object a line, for programs.
    Ndjson,
}

#[derive(Clone, Copy, ValueEnum)]
enum Delimiter {
    Semicolon,
    Comma,
}

impl Export {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let file = self.file_type()?;
        let delimiter = self.delimiter.map(export::Delimiter::from);
        let format = file.with(delimiter, self.no_bom.then_some(false))?;
        let kind: ExportKind = self.what.parse()?;
        let of_device = self.filter.device.is_some();
        let rows = Rows::new(kind, self.filter.into())?;
        let out = self.out;
        ensure!(
            file != FileType::Xlsx || out.is_some() || !std::io::stdout().is_terminal(),
            "a workbook cannot be shown here; name a file with --out"
        );
        self.database
            .with_store(async |store| {
                let head = event_store::head(store.pool()).await?.position;
                projections::catch_up_only(store.pool(), &[kind.projection()]).await?;
                if of_device {
                    // Only to know a name that is misspelt: rows are complete without it.
                    let _ =
                        timeout(DEVICES_TIMEOUT, projections::catch_up_only(store.pool(), &[&DEVICES])).await;
                }
                let campaigns = store.campaigns();
                let pool = store.pool().clone();
                let exported = export::start(pool, rows, format, head, campaigns.as_ref()).await?;
                output::write(exported.chunks, out.as_deref()).await?;
                let parked = projections::parked_count(store.pool(), kind.projection().name, head).await?;
                if parked > 0 {
                    eprintln!("{}", missing(parked));
                }
                if let Some(file) = out {
                    eprintln!(
                        "{}: {} rows, complete up to position {head} of the log",
                        file.display(),
                        exported.rows
                    );
                }
                Ok(())
            })
            .await
    }

    fn file_type(&self) -> anyhow::Result<FileType> {
        Ok(match self.format {
            Some(Format::Csv) => FileType::Csv,
            Some(Format::Xlsx) => FileType::Xlsx,
            Some(Format::Ndjson) => FileType::Ndjson,
            None => match output::ending(self.out.as_deref()) {
                Some(ending) => ending.parse().ok().with_context(|| {
                    format!("no export is a .{ending}: name the file .csv, .xlsx or .ndjson, or say what it is with --format")
                })?,
                None => FileType::Csv,
            },
        })
    }
}

impl From<FilterArgs> for Filter {
    fn from(args: FilterArgs) -> Self {
        let FilterArgs { campaign, device, from, to, consent } = args;
        Self { campaign, device, from, to, consent }
    }
}

impl From<Delimiter> for export::Delimiter {
    fn from(delimiter: Delimiter) -> Self {
        match delimiter {
            Delimiter::Semicolon => Self::Semicolon,
            Delimiter::Comma => Self::Comma,
        }
    }
}

/// What is said of an export in which something is missing.
pub(super) fn missing(parked: u64) -> String {
    format!(
        "{parked} event(s) of the log could not be read, so that a lead may be missing or out of date: see `leadlog \
         projections parked`"
    )
}
