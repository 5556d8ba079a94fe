//! Both logs keep the same promises; and where chance leads, they give the same answers.

use event_store::conformance::{Memory, Postgres, Subject, events, whole};
use event_store::{EventLog, NewEvent, Placed, RecordedEvent};
use proptest::prelude::*;

mod memory {
    macro_rules! run {
        ($part:ident, $promise:ident) => {
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $promise() {
                event_store::conformance::$part::$promise::<event_store::conformance::Memory>().await;
            }
        };
    }
    event_store::for_each_promise!(run);
}

mod postgres {
    macro_rules! run {
        ($part:ident, $promise:ident) => {
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $promise() {
                event_store::conformance::$part::$promise::<event_store::conformance::Postgres>().await;
            }
        };
    }
    event_store::for_each_promise!(run);
}

/// Something that happens to a log.
#[derive(Debug, Clone)]
enum Step {
    Append(Vec<NewEvent>),
    Erase(u32),
}

fn event() -> impl Strategy<Value = NewEvent> {
    (1..5_u32, 1..5_u32, 0..4_u32, 0..8_u32).prop_map(|(number, version, address, kind)| match kind {
        0 => events::refused(number, version, &format!("raw {number} {version}")),
        1 if version > 1 => events::void(number, version),
        2 => events::other("ipad-7", u64::from(version)),
        3 => events::entry(number, version, "Ala", &format!("{address}@example.com")),
        _ => events::entry(number, version, "Anna", &format!("{}@example.com", (number + version) % 4)),
    })
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        9 => proptest::collection::vec(event(), 1..8).prop_map(Step::Append),
        1 => (1..5_u32).prop_map(Step::Erase),
    ]
}

/// What a step answers, but for append ids, which are random.
async fn take<L: EventLog>(log: &L, step: &Step) -> Vec<String> {
    match step {
        Step::Append(events) => log
            .append(events)
            .await
            .unwrap()
            .into_iter()
            .map(|placed| match placed {
                Placed::At(at) => {
                    format!("{} {} {} {:?}", at.position, at.is_new, at.is_same, at.email_holder)
                }
                other => format!("{other:?}"),
            })
            .collect(),
        Step::Erase(number) => {
            let at = log.erase(events::lead(*number), &events::erasure()).await.unwrap();
            vec![format!("{} {}", at.position, at.is_new)]
        }
    }
}

fn without_chance(events: Vec<RecordedEvent>) -> Vec<(u64, String, u64, String, serde_json::Value)> {
    let metadata = |event: &RecordedEvent| serde_json::from_str(&event.metadata).unwrap();
    events
        .into_iter()
        .map(|event| {
            let metadata = metadata(&event);
            (event.position, event.aggregate_id, event.sequence, event.payload, metadata)
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, max_shrink_iters: 200, failure_persistence: None, ..ProptestConfig::default() })]

    /// The conformance suite names what must hold; this finds where the two differ in what nobody named.
    #[test]
    fn the_two_logs_answer_alike(steps in proptest::collection::vec(step(), 1..25)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (memory, postgres) = (Memory::fresh().await, Postgres::fresh().await);
            for step in &steps {
                assert_eq!(take(memory.log(), step).await, take(postgres.log(), step).await, "{step:?}");
            }
            let memory = without_chance(whole(memory.log()).await);
            assert_eq!(memory, without_chance(whole(postgres.log()).await));
            event_store::close(postgres.log().pool()).await;
        });
    }
}
