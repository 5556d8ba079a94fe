//! Telephone numbers in E.164.

use std::fmt;

use crate::{ErrorCode, PhonePlan};

/// A telephone number in E.164: a plus sign and 8 to 15 digits.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Phone(String);

impl Phone {
    /// Most digits that a number has (ITU-T E.164, section 6.2.1).
    pub const MAX_DIGITS: usize = 15;
    /// Fewest digits of a number that is accepted, with its country code.
    pub const MIN_DIGITS: usize = 8;

    /// Reads a number as typed. Spaces, hyphens, dots, slashes and brackets are decoration. A number
    /// without `+` or `00` is one of the campaign's country, with or without its calling code.
    ///
    /// # Errors
    /// [`ErrorCode::Required`], [`ErrorCode::TooLong`] or [`ErrorCode::Malformed`].
    pub fn parse(typed: &str, plan: &PhonePlan) -> Result<Self, ErrorCode> {
        let typed = typed.trim();
        if typed.is_empty() {
            return Err(ErrorCode::Required);
        }
        if typed.chars().nth(Self::MAX_DIGITS * 3).is_some() {
            return Err(ErrorCode::TooLong);
        }
        let plain: String = typed.chars().filter(|c| !is_decoration(*c)).collect();
        let international = plain.strip_prefix('+').or_else(|| plain.strip_prefix("00"));
        let digits = match international {
            Some(digits) => digits.to_owned(),
            None if plain.len() == plan.national_digits => format!("{}{plain}", plan.calling_code),
            None if plain.len() == plan.national_digits + plan.calling_code.len()
                && plain.starts_with(&plan.calling_code) =>
            {
                plain
            }
            None => return Err(ErrorCode::Malformed),
        };
        let well_formed = digits.bytes().all(|byte| byte.is_ascii_digit())
            && !digits.starts_with('0')
            && (Self::MIN_DIGITS..=Self::MAX_DIGITS).contains(&digits.len())
            && plan.allows_length_of(&digits);
        if well_formed { Ok(Self(format!("+{digits}"))) } else { Err(ErrorCode::Malformed) }
    }

    /// Whether the text has the normal form already: a plus sign, then digits.
    pub fn is_e164(text: &str) -> bool {
        text.strip_prefix('+')
            .is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()))
    }

    /// The number, `+48501502503`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PhonePlan {
    /// `48/9`: the calling code and the number of digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.calling_code, self.national_digits)
    }
}

impl PhonePlan {
    /// Reads what its `Display` wrote.
    pub fn from_text(text: &str) -> Option<Self> {
        let (calling_code, national_digits) = text.split_once('/')?;
        let is_code = !calling_code.is_empty() && calling_code.bytes().all(|byte| byte.is_ascii_digit());
        let national_digits = national_digits.parse().ok()?;
        is_code.then(|| Self { calling_code: calling_code.to_owned(), national_digits })
    }

    /// A number with the campaign's own calling code must have the length that its country's have; of
    /// other countries nothing is known.
    fn allows_length_of(&self, digits: &str) -> bool {
        digits
            .strip_prefix(self.calling_code.as_str())
            .is_none_or(|national| national.len() == self.national_digits)
    }
}

fn is_decoration(c: char) -> bool {
    c.is_whitespace() || matches!(c, '-' | '.' | '/' | '(' | ')' | '\u{2010}'..='\u{2015}')
}

impl fmt::Debug for Phone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Phone(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_people_type() {
        let poland = PhonePlan::default();
        for typed in [
            "501502503",
            "501 502 503",
            "501-502-503",
            "+48 501 502 503",
            "0048501502503",
            "48501502503",
            "(50) 150.25.03",
        ] {
            assert_eq!(Phone::parse(typed, &poland).unwrap().as_str(), "+48501502503", "{typed}");
        }
        assert_eq!(Phone::parse("+380 44 123 45 67", &poland).unwrap().as_str(), "+380441234567");
        for bad in [
            "50150250",
            "5015025033",
            "+48 501 502 50",
            "abc",
            "+",
            "+0501502503",
            "501502503x",
            "+1234567890123456",
        ] {
            assert_eq!(Phone::parse(bad, &poland).map(|_| ()), Err(ErrorCode::Malformed), "{bad}");
        }
        assert_eq!(Phone::parse(&"5".repeat(10_000), &poland).map(|_| ()), Err(ErrorCode::TooLong));
    }
}
