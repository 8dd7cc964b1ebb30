//! nginx's `combined` format, split by hand.

use super::time::{self, Time};

/// The fields of an access line, as written.
pub(super) struct Access<'a> {
    pub(super) address: &'a [u8],
    /// `-` is nobody.
    pub(super) user: &'a [u8],
    pub(super) time: Time,
    pub(super) method: &'a [u8],
    pub(super) url: &'a [u8],
    pub(super) version: &'a [u8],
    /// Three digits, the first not 0.
    pub(super) status: &'a [u8],
    /// Digits without leading zeros.
    pub(super) body_bytes: &'a [u8],
    /// `-` is none.
    pub(super) referrer: &'a [u8],
    pub(super) agent: &'a [u8],
}

/// `ADDRESS - USER [TIME] "METHOD URL HTTP/VERSION" STATUS BYTES "REFERRER" "AGENT"`, whole; `None` otherwise.
#[inline]
pub(super) fn parse(line: &[u8]) -> Option<Access<'_>> {
    let end = line.iter().position(|byte| !matches!(byte, b'0'..=b'9' | b'.' | b':' | b'a'..=b'f'))?;
    let (address, rest) = line.split_at(end);
    let rest = rest.strip_prefix(b" - ")?;
    let (user, rest) = short(rest, b' ')?;
    let (time, rest) = rest.strip_prefix(b"[")?.split_at_checked(26)?;
    let (method, rest) = short(rest.strip_prefix(b"] \"")?, b' ')?;
    let (request, rest) = long(rest, b'"')?;
    let (url, version) = request.split_at_checked(request.len().checked_sub(9)?)?;
    let version = version.strip_prefix(b" HTTP/")?;
    let (status, rest) = short(rest.strip_prefix(b" ")?, b' ')?;
    let (body_bytes, rest) = short(rest, b' ')?;
    let (referrer, rest) = long(rest.strip_prefix(b"\"")?, b'"')?;
    let agent = rest.strip_prefix(b" \"")?.strip_suffix(b"\"")?;
    let plain = method.iter().all(u8::is_ascii_uppercase)
        && matches!(version, [b'0'..=b'9', b'.', b'0'..=b'9'])
        && matches!(status, [b'1'..=b'9', b'0'..=b'9', b'0'..=b'9'])
        && integer(body_bytes)
        && memchr::memchr(b'"', agent).is_none();
    let time = time::clf(time)?;
    plain.then_some(Access { address, user, time, method, url, version, status, body_bytes, referrer, agent })
}

/// Up to a byte that is near: a call of `memchr` costs more than the few steps.
#[inline]
fn short(text: &[u8], end: u8) -> Option<(&[u8], &[u8])> {
    let at = text.iter().position(|byte| *byte == end)?;
    Some((text.get(..at)?, text.get(at + 1..)?))
}

#[inline]
fn long(text: &[u8], end: u8) -> Option<(&[u8], &[u8])> {
    let at = memchr::memchr(end, text)?;
    Some((text.get(..at)?, text.get(at + 1..)?))
}

/// An integer as JSON has it (RFC 8259 §6) that an `i64` holds.
#[inline]
fn integer(text: &[u8]) -> bool {
    matches!(text, b"0" | [b'1'..=b'9', ..]) && text.len() < 19 && text.iter().all(u8::is_ascii_digit)
}

/// An integer that `integer` let through.
#[inline]
pub(super) fn value(text: &[u8]) -> i64 {
    text.iter().fold(0, |value, digit| value * 10 + i64::from(digit - b'0'))
}
