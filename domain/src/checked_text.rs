//! Texts of which not every one is a value: checked when they are made, wherever they come from.

/// Whether it is written in hexadecimal digits, as this program writes them.
pub(crate) fn is_hex(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
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
