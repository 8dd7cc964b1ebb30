//! Keys and values that only the data knows, and text derived from it: what the open formats share.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::BuildHasher;

use super::keys::{Keys, fingerprint};
use super::{Fields, Mismatch, Target};
use crate::event::{Facts, Slot, Span, Texts, Value, work, write_string};
use crate::limits::REST_KEYS_MAX;

/// Derived text of one parse: collected beside the arena while spans of the input are read, then moved into it.
pub(super) struct Derived {
    base: usize,
    /// The bytes so far.
    pub(super) bytes: Vec<u8>,
}

impl Derived {
    pub(super) fn new(texts: &mut Texts) -> Self {
        Self { base: texts.derived_bytes(), bytes: texts.scratch() }
    }

    /// Lets `work` append text, and moves it to where its spans say, whether it succeeds or not.
    pub(super) fn within<R>(texts: &mut Texts, work: impl FnOnce(&Texts, &mut Self) -> R) -> R {
        let mut derived = Self::new(texts);
        let done = work(texts, &mut derived);
        derived.finish(texts);
        done
    }

    /// The span that what was appended since `from` will have.
    pub(super) fn span(&self, from: usize) -> Span {
        Span {
            start: (self.base + from) as u32,
            len: (self.bytes.len() - from) as u32,
            buffer: Span::ARENA,
            facts: Facts::UNKNOWN,
        }
    }

    /// Appends a text or a truth value as JSON; its text may be derived.
    fn write(&mut self, texts: &Texts, value: Value) {
        let Some(span) = value.span() else {
            self.bytes.extend_from_slice(if value == Value::Bool(true) { b"true" } else { b"null" });
            return;
        };
        let here = (span.start as usize).checked_sub(self.base).filter(|_| span.buffer == Span::ARENA);
        let bytes = match here {
            Some(at) => self.bytes.get(at..at + span.len as usize).unwrap_or_default(),
            None => texts.bytes(span),
        };
        let text = String::from_utf8_lossy(bytes).into_owned();
        write_string(&text, &mut self.bytes);
    }

    /// Moves the text to where the spans say.
    pub(super) fn finish(self, texts: &mut Texts) {
        texts.keep(self.bytes);
    }
}

/// Members of one open object: the last of equal keys counts.
pub(super) struct Members {
    root: Slot,
    mark: usize,
    keys: Keys,
    /// Where the members end whose keys are held in place.
    early: usize,
    /// Of an object with many members: where each of the others stands, by the hash of its key. The hash has a seed of
    /// this process, so that nobody can write keys that share theirs.
    late: Option<HashMap<u64, usize>>,
    /// Further values of keys that came before: which field, and the value.
    more: Vec<(usize, Value)>,
}

impl Members {
    pub(super) fn new(root: Slot, fields: &Fields) -> Self {
        let mark = fields.len();
        Self { root, mark, keys: Keys::default(), early: mark, late: None, more: Vec::new() }
    }

    /// Puts a member. `bytes` are those of the key; `same` compares two keys by their spans.
    pub(super) fn put(
        &mut self,
        fields: &mut Fields,
        (key, bytes): (Span, &[u8]),
        value: Value,
        same: impl Fn(Span) -> bool,
    ) -> Result<(), Mismatch> {
        match self.known(fields, (key, bytes), same)? {
            Some(known) => fields[known].1 = value,
            None => fields.push((Target::Key(self.root, key), value)),
        }
        Ok(())
    }

    /// The same, but of equal keys all values are kept, for [`Members::lists`].
    pub(super) fn add(
        &mut self,
        fields: &mut Fields,
        (key, bytes): (Span, &[u8]),
        value: Value,
        same: impl Fn(Span) -> bool,
    ) -> Result<(), Mismatch> {
        if let Some(known) = self.known(fields, (key, bytes), same)? {
            self.more.push((known, value));
            return Ok(());
        }
        fields.push((Target::Key(self.root, key), value));
        Ok(())
    }

    /// Makes a list of what a key has that came more than once.
    pub(super) fn lists(mut self, texts: &Texts, derived: &mut Derived, fields: &mut Fields) {
        self.more.sort_by_key(|(known, _)| *known);
        for values in self.more.chunk_by(|(one, _), (other, _)| one == other) {
            let Some((known, _)) = values.first() else { continue };
            let from = derived.bytes.len();
            let first = fields[*known].1;
            for (at, value) in
                std::iter::once(first).chain(values.iter().map(|(_, value)| *value)).enumerate()
            {
                derived.bytes.push(if at == 0 { b'[' } else { b',' });
                derived.write(texts, value);
            }
            derived.bytes.push(b']');
            fields[*known].1 = Value::List(derived.span(from));
        }
    }

    /// The field that a key has already, by its place; else it will have the next.
    fn known(
        &mut self,
        fields: &Fields,
        (key, bytes): (Span, &[u8]),
        same: impl Fn(Span) -> bool,
    ) -> Result<Option<usize>, Mismatch> {
        if self.keys.len() >= REST_KEYS_MAX {
            return Err(Mismatch::at(key.start as usize, "more keys than an event may have"));
        }
        work::count(1 + bytes.len());
        let late = self.keys.is_full();
        if !late {
            self.early = fields.len() + 1;
        }
        let seen = self.keys.seen_in_place(fingerprint(bytes));
        let known = if seen { self.early_place(fields, same) } else { None };
        Ok(if late && known.is_none() { self.late_place(fields.len(), bytes) } else { known })
    }

    #[cold]
    fn early_place(&self, fields: &Fields, same: impl Fn(Span) -> bool) -> Option<usize> {
        let is_it = |target: &Target| match target {
            Target::Key(parent, other) | Target::Rest(parent, other) => *parent == self.root && same(*other),
            Target::Slot(_) => false,
        };
        let end = self.early.min(fields.len());
        let early = fields.get(self.mark..end)?;
        work::count(early.len());
        early.iter().position(|(target, _)| is_it(target)).map(|at| self.mark + at)
    }

    /// Where the key stands already; else it is remembered that it will stand at `next`.
    #[cold]
    fn late_place(&mut self, next: usize, bytes: &[u8]) -> Option<usize> {
        let late = self.late.get_or_insert_default();
        let hash = late.hasher().hash_one(bytes);
        match late.entry(hash) {
            Entry::Occupied(place) => Some(*place.get()),
            Entry::Vacant(place) => {
                place.insert(next);
                None
            }
        }
    }
}

/// A part of a text that lies in a span.
pub(super) fn part(input: Span, from: usize, len: usize) -> Span {
    input.part(from, len).with(Facts::UNKNOWN)
}
