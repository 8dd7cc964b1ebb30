//! Puts messages into a batch.
//!
//! Where a container's message has its time, one of Kafka has its whole [`envelope`].

use std::sync::Arc;

use super::partition::Partition;
use crate::event::{Batch, Facts, Message, Origin, Run, Segment, Span};
use crate::limits::BATCH_BYTES;
use crate::seam::kafka::{Fetched, Headers};
use crate::source::envelope;

/// A batch while it is filled.
pub(super) struct Filler<'a> {
    batch: &'a mut Batch,
    /// The segment that this step fills.
    bytes: Vec<u8>,
    buffer: u16,
    /// Messages of this step come in runs from here on.
    first_run: usize,
}

impl<'a> Filler<'a> {
    pub(super) fn new(batch: &'a mut Batch) -> Self {
        if batch.segments.is_empty() {
            // Nothing is joined here; the first segment is where it would be.
            batch.segments.push(Arc::new(Segment::new(Vec::new())));
        }
        let buffer = Span::SEGMENTS + batch.segments.len() as u16;
        let first_run = batch.runs.len();
        Self { batch, bytes: Vec::new(), buffer, first_run }
    }

    pub(super) fn is_full(&self) -> bool {
        self.batch.is_full() || self.bytes.len() >= 2 * BATCH_BYTES
    }

    fn span(&self, start: usize) -> Span {
        let len = (self.bytes.len() - start) as u32;
        Span { start: start as u32, len, buffer: self.buffer, facts: Facts::UNKNOWN }
    }

    /// Adds a message, with the offsets before it that hold none.
    pub(super) fn push(
        &mut self,
        part: &mut Partition,
        of: &Fetched,
        key: &[u8],
        value: &[u8],
        headers: &Headers,
    ) {
        if of.offset < part.next || part.leaving {
            return;
        }
        let range = part.next..of.offset + 1;
        part.next = of.offset + 1;
        part.high = part.high.max(part.next);
        part.at_end = false;
        let before = self.bytes.len();
        if of.has_value && !value.is_empty() {
            self.bytes.extend_from_slice(value);
            let text = self.span(before);
            let start = self.bytes.len();
            let ns = of.time_ms.map(|ms| ms.saturating_mul(1_000_000));
            envelope::write(ns, of.has_key.then_some(key), headers, &mut self.bytes);
            let time = self.span(start);
            self.batch.messages.push(Message {
                text,
                time,
                start: of.offset,
                end: of.offset + 1,
                lane: 0,
                part: 0,
            });
        }
        self.batch.bytes += self.bytes.len() - before;
        let end = self.batch.messages.len() as u32;
        let is_of_step = self.batch.runs.len() > self.first_run;
        let last = self.batch.runs.last_mut().filter(|run| Arc::ptr_eq(&run.stream, &part.stream));
        if let Some(run) = last.filter(|_| is_of_step) {
            run.messages.end = end;
            match run.ranges.last_mut() {
                Some(known) if known.end == range.start => known.end = range.end,
                // What lies between is a gap.
                _ => run.ranges.push(range),
            }
            return;
        }
        let messages = run_start(self.batch, end)..end;
        self.batch.runs.push(Run {
            stream: part.stream.clone(),
            origin: Origin::Kafka,
            from: part.from,
            messages,
            ranges: vec![range],
            settled: part.sets.clone(),
        });
    }

    /// Hands the segment over.
    pub(super) fn finish(self) {
        if !self.bytes.is_empty() {
            self.batch.segments.push(Arc::new(Segment::new(self.bytes)));
        }
    }
}

/// Where the messages of a new run begin: behind those of the last one.
fn run_start(batch: &Batch, end: u32) -> u32 {
    batch.runs.last().map_or(0, |run| run.messages.end).min(end)
}
