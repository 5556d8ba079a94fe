//! Faults between the library and IndexedDB. Whatever fails: what was Saved is there, once (invariants 1 and 2);
//! no number is used twice or left out (9); the error says which kind it is; and when the fault is over the same
//! connection goes on.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::Poll;

use leadlog_client::browser::{OutboxDb, PutError, StorageError};
use leadlog_client::capture::Capture;
use leadlog_client::engine::record::{Mark, Records};
use wasm_bindgen_test::wasm_bindgen_test;

use crate::outbox_conformance::foreign;
use crate::page::{capture, raw, records};
use crate::seam::{Fault, TimeOuts, upgrade};

/// What is done while there is a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operation {
    Open,
    Save,
    Put,
    ReadAll,
    Restore,
}

const OPERATIONS: [Operation; 5] =
    [Operation::Open, Operation::Save, Operation::Put, Operation::ReadAll, Operation::Restore];

/// What the fault makes of each operation, in their order: `ok`, or the reason that the screen is told.
type Outcomes = [&'static str; 5];

#[wasm_bindgen_test]
async fn when_the_browser_gives_transactions_up() {
    matrix("abort", async |_| Fault::abort(), ["closed"; 5]).await;
}

#[wasm_bindgen_test]
async fn when_the_quota_is_used_up_the_app_still_starts() {
    matrix("quota", async |_| Fault::quota(), ["ok", "quota", "quota", "quota", "quota"]).await;
}

/// What an engine writes it writes again by itself.
#[wasm_bindgen_test]
async fn when_the_browser_closes_the_connection_nobody_notices() {
    matrix("closed", async |_| Fault::closed(), ["ok", "ok", "closed", "ok", "ok"]).await;
}

#[wasm_bindgen_test]
async fn when_another_tab_blocks_an_upgrade() {
    matrix("blocked", async |name| Fault::blocked(name).await, ["timeout"; 5]).await;
}

#[wasm_bindgen_test]
async fn when_the_disk_does_not_answer() {
    matrix("hung", async |name| Fault::hung(name).await, ["timeout"; 5]).await;
}

#[wasm_bindgen_test]
async fn when_what_was_written_is_not_what_is_read() {
    matrix("mismatch", async |_| Fault::mismatch(), ["ok", "other", "ok", "ok", "ok"]).await;
}

async fn matrix(name: &str, fault: impl AsyncFn(&str) -> Fault, outcomes: Outcomes) {
    for (operation, outcome) in OPERATIONS.into_iter().zip(outcomes) {
        check(&format!("{name}-{operation:?}"), operation, &fault, outcome).await;
    }
}

async fn check(name: &str, operation: Operation, fault: &impl AsyncFn(&str) -> Fault, expected: &str) {
    let (db, device_id) = OutboxDb::open(name).await.unwrap();
    let db = Rc::new(db);
    let before = db.save(&capture(&device_id), 0).await.unwrap();
    let (_, epoch) = db.read_all(true).await.unwrap();
    let tried = Rc::new(capture(&device_id));
    let attempt = || attempt(operation, name.to_owned(), Rc::clone(&db), Rc::clone(&tried), epoch);
    let fault = fault(name).await;
    let outcome = if expected == "timeout" {
        TimeOuts::hold().elapse_when(async || true, attempt()).await
    } else {
        attempt().await
    };
    fault.lift().await;
    let outcome = outcome.as_ref().map_or_else(StorageError::reason, |()| "ok");
    assert_eq!(outcome, expected, "{name}");

    // The same again, as a person, the engine or the app would.
    attempt().await.unwrap_or_else(|error| panic!("{name}, after the fault: {error}"));
    let found = records(name).await;
    assert_eq!(found[0], before, "{name}");
    let added = match operation {
        Operation::Save => 1,
        Operation::Restore => 3,
        Operation::Open | Operation::Put | Operation::ReadAll => 0,
    };
    assert_eq!(found.len(), 1 + added, "{name}");
    assert_eq!(
        found.iter().filter(|it| it.client_id == tried.client_id()).count(),
        usize::from(operation == Operation::Save)
    );
    let marks = raw(name, "marks").await;
    assert_eq!(marks.as_array().unwrap().len(), usize::from(operation == Operation::Put), "{name}");

    let next = db.save(&capture(&device_id), 0).await.unwrap();
    let own = found.iter().filter(|record| record.device_id == device_id).count() as u64;
    assert_eq!((next.key, next.device_seq), (found.len() as u64 + 1, own + 1), "{name}");
}

async fn attempt(
    operation: Operation,
    name: String,
    db: Rc<OutboxDb>,
    tried: Rc<Capture>,
    epoch: u64,
) -> Result<(), StorageError> {
    match operation {
        Operation::Open => OutboxDb::open(&name).await.map(drop),
        Operation::Save => db.save(&tried, 0).await.map(drop),
        Operation::Put => {
            let marks = vec![Mark { v: 1, key: 1, answers: Vec::new() }];
            match db.put(&Records { marks, ..Records::default() }, epoch).await {
                Ok(()) => Ok(()),
                Err(PutError::Storage(error)) => Err(error),
                Err(PutError::Overtaken) => panic!("{name}: overtaken"),
            }
        }
        Operation::ReadAll => {
            let (read, _) = db.read_all(true).await?;
            assert_eq!((read.entries.len(), read.unreadable), (1, 0), "{name}");
            Ok(())
        }
        Operation::Restore => {
            let entries = (1..=3).map(|seq| foreign("gone", seq, 100 + u128::from(seq))).collect();
            db.restore(entries).await.map(drop)
        }
    }
}

/// Invariant 2: a Save that nobody hears of in time may still land. The person is told, taps again, and it is one
/// lead.
#[wasm_bindgen_test]
async fn a_save_that_lands_after_its_time_out_is_the_same_lead() {
    let (db, device_id) = OutboxDb::open("unheard").await.unwrap();
    let (db, capture) = (Rc::new(db), capture(&device_id));
    let fault = Fault::unheard();
    let (saving, form) = (Rc::clone(&db), capture.clone());
    let is_written = async || !records("unheard").await.is_empty();
    let outcome = TimeOuts::hold().elapse_when(is_written, async move { saving.save(&form, 0).await }).await;
    assert_eq!(outcome, Err(StorageError::TimedOut));
    fault.lift().await;
    let saved = db.save(&capture, 5).await.unwrap();
    assert_eq!((saved.device_seq, saved.saved_at), (1, 0));
    assert_eq!(records("unheard").await, [saved]);
}

/// A person who was told that a Save failed may type something else: what was given up in the queue stays unwritten.
#[wasm_bindgen_test]
async fn a_save_that_was_given_up_before_its_turn_is_not_written_later() {
    let (db, device_id) = OutboxDb::open("given-up").await.unwrap();
    let first = db.save(&capture(&device_id), 0).await.unwrap();
    let db = Rc::new(db);
    let fault = Fault::hung("given-up").await;
    let (saving, form) = (Rc::clone(&db), capture(&device_id));
    let work = async move { saving.save(&form, 0).await };
    let outcome = TimeOuts::hold().elapse_when(async || true, work).await;
    assert_eq!(outcome, Err(StorageError::TimedOut));
    fault.lift().await;
    let other = db.save(&capture(&device_id), 0).await.unwrap();
    assert_eq!(records("given-up").await, [first, other]);
}

/// Invariant 9: whoever saves while a Save fails does not leave its number out.
#[wasm_bindgen_test]
async fn a_save_that_fails_leaves_no_gap_to_the_next() {
    let (db, device_id) = OutboxDb::open("gap").await.unwrap();
    db.save(&capture(&device_id), 0).await.unwrap();
    let (first, second) = (capture(&device_id), capture(&device_id));
    let (mut failing, mut following) = (pin!(db.save(&first, 0)), pin!(db.save(&second, 0)));
    let full = Fault::full_disk("entries");
    assert!(is_pending(failing.as_mut()).await);
    full.lift().await;
    assert!(is_pending(following.as_mut()).await);
    assert_eq!(failing.await.unwrap_err().reason(), "quota");
    assert_eq!(following.await.unwrap().device_seq, 2);
}

/// Begins this work, or goes on with it, as far as it gets without waiting.
async fn is_pending(mut work: Pin<&mut impl Future>) -> bool {
    poll_fn(|context| Poll::Ready(work.as_mut().poll(context).is_pending())).await
}

/// Invariant 10: a later version of the app has changed the database under an open page. This page stands aside,
/// and goes on saving.
#[wasm_bindgen_test]
async fn a_later_schema_is_not_kept_waiting_and_keeps_nobody_from_saving() {
    let (db, device_id) = OutboxDb::open("later-schema").await.unwrap();
    let first = db.save(&capture(&device_id), 0).await.unwrap();
    upgrade("later-schema", 2).await;
    let second = db.save(&capture(&device_id), 0).await.unwrap();
    assert_eq!(second.device_seq, 2);
    let (_, same) = OutboxDb::open("later-schema").await.unwrap();
    assert_eq!(same, device_id);
    assert_eq!(records("later-schema").await, [first, second]);
}

/// SYN-8: an upgrade that broke off is begun again from where it was.
#[wasm_bindgen_test]
async fn an_interrupted_upgrade_continues() {
    let fault = Fault::broken_upgrade();
    let error = OutboxDb::open("interrupted").await.err().unwrap();
    assert_eq!(error.reason(), "closed", "{error}");
    fault.lift().await;
    let (db, device_id) = OutboxDb::open("interrupted").await.unwrap();
    assert_eq!(db.save(&capture(&device_id), 0).await.unwrap().device_seq, 1);
}

/// Whoever knows a database that is gone must not write into the one that came after it.
#[wasm_bindgen_test]
async fn a_database_that_was_wiped_has_epochs_of_its_own() {
    let (db, device_id) = OutboxDb::open("wiped").await.unwrap();
    db.save(&capture(&device_id), 0).await.unwrap();
    let (_, epoch) = db.read_all(true).await.unwrap();
    crate::storage::delete("wiped").await;
    let (other, other_id) = OutboxDb::open("wiped").await.unwrap();
    assert_ne!(other_id, device_id);
    other.save(&capture(&other_id), 0).await.unwrap();
    other.read_all(true).await.unwrap();
    let marks = vec![Mark { v: 1, key: 1, answers: Vec::new() }];
    let stale = Records { marks, ..Records::default() };
    assert_eq!(db.put(&stale, epoch).await, Err(PutError::Overtaken));
}
