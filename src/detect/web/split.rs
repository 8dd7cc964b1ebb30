//! What a field is made of: a query's parameters one by one, a body's values (`body`), a path, a header as it is.

use std::ops::Range;

use super::super::{Bytes, Kind, Views};
use super::{body, words};

/// Where a part lies in the field.
#[derive(Clone, Debug)]
pub(super) enum Place {
    /// Its bytes are the field's, from here on.
    At(usize),
    /// It was made of these bytes: a text with escapes, in base64.
    From(Range<usize>),
}

impl Place {
    /// The bytes of the field that a range of the part came from.
    pub(super) fn range(&self, of: Range<usize>) -> Range<usize> {
        match self {
            Self::At(start) => of.start + start..of.end + start,
            Self::From(range) => range.clone(),
        }
    }

    /// The place of a part of this part.
    pub(super) fn inside(&self, of: Range<usize>) -> Self {
        match self {
            Self::At(start) => Self::At(start + of.start),
            Self::From(_) => self.clone(),
        }
    }
}

/// Takes a part and its place.
pub(super) type Each<'e> = dyn FnMut(&Views<'_>, Place) + 'e;

/// Hands on each part of a field with its place.
pub(super) fn parts(views: &Views<'_>, each: &mut Each<'_>) {
    let whole = 0..views.raw.len();
    match views.kind {
        Kind::Query => query(views, Place::At(0), each),
        Kind::Body => body::parts(views, Place::At(0), each),
        Kind::Cookie => cookies(views, each),
        // What is no URL stands where one should.
        Kind::Referrer if words::find(views.raw, b"://").is_none() && !views.raw.starts_with(b"/") => {
            each(&views.part(whole, Kind::Value), Place::At(0));
        }
        Kind::Url | Kind::Referrer => match memchr::memchr(b'?', views.raw) {
            Some(at) => {
                each(&views.part(0..at, Kind::Path), Place::At(0));
                query(&views.part(at + 1..views.raw.len(), Kind::Query), Place::At(at + 1), each);
            }
            None => each(&views.part(whole, Kind::Path), Place::At(0)),
        },
        Kind::Value => value(views, whole, Kind::Value, &Place::At(0), each),
        _ => each(views, Place::At(0)),
    }
}

/// Parameters as forms send them (URL Standard §5.1).
pub(super) fn query(views: &Views<'_>, place: Place, each: &mut Each<'_>) {
    let mut start = 0;
    for end in memchr::memchr_iter(b'&', views.raw).chain([views.raw.len()]) {
        if start < end {
            parameter(views, start..end, Kind::Query, &place, each);
        }
        start = end + 1;
    }
}

/// `name=value; name=value` (RFC 6265 §4.2.1).
fn cookies(views: &Views<'_>, each: &mut Each<'_>) {
    let mut start = 0;
    for end in memchr::memchr_iter(b';', views.raw).chain([views.raw.len()]) {
        let blanks = views.raw[start..end].iter().take_while(|byte| **byte == b' ').count();
        if start + blanks < end {
            parameter(views, start + blanks..end, Kind::Value, &Place::At(0), each);
        }
        start = end + 1;
    }
}

/// A parameter: its name where that is more than a name, and its value; the whole where the name is none.
fn parameter(views: &Views<'_>, range: Range<usize>, kind: Kind, place: &Place, each: &mut Each<'_>) {
    let text = views.raw.get(range.clone()).unwrap_or_default();
    let Some(equals) = memchr::memchr(b'=', text) else {
        return value(views, range, kind, place, each);
    };
    let name = Bytes::of(&text[..equals]);
    if !name.only(NAME) || equals > NAME_BYTES_MAX {
        return value(views, range, kind, place, each);
    }
    let begin = range.start + equals + 1;
    if !name.only(PLAIN_NAME) || equals >= SPEAKING_NAME_BYTES {
        let name = range.start..range.start + equals;
        each(&views.part(name.clone(), Kind::Name), place.inside(name));
    }
    if begin < range.end {
        value(views, begin..range.end, kind, place, each);
    }
}

/// A value, and what it is in base64.
pub(super) fn value(views: &Views<'_>, range: Range<usize>, kind: Kind, place: &Place, each: &mut Each<'_>) {
    let text = views.raw.get(range.clone()).unwrap_or_default();
    if let Some(inner) = unpacked(text) {
        let at = Place::From(place.range(range.clone()));
        let inner = Views::new(&inner, Kind::Value, Bytes::of(&inner), views.pool);
        if matches!(inner.raw.first(), Some(b'{' | b'[')) {
            body::parts(&inner, at, each);
        } else {
            each(&inner, at);
        }
    }
    each(&views.part(range.clone(), kind), place.inside(range));
}

/// Shorter values in base64 say nothing.
const PACKED_BYTES_MIN: usize = 16;
/// Longer ones are files.
const PACKED_BYTES_MAX: usize = 16 * 1024;

/// The text that a value is in base64 (RFC 4648 §4 and §5), `%3D` for its padding; `None` where it is anything else.
/// Nearly every other text is none: a quarter of all bytes is text, and all of them have to be.
pub(super) fn unpacked(text: &[u8]) -> Option<Vec<u8>> {
    let pad = [&b"%3D%3D"[..], b"%3d%3d", b"%3D", b"%3d", b"==", b"="];
    let text = pad.iter().find_map(|pad| text.strip_suffix(*pad)).unwrap_or(text);
    if text.len() < PACKED_BYTES_MIN || text.len() > PACKED_BYTES_MAX || text.len() % 4 == 1 {
        return None;
    }
    let head = |encoding: &data_encoding::Encoding| encoding.decode(&text[..PACKED_BYTES_MIN]).ok();
    let encoding = [data_encoding::BASE64_NOPAD, data_encoding::BASE64URL_NOPAD]
        .into_iter()
        .find(|encoding| head(encoding).is_some_and(|head| is_text(&head)))?;
    // Of what was cut short the last group is left out.
    let decoded = encoding.decode(text).or_else(|_| encoding.decode(&text[..text.len() / 4 * 4])).ok()?;
    is_text(&decoded).then_some(decoded)
}

fn is_text(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| matches!(byte, b' '..=b'~' | b'\t' | b'\r' | b'\n'))
}

/// Bytes of names that programs give to parameters.
const NAME: Bytes = PLAIN_NAME.with(Bytes::SQUARE).with(Bytes::DOLLAR).with(Bytes::COLON);
const PLAIN_NAME: Bytes =
    Bytes::DIGIT.with(Bytes::LETTER).with(Bytes::WORD).with(Bytes::DASH).with(Bytes::DOT);
/// A longer name is looked at together with its value.
const NAME_BYTES_MAX: usize = 64;
/// Names that mean something are longer than this; shorter ones are not looked at.
const SPEAKING_NAME_BYTES: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::Pool;

    /// Kind, field, parts.
    type Case = (Kind, &'static str, &'static [&'static str]);

    fn of(kind: Kind, raw: &str) -> Vec<String> {
        let (pool, mut out) = (Pool::default(), Vec::new());
        let views = Views::new(raw.as_bytes(), kind, Bytes::of(raw.as_bytes()), &pool);
        parts(&views, &mut |part, place| {
            let text = String::from_utf8_lossy(part.raw).into_owned();
            if let Place::At(start) = place {
                assert_eq!(raw.get(start..start + text.len()), Some(&*text));
            }
            out.push(text);
        });
        out
    }

    #[test]
    fn fields_are_cut_as_programs_cut_them() {
        let table: [Case; 9] = [
            (Kind::Query, "id=7&sort=a%20b&&x", &["7", "sort", "a%20b", "x"]),
            (Kind::Url, "/a/b?id=7", &["/a/b", "7"]),
            (Kind::Cookie, "a=1; b=x y;c", &["1", "x y", "c"]),
            (Kind::Query, "q=c2VsZWN0IDEgZnJvbSBkdWFs", &["select 1 from dual", "c2VsZWN0IDEgZnJvbSBkdWFs"]),
            (Kind::Query, "q=0123456789abcdef0123456789abcdef", &["0123456789abcdef0123456789abcdef"]),
            (Kind::Body, "a=b+c&d=e", &["b+c", "e"]),
            (
                Kind::Body,
                r#"{"a\u0062":["x\"y", 7, true, "z"]}"#,
                &["ab", "x\"y", "z", r#"{"a\u0062":["x\"y", 7, true, "z"]}"#],
            ),
            (
                Kind::Body,
                "<?xml version=\"1.0\"?><a b='c'>d<e/>f</a>",
                &["c", "d", "f", "<?xml version=\"1.0\"?><a b='c'>d<e/>f</a>"],
            ),
            (
                Kind::Body,
                "--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\n\r\nhello\r\n--x--\r\n",
                &["file", "a.txt", "hello"],
            ),
        ];
        for (kind, raw, want) in table {
            assert_eq!(of(kind, raw), want, "{raw}");
        }
    }
}
