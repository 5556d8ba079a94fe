//! A contact: everything that the leads with one e-mail address say about a person.
//!
//! Contacts are made by [`Contact::of`] one lead and [`Contact::merge`]. `merge` is commutative and associative,
//! because each part of a contact is a minimum, a maximum, a sum or a union. So a contact is the same whatever
//! the order in which its leads arrive, and however they are cut into batches (invariant 7).

use std::collections::{BTreeMap, HashSet};
use std::fmt;

use domain::{CampaignId, ClientId, ConsentGrant, Timestamp};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::CapturedLead;

/// Most different names that one contact keeps, the earliest of them. Somebody who types one address for
/// everybody must not make a row that grows for ever; the leads keep all.
pub const MAX_CONTACT_NAMES: usize = 50;

/// One contact is one campaign and one e-mail address, or one lead without.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContactKey {
    /// The campaign.
    pub campaign_id: CampaignId,
    /// The normal form of the e-mail address; of a lead without one its client id, which has no `@`.
    pub key: String,
}

/// Which lead something was taken from. The order is that of `capturedAt`, then `clientId`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Capture {
    /// When, by the device's clock.
    pub at: OffsetDateTime,
    /// The lead.
    pub client_id: ClientId,
}

/// A name that a lead gave, and which. Prints without personal data.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Naming {
    /// First name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_name: Option<String>,
    /// Last name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_name: Option<String>,
    /// When the lead was captured.
    pub captured_at: Timestamp,
    /// The lead.
    pub client_id: ClientId,
}

/// The earliest grant of a consent, and the lead that proves it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ContactConsent {
    /// What was granted, in which wording, and when.
    #[serde(flatten)]
    pub grant: ConsentGrant,
    /// The lead.
    pub client_id: ClientId,
}

/// What the leads of one [`ContactKey`] say together. Prints without personal data.
#[derive(Clone, PartialEq, Eq)]
pub struct Contact {
    /// The earliest capture.
    pub first: Capture,
    /// When the last capture was made.
    pub last_captured_at: OffsetDateTime,
    /// How many leads.
    pub lead_count: u64,
    /// The e-mail address as the earliest lead gave it.
    pub email: Option<String>,
    /// The telephone number of the earliest lead that has one.
    pub phone: Option<(Capture, String)>,
    /// Different names, earliest first, at most [`MAX_CONTACT_NAMES`]. The first names the contact; the others are
    /// the flag that this may be more than one person.
    pub names: Vec<Naming>,
    /// The earliest grant of each consent, by its id.
    pub consents: Vec<ContactConsent>,
}

impl ContactKey {
    /// The contact that a lead belongs to.
    pub fn of(lead: &CapturedLead) -> Self {
        let key = match &lead.email_key {
            Some(email) => email.as_str().to_owned(),
            None => lead.client_id.to_string(),
        };
        Self { campaign_id: lead.campaign_id.clone(), key }
    }
}

impl Naming {
    const fn capture(&self) -> Capture {
        Capture { at: self.captured_at.moment(), client_id: self.client_id }
    }

    /// Two names with the same spelling, but for case and spaces, are the same.
    fn spelling(&self) -> String {
        let whole = [self.first_name.as_deref(), self.last_name.as_deref()];
        let words: Vec<&str> = whole.into_iter().flatten().flat_map(str::split_whitespace).collect();
        words.join(" ").to_lowercase()
    }
}

impl ContactConsent {
    /// The order of grants: the earliest, then what makes the order total.
    fn order(&self) -> impl Ord + '_ {
        let grant = &self.grant;
        let offset = grant.granted_at.offset_minutes();
        (grant.granted_at, self.client_id, grant.text_version, grant.language.as_str(), offset)
    }
}

impl Contact {
    /// What one lead says.
    pub fn of(lead: &CapturedLead) -> Self {
        let capture = Capture { at: lead.captured_at, client_id: lead.client_id };
        let is_named = lead.first_name.is_some() || lead.last_name.is_some();
        let naming = is_named.then(|| Naming {
            first_name: lead.first_name.clone(),
            last_name: lead.last_name.clone(),
            captured_at: Timestamp::new(lead.captured_at),
            client_id: lead.client_id,
        });
        let consents = lead
            .consents
            .iter()
            .map(|grant| ContactConsent { grant: grant.clone(), client_id: lead.client_id })
            .collect();
        Self {
            first: capture,
            last_captured_at: lead.captured_at,
            lead_count: 1,
            email: lead.email.clone(),
            phone: lead.phone.clone().map(|phone| (capture, phone)),
            names: naming.into_iter().collect(),
            consents: earliest_of_each(consents),
        }
    }

    /// What both say together; the two must be of different leads of one [`ContactKey`].
    #[must_use]
    pub fn merge(self, other: Self) -> Self {
        let (first, second) = if self.first <= other.first { (self, other) } else { (other, self) };
        let mut names = first.names;
        names.extend(second.names);
        let mut consents = first.consents;
        consents.extend(second.consents);
        Self {
            first: first.first,
            last_captured_at: first.last_captured_at.max(second.last_captured_at),
            lead_count: first.lead_count + second.lead_count,
            email: first.email,
            phone: match (first.phone, second.phone) {
                (Some(one), Some(two)) => Some(if one.0 <= two.0 { one } else { two }),
                (one, two) => one.or(two),
            },
            names: earliest_names(names),
            consents: earliest_of_each(consents),
        }
    }

    /// The contacts of some leads, in any order.
    pub fn fold<'l>(leads: impl IntoIterator<Item = &'l CapturedLead>) -> BTreeMap<ContactKey, Self> {
        let mut contacts = BTreeMap::new();
        for lead in leads {
            Self::merge_into(&mut contacts, ContactKey::of(lead), Self::of(lead));
        }
        contacts
    }

    /// Merges a contact with what `contacts` holds under its key.
    pub(crate) fn merge_into(contacts: &mut BTreeMap<ContactKey, Self>, key: ContactKey, contact: Self) {
        let merged = match contacts.remove(&key) {
            Some(known) => known.merge(contact),
            None => contact,
        };
        contacts.insert(key, merged);
    }
}

/// Keeping the earliest names only does not depend on the order either: a name that was dropped had enough
/// earlier ones before it, and these only get earlier.
fn earliest_names(mut names: Vec<Naming>) -> Vec<Naming> {
    names.sort_by_key(Naming::capture);
    let mut seen = HashSet::new();
    names.retain(|naming| seen.insert(naming.spelling()));
    names.truncate(MAX_CONTACT_NAMES);
    names
}

fn earliest_of_each(mut consents: Vec<ContactConsent>) -> Vec<ContactConsent> {
    consents.sort_by(|one, two| (&one.grant.id, one.order()).cmp(&(&two.grant.id, two.order())));
    consents.dedup_by(|later, earlier| later.grant.id == earlier.grant.id);
    consents
}

impl fmt::Debug for ContactKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ContactKey({}, …)", self.campaign_id)
    }
}

impl fmt::Debug for Naming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Naming(… of {})", self.client_id)
    }
}

impl fmt::Debug for Contact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Contact")
            .field("first", &self.first)
            .field("lead_count", &self.lead_count)
            .field("names", &self.names)
            .field("consents", &self.consents)
            .finish_non_exhaustive()
    }
}
