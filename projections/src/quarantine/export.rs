//! The quarantine as a file: everything that somebody needs to mend or to dismiss what was refused.

use std::borrow::Cow;

use bytes::Bytes;
use domain::Timestamp;
use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use sqlx::PgPool;

use super::{list, reason_text};
use crate::export::csv::{header_row, write_rows};
use crate::export::{CsvStyle, ExportError, cell};
use crate::fold::Quarantined;

/// Submissions of one page: each may have 64 KiB.
const PAGE_ROWS: u32 = 200;

/// In which form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum QuarantineFormat {
    /// For a spreadsheet; the same conventions as the other exports.
    Csv,
    /// One JSON object a line, for programs.
    Ndjson,
}

const COLUMNS: [&str; 11] = [
    "position",
    "recorded_at",
    "reason",
    "client_id",
    "version",
    "device_id",
    "device_seq",
    "sent_by",
    "errors",
    "digest",
    "entry",
];

/// The quarantine in the order of the log, in constant memory. It holds everything up to the position that the caller
/// waited for. An error ends the stream: the file is then cut and must not be used.
pub fn export(pool: PgPool, format: QuarantineFormat) -> BoxStream<'static, Result<Bytes, ExportError>> {
    let header = stream::once(async move { header(format) });
    let pages = stream::try_unfold((pool, 0), move |(pool, after)| async move {
        let page = list(&pool, after, PAGE_ROWS).await?;
        let Some(last) = page.last() else { return Ok(None) };
        let through = last.position;
        Ok(Some((lines(&page, format)?, (pool, through))))
    });
    header.chain(pages).boxed()
}

fn header(format: QuarantineFormat) -> Result<Bytes, ExportError> {
    if format == QuarantineFormat::Ndjson {
        return Ok(Bytes::new());
    }
    Ok(header_row(CsvStyle::default(), COLUMNS.into_iter())?)
}

fn lines(page: &[Quarantined], format: QuarantineFormat) -> Result<Bytes, ExportError> {
    let damaged = |source| ExportError::Damaged { table: "quarantine", source };
    match format {
        QuarantineFormat::Ndjson => {
            let mut lines = Vec::new();
            for submission in page {
                serde_json::to_writer(&mut lines, submission).map_err(damaged)?;
                lines.push(b'\n');
            }
            Ok(lines.into())
        }
        QuarantineFormat::Csv => {
            let rows: Result<Vec<_>, _> = page.iter().map(cells).collect();
            Ok(write_rows(CsvStyle::default(), rows.map_err(damaged)?)?.into())
        }
    }
}

fn cells(submission: &Quarantined) -> Result<[Cow<'_, str>; COLUMNS.len()], serde_json::Error> {
    let number = |number: Option<u64>| number.map(|number| number.to_string().into()).unwrap_or_default();
    let errors = serde_json::to_string(&submission.errors)?;
    Ok([
        submission.position.to_string().into(),
        Timestamp::new(submission.recorded_at).to_string().into(),
        reason_text(submission.reason).into(),
        cell::optional(submission.client_id.as_deref()),
        number(submission.version.map(u64::from)),
        cell::optional(submission.device_id.as_deref()),
        number(submission.device_seq),
        cell::optional(submission.sent_by.as_deref()),
        cell::text(&errors).into_owned().into(),
        submission.digest.as_str().into(),
        cell::text(&submission.raw),
    ])
}
