//! RFC 3339, read and written as `time` does.
//!
//! A device downloads this code, and `time`'s own is five times the size: it knows every format there is. The
//! tests compare the two.

use time::{Date, Month, OffsetDateTime, Time, UtcOffset};

/// What stands in for the second that is put in at the end of some months (23:59:60 UTC).
const LEAP_SECOND_NANOS: u32 = 999_999_999;

/// Reads a moment with its offset; any one byte may stand between date and time.
pub(super) fn read(text: &str) -> Option<OffsetDateTime> {
    let mut it = Reader(text.as_bytes());
    let year = it.number(4)?;
    it.expect(b'-')?;
    let month = it.number(2)?;
    it.expect(b'-')?;
    let day = it.number(2)?;
    it.byte()?;
    let hour = it.number(2)?;
    it.expect(b':')?;
    let minute = it.number(2)?;
    it.expect(b':')?;
    let second = it.number(2)?;
    let nanos = it.fraction()?;
    let offset = it.offset()?;
    if !it.0.is_empty() {
        return None;
    }
    let is_leap = second == 60;
    let (second, nanos) = if is_leap { (59, LEAP_SECOND_NANOS) } else { (second, nanos) };
    let month = Month::try_from(u8::try_from(month).ok()?).ok()?;
    let date = Date::from_calendar_date(year.cast_signed(), month, u8::try_from(day).ok()?).ok()?;
    let (hour, minute) = (u8::try_from(hour).ok()?, u8::try_from(minute).ok()?);
    let time = Time::from_hms_nano(hour, minute, u8::try_from(second).ok()?, nanos).ok()?;
    let moment = OffsetDateTime::new_in_offset(date, time, offset);
    (!is_leap || ends_a_month(moment)).then_some(moment)
}

/// Writes it; `None` where the format has no way: a year that has not four digits, an offset with seconds or of a day
/// and more.
pub(super) fn write(moment: OffsetDateTime) -> Option<String> {
    let year = u32::try_from(moment.year()).ok().filter(|year| *year <= 9_999)?;
    let (offset_hours, offset_minutes, offset_seconds) = moment.offset().as_hms();
    if offset_seconds != 0 || offset_hours.unsigned_abs() > 23 {
        return None;
    }
    let mut text = String::with_capacity("2026-05-23T14:03:11.120000000+02:00".len());
    push(&mut text, year, 4);
    text.push('-');
    push(&mut text, u8::from(moment.month()).into(), 2);
    text.push('-');
    push(&mut text, moment.day().into(), 2);
    text.push('T');
    push(&mut text, moment.hour().into(), 2);
    text.push(':');
    push(&mut text, moment.minute().into(), 2);
    text.push(':');
    push(&mut text, moment.second().into(), 2);
    if moment.nanosecond() > 0 {
        text.push('.');
        push(&mut text, moment.nanosecond(), 9);
        text.truncate(text.trim_end_matches('0').len());
    }
    if moment.offset().is_utc() {
        text.push('Z');
    } else {
        text.push(if moment.offset().is_negative() { '-' } else { '+' });
        push(&mut text, offset_hours.unsigned_abs().into(), 2);
        text.push(':');
        push(&mut text, offset_minutes.unsigned_abs().into(), 2);
    }
    Some(text)
}

fn push(text: &mut String, number: u32, digits: u32) {
    for place in (0..digits).rev() {
        text.extend(char::from_digit(number / 10_u32.pow(place) % 10, 10));
    }
}

fn ends_a_month(moment: OffsetDateTime) -> bool {
    let utc = OffsetDateTime::from_unix_timestamp(moment.unix_timestamp());
    utc.is_ok_and(|utc| (utc.hour(), utc.minute()) == (23, 59) && utc.day() == utc.month().length(utc.year()))
}

/// What is not read yet.
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        (self.byte()? == byte).then_some(())
    }

    fn digit(&mut self) -> Option<u32> {
        char::from(self.byte()?).to_digit(10)
    }

    fn number(&mut self, digits: usize) -> Option<u32> {
        (0..digits).try_fold(0, |number, _| Some(number * 10 + self.digit()?))
    }

    /// Nanoseconds; digits behind the ninth are passed over.
    fn fraction(&mut self) -> Option<u32> {
        if self.0.first() != Some(&b'.') {
            return Some(0);
        }
        self.byte()?;
        let mut place = 100_000_000;
        let mut nanos = self.digit()? * place;
        while self.0.first().is_some_and(u8::is_ascii_digit) {
            place /= 10;
            nanos += self.digit()? * place;
        }
        Some(nanos)
    }

    fn offset(&mut self) -> Option<UtcOffset> {
        let sign = match self.byte()? {
            b'Z' | b'z' => return Some(UtcOffset::UTC),
            b'+' => 1,
            b'-' => -1,
            _ => return None,
        };
        let hours = self.number(2).filter(|hours| *hours <= 23)?;
        self.expect(b':')?;
        let minutes = self.number(2).filter(|minutes| *minutes <= 59)?;
        UtcOffset::from_whole_seconds(sign * (hours * 3_600 + minutes * 60).cast_signed()).ok()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use time::format_description::well_known::Rfc3339;

    use super::*;

    fn agrees(text: &str) -> Result<(), TestCaseError> {
        let theirs = OffsetDateTime::parse(text, &Rfc3339).ok();
        let ours = read(text);
        prop_assert_eq!(ours, theirs, "{:?}", text);
        prop_assert_eq!(ours.map(OffsetDateTime::offset), theirs.map(OffsetDateTime::offset), "{:?}", text);
        Ok(())
    }

    #[test]
    fn corners_of_the_format() {
        for text in [
            "",
            "2026-05-23T14:03:11.120+02:00",
            "2026-05-23 14:03:11z",
            "2026-05-23\u{e9}14:03:11Z",
            "2026-05-23\u{0}14:03:11-00:00",
            "2026-05-23T14:03:11.Z",
            "2026-05-23T14:03:11.0123456789123Z",
            "2026-05-23T14:03:11+23:59",
            "2026-05-23T14:03:11-24:00",
            "2026-05-23T14:03:11+02:60",
            "2026-05-23T14:03:11+0200",
            "2026-05-23T14:03:11Z ",
            "2026-05-23T24:00:00Z",
            "2026-02-29T00:00:00Z",
            "2024-02-29T00:00:00Z",
            "2026-12-31T23:59:60Z",
            "2026-12-31T23:59:60.5Z",
            "2027-01-01T00:59:60+01:00",
            "2026-12-30T23:59:60Z",
            "2026-12-31T22:59:60Z",
            "2026-12-31T23:59:61Z",
            "0000-01-01T00:00:00Z",
            "9999-12-31T23:59:59.999999999-23:59",
            "+2026-05-23T14:03:11Z",
        ] {
            agrees(text).unwrap();
        }
    }

    proptest! {
        #[test]
        fn a_moment_is_written_as_time_would_and_read_as_time_would(
            seconds in -62_300_000_000_i64..253_500_000_000, nanos in prop_oneof![Just(0), 0_u32..1_000_000_000],
            offset in prop_oneof![(-1_559_i32..=1_559).prop_map(|minutes| minutes * 60), -93_599_i32..=93_599],
            at in any::<prop::sample::Index>(), byte in 0_u8..128,
        ) {
            let offset = UtcOffset::from_whole_seconds(offset).unwrap();
            let moment = OffsetDateTime::from_unix_timestamp(seconds).ok().and_then(|it| it.checked_to_offset(offset));
            let Some(moment) = moment.and_then(|it| it.replace_nanosecond(nanos).ok()) else { return Ok(()) };
            let written = moment.format(&Rfc3339).ok();
            prop_assert_eq!(write(moment), written.clone());
            let Some(mut text) = written else { return Ok(()) };
            agrees(&text)?;
            let at = at.index(text.len());
            text.replace_range(at..=at, &char::from(byte).to_string());
            agrees(&text)?;
        }
    }
}
