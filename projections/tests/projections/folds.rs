//! Given events, then rows: the pure part of the projections.

use crate::captures::{capture, lead_id, recorded};
use domain::SUBMISSION_STREAM;
use projections::fold::{Contact, LeadChange, LeadView, MAX_CONTACT_NAMES, contacts};
use projections::{Leads, Projection};
use proptest::prelude::*;
use serde_json::{Value, json};

fn lead(capture: &Value) -> LeadView {
    match LeadChange::read(&recorded(1, capture)).unwrap().unwrap() {
        LeadChange::Version(view) => *view,
        other => panic!("{other:?}"),
    }
}

fn lead_with(number: u32, change: impl FnOnce(&mut Value)) -> LeadView {
    let mut capture = capture(number);
    change(&mut capture);
    lead(&capture)
}

/// The only contact of some leads.
fn contact(leads: &[LeadView]) -> Contact {
    let mut contacts = contacts(leads);
    assert_eq!(contacts.len(), 1, "{contacts:?}");
    contacts.pop_first().unwrap().1
}

fn at(minute: u32) -> Value {
    format!("2026-05-23T14:{minute:02}:00+02:00").into()
}

fn names(contact: &Contact) -> Vec<String> {
    let whole = |first: &Option<String>, last: &Option<String>| {
        [first.as_deref(), last.as_deref()].into_iter().flatten().collect::<Vec<_>>().join(" ")
    };
    contact.names.iter().map(|naming| whole(&naming.first_name, &naming.last_name)).collect()
}

#[test]
fn a_lead_is_read_from_its_event_in_normal_form() {
    let read = lead_with(7, |capture| {
        capture["contact"] = json!({ "firstName": " Anna ", "lastName": "Nowak", "email": " Anna@Example.com ", "phone": "501 502 503" });
        capture["operator"] = "  ".into();
        capture["testFlags"] = "unknown-consent,clock-ahead".into();
        capture["favouriteTeam"] = json!({ "name": "Rzeszów" });
    });
    assert_eq!(read.client_id.to_string(), lead_id(7));
    assert_eq!(read.first_name.as_deref(), Some("Anna"));
    assert_eq!(read.email.as_deref(), Some("Anna@Example.com"));
    assert_eq!(read.email_key.as_ref().map(|key| key.as_str()), Some("anna@example.com"));
    assert_eq!(read.phone.as_deref(), Some("+48501502503"));
    assert_eq!(read.operator, None);
    assert_eq!(read.captured_at.offset().whole_minutes(), 120);
    assert_eq!(read.flags, ["unknown-consent", "clock-ahead"]);
    assert_eq!(read.consents.len(), 1);
}

/// Invariant 8: whatever is published later, a number stays what it was when the lead was judged.
#[test]
fn a_phone_is_read_as_it_was_when_the_lead_was_judged() {
    let mut event = recorded(1, &{
        let mut capture = capture(1);
        capture["contact"]["phone"] = "912 345 678".into();
        capture
    });
    let phone = |event: &event_store::RecordedEvent| match LeadChange::read(event).unwrap() {
        Some(LeadChange::Version(view)) => view.phone.unwrap(),
        other => panic!("{other:?}"),
    };
    assert_eq!(phone(&event), "+48912345678");
    event.metadata = r#"{"phonePlan":"351/9"}"#.to_owned();
    assert_eq!(phone(&event), "+351912345678");
}

#[test]
fn events_of_other_streams_do_not_concern_leads() {
    let mut event = recorded(1, &capture(1));
    event.aggregate_type = SUBMISSION_STREAM.to_owned();
    event.event_type = "SubmissionRefused".to_owned();
    event.payload = "\"anything\"".to_owned();
    assert!(LeadChange::read(&event).unwrap().is_none());
}

#[test]
fn what_cannot_be_told_is_poison_and_the_reason_quotes_nobody() {
    let poison = |change: fn(&mut event_store::RecordedEvent)| {
        let mut event = recorded(1, &capture(1));
        change(&mut event);
        Leads::fold(&event).unwrap_err().to_string()
    };
    assert_eq!(
        poison(|event| event.payload = event.payload.replace("\"2026-05-23T14:03:11.12+02:00\"", "\"Nowak\"")),
        "payload: capturedAt is not readable at line 1 column 70"
    );
    assert!(poison(|event| event.payload = "Nowak".to_owned()).ends_with("not readable at line 1 column 1"));
    assert!(poison(|event| event.metadata = "7".to_owned()).starts_with("metadata: "));
    assert!(poison(|event| event.event_type = "LeadTransferred".to_owned()).contains("LeadTransferred"));
    assert!(poison(|event| event.event_version = "9".to_owned()).contains("in form 9"));
    assert!(poison(|event| event.sequence = 2).contains("another lead or version"));
    assert!(poison(|event| event.aggregate_id = lead_id(2)).contains("another lead or version"));
    assert!(
        poison(|event| event.payload =
            event.payload.replace("\"deviceSeq\":1", &format!("\"deviceSeq\":{}", u64::MAX)))
        .contains("deviceSeq")
    );
}

#[test]
fn one_email_is_one_contact_of_its_campaign_however_it_is_spelled() {
    let spelled = |number, email: &str, campaign: &str| {
        lead_with(number, |capture| {
            capture["contact"]["email"] = email.into();
            capture["campaignId"] = campaign.into();
        })
    };
    let leads = [
        spelled(1, "ANNA@example.com", "a"),
        spelled(2, " anna@Example.com", "a"),
        spelled(3, "anna@example.com", "b"),
    ];
    let counts: Vec<u64> = contacts(&leads).values().map(|contact| contact.lead_count).collect();
    assert_eq!(counts, [2, 1]);
}

#[test]
fn a_lead_without_an_email_is_a_contact_of_its_own() {
    let without = |number| {
        lead_with(number, |capture| capture["contact"] = json!({ "firstName": "Anna", "phone": "501502503" }))
    };
    let contacts = contacts(&[without(1), without(2)]);
    assert_eq!(contacts.keys().map(|key| key.key.clone()).collect::<Vec<_>>(), [lead_id(1), lead_id(2)]);
}

#[test]
fn the_earliest_capture_names_the_contact_and_other_names_are_flagged() {
    let named = |number, minute, first: &str| {
        lead_with(number, |capture| {
            capture["capturedAt"] = at(minute);
            capture["contact"] =
                json!({ "firstName": first, "lastName": "Nowak", "email": "nowak@example.com" });
        })
    };
    let leads = [named(3, 20, "Jan"), named(2, 10, "Anna"), named(4, 30, "ANNA"), named(1, 10, "Ala")];
    let contact = contact(&leads);
    // Of the two at 14:10, the smaller client id is first.
    assert_eq!(names(&contact), ["Ala Nowak", "Anna Nowak", "Jan Nowak"]);
    assert_eq!((contact.first.client_id.to_string(), contact.lead_count), (lead_id(1), 4));
    assert_eq!(contact.last_captured_at, leads[2].captured_at);
}

#[test]
fn the_order_of_captures_is_that_of_moments_not_of_clock_faces() {
    let captured = |number, at: &str| {
        lead_with(number, |capture| {
            capture["capturedAt"] = at.into();
            capture["contact"]["email"] = "nowak@example.com".into();
            capture["contact"]["firstName"] = at.into();
        })
    };
    let (later, earlier) = ("2026-05-23T13:30:00+00:00", "2026-05-23T14:00:00+02:00");
    assert_eq!(names(&contact(&[captured(1, later), captured(2, earlier)]))[0], format!("{earlier} Nowak"));
}

#[test]
fn the_phone_is_that_of_the_earliest_lead_that_has_one() {
    let with_phone = |number, minute, phone: Option<&str>| {
        lead_with(number, |capture| {
            capture["capturedAt"] = at(minute);
            capture["contact"]["email"] = "nowak@example.com".into();
            capture["contact"]["phone"] = phone.into();
        })
    };
    let leads = [
        with_phone(1, 10, None),
        with_phone(2, 30, Some("+48111111111")),
        with_phone(3, 20, Some("222222222")),
    ];
    assert_eq!(contact(&leads).phone.unwrap().1, "+48222222222");
}

#[test]
fn each_consent_holds_its_earliest_grant_with_its_proof_and_none_is_lost() {
    let granting = |number, grants: Value| {
        lead_with(number, |capture| {
            capture["contact"]["email"] = "nowak@example.com".into();
            capture["consents"] = grants;
        })
    };
    let grant = |id: &str, version: u32, minute| json!({ "id": id, "textVersion": version, "language": "pl", "grantedAt": at(minute) });
    let contact = contact(&[
        granting(1, json!([grant("terms", 2, 30)])),
        granting(2, json!([grant("terms", 1, 10), grant("marketing-phone", 1, 10)])),
        granting(3, json!([grant("terms", 1, 20), grant("marketing-email", 3, 20)])),
    ]);
    let held: Vec<_> = contact
        .consents
        .iter()
        .map(|held| (held.grant.id.as_str(), held.grant.text_version, held.client_id.to_string()))
        .collect();
    assert_eq!(
        held,
        [("marketing-email", 3, lead_id(3)), ("marketing-phone", 1, lead_id(2)), ("terms", 1, lead_id(2))]
    );
    assert_eq!(
        serde_json::to_string(&contact.consents[2]).unwrap(),
        format!(
            r#"{{"id":"terms","textVersion":1,"language":"pl","grantedAt":"2026-05-23T14:10:00+02:00","clientId":"{}"}}"#,
            lead_id(2)
        )
    );
}

#[test]
fn personal_data_does_not_print() {
    let lead = lead(&capture(1));
    let printed = format!("{lead:?} {:?}", contacts([&lead]));
    assert!(!printed.contains("Nowak") && !printed.contains("anna"), "{printed}");
}

prop_compose! {
    /// Leads that collide: few e-mails, names, times and consents, and one address with too many names.
    fn colliding_lead()(
        email in prop_oneof![Just(None), Just(Some("a@example.com")), Just(Some("A@EXAMPLE.com")), Just(Some("b@example.com"))],
        name in 0_u32..120,
        minute in 0_u32..3,
        phone in prop::option::of(0_u32..3),
        grants in prop::collection::vec((0_u32..3, 1_u32..3, 0_u32..3), 0..4),
    ) -> Value {
        let mut capture = capture(0);
        capture["capturedAt"] = at(minute);
        capture["contact"] = json!({ "firstName": format!("N{name}"), "email": email, "phone": phone.map(|n| format!("50150250{n}")) });
        capture["consents"] = grants
            .into_iter()
            .map(|(id, version, minute)| json!({ "id": format!("c{id}"), "textVersion": version, "language": "pl", "grantedAt": at(minute) }))
            .collect();
        capture
    }
}

fn numbered(captures: Vec<Value>) -> Vec<LeadView> {
    let number = |(number, mut capture): (usize, Value)| {
        capture["clientId"] = lead_id(u32::try_from(number).unwrap()).into();
        lead(&capture)
    };
    captures.into_iter().enumerate().map(number).collect()
}

proptest! {
    /// Invariant 7, the pure part: the order of the leads changes no contact, and new leads that are merged give what
    /// beginning anew gives.
    #[test]
    fn contacts_are_the_same_whatever_the_order_and_the_batches(
        (leads, shuffled) in prop::collection::vec(colliding_lead(), 1..150)
            .prop_map(numbered)
            .prop_flat_map(|leads| (Just(leads.clone()), Just(leads).prop_shuffle())),
        batch in 1_usize..20,
    ) {
        let expected = contacts(&leads);
        prop_assert!(contacts(&shuffled) == expected);
        let mut merged = std::collections::BTreeMap::new();
        for batch in shuffled.chunks(batch) {
            for (key, contact) in contacts(batch) {
                let known: Option<Contact> = merged.remove(&key);
                merged.insert(key, match known { Some(known) => contact.merge(known), None => contact });
            }
        }
        prop_assert!(merged == expected);
        prop_assert!(expected.values().all(|contact| contact.names.len() <= MAX_CONTACT_NAMES));
        let counted: u64 = expected.values().map(|contact| contact.lead_count).sum();
        prop_assert_eq!(counted, leads.len() as u64);
    }
}
