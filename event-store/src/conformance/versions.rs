//! Chains of versions: what waits, and for what.

use super::events::{captures, entry, refused, refused_scrap, version, void};
use super::{Subject, append, append_all, whole};
use crate::{NewEvent, Placed};

fn waiting(placed: &[Placed]) -> Vec<bool> {
    placed.iter().map(|placed| *placed == Placed::Waiting).collect()
}

/// Nothing is appended of what waits; the others are, without a gap.
pub async fn a_version_waits_for_the_one_before_and_costs_its_neighbours_nothing<S: Subject>() {
    let subject = S::fresh().await;
    let placed = append(subject.log(), &[version(1, 2)]).await;
    assert_eq!(placed, [Placed::Waiting]);
    assert_eq!(whole(subject.log()).await, []);

    let placed = append(subject.log(), &[version(2, 1), version(1, 2), version(3, 1)]).await;
    assert_eq!(waiting(&placed), [false, true, false]);
    assert_eq!(whole(subject.log()).await.len(), 2);
    // Again, part known and part waiting.
    let placed = append(subject.log(), &[version(1, 2), version(3, 1), version(4, 1)]).await;
    assert_eq!(waiting(&placed), [true, false, false]);

    append_all(subject.log(), &[version(1, 1)]).await;
    let at = append_all(subject.log(), &[version(1, 2)]).await.remove(0);
    assert!(at.is_new && at.is_same);
    let again = append_all(subject.log(), &[version(1, 2)]).await.remove(0);
    assert_eq!((again.position, again.is_new, again.is_same), (at.position, false, true));
    assert_eq!(whole(subject.log()).await.len(), 5);
}

/// Invariant 6: the order in which they travel means nothing.
pub async fn a_chain_that_comes_at_once_is_placed_whatever_its_order<S: Subject>() {
    let orders = [[1, 2, 3], [1, 3, 2], [2, 1, 3], [2, 3, 1], [3, 1, 2], [3, 2, 1]];
    let subject = S::fresh().await;
    for (number, order) in (1..).zip(orders) {
        let chain: Vec<NewEvent> = order.iter().map(|sequence| version(number, *sequence)).collect();
        let placed = append_all(subject.log(), &chain).await;
        assert!(placed.iter().all(|at| at.is_new && at.is_same), "{order:?}: {placed:?}");
        let mut by_version: Vec<(u32, u64)> =
            order.iter().copied().zip(placed.iter().map(|at| at.position)).collect();
        by_version.sort_unstable();
        assert!(by_version.is_sorted_by_key(|(_, position)| *position), "{order:?}: {by_version:?}");
    }
    assert_eq!(whole(subject.log()).await.len(), 18);
    // The middle is known, the end is new.
    let placed = append_all(subject.log(), &[version(1, 4), version(1, 2), version(1, 5)]).await;
    assert_eq!(placed.iter().map(|at| at.is_new).collect::<Vec<_>>(), [true, false, true]);
}

/// The fix of a refused entry is the next version.
pub async fn a_refused_version_is_as_good_as_a_recorded_one_for_the_next<S: Subject>() {
    let subject = S::fresh().await;
    append_all(subject.log(), &[refused(1, 1, "bad")]).await;
    append_all(subject.log(), &[version(1, 2)]).await;
    // In one call, the refusal last; and in the middle of a chain.
    append_all(subject.log(), &[version(2, 2), refused(2, 1, "bad as well")]).await;
    append_all(subject.log(), &[version(3, 3), version(3, 1), refused(3, 2, "worse")]).await;
    // A refusal of another lead, of another version, or of nobody's, is none.
    append_all(subject.log(), &[refused(4, 2, "not this one"), refused_scrap("whose?")]).await;
    assert_eq!(append(subject.log(), &[version(4, 2)]).await, [Placed::Waiting]);
    append_all(subject.log(), &[version(4, 3)]).await;
    // What was refused may be recorded after all, when it is released.
    append_all(subject.log(), &[version(1, 1)]).await;
    assert_eq!(whole(subject.log()).await.len(), 11);
}

/// None of it is placed before the root is.
pub async fn a_chain_that_hangs_on_a_missing_version_waits_as_a_whole<S: Subject>() {
    let subject = S::fresh().await;
    append_all(subject.log(), &captures([1, 2])).await;
    let chain =
        [version(1, 5), version(1, 3), version(2, 2), version(1, 4), refused(3, 1, "bad"), void(3, 3)];
    let placed = append(subject.log(), &chain).await;
    assert_eq!(waiting(&placed), [true, true, false, true, false, true]);
    assert_eq!(whole(subject.log()).await.len(), 4);
    append_all(subject.log(), &[version(1, 2)]).await;
    append_all(subject.log(), &[version(3, 2)]).await;
    append_all(subject.log(), &chain).await;
    assert_eq!(whole(subject.log()).await.len(), 10);
}

/// A claim follows the newest version: a courtesy for whoever asks for the address next.
pub async fn a_later_version_moves_the_claim_on_an_email<S: Subject>() {
    let subject = S::fresh().await;
    let holder = async |number, email| {
        append_all(subject.log(), &[entry(number, 1, "Ala", email)]).await.remove(0).email_holder
    };
    append_all(subject.log(), &[entry(1, 1, "Anna", "old@example.com")]).await;
    append_all(subject.log(), &[entry(1, 2, "Anna", "new@example.com")]).await;
    assert_eq!(holder(11, "old@example.com").await, None, "given up, and so free for 11");
    let lead = super::events::lead;
    assert_eq!(holder(12, "new@example.com").await.map(|(holder, _)| holder), Some(lead(1)));
    assert_eq!(holder(13, "old@example.com").await.map(|(holder, _)| holder), Some(lead(11)));

    // At once: only the newest claims. A correction that keeps the address keeps the claim.
    let both = [entry(2, 2, "Anna", "second@example.com"), entry(2, 1, "Anna", "first@example.com")];
    append_all(subject.log(), &both).await;
    append_all(subject.log(), &[entry(2, 3, "Hanna", "second@example.com")]).await;
    assert_eq!(holder(14, "first@example.com").await, None);
    assert_eq!(holder(15, "second@example.com").await.map(|(holder, _)| holder), Some(lead(2)));

    // Who takes a lead back gives up its claim; sending an old version again takes nothing back.
    append_all(subject.log(), &[void(1, 3)]).await;
    append_all(subject.log(), &[entry(1, 2, "Anna", "new@example.com")]).await;
    assert_eq!(holder(16, "new@example.com").await, None);
}
