//! When a withdrawn consent counts as given again.

use domain::{CLOCK_TOLERANCE_SECONDS, ConsentGrant, Timestamp};
use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

/// That a person has withdrawn a consent, and when last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Withdrawal {
    /// The consent.
    pub id: String,
    /// When the person withdrew it, by the store's clock.
    pub withdrawn_at: Timestamp,
}

/// What is known about the clock by which a grant was noted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Noted {
    /// How far the device's clock was ahead of a store's, in milliseconds, if that was known.
    pub(super) clock_offset_ms: Option<i64>,
    /// When the store recorded the version that lists the grant.
    pub(super) recorded_at: OffsetDateTime,
}

/// Whether the grant was given after the withdrawal beyond doubt: clearly later, by more than clocks may differ,
/// even if the device's clock is still as far ahead as it was last known to be; and not later than the store
/// recorded it, which only a wrong clock can say.
///
/// Everything in doubt stays withdrawn. The grant is then asked for once more; a mail to somebody who has
/// withdrawn cannot be taken back.
pub(super) fn is_given_again(grant: &ConsentGrant, noted: Noted, withdrawn_at: Timestamp) -> bool {
    let tolerance = Duration::seconds(CLOCK_TOLERANCE_SECONDS);
    let ahead = Duration::milliseconds(noted.clock_offset_ms.unwrap_or(0).max(0));
    let granted_at = grant.granted_at.moment();
    let (Some(earliest), Some(withdrawn_until), Some(recorded_by)) = (
        granted_at.checked_sub(ahead),
        withdrawn_at.moment().checked_add(tolerance),
        noted.recorded_at.checked_add(tolerance),
    ) else {
        // Times at the end of the calendar.
        return false;
    };
    earliest > withdrawn_until && granted_at <= recorded_by
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        format!("2026-05-23T{text}Z").parse().unwrap()
    }

    fn given_again(granted_at: &str, clock_offset_ms: Option<i64>, recorded_at: &str) -> bool {
        let grant = ConsentGrant {
            id: "marketing-email".into(),
            text_version: 1,
            language: "pl".into(),
            granted_at: at(granted_at),
        };
        let noted = Noted { clock_offset_ms, recorded_at: at(recorded_at).moment() };
        is_given_again(&grant, noted, at("12:00:00"))
    }

    #[test]
    fn only_a_grant_that_is_later_beyond_doubt_counts() {
        assert!(given_again("12:05:01", None, "13:00:00"));
        assert!(!given_again("11:00:00", None, "13:00:00"), "before");
        assert!(!given_again("12:05:00", None, "13:00:00"), "so soon that clocks may differ");
        assert!(!given_again("12:30:00", Some(30 * 60_000), "13:00:00"), "the device's clock was ahead");
        assert!(given_again("12:30:00", Some(-60 * 60_000), "13:00:00"));
        assert!(!given_again("12:30:00", None, "12:20:00"), "noted for later than it was recorded");
        assert!(!given_again("12:30:00", Some(i64::MAX), "13:00:00"));
    }

    #[test]
    fn times_at_the_end_of_the_calendar_are_in_doubt() {
        let end: Timestamp = "9998-12-31T23:59:59-23:00".parse().unwrap();
        let grant =
            ConsentGrant { id: "terms".into(), text_version: 1, language: "pl".into(), granted_at: end };
        let noted = Noted { clock_offset_ms: None, recorded_at: end.moment() };
        assert!(!is_given_again(&grant, noted, end));
    }
}
