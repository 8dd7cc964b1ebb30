//! What a field is made of: a query's parameters one by one, a path, a header as it is.

use super::super::{Kind, Views};

/// Hands on each part of a field with its offset.
pub(super) fn parts(views: &Views<'_>, each: &mut dyn FnMut(&Views<'_>, usize)) {
    match views.kind {
        Kind::Query => query(views, 0, each),
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
            each(&views.part(start..end, Kind::Query), offset + start);
        }
        start = end + 1;
    }
}
