//! Locators of resources, split into their parts (RFC 3986 §3), leniently: logs hold what attackers sent.

use std::ops::Range;

use super::members::part as span;
use super::{Bind, Fields, Format, FormatKind, Gives, Mismatch, Target};
use crate::event::{Slot, Span, Texts, Value};
use crate::signature::{Example, Field, Signature, Type};

/// The format as the list has it.
pub const KIND: FormatKind = FormatKind {
    signature: &Signature {
        name: "url",
        summary: "the parts of a locator, as `url.*`",
        doc: "Nothing is decoded. A text without `scheme://` is a path.",
        form: "url",
        options: &[],
        examples: &[Example {
            title: "parts become fields",
            source: "parse .link as url",
            input: r#"{"link": "https://shop.example:8443/cart?id=7"}"#,
            result: r#"{"link": "https://shop.example:8443/cart?id=7", "url": {"domain": "shop.example", "original": "https://shop.example:8443/cart?id=7", "path": "/cart", "port": 8443, "query": "id=7", "scheme": "https"}}"#,
        }],
    },
    gives: |_| {
        let field =
            |(path, ty): (&str, Type)| Field { path: path.into(), ty, maybe: true, doc: String::new() };
        Ok(Gives { fields: FIELDS.map(field).into(), open: false })
    },
    bind: |bind: &mut Bind<'_>| {
        let slots: Result<Vec<_>, _> = FIELDS.iter().map(|(path, _)| bind.slot(path)).collect();
        Ok(Box::new(Locator { slots: slots?.try_into().map_err(|_| "the fields of a url")? }))
    },
};

const FIELDS: [(&str, Type); 9] = [
    ("url.scheme", Type::Text),
    ("url.username", Type::Text),
    ("url.password", Type::Text),
    ("url.domain", Type::Text),
    ("url.port", Type::Int),
    ("url.path", Type::Text),
    ("url.query", Type::Text),
    ("url.fragment", Type::Text),
    ("url.original", Type::Text),
];

struct Locator {
    slots: [Slot; 9],
}

impl Format for Locator {
    fn parse(&self, input: Span, texts: &mut Texts, fields: &mut Fields) -> Result<(), Mismatch> {
        let bytes = texts.bytes(input);
        if bytes.is_empty() {
            return Err(Mismatch::at(0, "an empty locator"));
        }
        let url = split(bytes);
        let [scheme, username, password, domain, port, path, query, fragment, original] = self.slots;
        let user = url.userinfo.as_ref().map(|user| {
            let colon = memchr::memchr(b':', &bytes[user.clone()]).map(|at| user.start + at);
            (user.start..colon.unwrap_or(user.end), colon.map(|colon| colon + 1..user.end))
        });
        let (name, secret) = user.map_or((None, None), |(name, secret)| (Some(name), secret));
        let parts = [
            (scheme, url.scheme),
            (username, name),
            (password, secret),
            (domain, url.host),
            (path, url.path),
            (query, url.query),
            (fragment, url.fragment),
            (original, Some(0..bytes.len())),
        ];
        for (slot, range) in parts {
            if let Some(range) = range {
                fields.push((Target::Slot(slot), Value::Text(span(input, range.start, range.len()))));
            }
        }
        if let Some(number) = url.port {
            fields.push((Target::Slot(port), Value::Int(i64::from(number))));
        }
        Ok(())
    }
}

/// Where the parts of a locator are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Url {
    /// `https`
    pub scheme: Option<Range<usize>>,
    /// `user:password`, as it stands.
    pub userinfo: Option<Range<usize>>,
    /// `example.com`, without the brackets of an IPv6 address.
    pub host: Option<Range<usize>>,
    /// `8080`
    pub port: Option<u16>,
    /// `/a/b`
    pub path: Option<Range<usize>>,
    /// `c=d`, without the question mark.
    pub query: Option<Range<usize>>,
    /// `e`, without the number sign.
    pub fragment: Option<Range<usize>>,
}

/// Splits a locator. Every text is one: without `scheme://` or `//` it is a path.
pub fn split(input: &[u8]) -> Url {
    let mut url = Url::default();
    let mut from = 0;
    if let Some(len) = scheme(input) {
        url.scheme = Some(0..len);
        from = len + 1;
    }
    if input.get(from..).is_some_and(|rest| rest.starts_with(b"//")) {
        from = authority(input, from + 2, &mut url);
    }
    path(input, from, &mut url);
    url
}

/// Splits the target of an HTTP request (RFC 9112 §3.2): a path, `http://…`, `*`, or `host:port`. A number sign
/// has no meaning there and stays where it is.
#[inline]
pub fn target(input: &[u8]) -> Url {
    if input.first() == Some(&b'/') {
        return match memchr::memchr(b'?', input) {
            Some(at) => Url { path: Some(0..at), query: Some(at + 1..input.len()), ..Url::default() },
            None => Url { path: Some(0..input.len()), ..Url::default() },
        };
    }
    if scheme(input).is_some_and(|len| input.get(len + 1..).is_some_and(|rest| rest.starts_with(b"//"))) {
        return split(input);
    }
    let mut url = Url::default();
    let colon = memchr::memrchr(b':', input);
    if colon.is_some_and(|at| {
        input.get(at + 1..).is_some_and(|port| !port.is_empty() && port.iter().all(u8::is_ascii_digit))
    }) {
        authority(input, 0, &mut url);
    }
    url
}

/// `scheme = ALPHA *( ALPHA / DIGIT / "+" / "-" / "." )` before a colon.
fn scheme(input: &[u8]) -> Option<usize> {
    let len = input.iter().take_while(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(byte)).count();
    (len > 1 && input[0].is_ascii_alphabetic() && input.get(len) == Some(&b':')).then_some(len)
}

/// `authority = [ userinfo "@" ] host [ ":" port ]`; gives its end.
fn authority(input: &[u8], from: usize, url: &mut Url) -> usize {
    let rest = input.get(from..).unwrap_or_default();
    let end = from + memchr::memchr3(b'/', b'?', b'#', rest).unwrap_or(rest.len());
    let mut start = from;
    if let Some(at) = memchr::memrchr(b'@', &input[from..end]) {
        url.userinfo = Some(from..from + at);
        start = from + at + 1;
    }
    let host = &input[start..end];
    let bracket = if host.first() == Some(&b'[') { memchr::memchr(b']', host) } else { None };
    let name_end = match bracket {
        Some(at) => at + 1,
        None => memchr::memrchr(b':', host).unwrap_or(host.len()),
    };
    let inner = if bracket.is_some() { start + 1..start + name_end - 1 } else { start..start + name_end };
    url.host = Some(inner).filter(|host| !host.is_empty());
    url.port = host
        .get(name_end + 1..)
        .and_then(|port| std::str::from_utf8(port).ok())
        .and_then(|port| port.parse().ok());
    end
}

fn path(input: &[u8], from: usize, url: &mut Url) {
    let rest = input.get(from..).unwrap_or_default();
    let mut end = rest.len();
    if let Some(at) = memchr::memchr(b'#', rest) {
        url.fragment = Some(from + at + 1..from + end);
        end = at;
    }
    if let Some(at) = memchr::memchr(b'?', &rest[..end]) {
        url.query = Some(from + at + 1..from + end);
        end = at;
    }
    url.path = Some(from..from + end).filter(|path| !path.is_empty());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(url: &Url, text: &str) -> Vec<String> {
        let part = |range: &Option<Range<usize>>| match range {
            Some(range) => text.get(range.clone()).expect("a part").to_owned(),
            None => "-".to_owned(),
        };
        let port = url.port.map_or("-".to_owned(), |port| port.to_string());
        vec![part(&url.scheme), part(&url.host), port, part(&url.path), part(&url.query), part(&url.fragment)]
    }

    #[test]
    fn locators_are_split() {
        for (text, expected) in [
            ("https://example.com:8080/a?b=c#d", ["https", "example.com", "8080", "/a", "b=c", "d"]),
            ("http://u:p@[2001:db8::1]:80", ["http", "2001:db8::1", "80", "-", "-", "-"]),
            ("/a/b?c", ["-", "-", "-", "/a/b", "c", "-"]),
            ("mailto:a@example.com", ["mailto", "-", "-", "a@example.com", "-", "-"]),
            ("", ["-", "-", "-", "-", "-", "-"]),
            ("http://", ["http", "-", "-", "-", "-", "-"]),
        ] {
            assert_eq!(shown(&split(text.as_bytes()), text), expected, "{text}");
        }
    }

    #[test]
    fn targets_of_requests_are_split() {
        for (text, expected) in [
            ("/a?b?c#d", ["-", "-", "-", "/a", "b?c#d", "-"]),
            ("*", ["-", "-", "-", "-", "-", "-"]),
            ("example.com:443", ["-", "example.com", "443", "-", "-", "-"]),
            ("http://h/p?q", ["http", "h", "-", "/p", "q", "-"]),
        ] {
            assert_eq!(shown(&target(text.as_bytes()), text), expected, "{text}");
        }
    }
}
