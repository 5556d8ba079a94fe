//! Exports as NDJSON: one JSON object a line, typed and exact, for programs.

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream;
use serde::{Serialize, Serializer};

use super::column::Column;
use super::rows::Rows;
use super::value::Value;
use super::{Chunks, ExportError};

/// Each page as one chunk.
pub(super) fn chunks(rows: Rows) -> Chunks {
    let columns = rows.columns();
    stream::try_unfold((rows, columns), |(mut rows, columns)| async {
        let Some(page) = rows.next_page().await? else { return Ok(None) };
        let mut lines = Vec::new();
        for row in &page {
            let line = Line { columns: &columns, row };
            serde_json::to_writer(&mut lines, &line)
                .map_err(|source| ExportError::Damaged { table: rows.kind().as_str(), source })?;
            lines.push(b'\n');
        }
        Ok(Some((Bytes::from(lines), (rows, columns))))
    })
    .boxed()
}

/// One row as an object, in the order of the columns.
struct Line<'r> {
    columns: &'r [Column],
    row: &'r [Value],
}

impl Serialize for Line<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.columns.iter().map(|column| &column.key).zip(self.row))
    }
}
