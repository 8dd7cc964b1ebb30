//! Where framing could begin anew and give the same messages.
//!
//! In: after each block, the first byte of what is open, and the messages that the block gave. Out: for a low mark,
//! the last place at or before it from which a fresh framer comes to the same messages: nothing was open there, and no
//! message that began before had lines behind it. With one lane that is the start of any message; where lanes
//! interleave such places are rarer, and the low mark itself need not be one.

use crate::event::{Message, Span};

/// Places that are remembered; between them some are forgotten when there are more, which costs a longer way back.
const PLACES_MAX: usize = 32;

/// Messages remembered that reach beyond the start of what is open; more are taken together.
const SPANS_MAX: usize = 32;

/// The places of one stream.
#[derive(Clone, Debug)]
pub(in crate::source) struct Restarts {
    /// Ascending.
    places: Vec<u64>,
    /// Messages that have left, and reach beyond the last start of what is open.
    spans: Vec<(u64, u64)>,
}

impl Restarts {
    /// Framing began here.
    pub(in crate::source) fn new(at: u64) -> Self {
        Self { places: vec![at], spans: Vec::new() }
    }

    /// All before `open` has been framed and is not open; `messages` have left since the last time.
    pub(in crate::source) fn note(&mut self, open: u64, messages: &[Message], interleaves: bool) {
        self.spans.retain(|span| span.1 > open);
        if interleaves {
            // What stands in one stretch of the block has no other lane's lines in it.
            let joined = |message: &&Message| message.end > open && message.text.buffer == Span::SEGMENTS;
            for message in messages.iter().filter(joined) {
                self.span(message.start, message.end);
            }
        }
        let tangled = self.spans.iter().any(|span| span.0 < open);
        if tangled || self.places.last().is_some_and(|last| *last >= open) {
            return;
        }
        if self.places.len() >= PLACES_MAX {
            // The first and the newest stay.
            let mut number = 0;
            self.places.retain(|_| {
                number += 1;
                number % 2 == 1
            });
        }
        self.places.push(open);
    }

    fn span(&mut self, start: u64, end: u64) {
        let full = self.spans.len() >= SPANS_MAX;
        match self.spans.first_mut() {
            Some(first) if full => {
                *first = (first.0.min(start), first.1.max(end));
            }
            _ => self.spans.push((start, end)),
        }
    }

    /// The last place at or before a position.
    pub(in crate::source) fn before(&self, position: u64) -> Option<u64> {
        self.places.iter().rev().find(|place| **place <= position).copied()
    }

    /// Forgets the places before the one that a low mark needs; whether it is another one now.
    pub(in crate::source) fn drop_before(&mut self, low: u64) -> bool {
        let needed = self.places.partition_point(|place| *place <= low).saturating_sub(1);
        self.places.drain(..needed);
        needed > 0
    }
}
