//! Where a lead stands: on this device, at a hub, or in the cloud. Computed from receipts, never stored.

use domain::{Receipt, StoreId, Tier};

use super::record::{Answer, Stores};

/// Where an entry has got to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// Only here.
    Device,
    /// A hub has it too. It is still owed to the cloud.
    Hub,
    /// The cloud has it.
    Cloud,
}

/// The farthest place that a receipt proves.
///
/// A receipt of a store that *was* the cloud proves nothing once another store answers as the cloud: the
/// lead is owed to the new one. It counts again if the old one comes back.
pub fn place(answers: &[Answer], stores: &Stores) -> Place {
    answers
        .iter()
        .filter(|answer| answer.verdict.is_stored() && answer.receipt().is_some())
        .map(|answer| match answer.tier {
            _ if Some(answer.store_id) == stores.cloud => Place::Cloud,
            Tier::Hub => Place::Hub,
            Tier::Cloud => Place::Device,
        })
        .max()
        .unwrap_or(Place::Device)
}

/// The newest of these receipts that is of this store. Shown with every sync, it lets the store prove that
/// its history is whole.
pub fn newest_receipt<'a>(answers: impl Iterator<Item = &'a Answer>, store: StoreId) -> Option<Receipt> {
    answers
        .filter(|answer| answer.store_id == store)
        .filter_map(Answer::receipt)
        .max_by_key(|receipt| receipt.position)
}

#[cfg(test)]
mod tests {
    use domain::{AppendId, Verdict};
    use uuid::Uuid;

    use super::*;

    fn store(id: u128) -> StoreId {
        StoreId::new(Uuid::from_u128(id))
    }

    fn answer(id: u128, tier: Tier, verdict: Verdict, position: Option<u64>) -> Answer {
        let append_id = position.map(|_| AppendId::from_bits(7));
        Answer { store_id: store(id), tier, verdict, position, append_id, errors: Vec::new() }
    }

    #[test]
    fn only_a_receipt_of_the_present_cloud_is_cloud_custody() {
        let stores = Stores { cloud: Some(store(1)), ..Stores::default() };
        let place = |answers: &[Answer]| place(answers, &stores);
        assert_eq!(place(&[]), Place::Device);
        assert_eq!(place(&[answer(1, Tier::Cloud, Verdict::Created, Some(4))]), Place::Cloud);
        assert_eq!(place(&[answer(2, Tier::Hub, Verdict::Created, Some(4))]), Place::Hub);
        assert_eq!(place(&[answer(3, Tier::Cloud, Verdict::Created, Some(4))]), Place::Device, "old cloud");
        assert_eq!(place(&[answer(1, Tier::Cloud, Verdict::Created, None)]), Place::Device, "no receipt");
        assert_eq!(place(&[answer(1, Tier::Cloud, Verdict::Invalid, Some(4))]), Place::Device, "refused");
    }

    #[test]
    fn the_newest_receipt_is_of_that_store_alone() {
        let answers = [
            answer(1, Tier::Hub, Verdict::Created, Some(9)),
            answer(2, Tier::Cloud, Verdict::Created, Some(3)),
            answer(2, Tier::Cloud, Verdict::Invalid, Some(5)),
        ];
        assert_eq!(newest_receipt(answers.iter(), store(2)).map(|receipt| receipt.position), Some(5));
        assert_eq!(newest_receipt(answers.iter(), store(3)), None);
    }
}
