//! What the log says, as pure folds: no database, no clock, no runtime.
//!
//! The SQL projections and whoever folds a log in memory share these functions, so that no rule is written
//! twice:
//!
//! - [`LeadViews`]: each lead as people see it, the device's newest version with the office's changes on top,
//!   and [`contacts`], one function of the set of these views.
//! - [`Quarantine`]: refused submissions that nobody has dealt with.
//! - [`Devices`]: which sequence numbers of each device are here, and which are missing.
//!
//! Each fold is given every event of the log in order, passes over what does not concern it, and answers
//! [`Poison`](crate::Poison) about an event that it cannot understand; it then stays as it was.

mod contact;
mod device_sequences;
mod lead_change;
mod lead_view;
mod lead_views;
mod parse;
mod quarantine;
mod sequence_set;
mod shared_numbers;
mod withdrawal;

pub use contact::{Capture, Contact, ContactConsent, ContactKey, MAX_CONTACT_NAMES, Naming, contacts};
pub use device_sequences::{DeviceChange, DeviceSequences, Devices, Standing};
pub use lead_change::LeadChange;
pub use lead_view::{LeadState, LeadView};
pub use lead_views::LeadViews;
pub use quarantine::{Quarantine, QuarantineChange, Quarantined};
pub use sequence_set::{SequenceSet, SequenceSetError};
pub use shared_numbers::{SharedBy, SharedNumbers};
pub use withdrawal::Withdrawal;

pub(crate) use contact::merge_into;
pub(crate) use lead_view::email_key;
