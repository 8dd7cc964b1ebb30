//! Times that begin with a number: CLF, ISO 8601 and its relatives, seconds since the epoch.

use std::cell::Cell;

use super::{Parts, clock, four, fraction, month, numeric, offset, two};
use crate::format::Calendar;

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

/// The bytes of a time that says all there is to say.
const CLF: usize = 26;

thread_local! {
    /// The last such time, its nanoseconds and its length: a busy server writes many lines in a second.
    static LAST: Cell<([u8; CLF], i64, usize)> = const { Cell::new(([0; CLF], 0, 0)) };
}

/// The point in time that it is, and its length.
#[inline]
pub(super) fn clf_ns(input: &[u8], calendar: &Calendar) -> Option<(i64, usize)> {
    let front = input.first_chunk::<CLF>();
    if let Some(front) = front {
        let (text, ns, len) = LAST.get();
        if len > 0 && text == *front {
            return Some((ns, len));
        }
    }
    let (parts, len) = clf(input)?;
    let ns = calendar.unix_ns(&parts)?;
    // With a blank behind the seconds there is no fraction, and the zone ends within these bytes.
    if let Some(front) = front.filter(|front| front[20] == b' ' && parts.offset_s.is_some()) {
        LAST.set((*front, ns, len));
    }
    Some((ns, len))
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
/// or none (` CEST`, ` +0200`, `Z`). What is written more rarely is [`numeric::rare`].
#[inline]
pub fn iso(input: &[u8]) -> Option<(Parts, usize)> {
    let separator = *input.get(4)?;
    if !matches!(separator, b'-' | b'/' | b'.') {
        return None;
    }
    common(input, separator).or_else(|| numeric::rare(input, separator))
}

#[inline]
fn common(input: &[u8], separator: u8) -> Option<(Parts, usize)> {
    let mut parts = date(input, separator)?;
    let mut at = 10;
    match input.get(at)? {
        b'T' | b't' | b' ' | b'_' => at += 1,
        _ => return None,
    }
    at += usize::from(input.get(at) == Some(&b' '));
    at = clock(input, at, &mut parts)?;
    Some(tail(input, at, parts))
}

/// What may stand behind a time of day: `:123` for milliseconds, `AM` or `PM`, a zone, `[Europe/Berlin]`.
#[inline]
pub(super) fn tail(input: &[u8], mut at: usize, mut parts: Parts) -> (Parts, usize) {
    match input.get(at) {
        None => return (parts, at),
        Some(b':') => at = milliseconds(input, at, &mut parts),
        Some(_) => {}
    }
    let blank = usize::from(input.get(at) == Some(&b' '));
    match input.get(at + blank) {
        Some(b'A' | b'a' | b'P' | b'p') => at = half(input, at, &mut parts),
        // U+202F, which Java puts before `AM` since JDK 20.
        Some(0xe2) => at = half(input, at, &mut parts),
        _ => {}
    }
    let blank = usize::from(input.get(at) == Some(&b' '));
    if let Some((offset_s, len)) = input.get(at + blank..).and_then(zone) {
        parts.offset_s = Some(offset_s);
        at += blank + len;
        if input.get(at) == Some(&b'[') {
            at += zone_name(&input[at..]);
        }
    }
    (parts, at)
}

/// `:123` behind the seconds, as WebSphere and some patterns of log4j have it.
#[cold]
fn milliseconds(input: &[u8], at: usize, parts: &mut Parts) -> usize {
    let digits = input[at + 1..].iter().take(4).take_while(|byte| byte.is_ascii_digit()).count();
    if digits != 3 || parts.ns != 0 || input.get(at + 4) == Some(&b':') {
        return at;
    }
    let count = input[at + 1..at + 4].iter().fold(0, |sum, digit| sum * 10 + u32::from(digit - b'0'));
    parts.ns = count * 1_000_000;
    at + 4
}

/// `AM`, `PM`, `a.m.` behind a time of day of 12 hours: one past it, with the hour made one of 24. 12 AM is midnight.
#[cold]
pub(super) fn half(input: &[u8], at: usize, parts: &mut Parts) -> usize {
    let mut next = at;
    while let Some(len) = match input.get(next..) {
        Some([b' ', ..]) => Some(1),
        Some([0xe2, 0x80, 0xaf, ..]) => Some(3),
        _ => None,
    } {
        next += len;
    }
    let rest = input.get(next..).unwrap_or_default();
    let (letter, len) = match rest {
        [letter, b'.', b'm' | b'M', b'.', ..] => (letter | 0x20, 4),
        [letter, b'm' | b'M', ..] => (letter | 0x20, 2),
        _ => return at,
    };
    let ends =
        matches!(rest.get(len), None | Some(b' ' | b']' | b')' | b',' | b':' | b'"' | b'\t' | b'|' | b';'));
    if !ends || !matches!(letter, b'a' | b'p') || !(1..=12).contains(&parts.hour) {
        return at;
    }
    parts.hour = parts.hour % 12 + if letter == b'p' { 12 } else { 0 };
    next + len
}

/// Length of the `[Europe/Berlin]` that Java's `ZonedDateTime` puts behind the offset.
#[cold]
fn zone_name(rest: &[u8]) -> usize {
    let inside = |byte: &&u8| byte.is_ascii_alphanumeric() || b"/_+-".contains(byte);
    let len = rest[1..].iter().take(40).take_while(inside).count();
    let is_name = rest[1..=len].contains(&b'/') && rest.get(len + 1) == Some(&b']');
    if is_name { len + 2 } else { 0 }
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
    if digits == 1 && input.get(1) == Some(&b'.') {
        return scientific(input);
    }
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
    match input.get(len) {
        Some(b'.' | b',') if scale > 1 => {}
        Some(b'e' | b'E') => return None,
        _ => return Some((whole, len)),
    }
    // A fraction of a unit: nanoseconds of a second, and a thousandth of that of a millisecond.
    let mut parts = Parts::default();
    let end = fraction(input, len, &mut parts);
    let part = i64::from(parts.ns) / (1_000_000_000 / scale);
    Some((whole.checked_add(part)?, end))
}

/// `1.714979289123e+09`: what encoders of JSON make of a large float.
#[cold]
fn scientific(input: &[u8]) -> Option<(i64, usize)> {
    let inside = |byte: &&u8| byte.is_ascii_digit() || b".eE+".contains(byte);
    let len = input.iter().take(32).take_while(inside).count();
    let seconds: f64 = std::str::from_utf8(&input[..len]).ok()?.parse().ok()?;
    // Microseconds are all that a float of this size holds.
    let micros = (1e8..1e11).contains(&seconds).then(|| (seconds * 1e6).round() as i64)?;
    Some((micros.checked_mul(1000)?, len))
}
