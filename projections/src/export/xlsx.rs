//! Exports as XLSX.
//!
//! A workbook is a ZIP archive, whose directory comes last, so it is whole before its first byte is sent: it is written to a
//! temporary file, and from there to the reader, who knows its length. What fails, fails before the first byte.
//! Rows are written by a thread that may block, while the pages are read by the caller.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream;
use rust_xlsxwriter::XlsxError;
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

use super::column::Column;
use super::rows::Rows;
use super::sheet::{Finished, MAX_SHEET_ROWS, Sheet};
use super::value::Row;
use super::{Chunks, ExportError, Exported};

/// Pages that wait for the thread that writes.
const MAX_WAITING_PAGES: usize = 2;

/// Bytes of one chunk.
const CHUNK_BYTES: u64 = 256 * 1024;

/// What the thread that writes is told. When it hears no more without [`Part::End`], nobody wants the workbook.
enum Part {
    Rows(Vec<Row>),
    End,
}

/// Makes the whole workbook.
pub(super) async fn make(rows: Rows, counted: u64) -> Result<Exported, ExportError> {
    check_that_they_fit(counted)?;
    let folder = temporary_folder();
    let Finished { file, bytes, rows } = write(rows, folder).await?;
    Ok(Exported { rows, bytes: Some(bytes), chunks: chunks(file) })
}

/// Everything on one sheet or nothing: what goes on on a second sheet is soon overlooked.
pub(super) fn check_that_they_fit(rows: u64) -> Result<(), ExportError> {
    if rows > MAX_SHEET_ROWS { Err(ExportError::TooManyRows { rows }) } else { Ok(()) }
}

async fn write(mut rows: Rows, folder: PathBuf) -> Result<Finished, ExportError> {
    let failed = {
        let folder = folder.clone();
        move |source: Box<dyn std::error::Error + Send + Sync>| ExportError::Workbook { folder, source }
    };
    let (name, columns) = (rows.kind().as_str(), rows.columns());
    let (parts, received) = mpsc::channel(MAX_WAITING_PAGES);
    let writer = spawn_blocking(move || write_all(&folder, name, &columns, received));
    while let Some(page) = rows.next_page().await? {
        // A writer that has failed says why below.
        if parts.send(Part::Rows(page)).await.is_err() {
            break;
        }
    }
    let _ = parts.send(Part::End).await;
    drop(parts);
    match writer.await {
        Ok(Ok(Some(finished))) => Ok(finished),
        Ok(Ok(None)) => Err(failed("it was given up".into())),
        Ok(Err(XlsxError::RowColumnLimitError)) => Err(ExportError::TooManyRows { rows: MAX_SHEET_ROWS + 1 }),
        Ok(Err(error)) => Err(failed(error.into())),
        // The library panics when its temporary file cannot be written.
        Err(error) => Err(failed(error.into())),
    }
}

fn write_all(
    folder: &Path,
    name: &str,
    columns: &[Column],
    mut received: mpsc::Receiver<Part>,
) -> Result<Option<Finished>, XlsxError> {
    let mut sheet = Sheet::create(folder, name, columns)?;
    while let Some(part) = received.blocking_recv() {
        match part {
            Part::Rows(page) => page.iter().try_for_each(|row| sheet.write(row))?,
            Part::End => return sheet.finish(folder).map(Some),
        }
    }
    Ok(None)
}

fn chunks(file: File) -> Chunks {
    stream::try_unfold(file, |mut file| async {
        let read = spawn_blocking(move || {
            let mut chunk = Vec::new();
            Read::by_ref(&mut file).take(CHUNK_BYTES).read_to_end(&mut chunk).map(|_| (chunk, file))
        });
        let read = read.await.map_err(std::io::Error::from).and_then(|read| read);
        let (chunk, file) = read.map_err(ExportError::Reread)?;
        Ok((!chunk.is_empty()).then(|| (Bytes::from(chunk), file)))
    })
    .boxed()
}

/// `TMPDIR`; else a folder that is on a disk, which `/tmp` need not be: a workbook in memory would be no better there
/// than in the program's own.
fn temporary_folder() -> PathBuf {
    let on_disk = Path::new("/var/tmp");
    if std::env::var_os("TMPDIR").is_none() && on_disk.is_dir() {
        return on_disk.to_owned();
    }
    std::env::temp_dir()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sheet_holds_a_million_rows_and_no_more() {
        assert!(check_that_they_fit(1_048_575).is_ok());
        let refused = check_that_they_fit(1_048_576).unwrap_err().to_string();
        assert!(refused.contains("csv or ndjson"), "{refused}");
    }
}
