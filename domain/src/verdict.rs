//! What a store says about one entry.

use serde::{Deserialize, Serialize};

use crate::{AppendId, ClientId, FieldError, Flag};

/// What became of one entry. Given only after commit (invariant 3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// New in this store. The device: synced.
    Created,
    /// This version is here already, the same bytes. The device: synced.
    Duplicate,
    /// Recorded like any other, but another lead of this campaign holds the e-mail. The device: synced.
    DuplicateEmail,
    /// Its predecessor is not here yet. The device: stays pending, predecessor first.
    Waiting,
    /// Breaks a rule; recorded as refused. The device: failed, visible, can be fixed.
    Invalid,
    /// Same lead and version, other bytes; recorded as refused. The device: failed, visible, both kept.
    Conflict,
    /// Made by a newer program than this store understands; recorded raw. The device: stays pending here.
    Unsupported,
    /// The person was erased. The device: deletes the personal data.
    Erased,
    /// Handed in by a device that was shut out; recorded raw, for somebody to look at. The device: stays pending.
    Quarantined,
}

impl Verdict {
    /// The verdict as it stands on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Duplicate => "duplicate",
            Self::DuplicateEmail => "duplicate_email",
            Self::Waiting => "waiting",
            Self::Invalid => "invalid",
            Self::Conflict => "conflict",
            Self::Unsupported => "unsupported",
            Self::Erased => "erased",
            Self::Quarantined => "quarantined",
        }
    }

    /// Whether this store now has the lead, so that its receipt counts.
    pub const fn is_stored(self) -> bool {
        matches!(self, Self::Created | Self::Duplicate | Self::DuplicateEmail)
    }

    /// Whether the entry as it is will never be taken, by the store's own typed word.
    pub const fn is_refused(self) -> bool {
        matches!(self, Self::Invalid | Self::Conflict)
    }
}

/// The answer about one entry, in the order of the request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct EntryResult {
    /// The entry's `clientId` as received, if it had one that is text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// The entry's `version` as received, if it had one that is a number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
    /// The verdict.
    pub status: Verdict,
    /// Position of this very entry (or of its refusal) in the store's log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<u64>,
    /// The append that recorded it. With `position` it is the receipt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub append_id: Option<AppendId>,
    /// The lead that this counts as, for people: its own position, or that of the lead that holds the e-mail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_id: Option<u64>,
    /// The other lead that holds the e-mail, with `duplicate_email`, and with `duplicate` when it is sent again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub existing: Option<ClientId>,
    /// What is wrong, with `invalid`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
    /// What is unusual, though it was recorded.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub flags: Vec<Flag>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_of_a_verdict_is_that_of_the_wire() {
        use Verdict::{
            Conflict, Created, Duplicate, DuplicateEmail, Erased, Invalid, Quarantined, Unsupported, Waiting,
        };
        let refusals = [Waiting, Invalid, Conflict, Unsupported, Erased, Quarantined];
        for it in [Created, Duplicate, DuplicateEmail].into_iter().chain(refusals) {
            assert_eq!(serde_json::to_value(it).unwrap(), it.as_str());
        }
    }
}
