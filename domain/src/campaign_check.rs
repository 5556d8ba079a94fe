//! What is wrong with a campaign document: every mistake, each with its place and what to do about it.
//!
//! The document is looked at as plain JSON, so that one reading finds a misspelt field, a missing translation and
//! an impossible telephone plan alike, and whoever wrote the file mends them all at once.

use std::collections::BTreeSet;
use std::fmt;

use jiff::tz::TimeZoneDatabase;
use serde_json::{Map, Value};

use crate::{Campaign, CampaignId, ContactFields, Entry, Phone};

/// Largest document, in bytes: every device downloads it.
pub const MAX_CAMPAIGN_BYTES: usize = 256 * 1024;

/// Longest name of a campaign, in characters.
const MAX_NAME_CHARS: usize = 200;

/// Longest sentence beside a box, in characters.
const MAX_TEXT_CHARS: usize = 1_000;

/// Longest full wording of a consent, in characters.
const MAX_DETAIL_CHARS: usize = 20_000;

/// Longest address of a hub, in characters.
const MAX_HUB_CHARS: usize = 200;

/// Highest version of a document or of a wording, so that every version fits a 32-bit column.
const MAX_VERSION: u64 = i32::MAX.cast_unsigned() as u64;

/// One thing that is wrong with a campaign document.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct CampaignMistake {
    /// Where: the path inside the document, `consents[1].text.en`; empty for the document as a whole.
    pub at: String,
    /// What is wrong, and what to do.
    pub what: String,
}

impl CampaignMistake {
    pub(crate) fn new(at: impl Into<String>, what: impl Into<String>) -> Self {
        Self { at: at.into(), what: what.into() }
    }
}

impl fmt::Display for CampaignMistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = if self.at.is_empty() { "the document" } else { &self.at };
        write!(f, "{at} {}", self.what)
    }
}

impl Campaign {
    /// Reads a document that somebody wrote, strictly: unknown fields are mistakes, too.
    ///
    /// # Errors
    /// Every mistake, in the order of the document's fields; of a text that is not JSON, the line.
    pub fn read_strictly(json: &str) -> Result<Self, Vec<CampaignMistake>> {
        if json.len() > MAX_CAMPAIGN_BYTES {
            let what = format!("has {} bytes; devices take at most {MAX_CAMPAIGN_BYTES}", json.len());
            return Err(vec![CampaignMistake::new("", what)]);
        }
        let value: Value = serde_json::from_str(json).map_err(|error| {
            vec![CampaignMistake::new("", format!("is not JSON: {error}. Mend that line first"))]
        })?;
        let mistakes = mistakes_in(&value);
        if !mistakes.is_empty() {
            return Err(mistakes);
        }
        let mut json = serde_json::Deserializer::from_str(json);
        serde_path_to_error::deserialize(&mut json)
            .map_err(|error| vec![CampaignMistake::new(error.path().to_string(), error.inner().to_string())])
    }

    /// Every mistake of this document by itself.
    pub fn mistakes(&self) -> Vec<CampaignMistake> {
        match serde_json::to_value(self) {
            Ok(value) => mistakes_in(&value),
            Err(error) => vec![CampaignMistake::new("", format!("cannot be written as JSON: {error}"))],
        }
    }
}

fn mistakes_in(document: &Value) -> Vec<CampaignMistake> {
    let mut check = Check { mistakes: Vec::new(), languages: Vec::new(), is_every_language: false };
    check.document(document);
    check.mistakes
}

/// A check on its way through a document.
struct Check {
    mistakes: Vec<CampaignMistake>,
    /// The languages that every text must have.
    languages: Vec<String>,
    /// Whether these are all: of texts in others, nothing is said where the list itself must be mended.
    is_every_language: bool,
}

/// An object with the path at which it stands.
struct Object<'v> {
    at: String,
    fields: &'v Map<String, Value>,
}

impl<'v> Object<'v> {
    fn path(&self, key: &str) -> String {
        if self.at.is_empty() { key.to_owned() } else { format!("{}.{key}", self.at) }
    }

    fn get(&self, key: &str) -> Option<&'v Value> {
        self.fields.get(key)
    }
}

impl Check {
    fn document(&mut self, document: &Value) {
        const KNOWN: [&str; 11] = [
            "id",
            "version",
            "name",
            "timeZone",
            "languages",
            "phonePlan",
            "fields",
            "requireOneOf",
            "consents",
            "sessionGraceHours",
            "hubs",
        ];
        let Some(document) = self.object("", document, &KNOWN) else { return };
        self.required(&document, "id", Self::id);
        self.required(&document, "version", Self::version_number);
        self.required(&document, "languages", Self::languages);
        self.required(&document, "name", |check, at, value| check.texts(at, value, MAX_NAME_CHARS));
        self.required(&document, "timeZone", Self::time_zone);
        if let Some(plan) = document.get("phonePlan") {
            self.phone_plan("phonePlan", plan);
        }
        self.required(&document, "fields", Self::form_fields);
        if let Some(required) = document.get("requireOneOf") {
            self.require_one_of(required, document.get("fields"));
        }
        self.required(&document, "consents", Self::consents);
        if let Some(hours) = document.get("sessionGraceHours") {
            self.number("sessionGraceHours", hours, 0..=Campaign::MAX_SESSION_GRACE_HOURS.into());
        }
        if let Some(hubs) = document.get("hubs") {
            self.hubs("hubs", hubs);
        }
    }

    fn hubs(&mut self, at: &str, value: &Value) {
        let mut seen = BTreeSet::new();
        for (at, hub) in self.list(at, value) {
            let Some(hub) = self.text(&at, hub, MAX_HUB_CHARS) else { continue };
            if !is_origin(hub) {
                self.wrong(&at, "is no address of a hub; write it as https://hub-1.local:8443, in small letters and without a / at its end");
            } else if !seen.insert(hub) {
                self.wrong(&at, "stands in the list already; remove one of them");
            }
        }
        if value.as_array().is_some_and(|hubs| hubs.len() > Campaign::MAX_HUBS) {
            self.wrong(
                at,
                format!("names more than {} hubs; devices would ask too often", Campaign::MAX_HUBS),
            );
        }
    }

    fn languages(&mut self, at: &str, value: &Value) {
        let mut seen = BTreeSet::new();
        for (at, language) in self.list(at, value) {
            let Some(language) = self.text(&at, language, Entry::MAX_CONSENT_TEXT_BYTES) else { continue };
            if !is_language(language) {
                self.wrong(&at, "is no language tag; write it as pl, en or pt-BR");
            } else if !seen.insert(language) {
                self.wrong(&at, "stands in the list already; remove one of them");
            } else {
                self.languages.push(language.to_owned());
            }
        }
        if value.as_array().is_some_and(Vec::is_empty) {
            self.wrong(at, "is empty; name at least one language, the form's default first");
        }
        self.is_every_language =
            !seen.is_empty() && value.as_array().map(Vec::len) == Some(self.languages.len());
    }

    fn time_zone(&mut self, at: &str, value: &Value) {
        let Some(name) = self.text(at, value, Entry::MAX_CONSENT_TEXT_BYTES) else { return };
        if TimeZoneDatabase::bundled().get(name).is_err() {
            self.wrong(at, "is no time zone of the IANA database; write it as Europe/Warsaw");
        }
    }

    fn phone_plan(&mut self, at: &str, value: &Value) {
        let Some(plan) = self.object(at, value, &["callingCode", "nationalDigits"]) else { return };
        let mut code_digits = None;
        self.required(&plan, "callingCode", |check, at, value| {
            let Some(code) = check.text(at, value, Phone::MAX_DIGITS) else { return };
            let is_code = (1..=3).contains(&code.len())
                && !code.starts_with('0')
                && code.bytes().all(|byte| byte.is_ascii_digit());
            if is_code {
                code_digits = Some(code.len());
            } else {
                check.wrong(
                    at,
                    "is no country calling code; write its 1 to 3 digits without the plus sign, as 48",
                );
            }
        });
        self.required(&plan, "nationalDigits", |check, at, value| {
            let Some(digits) = check.number(at, value, 1..=Phone::MAX_DIGITS as u64) else { return };
            let whole = code_digits.map(|code| code as u64 + digits);
            if let Some(whole) =
                whole.filter(|whole| !(Phone::MIN_DIGITS as u64..=Phone::MAX_DIGITS as u64).contains(whole))
            {
                let (min, max) = (Phone::MIN_DIGITS, Phone::MAX_DIGITS);
                let what = format!(
                    "makes numbers of {whole} digits with the calling code; telephone numbers have {min} to {max}. In Poland it is 9"
                );
                check.wrong(at, what);
            }
        });
    }

    fn form_fields(&mut self, at: &str, value: &Value) {
        let mut seen = BTreeSet::new();
        for (at, field) in self.list(at, value) {
            let Some(field) = self.object(&at, field, &["id", "required"]) else { continue };
            self.required(&field, "id", |check, at, value| {
                let Some(id) = check.field_id(at, value) else { return };
                if !seen.insert(id) {
                    check.wrong(at, "stands in the form already; remove one of them");
                }
            });
            self.optional_flag(&field, "required");
        }
        if value.as_array().is_some_and(Vec::is_empty) {
            self.wrong(at, "is empty; a form asks for something");
        }
    }

    fn require_one_of(&mut self, value: &Value, fields: Option<&Value>) {
        let asked: Vec<&str> = fields
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(|field| field.get("id")?.as_str())
            .collect();
        for (at, id) in self.list("requireOneOf", value) {
            if let Some(id) = self.field_id(&at, id).filter(|id| !asked.contains(id)) {
                self.wrong(
                    &at,
                    format!("names {id}, which the form does not ask for; add it to fields or remove it"),
                );
            }
        }
    }

    fn field_id<'v>(&mut self, at: &str, value: &'v Value) -> Option<&'v str> {
        let id = self.text(at, value, Entry::MAX_CONSENT_TEXT_BYTES)?;
        if ContactFields::IDS.contains(&id) {
            return Some(id);
        }
        self.wrong(
            at,
            format!("is no field that a form can ask for; those are {}", ContactFields::IDS.join(", ")),
        );
        None
    }

    fn consents(&mut self, at: &str, value: &Value) {
        const KNOWN: [&str; 5] = ["id", "required", "textVersion", "text", "detail"];
        let mut seen = BTreeSet::new();
        let consents = self.list(at, value);
        if consents.len() > Entry::MAX_CONSENTS {
            self.wrong(
                at,
                format!("has {} consents; a lead carries at most {}", consents.len(), Entry::MAX_CONSENTS),
            );
        }
        for (at, consent) in consents {
            let Some(consent) = self.object(&at, consent, &KNOWN) else { continue };
            self.required(&consent, "id", |check, at, value| {
                check.id(at, value);
                if value.as_str().is_some_and(|id| !seen.insert(id)) {
                    check.wrong(at, "is the id of another consent already; give each its own");
                }
            });
            self.optional_flag(&consent, "required");
            self.required(&consent, "textVersion", Self::version_number);
            self.required(&consent, "text", |check, at, value| check.texts(at, value, MAX_TEXT_CHARS));
            // Without any, the sentence beside the box is the whole wording.
            if let Some(detail) = consent.get("detail").filter(|detail| **detail != Value::Object(Map::new()))
            {
                self.texts(&consent.path("detail"), detail, MAX_DETAIL_CHARS);
            }
        }
    }

    /// A text in each of the document's languages, and in no other.
    fn texts(&mut self, at: &str, value: &Value, max_chars: usize) {
        let Value::Object(texts) = value else {
            self.wrong(
                at,
                "must be an object with one text for each language, as {\"pl\": \"…\", \"en\": \"…\"}",
            );
            return;
        };
        for language in self.languages.clone() {
            if !texts.contains_key(&language) {
                self.wrong(
                    &format!("{at}.{language}"),
                    format!("is missing; write the text in {language}, or take {language} out of languages"),
                );
            }
        }
        for (language, text) in texts {
            let at = format!("{at}.{language}");
            self.text(&at, text, max_chars);
            if self.is_every_language && !self.languages.contains(language) {
                self.wrong(
                    &at,
                    format!("is in no language of the form; add {language} to languages or remove it"),
                );
            }
        }
    }

    fn id(&mut self, at: &str, value: &Value) {
        let Some(id) = self.text(at, value, usize::MAX) else { return };
        if let Err(error) = id.parse::<CampaignId>() {
            self.wrong(at, error.to_string());
        }
    }

    fn optional_flag(&mut self, object: &Object<'_>, key: &str) {
        if object.get(key).is_some_and(|value| !value.is_boolean()) {
            self.wrong(&object.path(key), "must be true or false, without quotes");
        }
    }

    fn version_number(&mut self, at: &str, value: &Value) {
        self.number(at, value, 1..=MAX_VERSION);
    }

    fn number(&mut self, at: &str, value: &Value, range: std::ops::RangeInclusive<u64>) -> Option<u64> {
        let number = value.as_u64().filter(|number| range.contains(number));
        if number.is_none() {
            self.wrong(
                at,
                format!("must be a whole number from {} to {}, without quotes", range.start(), range.end()),
            );
        }
        number
    }

    fn text<'v>(&mut self, at: &str, value: &'v Value, max_chars: usize) -> Option<&'v str> {
        let Value::String(text) = value else {
            self.wrong(at, "must be a text in quotes");
            return None;
        };
        if text.trim().is_empty() {
            self.wrong(at, "is empty; write something");
            return None;
        }
        if text.chars().any(|character| character.is_control() && character != '\n') {
            self.wrong(at, "holds a control character; remove it (a line break is \\n)");
            return None;
        }
        if text.chars().nth(max_chars).is_some() {
            self.wrong(at, format!("has more than {max_chars} characters; make it shorter"));
            return None;
        }
        Some(text)
    }

    fn list<'v>(&mut self, at: &str, value: &'v Value) -> Vec<(String, &'v Value)> {
        let Value::Array(items) = value else {
            self.wrong(at, "must be a list in square brackets");
            return Vec::new();
        };
        items.iter().enumerate().map(|(index, item)| (format!("{at}[{index}]"), item)).collect()
    }

    fn object<'v>(&mut self, at: &str, value: &'v Value, known: &[&str]) -> Option<Object<'v>> {
        let Value::Object(fields) = value else {
            self.wrong(at, format!("must be an object in curly brackets with {}", known.join(", ")));
            return None;
        };
        let object = Object { at: at.to_owned(), fields };
        for key in fields.keys().filter(|key| !known.contains(&key.as_str())) {
            self.wrong(
                &object.path(key),
                format!("is not known; check its spelling or remove it. Known here are {}", known.join(", ")),
            );
        }
        Some(object)
    }

    fn required<'v>(
        &mut self,
        object: &Object<'v>,
        key: &str,
        check: impl FnOnce(&mut Self, &str, &'v Value),
    ) {
        match object.get(key) {
            Some(value) => check(self, &object.path(key), value),
            None => self.wrong(&object.path(key), "is missing; add it"),
        }
    }

    fn wrong(&mut self, at: &str, what: impl Into<String>) {
        self.mistakes.push(CampaignMistake::new(at, what));
    }
}

/// Whether this is an HTTPS origin as browsers write it, but for a port that is the usual one.
fn is_origin(text: &str) -> bool {
    let Some(authority) = text.strip_prefix("https://") else { return false };
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (authority, None),
    };
    let is_port = |port: &str| port.parse::<u16>().is_ok_and(|number| number > 0 && number != 443);
    let is_name =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'-');
    let is_address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let is_host = match is_address {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => !host.is_empty() && host.bytes().all(is_name),
    };
    is_host && port.is_none_or(is_port)
}

/// A language tag as forms use them: a language of two or three letters, then a script or a region.
fn is_language(tag: &str) -> bool {
    let mut parts = tag.split('-');
    let language = parts.next().unwrap_or_default();
    (2..=3).contains(&language.len())
        && language.bytes().all(|byte| byte.is_ascii_lowercase())
        && parts.all(|part| {
            (2..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric())
        })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::SHOOTOUT_2026;

    fn demo_with(change: impl FnOnce(&mut Value)) -> String {
        let mut document: Value = serde_json::from_str(SHOOTOUT_2026).unwrap();
        change(&mut document);
        document.to_string()
    }

    fn places(json: &str) -> Vec<String> {
        Campaign::read_strictly(json).err().into_iter().flatten().map(|mistake| mistake.at).collect()
    }

    #[test]
    fn the_shipped_campaign_has_no_mistake() {
        let campaign = Campaign::read_strictly(SHOOTOUT_2026).unwrap();
        assert_eq!(
            (campaign.clone(), campaign.mistakes()),
            (Campaign::parse(SHOOTOUT_2026).unwrap(), vec![])
        );
    }

    #[test]
    fn each_mistake_is_named_with_its_place() {
        type Change = fn(&mut Value);
        let cases: [(Change, &str); 35] = [
            (|it| it["id"] = "a b".into(), "id"),
            (|it| it["version"] = 0.into(), "version"),
            (|it| it["version"] = "2".into(), "version"),
            (|it| it["timeZone"] = "Mars/Base".into(), "timeZone"),
            (|it| it["languages"] = json!([]), "languages"),
            (|it| it["languages"][1] = "polski!".into(), "languages[1]"),
            (|it| it["languages"][1] = "pl".into(), "languages[1]"),
            (|it| drop(it["name"].as_object_mut().unwrap().remove("en")), "name.en"),
            (|it| it["consents"][1]["text"]["en"] = " ".into(), "consents[1].text.en"),
            (
                |it| drop(it["consents"][2]["text"].as_object_mut().unwrap().remove("pl")),
                "consents[2].text.pl",
            ),
            (
                |it| drop(it["consents"][0]["detail"].as_object_mut().unwrap().remove("pl")),
                "consents[0].detail.pl",
            ),
            (|it| it["consents"][0]["text"]["de"] = "Ja".into(), "consents[0].text.de"),
            (|it| it["consents"][0]["text"]["pl"] = "a\u{0}".into(), "consents[0].text.pl"),
            (|it| it["consents"][1]["id"] = "terms".into(), "consents[1].id"),
            (|it| it["consents"][1]["textVersion"] = 1.5.into(), "consents[1].textVersion"),
            (|it| it["consents"][1]["required"] = "yes".into(), "consents[1].required"),
            (|it| it["consents"] = json!({}), "consents"),
            (|it| it["fields"][0]["id"] = "nickname".into(), "fields[0].id"),
            (|it| it["fields"][0]["id"] = "lastName".into(), "fields[1].id"),
            (|it| it["fields"][0]["requierd"] = true.into(), "fields[0].requierd"),
            (|it| drop(it["fields"].as_array_mut().unwrap().pop()), "requireOneOf[1]"),
            (|it| it["phonePlan"]["callingCode"] = "+48".into(), "phonePlan.callingCode"),
            (|it| it["phonePlan"]["nationalDigits"] = 14.into(), "phonePlan.nationalDigits"),
            (|it| it["phonePlan"]["nationalDigits"] = 3.into(), "phonePlan.nationalDigits"),
            (|it| it["sessionGraceHours"] = 169.into(), "sessionGraceHours"),
            (|it| it["sessionGraceHours"] = "12".into(), "sessionGraceHours"),
            (|it| it["hubs"] = json!(["http://hub-1.local"]), "hubs[0]"),
            (|it| it["hubs"] = json!(["https://hub-1.local/"]), "hubs[0]"),
            (|it| it["hubs"] = json!(["https://Hub-1.local"]), "hubs[0]"),
            (|it| it["hubs"] = json!(["https://ewa@hub-1.local"]), "hubs[0]"),
            (|it| it["hubs"] = json!(["https://hub-1.local:443"]), "hubs[0]"),
            (|it| it["hubs"] = json!(["https://a.local:8443", "https://a.local:8443"]), "hubs[1]"),
            (|it| it["hubs"] = (1..=9).map(|n| format!("https://hub-{n}.local")).collect(), "hubs"),
            (|it| it["timezone"] = "UTC".into(), "timezone"),
            (|it| drop(it.as_object_mut().unwrap().remove("timeZone")), "timeZone"),
        ];
        for (change, place) in cases {
            assert_eq!(places(&demo_with(change)), [place]);
        }
    }

    #[test]
    fn all_mistakes_are_named_at_once() {
        let rubbish = demo_with(|it| {
            it["timeZone"] = 7.into();
            it["fields"][1]["id"] = "shoeSize".into();
            it["consents"][1]["text"] = "Yes".into();
            it["colour"] = "orange".into();
        });
        assert_eq!(places(&rubbish), ["colour", "timeZone", "fields[1].id", "consents[1].text"]);
    }

    #[test]
    fn of_a_text_that_is_not_json_the_line_is_named() {
        let mistakes = Campaign::read_strictly("{\n  \"id\": \"a\",\n}").unwrap_err();
        assert!(mistakes[0].to_string().contains("line 3"), "{}", mistakes[0]);
        assert_eq!(places(&format!("\"{}\"", "x".repeat(MAX_CAMPAIGN_BYTES))), [""]);
        assert_eq!(places("[]"), [""]);
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            "\\PC{0,12}".prop_map(Value::from),
        ];
        leaf.prop_recursive(2, 8, 3, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
                prop::collection::btree_map("[a-z]{2}", inner, 0..3)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        /// A document without mistakes can be read; whatever stands anywhere in it, nothing panics.
        #[test]
        fn what_has_no_mistake_can_be_read(value in any_json(), place in 0..15_usize) {
            let pointers = [
                "/id", "/version", "/name", "/name/pl", "/timeZone", "/languages", "/phonePlan", "/fields/0",
                "/requireOneOf", "/consents/0", "/consents/0/text", "/consents/0/detail",
                "/sessionGraceHours", "/hubs", "/hubs/0",
            ];
            let json = demo_with(|it| {
                it["sessionGraceHours"] = 24.into();
                it["hubs"] = json!(["https://hub-1.local:8443", "https://[fe80::1]"]);
                *it.pointer_mut(pointers[place]).unwrap() = value;
            });
            let is_readable = Campaign::parse(&json).is_ok();
            match Campaign::read_strictly(&json) {
                Ok(campaign) => prop_assert!(is_readable && campaign.mistakes().is_empty()),
                Err(mistakes) => prop_assert!(mistakes.iter().all(|it| !it.what.contains("invalid type")), "{:?}", mistakes),
            }
        }
    }
}
