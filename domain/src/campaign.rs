//! The campaign: what a form asks for. A versioned document that devices cache.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use crate::{CampaignId, Contact, ErrorCode, FieldError, LeadForm};

/// Aggregate type of the streams that hold campaigns.
pub const CAMPAIGN_STREAM: &str = "campaign";

/// The demo campaign that ships with the program, as its file.
pub const SHOOTOUT_2026: &str = include_str!("../campaigns/shootout-2026.json");

/// A text in each of the campaign's languages, by BCP 47 tag.
pub type LocalizedText = BTreeMap<String, String>;

/// One version of a campaign.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Campaign {
    /// The campaign.
    pub id: CampaignId,
    /// Version of this document; a lead names the version it was captured under.
    pub version: u32,
    /// What people call it.
    pub name: LocalizedText,
    /// IANA time zone of the event; exports write times in it.
    pub time_zone: String,
    /// Languages of the form, first is the default.
    pub languages: Vec<String>,
    /// How telephone numbers without a country code are read.
    #[serde(default)]
    pub phone_plan: PhonePlan,
    /// What the form asks for, in order.
    pub fields: Vec<CampaignField>,
    /// Fields of which at least one must be given.
    #[serde(default)]
    pub require_one_of: Vec<String>,
    /// Consents that the form offers, in order.
    pub consents: Vec<CampaignConsent>,
    /// For how many hours after a session of the person who holds a device has ended nobody is asked to sign in again;
    /// [`Campaign::DEFAULT_SESSION_GRACE_HOURS`] when it is left out. Nothing ever waits for a session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(maximum = 168))]
    pub session_grace_hours: Option<u32>,
    /// Where hubs of the event may answer, as origins: `https://hub-1.local:8443`. A device asks there, too, and gives its leads to
    /// those that answer; so name hubs of yours alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "openapi", schema(max_items = 8))]
    pub hubs: Vec<String>,
}

/// A field of the form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct CampaignField {
    /// `firstName`, `lastName`, `email` or `phone`.
    pub id: String,
    /// Whether a lead without it is invalid.
    #[serde(default)]
    pub required: bool,
}

/// A consent that the form offers, always unticked at first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct CampaignConsent {
    /// Its name in leads and exports.
    pub id: String,
    /// Whether a lead without it is invalid.
    #[serde(default)]
    pub required: bool,
    /// Version of the wording below.
    pub text_version: u32,
    /// The sentence beside the box.
    pub text: LocalizedText,
    /// The full wording, which opens in place.
    #[serde(default)]
    pub detail: LocalizedText,
}

/// How a country writes its telephone numbers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct PhonePlan {
    /// Country calling code, digits only.
    pub calling_code: String,
    /// Digits of a number without the calling code.
    pub national_digits: usize,
}

impl Default for PhonePlan {
    /// Poland: +48 and nine digits.
    fn default() -> Self {
        Self { calling_code: "48".to_owned(), national_digits: 9 }
    }
}

/// A campaign document could not be read.
#[derive(Debug, thiserror::Error)]
#[error("the campaign document is not valid: {0}")]
pub struct CampaignParseError(#[from] serde_json::Error);

impl Campaign {
    /// Grace after a session, in hours, where a document says nothing: a session of a morning is good until the evening.
    pub const DEFAULT_SESSION_GRACE_HOURS: u32 = 12;

    /// Most addresses of hubs.
    pub const MAX_HUBS: usize = 8;

    /// Longest grace after a session, in hours: a week.
    pub const MAX_SESSION_GRACE_HOURS: u32 = 168;

    /// Reads a campaign document.
    ///
    /// # Errors
    /// When it is not JSON of this shape; the message names the line.
    pub fn parse(json: &str) -> Result<Self, CampaignParseError> {
        Ok(serde_json::from_str(json)?)
    }

    /// Checks what was typed against every rule of this campaign version, and returns the contact in its
    /// normal form.
    ///
    /// # Errors
    /// Every error, in the order of the form: fields, then consents.
    pub fn check(&self, form: &LeadForm) -> Result<Contact, Vec<FieldError>> {
        let parsed = Contact::parse(&form.contact, &self.phone_plan);
        let given = |field: &str| form.contact.is_given(field);
        let order =
            |field: &str| self.fields.iter().position(|known| known.id == field).unwrap_or(usize::MAX);
        let mut errors: Vec<FieldError> = Vec::new();
        // In order while they are few: a sort is 3 kB of code that a device downloads.
        let mut add = |error: FieldError| {
            let at = errors.partition_point(|known| order(&known.field) <= order(&error.field));
            errors.insert(at, error);
        };
        parsed.as_ref().err().into_iter().flatten().cloned().for_each(&mut add);
        for field in self.fields.iter().filter(|field| field.required && !given(&field.id)) {
            add(FieldError::new(&field.id, ErrorCode::Required));
        }
        if !self.require_one_of.is_empty() && !self.require_one_of.iter().any(|field| given(field)) {
            add(FieldError::new("contact", ErrorCode::OneOfRequired)
                .with_detail(format!("one of: {}", self.require_one_of.join(", "))));
        }
        for consent in self.consents.iter().filter(|consent| consent.required) {
            if !form.consents.contains(&consent.id) {
                errors.push(FieldError::new(format!("consents.{}", consent.id), ErrorCode::Required));
            }
        }
        if errors.is_empty() { parsed } else { Err(errors) }
    }

    /// The consent with this id.
    pub fn consent(&self, id: &str) -> Option<&CampaignConsent> {
        self.consents.iter().find(|consent| consent.id == id)
    }
}

/// Where campaign documents are found by the rules.
pub trait Campaigns {
    /// This exact version, if it is known here.
    fn version(&self, id: &CampaignId, version: u32) -> Option<&Campaign>;

    /// The newest version known here.
    fn newest(&self, id: &CampaignId) -> Option<&Campaign>;
}

/// The campaigns that ship inside the program.
#[derive(Debug, Clone, Copy, Default)]
pub struct EmbeddedCampaigns;

/// Every version that ever shipped, because leads name the one that they were captured under.
static EMBEDDED: LazyLock<Vec<Campaign>> =
    LazyLock::new(|| [SHOOTOUT_2026].into_iter().filter_map(|json| Campaign::parse(json).ok()).collect());

impl EmbeddedCampaigns {
    /// All of them, in every version.
    pub fn all() -> &'static [Campaign] {
        &EMBEDDED
    }
}

impl Campaigns for EmbeddedCampaigns {
    fn version(&self, id: &CampaignId, version: u32) -> Option<&Campaign> {
        EMBEDDED.iter().find(|campaign| campaign.id == *id && campaign.version == version)
    }

    fn newest(&self, id: &CampaignId) -> Option<&Campaign> {
        EMBEDDED.iter().filter(|campaign| campaign.id == *id).max_by_key(|campaign| campaign.version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn demo() -> Campaign {
        Campaign::parse(SHOOTOUT_2026).unwrap()
    }

    fn form(json: &str) -> LeadForm {
        serde_json::from_str(json).unwrap()
    }

    fn errors(json: &str) -> Vec<(String, ErrorCode)> {
        let errors = demo().check(&form(json)).err().unwrap_or_default();
        errors.into_iter().map(|error| (error.field, error.code)).collect()
    }

    #[test]
    fn the_embedded_campaign_is_complete_in_every_language() {
        let id = "shootout-2026".parse().unwrap();
        let campaign = EmbeddedCampaigns.newest(&id).unwrap();
        assert_eq!(*campaign, demo());
        let ids: Vec<_> =
            campaign.consents.iter().map(|consent| (consent.id.as_str(), consent.required)).collect();
        assert_eq!(ids, [("terms", true), ("marketing-email", false), ("marketing-phone", false)]);
        for language in &campaign.languages {
            assert!(campaign.name.contains_key(language));
            for consent in &campaign.consents {
                assert!(
                    consent.text.contains_key(language) && consent.detail.contains_key(language),
                    "{}",
                    consent.id
                );
            }
        }
    }

    #[test]
    fn shipped_versions_begin_at_1_and_leave_none_out() {
        for campaign in EmbeddedCampaigns::all() {
            let has = |version| EmbeddedCampaigns.version(&campaign.id, version).is_some();
            assert!((1..=campaign.version).all(has), "{}", campaign.id);
        }
    }

    /// The words of the demo campaign are those that were agreed for the screens (CAP-1).
    #[test]
    fn the_demo_campaign_asks_what_it_must_in_both_languages() {
        let demo = demo();
        let texts = |language: &str| -> Vec<String> {
            demo.consents.iter().map(|consent| consent.text[language].clone()).collect()
        };
        assert_eq!(
            texts("pl"),
            [
                "Akceptuję regulamin wydarzenia i politykę prywatności.",
                "Chcę otrzymywać informacje o wydarzeniach i ofertach e-mailem.",
                "Chcę otrzymywać informacje o wydarzeniach i ofertach telefonicznie lub SMS-em.",
            ]
        );
        assert_eq!(
            texts("en"),
            [
                "I accept the event terms and the privacy policy.",
                "I want news about events and offers by e-mail.",
                "I want news about events and offers by phone or text.",
            ]
        );
        let fields: Vec<&str> = demo.fields.iter().map(|field| field.id.as_str()).collect();
        assert_eq!(fields, ["firstName", "lastName", "email", "phone"]);
    }

    #[test]
    fn a_complete_form_gives_the_contact_in_its_normal_form() {
        let typed = form(
            r#"{"firstName":" Anna ","lastName":"Nowak","email":"anna@example.com","phone":"501 502 503","consents":["terms"],"language":"pl"}"#,
        );
        let fields = demo().check(&typed).unwrap().fields();
        assert_eq!(fields.first_name.as_deref(), Some("Anna"));
        assert_eq!(fields.phone.as_deref(), Some("+48501502503"));
    }

    #[test]
    fn every_error_is_named_once_in_the_order_of_the_form() {
        use ErrorCode::{Malformed, OneOfRequired, Required};
        let named = |field: &str, code| (field.to_owned(), code);
        assert_eq!(
            errors(r#"{"firstName":" ","email":""}"#),
            [
                named("firstName", Required),
                named("lastName", Required),
                named("contact", OneOfRequired),
                named("consents.terms", Required)
            ]
        );
        assert_eq!(
            errors(r#"{"firstName":"Anna","email":"anna","consents":["terms"]}"#),
            [named("lastName", Required), named("email", Malformed)]
        );
    }

    /// A version that says nothing of sessions is the same document as before, to the byte.
    #[test]
    fn a_document_without_a_grace_is_written_without_one() {
        let written = serde_json::to_value(demo()).unwrap();
        assert_eq!(written.get("sessionGraceHours"), None);
        let with = SHOOTOUT_2026.replacen('{', r#"{"sessionGraceHours":0,"#, 1);
        assert_eq!(Campaign::parse(&with).unwrap().session_grace_hours, Some(0));
    }

    #[test]
    fn either_the_email_or_the_phone_is_enough() {
        for way in [r#""email":"a@example.com""#, r#""phone":"501502503""#] {
            assert_eq!(
                errors(&format!(r#"{{"firstName":"A","lastName":"N",{way},"consents":["terms"]}}"#)),
                [],
                "{way}"
            );
        }
    }
}
