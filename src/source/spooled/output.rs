//! The batch as a spooled source fills it.

use std::ops::Range;
use std::sync::Arc;

use crate::event::{Batch, Message, Origin, Run, Segment, Span, write_timestamp};
use crate::limits::BATCH_BYTES;
use crate::position::{Ranges, Stream};

/// A batch while it is filled. Segment 0 is text that was put together, which grows until the end.
pub(super) struct Output<'a> {
    pub(super) batch: &'a mut Batch,
    pub(super) joined: Vec<u8>,
    /// The text of a time of receipt that stands in `joined`.
    time: Option<(i64, Span)>,
}

/// What a run is, besides its messages and ranges.
pub(super) struct Whose<'a> {
    pub(super) stream: &'a Arc<Stream>,
    pub(super) origin: Origin,
    pub(super) from: u64,
    pub(super) settled: Option<&'a Arc<[Ranges]>>,
}

impl<'a> Output<'a> {
    /// Goes on filling a batch; it may hold something from an earlier step.
    pub(super) fn new(batch: &'a mut Batch) -> Self {
        let empty = || Arc::new(Segment::new(Vec::new()));
        if batch.segments.is_empty() {
            batch.segments.push(empty());
        }
        let first = batch.segments.first_mut().map(|first| std::mem::replace(first, empty()));
        let joined = first.map_or(Vec::new(), |first| {
            Arc::try_unwrap(first).map_or_else(|shared| shared.bytes().to_vec(), Segment::into_bytes)
        });
        Self { batch, joined, time: None }
    }

    /// Whether the batch should be handed on.
    pub(super) fn is_full(&self) -> bool {
        self.batch.is_full() || self.joined.len() >= BATCH_BYTES
    }

    /// The buffer number of a segment: the one that it has, or the one that it would get.
    pub(super) fn buffer(&self, segment: Option<&Arc<Segment>>) -> u16 {
        let count = self.batch.segments.len();
        let is_last = self.batch.segments.last().zip(segment).is_some_and(|(a, b)| Arc::ptr_eq(a, b));
        Span::SEGMENTS + count as u16 - u16::from(is_last)
    }

    /// Adds a segment behind the others, unless it is the last one already.
    pub(super) fn add(&mut self, segment: &Arc<Segment>) {
        if !self.batch.segments.last().is_some_and(|last| Arc::ptr_eq(last, segment)) {
            self.batch.segments.push(Arc::clone(segment));
        }
    }

    /// The time of receipt as text: events that carry no time of their own get it, however late they are read.
    pub(super) fn time(&mut self, received_ns: i64) -> Span {
        if let Some((ns, span)) = self.time
            && ns == received_ns
        {
            return span;
        }
        let start = self.joined.len();
        write_timestamp(received_ns, &mut self.joined);
        let len = (self.joined.len() - start) as u32;
        let span =
            Span { start: start as u32, len, buffer: Span::SEGMENTS, facts: crate::event::Facts::PLAIN };
        self.time = Some((received_ns, span));
        span
    }

    /// Adds a message.
    pub(super) fn message(&mut self, message: Message) {
        self.batch.messages.push(message);
    }

    /// Number of messages so far.
    pub(super) fn len(&self) -> u32 {
        self.batch.messages.len() as u32
    }

    /// Takes back messages from number `first` on that begin before `position`: they were handed on, and settled, before
    /// this process began.
    pub(super) fn drop_before(&mut self, position: u64, first: u32) {
        let messages = &mut self.batch.messages;
        if messages.iter().skip(first as usize).any(|message| message.start < position) {
            let mut number = 0;
            messages.retain(|message| {
                number += 1;
                number <= first || message.start >= position
            });
        }
    }

    /// Adds one message that was put in last, to the last run where it goes on from there.
    pub(super) fn push_one(&mut self, whose: &Whose<'_>, range: Range<u64>) {
        let end = self.len();
        if let Some(run) = self.batch.runs.last_mut()
            && Arc::ptr_eq(&run.stream, whose.stream)
            && run.settled.is_some() == whose.settled.is_some()
            && let Some(last) = run.ranges.last_mut()
            && last.end == range.start
        {
            last.end = range.end;
            run.messages.end = end;
            self.batch.bytes += (range.end - range.start) as usize;
            return;
        }
        self.push(whose, end.saturating_sub(1), [range]);
    }

    /// Adds the messages from number `first` on, and the ranges they account for, to the last run or a new one.
    pub(super) fn push(
        &mut self,
        whose: &Whose<'_>,
        first: u32,
        ranges: impl IntoIterator<Item = Range<u64>>,
    ) {
        let messages = first..self.len();
        // What is before was settled, and not counted when this process began.
        let ranges = ranges.into_iter().map(|range| range.start.max(whose.from)..range.end);
        let mut ranges: Vec<_> = ranges.filter(|range| !range.is_empty()).collect();
        ranges.sort_unstable_by_key(|range| range.start);
        if messages.is_empty() && ranges.is_empty() {
            return;
        }
        self.batch.bytes += ranges.iter().map(|range| (range.end - range.start) as usize).sum::<usize>();
        if let Some(run) = self.batch.runs.last_mut()
            && Arc::ptr_eq(&run.stream, whose.stream)
            && run.origin == whose.origin
            && run.settled.is_some() == whose.settled.is_some()
            && run.ranges.last().map(|range| range.end) <= ranges.first().map(|range| range.start)
        {
            run.messages.end = messages.end;
            for range in ranges {
                match run.ranges.last_mut() {
                    Some(last) if last.end == range.start => last.end = range.end,
                    _ => run.ranges.push(range),
                }
            }
            return;
        }
        self.batch.runs.push(Run {
            stream: Arc::clone(whose.stream),
            origin: whose.origin,
            from: whose.from,
            messages,
            ranges,
            settled: whose.settled.cloned(),
        });
    }

    /// Puts the joined text in its place.
    pub(super) fn close(self) {
        if let Some(first) = self.batch.segments.first_mut() {
            *first = Arc::new(Segment::new(self.joined));
        }
    }
}
