//! From what was typed to an entry: the bytes that are kept, sent and compared, made once.
//!
//! A correction and a void are entries like a capture: the next version of the same lead, complete. They are
//! made from the saved text of the version before, whatever a store has said about that one; so the fix of a
//! refused lead is a correction too.

use domain::{
    Campaign, CampaignConsent, CampaignField, ClientId, ConsentGrant, ContactFields, DeviceId, Entry,
    ErrorCode, FieldError, LeadEvent, LeadForm, LocalizedText, PhonePlan, Timestamp,
};

use crate::entry_text;
use crate::json::{Fields, Object, Raw, text, writer};

/// The moment of the tap on "Zapisz".
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    /// Milliseconds since 1970 by the device's clock.
    pub unix_ms: i64,
    /// Minutes east of Greenwich, where the device is.
    pub offset_minutes: i32,
}

impl Moment {
    /// As it stands in entries. A clock outside the years 0 to 9999 must not block a Save (invariant 10);
    /// it is written as 1970.
    pub(crate) fn timestamp(self, unix_ms: i64) -> Result<Timestamp, Vec<FieldError>> {
        Timestamp::from_unix_ms(unix_ms, self.offset_minutes)
            .or_else(|_| Timestamp::from_unix_ms(0, 0))
            .map_err(|_| vec![FieldError::new("capturedAt", ErrorCode::Malformed)])
    }
}

/// An entry that obeys every rule, not yet numbered.
#[derive(Debug, Clone)]
pub struct Capture {
    event: LeadEvent,
}

impl Capture {
    /// Every rule that what was typed breaks.
    pub fn check(campaign: &Campaign, form_json: &str) -> Vec<FieldError> {
        read(form_json).and_then(|form| campaign.check(&form)).err().unwrap_or_default()
    }

    /// Takes what was typed in its normal form, as a new lead.
    ///
    /// # Errors
    /// Every rule that is broken.
    pub fn new(
        campaign: &Campaign,
        form_json: &str,
        client_id: ClientId,
        device_id: DeviceId,
        moment: Moment,
    ) -> Result<Self, Vec<FieldError>> {
        entry(campaign, form_json, &[], client_id, device_id, moment)
            .map(|entry| Self { event: LeadEvent::Captured(entry) })
    }

    /// Takes what was typed while the rules could not be asked, as it is. What breaks a rule is for a store
    /// to refuse, and for a person to fix then: nothing that was saved is dropped. `None` when it is no form.
    pub fn unchecked(
        campaign: &Campaign,
        form_json: &str,
        client_id: ClientId,
        device_id: DeviceId,
        moment: Moment,
    ) -> Option<Self> {
        let form = read(form_json).ok()?;
        let contact = campaign.check(&form).map_or_else(|_| as_typed(&form.contact), |it| it.fields());
        let origin = Origin { client_id, device_id, moment };
        let entry = assemble(campaign, form_json, &form, contact, &[], origin);
        entry.ok().map(|entry| Self { event: LeadEvent::Captured(entry) })
    }

    /// The same, captured by this person.
    #[must_use]
    pub fn by(mut self, operator: Option<String>) -> Self {
        if operator.is_some() {
            self.entry_mut().operator = operator;
        }
        self
    }

    /// Takes what was typed as the next version of the lead whose newest saved text this is. Consents that
    /// stood there already, and were not ticked anew, keep their time and the text that was agreed to. Also brings back a lead that was
    /// taken back.
    ///
    /// # Errors
    /// Every rule that is broken; `version` when the saved text cannot be read (it was removed, or a newer program
    /// wrote it) or has no next version.
    pub fn corrected(
        campaign: &Campaign,
        saved: &str,
        form_json: &str,
        device_id: DeviceId,
        moment: Moment,
    ) -> Result<Self, Vec<FieldError>> {
        let (before, version) = next_version(saved)?;
        let entry = entry(campaign, form_json, &before.consents, before.client_id, device_id, moment)?;
        Ok(Self { event: LeadEvent::Corrected(Entry { version, operator: before.operator, ..entry }) })
    }

    /// Takes the lead back whose newest saved text this is: its next version, otherwise as it is.
    ///
    /// # Errors
    /// `version` when the saved text cannot be read or has no next version.
    pub fn voided(saved: &str, device_id: DeviceId, moment: Moment) -> Result<Self, Vec<FieldError>> {
        let (before, version) = next_version(saved)?;
        let captured_at = moment.timestamp(moment.unix_ms)?;
        Ok(Self { event: LeadEvent::Voided(Entry { version, device_id, captured_at, ..before }) })
    }

    /// The lead.
    pub const fn client_id(&self) -> ClientId {
        self.event.entry().client_id
    }

    /// Version of the lead.
    pub const fn version(&self) -> u32 {
        self.event.entry().version
    }

    /// The same as the version after: another tab was first with this one.
    #[must_use]
    pub fn with_next_version(mut self) -> Self {
        self.entry_mut().version += 1;
        self
    }

    /// The exact bytes under this number of this installation. Who the installation is, is known for certain
    /// only where the number is drawn: its storage may have been wiped since the form was opened.
    pub fn to_text(&self, device_id: &DeviceId, device_seq: u64) -> String {
        entry_text::write(&self.event, device_id, device_seq)
    }

    const fn entry_mut(&mut self) -> &mut Entry {
        let (LeadEvent::Captured(entry) | LeadEvent::Corrected(entry) | LeadEvent::Voided(entry)) =
            &mut self.event;
        entry
    }
}

/// The entry of a form. Consents that were granted before, and not ticked anew, stay as they were.
fn entry(
    campaign: &Campaign,
    form_json: &str,
    granted: &[ConsentGrant],
    client_id: ClientId,
    device_id: DeviceId,
    moment: Moment,
) -> Result<Entry, Vec<FieldError>> {
    let form = read(form_json)?;
    let contact = campaign.check(&form)?.fields();
    assemble(campaign, form_json, &form, contact, granted, Origin { client_id, device_id, moment })
}

/// Where an entry comes from.
struct Origin {
    client_id: ClientId,
    device_id: DeviceId,
    moment: Moment,
}

/// The contact as it was typed, but for what was left empty.
fn as_typed(contact: &ContactFields) -> ContactFields {
    let typed = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    ContactFields {
        first_name: typed(&contact.first_name),
        last_name: typed(&contact.last_name),
        email: typed(&contact.email),
        phone: typed(&contact.phone),
    }
}

/// The entry of a form, with this contact.
fn assemble(
    campaign: &Campaign,
    form_json: &str,
    form: &LeadForm,
    contact: ContactFields,
    granted: &[ConsentGrant],
    Origin { client_id, device_id, moment }: Origin,
) -> Result<Entry, Vec<FieldError>> {
    // When consents were ticked, in milliseconds since 1970, and in which language they were read: beside the form, by id,
    // where the app knows it.
    let beside = Object::read(form_json);
    let beside = |name| beside.as_ref().and_then(|form| form.object(name));
    let (ticked_at, read_in) = (beside("grantedAt"), beside("grantedIn"));
    let captured_at = moment.timestamp(moment.unix_ms)?;
    let spoken = |wanted: &str| campaign.languages.iter().find(|language| *language == wanted);
    let language = spoken(&form.language).or(campaign.languages.first());
    let mut consents = Vec::new();
    for consent in campaign.consents.iter().filter(|consent| form.consents.contains(&consent.id)) {
        let ticked_at = ticked_at.as_ref().and_then(|it| it.raw(&consent.id)?.text().parse().ok());
        let before = granted.iter().find(|before| before.id == consent.id);
        // Ticked anew in this form, it is a consent to what stands there now.
        if let Some(before) = before.filter(|_| ticked_at.is_none()) {
            consents.push(before.clone());
            continue;
        }
        let read_in = read_in.as_ref().and_then(|it| spoken(&it.text(&consent.id)?));
        consents.push(ConsentGrant {
            id: consent.id.clone(),
            text_version: consent.text_version,
            language: read_in.or(language).cloned().unwrap_or_default(),
            granted_at: moment.timestamp(ticked_at.unwrap_or(moment.unix_ms))?,
        });
    }
    Ok(Entry {
        client_id,
        version: 1,
        device_id,
        device_seq: 0,
        campaign_id: campaign.id.clone(),
        campaign_version: campaign.version,
        captured_at,
        clock_offset_ms: None,
        operator: None,
        contact,
        consents,
    })
}

/// What stands in the form of a saved entry, as the app reads it. `None` when the text cannot be read.
pub fn saved_lead(saved: &str) -> Option<String> {
    let entry = saved_entry(saved)?;
    let mut form = Fields::new();
    let contact = &entry.contact;
    for (name, value) in [
        ("firstName", &contact.first_name),
        ("lastName", &contact.last_name),
        ("email", &contact.email),
        ("phone", &contact.phone),
    ] {
        form.text(name, value.as_deref().unwrap_or_default());
    }
    let mut it = Fields::new();
    it.text("clientId", &entry.client_id.to_string());
    it.raw("isTakenBack", if is_taken_back(saved) { "true" } else { "false" });
    it.number("campaignVersion", entry.campaign_version.into());
    it.raw("contact", &form.end());
    it.list("consents", &entry.consents, |consent| writer::text(&consent.id));
    it.text("language", entry.consents.first().map_or("", |consent| &consent.language));
    Some(it.end())
}

/// Whether this saved entry takes its lead back.
pub fn is_taken_back(saved: &str) -> bool {
    Object::read(saved).and_then(|it| it.text("kind")).is_some_and(|kind| kind == "voided")
}

/// First name and initial of a saved entry: enough for whoever typed it, too little for the next in the queue.
pub fn short_name(saved: &str) -> String {
    let contact = Object::read(saved).and_then(|it| Some(contact(&it.object("contact")?)));
    let contact = contact.unwrap_or_default();
    let mut name = contact.first_name.unwrap_or_default();
    if let Some(initial) = contact.last_name.unwrap_or_default().chars().next() {
        name.push(' ');
        name.push(initial);
        name.push('.');
    }
    name
}

/// A saved entry, and the number of the version after it.
fn next_version(saved: &str) -> Result<(Entry, u32), Vec<FieldError>> {
    let malformed = || vec![FieldError::new("version", ErrorCode::Malformed)];
    let before = saved_entry(saved).ok_or_else(malformed)?;
    let version = before.version.checked_add(1).filter(|version| *version <= Entry::MAX_VERSION);
    version.map(|version| (before, version)).ok_or_else(malformed)
}

fn read(form_json: &str) -> Result<LeadForm, Vec<FieldError>> {
    let malformed = || vec![FieldError::new("", ErrorCode::Malformed)];
    let it = Object::read(form_json).ok_or_else(malformed)?;
    let contact = contact(&it);
    let consents = it.list("consents", text).ok_or_else(malformed)?;
    Ok(LeadForm { contact, consents, language: it.text("language").unwrap_or_default() })
}

fn contact(it: &Object<'_>) -> ContactFields {
    ContactFields {
        first_name: it.text("firstName"),
        last_name: it.text("lastName"),
        email: it.text("email"),
        phone: it.text("phone"),
    }
}

/// A saved entry, as this program or an older one wrote it.
fn saved_entry(saved: &str) -> Option<Entry> {
    let it = Object::read(saved)?;
    Some(Entry {
        client_id: it.parsed("clientId")?,
        version: it.small("version")?,
        device_id: it.parsed("deviceId")?,
        device_seq: it.number("deviceSeq")?,
        campaign_id: it.parsed("campaignId")?,
        campaign_version: it.small("campaignVersion")?,
        captured_at: it.parsed("capturedAt")?,
        clock_offset_ms: it.raw("clockOffsetMs").and_then(|offset| offset.text().parse().ok()),
        operator: it.text("operator"),
        contact: contact(&it.object("contact")?),
        consents: it.list("consents", consent)?,
    })
}

fn consent(json: Raw<'_>) -> Option<ConsentGrant> {
    let it = Object::read(json.text())?;
    Some(ConsentGrant {
        id: it.text("id")?,
        text_version: it.small("textVersion")?,
        language: it.text("language")?,
        granted_at: it.parsed("grantedAt")?,
    })
}

/// A campaign as far as rules go. Its words are for the screen, which reads the document itself.
pub fn campaign_rules(document: &str) -> Option<Campaign> {
    let it = Object::read(document)?;
    let plan = match it.object("phonePlan") {
        Some(plan) => PhonePlan {
            calling_code: plan.text("callingCode")?,
            national_digits: plan.small("nationalDigits")? as usize,
        },
        None => PhonePlan::default(),
    };
    Some(Campaign {
        id: it.parsed("id")?,
        version: it.small("version")?,
        name: LocalizedText::new(),
        time_zone: it.text("timeZone")?,
        languages: it.list("languages", text)?,
        phone_plan: plan,
        fields: it.list("fields", |field| {
            let it = Object::read(field.text())?;
            Some(CampaignField { id: it.text("id")?, required: it.is_true("required") })
        })?,
        require_one_of: it.list("requireOneOf", text)?,
        consents: it.list("consents", |consent| {
            let it = Object::read(consent.text())?;
            Some(CampaignConsent {
                id: it.text("id")?,
                required: it.is_true("required"),
                text_version: it.small("textVersion")?,
                text: LocalizedText::new(),
                detail: LocalizedText::new(),
            })
        })?,
        session_grace_hours: it.small("sessionGraceHours"),
        hubs: it.list("hubs", text)?,
    })
}

#[cfg(test)]
mod tests {
    use domain::{EmbeddedCampaigns, Judgement, SHOOTOUT_2026, judge};
    use serde_json::value::RawValue;
    use uuid::Uuid;

    use super::*;

    const FORM: &str = r#"{"firstName":" Anna ","lastName":"Nowak","email":"anna@example.com","phone":"501 502 503",
        "consents":["marketing-email","terms","unheard-of"],"language":"en","grantedAt":{"terms":1779537790000}}"#;

    fn capture(form: &str, unix_ms: i64) -> Result<Capture, Vec<FieldError>> {
        let id = ClientId::new(Uuid::from_u128(7));
        let moment = Moment { unix_ms, offset_minutes: 120 };
        Capture::new(&Campaign::parse(SHOOTOUT_2026).unwrap(), form, id, "ipad-7".parse().unwrap(), moment)
    }

    #[test]
    fn the_rules_of_a_campaign_are_those_of_its_document() {
        let mut whole = Campaign::parse(SHOOTOUT_2026).unwrap();
        whole.name.clear();
        for consent in &mut whole.consents {
            (consent.text, consent.detail) = Default::default();
        }
        assert_eq!(campaign_rules(SHOOTOUT_2026), Some(whole));
        assert_eq!(campaign_rules("{}"), None);
    }

    #[test]
    fn a_saved_entry_is_read_as_serde_would() {
        let text = capture(FORM, 1_779_537_791_120).unwrap().to_text(&"ipad-7".parse().unwrap(), 41);
        let text = text.replacen('{', r#"{"operator":"Ola","clockOffsetMs":-5,"#, 1);
        assert_eq!(saved_entry(&text), serde_json::from_str(&text).ok());
    }

    #[test]
    fn what_the_device_takes_a_store_takes() {
        let text = capture(FORM, 1_779_537_791_120).unwrap().to_text(&"ipad-7".parse().unwrap(), 41);
        let raw = RawValue::from_string(text.clone()).unwrap();
        let now = Timestamp::from_unix_ms(1_779_537_800_000, 0).unwrap();
        let Judgement::Accepted(accepted) = judge(&raw, &EmbeddedCampaigns, now) else {
            panic!("refused: {text}")
        };
        assert!(accepted.flags.is_empty());
        let entry = accepted.event.entry();
        assert_eq!((entry.device_seq, entry.version, entry.campaign_version), (41, 1, 1));
        assert_eq!(entry.captured_at.to_string(), "2026-05-23T14:03:11.12+02:00");
        assert_eq!(entry.contact.first_name.as_deref(), Some("Anna"));
        let grants: Vec<_> = entry
            .consents
            .iter()
            .map(|it| (it.id.as_str(), it.language.as_str(), it.granted_at.unix_seconds()))
            .collect();
        assert_eq!(grants, [("terms", "en", 1_779_537_790), ("marketing-email", "en", 1_779_537_791)]);
    }

    /// The proof of a consent names the language in which it was read, whatever the screen speaks when the lead is saved.
    #[test]
    fn a_consent_is_given_in_the_language_in_which_it_was_read() {
        let form = FORM.replace(
            "\"grantedAt\"",
            "\"grantedIn\":{\"terms\":\"pl\",\"marketing-email\":\"xx\"},\"grantedAt\"",
        );
        let text = capture(&form, 1_779_537_791_120).unwrap().to_text(&"ipad-7".parse().unwrap(), 41);
        let languages: Vec<_> =
            saved_entry(&text).unwrap().consents.into_iter().map(|it| (it.id, it.language)).collect();
        let expected = [("terms", "pl"), ("marketing-email", "en")];
        assert_eq!(languages, expected.map(|(id, language)| (id.to_owned(), language.to_owned())));
    }

    fn judged(text: &str) -> domain::LeadEvent {
        let raw = RawValue::from_string(text.to_owned()).unwrap();
        let now = Timestamp::from_unix_ms(1_779_537_900_000, 0).unwrap();
        match judge(&raw, &EmbeddedCampaigns, now) {
            Judgement::Accepted(accepted) => accepted.event,
            Judgement::Refused(refusal) => panic!("refused: {refusal:?}"),
        }
    }

    /// CAP-6: the next version of the same lead, complete.
    #[test]
    fn a_correction_and_a_void_are_the_next_versions_and_a_store_takes_them() {
        let campaign = Campaign::parse(SHOOTOUT_2026).unwrap();
        let other: DeviceId = "ipad-8".parse().unwrap();
        let later = Moment { unix_ms: 1_779_537_800_000, offset_minutes: 120 };
        let first = capture(FORM, 1_779_537_791_120).unwrap().to_text(&"ipad-7".parse().unwrap(), 41);
        let form = r#"{"firstName":"Ania","lastName":"Nowak","email":"","phone":"501 502 503",
            "consents":["terms","marketing-phone"],"language":"pl"}"#;
        let second =
            Capture::corrected(&campaign, &first, form, other.clone(), later).unwrap().to_text(&other, 7);
        let LeadEvent::Corrected(entry) = judged(&second) else { panic!("{second}") };
        assert_eq!((entry.client_id, entry.version), (ClientId::new(Uuid::from_u128(7)), 2));
        assert_eq!((entry.device_id.as_str(), entry.device_seq), ("ipad-8", 7));
        assert_eq!((entry.contact.first_name.as_deref(), entry.contact.email), (Some("Ania"), None));
        let grants: Vec<_> = entry
            .consents
            .iter()
            .map(|it| (it.id.as_str(), it.language.as_str(), it.granted_at.unix_seconds()))
            .collect();
        assert_eq!(grants, [("terms", "en", 1_779_537_790), ("marketing-phone", "pl", 1_779_537_800)]);
        // Ticked anew, it is another consent.
        let anew = form.replace("\"language\"", "\"grantedAt\":{\"terms\":1779537799000},\"language\"");
        let again =
            Capture::corrected(&campaign, &first, &anew, other.clone(), later).unwrap().to_text(&other, 7);
        let terms = judged(&again).entry().consents[0].clone();
        assert_eq!((terms.language.as_str(), terms.granted_at.unix_seconds()), ("pl", 1_779_537_799));
        let third = Capture::voided(&second, other.clone(), later).unwrap();
        assert_eq!(third.version(), 3);
        let LeadEvent::Voided(entry) = judged(&third.to_text(&other, 8)) else { panic!("not a void") };
        assert_eq!((entry.version, entry.device_seq, entry.consents.len()), (3, 8, 2));
        // What was taken back comes back with another version.
        let text = third.to_text(&other, 8);
        assert_eq!(Capture::corrected(&campaign, &text, form, other, later).unwrap().version(), 4);
    }

    /// Invariant 10: a form that was saved without the rules is kept as it is, and a store refuses it then.
    #[test]
    fn an_unchecked_form_is_an_entry_that_says_what_was_typed() {
        let campaign = Campaign::parse(SHOOTOUT_2026).unwrap();
        let moment = Moment { unix_ms: 1_779_537_791_120, offset_minutes: 120 };
        let id = ClientId::new(Uuid::from_u128(7));
        let device_id: DeviceId = "ipad-7".parse().unwrap();
        let unchecked = |form| Capture::unchecked(&campaign, form, id, device_id.clone(), moment);
        let whole = unchecked(FORM).unwrap().to_text(&device_id, 41);
        assert_eq!(whole, capture(FORM, moment.unix_ms).unwrap().to_text(&device_id, 41));
        let broken =
            r#"{"firstName":"Anna","lastName":"","email":"anna@","consents":["terms"],"language":"pl"}"#;
        let text = unchecked(broken).unwrap().by(Some("Ola".to_owned())).to_text(&device_id, 42);
        let raw = RawValue::from_string(text.clone()).unwrap();
        let now = Timestamp::from_unix_ms(moment.unix_ms, 0).unwrap();
        assert!(matches!(judge(&raw, &EmbeddedCampaigns, now), Judgement::Refused(_)), "{text}");
        assert!(text.contains(r#""email":"anna@""#) && text.contains(r#""operator":"Ola""#), "{text}");
        assert!(unchecked("not a form").is_none());
    }

    /// What stands in the form when a lead is fixed, and how little a list shows of it.
    #[test]
    fn a_saved_lead_comes_back_into_the_form() {
        let text = capture(FORM, 1_779_537_791_120).unwrap().to_text(&"ipad-7".parse().unwrap(), 41);
        let lead: serde_json::Value = serde_json::from_str(&saved_lead(&text).unwrap()).unwrap();
        assert_eq!(lead["contact"]["phone"], "+48501502503");
        assert_eq!(lead["consents"], serde_json::json!(["terms", "marketing-email"]));
        assert_eq!((lead["isTakenBack"].as_bool(), lead["language"].as_str()), (Some(false), Some("en")));
        assert_eq!((short_name(&text).as_str(), short_name("").as_str()), ("Anna N.", ""));
    }

    #[test]
    fn what_cannot_be_read_any_more_cannot_be_corrected() {
        let moment = Moment { unix_ms: 0, offset_minutes: 0 };
        let last = capture(FORM, 0)
            .unwrap()
            .to_text(&"ipad-7".parse().unwrap(), 1)
            .replace("\"version\":1", &format!("\"version\":{}", Entry::MAX_VERSION));
        for saved in ["", "{}", &last] {
            let errors = Capture::voided(saved, "ipad-7".parse().unwrap(), moment).unwrap_err();
            assert_eq!(errors, [FieldError::new("version", ErrorCode::Malformed)]);
        }
    }

    #[test]
    fn a_broken_rule_is_named_and_a_broken_form_is_no_panic() {
        let fields = |form| {
            capture(form, 0).err().unwrap_or_default().into_iter().map(|it| it.field).collect::<Vec<_>>()
        };
        assert_eq!(fields(r#"{"firstName":"A","lastName":"B","phone":"501502503"}"#), ["consents.terms"]);
        assert_eq!(fields("not json"), [""]);
        assert_eq!(Capture::check(&Campaign::parse(SHOOTOUT_2026).unwrap(), FORM), []);
    }

    /// Invariant 10.
    #[test]
    fn no_clock_blocks_a_save() {
        for unix_ms in [i64::MIN, -1, 0, i64::MAX] {
            assert!(capture(FORM, unix_ms).is_ok(), "{unix_ms}");
        }
    }
}
