//! What is wrong with a field: a stable code that every language has words for.

use serde::{Deserialize, Serialize};

/// One thing that is wrong, and where. The words for people live in the catalogues of the app.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FieldError {
    /// Path of the field inside the lead: `firstName`, `email`, `consents.terms`; `contact` for the
    /// contact as a whole, empty for the entry as a whole.
    #[cfg_attr(feature = "openapi", schema(example = "email"))]
    pub field: String,
    /// What is wrong.
    pub code: ErrorCode,
    /// For engineers: what was expected. Never holds the value itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

impl FieldError {
    /// An error without further detail.
    pub fn new(field: impl Into<String>, code: ErrorCode) -> Self {
        Self { field: field.into(), code, detail: None }
    }

    /// Adds what was expected.
    #[must_use]
    pub fn with_detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }
}

/// What can be wrong with a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub enum ErrorCode {
    /// Must be given.
    Required,
    /// At least one of several must be given (the e-mail or the phone).
    OneOfRequired,
    /// Has not the form it must have.
    Malformed,
    /// Longer, more or deeper than anything real.
    TooLong,
    /// Holds text that no store can keep: U+0000, other control characters, or half a surrogate pair.
    UnstorableText,
}

impl ErrorCode {
    /// The code as it stands on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Required => "required",
            Self::OneOfRequired => "one-of-required",
            Self::Malformed => "malformed",
            Self::TooLong => "too-long",
            Self::UnstorableText => "unstorable-text",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_of_a_code_is_that_of_the_wire() {
        use ErrorCode::{Malformed, OneOfRequired, Required, TooLong, UnstorableText};
        for it in [Required, OneOfRequired, Malformed, TooLong, UnstorableText] {
            assert_eq!(serde_json::to_value(it).unwrap(), it.as_str());
        }
    }
}
