//! Entries as raw text: the digest that says whether two are the same, and what no store could keep.

use std::fmt;

use sha2::{Digest as _, Sha256};

use crate::{ErrorCode, FieldError};

/// Largest entry that is accepted, in bytes. A real one has about 600.
pub const MAX_ENTRY_BYTES: usize = 16 * 1024;

/// Deepest nesting of arrays and objects that is accepted. A real entry has 3.
pub const MAX_ENTRY_DEPTH: usize = 16;

/// SHA-256 of the bytes of an entry: "the same bytes" means an equal digest.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest([u8; 32]);

impl Digest {
    /// Digest of an entry as received.
    pub fn of(raw: &str) -> Self {
        Self(Sha256::digest(raw.as_bytes()).into())
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut hex = [0_u8; 64];
        for (pair, byte) in hex.chunks_exact_mut(2).zip(self.0) {
            pair[0] = DIGITS[usize::from(byte >> 4)];
            pair[1] = DIGITS[usize::from(byte & 15)];
        }
        f.write_str(std::str::from_utf8(&hex).map_err(|_| fmt::Error)?)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

/// Refuses a JSON text that a store could not keep or read back: too large, too deep, or with a string
/// that PostgreSQL cannot hold (U+0000, half a surrogate pair). Unknown fields count too, because they are
/// kept. `raw` must be one syntactically valid JSON value.
pub(crate) fn check_storable(raw: &str) -> Result<(), FieldError> {
    let whole = |code, detail: String| Err(FieldError::new("", code).with_detail(detail));
    if raw.len() > MAX_ENTRY_BYTES {
        return whole(ErrorCode::TooLong, format!("an entry has at most {MAX_ENTRY_BYTES} bytes"));
    }
    if depth(raw) > MAX_ENTRY_DEPTH {
        return whole(ErrorCode::TooLong, format!("an entry is at most {MAX_ENTRY_DEPTH} levels deep"));
    }
    // JSON text cannot hold U+0000 or a lone surrogate but as an escape, and escapes are rare: only then
    // is it worth to decode every string.
    if raw.contains("\\u") {
        let value = serde_json::from_str(raw);
        if value.is_err() || value.is_ok_and(|value| holds_nul(&value)) {
            return whole(
                ErrorCode::UnstorableText,
                "a text holds U+0000 or half of a surrogate pair".to_owned(),
            );
        }
    }
    Ok(())
}

fn depth(json: &str) -> usize {
    let (mut depth, mut deepest, mut in_string, mut escaped) = (0_usize, 0, false, false);
    for byte in json.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

fn holds_nul(value: &serde_json::Value) -> bool {
    match value {
        serde_json::Value::String(text) => text.contains('\0'),
        serde_json::Value::Array(items) => items.iter().any(holds_nul),
        serde_json::Value::Object(fields) => {
            fields.iter().any(|(key, value)| key.contains('\0') || holds_nul(value))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_is_sha_256_of_the_bytes() {
        // FIPS 180-4 example "abc".
        assert_eq!(
            Digest::of("abc").to_string(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }

    #[test]
    fn what_postgresql_could_not_keep_is_refused_wherever_it_stands() {
        let code = |raw: &str| check_storable(raw).err().map(|error| error.code);
        for bad in
            [r#"{"a":"\u0000"}"#, r#"{"a":[{"\u0000":1}]}"#, r#"{"unknown":"\ud800"}"#, r#"["\udc00\ud800"]"#]
        {
            assert_eq!(code(bad), Some(ErrorCode::UnstorableText), "{bad}");
        }
        for good in [r#"{"a":"\\u0000"}"#, r#"{"a":"\ud83c\udfc0"}"#, r#"{"a":"[[[[[[[[[[[[[[[[[[[["}"#, "{}"]
        {
            assert_eq!(code(good), None, "{good}");
        }
        assert_eq!(code(&format!("{}{}", "[".repeat(17), "]".repeat(17))), Some(ErrorCode::TooLong));
        assert_eq!(code(&format!("\"{}\"", "x".repeat(MAX_ENTRY_BYTES))), Some(ErrorCode::TooLong));
    }
}
