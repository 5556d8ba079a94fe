//! The values of a row, before a format writes them.
//!
//! Rows are made once; what a spreadsheet and what a program needs to see of a value is told apart here and in the formats,
//! so that the formats cannot come to say different things.

use std::borrow::Cow;

use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use time::OffsetDateTime;

use super::cell;
use crate::local_time;

/// One value. Holds personal data, so it has no `Debug`.
pub(super) enum Value {
    /// Not given.
    Nothing,
    /// Text that somebody chose, or that could have been.
    Text(String),
    /// A telephone number, E.164.
    Phone(String),
    /// A number that counts or orders something.
    Number(i64),
    /// A moment, with the offset that the campaign's zone has then.
    Time(OffsetDateTime),
    /// Several texts. Where there is one cell for them, this stands between them.
    Texts(Vec<String>, &'static str),
    /// JSON that this program wrote into a column.
    Json(String),
}

/// The values of one row, as many as there are columns.
pub(super) type Row = Vec<Value>;

impl Value {
    pub(super) fn text(text: Option<String>) -> Self {
        text.map_or(Self::Nothing, Self::Text)
    }

    pub(super) fn phone(phone: Option<String>) -> Self {
        phone.map_or(Self::Nothing, Self::Phone)
    }

    /// As CSV has it: all text, nothing of which a spreadsheet takes for a formula.
    pub(super) fn to_csv(&self) -> Cow<'_, str> {
        match self {
            Self::Text(text) => cell::text(text),
            Self::Phone(phone) => cell::phone(phone),
            Self::Texts(..) => Cow::Owned(cell::text(&self.to_plain()).into_owned()),
            Self::Nothing | Self::Number(_) | Self::Time(_) | Self::Json(_) => self.to_plain(),
        }
    }

    /// The text alone, for a cell whose type says already that it is text.
    pub(super) fn to_plain(&self) -> Cow<'_, str> {
        match self {
            Self::Nothing => Cow::Borrowed(""),
            Self::Text(text) | Self::Phone(text) | Self::Json(text) => Cow::Borrowed(text),
            Self::Number(number) => Cow::Owned(number.to_string()),
            Self::Time(local) => Cow::Owned(local_time::to_the_second(*local)),
            Self::Texts(texts, separator) => Cow::Owned(texts.join(separator)),
        }
    }
}

/// As NDJSON has it: typed, exact, and as it was given.
impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Nothing => serializer.serialize_none(),
            Self::Text(text) | Self::Phone(text) => serializer.serialize_str(text),
            Self::Number(number) => serializer.serialize_i64(*number),
            Self::Time(local) => serializer.serialize_str(&local_time::exact(*local)),
            Self::Texts(texts, _) => texts.serialize(serializer),
            Self::Json(text) => {
                let raw: &RawValue = serde_json::from_str(text).map_err(serde::ser::Error::custom)?;
                raw.serialize(serializer)
            }
        }
    }
}
