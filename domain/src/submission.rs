//! Refused submissions: what a store could not take, kept whole.
//!
//! Nothing is decided here, so there is no aggregate, only its events. The stream is `submission/<digest of
//! the raw entry>`, so that sending the same thing again records it once.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Digest, FieldError, Timestamp, Verdict};

/// Aggregate type of the streams that hold refused submissions.
pub const SUBMISSION_STREAM: &str = "submission";

/// What happened to a submission.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum SubmissionEvent {
    /// It was refused, and is kept: sequence 1 of its stream.
    Refused(Refusal),
    /// Somebody has dealt with it, and it leaves the quarantine: sequence 2.
    Released(Release),
}

/// How a refused submission was dealt with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Release {
    /// Who did it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// When, by the store's clock.
    pub at: Timestamp,
    /// What was done.
    pub outcome: ReleaseOutcome,
}

/// What became of a released submission.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReleaseOutcome {
    /// Judged again by today's rules, it was recorded as a lead.
    Recorded,
    /// It is no lead, and was put aside.
    Dismissed,
}

/// A refused entry with the reason. Prints redacted.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Refusal {
    /// The lead that it says it is, as received.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// The version that it says it is, as received.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
    /// The installation that it says made it, as received.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_id: Option<String>,
    /// Its sequence number there, as received: a number that was refused is not missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_seq: Option<u64>,
    /// Why it was refused.
    pub reason: RefusalReason,
    /// Which rules it breaks, with `invalid`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
    /// The entry as received: JSON inside a JSON string, so that even what PostgreSQL could not read as
    /// JSON (an escaped U+0000) is kept to the byte.
    pub raw: String,
}

/// Why an entry was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusalReason {
    /// It breaks a rule.
    Invalid,
    /// The same lead and version is here with other bytes.
    Conflict,
    /// This program is too old to understand it.
    Unsupported,
    /// The device that handed it in was shut out; it was not judged.
    DeviceRevoked,
}

impl RefusalReason {
    /// The verdict that the sender gets.
    pub const fn verdict(self) -> Verdict {
        match self {
            Self::Invalid => Verdict::Invalid,
            Self::Conflict => Verdict::Conflict,
            Self::Unsupported => Verdict::Unsupported,
            Self::DeviceRevoked => Verdict::Quarantined,
        }
    }
}

impl Refusal {
    /// Digest of the entry; names the stream.
    pub fn digest(&self) -> Digest {
        Digest::of(&self.raw)
    }
}

impl SubmissionEvent {
    /// Name of the event in the log.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Refused(_) => "SubmissionRefused",
            Self::Released(_) => "SubmissionReleased",
        }
    }

    /// Version of the event's form in the log.
    pub const FORM_VERSION: &'static str = "1";
}

impl fmt::Debug for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Refusal")
            .field("client_id", &self.client_id)
            .field("version", &self.version)
            .field("reason", &self.reason)
            .field("errors", &self.errors)
            .finish_non_exhaustive()
    }
}
