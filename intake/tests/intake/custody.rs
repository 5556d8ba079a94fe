//! What an answer proves: lineage, and on a hub what the cloud has.

use domain::{
    AppendId, CLOUD_VERDICT_STREAM, CloudVerdict, CloudVerdictEvent, Digest, EntryResult, Lineage,
    MAX_PAGE_ITEMS, Receipt, StoreId, Verdict,
};
use event_store::NewEvent;
use event_store::conformance::{Subject, append_all};
use intake::RelayProgress;
use serde_json::json;

use crate::in_every_world;
use crate::world::{Store, World, lead_id, version};

in_every_world!(
    a_store_says_whether_it_still_has_what_it_confirmed,
    the_cloud_has_no_cloud_above_it,
    a_hub_claims_nothing_before_the_last_refusal_is_told,
    a_verdict_that_cannot_be_read_is_never_passed_over,
);

/// Invariant 5: position and append together are the proof, position alone is none.
async fn a_store_says_whether_it_still_has_what_it_confirmed<W: World>() {
    let (store, other) = (Store::<W>::cloud().await, Store::<W>::cloud().await);
    let result = store.sync(&[version(1, 1)]).await.remove(0);
    other.sync(&[version(1, 1)]).await;
    let receipt = Receipt {
        store_id: store.identity.id,
        position: result.position.unwrap(),
        append_id: result.append_id.unwrap(),
    };
    let lineage = async |store: &Store<W>, receipt: Receipt| {
        store.ask(json!({ "lastReceipt": receipt, "entries": [version(1, 1)] })).await.lineage
    };
    assert_eq!(lineage(&store, receipt).await, Lineage::Intact);
    // The other log, restored under this store's name, has grown to the same position.
    assert_eq!(lineage(&other, Receipt { store_id: other.identity.id, ..receipt }).await, Lineage::Lost);
    assert_eq!(
        lineage(&store, Receipt { append_id: AppendId::from_bits(1), ..receipt }).await,
        Lineage::Lost
    );
    assert_eq!(lineage(&store, Receipt { position: 9, ..receipt }).await, Lineage::Lost);
    // A receipt of another store says nothing here.
    assert_eq!(lineage(&other, receipt).await, Lineage::Intact);
    assert_eq!(store.ask(json!({ "entries": [] })).await.lineage, Lineage::Intact);
}

fn refusal(number: u64) -> CloudVerdict {
    let append_id = Some(AppendId::from_bits(i64::try_from(number).unwrap()));
    let client_id = lead_id(number);
    let result = EntryResult {
        client_id: Some(client_id.clone()),
        version: Some(1),
        status: Verdict::Invalid,
        position: Some(number),
        append_id,
        server_id: None,
        existing: None,
        errors: Vec::new(),
        flags: Vec::new(),
    };
    let store_id: StoreId = "0197f3c2-5c1e-7c3a-9d64-0242ac120002".parse().unwrap();
    CloudVerdict { store_id, client_id: client_id.parse().unwrap(), version: 1, result }
}

fn given(verdict: CloudVerdict) -> NewEvent {
    let event = CloudVerdictEvent::Given(verdict.clone());
    let payload = serde_json::to_string(&event).unwrap();
    NewEvent {
        aggregate_type: CLOUD_VERDICT_STREAM,
        aggregate_id: CloudVerdict::stream(&verdict.receipt().unwrap()),
        sequence: 1,
        event_type: event.name(),
        event_version: CloudVerdictEvent::FORM_VERSION,
        digest: Digest::of(&payload),
        payload,
        metadata: Vec::new(),
        claim: None,
    }
}

async fn the_cloud_has_no_cloud_above_it<W: World>() {
    let store = Store::<W>::cloud().await;
    let answer = store.ask(json!({ "cloudVerdictsAfter": 0, "entries": [version(1, 1)] })).await;
    assert_eq!(
        (answer.cloud_verdicts, answer.store.relayed_through, answer.store.cloud_receipt),
        (None, None, None)
    );
}

/// Custody: a device that hears `relayedThrough` takes everything before it for accepted, but for the refusals that
/// it has heard.
async fn a_hub_claims_nothing_before_the_last_refusal_is_told<W: World>() {
    let mut hub = Store::<W>::hub().await;
    let total = MAX_PAGE_ITEMS as u64 + 2;
    let verdicts: Vec<NewEvent> = (1..=total).map(|number| given(refusal(number))).collect();
    append_all(hub.subject.log(), &verdicts).await;
    let cloud_receipt = refusal(1).receipt();
    hub.relay = RelayProgress { relayed_through: Some(total), cloud_receipt };

    let first = hub.ask(json!({ "entries": [] })).await;
    let page = first.cloud_verdicts.unwrap();
    assert_eq!((page.verdicts.len(), page.through), (MAX_PAGE_ITEMS, MAX_PAGE_ITEMS as u64));
    assert_eq!((first.store.relayed_through, first.store.cloud_receipt), (None, cloud_receipt));

    let rest = hub.ask(json!({ "cloudVerdictsAfter": page.through, "entries": [] })).await;
    let rest_page = rest.cloud_verdicts.unwrap();
    assert_eq!((rest_page.verdicts.len(), rest_page.through), (2, total));
    assert_eq!(rest.store.relayed_through, Some(total));
    let mut heard: Vec<CloudVerdict> = page.verdicts.into_iter().chain(rest_page.verdicts).collect();
    heard.sort_by_key(|verdict| verdict.client_id);
    assert_eq!(heard, (1..=total).map(refusal).collect::<Vec<_>>());

    let none = hub.ask(json!({ "cloudVerdictsAfter": total, "entries": [] })).await;
    assert_eq!((none.cloud_verdicts.unwrap().through, none.store.relayed_through), (total, Some(total)));
}

/// Of a newer program, perhaps a refusal: to pass over it would be to confirm.
async fn a_verdict_that_cannot_be_read_is_never_passed_over<W: World>() {
    let mut hub = Store::<W>::hub().await;
    append_all(hub.subject.log(), &[given(refusal(1))]).await;
    append_all(
        hub.subject.log(),
        &[NewEvent { payload: "{\"kind\":\"revised\"}".into(), ..given(refusal(2)) }],
    )
    .await;
    append_all(hub.subject.log(), &[given(refusal(3))]).await;
    hub.relay.relayed_through = Some(3);
    for after in [0, 1] {
        let answer = hub.ask(json!({ "cloudVerdictsAfter": after, "entries": [] })).await;
        assert_eq!((answer.cloud_verdicts.unwrap().through, answer.store.relayed_through), (1, None));
    }
}
