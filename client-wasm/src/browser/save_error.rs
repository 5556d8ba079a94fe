//! Why a Save did not happen.

use domain::FieldError;

use super::idb::StorageError;
use crate::engine::stored;
use crate::json::Fields;

/// Why a Save did not happen. The text must stay in the form.
#[derive(Debug, Clone, thiserror::Error)]
pub enum SaveError {
    /// What was typed breaks rules.
    #[error("{} field(s) must be corrected", .0.len())]
    Invalid(Vec<FieldError>),
    /// The disk did not take it.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl SaveError {
    /// As the app reads it.
    pub fn to_json(&self) -> String {
        let mut it = Fields::new();
        match self {
            Self::Invalid(errors) => {
                it.text("code", "invalid");
                it.list("errors", errors, stored::write_field_error);
            }
            Self::Storage(error) => {
                it.text("code", "storage");
                it.text("reason", error.reason());
                it.text("message", &error.to_string());
            }
        }
        it.end()
    }
}
