//! What a field is made of: a query's parameters one by one, a path, a header as it is.

use std::ops::Range;

use super::super::{Bytes, Kind, Views};

/// Hands on each part of a field with its offset.
pub(super) fn parts(views: &Views<'_>, each: &mut dyn FnMut(&Views<'_>, usize)) {
    match views.kind {
        Kind::Query => query(views, 0, each),
        // What is no URL stands where one should.
        Kind::Referrer
            if memchr::memmem::find(views.raw, b"://").is_none() && !views.raw.starts_with(b"/") =>
        {
            each(&views.part(0..views.raw.len(), Kind::Value), 0);
        }
        Kind::Url | Kind::Referrer => match memchr::memchr(b'?', views.raw) {
            Some(at) => {
                each(&views.part(0..at, Kind::Path), 0);
                query(&views.part(at + 1..views.raw.len(), Kind::Query), at + 1, each);
            }
            None => each(&views.part(0..views.raw.len(), Kind::Path), 0),
        },
        _ => each(views, 0),
    }
}

fn query(views: &Views<'_>, offset: usize, each: &mut dyn FnMut(&Views<'_>, usize)) {
    let mut start = 0;
    for end in memchr::memchr_iter(b'&', views.raw).chain([views.raw.len()]) {
        if start < end {
            parameter(views, start..end, offset, each);
        }
        start = end + 1;
    }
}

/// A parameter: its name where that is more than a name, and its value; the whole where the name is none.
fn parameter(views: &Views<'_>, range: Range<usize>, offset: usize, each: &mut dyn FnMut(&Views<'_>, usize)) {
    let text = views.raw.get(range.clone()).unwrap_or_default();
    let Some(equals) = memchr::memchr(b'=', text) else {
        return each(&views.part(range.clone(), Kind::Query), offset + range.start);
    };
    let name = Bytes::of(&text[..equals]);
    if !name.only(NAME) || equals > NAME_BYTES_MAX {
        return each(&views.part(range.clone(), Kind::Query), offset + range.start);
    }
    let value = range.start + equals + 1;
    if !name.only(PLAIN_NAME) || equals >= SPEAKING_NAME_BYTES {
        each(&views.part(range.start..range.start + equals, Kind::Query), offset + range.start);
    }
    if value < range.end {
        each(&views.part(value..range.end, Kind::Query), offset + value);
    }
}

/// Bytes of names that programs give to parameters.
const NAME: Bytes = PLAIN_NAME.with(Bytes::SQUARE).with(Bytes::DOLLAR).with(Bytes::COLON);
const PLAIN_NAME: Bytes =
    Bytes::DIGIT.with(Bytes::LETTER).with(Bytes::WORD).with(Bytes::DASH).with(Bytes::DOT);
/// A longer name is looked at together with its value.
const NAME_BYTES_MAX: usize = 64;
/// Names that mean something are longer than this; shorter ones are not looked at.
const SPEAKING_NAME_BYTES: usize = 4;
