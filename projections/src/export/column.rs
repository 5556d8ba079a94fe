//! The columns: their names in each format, and how a spreadsheet shows them.

use std::borrow::Cow;

/// One column.
pub(super) struct Column {
    /// Its name in a header row, for example `first_name`. Stable: people and imports find columns by it.
    pub(super) name: Cow<'static, str>,
    /// Its name in an object.
    pub(super) key: Cow<'static, str>,
    /// Width in a spreadsheet, in characters.
    pub(super) width_chars: u16,
    /// Whether its values are numbers.
    pub(super) is_number: bool,
}

/// A column of every export of its kind, as a table can list it.
pub(super) struct Fixed {
    name: &'static str,
    key: &'static str,
    width_chars: u16,
    is_number: bool,
}

/// A column of texts.
pub(super) const fn text(name: &'static str, key: &'static str, width_chars: u16) -> Fixed {
    Fixed { name, key, width_chars, is_number: false }
}

/// A column of times.
pub(super) const fn time(name: &'static str, key: &'static str) -> Fixed {
    text(name, key, TIME_WIDTH_CHARS)
}

/// A column of numbers.
pub(super) const fn number(name: &'static str, key: &'static str) -> Fixed {
    Fixed { name, key, width_chars: 12, is_number: true }
}

/// Width of `2026-05-23T14:03:11+02:00`.
const TIME_WIDTH_CHARS: u16 = 26;

impl Fixed {
    pub(super) const fn column(&self) -> Column {
        Column {
            name: Cow::Borrowed(self.name),
            key: Cow::Borrowed(self.key),
            width_chars: self.width_chars,
            is_number: self.is_number,
        }
    }
}

impl Column {
    /// A column of times whose name is only known when the program runs.
    pub(super) fn of_times(name: String, key: String) -> Self {
        Self { name: name.into(), key: key.into(), width_chars: TIME_WIDTH_CHARS, is_number: false }
    }
}
