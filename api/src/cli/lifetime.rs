//! Spans of time on the command line: `15m`, `24h`, `2d`.

use std::time::Duration;

use jiff::SignedDuration;

/// Reads a span that is not negative. A day has 24 hours.
pub(super) fn parse(text: &str) -> Result<Duration, String> {
    let days = text.strip_suffix('d').and_then(|days| days.parse::<u32>().ok());
    let span = match days {
        Some(days) => Ok(SignedDuration::from_hours(i64::from(days) * 24)),
        None => text.parse::<SignedDuration>(),
    };
    let span = span.ok().and_then(|span| Duration::try_from(span).ok());
    span.ok_or_else(|| "must be a span of time such as 15m, 24h or 2d".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_has_a_unit_and_is_not_negative() {
        for (text, seconds) in
            [("0s", 0), ("90s", 90), ("15m", 900), ("1h 30m", 5400), ("24h", 86_400), ("2d", 172_800)]
        {
            assert_eq!(parse(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for bad in ["", "24", "-1h", "1 fortnight", "1h ago", "99999999999d"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
