//! One-time codes that let a device in: made here, shown once, kept as a digest.
//!
//! 128 random bits in Crockford's base 32: no letter that is taken for a digit, and people may type it in any case. A digest
//! without salt is enough: nobody guesses 128 bits, and a code is good for minutes.

use std::fmt;

use domain::CodeDigest;
use sha2::{Digest, Sha256};

use crate::command::hex;
use crate::secret::{self, SecretError};

const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const RANDOM_BYTES: usize = 16;

/// 128 bits, 5 in each.
const CHARS: usize = 26;

/// People read and type them in groups, of which the first has one more.
const GROUP_CHARS: usize = 5;

/// A code that was just made. It is not kept; prints redacted.
pub struct NewCode(String);

impl NewCode {
    pub(crate) fn make() -> Result<Self, SecretError> {
        let mut random = [0; RANDOM_BYTES];
        secret::fill(&mut random)?;
        Ok(Self(encode(u128::from_be_bytes(random))))
    }

    /// The code itself, for the one time that it is shown: `7K3QF0-XW2A9-…`.
    pub fn reveal(&self) -> String {
        let (first, others) = self.0.split_at(CHARS % GROUP_CHARS + GROUP_CHARS);
        let others = others.as_bytes().chunks(GROUP_CHARS).map(String::from_utf8_lossy);
        std::iter::once(first.into()).chain(others).collect::<Vec<_>>().join("-")
    }

    pub(crate) fn digest(&self) -> Option<CodeDigest> {
        digest_of(&self.0)
    }
}

impl fmt::Debug for NewCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NewCode(…)")
    }
}

/// The digest of a code as somebody typed it; `None` when it is no code.
pub fn digest_of(typed: &str) -> Option<CodeDigest> {
    let mut code = String::with_capacity(CHARS);
    for char in typed.chars().filter(|char| !char.is_whitespace() && *char != '-') {
        let char = match char.to_ascii_uppercase() {
            'O' => '0',
            'I' | 'L' => '1',
            other => other,
        };
        if code.len() == CHARS || !u8::try_from(char).is_ok_and(|byte| ALPHABET.contains(&byte)) {
            return None;
        }
        code.push(char);
    }
    if code.len() != CHARS {
        return None;
    }
    hex(&Sha256::digest(code.as_bytes())).parse().ok()
}

fn encode(bits: u128) -> String {
    let digit = |place: usize| {
        let shift = 5 * (CHARS - 1 - place);
        char::from(ALPHABET[(bits >> shift & 31) as usize])
    };
    (0..CHARS).map(digit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_read_however_people_type_it() {
        let code = NewCode::make().unwrap();
        let shown = code.reveal();
        assert_eq!((shown.len(), shown.matches('-').count()), (30, 4), "{shown}");
        let digest = code.digest();
        assert!(digest.is_some());
        for typed in [shown.clone(), shown.to_lowercase(), shown.replace('-', " "), format!(" {shown}\n")] {
            assert_eq!(digest_of(&typed), digest, "{typed}");
        }
        assert_eq!(digest_of(&shown.replace('0', "o").replace('1', "l")), digest);
        for no_code in ["", "7K3QF", &shown[1..], &format!("{shown}0"), &shown.replace('-', "ą"), "U"] {
            assert_eq!(digest_of(no_code), None, "{no_code}");
        }
        assert!(!format!("{code:?}").contains(&shown));
    }

    #[test]
    fn every_bit_counts() {
        assert_eq!(encode(0), "0".repeat(26));
        assert_eq!(encode(u128::MAX), format!("7{}", "Z".repeat(25)));
        let distinct: std::collections::BTreeSet<String> = (0..128).map(|bit| encode(1 << bit)).collect();
        assert_eq!(distinct.len(), 128);
    }
}
