//! What a body is made of: the values of a form, the texts of JSON (RFC 8259), the texts and attributes of XML, the parts
//! of `multipart/form-data` (RFC 7578). A log has the body without the header that says which it is; its first bytes
//! tell.
//!
//! Names of elements and the marks of the format are no values. Where the format itself is the weapon (an entity, an
//! operator as a key), the whole is handed on once more, as a [`Kind::Document`].

use std::ops::Range;

use super::super::{Bytes, Kind, Views};
use super::split::{Each, Place, query, value};

/// Values of one body that are looked at.
const VALUES_MAX: usize = 1024;

/// Hands on each value of a body.
pub(super) fn parts(views: &Views<'_>, place: Place, each: &mut Each<'_>) {
    let raw = views.raw;
    let start = raw.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
    match &raw[start..] {
        [b'{' | b'[', ..] if memchr::memchr(b'"', raw).is_some() => json(views, &place, each),
        [b'<', b'?', b'x', b'm', b'l', ..] => xml(views, &place, each),
        [b'-', b'-', rest @ ..] if is_multipart(rest) => multipart(views, &place, each),
        // A document that does not say so, or what somebody wants in a page.
        [b'<', ..] => each(&views.part(0..raw.len(), Kind::Value), place),
        _ => query(&views.part(0..raw.len(), Kind::Query), place, each),
    }
}

fn document(views: &Views<'_>, place: &Place, each: &mut Each<'_>) {
    each(&views.part(0..views.raw.len(), Kind::Document), place.clone());
}

/// The strings of a JSON text, names too, with their escapes resolved.
fn json(views: &Views<'_>, place: &Place, each: &mut Each<'_>) {
    let raw = views.raw;
    let mut at = 0;
    for _ in 0..VALUES_MAX {
        let Some(open) = memchr::memchr(b'"', &raw[at..]) else { break };
        let open = at + open + 1;
        let mut close = open;
        while let Some(found) = memchr::memchr2(b'"', b'\\', raw.get(close..).unwrap_or_default()) {
            close += found;
            if raw[close] == b'"' {
                break;
            }
            close = (close + 2).min(raw.len());
        }
        // A body that was cut, or none: what is left is a value.
        let close = if raw.get(close) == Some(&b'"') { close } else { raw.len() };
        let name = raw.get(close + 1..).unwrap_or_default().trim_ascii_start().starts_with(b":");
        let kind = if name { Kind::Name } else { Kind::Value };
        let text = &raw[open..close];
        if memchr::memchr(b'\\', text).is_none() {
            value(views, open..close, kind, place, each);
        } else {
            let plain = unescaped(text);
            let part = Views::new(&plain, kind, Bytes::of(&plain), views.pool);
            value(&part, 0..plain.len(), kind, &Place::From(place.range(open..close)), each);
        }
        at = (close + 1).min(raw.len());
    }
    document(views, place, each);
}

/// A string of JSON without its escapes (RFC 8259 §7).
fn unescaped(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        if byte != b'\\' {
            out.push(byte);
            at += 1;
            continue;
        }
        let next = text.get(at + 1).copied();
        at += 2;
        match next {
            Some(b'n') => out.push(b'\n'),
            Some(b'r') => out.push(b'\r'),
            Some(b't') => out.push(b'\t'),
            Some(b'b' | b'f') => out.push(b' '),
            Some(b'u') => {
                let digits = text.get(at..at + 4).and_then(|digits| std::str::from_utf8(digits).ok());
                let letter = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
                let Some(letter) = letter else {
                    out.extend_from_slice(b"\\u");
                    continue;
                };
                let letter = char::from_u32(letter).unwrap_or(char::REPLACEMENT_CHARACTER);
                out.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
                at += 4;
            }
            Some(other) => out.push(other),
            None => {}
        }
    }
    out
}

/// The texts between tags, and the values of attributes.
fn xml(views: &Views<'_>, place: &Place, each: &mut Each<'_>) {
    let raw = views.raw;
    let mut at = memchr::memchr(b'>', raw).map_or(raw.len(), |end| end + 1);
    let mut values = 0;
    while at < raw.len() && values < VALUES_MAX {
        let open = memchr::memchr(b'<', &raw[at..]).map_or(raw.len(), |len| at + len);
        if !raw[at..open].trim_ascii().is_empty() {
            xml_value(views, at..open, place, each);
            values += 1;
        }
        let rest = &raw[open..];
        let (end, inside) = if rest.starts_with(b"<![CDATA[") {
            let end = memchr::memmem::find(rest, b"]]>").map_or(raw.len(), |len| open + len);
            value(views, open + 9..end, Kind::Value, place, each);
            (end + 3, 0..0)
        } else {
            let end = memchr::memchr(b'>', rest).map_or(raw.len(), |len| open + len);
            (end + 1, open..end)
        };
        let mut from = inside.start;
        while let Some(equals) = memchr::memchr(b'=', raw.get(from..inside.end).unwrap_or_default()) {
            let start = from + equals + 1;
            let start = start + raw[start..inside.end].iter().take_while(|byte| **byte == b' ').count();
            let Some(quote @ (b'"' | b'\'')) = raw.get(start) else {
                from = start;
                continue;
            };
            let rest = raw.get(start + 1..inside.end).unwrap_or_default();
            let end = memchr::memchr(*quote, rest).map_or(inside.end, |len| start + 1 + len);
            // What a namespace is called is no address that anybody reads.
            if start + 1 < end && !raw[inside.start..start].trim_ascii_end().ends_with(b"xmlns=") {
                xml_value(views, start + 1..end, place, each);
                values += 1;
            }
            from = end + 1;
        }
        at = end;
    }
    document(views, place, each);
}

/// A text or an attribute, with the references that every reader of XML resolves (XML 1.0 §4.6).
fn xml_value(views: &Views<'_>, range: Range<usize>, place: &Place, each: &mut Each<'_>) {
    let text = &views.raw[range.clone()];
    if memchr::memchr(b'&', text).is_none() {
        return value(views, range, Kind::Value, place, each);
    }
    let known =
        [(&b"&lt;"[..], b'<'), (b"&gt;", b'>'), (b"&amp;", b'&'), (b"&quot;", b'"'), (b"&apos;", b'\'')];
    let (mut plain, mut at) = (Vec::with_capacity(text.len()), 0);
    while let Some(&byte) = text.get(at) {
        let found = known.iter().find(|(name, _)| text[at..].starts_with(name));
        plain.push(found.map_or(byte, |(_, letter)| *letter));
        at += found.map_or(1, |(name, _)| name.len());
    }
    let part = Views::new(&plain, Kind::Value, Bytes::of(&plain), views.pool);
    value(&part, 0..plain.len(), Kind::Value, &Place::From(place.range(range)), each);
}

/// Bytes of the head of a part.
const HEAD_BYTES_MAX: usize = 1024;

fn is_multipart(rest: &[u8]) -> bool {
    let head = &rest[..rest.len().min(HEAD_BYTES_MAX)];
    find(head, b"content-disposition:").is_some()
}

fn find(text: &[u8], needle: &[u8]) -> Option<usize> {
    text.windows(needle.len()).position(|window| window.eq_ignore_ascii_case(needle))
}

/// The parts of a form: the name of the field, the name of the file, and what is in it.
fn multipart(views: &Views<'_>, place: &Place, each: &mut Each<'_>) {
    let raw = views.raw;
    let begin = memchr::memmem::find(raw, b"--").unwrap_or(0);
    let len = memchr::memchr2(b'\r', b'\n', &raw[begin..]).unwrap_or(raw.len() - begin);
    let boundary = &raw[begin..begin + len];
    let marks: Vec<usize> = memchr::memmem::find_iter(raw, boundary).take(VALUES_MAX).collect();
    for (number, mark) in marks.iter().enumerate() {
        let start = mark + boundary.len();
        let end = marks.get(number + 1).copied().unwrap_or(raw.len());
        let part = raw.get(start..end).unwrap_or_default();
        let (head, gap) = match (memchr::memmem::find(part, b"\r\n\r\n"), memchr::memmem::find(part, b"\n\n"))
        {
            (Some(at), _) => (at, 4),
            (None, Some(at)) => (at, 2),
            (None, None) => (part.len(), 0),
        };
        let head_text = &part[..head.min(HEAD_BYTES_MAX)];
        for (key, kind) in
            [(&b" name="[..], Kind::Name), (b"filename=", Kind::File), (b"filename*=", Kind::File)]
        {
            let Some(at) = find(head_text, key) else { continue };
            let from = start + at + key.len();
            let rest = &raw[from..start + head_text.len()];
            let (skip, len) = match rest.first() {
                Some(quote @ (b'"' | b'\'')) => {
                    // A quote inside of a name ends it only where the parameter ends.
                    let line = memchr::memchr2(b'\r', b'\n', rest).unwrap_or(rest.len());
                    let close = memchr::memrchr(*quote, &rest[..line]).filter(|at| *at > 0);
                    let close = match memchr::memmem::find(&rest[..line], &[*quote, b';']) {
                        Some(at) if at > 0 => at,
                        _ => close.unwrap_or(line),
                    };
                    (1, close - 1)
                }
                _ => (0, memchr::memchr3(b';', b'\r', b'\n', rest).unwrap_or(rest.len())),
            };
            let range = from + skip..from + skip + len;
            each(&views.part(range.clone(), kind), place.inside(range));
        }
        let body = start + head + gap..end;
        let content = raw.get(body.clone()).unwrap_or_default();
        if !content.trim_ascii().is_empty() {
            let body = body.start..body.start + content.trim_ascii_end().len();
            let is_document = find(head_text, b"/json").is_some() || find(head_text, b"/xml").is_some();
            if is_document && let Place::At(_) = place {
                parts(&views.part(body.clone(), Kind::Body), place.inside(body), each);
            } else {
                value(views, body, Kind::Value, place, each);
            }
        }
    }
}
