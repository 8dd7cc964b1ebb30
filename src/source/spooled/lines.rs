//! The framer of a spool that is a stream of bytes. Where time or the end of an input cut it is in the spool itself, so
//! that it is cut the same way whenever it is read.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use super::held::Held;
use super::output::{Output, Whose};
use crate::event::{Origin, Segment};
use crate::frame::{Block, FrameConfig, Framed, Framer};
use crate::position::{Ranges, Stream};
use crate::source::Notice;
use crate::source::files::restart::Restarts;

/// How far a block goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Until {
    /// More will follow.
    More,
    /// There is no block: what is open is let go, but for an unfinished line.
    Open,
    /// Nothing follows that belongs to it: everything is let go.
    End,
}

/// What sinks had settled before this process began, and one past the last of it.
pub(super) type Settled = Option<(Arc<[Ranges]>, u64)>;

/// Where the lines of a spool go.
pub(super) struct Way<'w, 'o> {
    pub(super) now: Duration,
    /// Where reading began.
    pub(super) from: u64,
    pub(super) settled: &'w Settled,
    pub(super) output: &'w mut Output<'o>,
    pub(super) notices: &'w mut Vec<Notice>,
}

/// The framer and what it holds.
pub(super) struct Lines {
    pub(super) config: Arc<FrameConfig>,
    framer: Framer,
    /// Position of the first byte that the framer has not taken.
    position: u64,
    /// Bytes from there on.
    rest: Vec<u8>,
    held: Held,
    restarts: Restarts,
    /// Cuts since the last byte.
    pub(super) cuts: u32,
    stream: Arc<Stream>,
    received_ns: i64,
    /// NUL bytes before lines that were skipped.
    pub(super) padding_bytes: u64,
}

impl Lines {
    /// Begins at a position where nothing is open. `framing` says how lines are wrapped, and where that was told.
    pub(super) fn new(
        config: Arc<FrameConfig>,
        framing: Option<(Origin, u64)>,
        at: u64,
        stream: &Arc<Stream>,
    ) -> Self {
        let framer = match framing {
            Some((origin, told)) if origin == Origin::Lines || told < at => {
                Framer::with_origin(config.clone(), origin)
            }
            _ => Framer::new(config.clone()),
        };
        Self {
            config,
            framer,
            position: at,
            rest: Vec::new(),
            held: Held::default(),
            restarts: Restarts::new(at),
            cuts: 0,
            stream: stream.clone(),
            received_ns: 0,
            padding_bytes: 0,
        }
    }

    /// How lines are wrapped, and the line that told it.
    pub(super) fn told(&self) -> Option<(Origin, u64)> {
        self.framer.told()
    }

    /// When something open is due.
    pub(super) fn deadline(&self) -> Option<Duration> {
        self.framer.deadline()
    }

    /// Everything below has been handed on.
    pub(super) fn handed(&self) -> u64 {
        self.framer.open_start().unwrap_or(self.position)
    }

    /// The last place at or before a position where a framer may begin.
    pub(super) fn restart(&self, position: u64) -> Option<u64> {
        self.restarts.before(position)
    }

    /// All below `low` is settled. Where a framer may begin, if that is another place now.
    pub(super) fn settled(&mut self, low: u64) -> Option<u64> {
        if self.restarts.drop_before(low) { self.restarts.before(low) } else { None }
    }

    /// Takes the unfinished line, to put more bytes behind it.
    pub(super) fn take_rest(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.rest)
    }

    /// Frames what [`Lines::take_rest`] gave, with more behind it.
    pub(super) fn more(
        &mut self,
        bytes: Vec<u8>,
        stream: Arc<Stream>,
        received_ns: i64,
        way: &mut Way<'_, '_>,
    ) {
        (self.stream, self.received_ns, self.cuts) = (stream, received_ns, 0);
        self.block(bytes, Until::More, way);
    }

    /// Lets go what is open; an unfinished line too, or not.
    pub(super) fn cut(&mut self, all: bool, way: &mut Way<'_, '_>) {
        self.cuts += 1;
        if all {
            let rest = self.take_rest();
            self.block(rest, Until::End, way);
        } else {
            self.block(Vec::new(), Until::Open, way);
        }
    }

    /// What comes next is somewhere else.
    pub(super) fn jump(&mut self, to: u64) {
        (self.position, self.held, self.cuts) = (to, Held::default(), 0);
    }

    fn block(&mut self, bytes: Vec<u8>, until: Until, way: &mut Way<'_, '_>) {
        let output = &mut *way.output;
        let first = output.len();
        let mut ranges = Vec::new();
        let buffer = output.buffer(None);
        let (start, now) = (self.position, way.now);
        let time = output.time(self.received_ns);
        let mut out =
            Framed { messages: &mut output.batch.messages, joined: &mut output.joined, ranges: &mut ranges };
        let mut taken = 0;
        if until != Until::Open {
            let held = &self.held;
            let mut fetch = |range, out: &mut Vec<u8>| held.read(&range, out);
            let last = until == Until::End;
            let block = Block { position: start, bytes: &bytes, buffer, last, now, fetch: &mut fetch };
            taken = self.framer.frame(block, &mut out);
            self.rest = bytes.get(taken..).unwrap_or_default().to_vec();
        }
        self.position += taken as u64;
        self.held.add(start, bytes.get(..taken).unwrap_or_default(), self.framer.held_start());
        if until != Until::More {
            let held = &self.held;
            let mut fetch = |range, out: &mut Vec<u8>| held.read(&range, out);
            self.framer.finish(&mut fetch, &mut out);
        }
        self.held.keep_from(self.framer.held_start());
        if self.framer.is_told() {
            // Before, it depends on the first lines of all.
            let messages = output.batch.messages.get(first as usize..).unwrap_or_default();
            self.restarts.note(self.handed(), messages, self.framer.interleaves());
        }
        self.hand(bytes, taken, first, ranges, time, way);
    }

    fn hand(
        &mut self,
        mut bytes: Vec<u8>,
        taken: usize,
        first: u32,
        ranges: Vec<Range<u64>>,
        time: crate::event::Span,
        way: &mut Way<'_, '_>,
    ) {
        let output = &mut *way.output;
        output.drop_before(way.from, first);
        for message in output.batch.messages.iter_mut().skip(first as usize) {
            if message.time.len == 0 {
                message.time = time;
            }
        }
        if output.len() > first && taken > 0 {
            bytes.truncate(taken);
            output.add(&Arc::new(Segment::new(bytes)));
        }
        self.padding_bytes += self.framer.take_padding();
        for lost in self.framer.take_unreadable() {
            let (stream, cause) = (self.stream.clone(), "it was not kept for joining");
            way.notices.push(Notice::Gap { stream, start: lost.start, end: Some(lost.end), cause });
        }
        let reaches = |end: &u64| ranges.iter().any(|range| range.start < *end);
        let settled = way.settled.as_ref().filter(|(_, end)| reaches(end)).map(|(sets, _)| sets);
        let whose = Whose { stream: &self.stream, origin: self.framer.origin(), from: way.from, settled };
        output.push(&whose, first, ranges);
    }
}
