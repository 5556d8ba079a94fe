//! Many writers at once.

use std::collections::BTreeMap;

use domain::LEAD_STREAM;

use super::events::{captures, erasure, lead, version};
use super::{Subject, append, append_all, whole};
use crate::{EventLog, Placed};

const WRITERS: usize = 20;

/// SYN-4 and invariant 2: exactly one writer is told that an event is new.
pub async fn the_same_and_crossing_batches_from_20_writers_give_one_event_each<S: Subject>() {
    let subject = S::fresh().await;
    let tasks: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let log = subject.another_writer();
            tokio::spawn(async move {
                // Everyone sends 1..=40, each rotated differently, cut in two, so that batches cross.
                let mut numbers: Vec<u32> = (1..=40).collect();
                numbers.rotate_left((writer * 7) % 40);
                let mut created = 0;
                for half in numbers.chunks(20) {
                    let answers = append_all(&log, &captures(half.iter().copied())).await;
                    assert!(answers.iter().all(|event| event.is_same));
                    created += answers.iter().filter(|event| event.is_new).count();
                }
                created
            })
        })
        .collect();
    let mut created = 0;
    for task in tasks {
        created += task.await.unwrap();
    }
    assert_eq!(created, 40);
    assert_eq!(whole(subject.log()).await.len(), 40);
}

/// Invariant 6: whatever the order, the streams are the same in the end.
pub async fn versions_that_cross_in_every_order_end_as_one_chain_each<S: Subject>() {
    let subject = S::fresh().await;
    let tasks: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let log = subject.another_writer();
            tokio::spawn(async move {
                let mut events: Vec<_> = (1..=8)
                    .flat_map(|number| (1..=4).map(move |sequence| version(number, sequence)))
                    .collect();
                events.rotate_left((writer * 13) % 32);
                if writer % 2 == 0 {
                    events.reverse();
                }
                // What waits is sent again, as a device does, until nothing waits.
                while !events.is_empty() {
                    let mut waiting = Vec::new();
                    for batch in events.chunks(5) {
                        let placed = append(&log, batch).await;
                        let waits = |placed: &Placed| *placed == Placed::Waiting;
                        waiting.extend(
                            batch
                                .iter()
                                .zip(&placed)
                                .filter(|(_, placed)| waits(placed))
                                .map(|(e, _)| e.clone()),
                        );
                    }
                    events = waiting;
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let mut streams: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for event in whole(subject.log()).await {
        streams.entry(event.aggregate_id).or_default().push(event.sequence);
    }
    assert_eq!(streams.len(), 8);
    assert!(streams.values().all(|versions| *versions == [1, 2, 3, 4]), "{streams:?}");
}

/// An erasure comes before an append, or after it and takes it out.
pub async fn an_erasure_among_20_writers_leaves_nothing_of_the_person<S: Subject>() {
    let subject = S::fresh().await;
    let tasks: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let log = subject.another_writer();
            tokio::spawn(async move {
                if writer % 5 == 4 {
                    return usize::from(log.erase(lead(1), &erasure()).await.unwrap().is_new);
                }
                let base = 100 * u32::try_from(writer).unwrap();
                for number in base..base + 5 {
                    append(&log, &[version(1, 1), version(1, 2), version(number + 10, 1)]).await;
                }
                0
            })
        })
        .collect();
    let mut erasures = 0;
    for task in tasks {
        erasures += task.await.unwrap();
    }
    assert_eq!(erasures, 1, "the others were told of the first");
    assert_eq!(append(subject.log(), &[version(1, 1)]).await, [Placed::Erased]);
    whole(subject.log()).await;
    for event in subject.log().read_stream(LEAD_STREAM, &lead(1).to_string()).await.unwrap() {
        assert!(!event.payload.contains("Anna"), "{}", event.payload);
    }
}
