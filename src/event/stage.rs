//! A small buffer in which the parts of one event are put together.
//!
//! In: short pieces of text and values. Out: their bytes, appended to a body at once. A body can grow, so that every
//! append to it asks for room and every short copy is a call; here all copies have a fixed size, of which the surplus is
//! written over by the next.

use super::json::{Second, write_rest, write_string, write_value};
use super::{Row, Span, Value};

/// Bytes of the buffer: an event of usual size fits, and stays in the first-level cache.
const STAGE: usize = 4096;

/// Longest copy that is done as a block. Buffers are much longer than the pieces in them, so that nearly always there is
/// a whole block to be read.
pub(super) const BLOCK: usize = 128;

/// The usual length of a block.
const SHORT: usize = 32;

/// Bytes on their way to a body.
#[derive(Debug)]
pub(super) struct Stage {
    bytes: Box<[u8; STAGE]>,
    len: usize,
    second: Second,
}

impl Default for Stage {
    fn default() -> Self {
        Self { bytes: Box::new([0; STAGE]), len: 0, second: Second::default() }
    }
}

impl Stage {
    /// Moves everything to the body.
    #[inline]
    pub(super) fn flush(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.bytes.get(..self.len).unwrap_or_default());
        self.len = 0;
    }

    /// Appends one byte.
    #[inline]
    pub(super) fn byte(&mut self, byte: u8, out: &mut Vec<u8>) {
        if self.len == STAGE {
            self.flush(out);
        }
        if let Some(to) = self.bytes.get_mut(self.len) {
            *to = byte;
            self.len += 1;
        }
    }

    /// Appends `len` bytes of a buffer.
    #[inline]
    pub(super) fn copy(&mut self, buffer: &[u8], start: usize, len: usize, out: &mut Vec<u8>) {
        let from = buffer.get(start..).unwrap_or_default();
        if !(len <= SHORT && self.block::<SHORT>(from, len) || len <= BLOCK && self.block::<BLOCK>(from, len))
        {
            self.slice(from.get(..len).unwrap_or_default(), out);
        }
    }

    /// Appends the first `len` bytes of a block; false where there is no whole block to be read or written.
    #[inline]
    fn block<const N: usize>(&mut self, from: &[u8], len: usize) -> bool {
        let to = self.bytes.get_mut(self.len..).and_then(|to| to.first_chunk_mut::<N>());
        match (from.first_chunk::<N>(), to) {
            (Some(from), Some(to)) => {
                *to = *from;
                self.len += len;
                true
            }
            _ => false,
        }
    }

    /// Appends bytes of any length.
    #[inline]
    fn slice(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        match self.bytes.get_mut(self.len..self.len + bytes.len()) {
            Some(to) => {
                to.copy_from_slice(bytes);
                self.len += bytes.len();
            }
            None => {
                self.flush(out);
                out.extend_from_slice(bytes);
            }
        }
    }

    /// Appends the JSON form of a value.
    #[inline]
    pub(super) fn value(&mut self, row: &Row, value: Value, out: &mut Vec<u8>) {
        match value {
            Value::Text(span) | Value::Ip(span) => self.text(row, span, out),
            Value::Timestamp(ns) => {
                let (text, len) = self.second.text(ns);
                self.byte(b'"', out);
                self.copy(&text, 0, len, out);
                self.byte(b'"', out);
            }
            Value::Int(int) => self.slice(itoa::Buffer::new().format(int).as_bytes(), out),
            Value::Object(span) | Value::List(span) => {
                self.copy(row.texts.buffer(span.buffer), span.start as usize, span.len as usize, out);
            }
            value => {
                self.flush(out);
                write_value(&row.texts, value, out);
            }
        }
    }

    #[inline]
    fn text(&mut self, row: &Row, span: Span, out: &mut Vec<u8>) {
        if span.facts.is_plain() {
            self.byte(b'"', out);
            self.copy(row.texts.buffer(span.buffer), span.start as usize, span.len as usize, out);
            self.byte(b'"', out);
            return;
        }
        self.flush(out);
        match row.texts.text(span) {
            Some(text) => write_string(text, out),
            None => write_string(&String::from_utf8_lossy(row.texts.bytes(span)), out),
        }
    }

    /// Appends the keys that only the data knows, all of them of the event itself, and its closing brace.
    pub(super) fn rest(&mut self, row: &Row, mut first: bool, out: &mut Vec<u8>) {
        let rest = row.rest();
        if rest.iter().any(|entry| memchr::memchr(b'.', row.texts.bytes(entry.key)).is_some()) {
            if !first {
                self.byte(b',', out);
            }
            self.flush(out);
            write_rest(row, 0, out);
            out.pop();
            return self.byte(b'}', out);
        }
        for entry in rest {
            if !std::mem::take(&mut first) {
                self.byte(b',', out);
            }
            self.text(row, entry.key, out);
            self.byte(b':', out);
            self.value(row, entry.value, out);
        }
        self.byte(b'}', out);
    }
}
