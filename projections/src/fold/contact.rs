//! A contact: everything that the leads with one e-mail address say about a person.
//!
//! [`contacts`] is one function of the *set* of lead views: each part of a contact is a minimum, a maximum, a sum or
//! a union over its leads. So a contact is the same whatever the order in which its leads arrive (invariant 7).
//!
//! Where nothing but new leads has come and no consent was ever withdrawn, [`Contact::merge`] of what was known
//! and what is new is the same as beginning anew; it is commutative and associative. After any other change a
//! contact is computed again from all of its leads.

use std::collections::{BTreeMap, HashSet};
use std::fmt;

use domain::{CampaignId, ClientId, ConsentGrant, Timestamp};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::{LeadView, Withdrawal};

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
    /// Of each consent the earliest grant that stands, by its id.
    pub consents: Vec<ContactConsent>,
    /// Consents that were withdrawn, through whichever lead, and not given again, by id.
    pub withdrawn: Vec<Withdrawal>,
}

/// The last withdrawal of each consent, through any lead of a contact.
type LastWithdrawals<'v> = BTreeMap<&'v str, Timestamp>;

/// The contacts of a set of leads. Leads that were taken back are in none, but what was withdrawn through them
/// stays withdrawn.
pub fn contacts<'v>(views: impl IntoIterator<Item = &'v LeadView>) -> BTreeMap<ContactKey, Contact> {
    let mut groups = BTreeMap::<ContactKey, Vec<&LeadView>>::new();
    for view in views {
        groups.entry(view.contact_key()).or_default().push(view);
    }
    groups.into_iter().filter_map(|(key, views)| Some((key, Contact::of(&views)?))).collect()
}

/// Merges a contact with what `contacts` holds under its key.
pub(crate) fn merge_into(contacts: &mut BTreeMap<ContactKey, Contact>, key: ContactKey, contact: Contact) {
    let merged = match contacts.remove(&key) {
        Some(known) => known.merge(contact),
        None => contact,
    };
    contacts.insert(key, merged);
}

impl LeadView {
    /// The contact that this lead belongs to.
    pub fn contact_key(&self) -> ContactKey {
        let key = match &self.email_key {
            Some(email) => email.as_str().to_owned(),
            None => self.client_id.to_string(),
        };
        ContactKey { campaign_id: self.campaign_id.clone(), key }
    }

    const fn capture(&self) -> Capture {
        Capture { at: self.captured_at, client_id: self.client_id }
    }

    fn naming(&self) -> Option<Naming> {
        let is_named = self.first_name.is_some() || self.last_name.is_some();
        is_named.then(|| Naming {
            first_name: self.first_name.clone(),
            last_name: self.last_name.clone(),
            captured_at: Timestamp::new(self.captured_at),
            client_id: self.client_id,
        })
    }

    fn standing_consents<'v>(
        &'v self,
        withdrawn: &'v LastWithdrawals<'_>,
    ) -> impl Iterator<Item = ContactConsent> + 'v {
        let stands = |grant: &&ConsentGrant| {
            withdrawn.get(grant.id.as_str()).is_none_or(|at| self.gives_again(grant, *at))
        };
        let proven =
            |grant: &ConsentGrant| ContactConsent { grant: grant.clone(), client_id: self.client_id };
        self.consents.iter().filter(stands).map(proven)
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
    /// What leads of one [`ContactKey`] say together; `None` when all of them were taken back.
    fn of(views: &[&LeadView]) -> Option<Self> {
        let mut withdrawn = LastWithdrawals::new();
        for withdrawal in views.iter().flat_map(|view| &view.withdrawn) {
            let last = withdrawn.entry(&withdrawal.id).or_insert(withdrawal.withdrawn_at);
            *last = withdrawal.withdrawn_at.max(*last);
        }
        let standing = || views.iter().copied().filter(|view| !view.is_voided);
        let first = standing().min_by_key(|view| view.capture())?;
        let phone = standing()
            .filter_map(|view| Some((view.capture(), view.phone.as_ref()?)))
            .min_by_key(|(capture, _)| *capture);
        let consents =
            earliest_of_each(standing().flat_map(|view| view.standing_consents(&withdrawn)).collect());
        Some(Self {
            first: first.capture(),
            last_captured_at: standing().map(|view| view.captured_at).max()?,
            lead_count: standing().count() as u64,
            email: first.email.clone(),
            phone: phone.map(|(capture, phone)| (capture, phone.clone())),
            names: earliest_names(standing().filter_map(LeadView::naming).collect()),
            withdrawn: withdrawn
                .into_iter()
                .filter(|(id, _)| consents.iter().all(|held| held.grant.id != *id))
                .map(|(id, withdrawn_at)| Withdrawal { id: id.to_owned(), withdrawn_at })
                .collect(),
            consents,
        })
    }

    /// What both say together. They must be of different leads of one [`ContactKey`], through none of which a consent
    /// was withdrawn: a withdrawal reaches over to the grants of other leads, which a contact does not keep.
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
            withdrawn: Vec::new(),
        }
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
