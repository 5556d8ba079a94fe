//! Exports as CSV (RFC 4180, UTF-8).

use std::borrow::Cow;

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream;

use super::format::CsvStyle;
use super::rows::Rows;
use super::value::Value;
use super::{Chunks, ExportError};

/// Excel takes a file for UTF-8 only if it begins with this.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// A header row, then each page as one chunk.
pub(super) fn chunks(rows: Rows, style: CsvStyle) -> Result<Chunks, ExportError> {
    let columns = rows.columns();
    let header = header_row(style, columns.iter().map(|column| &*column.name))?;
    let pages = stream::try_unfold(rows, move |mut rows| async move {
        let Some(page) = rows.next_page().await? else { return Ok(None) };
        let cells = page.iter().map(|row| row.iter().map(Value::to_csv));
        Ok(Some((Bytes::from(write_rows(style, cells)?), rows)))
    });
    Ok(stream::once(async { Ok(header) }).chain(pages).boxed())
}

/// What a file begins with.
pub(crate) fn header_row<'n>(
    style: CsvStyle,
    names: impl Iterator<Item = &'n str>,
) -> Result<Bytes, ::csv::Error> {
    let mut header = if style.has_byte_order_mark { BYTE_ORDER_MARK.to_vec() } else { Vec::new() };
    header.extend(write_rows(style, [names.map(Cow::Borrowed)])?);
    Ok(header.into())
}

/// Rows of cells, in which nothing is a formula any more.
pub(crate) fn write_rows<'c, R>(
    style: CsvStyle,
    rows: impl IntoIterator<Item = R>,
) -> Result<Vec<u8>, ::csv::Error>
where
    R: IntoIterator<Item = Cow<'c, str>>,
{
    let mut writer = ::csv::WriterBuilder::new()
        .delimiter(style.delimiter.byte())
        .terminator(::csv::Terminator::CRLF)
        .from_writer(Vec::new());
    for row in rows {
        for cell in row {
            writer.write_field(cell.as_bytes())?;
        }
        writer.write_record(None::<&[u8]>)?;
    }
    writer.into_inner().map_err(|error| ::csv::Error::from(error.into_error()))
}
