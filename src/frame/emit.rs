//! Makes messages of pieces: a span where the text stands in one stretch in the block, assembled text elsewhere.

use std::ops::Range;
use std::time::Duration;

use super::coding::Coding;
use super::{Block, Fetch, Framed};
use crate::event::{Facts, Message, Span, work};

/// What one physical line gives to a message, as positions.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Piece {
    /// Position of the line's first byte, envelope included.
    pub start: u64,
    /// Length of the line, separator included.
    pub line: u32,
    /// Where its text begins, from `start`.
    pub text: u32,
    /// Length of the text.
    pub len: u32,
    /// Where its time stamp begins, from `start`.
    pub time: u32,
    /// Length of the time stamp.
    pub time_len: u8,
    /// The text has JSON escapes.
    pub escaped: bool,
    /// It begins a line of the message; otherwise it goes on in the one before (a partial).
    pub first: bool,
}

impl Piece {
    /// The line's bytes.
    pub(super) fn range(&self) -> Range<u64> {
        self.start..self.start + u64::from(self.line)
    }

    fn text(&self) -> Range<u64> {
        let start = self.start + u64::from(self.text);
        start..start + u64::from(self.len)
    }

    fn time(&self) -> Range<u64> {
        let start = self.start + u64::from(self.time);
        start..start + u64::from(self.time_len)
    }

    /// Cuts the text after `len` bytes, and the line with it.
    pub(super) fn split(self, len: u32) -> (Self, Self) {
        let cut = self.text + len;
        let front = Self { line: cut, len, ..self };
        let back = Self {
            start: self.start + u64::from(cut),
            line: self.line - cut,
            text: 0,
            len: self.len - len,
            time_len: 0,
            first: false,
            ..self
        };
        (front, back)
    }
}

/// The block at hand, and where messages go.
pub(super) struct Env<'e, 'b, 'o> {
    position: u64,
    bytes: &'b [u8],
    buffer: u16,
    coding: Coding,
    /// Monotonic time.
    pub now: Duration,
    fetch: Fetch<'b>,
    out: &'e mut Framed<'o>,
    unreadable: &'e mut Vec<Range<u64>>,
    first_message: usize,
    first_range: usize,
    header: Option<Span>,
}

impl<'e, 'b, 'o> Env<'e, 'b, 'o> {
    /// Takes up a block; ranges that cannot be read again go to `unreadable`.
    pub(super) fn new(
        block: Block<'b>,
        coding: Coding,
        out: &'e mut Framed<'o>,
        unreadable: &'e mut Vec<Range<u64>>,
    ) -> Self {
        let (first_message, first_range) = (out.messages.len(), out.ranges.len());
        let Block { position, bytes, buffer, now, fetch, .. } = block;
        Self {
            position,
            bytes,
            buffer,
            coding,
            now,
            fetch,
            out,
            unreadable,
            first_message,
            first_range,
            header: None,
        }
    }

    /// Puts in order what lanes gave out of order, and merges ranges that touch.
    pub(super) fn close(self) {
        let messages = self.out.messages.get_mut(self.first_message..).unwrap_or_default();
        if !messages.is_sorted_by_key(|message| message.end) {
            messages.sort_by_key(|message| message.end);
        }
        let ranges = self.out.ranges.get_mut(self.first_range..).unwrap_or_default();
        if !ranges.is_sorted_by_key(|range| range.start) {
            ranges.sort_by_key(|range| range.start);
            let mut sorted = self.out.ranges.split_off(self.first_range);
            for range in sorted.drain(..) {
                push_range(self.out.ranges, self.first_range, range);
            }
        }
    }

    /// Says which header lines stand above the messages that come now.
    pub(super) fn put_header(&mut self, text: &[u8]) {
        self.header = None;
        if !text.is_empty() {
            let start = self.out.joined.len();
            self.out.joined.extend_from_slice(text);
            self.header = Some(Self::joined_span(start, self.out.joined.len()));
        }
    }

    fn slice(&self, range: &Range<u64>) -> Option<&'b [u8]> {
        let start = usize::try_from(range.start.checked_sub(self.position)?).ok()?;
        let len = usize::try_from(range.end.checked_sub(range.start)?).ok()?;
        self.bytes.get(start..start.checked_add(len)?)
    }

    /// Appends bytes of the stream; whether that was possible.
    fn append(&mut self, range: &Range<u64>, out: &mut Vec<u8>) -> bool {
        if range.is_empty() {
            return true;
        }
        if let Some(bytes) = self.slice(range) {
            out.extend_from_slice(bytes);
            return true;
        }
        // What stands in the block is never asked for again: a source need not have it any more.
        let here = range.start.max(self.position)..range.end;
        let here = if here.start < here.end { self.slice(&here) } else { None };
        let earlier = range.start..range.end - here.map_or(0, |bytes| bytes.len() as u64);
        let before = out.len();
        let wanted = (earlier.end - earlier.start) as usize;
        if (self.fetch)(earlier, out).is_err() || out.len() != before + wanted {
            out.truncate(before);
            return false;
        }
        out.extend_from_slice(here.unwrap_or_default());
        true
    }

    /// Appends the text of a piece, escapes resolved and decoded, but not more than that of about `most` bytes.
    pub(super) fn append_text(&mut self, piece: &Piece, most: usize, out: &mut Vec<u8>) -> bool {
        let mut range = piece.text();
        range.end = range.end.min(range.start.saturating_add(most as u64));
        work::count(1 + (range.end - range.start) as usize);
        if !piece.escaped && !self.coding.changes() {
            return self.append(&range, out);
        }
        if let Some(raw) = self.slice(&range) {
            self.coding.put(raw, piece.escaped, out);
            return true;
        }
        let mut raw = Vec::new();
        let read = self.append(&range, &mut raw);
        self.coding.put(&raw, piece.escaped, out);
        read
    }

    /// The block's bytes of a piece's text, if they stand there as they are.
    pub(super) fn text(&self, piece: &Piece) -> Option<&'b [u8]> {
        if piece.escaped { None } else { self.as_is(&piece.text()) }
    }

    /// The block's bytes in a range, if they are the text that they stand for.
    #[inline]
    fn as_is(&self, range: &Range<u64>) -> Option<&'b [u8]> {
        let bytes = self.slice(range)?;
        (!self.coding.changes() || self.coding.is_as_is(bytes)).then_some(bytes)
    }

    /// The block's bytes of a piece's text that has escapes, as they are.
    pub(super) fn raw(&self, piece: &Piece) -> Option<&'b [u8]> {
        if piece.escaped { self.slice(&piece.text()) } else { None }
    }

    /// Whether text can only be cut between code units of two bytes.
    pub(super) fn is_wide(&self) -> bool {
        self.coding.wide().is_some()
    }

    /// The piece's bytes belong to no event (a blank line).
    pub(super) fn account(&mut self, piece: &Piece) {
        push_range(self.out.ranges, self.first_range, piece.range());
    }

    /// Gives out a message of one piece.
    #[inline]
    pub(super) fn single(&mut self, piece: &Piece, lane: u8, part: u16) {
        match self.text(piece) {
            Some(_) => {
                let text = self.span(&piece.text());
                let time = self.time(piece);
                self.message(std::slice::from_ref(piece), text, time, lane, part);
            }
            None => self.assembled(std::slice::from_ref(piece), lane, part),
        }
    }

    /// Gives out a message of several pieces.
    pub(super) fn pieces(&mut self, pieces: &[Piece], lane: u8, part: u16) {
        let [first, .., last] = pieces else {
            if let [one] = pieces {
                self.single(one, lane, part);
            }
            return;
        };
        if is_contiguous(pieces) {
            let range = first.text().start..last.text().end;
            if self.as_is(&range).is_some() {
                let text = self.span(&range);
                let time = self.time(first);
                return self.message(pieces, text, time, lane, part);
            }
        }
        self.assembled(pieces, lane, part);
    }

    fn assembled(&mut self, pieces: &[Piece], lane: u8, part: u16) {
        // Out of the way, so that it can be written to while the rest is borrowed.
        let mut joined = std::mem::take(self.out.joined);
        let start = joined.len();
        let lost = self.unreadable.len();
        let mut valid = true;
        match pieces {
            _ if self.coding.changes() => valid = self.decoded(pieces, &mut joined),
            [first, .., last] if is_contiguous(pieces) => {
                let range = first.text().start..last.text().end;
                if !self.append(&range, &mut joined) {
                    self.unreadable.push(first.start..last.range().end);
                }
            }
            _ => {
                for (at, piece) in pieces.iter().enumerate() {
                    if at > 0 && piece.first {
                        joined.push(b'\n');
                    }
                    if !self.append_text(piece, usize::MAX, &mut joined) {
                        self.unreadable.push(piece.range());
                    }
                }
            }
        }
        let mut text = Self::joined_span(start, joined.len());
        if !valid {
            text.facts = Facts::REPLACED;
            self.keep_original(pieces, &mut joined);
        }
        *self.out.joined = joined;
        let lost = self.unreadable.get(lost..).unwrap_or_default();
        if lost.is_empty() {
            let time = pieces.first().map_or(text.part(0, 0), |first| self.time(first));
            return self.message(pieces, text, time, lane, part);
        }
        let covered = |piece: &Piece| lost.iter().any(|range| range.contains(&piece.start));
        let kept: Vec<Piece> = pieces.iter().filter(|piece| !covered(piece)).copied().collect();
        if let Some(first) = kept.first() {
            let time = self.time(first);
            self.message(&kept, text, time, lane, part);
        }
    }

    /// Appends the text of pieces line by line, for a character may be cut between the pieces of one. Whether all of it
    /// was valid.
    fn decoded(&mut self, pieces: &[Piece], joined: &mut Vec<u8>) -> bool {
        let (mut raw, mut valid) = (Vec::new(), true);
        for (number, line) in pieces.chunk_by(|_, next| !next.first).enumerate() {
            if number > 0 {
                joined.push(b'\n');
            }
            let start = joined.len();
            // Escapes never reach from one piece to the next, characters may.
            for pieces in line.chunk_by(|piece, next| !piece.escaped && !next.escaped) {
                raw.clear();
                for piece in pieces {
                    if !self.append(&piece.text(), &mut raw) {
                        self.unreadable.push(piece.range());
                    }
                }
                valid &= self.coding.decode(&raw, pieces.iter().any(|piece| piece.escaped), joined);
            }
            self.coding.clean(joined, start);
        }
        valid
    }

    /// Puts the bytes that a message was decoded from behind its text, where [`Facts::REPLACED`] says they are.
    #[cold]
    fn keep_original(&mut self, pieces: &[Piece], joined: &mut Vec<u8>) {
        let at = joined.len();
        joined.extend_from_slice(&[0; 4]);
        for (number, piece) in pieces.iter().enumerate() {
            if number > 0 && piece.first {
                joined.extend_from_slice(self.coding.line_feed());
            }
            // What cannot be read was noted when it was decoded.
            self.append(&piece.text(), joined);
        }
        let len = (joined.len() - at - 4) as u32;
        if let Some(place) = joined.get_mut(at..at + 4) {
            place.copy_from_slice(&len.to_le_bytes());
        }
    }

    fn message(&mut self, pieces: &[Piece], text: Span, time: Span, lane: u8, part: u16) {
        let (Some(first), Some(last)) = (pieces.first(), pieces.last()) else { return };
        let (start, end) = (first.start, last.range().end);
        self.out.messages.push(Message { text, time, start, end, lane, part });
        for piece in pieces {
            push_range(self.out.ranges, self.first_range, piece.range());
        }
    }

    fn time(&mut self, piece: &Piece) -> Span {
        let range = piece.time();
        if range.is_empty()
            && let Some(header) = self.header
        {
            return header;
        }
        if range.is_empty() || self.slice(&range).is_some() {
            return self.span(&range);
        }
        let mut joined = std::mem::take(self.out.joined);
        let start = joined.len();
        self.append(&range, &mut joined);
        let span = Self::joined_span(start, joined.len());
        *self.out.joined = joined;
        span
    }

    fn span(&self, range: &Range<u64>) -> Span {
        let len = (range.end - range.start) as u32;
        let start = if len == 0 { 0 } else { range.start.saturating_sub(self.position) as u32 };
        Span { start, len, buffer: self.buffer, facts: Facts::UNKNOWN }
    }

    fn joined_span(start: usize, end: usize) -> Span {
        Span { start: start as u32, len: (end - start) as u32, buffer: Span::SEGMENTS, facts: Facts::UNKNOWN }
    }
}

/// Whether the text, separators included, stands in one stretch of the stream.
fn is_contiguous(pieces: &[Piece]) -> bool {
    pieces.iter().all(|piece| !piece.escaped)
        && pieces.windows(2).all(|pair| match pair {
            [a, b] => a.text().end + u64::from(b.first) == b.text().start,
            _ => true,
        })
}

/// Adds a range behind the others, merged with the last one of this call where they touch.
fn push_range(ranges: &mut Vec<Range<u64>>, first: usize, range: Range<u64>) {
    if ranges.len() > first
        && let Some(last) = ranges.last_mut()
        && last.end == range.start
    {
        last.end = range.end;
    } else if !range.is_empty() {
        ranges.push(range);
    }
}
