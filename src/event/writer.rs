//! Events as JSON text, fast: what stands between the values is made once for all events of one shape.
//!
//! In: a [`Row`]. Out: the same bytes as [`write_object`](super::write_object). Events of a stream come in few
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

/// What follows the text of a shape, so that each piece can be copied as a block.
const PADDING: [u8; BLOCK] = [0; BLOCK];

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
    /// All pieces one behind the other, and [`PADDING`].
    text: Vec<u8>,
    pieces: Vec<Piece>,
    /// The closing braces before the remainder's keys and the last brace, as a range of the text.
    tail: (u32, u32),
    /// Fields whose value is part of the text: a constant of the plan.
    fixed: Vec<(Slot, Value)>,
    /// Fields that hold a constant, but not always the same.
    varying: Vec<Slot>,
}

/// Text, then the value of a field.
#[derive(Clone, Copy, Debug)]
struct Piece {
    start: u32,
    len: u32,
    slot: Slot,
}

impl Writer {
    /// Appends the whole event as one JSON object.
    #[inline]
    pub fn write(&mut self, row: &Row, out: &mut Vec<u8>) {
        let place = place(row.present());
        if !self.shapes.get(place).is_some_and(|shape| shape.fits(row)) && !self.learn(place, row) {
            return write_object(row, out);
        }
        let Some(shape) = self.shapes.get(place) else { return };
        if !row.rest().is_empty() && !row.rest_at().is_only(0) {
            return write_object(row, out);
        }
        let stage = &mut self.stage;
        for piece in &shape.pieces {
            stage.copy(&shape.text, piece.start as usize, piece.len as usize, out);
            stage.value(row, row.value(piece.slot), out);
        }
        stage.copy(&shape.text, shape.tail.0 as usize, shape.tail.1 as usize, out);
        let bare = shape.pieces.is_empty() && shape.fixed.is_empty();
        if row.rest().is_empty() {
            stage.byte(b'}', out);
        } else {
            stage.rest(row, bare, out);
        }
        stage.flush(out);
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
            if !known.text.is_empty() && self.misses % LEARN_EVERY != 0 {
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

impl Shape {
    fn new(row: &Row, varying: Vec<Slot>) -> Self {
        let layout: &Layout = row.layout();
        let (mut text, mut pieces, mut fixed) = (vec![b'{'], Vec::new(), Vec::new());
        let (mut start, mut open): (usize, Slot) = (0, 0);
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
            if is_fixed(value) && !varying.contains(&slot) {
                row.write_json(value, &mut text);
                fixed.push((slot, value));
            } else {
                pieces.push(Piece { start: start as u32, len: (text.len() - start) as u32, slot });
                start = text.len();
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
        let tail = (start as u32, (text.len() - start) as u32);
        text.extend_from_slice(&PADDING);
        Self { present: *row.present(), text, pieces, tail, fixed, varying }
    }

    #[inline]
    fn fits(&self, row: &Row) -> bool {
        self.present == *row.present()
            && !self.text.is_empty()
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
