//! Kinds of files, and what can be chosen about them.

use std::str::FromStr;

/// A kind of file, by its ending.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FileType {
    /// For spreadsheets, and for CRMs that read no more than that.
    Csv,
    /// A workbook with one sheet.
    Xlsx,
    /// One JSON object a line, for programs.
    Ndjson,
}

/// How an export is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// RFC 4180, in this style.
    Csv(CsvStyle),
    /// Office Open XML.
    Xlsx,
    /// One JSON object a line.
    Ndjson,
}

/// What differs between the programs that read CSV. The default is what Excel with Polish settings opens with a double
/// click: semicolons, and a byte order mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CsvStyle {
    /// Between two cells.
    pub delimiter: Delimiter,
    /// Whether the file begins with a byte order mark, which tells Excel that it is UTF-8.
    pub has_byte_order_mark: bool,
}

/// What stands between two cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Delimiter {
    /// For spreadsheets in languages whose decimal sign is a comma.
    Semicolon,
    /// For most programs.
    Comma,
}

/// The text names no kind of file that there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be csv, xlsx or ndjson")]
pub struct FileTypeError;

/// The text names no delimiter that there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be semicolon or comma")]
pub struct DelimiterError;

/// A choice about CSV was made for another kind of file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("delimiter and byte order mark are for csv alone; leave them out for {}", .0.as_str())]
pub struct FormatError(pub FileType);

impl FileType {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Csv, Self::Xlsx, Self::Ndjson];

    /// The ending of file names and routes.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Xlsx => "xlsx",
            Self::Ndjson => "ndjson",
        }
    }

    /// Its media type.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv; charset=utf-8; header=present",
            Self::Xlsx => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
            Self::Ndjson => "application/x-ndjson",
        }
    }

    /// With what was chosen about CSV, if anything was.
    ///
    /// # Errors
    /// When it was chosen for another kind of file.
    pub fn with(
        self,
        delimiter: Option<Delimiter>,
        has_byte_order_mark: Option<bool>,
    ) -> Result<Format, FormatError> {
        match self {
            Self::Csv => {
                let usual = CsvStyle::default();
                Ok(Format::Csv(CsvStyle {
                    delimiter: delimiter.unwrap_or(usual.delimiter),
                    has_byte_order_mark: has_byte_order_mark.unwrap_or(usual.has_byte_order_mark),
                }))
            }
            _ if delimiter.is_some() || has_byte_order_mark.is_some() => Err(FormatError(self)),
            Self::Xlsx => Ok(Format::Xlsx),
            Self::Ndjson => Ok(Format::Ndjson),
        }
    }
}

impl FromStr for FileType {
    type Err = FileTypeError;

    fn from_str(text: &str) -> Result<Self, FileTypeError> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text).ok_or(FileTypeError)
    }
}

impl Default for CsvStyle {
    fn default() -> Self {
        Self { delimiter: Delimiter::Semicolon, has_byte_order_mark: true }
    }
}

impl Delimiter {
    pub(super) const fn byte(self) -> u8 {
        match self {
            Self::Semicolon => b';',
            Self::Comma => b',',
        }
    }
}

impl FromStr for Delimiter {
    type Err = DelimiterError;

    fn from_str(text: &str) -> Result<Self, DelimiterError> {
        match text {
            "semicolon" => Ok(Self::Semicolon),
            "comma" => Ok(Self::Comma),
            _ => Err(DelimiterError),
        }
    }
}
