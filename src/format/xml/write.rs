//! Writes the tree as JSON.

use std::collections::HashMap;
use std::ops::Range;

use super::Shape;
use super::read::Element;
use crate::event::{work, write_string};

/// `"name": value`.
pub(super) fn member(element: &Element, xml: &[u8], shape: &Shape, out: &mut Vec<u8>) {
    key("", &xml[element.name()], out);
    value(element, xml, shape, out);
}

/// The value of an element; whether it is an object.
pub(super) fn value(element: &Element, xml: &[u8], shape: &Shape, out: &mut Vec<u8>) -> bool {
    if element.attributes.is_empty() && element.elements.is_empty() {
        let mut plain = Vec::new();
        text(element, xml, &mut plain);
        write_string(&String::from_utf8_lossy(&plain), out);
        return false;
    }
    out.push(b'{');
    let mut first = true;
    let mut comma = |out: &mut Vec<u8>| {
        if !std::mem::take(&mut first) {
            out.push(b',');
        }
    };
    for (name, value) in &element.attributes {
        comma(out);
        key(&shape.attribute, &xml[name.clone()], out);
        let mut plain = Vec::new();
        resolve(&xml[value.clone()], &mut plain);
        write_string(&String::from_utf8_lossy(&plain), out);
    }
    for same in grouped(&element.elements, |child| &xml[child.name()]) {
        let Some(one) = same.first() else { continue };
        comma(out);
        key("", &xml[one.name()], out);
        if same.iter().all(|child| is_named(child, xml, shape)) {
            named(&same, xml, out);
        } else {
            list(&same, out, |child, out| {
                value(child, xml, shape, out);
            });
        }
    }
    let mut plain = Vec::new();
    text(element, xml, &mut plain);
    if !plain.is_empty() {
        comma(out);
        key("", shape.text.as_bytes(), out);
        write_string(&String::from_utf8_lossy(&plain), out);
    }
    out.push(b'}');
    true
}

/// Elements with equal keys together, in the order of the first of each.
fn grouped<'a, 'k, T>(all: &'a [T], of: impl Fn(&'a T) -> &'k [u8]) -> Vec<Vec<&'a T>> {
    let mut groups: Vec<Vec<&T>> = Vec::new();
    let mut places: HashMap<&[u8], usize> = HashMap::new();
    for one in all {
        let at = *places.entry(of(one)).or_insert(groups.len());
        match groups.get_mut(at) {
            Some(group) => group.push(one),
            None => groups.push(vec![one]),
        }
    }
    groups
}

/// One value, or a list of several.
fn list(same: &[&Element], out: &mut Vec<u8>, mut each: impl FnMut(&Element, &mut Vec<u8>)) {
    if let [one] = same {
        return each(one, out);
    }
    out.push(b'[');
    for (at, one) in same.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        each(one, out);
    }
    out.push(b']');
}

/// Whether an element is a value whose name is its only attribute.
fn is_named(element: &Element, xml: &[u8], shape: &Shape) -> bool {
    element.elements.is_empty()
        && matches!(&element.attributes[..], [(name, value)]
            if xml[name.clone()] == *shape.named_by.as_bytes() && !value.is_empty())
}

fn named(same: &[&Element], xml: &[u8], out: &mut Vec<u8>) {
    let name = |element: &Element| element.attributes.first().map_or(0..0, |(_, value)| value.clone());
    out.push(b'{');
    for (at, group) in grouped(same, |element| &xml[name(element)]).iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        let group: Vec<&Element> = group.iter().map(|element| **element).collect();
        let mut plain = Vec::new();
        resolve(&xml[group.first().map_or(0..0, |first| name(first))], &mut plain);
        key("", &plain, out);
        list(&group, out, |element, out| {
            let mut plain = Vec::new();
            text(element, xml, &mut plain);
            write_string(&String::from_utf8_lossy(&plain), out);
        });
    }
    out.push(b'}');
}

fn key(prefix: &str, name: &[u8], out: &mut Vec<u8>) {
    write_string(&format!("{prefix}{}", String::from_utf8_lossy(name)), out);
    out.push(b':');
}

/// The text of an element without the blanks around it.
pub(super) fn text(element: &Element, xml: &[u8], out: &mut Vec<u8>) {
    let from = out.len();
    for (range, entities) in &element.text {
        let bytes = &xml[Range::clone(range)];
        if *entities { resolve(bytes, out) } else { out.extend_from_slice(bytes) }
    }
    let trimmed = out[from..].trim_ascii();
    let (len, blanks) = (trimmed.len(), out.len() - from - out[from..].trim_ascii_start().len());
    out.drain(from..from + blanks);
    out.truncate(from + len);
}

/// Resolves the entities that every document has (§4.6), and characters by number. Others stay as they are.
fn resolve(bytes: &[u8], out: &mut Vec<u8>) {
    let mut rest = bytes;
    work::count(1 + bytes.len());
    while let Some(at) = memchr::memchr(b'&', rest) {
        out.extend_from_slice(&rest[..at]);
        rest = &rest[at..];
        // The longest is `&#x10FFFF;`.
        let end = memchr::memchr(b';', &rest[..rest.len().min(12)]);
        match end.and_then(|end| Some((entity(&rest[1..end])?, end))) {
            Some((character, end)) => {
                out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                rest = &rest[end + 1..];
            }
            None => {
                out.push(b'&');
                rest = &rest[1..];
            }
        }
    }
    out.extend_from_slice(rest);
}

fn entity(name: &[u8]) -> Option<char> {
    let number = |digits: &[u8], radix| {
        let code = u32::from_str_radix(std::str::from_utf8(digits).ok()?, radix).ok()?;
        char::from_u32(code)
    };
    match name {
        b"lt" => Some('<'),
        b"gt" => Some('>'),
        b"amp" => Some('&'),
        b"quot" => Some('"'),
        b"apos" => Some('\''),
        [b'#', b'x', digits @ ..] => number(digits, 16),
        [b'#', digits @ ..] => number(digits, 10),
        _ => None,
    }
}
