//! Which entries are versions of one lead.

use domain::ClientId;

/// One version of one lead in the outbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Version {
    pub(super) client_id: ClientId,
    pub(super) version: u32,
    pub(super) key: u64,
}

/// Every entry by lead and version. A sorted vector: lead ids grow with time, so nearly all go to the end.
#[derive(Debug, Default)]
pub(super) struct LeadIndex(Vec<Version>);

impl LeadIndex {
    /// Adds an entry, unless this version of the lead is here already.
    pub(super) fn insert(&mut self, added: Version) -> bool {
        let label = |known: &Version| (known.client_id, known.version);
        match self.0.binary_search_by(|known| label(known).cmp(&label(&added))) {
            Ok(_) => false,
            Err(at) => {
                self.0.insert(at, added);
                true
            }
        }
    }

    /// The versions of a lead, first to last.
    pub(super) fn versions(&self, client_id: ClientId) -> &[Version] {
        let from = self.0.partition_point(|known| known.client_id < client_id);
        let rest = &self.0[from..];
        &rest[..rest.iter().take_while(|known| known.client_id == client_id).count()]
    }

    /// The entry that is this version of this lead.
    pub(super) fn key(&self, client_id: ClientId, version: u32) -> Option<u64> {
        self.versions(client_id).iter().find(|known| known.version == version).map(|known| known.key)
    }

    /// Each lead once.
    pub(super) fn leads(&self) -> Vec<ClientId> {
        let mut leads: Vec<ClientId> = self.0.iter().map(|known| known.client_id).collect();
        leads.dedup();
        leads
    }
}
