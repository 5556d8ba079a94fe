//! The aggregate of one lead as its device says it: version 1, 2, 3, each complete.
//!
//! The stream `lead/<clientId>` has one writer, the device that made the lead. What the office does later
//! goes to a stream of its own ([`crate::FollowUp`]), so nothing is ever merged.
//!
//! A version that was refused stands in no lead's stream, and the fix of it is the next version. So the
//! versions of a stream rise, but may leave one out.

use serde::{Deserialize, Serialize};

use crate::{Campaigns, Entry, ErrorCode, FieldError};

/// Aggregate type of the streams that hold leads.
pub const LEAD_STREAM: &str = "lead";

/// The state of one lead: the newest version, and whether it was taken back.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lead {
    newest: Option<Entry>,
    is_voided: bool,
}

/// What a device can do with a lead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LeadCommand {
    /// Record a new lead.
    Capture(Entry),
    /// Replace it by a later version.
    Correct(Entry),
    /// Take it back.
    Void(Entry),
}

/// What happened to a lead. Serialized it *is* the entry of the wire, so a store keeps the bytes as
/// received and still has events that every reader of the log understands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum LeadEvent {
    /// A hostess saved a new lead: version 1.
    Captured(Entry),
    /// She changed it: version 2 and up. Also what brings a lead back that was taken back.
    Corrected(Entry),
    /// She took it back: version 2 and up.
    Voided(Entry),
}

/// Why a command was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LeadError {
    /// The stream has this version, or a later one, already.
    #[error("this lead is recorded already, in version {newest}")]
    AlreadyRecorded {
        /// The newest version.
        newest: u32,
    },
    /// Rules are broken.
    #[error("the lead breaks {} rule(s): {}", .0.len(), fields(.0))]
    Invalid(Vec<FieldError>),
}

fn fields(errors: &[FieldError]) -> String {
    errors.iter().map(|error| error.field.as_str()).collect::<Vec<_>>().join(", ")
}

impl LeadError {
    /// The errors to answer with.
    pub fn into_errors(self) -> Vec<FieldError> {
        match self {
            Self::Invalid(errors) => errors,
            error @ Self::AlreadyRecorded { .. } => {
                vec![FieldError::new("version", ErrorCode::Malformed).with_detail(error.to_string())]
            }
        }
    }
}

impl LeadCommand {
    fn into_event(self) -> LeadEvent {
        match self {
            Self::Capture(entry) => LeadEvent::Captured(entry),
            Self::Correct(entry) => LeadEvent::Corrected(entry),
            Self::Void(entry) => LeadEvent::Voided(entry),
        }
    }
}

impl LeadEvent {
    /// The kinds that this program understands.
    pub const KINDS: [&'static str; 3] = ["captured", "corrected", "voided"];

    /// Name of the event in the log.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Captured(_) => "LeadCaptured",
            Self::Corrected(_) => "LeadCorrected",
            Self::Voided(_) => "LeadVoided",
        }
    }

    /// Version of the event's form in the log.
    pub const FORM_VERSION: &'static str = "1";

    /// The lead as it stands after this event.
    pub const fn entry(&self) -> &Entry {
        match self {
            Self::Captured(entry) | Self::Corrected(entry) | Self::Voided(entry) => entry,
        }
    }

    /// The lead as it stands after this event.
    pub fn into_entry(self) -> Entry {
        match self {
            Self::Captured(entry) | Self::Corrected(entry) | Self::Voided(entry) => entry,
        }
    }

    /// Whether the lead was taken back.
    pub const fn is_void(&self) -> bool {
        matches!(self, Self::Voided(_))
    }

    /// Judges the entry alone, whatever the stream holds. A void is judged by its frame only: nobody must be
    /// kept from taking back what was typed wrong.
    ///
    /// # Errors
    /// Every rule that is broken.
    pub fn check(&self, campaigns: &dyn Campaigns) -> Result<(), Vec<FieldError>> {
        let (version, expected) = (self.entry().version, self.expected_versions());
        if !expected.0.contains(&version) {
            return Err(vec![FieldError::new("version", ErrorCode::Malformed).with_detail(expected.1)]);
        }
        match self {
            Self::Captured(entry) | Self::Corrected(entry) => entry.check(campaigns).map(drop),
            Self::Voided(entry) => entry.check_frame(),
        }
    }

    const fn expected_versions(&self) -> (std::ops::RangeInclusive<u32>, &'static str) {
        match self {
            Self::Captured(_) => (1..=1, "a capture is version 1"),
            Self::Corrected(_) => (2..=Entry::MAX_VERSION, "a correction is version 2 and up"),
            Self::Voided(_) => (2..=Entry::MAX_VERSION, "a void is version 2 and up"),
        }
    }
}

impl Lead {
    /// The newest version of the lead.
    pub const fn newest(&self) -> Option<&Entry> {
        self.newest.as_ref()
    }

    /// Whether the newest version takes the lead back.
    pub const fn is_voided(&self) -> bool {
        self.is_voided
    }

    /// Decides what happens. Pure: the same state, command and campaigns give the same event.
    ///
    /// # Errors
    /// [`LeadError`] when the command cannot be obeyed.
    pub fn decide(&self, command: LeadCommand, campaigns: &dyn Campaigns) -> Result<LeadEvent, LeadError> {
        let event = command.into_event();
        if let Some(newest) = self.newest.as_ref().filter(|newest| newest.version >= event.entry().version) {
            return Err(LeadError::AlreadyRecorded { newest: newest.version });
        }
        event.check(campaigns).map_err(LeadError::Invalid)?;
        Ok(event)
    }

    /// Applies an event of this lead's stream.
    pub fn evolve(&mut self, event: LeadEvent) {
        self.is_voided = event.is_void();
        self.newest = Some(event.into_entry());
    }
}

#[cfg(feature = "aggregates")]
mod aggregate {
    use std::sync::Arc;

    use cqrs_es::event_sink::EventSink;
    use cqrs_es::{Aggregate, DomainEvent};

    use super::{LEAD_STREAM, Lead, LeadCommand, LeadError, LeadEvent};
    use crate::Campaigns;

    impl DomainEvent for LeadEvent {
        fn event_type(&self) -> String {
            self.name().to_owned()
        }

        fn event_version(&self) -> String {
            Self::FORM_VERSION.to_owned()
        }
    }

    impl Aggregate for Lead {
        const TYPE: &'static str = LEAD_STREAM;
        type Command = LeadCommand;
        type Event = LeadEvent;
        type Error = LeadError;
        type Services = Arc<dyn Campaigns + Send + Sync>;

        async fn handle(
            &mut self,
            command: LeadCommand,
            campaigns: &Self::Services,
            sink: &EventSink<Self>,
        ) -> Result<(), LeadError> {
            let event = self.decide(command, campaigns.as_ref())?;
            sink.write(event, self).await;
            Ok(())
        }

        fn apply(&mut self, event: LeadEvent) {
            self.evolve(event);
        }
    }
}

#[cfg(all(test, feature = "aggregates"))]
#[expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]
mod tests {
    use std::sync::Arc;

    use cqrs_es::test::TestFramework;

    use super::*;
    use crate::{ContactFields, EmbeddedCampaigns};

    fn entry() -> Entry {
        Entry {
            client_id: "0197f3c2-5c1e-7c3a-9d64-0242ac120002".parse().unwrap(),
            version: 1,
            device_id: "ipad-7".parse().unwrap(),
            device_seq: 1,
            campaign_id: "shootout-2026".parse().unwrap(),
            campaign_version: 1,
            captured_at: "2026-05-23T14:03:11.12+02:00".parse().unwrap(),
            clock_offset_ms: None,
            operator: None,
            contact: ContactFields {
                first_name: Some("Anna".into()),
                last_name: Some("Nowak".into()),
                email: Some("anna@example.com".into()),
                phone: None,
            },
            consents: vec![crate::ConsentGrant {
                id: "terms".into(),
                text_version: 1,
                language: "pl".into(),
                granted_at: "2026-05-23T14:03:10+02:00".parse().unwrap(),
            }],
        }
    }

    fn lead() -> TestFramework<Lead> {
        TestFramework::with(Arc::new(EmbeddedCampaigns) as Arc<dyn Campaigns + Send + Sync>)
    }

    #[test]
    fn given_nothing_when_captured_then_the_lead_is_recorded() {
        lead()
            .given_no_previous_events()
            .when(LeadCommand::Capture(entry()))
            .then_expect_events(vec![LeadEvent::Captured(entry())]);
    }

    #[test]
    fn given_a_lead_when_captured_again_then_it_is_refused() {
        let mut other = entry();
        other.contact.first_name = Some("Ala".into());
        lead()
            .given(vec![LeadEvent::Captured(entry())])
            .when(LeadCommand::Capture(other))
            .then_expect_error(LeadError::AlreadyRecorded { newest: 1 });
    }

    #[test]
    fn given_nothing_when_captured_without_the_required_consent_then_it_is_refused() {
        let without = Entry { consents: Vec::new(), ..entry() };
        lead().given_no_previous_events().when(LeadCommand::Capture(without)).then_expect_error(
            LeadError::Invalid(vec![FieldError::new("consents.terms", ErrorCode::Required)]),
        );
    }

    #[test]
    fn given_a_lead_when_corrected_and_voided_then_each_is_the_next_version() {
        let version = |version| Entry { version, ..entry() };
        let captured = vec![LeadEvent::Captured(entry())];
        lead()
            .given(captured.clone())
            .when(LeadCommand::Correct(version(2)))
            .then_expect_events(vec![LeadEvent::Corrected(version(2))]);
        lead()
            .given(captured.clone())
            .when(LeadCommand::Void(Entry { consents: Vec::new(), ..version(2) }))
            .then_expect_events(vec![LeadEvent::Voided(Entry { consents: Vec::new(), ..version(2) })]);
        // Version 2 was refused; the fix of it is version 3.
        lead()
            .given(captured)
            .when(LeadCommand::Correct(version(3)))
            .then_expect_events(vec![LeadEvent::Corrected(version(3))]);
        lead()
            .given(vec![LeadEvent::Captured(entry()), LeadEvent::Voided(version(2))])
            .when(LeadCommand::Correct(version(2)))
            .then_expect_error(LeadError::AlreadyRecorded { newest: 2 });
    }

    #[test]
    fn a_correction_obeys_the_rules_of_a_capture() {
        let bad = Entry { version: 2, consents: Vec::new(), ..entry() };
        lead().given(vec![LeadEvent::Captured(entry())]).when(LeadCommand::Correct(bad)).then_expect_error(
            LeadError::Invalid(vec![FieldError::new("consents.terms", ErrorCode::Required)]),
        );
    }

    #[test]
    fn an_event_is_the_entry_of_the_wire_with_its_kind() {
        let json = serde_json::to_value(LeadEvent::Captured(entry())).unwrap();
        assert_eq!((&json["kind"], &json["deviceSeq"]), (&"captured".into(), &1.into()));
        assert_eq!(serde_json::from_value::<LeadEvent>(json).unwrap(), LeadEvent::Captured(entry()));
    }

    #[test]
    fn personal_data_does_not_print() {
        let printed = format!("{:?}", LeadEvent::Captured(entry()));
        assert!(!printed.contains("Nowak") && !printed.contains("anna@"), "{printed}");
    }
}
