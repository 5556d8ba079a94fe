//! Given what devices and the office said, then the leads and contacts as people see them.

use crate::captures::{
    at, capture, corrects, emptied, erases, event, follow_up, lead_id, next, recorded_event, withdraws,
};
use domain::FollowUpEvent;
use event_store::{NewEvent, RecordedEvent};
use projections::fold::{Contact, LeadView, LeadViews};
use serde_json::{Value, json};

fn log(events: impl IntoIterator<Item = NewEvent>) -> Vec<RecordedEvent> {
    (1..).zip(events).map(|(position, event)| recorded_event(position, event)).collect()
}

fn folded(log: &[RecordedEvent]) -> LeadViews {
    let mut views = LeadViews::default();
    for event in log {
        views.apply(event).unwrap();
    }
    views
}

fn views(events: impl IntoIterator<Item = NewEvent>) -> LeadViews {
    folded(&log(events))
}

fn lead(views: &LeadViews, number: u32) -> &LeadView {
    views.get(lead_id(number).parse().unwrap()).unwrap()
}

/// The only contact.
fn contact(views: &LeadViews) -> Contact {
    let mut contacts = views.contacts();
    assert_eq!(contacts.len(), 1, "{contacts:?}");
    contacts.pop_first().unwrap().1
}

/// A lead of the person behind nowak@example.com, who consents to e-mail at that time.
fn nowak(number: u32, granted_at: &str) -> Value {
    let mut lead = capture(number);
    lead["contact"]["email"] = "nowak@example.com".into();
    lead["consents"] = json!([grant("marketing-email", granted_at)]);
    lead
}

fn grant(id: &str, granted_at: &str) -> Value {
    json!({ "id": id, "textVersion": 1, "language": "pl", "grantedAt": at(granted_at) })
}

fn consents(contact: &Contact) -> Vec<&str> {
    contact.consents.iter().map(|consent| consent.grant.id.as_str()).collect()
}

fn withdrawn(contact: &Contact) -> Vec<&str> {
    contact.withdrawn.iter().map(|withdrawal| withdrawal.id.as_str()).collect()
}

const MAIL: [&str; 1] = ["marketing-email"];
const NONE: [&str; 0] = [];

#[test]
fn a_correction_replaces_the_lead_and_its_place_stays() {
    let first = capture(1);
    let second = next(&first, "corrected", |lead| {
        lead["contact"] = json!({ "lastName": "Kowalska", "email": "kowalska@example.com" });
        lead["deviceSeq"] = 9.into();
    });
    let views = views([event(&capture(2)), event(&first), event(&second)]);
    let lead = lead(&views, 1);
    assert_eq!((lead.position, lead.version, lead.device_seq), (2, 2, 9));
    assert_eq!((lead.first_name.as_deref(), lead.last_name.as_deref()), (None, Some("Kowalska")));
    let keys: Vec<String> = views.contacts().into_keys().map(|key| key.key).collect();
    assert_eq!(keys, ["anna2@example.com", "kowalska@example.com"], "the contact went with the address");
}

#[test]
fn a_lead_that_was_taken_back_counts_nowhere_until_it_is_corrected() {
    let first = capture(1);
    let void = next(&first, "voided", |lead| lead["contact"] = json!({}));
    let again = next(&void, "corrected", |lead| lead["contact"] = first["contact"].clone());
    let events = [event(&first), event(&void), event(&again)];
    let voided = views(events[..2].to_vec());
    assert!(voided.contacts().is_empty());
    assert!(lead(&voided, 1).is_voided);
    let back = views(events);
    assert!(!lead(&back, 1).is_voided);
    assert_eq!((contact(&back).lead_count, lead(&back, 1).version), (1, 3));
}

#[test]
fn a_version_that_is_not_newer_changes_nothing() {
    let first = capture(1);
    let second = next(&first, "corrected", |lead| lead["operator"] = "Ola".into());
    let in_order = views([event(&first), event(&second)]);
    assert_eq!(views([event(&first), event(&second), event(&first)]), in_order);
}

#[test]
fn the_office_stays_on_top_of_every_version_whenever_it_came() {
    let first = capture(1);
    let second = next(&first, "corrected", |lead| lead["contact"]["firstName"] = "Ania".into());
    let office = follow_up(
        1,
        1,
        &corrects(json!({ "lastName": "Kowalska", "email": " K@Example.com ", "phone": "501502503" })),
    );
    let orders = [
        [office.clone(), event(&first), event(&second)],
        [event(&first), office.clone(), event(&second)],
        [event(&first), event(&second), office],
    ];
    for order in orders {
        let views = views(order);
        let lead = lead(&views, 1);
        assert_eq!((lead.first_name.as_deref(), lead.last_name.as_deref()), (Some("Ania"), Some("Kowalska")));
        assert_eq!(
            (lead.email.as_deref(), lead.phone.as_deref()),
            (Some("K@Example.com"), Some("+48501502503"))
        );
        assert_eq!(views.contacts().into_keys().next().unwrap().key, "k@example.com");
    }
}

#[test]
fn what_a_person_withdrew_is_withdrawn_from_all_of_their_leads() {
    let views = views([
        event(&nowak(1, "10:00:00")),
        event(&nowak(2, "11:00:00")),
        follow_up(1, 1, &withdraws("marketing-email", "12:00:00")),
    ]);
    let contact = contact(&views);
    assert_eq!((consents(&contact), withdrawn(&contact)), (NONE.to_vec(), MAIL.to_vec()));
    assert!(lead(&views, 1).consents.is_empty());
    assert_eq!(lead(&views, 2).consents.len(), 1, "a lead shows what was said there");
}

#[test]
fn a_consent_that_is_given_again_later_stands_with_the_new_proof() {
    let withdrawal = follow_up(1, 1, &withdraws("marketing-email", "12:00:00"));
    let later = nowak(2, "13:00:00");
    let corrected = next(&nowak(1, "10:00:00"), "corrected", |lead| {
        lead["consents"] = json!([grant("marketing-email", "13:00:00")]);
    });
    for again in [later, corrected] {
        let views = views([event(&nowak(1, "10:00:00")), withdrawal.clone(), event(&again)]);
        let contact = contact(&views);
        assert_eq!((consents(&contact), withdrawn(&contact)), (MAIL.to_vec(), NONE.to_vec()));
        assert_eq!(contact.consents[0].grant.granted_at, at("13:00:00"), "not the grant that was withdrawn");
        assert_eq!(contact.consents[0].client_id.to_string(), again["clientId"]);
    }
}

#[test]
fn a_withdrawal_outlives_the_lead_that_was_taken_back() {
    let first = nowak(1, "10:00:00");
    let void = next(&first, "voided", |lead| lead["contact"] = json!({}));
    let withdrawal = follow_up(1, 1, &withdraws("marketing-email", "12:00:00"));
    let views = views([event(&first), withdrawal, event(&void), event(&nowak(2, "11:00:00"))]);
    assert_eq!((consents(&contact(&views)), contact(&views).lead_count), (NONE.to_vec(), 1));
}

#[test]
fn an_erased_lead_is_gone_and_stays_so() {
    let events = [
        event(&nowak(1, "10:00:00")),
        event(&nowak(2, "11:00:00")),
        follow_up(1, 1, &erases()),
        event(&next(&nowak(1, "10:00:00"), "corrected", |_| {})),
        follow_up(1, 2, &corrects(json!({ "firstName": "Anna" }))),
    ];
    let views = views(events);
    let erased = lead_id(1).parse().unwrap();
    assert!(views.get(erased).is_none() && views.is_erased(erased));
    assert_eq!(contact(&views).lead_count, 1);
    assert_eq!(views.views().count(), 1);
}

/// Invariant 8: after an erasure a rebuild reads emptied events, and must come to the same.
#[test]
fn a_log_that_was_emptied_by_an_erasure_gives_the_same_leads() {
    let first = nowak(1, "10:00:00");
    let log = log([
        follow_up(1, 1, &corrects(json!({ "firstName": "Ania" }))),
        event(&first),
        event(&nowak(2, "11:00:00")),
        follow_up(1, 2, &withdraws("marketing-email", "12:00:00")),
        event(&next(&first, "corrected", |lead| lead["operator"] = "Ola".into())),
        follow_up(1, 3, &erases()),
    ]);
    let rewritten: Vec<RecordedEvent> = log
        .iter()
        .map(|event| if event.aggregate_id == lead_id(1) { emptied(event) } else { event.clone() })
        .collect();
    assert_ne!(rewritten, log);
    assert_eq!(folded(&rewritten), folded(&log));
}

#[test]
fn what_cannot_be_told_is_poison_and_changes_nothing() {
    let office = |change: fn(&mut RecordedEvent)| {
        let mut event = recorded_event(1, follow_up(1, 1, &erases()));
        change(&mut event);
        let mut views = LeadViews::default();
        let poison = views.apply(&event).unwrap_err().to_string();
        assert_eq!(views, LeadViews::default());
        poison
    };
    assert!(office(|event| event.event_type = "LeadSold".to_owned()).contains("LeadSold"));
    assert!(office(|event| event.event_version = "9".to_owned()).contains("in form 9"));
    assert!(office(|event| event.aggregate_id = "Nowak".to_owned()).contains("not named by a lead"));
    assert!(office(|event| event.payload = "{}".to_owned()).starts_with("payload: "));
    let other = FollowUpEvent::ConsentWithdrawn { consent_id: "terms".into(), by: None, at: at("12:00:00") };
    let payload = serde_json::to_string(&other).unwrap();
    let mut event = recorded_event(1, follow_up(1, 1, &erases()));
    event.payload = payload;
    assert!(LeadViews::default().apply(&event).unwrap_err().to_string().contains("another kind"));
}
