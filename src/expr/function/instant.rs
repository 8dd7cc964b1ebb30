//! Time stamps as text, read by hand: the forms that come with every event.

use super::scan;

/// A reading of a clock, and how far that is from UTC where the text says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    /// Seconds since 1970-01-01T00:00:00 by that clock.
    pub(super) seconds: i64,
    /// Nanoseconds of the second.
    pub(super) nanos: u32,
    /// Seconds east of UTC.
    pub(super) offset: Option<i32>,
}

impl Stamp {
    /// Nanoseconds since 1970 in UTC; without an offset the clock is taken to show UTC.
    pub(super) fn nanoseconds(self) -> Option<i64> {
        let seconds = self.seconds - i64::from(self.offset.unwrap_or(0));
        seconds.checked_mul(1_000_000_000)?.checked_add(i64::from(self.nanos))
    }
}

/// `date-time` (RFC 3339 §5.6), also with a blank for `T`, a comma for the point, `+hhmm` or `+hh`, without seconds,
/// without offset, or the date alone.
pub(super) fn rfc3339(text: &[u8]) -> Option<Stamp> {
    let mut at = Reader { text, at: 0 };
    let year = at.digits(4)?;
    at.byte(b"-")?;
    let month = at.digits(2)?;
    at.byte(b"-")?;
    let day = at.digits(2)?;
    let date = days(year, month, day)? * 86_400;
    if at.rest().is_empty() {
        return Some(Stamp { seconds: date, nanos: 0, offset: None });
    }
    at.byte(b"Tt ")?;
    let (hour, minute) = (at.digits(2)?, at.byte(b":").and_then(|()| at.digits(2))?);
    let second = match at.byte(b":") {
        Some(()) => at.digits(2)?,
        None => 0,
    };
    let nanos = match at.byte(b".,") {
        Some(()) => at.fraction()?,
        None => 0,
    };
    at.skip_blank();
    let offset = at.offset()?;
    let seconds = date + time_of_day(hour, minute, second)?;
    at.rest().is_empty().then_some(Stamp { seconds, nanos, offset })
}

/// `10/Oct/2000:13:55:36 -0700`, as web servers write it (NCSA common log format).
pub(super) fn clf(text: &[u8]) -> Option<Stamp> {
    const MONTHS: [&[u8; 3]; 12] =
        [b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"];
    let mut at = Reader { text, at: 0 };
    let day = at.digits(2)?;
    at.byte(b"/")?;
    let name = at.rest().get(..3)?;
    let month = MONTHS.iter().position(|month| *month == name)? as i64 + 1;
    at.at += 3;
    at.byte(b"/")?;
    let year = at.digits(4)?;
    at.byte(b":")?;
    let hour = at.digits(2)?;
    at.byte(b":")?;
    let minute = at.digits(2)?;
    at.byte(b":")?;
    let second = at.digits(2)?;
    at.skip_blank();
    let offset = at.offset()?;
    let seconds = days(year, month, day)? * 86_400 + time_of_day(hour, minute, second)?;
    at.rest().is_empty().then_some(Stamp { seconds, nanos: 0, offset })
}

/// A number of units of so many nanoseconds since 1970, with or without a fraction.
pub(super) fn unix(text: &str, unit: i64) -> Option<i64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    // Billionths of a unit, as whole nanoseconds.
    let part = (i128::from(scan::nanoseconds(fraction)) * i128::from(unit) / 1_000_000_000) as i64;
    let whole_ns = whole.parse::<i64>().ok()?.checked_mul(unit)?;
    if whole.starts_with('-') { whole_ns.checked_sub(part) } else { whole_ns.checked_add(part) }
}

struct Reader<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a [u8] {
        self.text.get(self.at..).unwrap_or(&[])
    }

    fn byte(&mut self, any: &[u8]) -> Option<()> {
        let found = self.rest().first().is_some_and(|byte| any.contains(byte));
        self.at += usize::from(found);
        found.then_some(())
    }

    fn skip_blank(&mut self) {
        while self.byte(b" ").is_some() {}
    }

    fn digits(&mut self, count: usize) -> Option<i64> {
        let digits = self.rest().get(..count)?;
        self.at += count;
        let digit = |all: i64, byte: &u8| byte.is_ascii_digit().then(|| all * 10 + i64::from(byte - b'0'));
        digits.iter().try_fold(0, digit)
    }

    /// At least one digit; below a nanosecond they are cut.
    fn fraction(&mut self) -> Option<u32> {
        let rest = self.rest();
        let len = rest.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(rest.len());
        let digits = std::str::from_utf8(rest.get(..len)?).ok()?;
        self.at += len;
        (len > 0).then(|| scan::nanoseconds(digits))
    }

    /// `time-offset`, or nothing at the end of the text.
    fn offset(&mut self) -> Option<Option<i32>> {
        if self.rest().is_empty() {
            return Some(None);
        }
        if self.byte(b"Zz").is_some() {
            return Some(Some(0));
        }
        let west = self.rest().first() == Some(&b'-');
        self.byte(b"+-")?;
        let hours = self.digits(2)?;
        let minutes = match (self.byte(b":"), self.rest().is_empty()) {
            (None, true) => 0,
            _ => self.digits(2)?,
        };
        if hours > 23 || minutes > 59 {
            return None;
        }
        let seconds = (hours * 3600 + minutes * 60) as i32;
        Some(Some(if west { -seconds } else { seconds }))
    }
}

/// Seconds since midnight. A leap second counts as the one before it, as in POSIX.
fn time_of_day(hour: i64, minute: i64, second: i64) -> Option<i64> {
    (hour < 24 && minute < 60 && second <= 60).then(|| hour * 3600 + minute * 60 + second.min(59))
}

/// Days from 1970-01-01 to a date of the proleptic Gregorian calendar, counted in eras of 400 years that begin on
/// 1 March, where leap days fall at the end of a year.
fn days(year: i64, month: i64, day: i64) -> Option<i64> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let longest = match month {
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        1..=12 => 31,
        _ => return None,
    };
    if !(1..=longest).contains(&day) {
        return None;
    }
    let year = year - i64::from(month <= 2);
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let shifted = (month + 9) % 12;
    let day_of_year = (153 * shifted + 2) / 5 + day - 1;
    Some(era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every form that is read gives what jiff reads from the same point in time.
    #[test]
    fn forms_of_a_time_stamp() {
        let table = [
            ("2024-02-29T12:34:56Z", Some("2024-02-29T12:34:56Z")),
            ("2024-02-29 12:34:56.123456789+01:30", Some("2024-02-29T11:04:56.123456789Z")),
            ("2024-02-29T12:34:56,5 -0800", Some("2024-02-29T20:34:56.5Z")),
            ("2024-02-29T12:34+02", Some("2024-02-29T10:34:00Z")),
            ("2024-02-29", Some("2024-02-29T00:00:00Z")),
            ("1969-12-31T23:59:59.999Z", Some("1969-12-31T23:59:59.999Z")),
            ("1900-03-01T00:00:00Z", Some("1900-03-01T00:00:00Z")),
            ("2016-12-31T23:59:60Z", Some("2016-12-31T23:59:59Z")),
            ("2023-02-29T00:00:00Z", None),
            ("2024-13-01T00:00:00Z", None),
            ("2024-01-01T24:00:00Z", None),
            ("2024-01-01T00:00:00.Z", None),
            ("2024-01-01T00:00:00Zx", None),
            ("9999-01-01T00:00:00Z", None),
            ("2024-01-01T", None),
            ("", None),
        ];
        for (text, expected) in table {
            let expected = expected.map(|text| {
                let time: jiff::Timestamp = text.parse().expect("a time stamp");
                time.as_nanosecond() as i64
            });
            assert_eq!(rfc3339(text.as_bytes()).and_then(Stamp::nanoseconds), expected, "{text}");
        }
    }

    #[test]
    fn seconds_with_a_fraction() {
        assert_eq!(unix("1.5", 1_000_000_000), Some(1_500_000_000));
        assert_eq!(unix("-1.5", 1_000_000_000), Some(-1_500_000_000));
        assert_eq!(unix("-0.25", 1_000_000_000), Some(-250_000_000));
        assert_eq!(unix("1714550400123.25", 1_000_000), Some(1_714_550_400_123_250_000));
        assert_eq!(unix("12.9", 1), Some(12));
        assert_eq!(unix("1.x", 1), None);
        assert_eq!(unix("99999999999999", 1_000_000_000), None);
    }
}
