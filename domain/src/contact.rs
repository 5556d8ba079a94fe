//! Who the person is: as typed, and as validated.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Email, ErrorCode, FieldError, PersonName, Phone, PhonePlan};

/// The four fields as they travel: text, each of which may be missing. Prints redacted.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", default)]
pub struct ContactFields {
    /// First name.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(example = "Anna", max_length = 100))]
    pub first_name: Option<String>,
    /// Last name.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(example = "Nowak", max_length = 100))]
    pub last_name: Option<String>,
    /// E-mail address.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(example = "anna@example.com", max_length = 254))]
    pub email: Option<String>,
    /// Telephone number, E.164 when this program made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(example = "+48501502503"))]
    pub phone: Option<String>,
}

impl ContactFields {
    /// The ids that fields can have.
    pub const IDS: [&'static str; 4] = ["firstName", "lastName", "email", "phone"];

    /// The field with this id, as typed.
    pub fn get(&self, field: &str) -> Option<&str> {
        match field {
            "firstName" => self.first_name.as_deref(),
            "lastName" => self.last_name.as_deref(),
            "email" => self.email.as_deref(),
            "phone" => self.phone.as_deref(),
            _ => None,
        }
    }

    /// These fields, and where one is missing that of `other`.
    #[must_use]
    pub fn or(self, other: &Self) -> Self {
        Self {
            first_name: self.first_name.or_else(|| other.first_name.clone()),
            last_name: self.last_name.or_else(|| other.last_name.clone()),
            email: self.email.or_else(|| other.email.clone()),
            phone: self.phone.or_else(|| other.phone.clone()),
        }
    }

    /// Whether something was typed into the field with this id.
    pub fn is_given(&self, field: &str) -> bool {
        self.get(field).is_some_and(|typed| !typed.trim().is_empty())
    }
}

/// What the person in front of the form typed and ticked.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", from = "FlatForm")]
pub struct LeadForm {
    /// The four fields.
    #[serde(flatten)]
    pub contact: ContactFields,
    /// Ids of the consents that are ticked.
    pub consents: Vec<String>,
    /// Language of the form, BCP 47.
    pub language: String,
}

/// A form as it is read. To read `flatten` itself, serde buffers values of every type, which a device would
/// have to download.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct FlatForm {
    first_name: Option<String>,
    last_name: Option<String>,
    email: Option<String>,
    phone: Option<String>,
    consents: Vec<String>,
    language: String,
}

impl From<FlatForm> for LeadForm {
    fn from(form: FlatForm) -> Self {
        let FlatForm { first_name, last_name, email, phone, consents, language } = form;
        Self { contact: ContactFields { first_name, last_name, email, phone }, consents, language }
    }
}

/// The four fields, each valid if it was given. Prints redacted, because its parts do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Contact {
    /// First name.
    pub first_name: Option<PersonName>,
    /// Last name.
    pub last_name: Option<PersonName>,
    /// E-mail address.
    pub email: Option<Email>,
    /// Telephone number.
    pub phone: Option<Phone>,
}

impl Contact {
    /// Reads every field that was given; blank counts as not given. Which fields must be given is the
    /// campaign's business, see [`crate::Campaign::check`].
    ///
    /// # Errors
    /// One error per field that has not the form it must have.
    pub fn parse(fields: &ContactFields, plan: &PhonePlan) -> Result<Self, Vec<FieldError>> {
        let mut errors = Vec::new();
        let contact = Self {
            first_name: given("firstName", &fields.first_name, PersonName::parse, &mut errors),
            last_name: given("lastName", &fields.last_name, PersonName::parse, &mut errors),
            email: given("email", &fields.email, Email::parse, &mut errors),
            phone: given("phone", &fields.phone, |typed| Phone::parse(typed, plan), &mut errors),
        };
        if errors.is_empty() { Ok(contact) } else { Err(errors) }
    }

    /// The fields in their normal forms, as a device writes them into an entry.
    pub fn fields(&self) -> ContactFields {
        ContactFields {
            first_name: self.first_name.as_ref().map(|name| name.as_str().to_owned()),
            last_name: self.last_name.as_ref().map(|name| name.as_str().to_owned()),
            email: self.email.as_ref().map(|email| email.as_str().to_owned()),
            phone: self.phone.as_ref().map(|phone| phone.as_str().to_owned()),
        }
    }
}

fn given<T>(
    field: &str,
    typed: &Option<String>,
    parse: impl FnOnce(&str) -> Result<T, ErrorCode>,
    errors: &mut Vec<FieldError>,
) -> Option<T> {
    match parse(typed.as_deref()?) {
        Ok(value) => Some(value),
        Err(ErrorCode::Required) => None,
        Err(code) => {
            errors.push(FieldError::new(field, code));
            None
        }
    }
}

impl fmt::Debug for ContactFields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ContactFields(…)")
    }
}

impl fmt::Debug for LeadForm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LeadForm(…)")
    }
}
