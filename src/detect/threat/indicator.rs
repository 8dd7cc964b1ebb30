//! What a text is: an address, a network, a domain, a URL, a hash; and the one way in which it is written for comparison.
//! Lists and values go through the same door.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::Range;

use crate::limits::{THREAT_DOMAIN_BYTES_MAX, THREAT_URL_BYTES_MAX};

/// A text that is an indicator. Those with text of their own have it in the buffer that was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Indicator {
    /// A network, or an address as the network of one.
    Net(Net),
    /// A domain in lower case, without the dot at its end.
    Domain,
    /// A URL; `host` is where its host stands.
    Url {
        /// Its host.
        host: Range<usize>,
    },
    /// A hash of a file, in binary: 16, 20, 32 or 64 bytes.
    Hash,
}

/// A network: the bits behind its length are zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Net {
    /// Of IPv4.
    V4(u32, u8),
    /// Of IPv6.
    V6(u128, u8),
}

impl Net {
    /// A network of an address, whose bits behind the length are dropped. An address of IPv4 that is written as one of
    /// IPv6 (`::ffff:192.0.2.1`, RFC 4291 §2.5.5.2) is the same address. `None` where it has not as many bits.
    pub(super) fn new(address: IpAddr, len: u8) -> Option<Self> {
        match address {
            IpAddr::V4(address) if len <= 32 => {
                Some(Self::V4(cut(address.to_bits().into(), len, 32) as u32, len))
            }
            IpAddr::V6(address) if len <= 128 => match (address.to_ipv4_mapped(), len.checked_sub(96)) {
                (Some(address), Some(len)) => Self::new(IpAddr::V4(address), len),
                _ => Some(Self::V6(cut(address.to_bits(), len, 128), len)),
            },
            _ => None,
        }
    }

    /// The network of one address.
    pub(super) fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self::V4(address.to_bits(), 32),
            IpAddr::V6(address) => Self::V6(address.to_bits(), 128),
        }
    }

    /// Whether it is one address.
    pub(super) fn is_address(self) -> bool {
        matches!(self, Self::V4(_, 32) | Self::V6(_, 128))
    }
}

impl std::fmt::Display for Net {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match *self {
            Self::V4(bits, 32) => write!(f, "{}", Ipv4Addr::from_bits(bits)),
            Self::V4(bits, len) => write!(f, "{}/{len}", Ipv4Addr::from_bits(bits)),
            Self::V6(bits, 128) => write!(f, "{}", Ipv6Addr::from_bits(bits)),
            Self::V6(bits, len) => write!(f, "{}/{len}", Ipv6Addr::from_bits(bits)),
        }
    }
}

/// The first bits of a number of `width` bits, the others zero.
#[inline]
pub(super) fn cut(bits: u128, len: u8, width: u8) -> u128 {
    let behind = u32::from(width.saturating_sub(len));
    bits.checked_shr(behind).unwrap_or(0).checked_shl(behind).unwrap_or(0)
}

/// What a text is. `out` is cleared, and holds the text of a domain, URL or hash as it is compared.
pub(super) fn read(text: &[u8], out: &mut Vec<u8>) -> Option<Indicator> {
    out.clear();
    let text = text.trim_ascii();
    if let Some(net) = address(text) {
        return Some(Indicator::Net(net));
    }
    if matches!(text.len(), 32 | 40 | 64 | 128) && text.iter().all(u8::is_ascii_hexdigit) {
        let digit = |of: u8| (of as char).to_digit(16).unwrap_or(0) as u8;
        out.extend(text.as_chunks::<2>().0.iter().map(|[high, low]| digit(*high) << 4 | digit(*low)));
        return Some(Indicator::Hash);
    }
    if let Some(at) = memchr::memmem::find(text, b"://") {
        let (scheme, rest) = (text.get(..at)?, text.get(at + 3..)?);
        let fits = |(at, byte): (usize, &u8)| {
            byte.is_ascii_alphabetic() || at > 0 && matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.')
        };
        if scheme.is_empty() || !scheme.iter().enumerate().all(fits) {
            return None;
        }
        out.extend(scheme.iter().map(u8::to_ascii_lowercase));
        out.push(b':');
        return url(rest, at, out);
    }
    let end = memchr::memchr3(b'/', b'?', b'#', text).unwrap_or(text.len());
    let (name, path) = text.split_at(end);
    let (name, port) = with_port(name)?;
    if path.is_empty() {
        if let Some(net) = address(name) {
            return net.is_address().then_some(Indicator::Net(net));
        }
        return domain(name, out).then_some(Indicator::Domain);
    }
    // Without a scheme only what begins with a host is a URL.
    let of_address = address(name).is_some_and(Net::is_address);
    // `192.0.2.0/33` is a network that there is not.
    let a_length = |rest: &u8| rest.is_ascii_digit() || *rest == b'.';
    if of_address && path.iter().skip(1).all(a_length) {
        return None;
    }
    let is_host = of_address || domain(name, out);
    out.clear();
    if !is_host || port.is_some_and(|port| port.is_empty()) { None } else { url(text, 0, out) }
}

/// An address, or a network as `address/length`.
fn address(text: &[u8]) -> Option<Net> {
    // The longest address, and the length of a network behind it.
    if text.len() > 49 || !text.first().is_some_and(|first| first.is_ascii_hexdigit() || *first == b':') {
        return None;
    }
    let text = str::from_utf8(text).ok()?;
    match text.split_once('/') {
        None => Some(Net::of(text.parse().ok()?)),
        Some((address, len)) if len.bytes().all(|byte| byte.is_ascii_digit()) => {
            Net::new(address.parse().ok()?, len.parse().ok()?)
        }
        // `192.0.2.0/255.255.255.0`
        Some((address, mask)) => {
            let bits = mask.parse::<Ipv4Addr>().ok()?.to_bits();
            let len = bits.leading_ones();
            (len + bits.trailing_zeros().min(32 - len) == 32).then_some(())?;
            Net::new(address.parse::<Ipv4Addr>().ok()?.into(), len as u8)
        }
    }
}

/// A host without its port, and the port; brackets around an address of IPv6 are dropped.
fn with_port(host: &[u8]) -> Option<(&[u8], Option<&[u8]>)> {
    if let Some(rest) = host.strip_prefix(b"[") {
        let end = memchr::memchr(b']', rest)?;
        let behind = rest.get(end + 1..)?;
        let port = if behind.is_empty() { None } else { Some(behind.strip_prefix(b":")?) };
        return Some((rest.get(..end)?, port)).filter(|(_, port)| port.is_none_or(is_port));
    }
    match memchr::memrchr(b':', host) {
        None => Some((host, None)),
        Some(at) => Some((host.get(..at)?, host.get(at + 1..))).filter(|(_, port)| port.is_none_or(is_port)),
    }
}

fn is_port(text: &[u8]) -> bool {
    text.len() <= 5 && text.iter().all(u8::is_ascii_digit)
}

/// A domain in lower case: two labels or more, of letters, digits, hyphens and underscores, or of bytes beyond ASCII.
pub(super) fn domain(text: &[u8], out: &mut Vec<u8>) -> bool {
    let text = text.strip_suffix(b".").unwrap_or(text);
    let from = out.len();
    if text.len() > THREAT_DOMAIN_BYTES_MAX {
        return false;
    }
    let (mut labels, mut label, mut numeric) = (1, 0, true);
    for &byte in text {
        match byte {
            b'.' if label == 0 => return false,
            b'.' => (labels, label, numeric) = (labels + 1, 0, true),
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | 0x80.. => {
                label += 1;
                numeric &= byte.is_ascii_digit();
            }
            _ => return false,
        }
        if label > 63 {
            return false;
        }
    }
    // A last label of digits alone is of a broken address.
    if labels < 2 || label == 0 || numeric {
        return false;
    }
    out.extend(text.iter().map(u8::to_ascii_lowercase));
    out.len() > from
}

/// A URL without its scheme, which `out` holds in lower case, `scheme_len` bytes and a colon (RFC 3986 §6.2.2, §6.2.3):
/// host in lower case, no user, no default port, no fragment, an empty path is `/`, escapes of unreserved characters are
/// those characters, digits of others are upper case.
fn url(rest: &[u8], scheme_len: usize, out: &mut Vec<u8>) -> Option<Indicator> {
    let end = memchr::memchr3(b'/', b'?', b'#', rest).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let path = path.get(..memchr::memchr(b'#', path).unwrap_or(path.len()))?;
    let authority =
        memchr::memrchr(b'@', authority).map_or(authority, |at| authority.get(at + 1..).unwrap_or_default());
    let (name, port) = with_port(authority)?;
    let usual: &[u8] = match out.get(..scheme_len)? {
        b"http" | b"ws" | b"" => b"80",
        b"https" | b"wss" => b"443",
        b"ftp" => b"21",
        _ => b"",
    };
    out.extend_from_slice(b"//");
    let start = out.len();
    match address(name) {
        Some(net @ Net::V4(_, 32)) => out.extend_from_slice(net.to_string().as_bytes()),
        Some(net @ Net::V6(_, 128)) => out.extend_from_slice(format!("[{net}]").as_bytes()),
        Some(_) => return None,
        // A name of one label is a host too; what is none at all is no URL.
        None => {
            let name = name.strip_suffix(b".").unwrap_or(name);
            let fits =
                |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | 0x80..);
            if name.is_empty() || !name.iter().all(fits) {
                return None;
            }
            out.extend(name.iter().map(u8::to_ascii_lowercase));
        }
    }
    let host = start..out.len();
    if let Some(port) = port.filter(|port| !port.is_empty() && *port != usual) {
        out.push(b':');
        out.extend_from_slice(port);
    }
    if !path.starts_with(b"/") {
        out.push(b'/');
    }
    unescape(path, out);
    (out.len() <= THREAT_URL_BYTES_MAX).then_some(Indicator::Url { host })
}

fn unescape(path: &[u8], out: &mut Vec<u8>) {
    let hex = |at: usize| path.get(at).and_then(|byte| (*byte as char).to_digit(16));
    let mut at = 0;
    while let Some(&byte) = path.get(at) {
        at += 1;
        let (b'%', Some(high), Some(low)) = (byte, hex(at), hex(at + 1)) else {
            out.push(byte);
            continue;
        };
        at += 2;
        let byte = (high << 4 | low) as u8;
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(byte);
        } else {
            let digit = |of: u32| char::from_digit(of, 16).unwrap_or('0').to_ascii_uppercase() as u8;
            out.extend([b'%', digit(high), digit(low)]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Texts and what they are compared as; `-` is what is no indicator.
    const TEXTS: &[(&str, &str)] = &[
        ("192.0.2.1", "192.0.2.1"),
        (" 192.0.2.1 ", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("::FFFF:c000:0201", "192.0.2.1"),
        ("192.0.2.77/24", "192.0.2.0/24"),
        ("192.0.2.77/255.255.255.0", "192.0.2.0/24"),
        ("0.0.0.0/0", "0.0.0.0/0"),
        ("192.0.2.77/0.0.0.255", "-"),
        ("192.0.2.0/33", "-"),
        ("::ffff:192.0.2.0/120", "192.0.2.0/24"),
        ("::ffff:0:0/95", "::fffe:0:0/95"),
        ("2001:DB8::1", "2001:db8::1"),
        ("2001:db8::1/32", "2001:db8::/32"),
        ("2001:db8::/129", "-"),
        ("192.0.2.1:8080", "192.0.2.1"),
        ("[2001:db8::1]:443", "2001:db8::1"),
        ("192.0.2", "-"),
        ("192.0.2.256", "-"),
        ("Evil.EXAMPLE.", "evil.example"),
        ("evil.example:443", "evil.example"),
        ("_dmarc.evil.example", "_dmarc.evil.example"),
        ("localhost", "-"),
        ("evil..example", "-"),
        (".example.org", "-"),
        ("domain evil.example", "-"),
        ("HTTP://Evil.Example:80", "http://evil.example/"),
        ("https://evil.example:443/%7euser/%2fA%3a?q=%41#top", "https://evil.example/~user/%2FA%3A?q=A"),
        ("https://evil.example:80/", "https://evil.example:80/"),
        ("https://user:pw@evil.example?x", "https://evil.example/?x"),
        ("http://[2001:DB8::1]:8080/a", "http://[2001:db8::1]:8080/a"),
        ("http://[::ffff:192.0.2.1]/a", "http://192.0.2.1/a"),
        ("http://intranet/a", "http://intranet/a"),
        ("http:///a", "-"),
        ("evil.example/Path", "//evil.example/Path"),
        ("192.0.2.1:8080/x.sh", "//192.0.2.1:8080/x.sh"),
        ("/index.html", "-"),
        ("D41D8CD98F00B204E9800998ECF8427E", "d41d8cd98f00b204e9800998ecf8427e"),
        ("d41d8cd98f00b204e9800998ecf8427", "-"),
        ("", "-"),
    ];

    #[test]
    fn texts_are_written_one_way() {
        for (text, expected) in TEXTS {
            let mut out = Vec::new();
            let found = match read(text.as_bytes(), &mut out) {
                None => "-".to_owned(),
                Some(Indicator::Net(net)) => net.to_string(),
                Some(Indicator::Hash) => data_encoding::HEXLOWER.encode(&out),
                Some(Indicator::Domain | Indicator::Url { .. }) => String::from_utf8(out.clone()).unwrap(),
            };
            assert_eq!(found, *expected, "{text}");
            // What was written once stays so.
            if let Some(again @ Indicator::Url { .. }) = read(expected.as_bytes(), &mut Vec::new()) {
                let mut twice = Vec::new();
                assert_eq!(read(expected.as_bytes(), &mut twice), Some(again));
                if !expected.starts_with("//") {
                    assert_eq!(String::from_utf8(twice).unwrap(), *expected);
                }
            }
        }
    }
}
