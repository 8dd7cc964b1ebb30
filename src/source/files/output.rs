//! The batch as it is filled, and the buffers that blocks are read into.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use super::tail::Tail;
use crate::event::{Batch, Message, Run, Segment, Span};
use crate::limits::{BATCH_BYTES, BATCH_MESSAGES_MAX, READ_BLOCK_BYTES};

/// Buffers remembered, to be read into again once the workers have dropped them; the one that was dropped last comes
/// first, since it is still in a cache.
const LENT_MAX: usize = 24;

/// Smaller buffers are not worth remembering: a fresh one is cheap, and idle streams must hold none.
const LENT_BYTES_MIN: usize = 64 * 1024;

/// Buffers of segments that were handed on. The allocator would give each large one back to the system and fetch
/// it again, zeroed, at the cost of a page fault for every 4 KiB.
#[derive(Default)]
pub(super) struct Buffers {
    lent: VecDeque<Arc<Segment>>,
}

impl Buffers {
    /// A buffer of `len` bytes; what is in it is of no matter.
    pub(super) fn take(&mut self, len: usize) -> Vec<u8> {
        if len >= LENT_BYTES_MIN
            && let Some(at) = self.lent.iter().rposition(|segment| Arc::strong_count(segment) == 1)
            && let Some(bytes) = self.lent.remove(at).and_then(Arc::into_inner).map(Segment::into_bytes)
        {
            let mut bytes = bytes;
            bytes.resize(len, 0);
            return bytes;
        }
        vec![0; len]
    }

    fn lend(&mut self, segment: &Arc<Segment>) {
        if segment.bytes().len() >= LENT_BYTES_MIN {
            self.lent.push_back(Arc::clone(segment));
            self.lent.truncate(LENT_MAX);
        }
    }

    /// Nothing is being read: hold nothing.
    pub(super) fn release(&mut self) {
        self.lent.clear();
    }
}

/// A batch while a source fills it. Segment 0 is the joined text, which grows until the end.
pub(super) struct Output<'a> {
    batch: &'a mut Batch,
    pub(super) joined: Vec<u8>,
}

impl<'a> Output<'a> {
    /// Goes on filling a batch; it may hold something from an earlier step.
    pub(super) fn new(batch: &'a mut Batch) -> Self {
        let joined = match batch.segments.first_mut() {
            Some(first) => std::mem::replace(first, Arc::new(Segment::new(Vec::new()))),
            None => {
                batch.segments.push(Arc::new(Segment::new(Vec::new())));
                return Self { batch, joined: Vec::new() };
            }
        };
        let joined = match Arc::try_unwrap(joined) {
            Ok(segment) => segment.into_bytes(),
            Err(shared) => shared.bytes().to_vec(),
        };
        Self { batch, joined }
    }

    /// Whether the batch should be handed on.
    pub(super) fn is_full(&self) -> bool {
        self.batch.is_full() || self.joined.len() >= BATCH_BYTES
    }

    /// The buffer number that the next block gets.
    pub(super) fn buffer(&self) -> u16 {
        Span::SEGMENTS + self.batch.segments.len() as u16
    }

    /// The messages, to be appended to.
    pub(super) fn messages(&mut self) -> (&mut Vec<Message>, &mut Vec<u8>) {
        (&mut self.batch.messages, &mut self.joined)
    }

    /// Takes back the messages from number `first` on, and the text joined for them, which began at `joined`.
    pub(super) fn undo(&mut self, first: u32, joined: usize) {
        self.batch.messages.truncate(first as usize);
        self.joined.truncate(joined);
    }

    /// Number of messages so far.
    pub(super) fn len(&self) -> u32 {
        self.batch.messages.len() as u32
    }

    /// The messages from number `first` on.
    pub(super) fn since(&self, first: u32) -> &[Message] {
        self.batch.messages.get(first as usize..).unwrap_or_default()
    }

    /// Takes back messages from number `first` on that begin before `position`: they were handed on, and settled,
    /// before this process began.
    pub(super) fn drop_before(&mut self, position: u64, first: u32) {
        if self.since(first).iter().any(|message| message.start < position) {
            let kept: Vec<_> =
                self.since(first).iter().filter(|message| message.start >= position).copied().collect();
            self.batch.messages.truncate(first as usize);
            self.batch.messages.extend(kept);
        }
    }

    /// Takes in what came of a block: the messages from number `first` on, and the ranges they account for.
    pub(super) fn push(
        &mut self,
        tail: &Tail,
        first: u32,
        ranges: Vec<Range<u64>>,
        block: Vec<u8>,
        buffers: &mut Buffers,
    ) {
        let messages = first..self.len();
        // What is before was settled, and not counted when this process began.
        let ranges: Vec<_> = ranges.into_iter().map(|range| range.start.max(tail.from)..range.end).collect();
        let ranges: Vec<_> = ranges.into_iter().filter(|range| range.start < range.end).collect();
        if !messages.is_empty() && !block.is_empty() {
            let segment = Arc::new(Segment::new(block));
            buffers.lend(&segment);
            self.batch.segments.push(segment);
        }
        if messages.is_empty() && ranges.is_empty() {
            return;
        }
        self.batch.bytes += ranges.iter().map(|range| (range.end - range.start) as usize).sum::<usize>();
        let reaches = |end: &u64| ranges.iter().any(|range| range.start < *end);
        let settled =
            tail.settled_before.as_ref().filter(|(_, end)| reaches(end)).map(|(sets, _)| sets.clone());
        if let Some(run) = self.batch.runs.last_mut()
            && Arc::ptr_eq(&run.stream, &tail.stream)
            && run.settled.is_some() == settled.is_some()
            && run.origin == tail.framer.origin()
        {
            run.messages.end = messages.end;
            for range in ranges {
                merge(&mut run.ranges, range);
            }
            return;
        }
        let mut merged = Vec::with_capacity(1);
        for range in ranges {
            merge(&mut merged, range);
        }
        self.batch.runs.push(Run {
            stream: Arc::clone(&tail.stream),
            origin: tail.framer.origin(),
            from: tail.from,
            messages,
            ranges: merged,
            settled,
        });
    }

    /// Ends the step.
    pub(super) fn finish(self) {
        if let Some(first) = self.batch.segments.first_mut() {
            *first = Arc::new(Segment::new(self.joined));
        }
    }
}

/// Adds a range to a list that is disjoint and ascending. Nearly always it goes on where the last one ended.
fn merge(list: &mut Vec<Range<u64>>, range: Range<u64>) {
    if range.is_empty() {
        return;
    }
    match list.last_mut() {
        Some(last) if last.end == range.start => last.end = range.end,
        Some(last) if last.end > range.start => {
            let at = list.partition_point(|known| known.end < range.start);
            list.insert(at, range);
            let mut sorted = std::mem::take(list);
            sorted.sort_unstable_by_key(|range| range.start);
            for range in sorted {
                match list.last_mut() {
                    Some(last) if last.end >= range.start => last.end = last.end.max(range.end),
                    _ => list.push(range),
                }
            }
        }
        _ => list.push(range),
    }
}

/// How large a block to ask for next, so that tiny lines do not make one batch's index huge.
pub(super) fn next_block(block: usize, messages: u32) -> usize {
    if messages as usize > BATCH_MESSAGES_MAX {
        (block / 2).max(16 * 1024)
    } else if (messages as usize) < BATCH_MESSAGES_MAX / 4 {
        (block * 2).min(READ_BLOCK_BYTES)
    } else {
        block
    }
}
