//! Intake's judgement of one raw entry: what a store will record of it.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::raw::{Digest, check_storable};
use crate::submission::{Refusal, RefusalReason};
use crate::{Campaigns, EmailKey, Entry, ErrorCode, FieldError, LeadEvent, PhonePlan, Timestamp};

/// How far ahead of the store's clock a capture may claim to be before it is flagged, in seconds.
pub const CLOCK_TOLERANCE_SECONDS: i64 = 300;

/// Something unusual about an entry that was recorded all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Flag {
    /// This store does not know the campaign; only the form of the values was checked.
    UnknownCampaign,
    /// This store does not know that version of the campaign; only the form of the values was checked.
    UnknownCampaignVersion,
    /// A consent, or that version of its wording, is not in the campaign.
    UnknownConsent,
    /// `capturedAt` lies in the future of this store's clock.
    ClockAhead,
}

impl Flag {
    /// The flag as it stands on the wire and in exports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::UnknownCampaign => "unknown-campaign",
            Self::UnknownCampaignVersion => "unknown-campaign-version",
            Self::UnknownConsent => "unknown-consent",
            Self::ClockAhead => "clock-ahead",
        }
    }
}

/// What is to be recorded of an entry. There is no third way: every submission is an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Judgement {
    /// Goes to the lead's stream.
    Accepted(Box<Accepted>),
    /// Goes to the stream of refused submissions.
    Refused(Box<Refusal>),
}

/// An entry that obeys the rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// The event to append, at sequence `version` of the lead's stream.
    pub event: LeadEvent,
    /// Digest of the entry's bytes.
    pub digest: Digest,
    /// Key of the e-mail that this lead claims.
    pub email: Option<EmailKey>,
    /// What is unusual about it.
    pub flags: Vec<Flag>,
    /// How its telephone number was read, where that cannot be told from the number itself. Whoever reads it again
    /// later must come to the same number, whatever has been published since.
    pub phone_plan: Option<PhonePlan>,
}

/// The few fields that say whose an entry is, readable even when the rest is not.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Label<'a> {
    #[serde(borrow)]
    kind: Option<&'a RawValue>,
    #[serde(borrow)]
    client_id: Option<&'a RawValue>,
    #[serde(borrow)]
    version: Option<&'a RawValue>,
    #[serde(borrow)]
    device_id: Option<&'a RawValue>,
    #[serde(borrow)]
    device_seq: Option<&'a RawValue>,
}

/// Judges one entry as received.
///
/// `campaigns` are the documents that this store knows; `received_at` is its clock.
pub fn judge(raw: &RawValue, campaigns: &dyn Campaigns, received_at: Timestamp) -> Judgement {
    let raw = raw.get();
    let label: Label<'_> = serde_json::from_str(raw).unwrap_or_default();
    let refuse = |reason, errors| {
        Judgement::Refused(Box::new(Refusal {
            client_id: read(label.client_id).map(|id: String| id.chars().take(64).collect()),
            version: read(label.version),
            device_id: read(label.device_id),
            device_seq: read(label.device_seq),
            reason,
            errors,
            raw: raw.to_owned(),
        }))
    };
    if let Err(error) = check_storable(raw) {
        return refuse(RefusalReason::Invalid, vec![error]);
    }
    let wrap = match read::<String>(label.kind).as_deref() {
        Some("captured") => LeadEvent::Captured,
        Some("corrected") => LeadEvent::Corrected,
        Some("voided") => LeadEvent::Voided,
        // A kind that this program does not know is a newer program's; what it means is not ours to refuse.
        Some(_) => return refuse(RefusalReason::Unsupported, Vec::new()),
        None => return refuse(RefusalReason::Invalid, vec![FieldError::new("kind", ErrorCode::Required)]),
    };
    let event = match parse(raw) {
        Ok(entry) => wrap(entry),
        Err(error) => return refuse(RefusalReason::Invalid, vec![error]),
    };
    // Whether the version before is here is for the log to say, under its lock.
    if let Err(errors) = event.check(campaigns) {
        return refuse(RefusalReason::Invalid, errors);
    }
    let mut flags = flags(event.entry(), campaigns, received_at);
    flags.sort_unstable();
    // Who takes a lead back claims nothing.
    let email = if event.is_void() { None } else { event.entry().email_key() };
    let phone_plan = event.entry().unusual_phone_plan(campaigns);
    Judgement::Accepted(Box::new(Accepted { event, digest: Digest::of(raw), email, flags, phone_plan }))
}

fn read<'a, T: Deserialize<'a>>(raw: Option<&'a RawValue>) -> Option<T> {
    serde_json::from_str(raw?.get()).ok()
}

fn parse(raw: &str) -> Result<Entry, FieldError> {
    let malformed = |field: String, error: &serde_json::Error| {
        // Positions help engineers; the message itself may quote what was typed.
        let field = if field == "." { String::new() } else { field };
        FieldError::new(field, ErrorCode::Malformed).with_detail(format!(
            "{} at line {} column {}",
            expected(error),
            error.line(),
            error.column()
        ))
    };
    let mut json = serde_json::Deserializer::from_str(raw);
    serde_path_to_error::deserialize(&mut json)
        .map_err(|error| malformed(error.path().to_string(), error.inner()))
}

/// The part of a serde message that says what was expected, without the part that quotes the input.
fn expected(error: &serde_json::Error) -> String {
    let message = error.to_string();
    for marker in ["expected ", "must be ", "missing field ", "duplicate field "] {
        if let Some(at) = message.find(marker) {
            let end = message.rfind(" at line ").filter(|end| *end > at).unwrap_or(message.len());
            return message[at..end].to_owned();
        }
    }
    "not readable".to_owned()
}

fn flags(entry: &Entry, campaigns: &dyn Campaigns, received_at: Timestamp) -> Vec<Flag> {
    let mut flags = Vec::new();
    match campaigns.version(&entry.campaign_id, entry.campaign_version) {
        Some(campaign) => {
            let known = |grant: &crate::ConsentGrant| {
                campaign.consent(&grant.id).is_some_and(|consent| consent.text_version == grant.text_version)
            };
            if !entry.consents.iter().all(known) {
                flags.push(Flag::UnknownConsent);
            }
        }
        None if campaigns.newest(&entry.campaign_id).is_some() => flags.push(Flag::UnknownCampaignVersion),
        None => flags.push(Flag::UnknownCampaign),
    }
    let ahead = entry.captured_at.unix_seconds() - received_at.unix_seconds();
    if ahead > CLOCK_TOLERANCE_SECONDS {
        flags.push(Flag::ClockAhead);
    }
    flags
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::EmbeddedCampaigns;
    use proptest::prelude::*;

    fn entry() -> serde_json::Value {
        serde_json::json!({
            "kind": "captured", "clientId": "0197f3c2-5c1e-7c3a-9d64-0242ac120002", "version": 1, "deviceId": "ipad-7", "deviceSeq": 41,
            "campaignId": "shootout-2026", "campaignVersion": 1, "capturedAt": "2026-05-23T14:03:11.120+02:00",
            "contact": { "firstName": "Anna", "lastName": "Nowak", "email": "Anna@Example.com", "phone": "+48501502503" },
            "consents": [{ "id": "terms", "textVersion": 1, "language": "pl", "grantedAt": "2026-05-23T14:03:10+02:00" }]
        })
    }

    fn judge_text(json: &str) -> Judgement {
        let received_at = "2026-05-23T12:04:00Z".parse().unwrap();
        judge(&RawValue::from_string(json.to_owned()).unwrap(), &EmbeddedCampaigns, received_at)
    }

    fn judge_with(change: impl FnOnce(&mut serde_json::Value)) -> Judgement {
        let mut json = entry();
        change(&mut json);
        judge_text(&json.to_string())
    }

    fn accepted(judgement: Judgement) -> Accepted {
        match judgement {
            Judgement::Accepted(accepted) => *accepted,
            Judgement::Refused(refusal) => panic!("refused: {:?}", refusal.errors),
        }
    }

    fn errors(judgement: Judgement) -> Vec<(String, ErrorCode)> {
        match judgement {
            Judgement::Accepted(_) => Vec::new(),
            Judgement::Refused(refusal) => {
                refusal.errors.into_iter().map(|error| (error.field, error.code)).collect()
            }
        }
    }

    #[test]
    fn a_good_entry_is_accepted_with_its_claim_and_its_digest() {
        let json = entry().to_string();
        let accepted = accepted(judge_text(&json));
        assert_eq!(accepted.email.unwrap().as_str(), "anna@example.com");
        assert_eq!(accepted.digest, Digest::of(&json));
        assert_eq!(accepted.flags, []);
    }

    #[test]
    fn unknown_fields_are_no_reason_to_refuse() {
        accepted(judge_with(|entry| entry["favouriteTeam"] = serde_json::json!({ "name": "Rzeszów" })));
    }

    #[test]
    fn what_is_unusual_is_recorded_and_flagged_not_refused() {
        let flags = |change: fn(&mut serde_json::Value)| accepted(judge_with(change)).flags;
        assert_eq!(flags(|entry| entry["campaignId"] = "unknown-2031".into()), [Flag::UnknownCampaign]);
        assert_eq!(flags(|entry| entry["campaignVersion"] = 99.into()), [Flag::UnknownCampaignVersion]);
        assert_eq!(flags(|entry| entry["consents"][0]["textVersion"] = 7.into()), [Flag::UnknownConsent]);
        assert_eq!(
            flags(|entry| entry["capturedAt"] = "2031-01-01T00:00:00+01:00".into()),
            [Flag::ClockAhead]
        );
    }

    #[test]
    fn every_broken_rule_is_named_with_its_field() {
        use ErrorCode::{Malformed, Required, TooLong, UnstorableText};
        type Change = fn(&mut serde_json::Value);
        let cases: [(Change, &str, ErrorCode); 16] = [
            (|entry| entry["consents"] = serde_json::json!([]), "consents.terms", Required),
            (|entry| entry["contact"]["email"] = "anna@".into(), "email", Malformed),
            (|entry| entry["contact"]["phone"] = "12".into(), "phone", Malformed),
            (|entry| entry["contact"]["firstName"] = "x".repeat(10_000).into(), "firstName", TooLong),
            (|entry| entry["contact"]["lastName"] = "\u{0}".into(), "", UnstorableText),
            (|entry| entry["contact"]["lastName"] = 7.into(), "contact.lastName", Malformed),
            (|entry| entry["capturedAt"] = "yesterday".into(), "capturedAt", Malformed),
            (|entry| entry["clientId"] = "1".into(), "clientId", Malformed),
            (|entry| entry["version"] = 0.into(), "version", Malformed),
            (|entry| entry["version"] = 2.into(), "version", Malformed),
            (|entry| entry["kind"] = "corrected".into(), "version", Malformed),
            (|entry| entry["kind"] = "voided".into(), "version", Malformed),
            (|entry| entry["deviceSeq"] = (-1).into(), "deviceSeq", Malformed),
            (|entry| entry["deviceSeq"] = u64::MAX.into(), "deviceSeq", Malformed),
            (|entry| entry["operator"] = "x".repeat(300).into(), "operator", TooLong),
            (|entry| drop(entry.as_object_mut().unwrap().remove("kind")), "kind", Required),
        ];
        for (change, field, code) in cases {
            assert_eq!(errors(judge_with(change)), [(field.to_owned(), code)], "{field}");
        }
    }

    #[test]
    fn a_void_needs_no_valid_contact_and_claims_no_address() {
        let void = accepted(judge_with(|entry| {
            entry["kind"] = "voided".into();
            entry["version"] = 2.into();
            entry["consents"] = serde_json::json!([]);
        }));
        assert_eq!((void.event.name(), void.email), ("LeadVoided", None));
    }

    #[test]
    fn a_newer_programs_entry_is_not_refused_but_unsupported() {
        let Judgement::Refused(refusal) = judge_with(|entry| entry["kind"] = "transferred".into()) else {
            panic!("accepted what it cannot understand")
        };
        assert_eq!((refusal.reason, refusal.version), (RefusalReason::Unsupported, Some(1)));
    }

    #[test]
    fn errors_never_quote_what_was_typed() {
        let Judgement::Refused(refusal) = judge_with(|entry| entry["capturedAt"] = "Anna Nowak".into())
        else {
            panic!("accepted")
        };
        assert!(!format!("{:?}", refusal.errors).contains("Nowak"), "{:?}", refusal.errors);
    }

    proptest! {
        /// Whatever JSON arrives, it is judged without a panic, and what is refused keeps every byte.
        #[test]
        fn any_json_is_judged_and_kept(field in "[a-zA-Z]{1,12}", value in "\\PC*", number in any::<i64>()) {
            for json in [
                serde_json::json!({ field.clone(): value.clone(), "kind": "captured" }).to_string(),
                serde_json::json!([value, number]).to_string(),
                number.to_string(),
            ] {
                match judge_text(&json) {
                    Judgement::Refused(refusal) => prop_assert_eq!(refusal.raw, json),
                    Judgement::Accepted(_) => prop_assert!(false, "accepted {}", json),
                }
            }
        }
    }
}
