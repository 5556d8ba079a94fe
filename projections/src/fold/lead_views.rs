//! All leads of a log as people see them, in memory.

use std::collections::BTreeMap;

use domain::ClientId;
use event_store::RecordedEvent;

use super::{Contact, ContactKey, LeadChange, LeadState, LeadView, contacts};
use crate::Poison;

/// Every lead of a log, folded event by event.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LeadViews {
    states: BTreeMap<ClientId, LeadState>,
}

impl LeadViews {
    /// Applies the next event of the log.
    ///
    /// # Errors
    /// [`Poison`] when the event is about a lead and cannot be understood; nothing has changed then.
    pub fn apply(&mut self, event: &RecordedEvent) -> Result<(), Poison> {
        if let Some(change) = LeadChange::read(event)? {
            self.states.entry(change.client_id()).or_default().apply(change);
        }
        Ok(())
    }

    /// A lead; `None` when no version of it has come, and when the person was erased.
    pub fn get(&self, client_id: ClientId) -> Option<&LeadView> {
        self.states.get(&client_id)?.view()
    }

    /// Whether the person was erased.
    pub fn is_erased(&self, client_id: ClientId) -> bool {
        self.states.get(&client_id).is_some_and(|state| state.follow_up().is_erased())
    }

    /// Every lead, also those that were taken back, by client id.
    pub fn views(&self) -> impl Iterator<Item = &LeadView> {
        self.states.values().filter_map(LeadState::view)
    }

    /// The contacts of these leads.
    pub fn contacts(&self) -> BTreeMap<ContactKey, Contact> {
        contacts(self.views())
    }
}
