//! The leads of this device as a list shows them: those that failed first, then the newest.

use domain::{CampaignId, ClientId, FieldError};

use super::Engine;
use super::custody::{Place, place};
use super::outbox::Item;
use super::record::EntryRecord;
use super::status::EntryStatus;
use crate::capture::{is_taken_back, short_name};
use crate::json::writer;

/// One lead, in its newest version. It names nobody in full.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeadRow {
    /// The lead.
    pub client_id: ClientId,
    /// First name and initial; empty when the personal data is gone from this device.
    pub name: String,
    /// When the newest version was saved, in milliseconds since 1970.
    pub saved_at: i64,
    /// How the newest version stands.
    pub status: EntryStatus,
    /// Where it is safe.
    pub place: Place,
    /// Why it was refused.
    pub errors: Vec<FieldError>,
    /// It takes the lead back.
    pub is_taken_back: bool,
    /// Whether another version can be made of it here.
    pub can_change: bool,
}

impl Engine {
    /// At most this many leads.
    pub fn leads(&self, limit: usize) -> Vec<LeadRow> {
        let mut rows = Vec::new();
        for wants_failed in [true, false] {
            for item in self.outbox.items.iter().rev() {
                if rows.len() >= limit {
                    return rows;
                }
                let is_failed = item.is_refused(self.outbox.stores());
                if is_failed == wants_failed && self.is_newest(&item.record) {
                    rows.push(self.row(item));
                }
            }
        }
        rows
    }

    /// Whether a lead of this campaign, in its newest version and not taken back, has this e-mail.
    pub fn knows_email(&self, campaign: &CampaignId, email: &str) -> bool {
        let campaign = self.outbox.campaigns.iter().position(|known| known == campaign);
        if campaign.is_none() {
            return false;
        }
        // Looked for in the entries' text: to read each of them would take many times as long.
        const NAME: &[u8] = b"\"email\":";
        let wanted = writer::text(email.trim());
        let has_it = |entry: &str| {
            let at = entry.as_bytes().windows(NAME.len()).position(|name| name == NAME);
            let value = at.and_then(|at| entry.get(at + NAME.len()..at + NAME.len() + wanted.len()));
            value.is_some_and(|value| value.eq_ignore_ascii_case(&wanted))
        };
        self.outbox.items.iter().any(|item| {
            let record = &item.record;
            item.campaign == campaign
                && has_it(&record.entry)
                && self.is_newest(record)
                && !is_taken_back(&record.entry)
        })
    }

    fn is_newest(&self, record: &EntryRecord) -> bool {
        self.outbox.newest_version(record.client_id).is_some_and(|newest| newest.key == record.key)
    }

    fn row(&self, item: &Item) -> LeadRow {
        let record = &item.record;
        let refused = item.answers.iter().find(|answer| answer.verdict.is_refused());
        let status = self.entry_status(record.key).unwrap_or(EntryStatus::Pending);
        LeadRow {
            client_id: record.client_id,
            name: short_name(&record.entry),
            saved_at: record.saved_at,
            status,
            place: match record.removed {
                Some(_) => Place::Cloud,
                None => place(&item.answers, self.outbox.stores()),
            },
            errors: refused
                .filter(|_| status == EntryStatus::Failed)
                .map(|answer| answer.errors.clone())
                .unwrap_or_default(),
            is_taken_back: is_taken_back(&record.entry),
            can_change: record.removed.is_none() && item.is_json,
        }
    }
}
