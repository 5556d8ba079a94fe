//! The aggregate of what the office does with a lead after the event: correct a field, note that a consent
//! was withdrawn, erase the person.
//!
//! The stream `follow_up/<clientId>` is written at the cloud only; a hub forwards such a wish, and learns of
//! erasures from the cloud's answers. A lead as people see it is the device's newest version with these
//! changes on top, so nothing is merged.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{ContactFields, LeadEvent, Refusal, SubmissionEvent, Timestamp};

/// Aggregate type of the streams that hold what the office did.
pub const FOLLOW_UP_STREAM: &str = "follow_up";

/// What the office has done with one lead.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FollowUp {
    corrected: ContactFields,
    withdrawn: BTreeMap<String, Timestamp>,
    is_erased: bool,
}

/// What the office can do with a lead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FollowUpCommand {
    /// Replace the fields that are given; the others stay.
    CorrectContact {
        /// The fields, in their normal form.
        contact: ContactFields,
        /// Who did it.
        by: Option<String>,
        /// When, by the store's clock.
        at: Timestamp,
    },
    /// Note that the person has withdrawn a consent.
    WithdrawConsent {
        /// The consent.
        consent_id: String,
        /// Who noted it.
        by: Option<String>,
        /// When the person withdrew it.
        at: Timestamp,
    },
    /// Delete the person's data everywhere.
    Erase {
        /// Who did it.
        by: Option<String>,
        /// When, by the store's clock.
        at: Timestamp,
    },
}

/// What the office did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", rename_all_fields = "camelCase")]
pub enum FollowUpEvent {
    /// Fields were replaced.
    ContactCorrected {
        /// The fields that changed.
        contact: ContactFields,
        /// Who did it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<String>,
        /// When, by the store's clock.
        at: Timestamp,
    },
    /// A consent was withdrawn, until the person gives it again in a later lead.
    ConsentWithdrawn {
        /// The consent.
        consent_id: String,
        /// Who noted it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<String>,
        /// When the person withdrew it.
        at: Timestamp,
    },
    /// The person's data was deleted.
    LeadErased {
        /// Who did it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<String>,
        /// When, by the store's clock.
        at: Timestamp,
    },
}

/// Why the office's wish was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FollowUpError {
    /// Nothing of the person is left to change.
    #[error("this lead was erased; nothing of it can be changed any more")]
    Erased,
    /// Nothing would change.
    #[error("this changes nothing: give at least one field that differs, or a consent that is not withdrawn")]
    NoChange,
}

impl FollowUpEvent {
    /// Version of the event's form in the log.
    pub const FORM_VERSION: &'static str = "1";

    /// Name of the event that erases.
    pub const LEAD_ERASED: &'static str = "LeadErased";

    /// Name of the event in the log.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::ContactCorrected { .. } => "ContactCorrected",
            Self::ConsentWithdrawn { .. } => "ConsentWithdrawn",
            Self::LeadErased { .. } => Self::LEAD_ERASED,
        }
    }

    /// The event without what says who the person is; what an erasure leaves of it in the log.
    #[must_use]
    pub fn without_personal_data(self) -> Self {
        match self {
            Self::ContactCorrected { by, at, .. } => {
                Self::ContactCorrected { contact: ContactFields::default(), by, at }
            }
            other => other,
        }
    }
}

impl FollowUp {
    /// The fields that the office replaced.
    pub const fn corrected(&self) -> &ContactFields {
        &self.corrected
    }

    /// Consents that were withdrawn, each with the last time.
    pub const fn withdrawn(&self) -> &BTreeMap<String, Timestamp> {
        &self.withdrawn
    }

    /// Whether the person's data was deleted.
    pub const fn is_erased(&self) -> bool {
        self.is_erased
    }

    /// Decides what happens. Pure.
    ///
    /// # Errors
    /// [`FollowUpError`] when the command cannot be obeyed.
    pub fn decide(&self, command: FollowUpCommand) -> Result<FollowUpEvent, FollowUpError> {
        if self.is_erased {
            return Err(FollowUpError::Erased);
        }
        match command {
            FollowUpCommand::CorrectContact { contact, by, at } => {
                if contact.clone().or(&self.corrected) == self.corrected {
                    return Err(FollowUpError::NoChange);
                }
                Ok(FollowUpEvent::ContactCorrected { contact, by, at })
            }
            FollowUpCommand::WithdrawConsent { consent_id, by, at } => {
                if self.withdrawn.get(&consent_id).is_some_and(|known| *known >= at) {
                    return Err(FollowUpError::NoChange);
                }
                Ok(FollowUpEvent::ConsentWithdrawn { consent_id, by, at })
            }
            FollowUpCommand::Erase { by, at } => Ok(FollowUpEvent::LeadErased { by, at }),
        }
    }

    /// Applies an event of this stream.
    pub fn evolve(&mut self, event: FollowUpEvent) {
        match event {
            FollowUpEvent::ContactCorrected { contact, .. } => self.corrected = contact.or(&self.corrected),
            FollowUpEvent::ConsentWithdrawn { consent_id, at, .. } => {
                let known = self.withdrawn.entry(consent_id).or_insert(at);
                *known = (*known).max(at);
            }
            FollowUpEvent::LeadErased { .. } => *self = Self { is_erased: true, ..Self::default() },
        }
    }
}

impl fmt::Debug for FollowUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FollowUp")
            .field("withdrawn", &self.withdrawn)
            .field("is_erased", &self.is_erased)
            .finish_non_exhaustive()
    }
}

/// What an erasure leaves of an entry in the log: ids, times and the proof of consents. Fields that this
/// program does not know go, because they may say who the person is; so does who held the device.
///
/// `None` when the payload is not that of a lead; then all of it goes.
pub fn erased_entry(payload: &str) -> Option<String> {
    let event: LeadEvent = serde_json::from_str(payload).ok()?;
    let strip = |mut entry: crate::Entry| {
        entry.contact = ContactFields::default();
        entry.operator = None;
        entry
    };
    let event = match event {
        LeadEvent::Captured(entry) => LeadEvent::Captured(strip(entry)),
        LeadEvent::Corrected(entry) => LeadEvent::Corrected(strip(entry)),
        LeadEvent::Voided(entry) => LeadEvent::Voided(strip(entry)),
    };
    serde_json::to_string(&event).ok()
}

/// What an erasure leaves of a refused submission: whose it said it was, and why it was refused.
pub fn erased_submission(payload: &str) -> Option<String> {
    let event: SubmissionEvent = serde_json::from_str(payload).ok()?;
    let event = match event {
        SubmissionEvent::Refused(refusal) => {
            SubmissionEvent::Refused(Refusal { raw: String::new(), ..refusal })
        }
        released @ SubmissionEvent::Released(_) => released,
    };
    serde_json::to_string(&event).ok()
}

#[cfg(feature = "aggregates")]
mod aggregate {
    use cqrs_es::event_sink::EventSink;
    use cqrs_es::{Aggregate, DomainEvent};

    use super::{FOLLOW_UP_STREAM, FollowUp, FollowUpCommand, FollowUpError, FollowUpEvent};

    impl DomainEvent for FollowUpEvent {
        fn event_type(&self) -> String {
            self.name().to_owned()
        }

        fn event_version(&self) -> String {
            Self::FORM_VERSION.to_owned()
        }
    }

    impl Aggregate for FollowUp {
        const TYPE: &'static str = FOLLOW_UP_STREAM;
        type Command = FollowUpCommand;
        type Event = FollowUpEvent;
        type Error = FollowUpError;
        type Services = ();

        async fn handle(
            &mut self,
            command: FollowUpCommand,
            (): &Self::Services,
            sink: &EventSink<Self>,
        ) -> Result<(), FollowUpError> {
            let event = self.decide(command)?;
            sink.write(event, self).await;
            Ok(())
        }

        fn apply(&mut self, event: FollowUpEvent) {
            self.evolve(event);
        }
    }
}

#[cfg(all(test, feature = "aggregates"))]
#[expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]
mod tests {
    use cqrs_es::test::TestFramework;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_unix_ms(second * 1_000, 0).unwrap()
    }

    fn phone(phone: &str) -> ContactFields {
        ContactFields { phone: Some(phone.to_owned()), ..ContactFields::default() }
    }

    fn correct(contact: ContactFields) -> FollowUpCommand {
        FollowUpCommand::CorrectContact { contact, by: None, at: at(1) }
    }

    fn corrected(contact: ContactFields) -> FollowUpEvent {
        FollowUpEvent::ContactCorrected { contact, by: None, at: at(1) }
    }

    fn lead() -> TestFramework<FollowUp> {
        TestFramework::with(())
    }

    #[test]
    fn given_a_correction_when_another_field_is_corrected_then_both_hold() {
        let email = ContactFields { email: Some("anna@example.com".into()), ..ContactFields::default() };
        lead()
            .given(vec![corrected(phone("+48501502503"))])
            .when(correct(email.clone()))
            .then_expect_events(vec![corrected(email.clone())]);
        let mut state = FollowUp::default();
        state.evolve(corrected(phone("+48501502503")));
        state.evolve(corrected(email));
        assert_eq!(state.corrected().phone.as_deref(), Some("+48501502503"));
        assert_eq!(state.corrected().email.as_deref(), Some("anna@example.com"));
    }

    #[test]
    fn what_changes_nothing_is_refused() {
        lead()
            .given(vec![corrected(phone("+48501502503"))])
            .when(correct(phone("+48501502503")))
            .then_expect_error(FollowUpError::NoChange);
        lead()
            .given_no_previous_events()
            .when(correct(ContactFields::default()))
            .then_expect_error(FollowUpError::NoChange);
        let withdraw = |second| FollowUpCommand::WithdrawConsent {
            consent_id: "marketing-email".into(),
            by: None,
            at: at(second),
        };
        let withdrawn = |second| FollowUpEvent::ConsentWithdrawn {
            consent_id: "marketing-email".into(),
            by: None,
            at: at(second),
        };
        lead().given(vec![withdrawn(5)]).when(withdraw(4)).then_expect_error(FollowUpError::NoChange);
        // Given again in a later lead, and withdrawn once more.
        lead().given(vec![withdrawn(5)]).when(withdraw(9)).then_expect_events(vec![withdrawn(9)]);
    }

    #[test]
    fn given_an_erasure_when_anything_is_wished_then_it_is_refused() {
        let erased = FollowUpEvent::LeadErased { by: None, at: at(1) };
        for command in [correct(phone("+48501502503")), FollowUpCommand::Erase { by: None, at: at(2) }] {
            lead().given(vec![erased.clone()]).when(command).then_expect_error(FollowUpError::Erased);
        }
        lead()
            .given(vec![corrected(phone("+48501502503"))])
            .when(FollowUpCommand::Erase { by: None, at: at(1) })
            .then_expect_events(vec![erased]);
    }

    #[test]
    fn an_erasure_leaves_ids_times_and_consents_of_an_entry_and_nothing_of_the_person() {
        let payload = r#"{"kind":"captured","clientId":"0197f3c2-5c1e-7c3a-9d64-0242ac120002","version":1,
            "deviceId":"ipad-7","deviceSeq":41,"campaignId":"shootout-2026","campaignVersion":1,
            "capturedAt":"2026-05-23T14:03:11+02:00","operator":"Ola","nickname":"Ania",
            "contact":{"firstName":"Anna","lastName":"Nowak","email":"anna@example.com"},
            "consents":[{"id":"terms","textVersion":1,"language":"pl","grantedAt":"2026-05-23T14:03:10+02:00"}]}"#;
        let left = erased_entry(payload).unwrap();
        for word in ["Anna", "Nowak", "anna@", "Ola", "Ania"] {
            assert!(!left.contains(word), "{word} in {left}");
        }
        let left: LeadEvent = serde_json::from_str(&left).unwrap();
        assert_eq!((left.entry().device_seq, left.entry().consents.len()), (41, 1));
        assert_eq!(erased_entry("{}"), None);
    }

    #[test]
    fn personal_data_does_not_print() {
        let mut state = FollowUp::default();
        state.evolve(corrected(phone("+48501502503")));
        assert!(!format!("{state:?} {:?}", corrected(phone("+48501502503"))).contains("501502503"));
    }
}
