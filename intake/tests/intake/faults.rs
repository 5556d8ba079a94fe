//! When the log fails, nobody gets a verdict, and sending again is harmless.

use domain::Verdict::{Created, Duplicate, Waiting};
use event_store::AppendFailure;
use event_store::conformance::Subject;
use intake::IntakeError;
use serde_json::json;

use crate::in_every_world;
use crate::world::{MemoryDirect, MemoryQueue, Store, World, invalid, version};

in_every_world!(a_request_that_fails_half_way_gives_no_verdict_and_changes_nothing);

/// Invariant 3.
async fn a_request_that_fails_half_way_gives_no_verdict_and_changes_nothing<W: World>() {
    let store = Store::<W>::cloud().await;
    let request = json!({ "entries": [version(1, 1), invalid(2, 1), version(2, 2)] });
    store.subject.fail_half_way(true).await;
    let failed = store.try_ask(&request).await.unwrap_err();
    assert!(matches!(failed, IntakeError::Unavailable(_)), "{failed:?}");
    assert_eq!(store.events().await, []);
    store.subject.fail_half_way(false).await;
    assert_eq!(store.verdicts(&[version(1, 1), version(1, 3)]).await, [Created, Waiting]);
}

async fn an_answer_that_was_lost_is_a_duplicate_when_it_is_sent_again<W>()
where
    W: World<Subject = event_store::conformance::Memory>,
{
    let store = Store::<W>::cloud().await;
    store.subject.log().fail_appends(Some(AppendFailure::AnswerLost));
    store.try_ask(&json!({ "entries": [version(1, 1)] })).await.unwrap_err();
    store.subject.log().fail_appends(None);
    assert_eq!(store.verdicts(&[version(1, 1)]).await, [Duplicate]);
    assert_eq!(store.events().await.len(), 1);
}

#[tokio::test]
async fn an_answer_that_was_lost_is_a_duplicate() {
    an_answer_that_was_lost_is_a_duplicate_when_it_is_sent_again::<MemoryDirect>().await;
    an_answer_that_was_lost_is_a_duplicate_when_it_is_sent_again::<MemoryQueue>().await;
}
