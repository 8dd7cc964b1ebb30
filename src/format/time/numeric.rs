//! Dates of numbers only, beyond those that nearly all programs write: week dates, ordinal dates, single digits, a
//! clock of 12 hours, month or day first. Off the fast paths.

use super::named::one_or_two;
use super::{Parts, civil, days, four, fraction, iso, two};

/// ISO 8601 as it is rarely written: `2024-W19-1T07:08Z`, `2024-127T07:08:09`, `2024-5-6 7:08:09`.
#[cold]
pub(super) fn rare(input: &[u8], separator: u8) -> Option<(Parts, usize)> {
    let mut parts = Parts { year: Some(four(input, 0)?), ..Parts::default() };
    let rest = input.get(5..)?;
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let mut at = match (rest.first()?, digits) {
        (b'W', _) if separator == b'-' => week(input, &mut parts)?,
        (_, 3) if separator == b'-' => ordinal(input, &mut parts)?,
        _ => {
            let (month, at) = one_or_two(input, 5)?;
            let (day, end) = one_or_two(input, at + 1)?;
            (parts.month, parts.day) = (month, day);
            (input.get(at) == Some(&separator)).then_some(end)?
        }
    };
    at += match input.get(at)? {
        b'T' | b't' | b'_' => 1,
        // Columns of a table may be padded.
        b' ' | b'\t' => input[at..].iter().take(8).take_while(|byte| matches!(byte, b' ' | b'\t')).count(),
        _ => return None,
    };
    at = clock(input, at, &mut parts)?;
    Some(iso::tail(input, at, parts))
}

/// `2024-W19-1`: the day of a week. Week 1 has 4 January; weeks begin on Monday (ISO 8601 §5.2.3).
fn week(input: &[u8], parts: &mut Parts) -> Option<usize> {
    let (week, day) = (two(input, 6)?, input.get(9)?.wrapping_sub(b'0'));
    if input.get(8) != Some(&b'-') || !(1..=53).contains(&week) || !(1..=7).contains(&day) {
        return None;
    }
    on_week_day(parts.year?, week, u32::from(day), parts)?;
    Some(10)
}

/// Puts the date of a day of a week.
pub(super) fn on_week_day(year: i64, week: u32, day: u32, parts: &mut Parts) -> Option<()> {
    let fourth = days(year, 1, 4)?;
    // 1970-01-01 was a Thursday.
    let monday = fourth - (fourth + 3).rem_euclid(7);
    let (year, month, day) = civil(monday + i64::from(week - 1) * 7 + i64::from(day) - 1);
    (parts.year, parts.month, parts.day) = (Some(year), month, day);
    Some(())
}

/// `2024-127`: the day of the year.
fn ordinal(input: &[u8], parts: &mut Parts) -> Option<usize> {
    let day = i64::from(two(input, 5)? * 10) + i64::from(input.get(7)?.wrapping_sub(b'0'));
    on_day_of_year(parts.year?, day, parts)?;
    Some(8)
}

/// Puts the date of a day of the year, from 1.
pub(super) fn on_day_of_year(of: i64, day: i64, parts: &mut Parts) -> Option<()> {
    let (year, month, in_month) = civil(days(of, 1, 1)? + day - 1);
    (parts.year, parts.month, parts.day) = (Some(year), month, in_month);
    (day >= 1 && year == of).then_some(())
}

/// `5/6/2024 7:08:09 PM`, `05/06/24, 07:08`: the month first, as in the United States.
pub fn us(input: &[u8]) -> Option<(Parts, usize)> {
    let (month, day, year, at) = numbers(input, b"/")?;
    if !(1..=12).contains(&month) {
        return None;
    }
    time_behind(input, at, Parts { year: Some(year), month, day, ..Parts::default() })
}

/// `06.05.2024 07:08:09`, `06/05/2024 07:08`, `06-05-2024 07:08:09`: the day first.
pub fn european(input: &[u8]) -> Option<(Parts, usize)> {
    let (day, month, year, at) = numbers(input, b"./-")?;
    time_behind(input, at, Parts { year: Some(year), month, day, ..Parts::default() })
}

/// Two numbers and a year of four or two digits, with the same separator between; one past their end.
fn numbers(input: &[u8], separators: &[u8]) -> Option<(u32, u32, i64, usize)> {
    let (one, at) = one_or_two(input, 0)?;
    let separator = *input.get(at).filter(|byte| separators.contains(byte))?;
    let (other, at) = one_or_two(input, at + 1)?;
    if input.get(at) != Some(&separator) {
        return None;
    }
    let digits = input.get(at + 1..)?.iter().take(5).take_while(|byte| byte.is_ascii_digit()).count();
    let year = match digits {
        4 => four(input, at + 1)?,
        2 => short_year(two(input, at + 1)?),
        _ => return None,
    };
    Some((one, other, year, at + 1 + digits))
}

/// The year of two digits: from 1969 to 2068, as POSIX has it.
pub(super) fn short_year(year: u32) -> i64 {
    i64::from(year) + if year < 69 { 2000 } else { 1900 }
}

/// A time of day behind a date: a comma or not, blanks or `T`, then the time.
pub(super) fn time_behind(input: &[u8], at: usize, mut parts: Parts) -> Option<(Parts, usize)> {
    let at = at + usize::from(input.get(at) == Some(&b','));
    let gap = match input.get(at)? {
        b'T' | b'-' => 1,
        _ => input.get(at..)?.iter().take_while(|&&byte| byte == b' ').count(),
    };
    if !(1..=3).contains(&gap) {
        return None;
    }
    let at = clock(input, at + gap, &mut parts)?;
    Some(iso::tail(input, at, parts))
}

/// `hh:mm` or `hh:mm:ss`, where the hour may have one digit.
pub(super) fn clock(input: &[u8], at: usize, parts: &mut Parts) -> Option<usize> {
    let (hour, at) = one_or_two(input, at)?;
    (parts.hour, parts.minute) = (hour, two(input, at + 1)?);
    if input.get(at) != Some(&b':') {
        return None;
    }
    let at = at + 3;
    if input.get(at) != Some(&b':') {
        // A third digit, and it was no time of day.
        return (!input.get(at).is_some_and(u8::is_ascii_digit)).then_some(at);
    }
    parts.second = two(input, at + 1)?;
    Some(fraction(input, at + 3, parts))
}
