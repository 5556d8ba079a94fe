//! What every [`EventLog`] must do, as tests that are run against each: [`crate::for_each_promise`] names them.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

pub mod appending;
pub mod concurrency;
pub mod erasing;
pub mod events;
pub mod reading;
mod subjects;
pub mod versions;

use std::future::Future;

use crate::{Appended, EventLog, NewEvent, Placed, RecordedEvent};
pub use subjects::{Memory, Postgres};

/// A log under test, and what only the test may do to it.
pub trait Subject: Sized + Send + Sync + 'static {
    /// The log.
    type Log: EventLog + Clone + 'static;

    /// A store of its own, with an empty log.
    fn fresh() -> impl Future<Output = Self> + Send;

    /// Its log.
    fn log(&self) -> &Self::Log;

    /// The same log with a connection of its own, as another process has it.
    fn another_writer(&self) -> Self::Log;

    /// From now on the log refuses versions of leads whose payload contains `marker`.
    fn refuse_content(&self, marker: &'static str) -> impl Future<Output = ()> + Send;

    /// Whether from now on every append and every erasure fails in the middle of its transaction.
    fn fail_half_way(&self, fails: bool) -> impl Future<Output = ()> + Send;
}

/// Calls `$run!(module, function)` for every promise, so that one list serves every log.
#[macro_export]
macro_rules! for_each_promise {
    ($run:ident) => {
        $run!(appending, appending_again_changes_nothing_and_says_where_it_stands);
        $run!(appending, a_batch_that_is_part_known_appends_the_rest_without_a_gap);
        $run!(appending, the_same_key_with_other_bytes_is_told_apart_and_the_first_stays);
        $run!(appending, the_first_lead_with_an_email_holds_it_and_the_others_are_told_who);
        $run!(appending, payloads_are_kept_to_the_byte_with_fields_that_nobody_knows);
        $run!(appending, content_that_the_log_refuses_leaves_no_trace);
        $run!(appending, a_transaction_that_fails_half_way_changes_nothing);
        $run!(appending, a_receipt_is_proof_of_this_history_and_of_no_other);
        $run!(concurrency, the_same_and_crossing_batches_from_20_writers_give_one_event_each);
        $run!(concurrency, versions_that_cross_in_every_order_end_as_one_chain_each);
        $run!(concurrency, an_erasure_among_20_writers_leaves_nothing_of_the_person);
        $run!(erasing, an_erasure_leaves_nothing_of_the_person_and_everything_in_its_place);
        $run!(erasing, what_was_erased_stays_erased_whoever_sends_it_again);
        $run!(erasing, erasing_again_answers_the_first_erasure);
        $run!(erasing, who_is_erased_before_the_lead_arrives_is_erased_all_the_same);
        $run!(erasing, an_erasure_that_fails_half_way_changes_nothing);
        $run!(erasing, only_an_erasure_erases);
        $run!(reading, pages_of_any_size_see_each_event_once_in_order);
        $run!(reading, pages_of_one_kind_leave_the_others_out);
        $run!(reading, a_stream_is_read_in_the_order_of_its_sequence);
        $run!(versions, a_version_waits_for_the_one_before_and_costs_its_neighbours_nothing);
        $run!(versions, a_chain_that_comes_at_once_is_placed_whatever_its_order);
        $run!(versions, a_refused_version_is_as_good_as_a_recorded_one_for_the_next);
        $run!(versions, a_chain_that_hangs_on_a_missing_version_waits_as_a_whole);
        $run!(versions, a_later_version_moves_the_claim_on_an_email);
    };
}

/// Appends and expects to be answered.
pub async fn append<L: EventLog>(log: &L, events: &[NewEvent]) -> Vec<Placed> {
    log.append(events).await.unwrap()
}

/// Appends and expects every event to stand in the log afterwards.
pub async fn append_all<L: EventLog>(log: &L, events: &[NewEvent]) -> Vec<Appended> {
    let placed = append(log, events).await;
    placed.iter().map(|placed| placed.appended().cloned().unwrap_or_else(|| panic!("{placed:?}"))).collect()
}

/// The whole log, after a look whether positions are gapless and the head agrees (invariant 11).
pub async fn whole<L: EventLog>(log: &L) -> Vec<RecordedEvent> {
    let events = log.read_after(0, u32::MAX).await.unwrap();
    let positions: Vec<u64> = events.iter().map(|event| event.position).collect();
    let expected: Vec<u64> = (1..=events.len() as u64).collect();
    assert_eq!(positions, expected, "invariant 11");
    assert_eq!(log.head().await.unwrap().position, events.len() as u64, "invariant 11");
    events
}
