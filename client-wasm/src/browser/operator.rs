//! Who captures: the person who holds the device.

use super::device::Device;
use super::idb::StorageError;
use crate::json::{Fields, Object};

/// Setting that holds the name.
pub(super) const OPERATOR: &str = "operator";

/// Longest name, in characters; a store takes no more.
const MAX_OPERATOR_CHARS: usize = domain::Entry::MAX_OPERATOR_CHARS;

/// The person that the setting names.
pub(super) fn operator_of(setting: &str) -> Option<String> {
    Object::read(setting)?.text("name").filter(|name| !name.is_empty())
}

impl Device {
    /// Another person captures from here on; an empty name is nobody's.
    ///
    /// # Errors
    /// When the disk does not keep it; the name holds until the page goes.
    pub async fn hand_over(&self, name: &str) -> Result<(), StorageError> {
        let name: String = name.trim().chars().take(MAX_OPERATOR_CHARS).collect();
        let name = Some(name).filter(|name| !name.is_empty());
        let mut it = Fields::new();
        it.text("name", name.as_deref().unwrap_or_default());
        *self.operator.borrow_mut() = name;
        self.db.put_setting(OPERATOR, &it.end()).await
    }
}
