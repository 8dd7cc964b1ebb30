//! Times that begin with a number: CLF, ISO 8601 and its relatives, seconds since the epoch.

use super::{Parts, clock, four, fraction, month, offset, two};

/// `10/Oct/2000:13:55:36 -0700`, the Common Log Format.
#[inline]
pub fn clf(input: &[u8]) -> Option<(Parts, usize)> {
    let front = input.get(..26)?;
    let separators = [front[2], front[6], front[11], front[14], front[17], front[20]];
    if separators != *b"//::: " {
        return clf_relaxed(input);
    }
    let (offset_s, len) = offset(&front[21..])?;
    let parts = Parts {
        year: Some(four(front, 7)?),
        month: month(front, 3)?,
        day: two(front, 0)?,
        hour: two(front, 12)?,
        minute: two(front, 15)?,
        second: two(front, 18)?,
        ns: 0,
        offset_s: Some(offset_s),
    };
    Some((parts, 21 + len))
}

/// The same with a fraction of a second (Apache's `%{msec_frac}t`, HAProxy), or without the zone.
fn clf_relaxed(input: &[u8]) -> Option<(Parts, usize)> {
    let mut parts = Parts {
        year: Some(four(input, 7)?),
        month: month(input, 3)?,
        day: two(input, 0)?,
        ..Parts::default()
    };
    if [input[2], input[6], *input.get(11)?] != *b"//:" {
        return None;
    }
    let mut at = clock(input, 12, &mut parts)?;
    if input.get(at) == Some(&b' ')
        && let Some((offset_s, len)) = offset(input.get(at + 1..)?)
    {
        parts.offset_s = Some(offset_s);
        at += 1 + len;
    }
    Some((parts, at))
}

/// `date-time = full-date "T" full-time` (RFC 3339 §5.6); the zone must be there.
#[inline]
pub fn rfc3339(input: &[u8]) -> Option<(Parts, usize)> {
    let mut parts = date(input, b'-')?;
    if !matches!(input.get(10), Some(b'T' | b't')) {
        return None;
    }
    let at = clock(input, 11, &mut parts)?;
    let rest = input.get(at..)?;
    if !matches!(rest.first(), Some(b'Z' | b'z' | b'+' | b'-')) {
        return None;
    }
    let (offset_s, len) = offset(rest)?;
    parts.offset_s = Some(offset_s);
    Some((parts, at + len))
}

/// `yyyy-mm-dd hh:mm:ss` with `T` or a blank between, `-`, `/` or `.` within the date, a fraction or none, a zone
/// or none (` CEST`, ` +0200`, `Z`).
#[inline]
pub fn iso(input: &[u8]) -> Option<(Parts, usize)> {
    let separator = *input.get(4)?;
    if !matches!(separator, b'-' | b'/' | b'.') {
        return None;
    }
    let mut parts = date(input, separator)?;
    let mut at = 10;
    match input.get(at)? {
        b'T' | b't' | b' ' | b'_' => at += 1,
        _ => return None,
    }
    at += usize::from(input.get(at) == Some(&b' '));
    at = clock(input, at, &mut parts)?;
    let blank = usize::from(input.get(at) == Some(&b' '));
    if let Some((offset_s, len)) = input.get(at + blank..).and_then(zone) {
        parts.offset_s = Some(offset_s);
        at += blank + len;
    }
    Some((parts, at))
}

/// A zone behind a time: nothing that a message could begin with, such as `- text`, `-1` or `+5 items`.
fn zone(input: &[u8]) -> Option<(i32, usize)> {
    let (offset_s, len) = offset(input)?;
    let ends = !input.get(len).is_some_and(|next| next.is_ascii_alphanumeric() || *next == b'.');
    ends.then_some((offset_s, len))
}

#[inline]
fn date(input: &[u8], separator: u8) -> Option<Parts> {
    let parts =
        Parts { year: Some(four(input, 0)?), month: two(input, 5)?, day: two(input, 8)?, ..Parts::default() };
    (input[4] == separator && input[7] == separator).then_some(parts)
}

/// `20120702.102240,672`, `20120702T102240Z` (ISO 8601 basic form).
pub fn compact(input: &[u8]) -> Option<(Parts, usize)> {
    let mut parts =
        Parts { year: Some(four(input, 0)?), month: two(input, 4)?, day: two(input, 6)?, ..Parts::default() };
    if !matches!(input.get(8)?, b'T' | b'.' | b' ' | b'-' | b'_') {
        return None;
    }
    (parts.hour, parts.minute, parts.second) = (two(input, 9)?, two(input, 11)?, two(input, 13)?);
    let mut at = fraction(input, 15, &mut parts);
    if let Some((offset_s, len)) = input.get(at..).and_then(zone) {
        parts.offset_s = Some(offset_s);
        at += len;
    }
    Some((parts, at))
}

/// A count since 1970: seconds with an optional fraction, or milli-, micro- or nanoseconds. Told by the number of
/// digits, which is unambiguous from 2001 to 2286.
pub fn epoch(input: &[u8]) -> Option<(i64, usize)> {
    let digits = input.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (count, len) = crate::format::scan::int(input)?;
    if len != digits {
        return None;
    }
    let scale = match digits {
        9..=11 => 1_000_000_000,
        12..=14 => 1_000_000,
        15..=17 => 1000,
        18..=19 => 1,
        _ => return None,
    };
    let whole = count.checked_mul(scale)?;
    if scale != 1_000_000_000 {
        return Some((whole, len));
    }
    let mut parts = Parts::default();
    let end = fraction(input, len, &mut parts);
    Some((whole.checked_add(i64::from(parts.ns))?, end))
}
