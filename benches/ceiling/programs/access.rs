//! nginx's `combined` format, split by hand.

use super::time::{self, Time};

/// The fields of an access line, as written.
pub(super) struct Access<'a> {
    pub(super) address: &'a str,
    /// `-` is nobody.
    pub(super) user: &'a str,
    pub(super) time: Time,
    pub(super) time_text: &'a str,
    pub(super) method: &'a str,
    pub(super) url: &'a str,
    pub(super) version: &'a str,
    /// Three digits, the first not 0.
    pub(super) status: &'a str,
    /// Digits without leading zeros.
    pub(super) body_bytes: &'a str,
    /// `-` is none.
    pub(super) referrer: &'a str,
    pub(super) agent: &'a str,
}

/// `ADDRESS - USER [TIME] "METHOD URL HTTP/VERSION" STATUS BYTES "REFERRER" "AGENT"`, whole; `None` otherwise.
#[inline]
pub(super) fn parse(line: &str) -> Option<Access<'_>> {
    let end = line.bytes().position(|byte| !matches!(byte, b'0'..=b'9' | b'.' | b':' | b'a'..=b'f'))?;
    let (address, rest) = line.split_at_checked(end)?;
    let rest = rest.strip_prefix(" - ")?;
    let (user, rest) = short(rest, b' ')?;
    let (time_text, rest) = rest.strip_prefix("[")?.split_at_checked(26)?;
    let (method, rest) = short(rest.strip_prefix("] \"")?, b' ')?;
    let (request, rest) = long(rest, b'"')?;
    let (url, version) = request.split_at_checked(request.len().checked_sub(9)?)?;
    let version = version.strip_prefix(" HTTP/")?;
    let (status, rest) = short(rest.strip_prefix(" ")?, b' ')?;
    let (body_bytes, rest) = short(rest, b' ')?;
    let (referrer, rest) = long(rest.strip_prefix("\"")?, b'"')?;
    let agent = rest.strip_prefix(" \"")?.strip_suffix("\"")?;
    let plain = method.bytes().all(|byte| byte.is_ascii_uppercase())
        && matches!(version.as_bytes(), [b'0'..=b'9', b'.', b'0'..=b'9'])
        && matches!(status.as_bytes(), [b'1'..=b'9', b'0'..=b'9', b'0'..=b'9'])
        && integer(body_bytes.as_bytes())
        && memchr::memchr(b'"', agent.as_bytes()).is_none();
    let time = time::clf(time_text.as_bytes())?;
    plain.then_some(Access {
        address,
        user,
        time,
        time_text,
        method,
        url,
        version,
        status,
        body_bytes,
        referrer,
        agent,
    })
}

/// Up to a byte that is near: a call of `memchr` costs more than the few steps.
#[inline]
fn short(text: &str, end: u8) -> Option<(&str, &str)> {
    let at = text.bytes().position(|byte| byte == end)?;
    Some((text.get(..at)?, text.get(at + 1..)?))
}

#[inline]
fn long(text: &str, end: u8) -> Option<(&str, &str)> {
    let at = memchr::memchr(end, text.as_bytes())?;
    Some((text.get(..at)?, text.get(at + 1..)?))
}

/// An integer as JSON has it (RFC 8259 §6) that an `i64` holds.
#[inline]
fn integer(text: &[u8]) -> bool {
    matches!(text, b"0" | [b'1'..=b'9', ..]) && text.len() < 19 && text.iter().all(u8::is_ascii_digit)
}

/// An integer that `integer` let through.
#[inline]
pub(super) fn value(text: &str) -> i64 {
    text.bytes().fold(0, |value, digit| value * 10 + i64::from(digit - b'0'))
}
