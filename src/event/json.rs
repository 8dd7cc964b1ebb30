//! Events as JSON text: nested objects, as Elasticsearch and people want them.

use std::collections::HashMap;

use super::raw::dot;
use super::{Row, Slot, Span, Texts, Value, work};
use crate::limits::JSON_DEPTH_MAX;

/// Appends the whole event as one JSON object. [`Writer`](super::Writer) does the same faster, for many events.
pub fn write_object(row: &Row, out: &mut Vec<u8>) {
    write_node(row, 0, out);
}

/// Appends the object at `slot`: its named fields in the layout's order, then the keys that only the data knows.
pub(super) fn write_node(row: &Row, slot: Slot, out: &mut Vec<u8>) {
    let layout = row.layout();
    let end = layout.end(slot);
    out.push(b'{');
    let first = out.len();
    if slot != 0
        && let Some(value) = row.get(slot)
    {
        // The data has a scalar where the pipeline names fields below: both are kept.
        out.extend_from_slice(b"\"_value\":");
        write_value(&row.texts, value, out);
        out.push(b',');
    }
    let mut at = slot + 1;
    while let Some(next) = next_used(row, at, end) {
        // `next` may be deep below: its ancestor that is a child of `slot` is the field to write.
        let mut child = next;
        while layout.parent(child) != slot {
            child = layout.parent(child);
        }
        at = layout.end(child);
        out.extend_from_slice(layout.fragment(child));
        match row.get(child) {
            Some(value) if !layout.has_children(child) || !below(row, child) => {
                write_value(&row.texts, value, out);
            }
            _ => write_node(row, child, out),
        }
        out.push(b',');
    }
    if row.rest_at().contains(slot) {
        write_rest(row, slot, out);
    }
    if out.len() > first {
        out.pop();
    }
    out.push(b'}');
}

fn below(row: &Row, slot: Slot) -> bool {
    let end = row.layout().end(slot);
    row.present().any(slot + 1, end) || row.rest_at().any(slot, end)
}

#[inline]
fn next_used(row: &Row, from: Slot, end: Slot) -> Option<Slot> {
    let named = row.present().next(from, end);
    if row.rest().is_empty() {
        return named;
    }
    match (named, row.rest_at().next(from, end)) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

/// Appends `"key":value,` for each key of the remainder below `slot`.
pub(super) fn write_rest(row: &Row, slot: Slot, out: &mut Vec<u8>) {
    work::count(row.rest().len());
    let of = || row.rest().iter().filter(move |entry| entry.parent == slot);
    if of().all(|entry| dot(row.texts.bytes(entry.key)).is_none()) {
        for entry in of() {
            write_text(&row.texts, entry.key, out);
            out.push(b':');
            write_value(&row.texts, entry.value, out);
            out.push(b',');
        }
        return;
    }
    let members: Vec<_> = of().map(|entry| (row.texts.bytes(entry.key), entry.value)).collect();
    write_dotted(&row.texts, &members, JSON_DEPTH_MAX, out);
}

/// Writes members whose keys may hold dots: those that share a first key become one object. Below a depth that no JSON
/// has, dots are part of a key: one could hold a million of them.
fn write_dotted(texts: &Texts, members: &[(&[u8], Value)], depth: usize, out: &mut Vec<u8>) {
    let head = |key: &[u8]| memchr::memchr(b'.', key).filter(|_| depth > 0).unwrap_or(key.len());
    for (name, group) in grouped(members.iter().map(|(key, _)| &key[..head(key)])) {
        write_string(&String::from_utf8_lossy(name), out);
        out.push(b':');
        // A key that is there twice: the last counts, and nothing is below it to go down to.
        if group.iter().all(|&at| members[at].0.len() == name.len()) {
            write_value(texts, group.last().map_or(Value::Null, |&at| members[at].1), out);
        } else {
            write_group(texts, members, &group, name.len(), depth - 1, out);
        }
        out.push(b',');
    }
}

/// Names and the places at which each stands, in the order of the first of each.
fn grouped<'a>(names: impl Iterator<Item = &'a [u8]>) -> Vec<(&'a [u8], Vec<usize>)> {
    /// So many are looked through one by one, which takes less time than a map.
    const FEW: usize = 32;
    let mut groups: Vec<(&[u8], Vec<usize>)> = Vec::new();
    let mut places: HashMap<&[u8], usize> = HashMap::new();
    for (at, name) in names.enumerate() {
        work::count(1 + name.len() + groups.len().min(FEW));
        let known = match groups.len() {
            0..=FEW => groups.iter().position(|(other, _)| *other == name),
            _ => places.get(name).copied(),
        };
        match known.and_then(|known| groups.get_mut(known)) {
            Some((_, group)) => group.push(at),
            None => {
                groups.push((name, vec![at]));
                match groups.len() {
                    0..=FEW => {}
                    // From now on they are looked up.
                    len if places.is_empty() => {
                        places.extend(groups.iter().take(len).enumerate().map(|(at, (name, _))| (*name, at)));
                    }
                    len => {
                        places.insert(name, len - 1);
                    }
                }
            }
        }
    }
    groups
}

fn write_group(
    texts: &Texts,
    members: &[(&[u8], Value)],
    group: &[usize],
    head: usize,
    depth: usize,
    out: &mut Vec<u8>,
) {
    out.push(b'{');
    let first = out.len();
    let mut below = Vec::new();
    for &i in group {
        let (key, value) = members[i];
        match (key.get(head + 1..), value) {
            (Some(rest), _) => below.push((rest, value)),
            (None, Value::Object(span)) => {
                // `a` as an object beside `a.b`: its members stand beside `b`.
                let inner = texts.bytes(span).trim_ascii();
                let inner = &inner[1..inner.len().max(2) - 1];
                if !inner.trim_ascii().is_empty() {
                    out.extend_from_slice(inner);
                    out.push(b',');
                }
            }
            (None, value) => below.push((&b"_value"[..], value)),
        }
    }
    write_dotted(texts, &below, depth, out);
    if out.len() > first {
        out.pop();
    }
    out.push(b'}');
}

/// Appends the JSON form of a value: time stamps as RFC 3339 text in UTC, durations as whole nanoseconds (as ECS
/// has `event.duration`), addresses as text.
#[inline]
pub fn write_value(texts: &Texts, value: Value, out: &mut Vec<u8>) {
    match value {
        Value::Text(span) | Value::Ip(span) => write_text(texts, span, out),
        Value::Int(int) | Value::Duration(int) => {
            out.extend_from_slice(itoa::Buffer::new().format(int).as_bytes());
        }
        Value::Timestamp(ns) => {
            out.push(b'"');
            write_timestamp(ns, out);
            out.push(b'"');
        }
        Value::Object(span) | Value::List(span) | Value::Number(span) => {
            out.extend_from_slice(texts.bytes(span));
        }
        Value::Float(float) => out.extend_from_slice(zmij::Buffer::new().format_finite(float).as_bytes()),
        Value::Bool(true) => out.extend_from_slice(b"true"),
        Value::Bool(false) => out.extend_from_slice(b"false"),
        Value::Null => out.extend_from_slice(b"null"),
    }
}

#[inline]
fn write_text(texts: &Texts, span: Span, out: &mut Vec<u8>) {
    if span.facts.is_plain() {
        out.push(b'"');
        out.extend_from_slice(texts.bytes(span));
        out.push(b'"');
    } else if let Some(text) = texts.text(span) {
        write_string(text, out);
    } else {
        write_string(&String::from_utf8_lossy(texts.bytes(span)), out);
    }
}

/// Appends a JSON string with its quotes (RFC 8259 §7).
#[inline]
pub fn write_string(text: &str, out: &mut Vec<u8>) {
    json_escape_simd::escape_into(text, out);
}

/// Appends a time stamp as RFC 3339 in UTC with 3, 6 or 9 digits of a second, as few as hold it.
///
/// Years outside 0..=9999 have no RFC 3339 form; nanoseconds in an `i64` reach only 1677..=2262.
pub fn write_timestamp(ns: i64, out: &mut Vec<u8>) {
    let (text, len) = Second::default().text(ns);
    out.extend_from_slice(&text[..len]);
}

/// The text of the last second that was written. Events of a stream follow each other closely, so that nearly all
/// time stamps have the second of the one before.
#[derive(Debug)]
pub(super) struct Second {
    unix: i64,
    text: [u8; 32],
}

impl Default for Second {
    fn default() -> Self {
        Self { unix: 0, text: *b"1970-01-01T00:00:00.000000000Z  " }
    }
}

impl Second {
    /// The text of a time stamp, in nanoseconds since the epoch, and its length.
    #[inline]
    pub(super) fn text(&mut self, ns: i64) -> ([u8; 32], usize) {
        let (unix, fraction) = (ns.div_euclid(1_000_000_000), ns.rem_euclid(1_000_000_000) as u32);
        if unix != self.unix {
            self.turn(unix);
        }
        let mut text = self.text;
        text[20..23].copy_from_slice(&three(fraction / 1_000_000));
        let mut len = 23;
        if fraction % 1_000_000 != 0 {
            text[23..26].copy_from_slice(&three(fraction / 1000 % 1000));
            len = 26;
            if fraction % 1000 != 0 {
                text[26..29].copy_from_slice(&three(fraction % 1000));
                len = 29;
            }
        }
        text[len] = b'Z';
        (text, len + 1)
    }

    fn turn(&mut self, unix: i64) {
        let (days, second) = (unix.div_euclid(86_400), unix.rem_euclid(86_400) as u32);
        let (year, month, day) = civil(days);
        let text = &mut self.text;
        digits(&mut text[0..4], year);
        digits(&mut text[5..7], month);
        digits(&mut text[8..10], day);
        digits(&mut text[11..13], second / 3600);
        digits(&mut text[14..16], second / 60 % 60);
        digits(&mut text[17..19], second % 60);
        self.unix = unix;
    }
}

/// Three digits.
#[inline]
fn three(number: u32) -> [u8; 3] {
    [number / 100, number / 10 % 10, number % 10].map(|digit| b'0' + digit as u8)
}

fn digits(to: &mut [u8], mut number: u32) {
    for digit in to.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

/// Days since 1970-01-01 → year, month, day of the proleptic Gregorian calendar, by counting from 1 March of
/// the 400-year era, where leap days fall at the end of a year.
fn civil(days: i64) -> (u32, u32, u32) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year as u32, month as u32, day as u32)
}
