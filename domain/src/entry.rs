//! An entry: one version of one lead, as a device says it.

use serde::{Deserialize, Serialize};

use crate::{
    CampaignId, Campaigns, ClientId, ConsentGrant, Contact, ContactFields, DeviceId, Email, EmailKey,
    ErrorCode, FieldError, LeadForm, Phone, PhonePlan, Timestamp,
};

/// One version of one lead, complete. On the wire it carries a `kind` beside these fields (see
/// [`crate::LeadEvent`]).
///
/// A device makes the bytes of an entry once and never again: stores compare a digest of them, relay them
/// as they are, and keep fields that they do not know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// The lead.
    pub client_id: ClientId,
    /// 1 for the capture, then one more with every change. It is the sequence number of the event.
    #[cfg_attr(feature = "openapi", schema(minimum = 1))]
    pub version: u32,
    /// The installation that made it.
    pub device_id: DeviceId,
    /// Dense sequence number of that installation; a gap means that something is missing.
    pub device_seq: u64,
    /// The campaign that it was captured under.
    pub campaign_id: CampaignId,
    /// Version of the campaign document that the form was showing.
    pub campaign_version: u32,
    /// When "Zapisz" was tapped for this version, by the device's clock.
    pub captured_at: Timestamp,
    /// How far the device's clock was ahead of a store's at their last contact, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock_offset_ms: Option<i64>,
    /// Who held the device.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operator: Option<String>,
    /// Who the person is.
    pub contact: ContactFields,
    /// Consents that were given.
    #[serde(default)]
    pub consents: Vec<ConsentGrant>,
}

impl Entry {
    /// Highest version of a lead, so that every version fits a 32-bit column.
    pub const MAX_VERSION: u32 = i32::MAX.cast_unsigned();
    /// Longest name of an operator, in characters.
    pub const MAX_OPERATOR_CHARS: usize = 200;
    /// Most consents that one lead can carry.
    pub const MAX_CONSENTS: usize = 32;
    /// Longest id or language of a consent, in bytes.
    pub const MAX_CONSENT_TEXT_BYTES: usize = 64;

    /// Checks the entry against the version of the campaign that it names. Of a campaign or a version that
    /// is not known here, only the form of the values can be judged.
    ///
    /// # Errors
    /// Every rule that is broken.
    pub fn check(&self, campaigns: &dyn Campaigns) -> Result<Contact, Vec<FieldError>> {
        let mut errors = self.check_frame().err().unwrap_or_default();
        let contact = match campaigns.version(&self.campaign_id, self.campaign_version) {
            Some(campaign) => campaign.check(&self.form()),
            None => Contact::parse(&self.contact, &self.phone_plan(campaigns)),
        };
        errors.extend(contact.as_ref().err().cloned().unwrap_or_default());
        if errors.is_empty() { contact } else { Err(errors) }
    }

    /// The key of the e-mail address, if there is a valid one.
    pub fn email_key(&self) -> Option<EmailKey> {
        Email::parse(self.contact.email.as_deref()?).ok().map(|email| email.key())
    }

    /// The plan by which its telephone number is read, if the number needs one and it is not the usual one.
    pub(crate) fn unusual_phone_plan(&self, campaigns: &dyn Campaigns) -> Option<PhonePlan> {
        let needs_plan = self.contact.phone.as_deref().is_some_and(|typed| !Phone::is_e164(typed));
        let plan = needs_plan.then(|| self.phone_plan(campaigns));
        plan.filter(|plan| *plan != PhonePlan::default())
    }

    fn phone_plan(&self, campaigns: &dyn Campaigns) -> PhonePlan {
        let known = campaigns.version(&self.campaign_id, self.campaign_version);
        let known = known.or_else(|| campaigns.newest(&self.campaign_id));
        known.map(|campaign| campaign.phone_plan.clone()).unwrap_or_default()
    }

    fn form(&self) -> LeadForm {
        LeadForm {
            contact: self.contact.clone(),
            consents: self.consents.iter().map(|grant| grant.id.clone()).collect(),
            language: String::new(),
        }
    }

    /// Checks the rules that hold under every campaign and for every kind of entry.
    ///
    /// # Errors
    /// Every rule that is broken.
    pub(crate) fn check_frame(&self) -> Result<(), Vec<FieldError>> {
        let mut errors = Vec::new();
        if self.operator.as_ref().is_some_and(|name| name.chars().nth(Self::MAX_OPERATOR_CHARS).is_some()) {
            errors.push(FieldError::new("operator", ErrorCode::TooLong));
        }
        if i64::try_from(self.device_seq).is_err() {
            errors.push(FieldError::new("deviceSeq", ErrorCode::Malformed).with_detail("at most 2^63 - 1"));
        }
        if self.consents.len() > Self::MAX_CONSENTS {
            errors.push(FieldError::new("consents", ErrorCode::TooLong));
        }
        let too_long = |text: &str| text.len() > Self::MAX_CONSENT_TEXT_BYTES;
        if self.consents.iter().any(|grant| too_long(&grant.id) || too_long(&grant.language)) {
            errors.push(FieldError::new("consents", ErrorCode::TooLong));
        }
        if errors.is_empty() { Ok(()) } else { Err(errors) }
    }
}
