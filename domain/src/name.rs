//! First and last names.

use std::fmt;

use crate::ErrorCode;

/// A first or last name: trimmed, not empty, at most [`PersonName::MAX_CHARS`] characters, without
/// control characters. People's names follow no other rule.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PersonName(String);

impl PersonName {
    /// Longest name that is accepted, in characters.
    pub const MAX_CHARS: usize = 100;

    /// Reads a name as typed.
    ///
    /// # Errors
    /// [`ErrorCode::Required`] when nothing but white space is left, [`ErrorCode::TooLong`],
    /// [`ErrorCode::UnstorableText`].
    pub fn parse(typed: &str) -> Result<Self, ErrorCode> {
        let name = typed.trim();
        if name.is_empty() {
            return Err(ErrorCode::Required);
        }
        if name.chars().any(char::is_control) {
            return Err(ErrorCode::UnstorableText);
        }
        if name.chars().nth(Self::MAX_CHARS).is_some() {
            return Err(ErrorCode::TooLong);
        }
        Ok(Self(name.to_owned()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PersonName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PersonName(…)")
    }
}
