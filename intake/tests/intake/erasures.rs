//! Who was erased stays erased, and everybody who syncs hears of it.

use domain::Verdict::{Created, Duplicate, Erased, Invalid};
use domain::{ClientId, FollowUpEvent, MAX_PAGE_ITEMS, SyncResponse};
use event_store::EventLog;
use event_store::conformance::Subject;
use event_store::conformance::events::erasure;
use serde_json::json;

use crate::in_every_world;
use crate::world::{Store, World, invalid, lead_id, other_bytes, version};

in_every_world!(
    a_resend_of_what_was_erased_is_answered_erased_without_a_receipt,
    an_answer_names_who_was_erased_after_the_cursor,
    a_page_of_erasures_is_cut_and_the_rest_comes_with_the_next,
);

async fn erase<W: World>(store: &Store<W>, number: u64) -> u64 {
    let client_id: ClientId = lead_id(number).parse().unwrap();
    store.subject.log().erase(client_id, &erasure()).await.unwrap().position
}

/// What the queue knows of erasures may be a moment old.
async fn ask_until_erasures<W: World>(store: &Store<W>, after: u64, head: u64) -> SyncResponse {
    loop {
        let answer = store.ask(json!({ "erasuresAfter": after, "entries": [] })).await;
        if answer.erasures.through >= head || answer.erasures.client_ids.len() >= MAX_PAGE_ITEMS {
            return answer;
        }
        tokio::task::yield_now().await;
    }
}

/// Invariant 4: the device deletes what it holds.
async fn a_resend_of_what_was_erased_is_answered_erased_without_a_receipt<W: World>() {
    let store = Store::<W>::cloud().await;
    store.sync(&[version(1, 1), invalid(1, 2), version(2, 1)]).await;
    erase(&store, 1).await;
    let entries =
        [version(1, 1), invalid(1, 2), version(1, 3), version(2, 1), other_bytes(1, 1), version(3, 1)];
    let results = store.sync(&entries).await;
    let verdicts: Vec<_> = results.iter().map(|result| result.status).collect();
    assert_eq!(verdicts, [Erased, Erased, Erased, Duplicate, Erased, Created]);
    for erased in results.iter().filter(|result| result.status == Erased) {
        assert_eq!((erased.position, erased.append_id, erased.server_id), (None, None, None));
        assert_eq!((erased.errors.len(), erased.flags.len()), (0, 0));
    }
    assert_eq!(store.events().await.len(), 5, "nothing was recorded of what was erased");
    assert_eq!(store.verdicts(&[invalid(2, 2)]).await, [Invalid]);
}

async fn an_answer_names_who_was_erased_after_the_cursor<W: World>() {
    let store = Store::<W>::cloud().await;
    store.sync(&[version(1, 1), version(2, 1)]).await;
    let none = store.ask(json!({ "erasuresAfter": 0, "entries": [] })).await.erasures;
    assert_eq!((none.through, none.client_ids.len()), (0, 0));
    let first = erase(&store, 1).await;
    let erasures = ask_until_erasures(&store, 0, first).await.erasures;
    assert_eq!((erasures.through, &erasures.client_ids[..]), (first, &[lead_id(1).parse().unwrap()][..]));
    let append_id = store.events().await[2].append_id;
    assert_eq!(erasures.append_id, Some(append_id), "what proves the cursor");
    let second = erase(&store, 2).await;
    let erasures = ask_until_erasures(&store, first, second).await.erasures;
    assert_eq!((erasures.through, &erasures.client_ids[..]), (second, &[lead_id(2).parse().unwrap()][..]));
    // A sender without a cursor has seen none.
    let all = store.ask(json!({ "entries": [] })).await.erasures;
    assert_eq!((all.through, all.client_ids.len()), (second, 2));
    let rest = store.ask(json!({ "erasuresAfter": second, "entries": [] })).await.erasures;
    assert_eq!((rest.through, rest.client_ids.len()), (second, 0));
    assert_eq!(store.count(FollowUpEvent::LEAD_ERASED).await, 2);
}

async fn a_page_of_erasures_is_cut_and_the_rest_comes_with_the_next<W: World>() {
    let store = Store::<W>::cloud().await;
    let all = MAX_PAGE_ITEMS as u64 + 3;
    let mut head = 0;
    for number in 1..=all {
        head = erase(&store, number).await;
    }
    let page = ask_until_erasures(&store, 0, head).await.erasures;
    assert_eq!((page.client_ids.len(), page.through), (MAX_PAGE_ITEMS, MAX_PAGE_ITEMS as u64));
    let rest = store.ask(json!({ "erasuresAfter": page.through, "entries": [] })).await.erasures;
    assert_eq!((rest.client_ids.len(), rest.through), (3, head));
    let mut heard: Vec<ClientId> = page.client_ids.into_iter().chain(rest.client_ids).collect();
    heard.sort_unstable();
    assert_eq!(heard, (1..=all).map(|number| lead_id(number).parse().unwrap()).collect::<Vec<_>>());
}
