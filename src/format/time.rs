//! Times as logs write them. Each scanner takes the front of its input and says how much it took.
//!
//! By hand, since a general time parser costs five times as much and this runs once per event. `clock` is the
//! smallest; begin there.

mod anywhere;
mod iso;
mod named;
mod numeric;
mod pattern;

use super::Calendar;
pub use iso::{clf, compact, epoch, iso, rfc3339};
pub use named::{asctime, day_first, klog, month_first, rfc2822, rfc3164};
pub use numeric::{european, us};
pub use pattern::{Pattern, PatternPiece};

/// What a line says of its time. A year may be missing, and so may the offset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Parts {
    /// Year of the Gregorian calendar.
    pub year: Option<i64>,
    /// Month, from 1; 0 where there is only a time of day.
    pub month: u32,
    /// Day of the month, from 1.
    pub day: u32,
    /// Hour, 0..=23.
    pub hour: u32,
    /// Minute, 0..=59.
    pub minute: u32,
    /// Second, 0..=60.
    pub second: u32,
    /// Nanosecond within the second.
    pub ns: u32,
    /// Seconds east of UTC.
    pub offset_s: Option<i32>,
}

/// The forms of time that grammars can name.
#[derive(Clone, Debug)]
pub enum TimeForm {
    /// `10/Oct/2000:13:55:36 -0700`.
    Clf,
    /// `2024-05-06T07:08:09.123Z`: with `T` and zone (RFC 3339).
    Rfc3339,
    /// `2024-05-06 07:08:09,123` and relatives: `T` or blank, `-` or `/` or `.`, fraction or not, zone or not.
    Iso,
    /// `Oct 11 22:14:15` (RFC 3164), with a year before or after the time as some write it.
    Rfc3164,
    /// `Mon Dec 26 16:15:55.103786 2016`, as `asctime` and Apache's error log write it.
    Asctime,
    /// `26 Dec 2016 16:15:55.103` and `26 Dec 16:15:55.103`.
    DayFirst,
    /// `0517 15:04:22.619632` and `20210517 15:04:22.619632`.
    Klog,
    /// `20120702.102240,672`, `20120702T102240Z`.
    Compact,
    /// Seconds since 1970, with a fraction, or milli-, micro- or nanoseconds, told by the number of digits.
    Epoch,
    /// `Mon, 06 May 2024 07:08:09 GMT`, as mail and HTTP write it.
    Rfc2822,
    /// `May 6, 2024 7:08:09 AM`.
    MonthFirst,
    /// `5/6/2024 7:08:09 PM`: month, day, year.
    Us,
    /// `06.05.2024 07:08:09`, with dots, slashes or hyphens: day, month, year.
    European,
    /// The first time of any form that stands near the front of the text; takes none of it.
    Anywhere,
    /// `16:15:55.103`: the day is that of the reference, or the one before.
    Clock,
    /// A pattern of `strftime` fields.
    Pattern(Pattern),
}

impl TimeForm {
    /// The names of the forms, as grammars write them.
    pub const NAMES: [&str; 16] = [
        "clf",
        "rfc3339",
        "iso",
        "rfc3164",
        "asctime",
        "day_first",
        "klog",
        "compact",
        "epoch",
        "rfc2822",
        "month_first",
        "us",
        "european",
        "anywhere",
        "clock",
        "\"%Y…\"",
    ];

    /// The form of a name.
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "clf" => Self::Clf,
            "rfc3339" => Self::Rfc3339,
            "iso" => Self::Iso,
            "rfc3164" => Self::Rfc3164,
            "asctime" => Self::Asctime,
            "day_first" => Self::DayFirst,
            "klog" => Self::Klog,
            "compact" => Self::Compact,
            "epoch" => Self::Epoch,
            "rfc2822" => Self::Rfc2822,
            "month_first" => Self::MonthFirst,
            "us" => Self::Us,
            "european" => Self::European,
            "anywhere" => Self::Anywhere,
            "clock" => Self::Clock,
            _ => return None,
        })
    }

    /// Reads a time at the front: nanoseconds since the epoch, and the length of the text.
    #[inline]
    pub fn scan(&self, input: &[u8], calendar: &Calendar) -> Option<(i64, usize)> {
        let (parts, len) = match self {
            Self::Clf => return iso::clf_ns(input, calendar),
            Self::Rfc3339 => rfc3339(input)?,
            Self::Iso => iso(input)?,
            Self::Rfc3164 => rfc3164(input)?,
            Self::Asctime => asctime(input)?,
            Self::DayFirst => day_first(input)?,
            Self::Klog => klog(input)?,
            Self::Compact => compact(input)?,
            Self::Epoch => return epoch(input),
            Self::Rfc2822 => rfc2822(input)?,
            Self::MonthFirst => month_first(input)?,
            Self::Us => us(input)?,
            Self::European => european(input)?,
            Self::Anywhere => return anywhere::anywhere(input, calendar).map(|ns| (ns, 0)),
            Self::Clock => time_of_day(input)?,
            Self::Pattern(pattern) => return pattern.scan(input, calendar),
        };
        Some((calendar.unix_ns(&parts)?, len))
    }
}

/// The point in time that the whole of a text tells, in any of the common forms; a zone may stand behind it.
///
/// Three numbers with slashes are month, day and year, unless there is no such month; with dots or hyphens the day is
/// first.
pub fn whole(text: &[u8], calendar: &Calendar) -> Option<i64> {
    let forms = [
        TimeForm::Iso,
        TimeForm::Epoch,
        TimeForm::Clf,
        TimeForm::Asctime,
        TimeForm::Rfc3164,
        TimeForm::DayFirst,
        TimeForm::Compact,
        TimeForm::Rfc2822,
        TimeForm::MonthFirst,
        TimeForm::Us,
        TimeForm::European,
    ];
    let read = |form: &TimeForm| {
        let (ns, len) = form.scan(text, calendar)?;
        let rest = text.get(len..).filter(|rest| !rest.is_empty());
        let Some(rest) = rest else { return Some(ns) };
        let (offset_s, len) = offset(rest.strip_prefix(b" ")?)?;
        let there = Calendar { zone: super::Zone::Fixed(offset_s), reference: calendar.reference.clone() };
        (len + 1 == rest.len()).then(|| form.scan(text, &there)).flatten().map(|(ns, _)| ns)
    };
    forms.iter().find_map(read)
}

/// Two digits at `at`.
#[inline]
fn two(input: &[u8], at: usize) -> Option<u32> {
    let pair = input.get(at..at + 2)?;
    let (tens, ones) = (pair[0].wrapping_sub(b'0'), pair[1].wrapping_sub(b'0'));
    (tens < 10 && ones < 10).then_some(u32::from(tens) * 10 + u32::from(ones))
}

/// Four digits at `at`.
#[inline]
fn four(input: &[u8], at: usize) -> Option<i64> {
    Some(i64::from(two(input, at)? * 100 + two(input, at + 2)?))
}

/// `hh:mm:ss` at `at`, with an optional fraction after `.` or `,`; one past its end.
#[inline]
fn clock(input: &[u8], at: usize, parts: &mut Parts) -> Option<usize> {
    parts.hour = two(input, at)?;
    parts.minute = two(input, at + 3)?;
    parts.second = two(input, at + 6)?;
    if input[at + 2] != b':' || input[at + 5] != b':' {
        return None;
    }
    Some(fraction(input, at + 8, parts))
}

/// A time of day alone: the date is left for the calendar.
fn time_of_day(input: &[u8]) -> Option<(Parts, usize)> {
    let mut parts = Parts::default();
    let at = clock(input, 0, &mut parts)?;
    Some((parts, at))
}

/// An optional fraction of a second; digits past the ninth are dropped. A separator without digits stays.
#[inline]
fn fraction(input: &[u8], at: usize, parts: &mut Parts) -> usize {
    if !matches!(input.get(at), Some(b'.' | b',')) {
        return at;
    }
    let (mut end, mut scale, mut ns) = (at + 1, 100_000_000, 0);
    while let Some(digit) = input.get(end).map(|byte| byte.wrapping_sub(b'0')).filter(|&digit| digit < 10) {
        ns += u32::from(digit) * scale;
        scale /= 10;
        end += 1;
    }
    if end == at + 1 {
        return at;
    }
    parts.ns = ns;
    end
}

/// `Z`, `UTC`, `+hh:mm`, `+hhmm` or `+hh` at the front: seconds east of UTC and length.
#[inline]
pub fn offset(input: &[u8]) -> Option<(i32, usize)> {
    let sign = match input.first()? {
        b'+' => 1,
        b'-' => -1,
        b'Z' | b'z' => return Some((0, 1)),
        _ => return abbreviation(input),
    };
    let hours = two(input, 1)? as i32;
    let (minutes, len) = match input.get(3) {
        Some(b':') => (two(input, 4)? as i32, 6),
        Some(b'0'..=b'9') => (two(input, 3)? as i32, 5),
        _ => (0, 3),
    };
    (hours < 24 && minutes < 60).then_some((sign * (hours * 3600 + minutes * 60), len))
}

/// Names of zones that mean one thing nearly everywhere. An ambiguous one (`IST`, `CST` in China) is better
/// given as the option `zone`; those here are what servers in these zones print.
const ABBREVIATIONS: [(&[u8], i32); 24] = [
    (b"UTC", 0),
    (b"GMT", 0),
    (b"WEST", 60),
    (b"WET", 0),
    (b"CEST", 120),
    (b"CET", 60),
    (b"MESZ", 120),
    (b"MEZ", 60),
    (b"BST", 60),
    (b"EEST", 180),
    (b"EET", 120),
    (b"MSK", 180),
    (b"EST", -300),
    (b"EDT", -240),
    (b"CST", -360),
    (b"CDT", -300),
    (b"MST", -420),
    (b"MDT", -360),
    (b"PST", -480),
    (b"PDT", -420),
    (b"JST", 540),
    (b"KST", 540),
    (b"AEST", 600),
    (b"AEDT", 660),
];

fn abbreviation(input: &[u8]) -> Option<(i32, usize)> {
    let len = input.iter().take_while(|byte| byte.is_ascii_uppercase()).count();
    let name = input.get(..len)?;
    ABBREVIATIONS.iter().find(|(known, _)| *known == name).map(|(_, minutes)| (minutes * 60, len))
}

/// A month by its English name of three letters, in any case.
#[inline]
fn month(input: &[u8], at: usize) -> Option<u32> {
    let name = input.get(at..at + 3)?;
    Some(match &[name[0] | 0x20, name[1] | 0x20, name[2] | 0x20] {
        b"jan" => 1,
        b"feb" => 2,
        b"mar" => 3,
        b"apr" => 4,
        b"may" => 5,
        b"jun" => 6,
        b"jul" => 7,
        b"aug" => 8,
        b"sep" => 9,
        b"oct" => 10,
        b"nov" => 11,
        b"dec" => 12,
        _ => return None,
    })
}

/// Days since 1970-01-01 of a date that exists. Counted from 1 March of the 400-year era, where leap days fall
/// at the end of a year.
#[inline]
pub(super) fn days(year: i64, month: u32, day: u32) -> Option<i64> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let last = match month {
        2 => 28 + u32::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if day == 0 || day > last {
        return None;
    }
    let shifted_year = year - i64::from(month <= 2);
    let era = shifted_year.div_euclid(400);
    let year_of_era = shifted_year.rem_euclid(400);
    let shifted_month = i64::from((month + 9) % 12);
    let day_of_year = (153 * shifted_month + 2) / 5 + i64::from(day) - 1;
    Some(era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468)
}

/// The inverse of [`days`]: year, month, day.
pub(super) fn civil(days: i64) -> (i64, u32, u32) {
    let days = days + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 } as u32;
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, (day_of_year - (153 * shifted + 2) / 5 + 1) as u32)
}

#[cfg(test)]
mod tests;
