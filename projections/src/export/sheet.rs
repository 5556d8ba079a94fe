//! A workbook with one sheet, written row by row into a temporary file. All of it blocks.

use std::borrow::Cow;
use std::fs::File;
use std::io::{BufWriter, Seek};
use std::path::Path;

use rust_xlsxwriter::{ColNum, Format, RowNum, Workbook, Worksheet, XlsxError};

use super::column::Column;
use super::value::{Row, Value};

/// Rows that a sheet can hold under its header row.
pub(super) const MAX_SHEET_ROWS: u64 = 1_048_575;

/// The longest text in one cell, in UTF-16 units: what Excel takes.
const MAX_CELL_UNITS: usize = 32_767;

/// The largest whole number up to which a cell holds every one exactly.
const MAX_EXACT_NUMBER: i64 = 1 << 53;

/// A workbook in the making. Its memory does not grow with its rows.
pub(super) struct Sheet {
    workbook: Workbook,
    rows: RowNum,
}

/// A workbook that is complete, in a file without a name: nobody else can open it, and it is gone with the last handle.
pub(super) struct Finished {
    /// Where reading begins at the beginning.
    pub(super) file: File,
    pub(super) bytes: u64,
    pub(super) rows: u64,
}

impl Sheet {
    /// A sheet with its header row: bold, and in sight however far one scrolls.
    pub(super) fn create(folder: &Path, name: &str, columns: &[Column]) -> Result<Self, XlsxError> {
        let mut workbook = Workbook::new();
        workbook.set_tempdir(folder)?;
        let sheet = workbook.add_worksheet_with_constant_memory()?;
        sheet.set_name(name)?.set_freeze_panes(1, 0)?;
        let (bold, text) = (Format::new().set_bold(), Format::new().set_num_format("@"));
        for (place, column) in (0..).zip(columns) {
            sheet.set_column_width(place, f64::from(column.width_chars))?;
            if !column.is_number {
                // So a number or a formula that somebody types over a text stays what was typed, too.
                sheet.set_column_format(place, &text)?;
            }
            sheet.write_string_with_format(0, place, &*column.name, &bold)?;
        }
        Ok(Self { workbook, rows: 0 })
    }

    /// Adds a row.
    ///
    /// # Errors
    /// [`XlsxError::RowColumnLimitError`] behind [`MAX_SHEET_ROWS`].
    pub(super) fn write(&mut self, row: &Row) -> Result<(), XlsxError> {
        let at = self.rows + 1;
        let sheet = self.workbook.worksheet_from_index(0)?;
        for (place, value) in (0..).zip(row) {
            write_value(sheet, at, place, value)?;
        }
        self.rows = at;
        Ok(())
    }

    /// Packs the workbook into a second file.
    pub(super) fn finish(mut self, folder: &Path) -> Result<Finished, XlsxError> {
        let mut packed = BufWriter::new(tempfile::tempfile_in(folder)?);
        self.workbook.save_to_writer(&mut packed)?;
        let mut file = packed.into_inner().map_err(std::io::IntoInnerError::into_error)?;
        let bytes = file.stream_position()?;
        file.rewind()?;
        Ok(Finished { file, bytes, rows: self.rows.into() })
    }
}

/// Texts are text cells, which no spreadsheet runs; what is empty is no cell at all.
fn write_value(sheet: &mut Worksheet, row: RowNum, place: ColNum, value: &Value) -> Result<(), XlsxError> {
    if let Value::Number(number) = value
        && number.unsigned_abs() <= MAX_EXACT_NUMBER.unsigned_abs()
    {
        #[expect(clippy::cast_precision_loss, reason = "it is exact up to here")]
        sheet.write_number(row, place, *number as f64)?;
        return Ok(());
    }
    let text = value.to_plain();
    if !text.is_empty() {
        sheet.write_string(row, place, fitted(text))?;
    }
    Ok(())
}

/// A text that is longer than a cell may be ends with an ellipsis where it was cut.
fn fitted(text: Cow<'_, str>) -> Cow<'_, str> {
    if text.len() <= MAX_CELL_UNITS || text.encode_utf16().count() <= MAX_CELL_UNITS {
        return text;
    }
    let mut units = 1;
    let fitting = text.chars().take_while(|letter| {
        units += letter.len_utf16();
        units <= MAX_CELL_UNITS
    });
    Cow::Owned(fitting.chain(['…']).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_no_cell_can_hold_is_cut_and_shows_it() {
        let longest = "ż".repeat(MAX_CELL_UNITS);
        assert_eq!(fitted(longest.as_str().into()), longest);
        let cut = fitted(format!("{longest}ż").into());
        assert_eq!(cut.encode_utf16().count(), MAX_CELL_UNITS);
        assert!(cut.ends_with("ż…"));
        let pairs = fitted("🏀".repeat(MAX_CELL_UNITS).into());
        assert!(pairs.encode_utf16().count() <= MAX_CELL_UNITS && pairs.ends_with("🏀…"));
    }
}
