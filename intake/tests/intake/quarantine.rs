//! What a device hands in that was shut out: nothing is lost, and nothing is believed (AUT-3).

use domain::Verdict::{Created, Duplicate, Erased, Invalid, Quarantined};
use domain::{EntryResult, Verdict};
use event_store::EventLog;
use event_store::conformance::Subject;
use event_store::conformance::events::erasure;

use crate::in_every_world;
use crate::world::{Store, World, invalid, lead_id, other_bytes, version};

in_every_world!(
    what_it_hands_in_is_recorded_once_and_is_no_lead,
    what_the_store_has_stays_what_it_is,
    let_in_again_it_sends_what_it_holds_in_any_order,
);

fn verdicts(results: &[EntryResult]) -> Vec<Verdict> {
    results.iter().map(|result| result.status).collect()
}

async fn what_it_hands_in_is_recorded_once_and_is_no_lead<W: World>() {
    let store = Store::<W>::cloud().await;
    let held = [version(1, 1), version(1, 2), invalid(2, 1)];
    let first = store.hand_in(&held).await;
    assert_eq!(verdicts(&first), [Quarantined, Quarantined, Invalid]);
    assert!(first.iter().all(|result| result.position.is_some() && result.append_id.is_some()));
    let again = store.hand_in(&held).await;
    let receipts =
        |results: &[EntryResult]| results.iter().map(|it| (it.position, it.append_id)).collect::<Vec<_>>();
    assert_eq!(receipts(&again), receipts(&first));
    assert_eq!((store.count("LeadCaptured").await, store.count("SubmissionRefused").await), (0, 3));
}

async fn what_the_store_has_stays_what_it_is<W: World>() {
    let store = Store::<W>::cloud().await;
    assert_eq!(store.verdicts(&[version(1, 1), version(2, 1)]).await, [Created, Created]);
    let erased = lead_id(2).parse().unwrap();
    store.subject.log().erase(erased, &erasure()).await.unwrap();
    let handed_in = store.hand_in(&[version(1, 1), other_bytes(1, 1), version(1, 2), version(2, 1)]).await;
    assert_eq!(verdicts(&handed_in), [Duplicate, Quarantined, Quarantined, Erased]);
    assert_eq!((store.count("LeadCaptured").await, store.count("LeadCorrected").await), (2, 0));
}

async fn let_in_again_it_sends_what_it_holds_in_any_order<W: World>() {
    let store = Store::<W>::cloud().await;
    store.hand_in(&[version(1, 1), version(1, 2)]).await;
    assert_eq!(store.verdicts(&[version(1, 2)]).await, [Created], "the version before is in quarantine");
    assert_eq!(store.verdicts(&[version(1, 1), version(1, 2)]).await, [Created, Duplicate]);
}
