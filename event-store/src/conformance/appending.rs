//! Idempotency, claims, refused content and receipts.

use domain::{AppendId, Receipt};

use super::events::{captures, entry, version};
use super::{Subject, append, append_all, whole};
use crate::{AppendError, EventLog};

/// The primary key is the idempotency key.
pub async fn appending_again_changes_nothing_and_says_where_it_stands<S: Subject>() {
    let subject = S::fresh().await;
    let first = append_all(subject.log(), &captures(1..=5)).await;
    assert!(first.iter().all(|event| event.is_new && event.is_same && event.email_holder.is_none()));
    assert_eq!(first.iter().map(|event| event.position).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
    let before = whole(subject.log()).await;

    let again = append_all(subject.log(), &captures(1..=5)).await;
    for (first, again) in first.iter().zip(&again) {
        assert_eq!((again.position, again.append_id), (first.position, first.append_id));
        assert!(!again.is_new && again.is_same);
    }
    assert_eq!(whole(subject.log()).await, before);
    assert_eq!(append(subject.log(), &[]).await, []);
}

/// Invariant 11.
pub async fn a_batch_that_is_part_known_appends_the_rest_without_a_gap<S: Subject>() {
    let subject = S::fresh().await;
    append_all(subject.log(), &captures([2, 4])).await;
    let answers = append_all(subject.log(), &captures(1..=5)).await;
    let is_new: Vec<bool> = answers.iter().map(|event| event.is_new).collect();
    assert_eq!(is_new, [true, false, true, false, true]);
    assert!(answers.iter().all(|event| event.is_same));
    assert_eq!(whole(subject.log()).await.len(), 5);
}

/// Within a call, too, the first counts.
pub async fn the_same_key_with_other_bytes_is_told_apart_and_the_first_stays<S: Subject>() {
    let subject = S::fresh().await;
    let (anna, ala) = (entry(1, 1, "Anna", "anna@example.com"), entry(1, 1, "Ala", "ala@example.com"));
    append_all(subject.log(), std::slice::from_ref(&anna)).await;
    let other = append_all(subject.log(), &[ala]).await.remove(0);
    assert!(!other.is_new && !other.is_same);

    let twins = [entry(2, 1, "Anna", "a2@example.com"), entry(2, 1, "Ala", "b2@example.com")];
    let both = append_all(subject.log(), &twins).await;
    let said = [both[0].is_new, both[0].is_same, both[1].is_new, both[1].is_same];
    assert_eq!(said, [true, true, false, false]);
    let payloads: Vec<String> = whole(subject.log()).await.into_iter().map(|event| event.payload).collect();
    assert_eq!(payloads, [anna.payload, twins[0].payload.clone()]);
}

/// Claims are a courtesy for the verdict; nothing is refused for them.
pub async fn the_first_lead_with_an_email_holds_it_and_the_others_are_told_who<S: Subject>() {
    let subject = S::fresh().await;
    let shared = |number| entry(number, 1, "Anna", "anna@example.com");
    let answers = append_all(subject.log(), &[shared(1), shared(2)]).await;
    assert_eq!(answers[0].email_holder, None);
    let holder = Some((super::events::lead(1), answers[0].position));
    assert_eq!(answers[1].email_holder, holder);
    assert_eq!(append_all(subject.log(), &[shared(3)]).await[0].email_holder, holder);
    let resent = append_all(subject.log(), &[shared(2)]).await.remove(0);
    assert_eq!(resent.email_holder, holder, "and again when it is resent");
    assert_eq!(whole(subject.log()).await.len(), 3);
}

/// "The same bytes" means something only if bytes are kept.
pub async fn payloads_are_kept_to_the_byte_with_fields_that_nobody_knows<S: Subject>() {
    let subject = S::fresh().await;
    let mut event = entry(1, 1, "Zażółć", "zazolc@example.com");
    event.payload = event.payload.replacen('{', "{ \"favourite\" :  \"3×3 🏀\", \"favourite\": 1.10,", 1);
    append_all(subject.log(), std::slice::from_ref(&event)).await;
    let stored = whole(subject.log()).await.remove(0);
    assert_eq!((stored.payload, stored.event_type.as_str()), (event.payload, "LeadCaptured"));
    assert!(stored.metadata.contains("clock-ahead"), "{}", stored.metadata);
}

/// So that whoever halves the batch finds the bad one, and the others lose nothing.
pub async fn content_that_the_log_refuses_leaves_no_trace<S: Subject>() {
    let subject = S::fresh().await;
    subject.refuse_content("Bobby").await;
    let mut events = captures(1..=3);
    events[1] = entry(2, 1, "Bobby", "bobby@example.com");
    let refused = subject.log().append(&events).await.unwrap_err();
    assert!(matches!(refused, AppendError::Content { .. }), "{refused:?}");
    assert_eq!(whole(subject.log()).await, []);
    // Not even a claim.
    let next = append_all(subject.log(), &[entry(4, 1, "Ala", "anna1@example.com")]).await.remove(0);
    assert_eq!((next.position, next.email_holder), (1, None));
    append_all(subject.log(), &captures([1, 3])).await;
    assert_eq!(whole(subject.log()).await.len(), 3);
}

/// Invariants 3 and 11.
pub async fn a_transaction_that_fails_half_way_changes_nothing<S: Subject>() {
    let subject = S::fresh().await;
    append_all(subject.log(), &captures([1])).await;
    let before = whole(subject.log()).await;
    subject.fail_half_way(true).await;
    let failed = subject.log().append(&captures(1..=4)).await.unwrap_err();
    assert!(matches!(failed, AppendError::Unavailable { .. }), "{failed:?}");
    assert_eq!(whole(subject.log()).await, before);
    subject.fail_half_way(false).await;
    let answers = append_all(subject.log(), &captures(1..=4)).await;
    assert_eq!(answers.iter().filter(|event| event.is_new).count(), 3);
    assert!(answers.iter().all(|event| event.is_same && event.email_holder.is_none()));
    assert_eq!(whole(subject.log()).await.len(), 4);
}

/// Invariant 5: the same position with another append is another history.
pub async fn a_receipt_is_proof_of_this_history_and_of_no_other<S: Subject>() {
    let (subject, other) = (S::fresh().await, S::fresh().await);
    let store_id = subject.log().head().await.unwrap().store_id;
    let events = [version(1, 1), version(2, 1)];
    let appended = append_all(subject.log(), &events).await;
    append_all(other.log(), &events).await;
    let receipts: Vec<Receipt> = appended
        .iter()
        .map(|at| Receipt { store_id, position: at.position, append_id: at.append_id })
        .collect();
    let asked = [
        receipts[0],
        Receipt { position: 3, ..receipts[0] },
        Receipt { position: 0, ..receipts[0] },
        Receipt { append_id: AppendId::from_bits(7), ..receipts[0] },
        Receipt { position: u64::MAX, ..receipts[0] },
        receipts[1],
    ];
    let held = subject.log().holds_receipts(&asked).await.unwrap();
    assert_eq!(held, [true, false, false, false, false, true]);
    assert_eq!(other.log().holds_receipts(&receipts).await.unwrap(), [false, false]);
    assert_eq!(subject.log().holds_receipts(&[]).await.unwrap(), [] as [bool; 0]);
}
