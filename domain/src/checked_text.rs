//! Texts of which not every one is a value: checked when they are made, wherever they come from.

/// Whether it is written in hexadecimal digits, as this program writes them.
pub(crate) fn is_hex(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Whether nobody sees it and no name is spelt with it: control characters, the format characters (Unicode category Cf) but
/// those that join letters, and letters that are blank. Two names may look the same all the same, as those of two alphabets do.
pub(crate) fn is_unseen(char: char) -> bool {
    char.is_control()
        || matches!(
            char,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{180e}' | '\u{200b}' | '\u{200e}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}'
        )
}

/// Makes a type around a `String` parse and deserialize the texts alone that pass a check.
macro_rules! checked_text {
    ($name:ident, $errors:ident, $error:ident, $is_one:expr) => {
        impl std::str::FromStr for $name {
            type Err = $errors;

            fn from_str(text: &str) -> Result<Self, $errors> {
                let is_one: fn(&str) -> bool = $is_one;
                if is_one(text) { Ok(Self(text.to_owned())) } else { Err($errors::$error) }
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str> as serde::Deserialize>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

pub(crate) use checked_text;
