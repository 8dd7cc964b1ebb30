//! Events as JSON text, fast: what stands between the values is made once for all events of one shape.
//!
//! In: a [`Row`]. Out: the same bytes as [`write_object`]. Events of a stream come in few
//! shapes (which fields are present, and which hold a constant of the plan), so a [`Writer`] remembers the keys,
//! braces and constants of each as ready pieces of text, and an event costs one copy per field instead of a walk over
//! the tree of fields.

use super::json::write_object;
use super::stage::{BLOCK, Stage};
use super::{Layout, Mask, Row, Slot, Span, Value};

/// Shapes that a writer remembers. A stream of access logs has about eight.
const SHAPES: usize = 64;

/// Of the events whose shape is not the one that is remembered in its place, one in so many is remembered.
const LEARN_EVERY: u32 = 8;

/// Writes events; one per encoder.
#[derive(Debug, Default)]
pub struct Writer {
    shapes: Vec<Shape>,
    stage: Stage,
    misses: u32,
}

/// What the events have in common that hold values in the same slots.
#[derive(Debug, Default)]
struct Shape {
    present: Mask,
    pieces: Vec<Piece>,
    /// Fields whose value is part of the pieces: a constant of the plan.
    fixed: Vec<(Slot, Value)>,
    /// Fields of which more than one constant was seen, or values that are written in more than one way.
    varying: Vec<Slot>,
}

/// Text, then perhaps the value of a field.
#[derive(Clone, Copy, Debug)]
struct Piece {
    text: [u8; BLOCK],
    len: u8,
    then: Then,
    slot: Slot,
}

/// What stands behind the text of a piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    /// The next piece.
    Nothing,
    /// A text that needs no escapes; its quotes are in the pieces.
    Plain,
    /// A time stamp; its quotes are in the pieces.
    Time,
    /// Any value.
    Value,
}

impl Writer {
    /// Appends the whole event as one JSON object.
    #[inline]
    pub fn write(&mut self, row: &Row, out: &mut Vec<u8>) {
        let place = place(row.present());
        if !self.shapes.get(place).is_some_and(|shape| shape.fits(row)) && !self.learn(place, row) {
            return write_object(row, out);
        }
        let Some(shape) = self.shapes.get_mut(place) else { return };
        if !row.rest().is_empty() && !row.rest_at().is_only(0) {
            return write_object(row, out);
        }
        let start = out.len();
        let mut parts = self.stage.onto(out);
        let mut len = 0;
        for piece in &shape.pieces {
            len = parts.block(len, &piece.text, usize::from(piece.len));
            if piece.then == Then::Nothing {
                continue;
            }
            let value = row.value(piece.slot);
            len = match (piece.then, value) {
                (Then::Plain, Value::Text(span) | Value::Ip(span)) if span.facts.is_plain() => {
                    parts.span(len, row, span)
                }
                (Then::Time, Value::Timestamp(ns)) => parts.time(len, ns),
                (Then::Value, value) => parts.value(len, row, value),
                _ => {
                    // From now on any value may stand there; this event is written by the plain walk.
                    shape.varying.push(piece.slot);
                    shape.pieces.clear();
                    out.truncate(start);
                    return write_object(row, out);
                }
            };
        }
        len = match row.rest() {
            [] => parts.byte(len, b'}'),
            _ => parts.rest(len, row, shape.present == Mask::default()),
        };
        parts.flush(len);
    }

    /// Remembers the shape of a row. Returns false where it has none, or where so many shapes come by turns that
    /// remembering each would cost more than it saves.
    #[cold]
    fn learn(&mut self, place: usize, row: &Row) -> bool {
        if row.present().meets(row.layout().inner()) {
            return false;
        }
        if self.shapes.is_empty() {
            self.shapes.resize_with(SHAPES, Shape::default);
        }
        let known = &mut self.shapes[place];
        if known.present == *row.present() {
            // A constant that is not the same in all events is no part of the text.
            let varies = |fixed: &(Slot, Value)| row.value(fixed.0) != fixed.1;
            let varying = known.fixed.iter().copied().filter(varies).map(|(slot, _)| slot);
            known.varying.extend(varying);
        } else {
            self.misses = self.misses.wrapping_add(1);
            if !known.pieces.is_empty() && !self.misses.is_multiple_of(LEARN_EVERY) {
                return false;
            }
            known.varying.clear();
        }
        *known = Shape::new(row, std::mem::take(&mut known.varying));
        true
    }
}

/// Where the shape of these fields is remembered. Two shapes that share a place take turns, which costs time, never
/// correctness.
#[inline]
fn place(present: &Mask) -> usize {
    (present.fold().wrapping_mul(0x9E37_79B9_7F4A_7C15) >> (u64::BITS - SHAPES.trailing_zeros())) as usize
}

/// Constants of the plan never change; everything else is different in each event or batch.
fn is_fixed(value: Value) -> bool {
    value.span().is_some_and(|span| span.buffer == Span::CONSTANTS)
}

/// How a value like this one is written.
fn behind(value: Value) -> Then {
    match value {
        Value::Text(span) | Value::Ip(span) if span.facts.is_plain() => Then::Plain,
        Value::Timestamp(_) => Then::Time,
        _ => Then::Value,
    }
}

impl Shape {
    fn new(row: &Row, varying: Vec<Slot>) -> Self {
        let layout: &Layout = row.layout();
        let mut shape = Self { present: *row.present(), varying, ..Self::default() };
        let (mut text, mut open): (Vec<u8>, Slot) = (vec![b'{'], 0);
        for slot in row.present().iter() {
            while slot >= layout.end(open) {
                close(&mut text);
                open = layout.parent(open);
            }
            let parent = layout.parent(slot);
            open_down(layout, open, parent, &mut text);
            open = parent;
            text.extend_from_slice(layout.fragment(slot));
            let value = row.value(slot);
            let varies = shape.varying.contains(&slot);
            if is_fixed(value) && !varies {
                row.write_json(value, &mut text);
                shape.fixed.push((slot, value));
            } else {
                let then = if varies { Then::Value } else { behind(value) };
                let quote: &[u8] = if then == Then::Value { b"" } else { b"\"" };
                text.extend_from_slice(quote);
                shape.push(&mut text, then, slot);
                text.extend_from_slice(quote);
            }
            text.push(b',');
        }
        while open != 0 {
            close(&mut text);
            open = layout.parent(open);
        }
        if text.last() == Some(&b',') {
            text.pop();
        }
        shape.push(&mut text, Then::Nothing, 0);
        shape
    }

    /// Moves text to pieces, the last of them followed by `then`.
    fn push(&mut self, text: &mut Vec<u8>, then: Then, slot: Slot) {
        let mut pieces = text.chunks(BLOCK).map(|chunk| {
            let mut text = [0; BLOCK];
            text.iter_mut().zip(chunk).for_each(|(to, from)| *to = *from);
            Piece { text, len: chunk.len() as u8, then: Then::Nothing, slot }
        });
        self.pieces.extend(&mut pieces);
        match self.pieces.last_mut() {
            Some(last) if !text.is_empty() => last.then = then,
            _ => self.pieces.push(Piece { text: [0; BLOCK], len: 0, then, slot }),
        }
        text.clear();
    }

    #[inline]
    fn fits(&self, row: &Row) -> bool {
        self.present == *row.present()
            && !self.pieces.is_empty()
            && self.fixed.iter().all(|(slot, value)| row.value(*slot) == *value)
    }
}

/// Opens the objects below `from` down to `to`.
fn open_down(layout: &Layout, from: Slot, to: Slot, text: &mut Vec<u8>) {
    if to != from {
        open_down(layout, from, layout.parent(to), text);
        text.extend_from_slice(layout.fragment(to));
        text.push(b'{');
    }
}

/// Ends an object whose every part was followed by a comma, and puts one behind it.
fn close(text: &mut Vec<u8>) {
    if text.last() == Some(&b',') {
        text.pop();
    }
    text.extend_from_slice(b"},");
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::event::{Facts, LayoutBuilder, Row};

    /// Rows of many shapes, one after the other: the writer must never mix them up.
    #[test]
    fn it_writes_what_the_plain_walk_writes() {
        let paths = ["@timestamp", "a.b.c", "a.b.d", "a.e", "f", "g.h", "m"];
        let mut builder = LayoutBuilder::default();
        for path in paths {
            builder.add(path);
        }
        let layout = Arc::new(builder.build());
        let constants: Arc<[u8]> = Arc::from(&b"yesno"[..]);
        let constant = |start, len| Span { start, len, buffer: Span::CONSTANTS, facts: Facts::PLAIN };
        let mut row = Row::new(Arc::clone(&layout), constants);
        let mut writer = Writer::default();
        for round in 0..4000u32 {
            row.clear();
            for (at, path) in paths.iter().enumerate() {
                let dice = round.wrapping_mul(2_654_435_761) >> (at * 3 + 4);
                let text = row.texts.push(format!("say \"{round}\"").as_bytes());
                let value = match dice % 6 {
                    0 => continue,
                    1 => Value::Text(constant(0, 3)),
                    2 => Value::Text(constant(3, 2)),
                    3 => Value::Timestamp(i64::from(round) * 333_333_333),
                    4 => Value::Text(text),
                    _ => Value::Int(i64::from(round)),
                };
                row.set(layout.slot(path).expect("named"), value);
            }
            if round % 3 == 0 {
                let key = row.texts.push(if round % 2 == 0 { b"open" } else { b"o.p" });
                row.add(0, key, Value::Bool(true));
            }
            if round % 50 == 7 {
                row.set(layout.slot("a").expect("named"), Value::Int(1));
            }
            let (mut plain, mut fast) = (Vec::new(), Vec::new());
            write_object(&row, &mut plain);
            writer.write(&row, &mut fast);
            assert_eq!(String::from_utf8(fast), String::from_utf8(plain), "round {round}");
        }
    }
}
