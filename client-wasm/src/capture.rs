//! From what was typed to an entry: the bytes that are kept, sent and compared, made once.

use std::collections::BTreeMap;

use domain::{
    Campaign, ClientId, ConsentGrant, DeviceId, Entry, ErrorCode, FieldError, LeadEvent, LeadForm, Timestamp,
};
use serde::Deserialize;

use crate::json;

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
    fn timestamp(self, unix_ms: i64) -> Result<Timestamp, Vec<FieldError>> {
        Timestamp::from_unix_ms(unix_ms, self.offset_minutes)
            .or_else(|_| Timestamp::from_unix_ms(0, 0))
            .map_err(|_| vec![FieldError::new("capturedAt", ErrorCode::Malformed)])
    }
}

/// When consents were ticked, beside the form, where the app knows it.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Ticks {
    /// Milliseconds since 1970, by id of the consent.
    granted_at: BTreeMap<String, i64>,
}

/// A form that obeys every rule, not yet numbered.
#[derive(Debug, Clone)]
pub struct Capture {
    entry: Entry,
}

impl Capture {
    /// Every rule that what was typed breaks.
    pub fn check(campaign: &Campaign, form_json: &str) -> Vec<FieldError> {
        read(form_json).and_then(|(form, _)| campaign.check(&form)).err().unwrap_or_default()
    }

    /// Takes what was typed in its normal form.
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
        let (form, ticks) = read(form_json)?;
        let contact = campaign.check(&form)?.fields();
        let captured_at = moment.timestamp(moment.unix_ms)?;
        let language = campaign
            .languages
            .iter()
            .find(|language| **language == form.language)
            .or(campaign.languages.first())
            .cloned()
            .unwrap_or_default();
        let mut consents = Vec::new();
        for consent in campaign.consents.iter().filter(|consent| form.consents.contains(&consent.id)) {
            let ticked_at = ticks.granted_at.get(&consent.id).copied().unwrap_or(moment.unix_ms);
            consents.push(ConsentGrant {
                id: consent.id.clone(),
                text_version: consent.text_version,
                language: language.clone(),
                granted_at: moment.timestamp(ticked_at)?,
            });
        }
        Ok(Self {
            entry: Entry {
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
            },
        })
    }

    /// The lead.
    pub const fn client_id(&self) -> ClientId {
        self.entry.client_id
    }

    /// Version of the lead.
    pub const fn version(&self) -> u32 {
        self.entry.version
    }

    /// The exact bytes under this sequence number.
    ///
    /// # Errors
    /// Never in practice; an entry is plain data.
    pub fn to_text(&self, device_seq: u64) -> Result<String, serde_json::Error> {
        let entry = Entry { device_seq, ..self.entry.clone() };
        serde_json::to_string(&LeadEvent::Captured(entry))
    }
}

fn read(form_json: &str) -> Result<(LeadForm, Ticks), Vec<FieldError>> {
    let malformed = |_| vec![FieldError::new("", ErrorCode::Malformed)];
    let form = json::read(form_json).map_err(malformed)?;
    Ok((form, json::read(form_json).unwrap_or_default()))
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
    fn what_the_device_takes_a_store_takes() {
        let text = capture(FORM, 1_779_537_791_120).unwrap().to_text(41).unwrap();
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
