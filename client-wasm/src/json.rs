//! Reads and writes JSON, and is small, because a device downloads it.
//!
//! What is read here either has its shape or does not; nobody is ever told why not. And nothing is compiled
//! per shape: what `serde` derives for one struct is a kilobyte or two, and this device reads and writes
//! twenty. An object is read field by field ([`Object`]) and written field by field ([`Fields`]); each field
//! costs a call. There are no floats on this device: a number is whole, or it is not read.
//!
//! What is JSON and what is not is decided as `serde_json` would; and written as it would; the tests
//! compare the two.

use std::fmt;

pub use object::{Object, items, text};
pub use writer::Fields;

mod object;
mod scanner;
pub mod writer;

/// The text is not JSON, or has not the shape that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unreadable;

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not JSON of the expected shape")
    }
}

impl std::error::Error for Unreadable {}

impl serde::de::Error for Unreadable {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self
    }
}

/// One JSON value as it stands in the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Raw<'a>(&'a str);

impl<'a> Raw<'a> {
    /// The value's text.
    pub const fn text(self) -> &'a str {
        self.0
    }
}

// proptest is for the native tests only.
#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests;
