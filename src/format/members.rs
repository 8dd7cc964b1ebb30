//! Keys and values that only the data knows, and text derived from it: what the open formats share.

use super::keys::{Keys, fingerprint};
use super::{Fields, Mismatch, Target};
use crate::event::{Facts, Slot, Span, Texts, Value};
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
}

impl Members {
    pub(super) fn new(root: Slot, fields: &Fields) -> Self {
        Self { root, mark: fields.len(), keys: Keys::default() }
    }

    /// Puts a member. `bytes` are those of the key; `same` compares two keys by their spans.
    pub(super) fn put(
        &mut self,
        fields: &mut Fields,
        (key, bytes): (Span, &[u8]),
        value: Value,
        same: impl Fn(Span) -> bool,
    ) -> Result<(), Mismatch> {
        if self.keys.len() >= REST_KEYS_MAX {
            return Err(Mismatch::at(key.start as usize, "more keys than an event may have"));
        }
        if self.keys.seen(fingerprint(bytes)) {
            let known = fields.iter_mut().skip(self.mark).find(|(target, _)| match target {
                Target::Key(parent, other) => *parent == self.root && same(*other),
                Target::Slot(_) => false,
            });
            if let Some((_, known)) = known {
                *known = value;
                return Ok(());
            }
        }
        fields.push((Target::Key(self.root, key), value));
        Ok(())
    }
}

/// A part of a text that lies in a span.
pub(super) fn part(input: Span, from: usize, len: usize) -> Span {
    input.part(from, len).with(Facts::UNKNOWN)
}
