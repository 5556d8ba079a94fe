//! Who brought an entry to a store, as the metadata of its event keep it.

use std::borrow::Cow;

use serde::Deserialize;

use crate::DeviceId;

/// Who brought an entry. What another brings says nothing about whether the installation that made it still lives, nor
/// about what else it holds: a backup, a hub and a released refusal bring entries of installations that are gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bearer {
    /// The installation that made it.
    Maker,
    /// Another installation, a hub, or nobody who gave a name.
    Other(Option<DeviceId>),
}

impl Bearer {
    /// Who brings what `maker` made, in a request of `sender`.
    pub fn of(maker: Option<&DeviceId>, sender: Option<&DeviceId>) -> Self {
        if sender.is_some() && maker == sender { Self::Maker } else { Self::Other(sender.cloned()) }
    }

    /// What the event's metadata say of it: nothing when it was the maker, so that the usual lead costs nothing; an
    /// empty text when nobody gave a name.
    pub fn metadata(&self) -> Option<(&'static str, String)> {
        let Self::Other(sender) = self else { return None };
        Some(("sender", sender.as_ref().map(DeviceId::to_string).unwrap_or_default()))
    }

    /// Whether the entry's own installation brought it, and so was heard with it.
    pub fn is_maker(&self) -> bool {
        *self == Self::Maker
    }
}

/// The counterpart of [`Bearer::metadata`]: reads it from the metadata of an event, whatever else is there.
impl<'de> Deserialize<'de> for Bearer {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Metadata<'m> {
            #[serde(borrow, default)]
            sender: Option<Cow<'m, str>>,
        }
        let Metadata { sender } = Metadata::deserialize(deserializer)?;
        Ok(sender.map_or(Self::Maker, |sender| Self::Other(sender.parse().ok())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_read_as_it_was_written() {
        let ids: [DeviceId; 2] = ["ipad-7", "hub-1"].map(|id| id.parse().unwrap());
        for bearer in [
            Bearer::of(Some(&ids[0]), Some(&ids[0])),
            Bearer::of(Some(&ids[0]), Some(&ids[1])),
            Bearer::of(Some(&ids[0]), None),
            Bearer::of(None, None),
        ] {
            let metadata = serde_json::Map::from_iter(
                bearer.metadata().map(|(key, value)| (key.to_owned(), value.into())),
            );
            let json = serde_json::Value::from(metadata).to_string();
            assert_eq!(serde_json::from_str::<Bearer>(&json).unwrap(), bearer, "{json}");
        }
        assert!(Bearer::of(Some(&ids[0]), Some(&ids[0])).is_maker());
        assert!(!Bearer::of(None, None).is_maker());
    }
}
