//! A moment with the offset of the place where it was taken.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use time::{OffsetDateTime, UtcOffset};

mod rfc3339;

/// A moment with its UTC offset, in RFC 3339 on the wire (`2026-05-23T14:03:11.12+02:00`).
///
/// Two timestamps are equal when they name the same moment, whatever their offsets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime, example = "2026-05-23T14:03:11.12+02:00"))]
pub struct Timestamp(OffsetDateTime);

/// The text is not an RFC 3339 date and time with an offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be an RFC 3339 date and time with an offset, such as 2026-05-23T14:03:11.120+02:00")]
pub struct TimestampError;

impl Timestamp {
    /// The beginning of 1970.
    pub const UNIX_EPOCH: Self = Self::new(OffsetDateTime::UNIX_EPOCH);

    /// From milliseconds since 1970-01-01T00:00:00Z and an offset in minutes east of Greenwich.
    ///
    /// # Errors
    /// When the moment lies outside the years 0 to 9999, or the offset is a day or more: RFC 3339 has no way to write it.
    pub fn from_unix_ms(unix_ms: i64, offset_minutes: i32) -> Result<Self, TimestampError> {
        let offset_seconds = offset_minutes.checked_mul(60).ok_or(TimestampError)?;
        let offset = UtcOffset::from_whole_seconds(offset_seconds).map_err(|_| TimestampError)?;
        // Counted to the local time at once: `time` moves a moment by way of its calendar, at a kilobyte.
        let local_seconds = unix_ms.div_euclid(1000).saturating_add(offset_seconds.into());
        let local = OffsetDateTime::from_unix_timestamp(local_seconds)
            .ok()
            .and_then(|local| local.replace_millisecond(u16::try_from(unix_ms.rem_euclid(1000)).ok()?).ok())
            .map(|local| local.replace_offset(offset))
            .filter(|local| (0..=9999).contains(&local.year()) && offset.whole_hours().unsigned_abs() < 24);
        local.map(Self).ok_or(TimestampError)
    }

    /// Wraps a moment that the caller read from its clock.
    pub const fn new(moment: OffsetDateTime) -> Self {
        Self(moment)
    }

    /// The moment inside.
    pub const fn moment(self) -> OffsetDateTime {
        self.0
    }

    /// Seconds since 1970-01-01T00:00:00Z, rounded down.
    pub const fn unix_seconds(self) -> i64 {
        self.0.unix_timestamp()
    }

    /// Minutes east of Greenwich at the place where it was taken.
    pub const fn offset_minutes(self) -> i16 {
        self.0.offset().whole_minutes()
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&rfc3339::write(self.0).ok_or(fmt::Error)?)
    }
}

impl FromStr for Timestamp {
    type Err = TimestampError;

    fn from_str(text: &str) -> Result<Self, TimestampError> {
        // A moment near year 0 or 9999 can leave the printable years when it is moved to UTC.
        rfc3339::read(text)
            .filter(|moment| (1..=9998).contains(&moment.year()))
            .map(Self)
            .ok_or(TimestampError)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_moment_and_the_offset_through_text() {
        let taken = Timestamp::from_unix_ms(1_779_537_791_120, 120).unwrap();
        assert_eq!(taken.to_string(), "2026-05-23T14:03:11.12+02:00");
        let read: Timestamp = taken.to_string().parse().unwrap();
        assert_eq!((read, read.offset_minutes()), (taken, 120));
    }

    #[test]
    fn refuses_what_has_no_offset_or_no_meaning() {
        for bad in
            ["", "2026-05-23", "2026-05-23T14:03:11", "2026-13-01T00:00:00Z", "0000-01-01T00:00:00+10:00"]
        {
            assert_eq!(bad.parse::<Timestamp>(), Err(TimestampError), "{bad:?}");
        }
        assert_eq!(Timestamp::from_unix_ms(i64::MAX, 0), Err(TimestampError));
        for minutes in [i32::MAX, 24 * 60, -24 * 60] {
            assert_eq!(Timestamp::from_unix_ms(0, minutes), Err(TimestampError), "{minutes}");
        }
    }
}
