//! A small buffer in which the parts of one event are put together.
//!
//! In: short pieces of text and values. Out: their bytes, appended to a body at once. A body can grow, so that every
//! append to it asks for room and every short copy is a call; here short copies have a fixed size, and the next piece
//! is written over the surplus.

use super::json::{Second, write_rest, write_string, write_value};
use super::raw::dot;
use super::{Row, Span, Value};

/// Bytes of the buffer: an event of usual size fits, and stays in the first-level cache.
const STAGE: usize = 4096;

/// Bytes that are copied at once.
pub(super) const BLOCK: usize = 32;

/// Longest text that is copied by blocks; a longer one is worth a call.
const BLOCKS: usize = 4 * BLOCK;

/// Bytes on their way to a body.
#[derive(Debug)]
pub(super) struct Stage {
    bytes: Box<[u8; STAGE]>,
    second: Second,
}

impl Default for Stage {
    fn default() -> Self {
        Self { bytes: Box::new([0; STAGE]), second: Second::default() }
    }
}

impl Stage {
    /// Begins to put parts behind what is in a body.
    #[inline]
    pub(super) fn onto<'a>(&'a mut self, out: &'a mut Vec<u8>) -> Parts<'a> {
        Parts { bytes: &mut self.bytes, second: &mut self.second, out }
    }
}

/// Parts that were put together. Each method is told how many bytes are on the stage and gives how many there are
/// then: a number that stays in a register.
pub(super) struct Parts<'a> {
    bytes: &'a mut [u8; STAGE],
    second: &'a mut Second,
    out: &'a mut Vec<u8>,
}

impl Parts<'_> {
    /// Moves everything to the body.
    #[inline]
    pub(super) fn flush(&mut self, len: usize) -> usize {
        self.out.extend_from_slice(self.bytes.get(..len).unwrap_or_default());
        0
    }

    /// Appends the first `more` bytes of a block, at most all of them.
    #[inline]
    pub(super) fn block(&mut self, mut len: usize, block: &[u8; BLOCK], more: usize) -> usize {
        if len > STAGE - BLOCK {
            len = self.flush(len);
        }
        if let Some(to) = self.bytes.get_mut(len..).and_then(|to| to.first_chunk_mut()) {
            *to = *block;
        }
        len + more
    }

    /// Appends one byte.
    #[inline]
    pub(super) fn byte(&mut self, mut len: usize, byte: u8) -> usize {
        if len >= STAGE {
            len = self.flush(len);
        }
        self.bytes[len] = byte;
        len + 1
    }

    /// Appends the bytes of a span.
    #[inline]
    pub(super) fn span(&mut self, len: usize, row: &Row, span: Span) -> usize {
        let from = row.texts.buffer(span.buffer).get(span.start as usize..).unwrap_or_default();
        let more = span.len as usize;
        // The buffer is much longer than the text, so that nearly always there is a whole block to be read.
        match from.first_chunk() {
            Some(block) if more <= BLOCK => self.block(len, block, more),
            _ => self.long(len, from, more),
        }
    }

    /// Appends the first `more` bytes of a text.
    #[inline(never)]
    fn long(&mut self, mut len: usize, mut from: &[u8], mut more: usize) -> usize {
        if more <= BLOCKS {
            while more > BLOCK
                && let Some((block, rest)) = from.split_first_chunk()
            {
                len = self.block(len, block, BLOCK);
                (from, more) = (rest, more - BLOCK);
            }
            if let Some(block) = from.first_chunk()
                && more <= BLOCK
            {
                return self.block(len, block, more);
            }
        }
        self.slice(len, from.get(..more).unwrap_or_default())
    }

    /// Appends bytes of any length.
    #[inline]
    fn slice(&mut self, mut len: usize, bytes: &[u8]) -> usize {
        if STAGE - len < bytes.len() {
            len = self.flush(len);
        }
        match self.bytes.get_mut(len..len + bytes.len()) {
            Some(to) => {
                to.copy_from_slice(bytes);
                len + bytes.len()
            }
            None => {
                self.out.extend_from_slice(bytes);
                len
            }
        }
    }

    /// Appends a time stamp, without quotes.
    #[inline]
    pub(super) fn time(&mut self, len: usize, ns: i64) -> usize {
        let (text, more) = self.second.text(ns);
        self.block(len, &text, more)
    }

    /// Appends the JSON form of a value.
    #[inline]
    pub(super) fn value(&mut self, len: usize, row: &Row, value: Value) -> usize {
        match value {
            Value::Text(span) | Value::Ip(span) => self.text(len, row, span),
            Value::Int(int) => self.slice(len, itoa::Buffer::new().format(int).as_bytes()),
            Value::Object(span) | Value::List(span) => self.span(len, row, span),
            value => self.other(len, row, value),
        }
    }

    #[inline(never)]
    fn other(&mut self, len: usize, row: &Row, value: Value) -> usize {
        let len = self.flush(len);
        write_value(&row.texts, value, self.out);
        len
    }

    #[inline]
    fn text(&mut self, len: usize, row: &Row, span: Span) -> usize {
        if span.facts.is_plain() {
            let len = self.byte(len, b'"');
            let len = self.span(len, row, span);
            return self.byte(len, b'"');
        }
        let len = self.flush(len);
        match row.texts.text(span) {
            Some(text) => write_string(text, self.out),
            None => write_string(&String::from_utf8_lossy(row.texts.bytes(span)), self.out),
        }
        len
    }

    /// Appends the keys that only the data knows, all of them of the event itself, and its closing brace. `first`
    /// where nothing stands before them.
    pub(super) fn rest(&mut self, mut len: usize, row: &Row, mut first: bool) -> usize {
        let rest = row.rest();
        if rest.iter().any(|entry| dot(row.texts.bytes(entry.key)).is_some()) {
            if !first {
                len = self.byte(len, b',');
            }
            len = self.flush(len);
            write_rest(row, 0, self.out);
            self.out.pop();
            return self.byte(len, b'}');
        }
        for entry in rest {
            if !std::mem::take(&mut first) {
                len = self.byte(len, b',');
            }
            len = self.text(len, row, entry.key);
            len = self.byte(len, b':');
            len = self.value(len, row, entry.value);
        }
        self.byte(len, b'}')
    }
}
