//! Which sequence numbers are here and which are missing (invariant 9).

use crate::captures::{at, capture, event, next, record_events, recorded_event, refused, released, reported};
use domain::{DeviceId, RefusalReason, ReleaseOutcome};
use event_store::NewEvent;
use event_store::testing::fresh_store;
use projections::fold::{Devices, SequenceSet, Standing};
use projections::{catch_up, devices};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

fn ipad() -> DeviceId {
    "ipad-7".parse().unwrap()
}

fn folded(events: impl IntoIterator<Item = NewEvent>) -> Devices {
    let mut devices = Devices::default();
    for (position, event) in (1..).zip(events) {
        devices.apply(&recorded_event(position, event)).unwrap();
    }
    devices
}

/// Recorded events are of 23:00.
fn standing(devices: &Devices, silent_before: &str) -> Standing {
    devices.get(&ipad()).unwrap().standing(at(silent_before).moment())
}

#[test]
fn what_lies_below_the_highest_number_and_is_not_here_is_missing() {
    let correction = next(&capture(1), "corrected", |lead| lead["deviceSeq"] = 6.into());
    let devices = folded([
        event(&capture(1)),
        event(&capture(4)),
        refused(&capture(5), RefusalReason::Invalid),
        event(&correction),
        reported("ipad-7", 8),
    ]);
    assert_eq!(devices.gaps(&ipad()), [2..=3, 7..=8]);
    assert_eq!(standing(&devices, "23:00:00"), Standing::Missing { ranges: vec![2..=3, 7..=8] });
}

#[test]
fn silence_is_never_complete() {
    let all_here = folded([event(&capture(1)), event(&capture(2))]);
    assert_eq!(standing(&all_here, "22:55:00"), Standing::Complete { through: 2 });
    let since = Some(at("23:00:00").moment());
    assert_eq!(standing(&all_here, "23:00:01"), Standing::Unknown { since, through: Some(2) });

    let mut nameless = capture(1);
    nameless.as_object_mut().unwrap().remove("deviceSeq");
    let no_number = folded([refused(&nameless, RefusalReason::Invalid)]);
    assert_eq!(standing(&no_number, "22:55:00"), Standing::Unknown { since, through: None });
    assert!(all_here.get(&"never-heard".parse().unwrap()).is_none());
}

/// A backup that was recovered, a hub that relays, another iPad that restored it: the iPad itself may hold more.
#[test]
fn what_others_bring_of_a_device_is_here_and_not_its_voice() {
    let brought_by =
        |sender: &str, entry| NewEvent { metadata: vec![("sender", sender.to_owned())], ..entry };
    let others = [
        brought_by("", event(&capture(1))),
        brought_by("ipad-9", event(&capture(2))),
        brought_by("", refused(&capture(3), RefusalReason::Invalid)),
    ];
    let brought = folded(others.clone());
    assert_eq!(standing(&brought, "22:55:00"), Standing::Unknown { since: None, through: Some(3) });

    let told = folded(others.into_iter().chain([reported("ipad-7", 3)]));
    let since = Some(at("15:00:00").moment());
    assert_eq!(standing(&told, "22:55:00"), Standing::Unknown { since, through: Some(3) });
}

#[test]
fn a_report_was_heard_when_it_was_heard_and_not_when_it_came() {
    let devices = folded([reported("ipad-7", 1)]);
    assert_eq!(devices.get(&ipad()).unwrap().heard_at.unwrap(), at("15:00:00").moment());
}

#[test]
fn a_sender_that_names_nonsense_is_passed_over() {
    let mut entry = capture(1);
    entry["deviceSeq"] = u64::MAX.into();
    let devices = folded([refused(&entry, RefusalReason::Invalid)]);
    assert_eq!(devices.gaps(&ipad()), []);
    entry["deviceId"] = "an iPad".into();
    assert_eq!(folded([refused(&entry, RefusalReason::Invalid)]).iter().count(), 0);
}

#[tokio::test]
async fn the_table_knows_what_the_fold_knows() {
    let (pool, _) = fresh_store().await;
    let mut other = capture(9);
    other["deviceId"] = "ipad-8".into();
    let mut third = capture(10);
    third["deviceId"] = "ipad-9".into();
    let pages = [
        vec![event(&capture(3)), event(&capture(1))],
        vec![refused(&capture(4), RefusalReason::Invalid), event(&other)],
        vec![reported("ipad-7", 6), event(&capture(7))],
        vec![NewEvent { metadata: vec![("sender", "ipad-7".to_owned())], ..event(&third) }],
    ];
    for page in pages {
        record_events(&pool, &page).await;
        catch_up(&pool).await.unwrap();
    }
    assert_eq!(devices::gaps(&pool, &ipad()).await.unwrap(), [2..=2, 5..=6]);
    let listed = devices::list(&pool).await.unwrap();
    assert_eq!(listed.keys().map(DeviceId::as_str).collect::<Vec<_>>(), ["ipad-7", "ipad-8", "ipad-9"]);
    assert_eq!(listed[&"ipad-9".parse().unwrap()].heard_at, None, "another brought what is here of it");
    assert_eq!(listed[&ipad()].heard_position, 6);
    assert_eq!(devices::get(&pool, &"never-heard".parse().unwrap()).await.unwrap(), None);
}

/// Reading the whole log is for a log in which a number may be claimed twice: neither a refusal without a number nor one
/// that was released as a lead is a reason.
#[tokio::test]
async fn refusals_do_not_make_the_whole_log_be_read_for_good() {
    let (pool, _) = fresh_store().await;
    let may_be_shared = async || {
        catch_up(&pool).await.unwrap();
        let sql = include_str!("../../src/sql/numbers_may_be_shared.sql");
        sqlx::query_scalar::<_, bool>(sql).fetch_one(&pool).await.unwrap()
    };
    // No number of a device: it lacks one, or names no device that can be.
    let mut nameless = capture(9);
    nameless.as_object_mut().unwrap().remove("deviceSeq");
    let mut spaced = capture(10);
    spaced["deviceId"] = "ipad 7".into();
    let mut unreadable = capture(11);
    unreadable["deviceId"] = "ipad\u{0}7".into();
    record_events(
        &pool,
        &[
            event(&capture(1)),
            refused(&capture(2), RefusalReason::Unsupported),
            refused(&nameless, RefusalReason::Invalid),
            refused(&spaced, RefusalReason::Invalid),
            refused(&unreadable, RefusalReason::Invalid),
        ],
    )
    .await;
    assert!(!may_be_shared().await);
    record_events(&pool, &[event(&capture(2)), released(&capture(2), ReleaseOutcome::Recorded)]).await;
    assert!(!may_be_shared().await);
    let mut other = capture(3);
    other["deviceSeq"] = 1.into();
    record_events(&pool, &[event(&other)]).await;
    assert!(may_be_shared().await);
}

/// The same answers as PostgreSQL's multiranges.
#[test]
fn a_sequence_set_is_an_int8multirange() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (pool, _) = runtime.block_on(fresh_store());
    let numbers =
        || prop::collection::vec(prop_oneof![0_u64..30, SequenceSet::MAX - 5..=SequenceSet::MAX], 0..30);
    TestRunner::new(Config { cases: 100, failure_persistence: None, ..Config::default() })
        .run(&(numbers(), numbers(), 1_u64..40), |(one, other, through)| {
            let one: SequenceSet = one.into_iter().collect();
            let other: SequenceSet = other.into_iter().collect();
            let (union, missing): (String, String) = runtime
                .block_on(
                    sqlx::query_as(
                        "SELECT ($1::int8multirange + $2::int8multirange)::text,
                                (int8multirange(int8range(1, $3, '[]')) - ($1::int8multirange + $2::int8multirange))::text",
                    )
                    .bind(one.to_string())
                    .bind(other.to_string())
                    .bind(through.cast_signed())
                    .fetch_one(&pool),
                )
                .unwrap();
            let mut both = one;
            both.merge(&other);
            prop_assert_eq!(both.to_string(), union);
            let mut gaps = SequenceSet::default();
            for range in both.missing_through(through) {
                gaps.insert_range(range);
            }
            prop_assert_eq!(gaps.to_string(), missing);
            Ok(())
        })
        .unwrap();
}
