//! The forms that events have had.
//!
//! An event in the log names its type and the version of its form, and is never rewritten: what a device said is kept to
//! the byte, and is what hubs relay and digests are of. Whoever asks what an event *means* reads it in the form of
//! today ([`current_form`]).
//!
//! To change a form: raise the `FORM_VERSION` of its events and their line in [`EVENT_FORMS`], add an [`Upcaster`] from
//! the form before, and keep a stored example of the new form beside those of the earlier ones
//! (`projections/tests/projections/events/`). A new optional field needs none of this.

use std::borrow::Cow;

use serde_json::Value;

/// Every event that a store writes, with the version of its form today.
pub const EVENT_FORMS: [(&str, &str); 26] = [
    ("ApiClientCodeOffered", "1"),
    ("ApiClientRegistered", "1"),
    ("ApiClientRevoked", "1"),
    ("ApiClientScopesSet", "1"),
    ("ApiClientSecretAdded", "1"),
    ("ApiClientSecretExpirySet", "1"),
    ("ApiClientSecretRevoked", "1"),
    ("CampaignPublished", "1"),
    ("CloudVerdictGiven", "1"),
    ("ConsentWithdrawn", "1"),
    ("ContactCorrected", "1"),
    ("DeviceEnrolled", "1"),
    ("DeviceReported", "1"),
    ("EnrolmentOffered", "1"),
    ("EnrolmentRevoked", "1"),
    ("LeadCaptured", "1"),
    ("LeadCorrected", "1"),
    ("LeadErased", "1"),
    ("LeadVoided", "1"),
    ("PersonIdentified", "1"),
    ("PersonInvitationAccepted", "1"),
    ("PersonInvited", "1"),
    ("PersonReadmitted", "1"),
    ("PersonRevoked", "1"),
    ("SubmissionRefused", "1"),
    ("SubmissionReleased", "1"),
];

/// The steps from earlier forms. Every form until now is the first.
const UPCASTERS: &[Upcaster] = &[];

/// Brings the payload of an event from one form to the next. Pure.
struct Upcaster {
    event_type: &'static str,
    from: &'static str,
    to: &'static str,
    upcast: fn(Value) -> Value,
}

/// This program does not know the event, or not in this form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("this program does not know {event_type} in form {form}")]
pub struct UnknownForm {
    /// Name of the event.
    pub event_type: String,
    /// Version of its form.
    pub form: String,
}

/// The payload of an event in the form of today.
///
/// # Errors
/// [`UnknownForm`] when a newer program wrote it, or when an earlier form is no JSON.
pub fn current_form<'p>(event_type: &str, form: &str, payload: &'p str) -> Result<Cow<'p, str>, UnknownForm> {
    bring_up(&EVENT_FORMS, UPCASTERS, event_type, form, payload)
}

fn bring_up<'p>(
    forms: &[(&str, &str)],
    upcasters: &[Upcaster],
    event_type: &str,
    form: &str,
    payload: &'p str,
) -> Result<Cow<'p, str>, UnknownForm> {
    let unknown = || UnknownForm { event_type: event_type.to_owned(), form: form.to_owned() };
    let current = forms.iter().find(|(name, _)| *name == event_type).map(|(_, form)| *form);
    let current = current.ok_or_else(unknown)?;
    if form == current {
        return Ok(Cow::Borrowed(payload));
    }
    let mut value: Value = serde_json::from_str(payload).map_err(|_| unknown())?;
    let mut reached = form;
    while reached != current {
        let mut steps = upcasters.iter().filter(|step| step.event_type == event_type && step.from == reached);
        let step = steps.next().ok_or_else(unknown)?;
        value = (step.upcast)(value);
        reached = step.to;
    }
    Ok(Cow::Owned(value.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        ApiClientEvent, CloudVerdictEvent, DeviceReportEvent, EnrolmentEvent, FollowUpEvent, LeadEvent,
        PersonEvent, SubmissionEvent,
    };

    fn renamed(mut value: Value, from: &str, to: &str) -> Value {
        let moved = value.as_object_mut().unwrap().remove(from);
        value[to] = moved.unwrap();
        value
    }

    const STEPS: &[Upcaster] = &[
        Upcaster { event_type: "Moved", from: "2", to: "3", upcast: |value| renamed(value, "b", "c") },
        Upcaster { event_type: "Moved", from: "1", to: "2", upcast: |value| renamed(value, "a", "b") },
        Upcaster { event_type: "Other", from: "3", to: "4", upcast: |_| Value::Null },
    ];

    #[test]
    fn an_earlier_form_goes_through_every_step_and_todays_is_left_to_the_byte() {
        let bring = |form, payload| bring_up(&[("Moved", "3")], STEPS, "Moved", form, payload);
        assert_eq!(bring("1", r#"{"a": 1}"#).unwrap(), r#"{"c":1}"#);
        assert_eq!(bring("2", r#"{"b": 1}"#).unwrap(), r#"{"c":1}"#);
        assert_eq!(bring("3", r#"{"c": 1}"#).unwrap(), r#"{"c": 1}"#);
        for (form, payload) in [("4", "{}"), ("0", "{}"), ("1", "no JSON")] {
            assert_eq!(bring(form, payload).unwrap_err().form, form);
        }
        bring_up(&[("Moved", "3")], STEPS, "Else", "1", "{}").unwrap_err();
    }

    #[test]
    fn writers_and_readers_agree_on_the_form_of_today() {
        let written = [
            (ApiClientEvent::NAMES.as_slice(), ApiClientEvent::FORM_VERSION),
            (EnrolmentEvent::NAMES.as_slice(), EnrolmentEvent::FORM_VERSION),
            (PersonEvent::NAMES.as_slice(), PersonEvent::FORM_VERSION),
            (&["LeadCaptured", "LeadCorrected", "LeadVoided"], LeadEvent::FORM_VERSION),
            (&["ContactCorrected", "ConsentWithdrawn", "LeadErased"], FollowUpEvent::FORM_VERSION),
            (&["SubmissionRefused", "SubmissionReleased"], SubmissionEvent::FORM_VERSION),
            (&["DeviceReported"], DeviceReportEvent::FORM_VERSION),
            (&["CloudVerdictGiven"], CloudVerdictEvent::FORM_VERSION),
            #[cfg(feature = "aggregates")]
            (&["CampaignPublished"], crate::CampaignEvent::FORM_VERSION),
        ];
        for (event_types, form) in written {
            for event_type in event_types {
                assert!(EVENT_FORMS.contains(&(event_type, form)), "{event_type} in form {form}");
            }
        }
        let steps_end_today = UPCASTERS.iter().all(|step| {
            UPCASTERS.iter().any(|next| next.event_type == step.event_type && next.from == step.to)
                || EVENT_FORMS.contains(&(step.event_type, step.to))
        });
        assert!(steps_end_today);
    }
}
