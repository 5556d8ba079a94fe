//! The projection `leads`: leads as people see them, and the contacts that are computed from them.
//!
//! It is one projection with three tables, because a contact is a function of leads: `leads` (every lead that is not
//! erased; exports leave out those that were taken back), `lead_follow_ups` (what the office did, also before a lead has
//! come, and which leads are erased), and `contacts`. The rules are those of [`crate::fold`].
//!
//! # What a page costs
//!
//! Most pages hold new leads only. These are inserted, their contacts read, merged and written: three statements. A
//! lead that the table has already, that the office has touched, or that has several events in the page is folded from what
//! is remembered of it, and every contact that it was in or is in now is computed again from all of its leads.
//! So is a contact through one of whose leads a consent was withdrawn.

mod contact_table;
mod lead_table;

use std::collections::{BTreeMap, BTreeSet, HashSet};

use domain::{ClientId, FOLLOW_UP_STREAM};
use event_store::RecordedEvent;
use sqlx::PgConnection;

use crate::fold::{ContactKey, LeadChange, LeadState, LeadView, contacts, merge_into};
use crate::{Poison, Projection, Table};

/// Leads as people see them, and one contact per campaign and e-mail address.
#[derive(Debug)]
pub struct Leads;

impl Projection for Leads {
    type Change = LeadChange;

    const NAME: &'static str = "leads";
    const VERSION: i32 = 2;
    const TABLES: &'static [Table] = &[
        Table { name: "leads", row_label: "client_id::text" },
        Table { name: "lead_follow_ups", row_label: "client_id::text" },
        Table { name: "contacts", row_label: "campaign_id || '/' || first_client_id" },
    ];
    // Of two corrections of a field, the later one counts. Versions of a lead have numbers of their own.
    const ORDERED_STREAMS: &'static [&'static str] = &[FOLLOW_UP_STREAM];

    fn fold(event: &RecordedEvent) -> Result<Option<LeadChange>, Poison> {
        let change = LeadChange::read(event)?;
        // The log keeps any number; a table of PostgreSQL does not.
        match &change {
            Some(LeadChange::Version(lead)) if i64::try_from(lead.device_seq).is_err() => {
                Err(Poison::new("deviceSeq is larger than 2^63 - 1"))
            }
            _ => Ok(change),
        }
    }

    async fn apply(db: &mut PgConnection, changes: Vec<LeadChange>) -> Result<(), sqlx::Error> {
        let Page { mut new, mut changed } = Page::of(changes);
        let inserted: HashSet<ClientId> = lead_table::insert(db, &new).await?.into_iter().collect();
        if inserted.len() < new.len() {
            for known in new.extract_if(.., |lead| !inserted.contains(&lead.client_id)) {
                changed.entry(known.client_id).or_default().push(LeadChange::Version(Box::new(known)));
            }
        }
        let touched = change_leads(db, changed).await?;
        let unsettled = merge_contacts(db, &new, touched).await?;
        recompute_contacts(db, &unsettled).await
    }
}

/// The changes of one page.
struct Page {
    /// Captures, each the only change of its lead; most likely the table does not have them.
    new: Vec<LeadView>,
    /// The rest, by lead, in the order of the log.
    changed: BTreeMap<ClientId, Vec<LeadChange>>,
}

impl Page {
    fn of(changes: Vec<LeadChange>) -> Self {
        let (mut seen, mut repeated) = (HashSet::with_capacity(changes.len()), HashSet::new());
        for change in &changes {
            if !seen.insert(change.client_id()) {
                repeated.insert(change.client_id());
            }
        }
        let mut page = Self { new: Vec::with_capacity(changes.len()), changed: BTreeMap::new() };
        for change in changes {
            match change {
                LeadChange::Version(lead)
                    if lead.version == 1 && !lead.is_voided && !repeated.contains(&lead.client_id) =>
                {
                    page.new.push(*lead);
                }
                other => page.changed.entry(other.client_id()).or_default().push(other),
            }
        }
        page
    }
}

/// Folds changes into what is remembered of their leads; answers the contacts that these were in or are in now.
async fn change_leads(
    db: &mut PgConnection,
    changed: BTreeMap<ClientId, Vec<LeadChange>>,
) -> Result<BTreeSet<ContactKey>, sqlx::Error> {
    let mut touched = BTreeSet::new();
    if changed.is_empty() {
        return Ok(touched);
    }
    let ids: Vec<ClientId> = changed.keys().copied().collect();
    let mut states = lead_table::take(db, &ids).await?;
    for (client_id, changes) in changed {
        let state: &mut LeadState = states.entry(client_id).or_default();
        touched.extend(state.view().map(LeadView::contact_key));
        for change in changes {
            state.apply(change);
        }
        touched.extend(state.view().map(LeadView::contact_key));
    }
    lead_table::put(db, &states).await?;
    Ok(touched)
}

/// Merges new leads into their contacts; answers the contacts that must be computed from all of their leads instead.
async fn merge_contacts(
    db: &mut PgConnection,
    new: &[LeadView],
    mut unsettled: BTreeSet<ContactKey>,
) -> Result<BTreeSet<ContactKey>, sqlx::Error> {
    let mut merged = contacts(new);
    merged.retain(|key, _| !unsettled.contains(key));
    if merged.is_empty() {
        return Ok(unsettled);
    }
    for stored in contact_table::read(db, merged.keys()).await? {
        if stored.has_withdrawals {
            merged.remove(&stored.key);
            unsettled.insert(stored.key);
        } else if let Some(contact) = stored.contact {
            merge_into(&mut merged, stored.key, contact);
        }
    }
    contact_table::write(db, &merged).await?;
    Ok(unsettled)
}

async fn recompute_contacts(db: &mut PgConnection, keys: &BTreeSet<ContactKey>) -> Result<(), sqlx::Error> {
    if keys.is_empty() {
        return Ok(());
    }
    let leads = lead_table::of_contacts(db, keys).await?;
    contact_table::delete(db, keys).await?;
    contact_table::write(db, &contacts(&leads)).await
}
