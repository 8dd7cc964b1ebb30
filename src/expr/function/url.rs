//! URLs and query strings (RFC 3986, and the form encoding of the WHATWG URL standard).

use std::borrow::Cow;

use super::{Body, Function, example, keep, lossy, needs, span};
use crate::event::{Value, write_string};
use crate::limits::REST_KEYS_MAX;
use crate::signature::{Signature, Type};

const TEXT: &[Type] = &[Type::Text];

/// `parse_url(text)`
pub(super) static PARSE_URL: Function = Function {
    signature: &Signature {
        name: "parse_url",
        summary: "the parts of a URL, named as in ECS `url.*`",
        doc: "Gives `scheme`, `username`, `domain`, `port`, `path`, `extension`, `query` and `fragment`, those that are \
              there; a password is left out. A path with a query alone, as web servers log it, is a URL too. Nothing \
              is percent-decoded. Missing where the port is no number.",
        form: "parse_url(text: text) -> object",
        options: &[],
        examples: &[
            example(
                "a whole URL",
                "parse_url(\"https://me@example.org:8443/a/b.png?x=1#top\")",
                r#"{"scheme":"https","username":"me","domain":"example.org","port":8443,"path":"/a/b.png","extension":"png","query":"x=1","fragment":"top"}"#,
            ),
            example("a path", "parse_url(\"/search?q=a\")", r#"{"path":"/search","query":"q=a"}"#),
        ],
    },
    params: &[needs("text", TEXT)],
    returns: |_| Type::Object,
    fallible: true,
    accepts_missing: false,
    body: Body::Pure(|args, texts| {
        let span = span(args, 0)?;
        let mut out = texts.scratch();
        write_url(&lossy(texts, span), &mut out)?;
        keep(texts, out).map(Value::Object)
    }),
};

/// `URI = scheme ":" hier-part [ "?" query ] [ "#" fragment ]` (RFC 3986 §3)
fn write_url(text: &str, out: &mut Vec<u8>) -> Option<()> {
    let (rest, fragment) = split(text, '#');
    let (rest, query) = split(rest, '?');
    let (scheme, rest) = match rest.split_once(':') {
        Some((scheme, rest)) if is_scheme(scheme) => (Some(scheme), rest),
        _ => (None, rest),
    };
    let (authority, path) = match rest.strip_prefix("//") {
        Some(rest) => rest.split_at_checked(rest.find('/').unwrap_or(rest.len()))?,
        None => ("", rest),
    };
    let (user, host) = match authority.rsplit_once('@') {
        Some((user, host)) => (Some(user.split(':').next().unwrap_or(user)), host),
        None => (None, authority),
    };
    // A colon inside brackets belongs to an IPv6 address.
    let (host, port) = match host.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (host, None),
    };
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let name = path.rsplit('/').next().unwrap_or(path);
    let extension =
        name.rsplit_once('.').filter(|(stem, _)| !stem.is_empty()).map(|(_, extension)| extension);
    out.push(b'{');
    let mut member = |key: &str, value: Option<&str>| {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            write_string(key, out);
            out.push(b':');
            write_string(value, out);
            out.push(b',');
        }
    };
    member("scheme", scheme);
    member("username", user);
    member("domain", Some(host));
    member("path", Some(path));
    member("extension", extension);
    member("query", query);
    member("fragment", fragment);
    if let Some(port) = port.filter(|port| !port.is_empty()) {
        let port: u16 = port.parse().ok()?;
        out.extend_from_slice(b"\"port\":");
        out.extend_from_slice(itoa::Buffer::new().format(port).as_bytes());
    }
    crate::expr::close(out, b'}');
    Some(())
}

/// `scheme = ALPHA *( ALPHA / DIGIT / "+" / "-" / "." )` (RFC 3986 §3.1)
fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
}

fn split(text: &str, at: char) -> (&str, Option<&str>) {
    match text.split_once(at) {
        Some((before, after)) => (before, Some(after)),
        None => (text, None),
    }
}

/// `parse_query(text)`
pub(super) static PARSE_QUERY: Function = Function {
    signature: &Signature {
        name: "parse_query",
        summary: "the parameters of a query string, as an object",
        doc: "Percent-decoded, `+` is a blank, a leading `?` is skipped. A key that comes more than once gives a list; \
              one without `=` an empty text. Missing where there are too many keys for one event.",
        form: "parse_query(text: text) -> object",
        options: &[],
        examples: &[
            example("two keys", "parse_query(\"q=a+b&n=%31\")", r#"{"q":"a b","n":"1"}"#),
            example("a key twice", "parse_query(\"?a=1&b&a=2\")", r#"{"a":["1","2"],"b":""}"#),
        ],
    },
    params: &[needs("text", TEXT)],
    returns: |_| Type::Object,
    fallible: true,
    accepts_missing: false,
    body: Body::Pure(|args, texts| {
        let span = span(args, 0)?;
        let mut out = texts.scratch();
        write_query(&lossy(texts, span), &mut out)?;
        keep(texts, out).map(Value::Object)
    }),
};

fn write_query(text: &str, out: &mut Vec<u8>) -> Option<()> {
    let pairs = text.strip_prefix('?').unwrap_or(text).split('&').filter(|pair| !pair.is_empty());
    let mut found: Vec<(Cow<'_, str>, Vec<Cow<'_, str>>)> = Vec::new();
    let mut known = std::collections::HashMap::new();
    for (count, pair) in pairs.enumerate() {
        if count >= REST_KEYS_MAX {
            return None;
        }
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let (key, value) = (decoded(key, true), decoded(value, true));
        let at = *known.entry(key.clone()).or_insert(found.len());
        match found.get_mut(at) {
            Some((_, values)) => values.push(value),
            None => found.push((key, vec![value])),
        }
    }
    out.push(b'{');
    for (key, values) in found {
        write_string(&key, out);
        out.extend_from_slice(if values.len() > 1 { b":[" } else { b":" });
        let many = values.len() > 1;
        for value in values {
            write_string(&value, out);
            out.push(b',');
        }
        if many {
            crate::expr::close(out, b']');
            out.push(b',');
        }
    }
    crate::expr::close(out, b'}');
    Some(())
}

/// `url_decode(text)`
pub(super) static URL_DECODE: Function = Function {
    signature: &Signature {
        name: "url_decode",
        summary: "a text with its percent escapes resolved",
        doc: "RFC 3986 §2.1. `+` stays; a `%` without two hexadecimal digits stays. Bytes that are no UTF-8 become \
              U+FFFD.",
        form: "url_decode(text: text) -> text",
        options: &[],
        examples: &[
            example("an escape", "url_decode(\"a%20b%C3%A9\")", "\"a bé\""),
            example("a lone percent sign", "url_decode(\"100%\")", "\"100%\""),
        ],
    },
    params: &[needs("text", TEXT)],
    returns: |_| Type::Text,
    fallible: false,
    accepts_missing: false,
    body: Body::Pure(|args, texts| {
        let span = span(args, 0)?;
        if memchr::memchr(b'%', texts.bytes(span)).is_none() {
            return Some(Value::Text(span));
        }
        let mut out = texts.scratch();
        out.extend_from_slice(decoded(&lossy(texts, span), false).as_bytes());
        keep(texts, out).map(Value::Text)
    }),
};

/// Resolves percent escapes and, in forms, `+`.
fn decoded(text: &str, form: bool) -> Cow<'_, str> {
    let special = |byte: u8| byte == b'%' || (form && byte == b'+');
    if !text.bytes().any(special) {
        return Cow::Borrowed(text);
    }
    let digit = |byte: Option<&u8>| byte.and_then(|byte| (*byte as char).to_digit(16));
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let escape = match byte {
            b'%' => digit(bytes.get(at + 1)).zip(digit(bytes.get(at + 2))),
            _ => None,
        };
        match escape {
            Some((high, low)) => {
                out.push((high * 16 + low) as u8);
                at += 3;
            }
            None => {
                out.push(if form && byte == b'+' { b' ' } else { byte });
                at += 1;
            }
        }
    }
    Cow::Owned(
        String::from_utf8(out).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()),
    )
}

/// `url_encode(text)`
pub(super) static URL_ENCODE: Function = Function {
    signature: &Signature {
        name: "url_encode",
        summary: "a text with everything but unreserved characters percent-escaped",
        doc: "RFC 3986 §2.3: letters, digits, `-`, `.`, `_` and `~` stay.",
        form: "url_encode(text: text) -> text",
        options: &[],
        examples: &[example("a blank and a letter", "url_encode(\"a b/é\")", "\"a%20b%2F%C3%A9\"")],
    },
    params: &[needs("text", TEXT)],
    returns: |_| Type::Text,
    fallible: false,
    accepts_missing: false,
    body: Body::Pure(|args, texts| {
        let span = span(args, 0)?;
        let mut out = texts.scratch();
        for &byte in texts.bytes(span) {
            if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
                out.push(byte);
            } else {
                let hex = |digit: u8| b"0123456789ABCDEF"[digit as usize & 15];
                out.extend_from_slice(&[b'%', hex(byte >> 4), hex(byte)]);
            }
        }
        super::keep_with(texts, out, crate::event::Facts::PLAIN).map(Value::Text)
    }),
};
