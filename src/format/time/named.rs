//! Times with the name of a month: syslog, `asctime`, Redis, and klog's month without a name.

use super::{Parts, clock, four, iso, month, numeric, offset, two};

/// `TIMESTAMP = Mmm dd hh:mm:ss` (RFC 3164 §4.1.2), day padded with a blank. As found in the wild also with a
/// fraction, with one blank before a single digit, and with a year before the time (Cisco) or after it.
pub fn rfc3164(input: &[u8]) -> Option<(Parts, usize)> {
    let mut parts = Parts { month: month(input, 0)?, ..Parts::default() };
    let mut at = blanks(input, 3)?;
    (parts.day, at) = one_or_two(input, at)?;
    at = blanks(input, at)?;
    if input.get(at + 4) == Some(&b' ') {
        parts.year = Some(year(input, at)?);
        at += 5;
    }
    at = clock(input, at, &mut parts)?;
    if parts.year.is_none()
        && input.get(at) == Some(&b' ')
        && !input.get(at + 5).is_some_and(|next| !matches!(next, b' ' | b':' | b']'))
        && let Some(year) = year(input, at + 1)
    {
        parts.year = Some(year);
        at += 5;
    }
    Some((parts, at))
}

/// `Mon Dec 26 16:15:55.103786 2016`; a zone may stand before the year (`UTC 2016`).
pub fn asctime(input: &[u8]) -> Option<(Parts, usize)> {
    if !input.get(..3)?.iter().all(u8::is_ascii_alphabetic) {
        return None;
    }
    let at = blanks(input, 3)?;
    let mut parts = Parts { month: month(input, at)?, ..Parts::default() };
    let at = blanks(input, at + 3)?;
    let (day, at) = one_or_two(input, at)?;
    parts.day = day;
    let at = blanks(input, at)?;
    let mut at = clock(input, at, &mut parts)?;
    if matches!(input.get(at + 1), Some(b'A' | b'P')) {
        at = iso::half(input, at, &mut parts);
    }
    if let Some((offset_s, len)) = input.get(at + 1..).and_then(offset)
        && input.get(at + 1 + len) == Some(&b' ')
    {
        parts.offset_s = Some(offset_s);
        at += 1 + len;
    }
    if input.get(at) != Some(&b' ') {
        return None;
    }
    parts.year = Some(four(input, at + 1)?);
    Some((parts, at + 5))
}

/// `26 Dec 2016 16:15:55.103`, and without the year as old Redis writes it; `26-Dec-2016` as well.
pub fn day_first(input: &[u8]) -> Option<(Parts, usize)> {
    let (day, at) = one_or_two(input, 0)?;
    let separator = *input.get(at)?;
    if !matches!(separator, b' ' | b'-' | b'/') {
        return None;
    }
    let mut parts = Parts { day, month: month(input, at + 1)?, ..Parts::default() };
    let mut at = at + 4;
    if input.get(at) == Some(&separator)
        && let Some(year) = year(input, at + 1)
        && matches!(input.get(at + 5), Some(b' ' | b'T'))
    {
        parts.year = Some(year);
        at += 5;
    }
    let mut at = clock(input, at + 1, &mut parts)?;
    if input.get(at) == Some(&b' ')
        && matches!(input.get(at + 1), Some(b'+' | b'-'))
        && let Some((offset_s, len)) = input.get(at + 1..).and_then(offset)
        && len == 5
    {
        parts.offset_s = Some(offset_s);
        at += 6;
    }
    Some((parts, at))
}

/// `Mon, 06 May 2024 07:08:09 GMT` (RFC 5322 §3.3, and HTTP's date), `Monday, 06-May-24 07:08:09 UTC` (RFC 850).
pub fn rfc2822(input: &[u8]) -> Option<(Parts, usize)> {
    let name = input.iter().take(10).take_while(|byte| byte.is_ascii_alphabetic()).count();
    if !(3..=9).contains(&name) || input.get(name) != Some(&b',') {
        return None;
    }
    let at = blanks(input, name + 1)?;
    let (day, at) = one_or_two(input, at)?;
    let separator = *input.get(at).filter(|byte| matches!(byte, b' ' | b'-'))?;
    let month = month(input, at + 1)?;
    if input.get(at + 4) != Some(&separator) {
        return None;
    }
    let (year, at) = match four(input, at + 5) {
        Some(year) => (year, at + 9),
        None => (numeric::short_year(two(input, at + 5)?), at + 7),
    };
    numeric::time_behind(input, at, Parts { year: Some(year), month, day, ..Parts::default() })
}

/// `May 6, 2024 7:08:09 AM` (`java.util.logging`), `May 06 2024 07:08`, `6 May 2024` the other way round.
pub fn month_first(input: &[u8]) -> Option<(Parts, usize)> {
    let month = month(input, 0)?;
    let name = input.iter().take(10).take_while(|byte| byte.is_ascii_alphabetic()).count();
    let (day, at) = one_or_two(input, blanks(input, name)?)?;
    let at = blanks(input, at + usize::from(input.get(at) == Some(&b',')))?;
    let year = year(input, at)?;
    numeric::time_behind(input, at + 4, Parts { year: Some(year), month, day, ..Parts::default() })
}

/// `0517 15:04:22.619632`: month and day (klog, glog), or with the year before them.
pub fn klog(input: &[u8]) -> Option<(Parts, usize)> {
    let mut parts = Parts::default();
    let mut at = 0;
    if input.get(8) == Some(&b' ') {
        parts.year = Some(four(input, 0)?);
        at = 4;
    }
    (parts.month, parts.day) = (two(input, at)?, two(input, at + 2)?);
    if input.get(at + 4) != Some(&b' ') {
        return None;
    }
    let at = clock(input, at + 5, &mut parts)?;
    Some((parts, at))
}

/// A year of four digits that a log can be from.
fn year(input: &[u8], at: usize) -> Option<i64> {
    four(input, at).filter(|year| (1970..2200).contains(year))
}

pub(super) fn one_or_two(input: &[u8], at: usize) -> Option<(u32, usize)> {
    if let Some(day) = two(input, at) {
        return Some((day, at + 2));
    }
    let digit = input.get(at)?.wrapping_sub(b'0');
    (digit < 10).then_some((u32::from(digit), at + 1))
}

/// One past the blanks at `at`, of which there must be one.
fn blanks(input: &[u8], at: usize) -> Option<usize> {
    let count = input.get(at..)?.iter().take_while(|&&byte| byte == b' ').count();
    (1..=3).contains(&count).then_some(at + count)
}
