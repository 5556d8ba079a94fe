//! Erasure: what is left, and that it stays so.

use domain::{AppendId, ClientId, FOLLOW_UP_STREAM, FollowUpEvent, LEAD_STREAM, Receipt};

use super::events::{captures, entry, erasure, lead, other, refused, refused_scrap, version};
use super::{Subject, append, append_all, whole};
use crate::{AppendError, Appended, EventLog, Placed, RecordedEvent};

async fn erase<L: EventLog>(log: &L, client_id: ClientId) -> Appended {
    log.erase(client_id, &erasure()).await.unwrap()
}

/// What may not be found any more, wherever one looks.
fn assert_gone(events: &[RecordedEvent], words: &[&str]) {
    for event in events {
        for word in words {
            let is_there = event.payload.contains(word) || event.metadata.contains(word);
            assert!(!is_there, "{word} at {}: {} {}", event.position, event.payload, event.metadata);
        }
    }
}

fn places(events: &[RecordedEvent]) -> Vec<(u64, AppendId, &str, &str, u64, &str)> {
    let place = |event: &RecordedEvent| (event.position, event.append_id);
    events
        .iter()
        .map(|event| {
            let (position, append_id) = place(event);
            let kind = event.aggregate_type.as_str();
            (
                position,
                append_id,
                kind,
                event.aggregate_id.as_str(),
                event.sequence,
                event.event_type.as_str(),
            )
        })
        .collect()
}

/// DESIGN section 11: ids, times, consents and places stay; names, addresses and digests go.
pub async fn an_erasure_leaves_nothing_of_the_person_and_everything_in_its_place<S: Subject>() {
    let subject = S::fresh().await;
    let secret = |version| entry(1, version, "Secretina", "secretina@example.com");
    let raw = r#"{"contact":{"firstName":"Secretina"}}"#;
    let events = [secret(1), secret(2), refused(1, 3, raw), version(2, 1), refused(2, 2, "Other raw")];
    let events = [&events[..], &[refused_scrap("scrap")]].concat();
    let appended = append_all(subject.log(), &events).await;
    let before = whole(subject.log()).await;

    let erased = erase(subject.log(), lead(1)).await;
    assert!(erased.is_new);
    let after = whole(subject.log()).await;
    assert_eq!(places(&after[..before.len()]), places(&before), "nothing moves");
    let digest = events[0].digest.to_string();
    assert_gone(&after, &["Secretina", "secretina@", "Ola\"}}", digest.as_str()]);
    let left: domain::LeadEvent =
        serde_json::from_str(&after[appended[0].position as usize - 1].payload).unwrap();
    assert_eq!((left.entry().client_id, left.entry().consents.len()), (lead(1), 1));
    assert!(after[appended[0].position as usize - 1].metadata.contains("clock-ahead"), "the rest stays");
    for kept in [3, 4, 5] {
        let position = appended[kept].position as usize - 1;
        assert_eq!(after[position], before[position], "others are untouched");
    }
    let erasure = after.last().unwrap();
    let stream = (erasure.aggregate_type.as_str(), erasure.aggregate_id.clone(), erasure.sequence);
    assert_eq!(stream, (FOLLOW_UP_STREAM, lead(1).to_string(), 1));
    assert_eq!((erasure.position, erasure.append_id), (erased.position, erased.append_id));
    assert_eq!(erasure.event_type, FollowUpEvent::LEAD_ERASED);
    // Lineage is untouched.
    let store_id = subject.log().head().await.unwrap().store_id;
    let receipt = Receipt { store_id, position: appended[0].position, append_id: appended[0].append_id };
    assert_eq!(subject.log().holds_receipts(&[receipt]).await.unwrap(), [true]);
    // The address is free.
    let next = append_all(subject.log(), &[entry(7, 1, "Ala", "secretina@example.com")]).await.remove(0);
    assert_eq!(next.email_holder, None);
}

/// Whatever comes about the lead later, from wherever; its neighbours are placed.
pub async fn what_was_erased_stays_erased_whoever_sends_it_again<S: Subject>() {
    let subject = S::fresh().await;
    append_all(subject.log(), &[version(1, 1), refused(1, 2, "Anna raw"), version(2, 1)]).await;
    erase(subject.log(), lead(1)).await;
    let events = [
        version(1, 1),
        version(3, 1),
        version(1, 2),
        refused(1, 2, "Anna raw"),
        version(2, 1),
        refused(1, 4, "Anna again"),
        version(1, 5),
        version(2, 3),
        other("ipad-7", 12),
    ];
    for is_first in [true, false] {
        let placed = append(subject.log(), &events).await;
        let erased: Vec<bool> = placed.iter().map(|placed| *placed == Placed::Erased).collect();
        assert_eq!(erased, [true, false, true, true, false, true, true, false, false]);
        assert_eq!(placed[7], Placed::Waiting);
        assert_eq!(placed[1].appended().unwrap().is_new, is_first);
    }
    let after = whole(subject.log()).await;
    assert_eq!(after.len(), 6);
    let of_the_lead = |event: &&RecordedEvent| event.aggregate_id != lead(2).to_string();
    let of_the_lead: Vec<RecordedEvent> = after[..4].iter().filter(of_the_lead).cloned().collect();
    assert_eq!(of_the_lead.len(), 3);
    assert_gone(&of_the_lead, &["Anna"]);
    assert_eq!(append(subject.log(), &[version(1, 1)]).await, [Placed::Erased]);
    append_all(subject.log(), &captures(10..20)).await;
    whole(subject.log()).await;
}

/// So that whoever asks twice learns where it stands.
pub async fn erasing_again_answers_the_first_erasure<S: Subject>() {
    let subject = S::fresh().await;
    append_all(subject.log(), &[version(1, 1)]).await;
    let first = erase(subject.log(), lead(1)).await;
    let before = whole(subject.log()).await;
    let again = erase(subject.log(), lead(1)).await;
    assert_eq!((again.position, again.append_id, again.is_new), (first.position, first.append_id, false));
    assert_eq!(whole(subject.log()).await, before);
}

/// A ledger of erasures is applied after a restore, before the leads come back.
pub async fn who_is_erased_before_the_lead_arrives_is_erased_all_the_same<S: Subject>() {
    let subject = S::fresh().await;
    erase(subject.log(), lead(1)).await;
    assert_eq!(append(subject.log(), &[version(1, 1)]).await, [Placed::Erased]);
    assert_eq!(whole(subject.log()).await.len(), 1);
}

/// Either all of the person is gone and the log says so, or nothing has happened.
pub async fn an_erasure_that_fails_half_way_changes_nothing<S: Subject>() {
    let subject = S::fresh().await;
    append_all(subject.log(), &[version(1, 1)]).await;
    let before = whole(subject.log()).await;
    subject.fail_half_way(true).await;
    let failed = subject.log().erase(lead(1), &erasure()).await.unwrap_err();
    assert!(matches!(failed, AppendError::Unavailable { .. }), "{failed:?}");
    assert_eq!(whole(subject.log()).await, before);
    subject.fail_half_way(false).await;
    append_all(subject.log(), &[version(1, 2)]).await;
    assert!(erase(subject.log(), lead(1)).await.is_new);
    let versions = subject.log().read_stream(LEAD_STREAM, &lead(1).to_string()).await.unwrap();
    assert_gone(&versions, &["Anna", "anna1@"]);
}

/// Another event in its place would leave the person where they are and say otherwise.
pub async fn only_an_erasure_erases<S: Subject>() {
    let subject = S::fresh().await;
    let FollowUpEvent::LeadErased { by, at } = erasure() else { panic!("an erasure") };
    let other = FollowUpEvent::ConsentWithdrawn { consent_id: "terms".to_owned(), by, at };
    let refused = subject.log().erase(lead(1), &other).await.unwrap_err();
    assert!(matches!(refused, AppendError::Content { .. }), "{refused:?}");
    assert_eq!(whole(subject.log()).await, []);
}
