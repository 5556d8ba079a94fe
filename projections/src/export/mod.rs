//! Exports of leads and contacts, for people who open them in a spreadsheet and for CRMs that import them.
//!
//! HTTP and the command line share this implementation: [`csv`] gives chunks, each some pages of rows, in constant memory.
//! Rows are read by key, one short statement a page, so no snapshot is held open while a slow reader reads.
//!
//! An export holds everything up to the position that the caller waited for ([`crate::wait_for`] or
//! [`crate::catch_up`] before [`csv`]); rows that come while it runs may or may not be in it. An error ends the stream: the file
//! is then cut and must not be used.
//!
//! # The format
//!
//! UTF-8 with byte order mark, semicolons, CRLF, quotes where needed (RFC 4180): what Excel with Polish settings and
//! LibreOffice open with a double click. Times are ISO 8601 to the second in the campaign's zone with its offset (UTC
//! when the store does not know the campaign). A text that a spreadsheet would take for a formula gets an
//! apostrophe before it; telephone numbers do not need one. Columns are told by their names; `docs/exports.md` lists
//! them.

pub(crate) mod cell;
mod consent_columns;
mod contact_rows;
mod lead_rows;
mod local_time;

use std::str::FromStr;

use bytes::Bytes;
use domain::{CampaignId, Campaigns};
use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use sqlx::PgPool;

use crate::{LEADS, Registration};
use consent_columns::ConsentColumns;
use local_time::CampaignZone;

/// Rows of one page, and so of one chunk.
const PAGE_ROWS: i64 = 1_000;

/// Excel takes a file for UTF-8 only if it begins with this.
pub(crate) const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

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

/// Which rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Export {
    /// Leads or contacts.
    pub kind: ExportKind,
    /// Only those of one campaign.
    pub campaign: Option<CampaignId>,
}

/// Why an export ended before its end.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// No answer, or not in time.
    #[error("the export was cut, because the database does not answer; start it again")]
    Database(#[from] sqlx::Error),
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

/// Starts an export as CSV. `known` are the campaigns that the store has: they say which consents have a column, and in
/// which zone times are written.
///
/// # Errors
/// [`ExportError::Database`] when not even the header can be made: nothing was sent yet, so the caller can still answer
/// with an error of its own. Later errors come out of the stream.
pub async fn csv(pool: PgPool, export: Export, known: &dyn Campaigns) -> Result<Chunks, ExportError> {
    let campaigns = match export.campaign {
        Some(campaign) => vec![campaign.to_string()],
        None => campaigns_of(&pool, export.kind).await?,
    };
    let columns = ConsentColumns::of(&campaigns, known);
    let zones = campaigns.into_iter().map(|campaign| (CampaignZone::of(&campaign, known), campaign));
    let campaigns = zones.collect::<Vec<_>>().into_iter();
    let mut header = BYTE_ORDER_MARK.to_vec();
    header.extend(write_rows([header_of(export.kind, &columns)])?);
    let pages = Pages { pool, kind: export.kind, columns, campaigns, at: None };
    let rows = stream::try_unfold(pages, |mut pages| async {
        Ok(pages.next().await?.map(|chunk| (Bytes::from(chunk), pages)))
    });
    Ok(stream::once(async { Ok(Bytes::from(header)) }).chain(rows).boxed())
}

/// The campaigns that have rows, without reading all rows: each one is found by the index after the one before.
async fn campaigns_of(pool: &PgPool, kind: ExportKind) -> Result<Vec<String>, sqlx::Error> {
    let after = match kind {
        ExportKind::Leads => include_str!("../sql/campaign_of_leads_after.sql"),
        ExportKind::Contacts => include_str!("../sql/campaign_of_contacts_after.sql"),
    };
    let mut campaigns: Vec<String> = Vec::new();
    while let Some(next) = sqlx::query_scalar(after)
        .bind(campaigns.last().map_or("", String::as_str))
        .fetch_optional(pool)
        .await?
    {
        campaigns.push(next);
    }
    Ok(campaigns)
}

fn header_of(kind: ExportKind, columns: &ConsentColumns) -> Vec<String> {
    match kind {
        ExportKind::Leads => lead_rows::header(columns),
        ExportKind::Contacts => contact_rows::header(columns),
    }
}

/// The pages of an export that are still to come.
struct Pages {
    pool: PgPool,
    kind: ExportKind,
    columns: ConsentColumns,
    campaigns: std::vec::IntoIter<(CampaignZone, String)>,
    at: Option<Place>,
}

/// Inside one campaign.
struct Place {
    campaign: String,
    zone: CampaignZone,
    /// Key of the last row that was read.
    after: Key,
}

/// The key by which rows are paged.
#[derive(Default)]
struct Key {
    position: i64,
    contact_key: String,
}

impl Pages {
    /// The next page as CSV; `None` after the last.
    async fn next(&mut self) -> Result<Option<Vec<u8>>, ExportError> {
        loop {
            let Some(place) = &mut self.at else {
                let Some((zone, campaign)) = self.campaigns.next() else { return Ok(None) };
                self.at = Some(Place { campaign, zone, after: Key::default() });
                continue;
            };
            let rows = match self.kind {
                ExportKind::Leads => lead_rows::read(&self.pool, place, &self.columns).await?,
                ExportKind::Contacts => contact_rows::read(&self.pool, place, &self.columns).await?,
            };
            if rows.is_empty() {
                self.at = None;
                continue;
            }
            return Ok(Some(write_rows(rows)?));
        }
    }
}

/// Rows as CSV in the conventions of all exports.
pub(crate) fn write_rows(rows: impl IntoIterator<Item = Vec<String>>) -> Result<Vec<u8>, ::csv::Error> {
    let mut writer = ::csv::WriterBuilder::new()
        .delimiter(b';')
        .terminator(::csv::Terminator::CRLF)
        .from_writer(Vec::new());
    for row in rows {
        writer.write_record(row)?;
    }
    writer.into_inner().map_err(|error| ::csv::Error::from(error.into_error()))
}
