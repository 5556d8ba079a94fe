//! Where an entry stands: on this device, at a hub, or in the cloud. Computed from receipts, never stored.
//!
//! Two things prove that the cloud has an entry: the cloud's own receipt, and a hub's receipt together with
//! that hub's word that it has relayed everything up to there ([`claims_cloud`]). The second is weaker. A hub
//! may not have noticed yet that the cloud lost history, and one that has died cannot take its word back. So
//! it makes the dot green and lets retention go on, but the entry stays owed to the cloud itself, and to any
//! hub while the one that vouches for it does not answer (see [`super::owed`]).

use domain::{Receipt, StoreId, Tier};

use super::record::{Answer, KnownStore, Stores};

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

/// The farthest place that is proven.
///
/// A receipt of a store that *was* the cloud proves nothing once another store answers as the cloud: the
/// lead is owed to the new one. It counts again if the old one comes back.
pub fn place(answers: &[Answer], stores: &Stores) -> Place {
    let mut farthest = Place::Device;
    for answer in answers.iter().filter(|answer| is_stored(answer)) {
        let proven = if stores.is_cloud(answer.store_id) || (stores.cloud.is_none() && is_relayed(answer)) {
            Place::Cloud
        } else if answer.tier == Tier::Cloud {
            Place::Device
        } else if claims_cloud(answer, answers, stores) {
            Place::Cloud
        } else {
            Place::Hub
        };
        farthest = farthest.max(proven);
    }
    farthest
}

/// Whether the store has the entry, by its own receipt.
pub fn is_stored(answer: &Answer) -> bool {
    answer.verdict.is_stored() && answer.receipt().is_some()
}

const fn is_relayed(answer: &Answer) -> bool {
    answer.relayed_by.is_some()
}

/// Whether the hub of this answer says that the cloud has the entry: it has relayed beyond it, its newest
/// receipt is of the present cloud (or no cloud was met yet), and the cloud has neither proven to have lost
/// history since the hub got the entry, nor said another word about this very entry.
pub fn claims_cloud(answer: &Answer, answers: &[Answer], stores: &Stores) -> bool {
    let Some(hub) = stores.known(answer.store_id).filter(|_| is_stored(answer)) else { return false };
    let Some(cloud) = trusted_cloud(hub, stores) else { return false };
    hub.relayed_through >= answer.position
        && answer.position > Some(hub.vouches_after)
        && !answers.iter().any(|other| other.store_id == cloud && !is_stored(other))
}

/// The cloud of which a hub's word counts.
fn trusted_cloud(hub: &KnownStore, stores: &Stores) -> Option<StoreId> {
    let cloud = hub.cloud_receipt.filter(|_| !hub.is_distrusted)?.store_id;
    (stores.cloud.is_none() || stores.is_cloud(cloud)).then_some(cloud)
}

impl Stores {
    /// Whether this store is the present cloud.
    pub fn is_cloud(&self, store: StoreId) -> bool {
        self.cloud == Some(store)
    }

    /// What is known of a store.
    pub fn known(&self, store: StoreId) -> Option<&KnownStore> {
        self.known.iter().find(|known| known.store_id == store)
    }

    /// Which history of a store is the present one.
    pub(super) fn history(&self, store: StoreId) -> u32 {
        self.known(store).map_or(0, |known| known.history)
    }

    /// What is known of a store, to be changed.
    pub(super) fn know(&mut self, store: StoreId, tier: Tier) -> &mut KnownStore {
        let at = self.known.iter().position(|known| known.store_id == store).unwrap_or_else(|| {
            self.known.push(KnownStore::new(store, tier));
            self.known.len() - 1
        });
        &mut self.known[at]
    }

    /// The highest receipt of this store that hubs have passed on. It is shown to the store when this device
    /// has none of its own, and tells whether what the hubs say still holds.
    pub fn passed_on(&self, store: StoreId) -> Option<Receipt> {
        let trusted = self.known.iter().filter(|hub| !hub.is_distrusted).filter_map(|hub| hub.cloud_receipt);
        trusted.filter(|receipt| receipt.store_id == store).max_by_key(|receipt| receipt.position)
    }

    /// This store has lost history: what it said is void, and so is every hub's word that rests on it.
    pub(super) fn void(&mut self, store: StoreId) {
        for known in &mut self.known {
            if known.store_id == store {
                let history = known.history.saturating_add(1);
                *known = KnownStore { history, ..KnownStore::new(store, known.tier) };
            } else if known.cloud_receipt.is_some_and(|receipt| receipt.store_id == store) {
                known.is_distrusted = true;
                let newest = known.newest.map_or(0, |receipt| receipt.position);
                known.vouches_after = newest.max(known.relayed_through.unwrap_or(0));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use domain::{AppendId, Verdict};
    use uuid::Uuid;

    use super::*;

    const CLOUD: u128 = 1;
    const HUB: u128 = 2;

    fn store(id: u128) -> StoreId {
        StoreId::new(Uuid::from_u128(id))
    }

    fn receipt(id: u128, position: u64) -> Receipt {
        Receipt { store_id: store(id), position, append_id: AppendId::from_bits(7) }
    }

    fn answer(id: u128, tier: Tier, verdict: Verdict, position: Option<u64>) -> Answer {
        let append_id = position.map(|_| AppendId::from_bits(7));
        let store_id = store(id);
        Answer {
            store_id,
            tier,
            verdict,
            position,
            append_id,
            relayed_by: None,
            history: 0,
            errors: Vec::new(),
        }
    }

    fn at_hub(position: u64) -> Answer {
        answer(HUB, Tier::Hub, Verdict::Created, Some(position))
    }

    fn hub_says(relayed_through: u64, cloud: u128) -> Stores {
        let mut stores = Stores { cloud: Some(store(CLOUD)), ..Stores::default() };
        let hub = stores.know(store(HUB), Tier::Hub);
        hub.relayed_through = Some(relayed_through);
        hub.cloud_receipt = Some(receipt(cloud, 90));
        stores
    }

    #[test]
    fn only_a_receipt_of_the_present_cloud_is_cloud_custody() {
        let stores = Stores { cloud: Some(store(CLOUD)), ..Stores::default() };
        let place = |answers: &[Answer]| place(answers, &stores);
        assert_eq!(place(&[]), Place::Device);
        assert_eq!(place(&[answer(CLOUD, Tier::Cloud, Verdict::Created, Some(4))]), Place::Cloud);
        assert_eq!(place(&[at_hub(4)]), Place::Hub);
        assert_eq!(place(&[answer(3, Tier::Cloud, Verdict::Created, Some(4))]), Place::Device, "old cloud");
        assert_eq!(place(&[answer(CLOUD, Tier::Cloud, Verdict::Created, None)]), Place::Device, "no receipt");
        assert_eq!(place(&[answer(CLOUD, Tier::Cloud, Verdict::Invalid, Some(4))]), Place::Device, "refused");
    }

    #[test]
    fn a_hub_that_has_relayed_beyond_the_entry_is_cloud_custody() {
        let hub = hub_says(4, CLOUD);
        assert_eq!(place(&[at_hub(4)], &hub), Place::Cloud);
        assert_eq!(place(&[at_hub(5)], &hub), Place::Hub);
        assert_eq!(place(&[at_hub(4)], &hub_says(4, 9)), Place::Hub, "relayed to another cloud");
        let unmet = Stores { cloud: None, ..hub.clone() };
        assert_eq!(place(&[at_hub(4)], &unmet), Place::Cloud, "no cloud was met yet");
        let refused = answer(CLOUD, Tier::Cloud, Verdict::Invalid, Some(8));
        assert_eq!(place(&[at_hub(4), refused], &hub), Place::Hub, "the cloud's own word comes first");
        let silent = Stores { known: Vec::new(), ..hub };
        assert_eq!(place(&[at_hub(4)], &silent), Place::Hub);
    }

    /// Invariant 5.
    #[test]
    fn a_cloud_that_lost_history_takes_the_word_of_hubs_with_it_until_their_receipt_changes() {
        let mut stores = hub_says(4, CLOUD);
        assert_eq!(stores.passed_on(store(CLOUD)), Some(receipt(CLOUD, 90)));
        stores.void(store(CLOUD));
        assert_eq!(place(&[at_hub(4)], &stores), Place::Hub);
        assert_eq!(stores.passed_on(store(CLOUD)), None);
        let hub = stores.know(store(HUB), Tier::Hub);
        (hub.is_distrusted, hub.relayed_through) = (false, Some(5));
        assert_eq!(place(&[at_hub(4)], &stores), Place::Hub, "a refusal may have fallen, too");
        assert_eq!(place(&[at_hub(5)], &stores), Place::Cloud, "what the hub got since");
        stores.void(store(HUB));
        let next = KnownStore { history: 1, ..KnownStore::new(store(HUB), Tier::Hub) };
        assert_eq!(stores.known(store(HUB)), Some(&next));
    }
}
