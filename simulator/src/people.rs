//! Who comes to the booth, and what is saved of them.

use domain::{
    Campaign, CampaignId, Campaigns, ClientId, ConsentGrant, ContactFields, DeviceId, Entry, LeadEvent,
    SHOOTOUT_2026, Timestamp,
};
use fastrand::Rng;
use uuid::Uuid;

/// Stands in every surname, so that personal data in a wrong place is noticed (invariant 12).
pub const SURNAME: &str = "Nowak";

/// The campaign of the arena.
pub const CAMPAIGN: &str = "shootout-2026";

/// The campaigns that a store knows.
#[derive(Debug, Clone)]
pub struct KnownCampaigns {
    versions: Vec<Campaign>,
}

impl KnownCampaigns {
    /// What a store knows at first: version 1, or nothing at all (a hub that was set up in a hurry).
    ///
    /// # Panics
    /// When the embedded campaign cannot be read, which its own tests exclude.
    #[expect(clippy::expect_used, reason = "the embedded document is tested where it lives")]
    pub fn new(knows: bool) -> Self {
        let first = Campaign::parse(SHOOTOUT_2026).expect("the embedded campaign is valid");
        Self { versions: if knows { vec![first] } else { Vec::new() } }
    }

    /// A new version is published here. The wording of a consent changes.
    pub fn publish(&mut self, version: u32) {
        if let Some(newest) = self.versions.last().filter(|newest| newest.version < version) {
            let mut next = newest.clone();
            next.version = version;
            next.consents.iter_mut().for_each(|consent| consent.text_version = version);
            self.versions.push(next);
        }
    }
}

impl Campaigns for KnownCampaigns {
    fn version(&self, id: &CampaignId, version: u32) -> Option<&Campaign> {
        self.versions.iter().find(|known| known.id == *id && known.version == version)
    }

    fn newest(&self, id: &CampaignId) -> Option<&Campaign> {
        self.versions.iter().rev().find(|known| known.id == *id)
    }
}

/// What somebody typed and ticked.
#[derive(Clone)]
pub struct Person {
    contact: ContactFields,
    consents: Vec<&'static str>,
}

impl Person {
    /// Somebody. Few enough addresses that some come twice; some people give none.
    pub fn draw(rng: &mut Rng) -> Self {
        const FIRST_NAMES: [&str; 6] = ["Anna", "Łukasz", "Żaneta", "Piotr", "Ola", "Michał"];
        let first_name = rng.choice(&FIRST_NAMES).map(|name| (*name).to_owned());
        let has_email = rng.u8(0..10) > 0;
        let contact = ContactFields {
            first_name,
            last_name: Some(format!("{SURNAME}-{}", rng.u16(0..500))),
            email: has_email.then(|| format!("osoba{}@example.com", rng.u16(0..400))),
            phone: (!has_email || rng.bool()).then(|| format!("+48501{:06}", rng.u32(0..1_000_000))),
        };
        let mut consents = vec!["terms"];
        consents.extend(["marketing-email", "marketing-phone"].into_iter().filter(|_| rng.bool()));
        Self { contact, consents }
    }

    /// The same, with one field typed anew.
    #[must_use]
    pub fn corrected(&self, rng: &mut Rng) -> Self {
        let other = Self::draw(rng);
        let mut corrected = self.clone();
        match rng.u8(0..3) {
            0 => corrected.contact.last_name = other.contact.last_name,
            1 if self.contact.phone.is_some() => corrected.contact.email = other.contact.email,
            _ => corrected.consents = other.consents,
        }
        corrected
    }

    /// The same without the consent that every lead needs.
    #[must_use]
    pub fn without_terms(&self) -> Self {
        Self { contact: self.contact.clone(), consents: Vec::new() }
    }
}

/// What kind of entry is saved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A new lead.
    Capture,
    /// The next version of a lead.
    Correction,
    /// A lead taken back.
    Void,
    /// What only a newer program understands.
    Future,
}

/// Everything about an entry but its sequence number, which the disk gives it.
#[derive(Clone)]
pub struct Draft {
    /// The lead.
    pub client_id: ClientId,
    /// Its version.
    pub version: u32,
    /// What it does.
    pub kind: Kind,
    /// Of whom.
    pub person: Person,
    /// The campaign version that the form was showing.
    pub campaign_version: u32,
    /// By the device's clock.
    pub captured_at: Timestamp,
}

impl Draft {
    /// The bytes, made once.
    pub fn text(&self, device_id: &DeviceId, device_seq: u64) -> String {
        let grant = |id: &&str| ConsentGrant {
            id: (*id).to_owned(),
            text_version: self.campaign_version,
            language: "pl".to_owned(),
            granted_at: self.captured_at,
        };
        let entry = Entry {
            client_id: self.client_id,
            version: self.version,
            device_id: device_id.clone(),
            device_seq,
            campaign_id: campaign_id(),
            campaign_version: self.campaign_version,
            captured_at: self.captured_at,
            clock_offset_ms: None,
            operator: None,
            contact: self.person.contact.clone(),
            consents: self.person.consents.iter().map(grant).collect(),
        };
        let event = match self.kind {
            Kind::Capture | Kind::Future => LeadEvent::Captured(entry),
            Kind::Correction => LeadEvent::Corrected(entry),
            Kind::Void => LeadEvent::Voided(entry),
        };
        let text = serde_json::to_string(&event).unwrap_or_default();
        match self.kind {
            Kind::Future => text.replacen(r#""kind":"captured""#, r#""kind":"transferred""#, 1),
            _ => text,
        }
    }
}

/// The campaign of the arena.
///
/// # Panics
/// Never; the id is a constant.
#[expect(clippy::expect_used, reason = "a constant")]
pub fn campaign_id() -> CampaignId {
    CAMPAIGN.parse().expect("a valid id")
}

/// A client id as devices make them: a UUIDv7, by the device's clock.
pub fn draw_client_id(rng: &mut Rng, unix_ms: i64) -> ClientId {
    let ms = u64::try_from(unix_ms).unwrap_or(0);
    let mut bytes = [0_u8; 10];
    rng.fill(&mut bytes);
    ClientId::new(uuid::Builder::from_unix_timestamp_millis(ms, &bytes).into_uuid())
}

/// An id that is random and nothing else.
pub fn draw_uuid(rng: &mut Rng) -> Uuid {
    uuid::Builder::from_random_bytes(rng.u128(..).to_be_bytes()).into_uuid()
}
