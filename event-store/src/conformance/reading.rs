//! Reading in order, in pages.

use domain::{DEVICE_REPORT_STREAM, FOLLOW_UP_STREAM, LEAD_STREAM};

use super::events::{captures, erasure, lead, other, refused, version};
use super::{Subject, append_all, whole};
use crate::{EventLog, RecordedEvent};

/// Invariant 11: a reader never skips.
pub async fn pages_of_any_size_see_each_event_once_in_order<S: Subject>() {
    let subject = S::fresh().await;
    append_all(subject.log(), &captures(1..=10)).await;
    append_all(subject.log(), &[refused(11, 1, "raw"), other("ipad-7", 4)]).await;
    let all = whole(subject.log()).await;
    for limit in [1, 5, 12, 13] {
        let mut seen: Vec<RecordedEvent> = Vec::new();
        loop {
            let cursor = seen.last().map_or(0, |event| event.position);
            let page = subject.log().read_after(cursor, limit).await.unwrap();
            assert!(page.len() <= limit as usize);
            if page.is_empty() {
                break;
            }
            seen.extend(page);
        }
        assert_eq!(seen, all, "pages of {limit}");
    }
    assert_eq!(subject.log().read_after(u64::MAX, 5).await.unwrap(), []);
}

/// What answers carry pages of: erasures.
pub async fn pages_of_one_kind_leave_the_others_out<S: Subject>() {
    let subject = S::fresh().await;
    let mut erased = Vec::new();
    for number in 1..=5 {
        append_all(subject.log(), &[version(number, 1), other("ipad-7", u64::from(number))]).await;
        erased.push(subject.log().erase(lead(number), &erasure()).await.unwrap().position);
    }
    let follow_ups = async |cursor, limit| {
        let page = subject.log().read_kind_after(FOLLOW_UP_STREAM, cursor, limit).await.unwrap();
        page.iter().map(|event| event.position).collect::<Vec<_>>()
    };
    assert_eq!(follow_ups(0, 100).await, erased);
    assert_eq!(follow_ups(0, 2).await, erased[..2]);
    assert_eq!(follow_ups(erased[1], 2).await, erased[2..4]);
    assert_eq!(follow_ups(erased[4], 2).await, [] as [u64; 0]);
    let reports = subject.log().read_kind_after(DEVICE_REPORT_STREAM, 0, 100).await.unwrap();
    assert_eq!(reports.len(), 5);
    let leads = subject.log().read_kind_after(LEAD_STREAM, 5, 100).await.unwrap();
    assert_eq!(leads.len(), 3);
}

/// Whatever the order in which it was written.
pub async fn a_stream_is_read_in_the_order_of_its_sequence<S: Subject>() {
    let subject = S::fresh().await;
    for sequence in [9, 2, 5] {
        append_all(subject.log(), &[other("ipad-7", sequence), other("ipad-8", sequence)]).await;
    }
    let stream = subject.log().read_stream(DEVICE_REPORT_STREAM, "ipad-7").await.unwrap();
    assert_eq!(stream.iter().map(|event| event.sequence).collect::<Vec<_>>(), [2, 5, 9]);
    assert_eq!(subject.log().read_stream(DEVICE_REPORT_STREAM, "ipad-9").await.unwrap(), []);
}
