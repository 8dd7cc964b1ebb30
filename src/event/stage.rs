//! A small buffer in which the parts of one event are put together.
//!
//! In: short pieces of text and values. Out: their bytes, appended to a body at once. A body can grow, so that every
//! append to it asks for room and every short copy is a call; here short copies have a fixed size, and the next piece
//! is written over the surplus.

use super::json::{Second, write_rest, write_string, write_value};
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
        Parts { bytes: &mut self.bytes, len: 0, second: &mut self.second, out }
    }
}

/// Parts that were put together, the last of them still on the stage.
pub(super) struct Parts<'a> {
    bytes: &'a mut [u8; STAGE],
    len: usize,
    second: &'a mut Second,
    out: &'a mut Vec<u8>,
}

impl Parts<'_> {
    /// Moves everything to the body.
    #[inline]
    pub(super) fn flush(&mut self) {
        self.out.extend_from_slice(self.bytes.get(..self.len).unwrap_or_default());
        self.len = 0;
    }

    /// Appends the first `len` bytes of a block, at most all of them.
    #[inline]
    pub(super) fn block(&mut self, block: &[u8; BLOCK], len: usize) {
        if self.len > STAGE - BLOCK {
            self.flush();
        }
        if let Some(to) = self.bytes.get_mut(self.len..).and_then(|to| to.first_chunk_mut()) {
            *to = *block;
            self.len += len;
        }
    }

    /// Appends one byte.
    #[inline]
    pub(super) fn byte(&mut self, byte: u8) {
        if self.len == STAGE {
            self.flush();
        }
        if let Some(to) = self.bytes.get_mut(self.len) {
            *to = byte;
            self.len += 1;
        }
    }

    /// Appends the bytes of a span.
    #[inline]
    pub(super) fn span(&mut self, row: &Row, span: Span) {
        let (mut from, mut len) = (span.start as usize, span.len as usize);
        let buffer = row.texts.buffer(span.buffer);
        // The buffer is much longer than the text, so that nearly always there is a whole block to be read.
        if len <= BLOCKS {
            while let Some(block) = buffer.get(from..).and_then(<[u8]>::first_chunk) {
                self.block(block, len.min(BLOCK));
                if len <= BLOCK {
                    return;
                }
                (from, len) = (from + BLOCK, len - BLOCK);
            }
        }
        self.slice(buffer.get(from..from + len).unwrap_or_default());
    }

    /// Appends bytes of any length.
    #[inline]
    fn slice(&mut self, bytes: &[u8]) {
        if self.bytes.len() - self.len < bytes.len() {
            self.flush();
        }
        match self.bytes.get_mut(self.len..self.len + bytes.len()) {
            Some(to) => {
                to.copy_from_slice(bytes);
                self.len += bytes.len();
            }
            None => self.out.extend_from_slice(bytes),
        }
    }

    /// Appends a time stamp, without quotes.
    #[inline]
    pub(super) fn time(&mut self, ns: i64) {
        let (text, len) = self.second.text(ns);
        self.block(&text, len);
    }

    /// Appends the JSON form of a value.
    #[inline]
    pub(super) fn value(&mut self, row: &Row, value: Value) {
        match value {
            Value::Text(span) | Value::Ip(span) => self.text(row, span),
            Value::Timestamp(ns) => {
                self.byte(b'"');
                self.time(ns);
                self.byte(b'"');
            }
            Value::Int(int) => self.slice(itoa::Buffer::new().format(int).as_bytes()),
            Value::Object(span) | Value::List(span) => self.span(row, span),
            value => {
                self.flush();
                write_value(&row.texts, value, self.out);
            }
        }
    }

    #[inline]
    fn text(&mut self, row: &Row, span: Span) {
        if span.facts.is_plain() {
            self.byte(b'"');
            self.span(row, span);
            self.byte(b'"');
            return;
        }
        self.flush();
        match row.texts.text(span) {
            Some(text) => write_string(text, self.out),
            None => write_string(&String::from_utf8_lossy(row.texts.bytes(span)), self.out),
        }
    }

    /// Appends the keys that only the data knows, all of them of the event itself, and its closing brace. `first`
    /// where nothing stands before them.
    pub(super) fn rest(&mut self, row: &Row, mut first: bool) {
        let rest = row.rest();
        if rest.iter().any(|entry| memchr::memchr(b'.', row.texts.bytes(entry.key)).is_some()) {
            if !first {
                self.byte(b',');
            }
            self.flush();
            write_rest(row, 0, self.out);
            self.out.pop();
            return self.byte(b'}');
        }
        for entry in rest {
            if !std::mem::take(&mut first) {
                self.byte(b',');
            }
            self.text(row, entry.key);
            self.byte(b':');
            self.value(row, entry.value);
        }
        self.byte(b'}');
    }
}
