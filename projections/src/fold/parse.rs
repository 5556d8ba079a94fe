//! Reading the JSON of events.

use std::borrow::Cow;

use event_store::RecordedEvent;
use serde::Deserialize;
use time::OffsetDateTime;

use crate::Poison;

/// The payload in the form of today.
pub(super) fn current_payload(event: &RecordedEvent) -> Result<Cow<'_, str>, Poison> {
    event.current_payload().map_err(|unknown| Poison::new(unknown.to_string()))
}

/// Reads JSON; the reason names the field and the place, not the value.
pub(super) fn parse<'a, T: Deserialize<'a>>(json: &'a str, part: &str) -> Result<T, Poison> {
    let mut deserializer = serde_json::Deserializer::from_str(json);
    serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let (line, column) = (error.inner().line(), error.inner().column());
        Poison::new(format!("{part}: {} is not readable at line {line} column {column}", error.path()))
    })
}

/// The moment in whole microseconds, because that is what PostgreSQL keeps, and orders must be the same before
/// and after.
pub(super) fn in_microseconds(moment: OffsetDateTime) -> OffsetDateTime {
    // Never fails: it only makes the nanoseconds smaller.
    moment.replace_nanosecond(moment.nanosecond() / 1_000 * 1_000).unwrap_or(moment)
}

/// A text without the white space around it; none when nothing is left.
pub(super) fn trimmed(typed: Option<&str>) -> Option<String> {
    typed.map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned)
}
