//! Small scanners over bytes: each takes the front of its input and says how much it took.
//!
//! `hex` is the smallest; begin there.

use std::net::{IpAddr, Ipv6Addr};

use crate::event::work;

/// Hexadecimal digits, with an optional `0x`; the length of what they are.
pub fn hex(input: &[u8]) -> Option<usize> {
    let digits = input.strip_prefix(b"0x").unwrap_or(input);
    let prefix = input.len() - digits.len();
    let len = digits.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    (len > 0).then_some(prefix + len)
}

/// A decimal integer with an optional sign: value and length. `None` where there is none, or `i64` is too small.
#[inline]
pub fn int(input: &[u8]) -> Option<(i64, usize)> {
    let negative = input.first() == Some(&b'-');
    let start = usize::from(negative || input.first() == Some(&b'+'));
    let mut at = start;
    let mut value = 0i64;
    // 18 digits cannot overflow; nearly all numbers are shorter.
    while at < start + 18 {
        let Some(digit) = input.get(at).map(|byte| byte.wrapping_sub(b'0')).filter(|&digit| digit < 10)
        else {
            break;
        };
        value = value * 10 + i64::from(digit);
        at += 1;
    }
    if at == start {
        return None;
    }
    while let Some(digit) = input.get(at).map(|byte| byte.wrapping_sub(b'0')).filter(|&digit| digit < 10) {
        value = value.checked_mul(10)?.checked_add(i64::from(digit))?;
        at += 1;
    }
    Some((if negative { -value } else { value }, at))
}

/// A decimal number with an optional sign, fraction and exponent: value and length. Never infinite.
pub fn float(input: &[u8]) -> Option<(f64, usize)> {
    let len = float_len(input)?;
    let text = std::str::from_utf8(input.get(..len)?).ok()?;
    let value: f64 = text.parse().ok()?;
    value.is_finite().then_some((value, len))
}

fn float_len(input: &[u8]) -> Option<usize> {
    let digits = |from: usize| -> usize {
        input.get(from..).unwrap_or(&[]).iter().take_while(|byte| byte.is_ascii_digit()).count()
    };
    let mut at = usize::from(matches!(input.first(), Some(b'-' | b'+')));
    let whole = digits(at);
    at += whole;
    let mut fraction = 0;
    if input.get(at) == Some(&b'.') {
        fraction = digits(at + 1);
        if fraction > 0 || whole > 0 {
            at += 1 + fraction;
        }
    }
    if whole + fraction == 0 {
        return None;
    }
    if matches!(input.get(at), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(input.get(at + 1), Some(b'-' | b'+')));
        let exponent = digits(at + 1 + sign);
        if exponent > 0 {
            at += 1 + sign + exponent;
        }
    }
    Some(at)
}

/// Whether the whole input is an IPv4 or IPv6 address (RFC 791, RFC 4291; no zone, no port).
#[inline]
pub fn is_ip(input: &[u8]) -> bool {
    is_ipv4(input) || is_ipv6(input)
}

/// `a.b.c.d`, each 0..=255 without a leading zero (RFC 6943 §3.1.1: `010` is eight to some).
#[inline]
fn is_ipv4(input: &[u8]) -> bool {
    ipv4(input) == Some(input.len())
}

/// Length of an IPv4 address at the front, where nothing of a host name follows.
#[inline]
pub fn ipv4(input: &[u8]) -> Option<usize> {
    let (mut at, mut dots) = (0, 0);
    loop {
        let digit = |at: usize| input.get(at).map_or(10, |byte| byte.wrapping_sub(b'0'));
        let [one, two, three] = [digit(at), digit(at + 1), digit(at + 2)];
        at += match (one, two, three) {
            (10.., ..) => return None,
            (_, 10.., _) => 1,
            (0, ..) => return None,
            (_, _, 10..) => 2,
            (1, ..) | (2, 0..=4, _) | (2, 5, 0..=5) => 3,
            _ => return None,
        };
        match input.get(at) {
            Some(b'.') if dots < 3 => (at, dots) = (at + 1, dots + 1),
            next => return (dots == 3 && !next.is_some_and(|&byte| is_host(byte))).then_some(at),
        }
    }
}

fn is_ipv6(input: &[u8]) -> bool {
    (2..=45).contains(&input.len())
        && memchr::memchr(b':', input).is_some()
        && std::str::from_utf8(input).is_ok_and(|text| text.parse::<Ipv6Addr>().is_ok())
}

/// Whether a text is an address that is reachable from anywhere: not private (RFC 1918, RFC 4193), local or
/// unspecified.
pub fn is_public(input: &[u8]) -> bool {
    match ip(input) {
        Some(IpAddr::V4(ip)) => {
            !(ip.is_private() || ip.is_loopback() || ip.is_link_local() || ip.is_unspecified())
        }
        Some(IpAddr::V6(ip)) => {
            !(ip.is_loopback() || ip.is_unspecified() || ip.is_unique_local() || ip.is_unicast_link_local())
        }
        None => false,
    }
}

/// The address that a whole text is.
pub fn ip(input: &[u8]) -> Option<IpAddr> {
    std::str::from_utf8(input).ok()?.parse().ok()
}

/// Length of a host name or address at the front: letters, digits and `.`, `-`, `_`, `:`, `%` (zones of
/// link-local addresses), and every byte of UTF-8 beyond ASCII. A colon behind
/// an address or a port is the text's.
#[inline]
pub fn host(input: &[u8]) -> usize {
    let len = input.iter().take_while(|&&byte| is_host(byte)).count();
    work::count(len);
    match input.get(..len) {
        Some(all @ [address @ .., b':']) if is_ip(address) || address.contains(&b':') && !is_ip(all) => {
            len - 1
        }
        _ => len,
    }
}

#[inline]
fn is_host(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b':' | b'%') || byte >= 0x80
}

/// Length of everything before the first blank or line feed.
#[inline]
pub fn word(input: &[u8]) -> usize {
    memchr::memchr3(b' ', b'\t', b'\n', input).unwrap_or(input.len())
}

/// Length of a dotted name as loggers, modules and programs have it: letters, digits and `. _ - / $ @ :`
/// and the like, but no blank, bracket, quote or comma; a `:` only where something follows that is not a blank.
pub fn name(input: &[u8]) -> usize {
    let mut at = 0;
    while let Some(&byte) = input.get(at) {
        let inside = byte.is_ascii_alphanumeric()
            || matches!(byte, b'.' | b'_' | b'-' | b'/' | b'$' | b'@' | b'#' | b'+' | b'~' | b'*' | b'%')
            || byte >= 0x80
            || (byte == b':'
                && input.get(at + 1).is_some_and(|next| next.is_ascii_alphanumeric() || *next == b':'));
        if !inside {
            break;
        }
        at += 1;
    }
    at
}

/// Length of a text up to its closing quote, without it; a backslash takes the next byte with it.
#[inline]
pub fn quoted(input: &[u8], quote: u8) -> Option<usize> {
    let mut from = 0;
    loop {
        let rest = input.get(from..)?;
        let found = memchr::memchr2(quote, b'\\', rest);
        work::count(found.unwrap_or(rest.len()) + 1);
        let at = from + found?;
        if input.get(at) == Some(&quote) {
            return Some(at);
        }
        from = at + 2;
    }
}

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;

/// Of eight bytes, the high bit of the first that is at most `most`, which is below 128; bits behind it mean nothing.
#[inline]
pub(super) fn at_most(word: u64, most: u8) -> u64 {
    word.wrapping_sub(ONES * (u64::from(most) + 1)) & !word & HIGH
}

/// The same for the first that equals a byte.
#[inline]
pub(super) fn equal(word: u64, byte: u8) -> u64 {
    at_most(word ^ (ONES * u64::from(byte)), 0)
}

/// Length of the front before the first byte that `ends` it. `marks` gives the high bit of the first of eight bytes that
/// may: texts are short, and for them this takes less than the call of a search by vectors.
#[inline]
pub(super) fn before(bytes: &[u8], marks: impl Fn(u64) -> u64, ends: impl Fn(u8) -> bool) -> usize {
    let mut at = 0;
    while let Some(eight) = bytes.get(at..).and_then(<[u8]>::first_chunk::<8>) {
        let found = marks(u64::from_le_bytes(*eight));
        if found == 0 {
            at += 8;
            continue;
        }
        at += found.trailing_zeros() as usize / 8;
        if ends(bytes[at]) {
            return at;
        }
        at += 1;
    }
    let tail = bytes.get(at..).unwrap_or_default();
    at + tail.iter().position(|&byte| ends(byte)).unwrap_or(tail.len())
}

/// Length of blanks (space, tab) at the front.
#[inline]
pub fn blanks(input: &[u8]) -> usize {
    input.iter().take_while(|&&byte| byte == b' ' || byte == b'\t').count()
}

/// `true` or `false` at the front, and its length.
pub fn bool(input: &[u8]) -> Option<(bool, usize)> {
    let is = |word: &[u8]| input.starts_with(word);
    if is(b"true") { Some((true, 4)) } else { is(b"false").then_some((false, 5)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stop_where_they_end() {
        assert_eq!(int(b"404 12"), Some((404, 3)));
        assert_eq!(int(b"-9223372036854775807]"), Some((-9_223_372_036_854_775_807, 20)));
        assert_eq!(int(b"9223372036854775808"), None);
        assert_eq!(int(b"-"), None);
        assert_eq!(float(b"0.005 x"), Some((0.005, 5)));
        assert_eq!(float(b"1e400"), None);
        assert_eq!(float(b"1.e"), Some((1.0, 2)));
        assert_eq!(float(b"."), None);
        assert_eq!(hex(b"0xcafe."), Some(6));
    }

    #[test]
    fn addresses_are_checked_whole() {
        for good in ["0.0.0.0", "255.255.255.255", "::1", "2001:db8::1", "::ffff:192.0.2.1"] {
            assert!(is_ip(good.as_bytes()), "{good}");
        }
        for bad in
            ["256.1.1.1", "1.2.3", "1.2.3.4.5", "01.2.3.4", "1.2.3.4 ", "", ":", "12:30:45", "localhost"]
        {
            assert!(!is_ip(bad.as_bytes()), "{bad}");
        }
    }

    #[test]
    fn a_backslash_hides_a_quote() {
        assert_eq!(quoted(br#"a \"b\" c" d"#, b'"'), Some(9));
        assert_eq!(quoted(br#"open \"#, b'"'), None);
    }

    #[test]
    fn a_name_keeps_inner_colons_and_leaves_the_last() {
        assert_eq!(name(b"std::io: x"), 7);
        assert_eq!(name(b"pool-1-thread-2]"), 15);
    }
}
