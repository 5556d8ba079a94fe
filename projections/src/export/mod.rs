//! Exports of leads and contacts, for people who open them in a spreadsheet and for CRMs that import them.
//!
//! HTTP and the command line share this implementation: [`start`] gives chunks, in constant memory.
//! Rows are read by key, one short statement a page, so no snapshot is held open while a slow reader reads.
//!
//! # What an export holds
//!
//! Everything up to the position `through`, which the caller has waited for ([`crate::wait_for`] or
//! [`crate::catch_up`]), as far as the [`Filter`] takes it. What changes while it runs may or may not be in it: rows that
//! come, and rows that are taken back or erased. An error ends the stream: the file is then cut and must not be used.
//!
//! # The formats
//!
//! The same rows and columns in each. `docs/exports.md` lists the columns; they are told by their names.
//!
//! - CSV (RFC 4180, UTF-8), as Excel with Polish settings and LibreOffice open it with a double click: byte order mark,
//!   semicolons, CRLF; a comma and no mark for whoever wants that. A text that a spreadsheet would take for a formula gets
//!   an apostrophe before it; telephone numbers do not need one.
//! - XLSX: texts, telephone numbers and times are text cells, so nothing is a formula and nothing is rounded.
//! - NDJSON: numbers, lists and nulls; texts as they were given.
//!
//! Times are ISO 8601 in the campaign's zone with its offset (UTC when the store does not know the campaign): to the second
//! in the first two, exact in NDJSON.

pub(crate) mod cell;
mod column;
mod consent_columns;
mod contact_rows;
pub(crate) mod csv;
mod filter;
mod format;
mod lead_rows;
mod ndjson;
mod rows;
mod sheet;
mod value;
mod xlsx;

use std::path::PathBuf;
use std::str::FromStr;

use bytes::Bytes;
use domain::PublishedCampaigns;
use futures_util::stream::BoxStream;
use sqlx::PgPool;

use crate::{DatabaseError, LEADS, Registration};
use rows::Rows;

pub use filter::{ConsentId, ConsentIdError, Filter, FilterError};
pub use format::{CsvStyle, Delimiter, DelimiterError, FileType, FileTypeError, Format, FormatError};

/// The chunks of an export, in order. After an error there is nothing more.
pub type Chunks = BoxStream<'static, Result<Bytes, ExportError>>;

/// What can be exported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ExportKind {
    /// One row per lead as people see it, in the order of the log.
    Leads,
    /// One row per contact, in the order of the e-mail addresses.
    Contacts,
}

/// Which rows: a kind, and a filter that makes sense for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Export {
    kind: ExportKind,
    filter: Filter,
}

/// An export that has begun.
pub struct Exported {
    /// How many rows matched when it began. Of XLSX, which is whole before the first chunk, how many it holds.
    pub rows: u64,
    /// Its length, where that is known before the end: of XLSX.
    pub bytes: Option<u64>,
    /// The file.
    pub chunks: Chunks,
}

/// Why an export ended before its end.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// Its rows could not be read.
    #[error("the export was cut; start it again when the database gives its rows")]
    Database(#[source] DatabaseError),
    /// A row could not be written as CSV.
    #[error("the export was cut, because a row cannot be written as CSV")]
    Csv(#[from] ::csv::Error),
    /// A row of the projection is not what it should be.
    #[error("the export was cut, because a row of {table} is damaged; rebuild that projection")]
    Damaged {
        /// The table.
        table: &'static str,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
    /// The tables were emptied while they were read.
    #[error("the export was cut, because its rows are being made anew; start it again in a while")]
    MadeAnew,
    /// No sheet holds that many.
    #[error(
        "a spreadsheet holds {} rows, and these are {rows} or more: take csv or ndjson, or fewer rows (campaign, from, to)",
        sheet::MAX_SHEET_ROWS
    )]
    TooManyRows {
        /// How many there are at least.
        rows: u64,
    },
    /// A filter names what is nowhere in this store.
    #[error("no row has this {parameter}; {known}")]
    Unknown {
        /// Name of the filter.
        parameter: &'static str,
        /// What it may name.
        known: String,
    },
    /// The temporary file could not be written.
    #[error(
        "the spreadsheet cannot be made in {}; is there room? TMPDIR names another folder",
        folder.display()
    )]
    Workbook {
        /// Where it should have been.
        folder: PathBuf,
        /// What went wrong.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The temporary file could not be read.
    #[error("the export was cut, because its temporary file cannot be read; start it again")]
    Reread(#[source] std::io::Error),
}

/// The text is neither `leads` nor `contacts`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be leads or contacts")]
pub struct ExportKindError;

impl ExportKind {
    /// The name in routes and file names.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Leads => "leads",
            Self::Contacts => "contacts",
        }
    }

    /// The projection whose rows are exported, to wait for.
    pub fn projection(self) -> &'static Registration {
        match self {
            Self::Leads | Self::Contacts => &LEADS,
        }
    }
}

impl FromStr for ExportKind {
    type Err = ExportKindError;

    fn from_str(text: &str) -> Result<Self, ExportKindError> {
        [Self::Leads, Self::Contacts].into_iter().find(|kind| kind.as_str() == text).ok_or(ExportKindError)
    }
}

impl Export {
    /// # Errors
    /// When the filter makes no sense for this kind.
    pub fn new(kind: ExportKind, filter: Filter) -> Result<Self, FilterError> {
        filter.check(kind)?;
        Ok(Self { kind, filter })
    }
}

/// Starts an export. `through` is the position that the projection has reached; `known` are the campaigns that the
/// store has: they say which consents have a column, and in which zone times are written.
///
/// # Errors
/// Nothing was sent yet, so the caller can still answer with an error of its own. Later errors come out of the
/// stream; of XLSX there are none but that its temporary file cannot be read.
pub async fn start(
    pool: PgPool,
    export: Export,
    format: Format,
    through: u64,
    known: &PublishedCampaigns,
) -> Result<Exported, ExportError> {
    let (rows, counted) = open(pool, export, through, known).await?;
    let chunks = match format {
        Format::Csv(style) => csv::chunks(rows, style)?,
        Format::Ndjson => ndjson::chunks(rows),
        Format::Xlsx => return xlsx::make(rows, counted).await,
    };
    Ok(Exported { rows: counted, bytes: None, chunks })
}

/// How many rows an export would have if it were started; answers the errors that [`start`] would have.
///
/// # Errors
/// See [`start`].
pub async fn count(
    pool: PgPool,
    export: Export,
    format: Format,
    through: u64,
    known: &PublishedCampaigns,
) -> Result<u64, ExportError> {
    let (_, counted) = open(pool, export, through, known).await?;
    if format == Format::Xlsx {
        xlsx::check_that_they_fit(counted)?;
    }
    Ok(counted)
}

async fn open(
    pool: PgPool,
    export: Export,
    through: u64,
    known: &PublishedCampaigns,
) -> Result<(Rows, u64), ExportError> {
    let rows = Rows::open(pool, export, through, known).await?;
    let counted = rows.count().await?;
    // Rows that are being made anew are counted too few, and say nothing about a filter.
    rows.check_that_rows_stayed().await?;
    if counted == 0 {
        // Nothing, because nobody passes the filter, or because it is misspelt?
        rows.check_that_filter_is_known(known).await?;
    }
    Ok((rows, counted))
}
