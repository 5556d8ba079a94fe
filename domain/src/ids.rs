//! Identifiers. Each is its own type, so that a device id can never stand where a lead id belongs.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

/// Why a text is not an identifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// Not a UUID.
    #[error("must be a UUID such as 0197f3c2-5c1e-7c3a-9d64-0242ac120002")]
    NotUuid,
    /// Empty, longer than 64 bytes, or with characters that need quoting somewhere.
    #[error("must be 1 to 64 characters out of A-Z, a-z, 0-9, '.', '_' and '-'")]
    NotToken,
    /// Not 16 hexadecimal digits.
    #[error("must be 16 hexadecimal digits")]
    NotHex,
}

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// Wraps a UUID that the caller made.
            pub const fn new(id: Uuid) -> Self {
                Self(id)
            }

            /// The UUID inside.
            pub const fn uuid(self) -> Uuid {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                Uuid::try_parse(text).map(Self).map_err(|_| IdError::NotUuid)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserialize_from_str(deserializer)
            }
        }
    };
}

uuid_id! {
    /// A lead: a UUIDv7 made on the device when it was saved. It is the idempotency key of everything
    /// that happens to this lead. Nothing relies on the clock inside it.
    ClientId
}

uuid_id! {
    /// One log in one PostgreSQL: the cloud, or a hub.
    StoreId
}

macro_rules! token_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                if is_token(text) { Ok(Self(text.to_owned())) } else { Err(IdError::NotToken) }
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserialize_from_str(deserializer)
            }
        }
    };
}

token_id! {
    /// One installation of the app on one device. Wiped storage starts a new one.
    DeviceId
}

token_id! {
    /// A campaign, for example `shootout-2026`.
    CampaignId
}

token_id! {
    /// A person or a script on the server's own machine, as the tokens that are issued there name it.
    AdminName
}

/// Names one append transaction. Random, so that two histories that diverged can be told apart even
/// when they have grown to the same length (lineage). On the wire it is 16 hexadecimal digits, because
/// JavaScript cannot hold 64 bits in a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(value_type = String, example = "5f0c9be2a1d47736"))]
pub struct AppendId(i64);

impl AppendId {
    /// From the 64 bits that the log stores.
    pub const fn from_bits(bits: i64) -> Self {
        Self(bits)
    }

    /// The 64 bits that the log stores.
    pub const fn bits(self) -> i64 {
        self.0
    }
}

impl fmt::Display for AppendId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl FromStr for AppendId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        if text.len() != 16 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(IdError::NotHex);
        }
        u64::from_str_radix(text, 16).map(|bits| Self(bits.cast_signed())).map_err(|_| IdError::NotHex)
    }
}

impl Serialize for AppendId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for AppendId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserialize_from_str(deserializer)
    }
}

fn is_token(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
}

fn deserialize_from_str<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr<Err = IdError>,
{
    let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
    text.parse().map_err(serde::de::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn append_id_keeps_all_64_bits_through_text() {
        for bits in [0, 1, -1, i64::MIN, i64::MAX] {
            let id = AppendId::from_bits(bits);
            assert_eq!(id.to_string().parse::<AppendId>(), Ok(id));
        }
        assert_eq!("+123456789abcdef".parse::<AppendId>(), Err(IdError::NotHex));
    }

    #[test]
    fn token_ids_refuse_what_would_need_quoting() {
        assert!("shootout-2026".parse::<CampaignId>().is_ok());
        for bad in ["", "a b", "ą", "a/b", "a\0", &"x".repeat(65)] {
            assert_eq!(bad.parse::<CampaignId>(), Err(IdError::NotToken), "{bad:?}");
        }
    }
}
