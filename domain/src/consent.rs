//! Consents as given.

use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// A consent that a person gave: which, in which wording and language, and when. What was not ticked is
/// simply absent; there is no way to write down a consent that was not given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct ConsentGrant {
    /// The consent in the campaign's document, for example `terms`.
    #[cfg_attr(feature = "openapi", schema(example = "terms"))]
    pub id: String,
    /// Version of the wording that was shown.
    pub text_version: u32,
    /// Language of the wording that was shown, BCP 47.
    #[cfg_attr(feature = "openapi", schema(example = "pl"))]
    pub language: String,
    /// When it was ticked.
    pub granted_at: Timestamp,
}
