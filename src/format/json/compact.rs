//! Writes checked JSON again without blanks and without equal keys: the rare value that cannot stand as it is.

use std::collections::HashMap;

use super::scan::unescape;
use crate::event::{raw, work};

/// Appends a checked object or array. Of equal keys, however they are spelled, the last value stands, in the
/// place of the first.
pub(super) fn write(text: &[u8], out: &mut Vec<u8>) {
    work::count(text.len());
    match text.first() {
        Some(b'{') => object(text, out),
        Some(b'[') => {
            out.push(b'[');
            for (at, item) in raw::items(text).into_iter().enumerate() {
                if at > 0 {
                    out.push(b',');
                }
                write(&text[item], out);
            }
            out.push(b']');
        }
        _ => out.extend_from_slice(text),
    }
}

fn object(text: &[u8], out: &mut Vec<u8>) {
    let mut kept: Vec<(Vec<u8>, &[u8])> = Vec::new();
    let mut places: HashMap<Vec<u8>, usize> = HashMap::new();
    for (key, value) in raw::members(text) {
        let mut name = Vec::new();
        unescape(&text[key], &mut name);
        match places.get(&name) {
            Some(&place) => kept[place].1 = &text[value],
            None => {
                places.insert(name.clone(), kept.len());
                kept.push((name, &text[value]));
            }
        }
    }
    out.push(b'{');
    for (at, (key, value)) in kept.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        crate::event::write_string(&String::from_utf8_lossy(key), out);
        out.push(b':');
        write(value, out);
    }
    out.push(b'}');
}
