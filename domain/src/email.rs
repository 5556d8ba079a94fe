//! E-mail addresses, and the key by which two of them are the same person's.

use std::fmt;

use email_address::{EmailAddress, Options};

use crate::ErrorCode;

/// An address that a mail could be sent to: RFC 5321 form, a domain with a dot, no display name, no
/// address literal.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Email(String);

/// The normal form of an e-mail address. Two leads of one campaign with the same key are one contact.
///
/// It is the whole address in lower case. Dots and `+tags` stay: providers treat them differently, and
/// merging two people into one contact is worse than calling one person twice.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EmailKey(String);

impl Email {
    /// Longest address that SMTP can carry, in bytes (RFC 5321, section 4.5.3.1.3).
    pub const MAX_BYTES: usize = 254;

    /// Reads an address as typed; white space around it is dropped.
    ///
    /// # Errors
    /// [`ErrorCode::Required`], [`ErrorCode::TooLong`], [`ErrorCode::UnstorableText`] or
    /// [`ErrorCode::Malformed`].
    pub fn parse(typed: &str) -> Result<Self, ErrorCode> {
        let address = typed.trim();
        if address.is_empty() {
            return Err(ErrorCode::Required);
        }
        if address.chars().any(char::is_control) {
            return Err(ErrorCode::UnstorableText);
        }
        if address.len() > Self::MAX_BYTES {
            return Err(ErrorCode::TooLong);
        }
        let form = Options::default().with_required_tld().without_display_text().without_domain_literal();
        let parsed = EmailAddress::parse_with_options(address, form).map_err(|_| ErrorCode::Malformed)?;
        // The last label is never a number (RFC 3696, section 2), and the crate lets labels end in a hyphen.
        let labels_are_names =
            parsed.domain().split('.').all(|label| !label.starts_with('-') && !label.ends_with('-'));
        let tld_is_name =
            parsed.domain().rsplit('.').next().is_some_and(|tld| {
                tld.chars().count() >= 2 && !tld.bytes().all(|byte| byte.is_ascii_digit())
            });
        if labels_are_names && tld_is_name { Ok(Self(address.to_owned())) } else { Err(ErrorCode::Malformed) }
    }

    /// The address as typed, trimmed.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The normal form that contacts are deduplicated by.
    pub fn key(&self) -> EmailKey {
        EmailKey(self.0.to_lowercase())
    }
}

impl EmailKey {
    /// The normal form.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Email(…)")
    }
}

impl fmt::Debug for EmailKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EmailKey(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_people_type() {
        for good in
            ["anna@example.com", " Anna.Nowak+3x3@Example.co.uk ", "ala@żółw.pl", "o'neil@example.org"]
        {
            assert!(Email::parse(good).is_ok(), "{good}");
        }
        for bad in [
            "anna",
            "anna@",
            "@example.com",
            "anna@example",
            "anna@@example.com",
            "anna@exa mple.com",
            "Anna <anna@example.com>",
            "anna@[127.0.0.1]",
            "anna@example.c",
            "anna@1.2.3.4",
            "anna@-example.com",
            "anna@example..com",
            "anna,@example.com",
            "anna@example.com,",
        ] {
            assert_eq!(Email::parse(bad).map(|_| ()), Err(ErrorCode::Malformed), "{bad}");
        }
        assert_eq!(Email::parse("  ").map(|_| ()), Err(ErrorCode::Required));
        assert_eq!(Email::parse("a\0@example.com").map(|_| ()), Err(ErrorCode::UnstorableText));
        assert_eq!(
            Email::parse(&format!("{}@example.com", "a".repeat(300))).map(|_| ()),
            Err(ErrorCode::TooLong)
        );
    }

    #[test]
    fn one_person_has_one_key() {
        let key = |typed| Email::parse(typed).unwrap().key();
        assert_eq!(key("ANNA@Example.com"), key(" anna@example.com"));
        assert_ne!(key("anna+1@example.com"), key("anna@example.com"));
    }
}
