//! One event while it passes through a pipeline: slots, an ordered remainder, and the bytes they point into.

use std::collections::HashSet;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;

use super::{Facts, Layout, Mask, Segment, Slot, Span, Value, work, write_value};

/// A key that only the data knows, below the named object `parent`.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// The named object it belongs to; 0 is the event itself.
    pub parent: Slot,
    /// The key below it. A dot separates keys, as in every path: `a.b` is `b` in the object `a`.
    pub key: Span,
    /// The value.
    pub value: Value,
}

/// The buffers that a row's spans point into.
#[derive(Debug, Default)]
pub struct Texts {
    arena: Vec<u8>,
    scratch: Vec<u8>,
    constants: Arc<[u8]>,
    segments: Vec<Arc<Segment>>,
    header: Option<Span>,
    message: Option<Span>,
}

impl Texts {
    /// The header lines that stand above the message in its stream; empty where there are none.
    #[inline]
    pub fn header(&self) -> Span {
        self.header.unwrap_or(Span { start: 0, len: 0, buffer: Span::ARENA, facts: Facts::UNKNOWN })
    }

    /// The text of the message as it was read, whatever became of the field; empty where there is none.
    #[inline]
    pub fn message(&self) -> Span {
        self.message.unwrap_or(Span { start: 0, len: 0, buffer: Span::ARENA, facts: Facts::UNKNOWN })
    }

    /// Says what the text of the message is.
    #[inline]
    pub fn set_message(&mut self, message: Span) {
        self.message = Some(message);
    }

    /// Says which header lines stand above the message.
    #[inline]
    pub fn set_header(&mut self, header: Option<Span>) {
        self.header = header;
    }

    /// The bytes of a span. A span that points nowhere is empty.
    #[inline]
    pub fn bytes(&self, span: Span) -> &[u8] {
        self.buffer(span.buffer)
            .get(span.start as usize..span.start as usize + span.len as usize)
            .unwrap_or(&[])
    }

    /// The whole of a buffer, by its number in a span.
    #[inline]
    pub(super) fn buffer(&self, number: u16) -> &[u8] {
        match number {
            Span::ARENA => &self.arena,
            Span::CONSTANTS => &self.constants,
            n => self.segments.get((n - Span::SEGMENTS) as usize).map_or(&[], |segment| segment.bytes()),
        }
    }

    /// The text of a span, if it is UTF-8.
    #[inline]
    pub fn text(&self, span: Span) -> Option<&str> {
        simdutf8::basic::from_utf8(self.bytes(span)).ok()
    }

    /// Whether the buffer of a span is known to hold no backslash and no control character but the line feed:
    /// a capture from it that holds neither quote nor line feed is [`Facts::PLAIN`].
    #[inline]
    pub fn is_clean(&self, span: Span) -> bool {
        span.buffer >= Span::SEGMENTS
            && self
                .segments
                .get((span.buffer - Span::SEGMENTS) as usize)
                .is_some_and(|segment| segment.is_clean())
    }

    /// An empty buffer to write derived bytes into while reading others; give it back with [`Texts::keep`].
    #[inline]
    pub fn scratch(&mut self) -> Vec<u8> {
        let mut scratch = std::mem::take(&mut self.scratch);
        scratch.clear();
        scratch
    }

    /// Moves the bytes of a scratch buffer into the arena.
    #[inline]
    pub fn keep(&mut self, scratch: Vec<u8>) -> Span {
        let span = self.push(&scratch);
        self.scratch = scratch;
        span
    }

    /// Copies bytes into the arena.
    #[inline]
    pub fn push(&mut self, bytes: &[u8]) -> Span {
        let span = Span {
            start: self.arena.len() as u32,
            len: bytes.len() as u32,
            buffer: Span::ARENA,
            facts: Facts::UNKNOWN,
        };
        self.arena.extend_from_slice(bytes);
        span
    }

    /// Bytes derived for this row so far; compare with [`crate::limits::ROW_ARENA_BYTES_MAX`].
    pub fn derived_bytes(&self) -> usize {
        self.arena.len()
    }
}

/// What an event was at some point; see [`Row::save`].
#[derive(Debug)]
pub struct Saved {
    values: Vec<(Slot, Value)>,
    rest: Vec<Entry>,
    rest_at: Mask,
    arena_len: usize,
}

/// One event. Made once per worker and plan, and reset for each message.
#[derive(Debug)]
pub struct Row {
    layout: Arc<Layout>,
    values: Box<[Value]>,
    present: Mask,
    rest: Vec<Entry>,
    rest_at: Mask,
    /// The buffers behind the spans.
    pub texts: Texts,
}

impl Row {
    /// A row for a layout; `constants` is what spans of [`Span::CONSTANTS`] point into.
    pub fn new(layout: Arc<Layout>, constants: Arc<[u8]>) -> Self {
        let values = vec![Value::Null; layout.len()].into();
        let texts = Texts { constants, ..Texts::default() };
        Self { layout, values, present: Mask::default(), rest: Vec::new(), rest_at: Mask::default(), texts }
    }

    /// Points the row at the segments of the next batch and returns those of the last one.
    pub fn swap_segments(&mut self, segments: Vec<Arc<Segment>>) -> Vec<Arc<Segment>> {
        self.clear();
        std::mem::replace(&mut self.texts.segments, segments)
    }

    /// Forgets the event; the segments stay.
    #[inline]
    pub fn clear(&mut self) {
        self.present.clear();
        self.rest_at.clear();
        self.rest.clear();
        self.texts.arena.clear();
    }

    /// The layout.
    pub fn layout(&self) -> &Arc<Layout> {
        &self.layout
    }

    /// The slots that hold a value of their own.
    #[inline]
    pub fn present(&self) -> &Mask {
        &self.present
    }

    /// The named objects that hold keys which only the data knows.
    #[inline]
    pub fn rest_at(&self) -> &Mask {
        &self.rest_at
    }

    /// The keys that only the data knows, in the order in which they came.
    #[inline]
    pub fn rest(&self) -> &[Entry] {
        &self.rest
    }

    /// The value that a slot itself holds; an object made of named fields is seen by [`Row::read`] only.
    #[inline]
    pub fn get(&self, slot: Slot) -> Option<Value> {
        self.present.contains(slot).then(|| self.values[slot as usize])
    }

    /// The value of a slot that is known to be present.
    #[inline]
    pub(super) fn value(&self, slot: Slot) -> Value {
        self.values[slot as usize]
    }

    /// Whether the field or anything below it is present.
    #[inline]
    pub fn has(&self, slot: Slot) -> bool {
        let end = self.layout.end(slot);
        self.present.any(slot, end) || self.rest_at.any(slot, end)
    }

    /// The value of a field. An object whose parts are named is written out as JSON text first.
    #[inline]
    pub fn read(&mut self, slot: Slot) -> Option<Value> {
        if let Some(value) = self.get(slot) {
            return Some(value);
        }
        if !self.has(slot) {
            return None;
        }
        let mut out = self.texts.scratch();
        super::json::write_node(self, slot, &mut out);
        Some(Value::Object(self.texts.keep(out)))
    }

    /// Sets the slot's own value and leaves all else as it is. For parsers, whose fields are leaves; a step
    /// writes with [`Row::write`].
    #[inline]
    pub fn set(&mut self, slot: Slot, value: Value) {
        self.present.insert(slot);
        self.values[slot as usize] = value;
    }

    /// Adds a key that is not named by the layout below `parent`. The caller knows that it is new.
    #[inline]
    pub fn add(&mut self, parent: Slot, key: Span, value: Value) {
        self.rest_at.insert(parent);
        self.rest.push(Entry { parent, key, value });
    }

    /// Puts other keys that are not named by the layout in the place of those that are there. The caller knows that none
    /// stands twice.
    pub fn set_rest(&mut self, rest: Vec<Entry>) {
        self.rest_at.clear();
        rest.iter().for_each(|entry| self.rest_at.insert(entry.parent));
        self.rest = rest;
    }

    /// Adds a value at a key (with dots, a path) below the named object `parent`: into the slot that the layout
    /// has for it, else to the remainder. The caller knows that the key is new.
    #[inline]
    pub fn put(&mut self, parent: Slot, key: Span, value: Value) {
        super::raw::put(self, parent, key, value);
    }

    /// Removes keys that are not named by the layout, each from the object it belongs to, with what is below it. For a
    /// second parser, whose keys replace those of the first.
    pub fn forget(&mut self, keys: impl Iterator<Item = (Slot, Span)>) {
        let (texts, seed) = (&self.texts, RandomState::new());
        let whole = |(parent, key)| prefixes(&seed, parent, texts.bytes(key)).last();
        let gone: HashSet<u64> = keys.filter_map(whole).collect();
        if gone.is_empty() {
            return;
        }
        self.rest.retain(|entry| {
            !prefixes(&seed, entry.parent, texts.bytes(entry.key)).any(|path| gone.contains(&path))
        });
        self.rest_at.clear();
        self.rest.iter().for_each(|entry| self.rest_at.insert(entry.parent));
    }

    /// Replaces a field: what was below it is gone. An object written over named fields is taken apart.
    pub fn write(&mut self, slot: Slot, value: Value) {
        self.remove(slot);
        match value {
            Value::Object(span) if slot == 0 || self.layout.has_children(slot) => {
                super::raw::take_apart(self, slot, span);
            }
            _ => self.set(slot, value),
        }
    }

    /// Removes a field and everything below it. Returns whether there was anything.
    pub fn remove(&mut self, slot: Slot) -> bool {
        let end = self.layout.end(slot);
        let mut found = false;
        let mut from = slot;
        while let Some(at) = self.present.next(from, end) {
            self.present.remove(at);
            found = true;
            from = at + 1;
        }
        if self.rest_at.any(slot, end) {
            found = true;
            self.rest.retain(|entry| !(slot..end).contains(&entry.parent));
            let mut from = slot;
            while let Some(at) = self.rest_at.next(from, end) {
                self.rest_at.remove(at);
                from = at + 1;
            }
        }
        found
    }

    /// Keeps only the fields for which `wanted` holds; keys that only the data knows stay where the object they
    /// are in is wanted.
    pub fn retain(&mut self, wanted: &Mask) {
        self.present.keep(wanted);
        if self.rest.is_empty() {
            return;
        }
        self.rest.retain(|entry| wanted.contains(entry.parent));
        self.rest_at.keep(wanted);
    }

    /// The event as it is now, to come back to with [`Row::restore`]. Text derived later is gone then.
    pub fn save(&self) -> Saved {
        Saved {
            values: self.present.iter().map(|slot| (slot, self.values[slot as usize])).collect(),
            rest: self.rest.clone(),
            rest_at: self.rest_at,
            arena_len: self.texts.arena.len(),
        }
    }

    /// The event as it was.
    pub fn restore(&mut self, saved: &Saved) {
        self.present.clear();
        saved.values.iter().for_each(|(slot, value)| self.set(*slot, *value));
        self.rest.clone_from(&saved.rest);
        self.rest_at = saved.rest_at;
        self.texts.arena.truncate(saved.arena_len);
    }

    /// Appends the JSON form of a value to `out`.
    #[inline]
    pub fn write_json(&self, value: Value, out: &mut Vec<u8>) {
        write_value(&self.texts, value, out);
    }
}

/// A key and the objects above it that its dots tell, the outermost first, each as a hash: those of one key cannot be
/// made to be those of another by who does not know the seed.
fn prefixes(seed: &RandomState, parent: Slot, key: &[u8]) -> impl Iterator<Item = u64> {
    let mut hasher = seed.build_hasher();
    hasher.write_u16(parent);
    work::count(key.len());
    key.split(|&byte| byte == b'.').map(move |part| {
        hasher.write(part);
        hasher.write_u8(b'.');
        hasher.finish()
    })
}
