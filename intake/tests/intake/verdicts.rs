//! Each entry gets its own verdict, whatever the order in which entries come.

use domain::Verdict::{self, Conflict, Created, Duplicate, DuplicateEmail, Invalid, Unsupported, Waiting};
use serde_json::Value;

use crate::in_every_world;
use crate::world::{Store, World, invalid, other_bytes, version, with};

in_every_world!(
    sending_again_gives_the_same_receipts,
    what_waits_has_no_receipt_and_costs_its_neighbours_nothing,
    a_chain_in_one_request_is_recorded_whatever_its_order,
    the_fix_of_a_refused_version_is_the_next_one,
    a_conflict_is_kept_and_does_not_stop_the_next_version,
    a_void_takes_a_lead_back_whatever_it_holds,
    one_entry_that_only_the_database_refuses_costs_nobody_anything,
    the_same_batch_from_20_senders_is_recorded_once,
    crossing_requests_in_any_order_converge,
);

/// SYN-4.
async fn sending_again_gives_the_same_receipts<W: World>() {
    let store = Store::<W>::cloud().await;
    let same_email = with(version(2, 1), |entry| entry["contact"]["email"] = "anna1@example.com".into());
    let newer = with(version(4, 1), |entry| entry["kind"] = "transferred".into());
    let entries = [version(1, 1), same_email, invalid(3, 1), newer];
    let first = store.ask(serde_json::json!({ "entries": entries })).await;
    let verdicts: Vec<Verdict> = first.results.iter().map(|result| result.status).collect();
    assert_eq!(verdicts, [Created, DuplicateEmail, Invalid, Unsupported]);
    let mut positions: Vec<_> = first.results.iter().map(|result| result.position.unwrap()).collect();
    positions.sort_unstable();
    assert_eq!((positions, first.store.head), (vec![1, 2, 3, 4], 4));
    assert_eq!(
        first.results[1].server_id, first.results[0].position,
        "people see the lead that it counts as"
    );

    let again = store.sync(&entries).await;
    let verdicts: Vec<Verdict> = again.iter().map(|result| result.status).collect();
    assert_eq!(verdicts, [Duplicate, Duplicate, Invalid, Unsupported]);
    for (first, again) in first.results.iter().zip(&again) {
        assert_eq!((first.position, first.append_id), (again.position, again.append_id));
        assert!(first.append_id.is_some());
    }
    assert_eq!(store.events().await.len(), 4);
}

async fn what_waits_has_no_receipt_and_costs_its_neighbours_nothing<W: World>() {
    let store = Store::<W>::cloud().await;
    let results = store.sync(&[version(1, 3), version(2, 1), version(1, 2)]).await;
    let verdicts: Vec<Verdict> = results.iter().map(|result| result.status).collect();
    assert_eq!(verdicts, [Waiting, Created, Waiting]);
    assert_eq!((results[0].position, results[0].append_id, results[0].server_id), (None, None, None));
    assert_eq!((results[0].version, results[0].client_id.clone()), (Some(3), Some(crate::world::lead_id(1))));
    assert_eq!(store.verdicts(&[version(1, 1)]).await, [Created]);
    assert_eq!(store.verdicts(&[version(1, 2), version(1, 3)]).await, [Created, Created]);
    assert_eq!(store.events().await.len(), 4);
}

/// Invariant 6.
async fn a_chain_in_one_request_is_recorded_whatever_its_order<W: World>() {
    let store = Store::<W>::cloud().await;
    for (number, order) in (1..).zip([[1, 2, 3], [3, 2, 1], [2, 3, 1]]) {
        let entries: Vec<Value> = order.into_iter().map(|n| version(number, n)).collect();
        assert_eq!(store.verdicts(&entries).await, [Created; 3], "{order:?}");
    }
}

async fn the_fix_of_a_refused_version_is_the_next_one<W: World>() {
    let store = Store::<W>::cloud().await;
    assert_eq!(store.verdicts(&[invalid(1, 1)]).await, [Invalid]);
    assert_eq!(store.verdicts(&[version(1, 2)]).await, [Created]);
    // In one request, the fix first.
    assert_eq!(store.verdicts(&[version(2, 2), invalid(2, 1)]).await, [Created, Invalid]);
    assert_eq!(
        store.verdicts(&[version(3, 3), invalid(3, 2), version(3, 1)]).await,
        [Created, Invalid, Created]
    );
}

async fn a_conflict_is_kept_and_does_not_stop_the_next_version<W: World>() {
    let store = Store::<W>::cloud().await;
    assert_eq!(store.verdicts(&[version(1, 1), version(1, 2)]).await, [Created, Created]);
    assert_eq!(store.verdicts(&[version(1, 3), other_bytes(1, 2)]).await, [Created, Conflict]);
    // Two in one request: the first counts.
    assert_eq!(store.verdicts(&[version(2, 1), other_bytes(2, 1)]).await, [Created, Conflict]);
    assert_eq!((store.count("LeadCaptured").await, store.count("SubmissionRefused").await), (2, 2));
    let refusals = store.events().await.into_iter().filter(|event| event.event_type == "SubmissionRefused");
    for refusal in refusals {
        assert!(
            refusal.payload.contains("\"deviceId\":\"ipad-7\""),
            "its number is not missing: {}",
            refusal.payload
        );
    }
}

async fn a_void_takes_a_lead_back_whatever_it_holds<W: World>() {
    let store = Store::<W>::cloud().await;
    let void = with(invalid(1, 2), |entry| {
        entry["kind"] = "voided".into();
        entry["contact"]["email"] = "anna@".into();
    });
    assert_eq!(store.verdicts(&[void, version(1, 1)]).await, [Created, Created]);
    assert_eq!(store.count("LeadVoided").await, 1);
    // Its address is free again.
    let other = with(version(2, 1), |entry| entry["contact"]["email"] = "anna1@example.com".into());
    assert_eq!(store.verdicts(&[other]).await, [Created]);
}

async fn one_entry_that_only_the_database_refuses_costs_nobody_anything<W: World>() {
    use event_store::conformance::Subject;
    let store = Store::<W>::cloud().await;
    store.subject.refuse_content("Bobby").await;
    let bobby = |number, n| with(version(number, n), |entry| entry["contact"]["lastName"] = "Bobby".into());
    // A correction that cannot be stored, before and after the version that follows it.
    let entries = [
        version(1, 1),
        version(2, 3),
        bobby(2, 2),
        version(3, 1),
        version(2, 1),
        bobby(4, 1),
        version(4, 2),
        version(5, 1),
    ];
    let expected = [Created, Created, Invalid, Created, Created, Invalid, Created, Created];
    assert_eq!(store.verdicts(&entries).await, expected);
    let again = expected.map(|verdict| if verdict == Created { Duplicate } else { verdict });
    assert_eq!(store.verdicts(&entries).await, again);
    assert_eq!(store.events().await.len(), 8);
}

/// Invariant 2.
async fn the_same_batch_from_20_senders_is_recorded_once<W: World>() {
    let store = Store::<W>::cloud().await;
    let entries: Vec<Value> =
        (1..=30).flat_map(|number| [version(number, 2), version(number, 1), invalid(number, 3)]).collect();
    let request = serde_json::json!({ "entries": entries });
    let recorders: Vec<W::Recorder> = (0..4).map(|_| store.another_process()).collect();
    let answers = (0..20).map(|sender| store.ask_through(&recorders[sender % 4], &request));
    let answers = futures_util::future::try_join_all(answers).await.unwrap();
    let created = answers.iter().flat_map(|answer| &answer.results).filter(|result| result.status == Created);
    assert_eq!(created.count(), 60, "each is created for exactly one sender");
    for answer in &answers {
        for (result, first) in answer.results.iter().zip(&answers[0].results) {
            assert_eq!((result.position, result.append_id), (first.position, first.append_id));
        }
    }
    assert_eq!(store.events().await.len(), 90);
}

/// Invariant 6.
async fn crossing_requests_in_any_order_converge<W: World>() {
    let store = Store::<W>::cloud().await;
    let all: Vec<Value> = (1..=6).flat_map(|number| (1..=3).map(move |n| version(number, n))).collect();
    let recorders: Vec<W::Recorder> = (0..4).map(|_| store.another_process()).collect();
    let senders = (0..12_usize).map(|sender| {
        let (mut owed, recorder, store) = (all.clone(), &recorders[sender % 4], &store);
        owed.rotate_left(sender * 5 % 18);
        async move {
            while !owed.is_empty() {
                let mut waiting = Vec::new();
                for batch in owed.chunks(4) {
                    let answer =
                        store.ask_through(recorder, &serde_json::json!({ "entries": batch })).await.unwrap();
                    let results = batch.iter().zip(answer.results);
                    waiting.extend(
                        results
                            .filter(|(_, result)| result.status == Waiting)
                            .map(|(entry, _)| entry.clone()),
                    );
                }
                owed = waiting;
            }
        }
    });
    futures_util::future::join_all(senders).await;
    let events = store.events().await;
    assert_eq!(events.len(), 18);
    for (number, versions) in (1..=6).map(|number| (number, [1, 2, 3])) {
        let stream = events.iter().filter(|event| event.aggregate_id == crate::world::lead_id(number));
        assert!(stream.map(|event| event.sequence).eq(versions), "in the order of their versions");
    }
}
