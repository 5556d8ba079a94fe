//! Texts as cells that no spreadsheet takes for a formula.

use std::borrow::Cow;

/// A text that somebody chose. Spreadsheets run a cell that begins with `=`, `+`, `-`, `@`, a tab or a line break as a
/// formula (OWASP, "CSV Injection"); an apostrophe before it makes it a text again. White space before the sign
/// does not help against every program, so it counts too, and so do the full-width forms of the signs.
pub(crate) fn text(value: &str) -> Cow<'_, str> {
    let is_formula = value.starts_with(['\t', '\r', '\n'])
        || value.trim_start().starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠']);
    if is_formula { Cow::Owned(format!("'{value}")) } else { Cow::Borrowed(value) }
}

/// A text that may be missing.
pub(crate) fn optional(value: Option<&str>) -> Cow<'_, str> {
    value.map(text).unwrap_or_default()
}

/// A telephone number: E.164 has digits only after its plus sign, computes nothing, and stays exact. Anything else is a
/// text.
pub(crate) fn phone(value: &str) -> Cow<'_, str> {
    if is_e164(value) { Cow::Borrowed(value) } else { text(value) }
}

fn is_e164(phone: &str) -> bool {
    phone.strip_prefix('+').is_some_and(|digits| {
        (1..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_is_a_formula() {
        for formula in [
            "=1+1",
            "+1",
            "-1",
            "@SUM(A1)",
            "\t=1",
            "\r=1",
            "\n=1",
            " =1",
            "\u{a0}=1",
            "＝1",
            "=cmd|' /C calc'!A0",
        ] {
            assert_eq!(text(formula), format!("'{formula}"));
        }
        for plain in ["", "Anna", "O'Neil", "Żółć", "a=b", "1+1", "anna@example.com"] {
            assert_eq!(text(plain), plain);
        }
    }

    #[test]
    fn a_phone_stays_exact_and_nothing_else_passes_for_one() {
        assert_eq!(phone("+48501502503"), "+48501502503");
        for other in ["+", "+1+1", "+48 501", "+1234567890123456", "=1", "+\u{661}"] {
            assert_eq!(phone(other), format!("'{other}"));
        }
    }
}
