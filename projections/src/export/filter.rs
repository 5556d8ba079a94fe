//! Which rows an export has. The query parameters of the routes and the flags of the command line are the fields of
//! [`Filter`], by their names.
//!
//! A filter never decides what a row says, only whether it is there.

use std::str::FromStr;

use domain::{CampaignId, DeviceId, Entry, Timestamp};
use time::OffsetDateTime;

use super::ExportKind;

/// Which rows. Every field that is given must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only rows of this campaign.
    pub campaign: Option<CampaignId>,
    /// Only leads of this device. A contact may have leads of several devices, so this is for leads alone.
    pub device: Option<DeviceId>,
    /// Only leads that were captured at this moment or later, by the device's clock. A contact counts by its first
    /// capture, so that each is in exactly one of the spans that follow one another.
    pub from: Option<Timestamp>,
    /// Only what was captured before this moment.
    pub to: Option<Timestamp>,
    /// Only rows in which this consent stands: it was given, and not withdrawn since.
    pub consent: Option<ConsentId>,
}

/// The consent of a campaign, for example `marketing-email`: what a lead may name one, so neither empty nor longer than
/// [`Entry::MAX_CONSENT_TEXT_BYTES`], and without control characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsentId(String);

/// The text cannot be the id of a consent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be the id of a consent, such as marketing-email")]
pub struct ConsentIdError;

/// Why no export can be made with a filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FilterError {
    /// A contact may have leads of several devices.
    #[error(
        "contacts cannot be filtered by device, because one contact may have leads of several; export leads, or leave \
         device out"
    )]
    DeviceOfContacts,
    /// No moment is in between.
    #[error("from must be earlier than to; to itself is not in the export any more")]
    EmptySpan,
}

impl FromStr for ConsentId {
    type Err = ConsentIdError;

    fn from_str(text: &str) -> Result<Self, ConsentIdError> {
        let is_id =
            (1..=Entry::MAX_CONSENT_TEXT_BYTES).contains(&text.len()) && !text.contains(char::is_control);
        if is_id { Ok(Self(text.to_owned())) } else { Err(ConsentIdError) }
    }
}

impl Filter {
    /// Refuses what makes no sense for this kind.
    pub(super) fn check(&self, kind: ExportKind) -> Result<(), FilterError> {
        if kind == ExportKind::Contacts && self.device.is_some() {
            return Err(FilterError::DeviceOfContacts);
        }
        match (self.from, self.to) {
            (Some(from), Some(to)) if from >= to => Err(FilterError::EmptySpan),
            _ => Ok(()),
        }
    }

    /// What the statements compare with.
    pub(super) fn arguments(&self) -> Arguments<'_> {
        Arguments {
            campaign: self.campaign.as_ref().map(CampaignId::as_str),
            device: self.device.as_ref().map(DeviceId::as_str),
            from: self.from.map(Timestamp::moment),
            to: self.to.map(Timestamp::moment),
            grant: self.consent.as_ref().map(ConsentId::grant),
        }
    }
}

impl ConsentId {
    /// The id.
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// How a grant of this consent begins in the columns `consents`, which this program alone writes. Nothing else
    /// in a column can read so, because quotes inside a text are escaped. Looking for it costs a fraction of what it
    /// costs to parse each row's JSON; and a planner, which cannot guess how many rows hold it, is not asked to.
    fn grant(&self) -> String {
        format!(r#"{{"id":{},"#, serde_json::Value::from(self.0.as_str()))
    }
}

/// A filter as the statements take it.
pub(super) struct Arguments<'f> {
    pub(super) campaign: Option<&'f str>,
    pub(super) device: Option<&'f str>,
    pub(super) from: Option<OffsetDateTime>,
    pub(super) to: Option<OffsetDateTime>,
    /// How the grant that must stand begins.
    pub(super) grant: Option<String>,
}

#[cfg(test)]
mod tests {
    use domain::ConsentGrant;

    use super::*;
    use crate::fold::ContactConsent;

    fn grant(id: &str) -> ConsentGrant {
        let granted_at = "2026-05-23T14:03:10+02:00".parse().unwrap();
        ConsentGrant { id: id.into(), text_version: 1, language: "pl".into(), granted_at }
    }

    #[test]
    fn a_grant_is_found_in_both_columns_as_they_are_written_and_in_no_other_text() {
        for id in ["terms", "a b", r#"ę"\ł"#, r#"","id":""#] {
            let sought = id.parse::<ConsentId>().unwrap().grant();
            let lead = serde_json::to_string(&[grant(id)]).unwrap();
            let client_id = "0197f3c2-5c1e-7c3a-9d64-000000000001".parse().unwrap();
            let contact = serde_json::to_string(&[ContactConsent { grant: grant(id), client_id }]).unwrap();
            assert!(lead.contains(&sought) && contact.contains(&sought), "{sought} in {lead} and {contact}");
        }
        let terms = "terms".parse::<ConsentId>().unwrap().grant();
        for other in ["terms2", "term", r#"{"id":"terms","#, r#"x{"id":"terms","textVersion":1"#] {
            let column = serde_json::to_string(&[grant(other)]).unwrap();
            assert!(!column.contains(&terms), "{terms} in {column}");
        }
        for none in ["", "a\u{0}b", &"x".repeat(65)] {
            assert_eq!(none.parse::<ConsentId>(), Err(ConsentIdError));
        }
    }

    #[test]
    fn a_filter_that_makes_no_sense_is_refused() {
        let device = Filter { device: "ipad-7".parse().ok(), ..Filter::default() };
        assert_eq!(device.check(ExportKind::Leads), Ok(()));
        assert_eq!(device.check(ExportKind::Contacts), Err(FilterError::DeviceOfContacts));
        // The same moment, so nothing is in between.
        let (from, to) = ("2026-05-23T14:00:00+02:00".parse().ok(), "2026-05-23T12:00:00Z".parse().ok());
        let span = Filter { from, to, ..Filter::default() };
        assert_eq!(span.check(ExportKind::Leads), Err(FilterError::EmptySpan));
    }
}
