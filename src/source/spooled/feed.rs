//! Hands on what a spool holds: from memory what was just written, from disk after a restart, framed where the spool is
//! a stream of bytes.

use std::collections::{HashMap, VecDeque};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use super::output::{Output, Whose};
use super::{Framing, RETRY};
use crate::event::{Message, Origin, Segment, Span};
use crate::frame::{Block, FrameConfig, Framed, Framer};
use crate::limits::{READ_BLOCK_BYTES, SPOOL_PEERS_MAX, SPOOL_RECENT_BYTES};
use crate::position::{Ranges, Resume, Stream};
use crate::source::Notice;
use crate::spool::{Chunk, Kind, Reader, Spool, State, Step};

use super::held::Held;

/// Where a spool is being read.
pub(super) struct Feed {
    source: Box<str>,
    streams: Streams,
    lines: Option<Lines>,
    /// Where this process began to read.
    from: u64,
    settled: Option<(Arc<[Ranges]>, u64)>,
    /// Everything below has been taken from the log.
    next: u64,
    /// Records in memory, in order.
    recent: VecDeque<Chunk>,
    /// Reads what comes after them, where that is not in memory.
    disk: Option<Reader>,
    /// The disk cannot be read: when to try again.
    retry: Option<Duration>,
    warned: bool,
}

/// The streams of one spool: the same but for their paths.
struct Streams {
    plain: Arc<Stream>,
    by_peer: HashMap<Box<[u8]>, Arc<Stream>>,
}

impl Streams {
    fn of(&mut self, peer: &[u8]) -> Arc<Stream> {
        if let Some(known) = self.by_peer.get(peer) {
            return Arc::clone(known);
        }
        if self.by_peer.len() >= SPOOL_PEERS_MAX {
            self.by_peer.clear();
        }
        let path = String::from_utf8_lossy(peer).into();
        let stream = Arc::new(Stream { path, ..(*self.plain).clone() });
        self.by_peer.insert(peer.into(), Arc::clone(&stream));
        stream
    }
}

/// The framer of a spool that is a stream of bytes.
struct Lines {
    framer: Framer,
    /// Position of the first byte that the framer has not taken.
    position: u64,
    /// Bytes from there on.
    rest: Vec<u8>,
    held: Held,
    stream: Arc<Stream>,
    received_ns: i64,
}

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

impl Feed {
    /// Goes on where the sinks are.
    pub(super) fn open(
        source: &str,
        framing: Framing,
        spool: &mut Spool,
        resume: &dyn Resume,
        notices: &mut Vec<Notice>,
    ) -> Self {
        let id = spool.stream();
        let plain = Arc::new(Stream { id, generation: 0, source: source.into(), path: source.into() });
        let low = resume.position(id, 0).unwrap_or(0);
        let settled = resume.settled(id, 0).and_then(|sets| {
            let end = sets.iter().flat_map(Ranges::iter).map(|range| range.end).max()?;
            Some((sets, end))
        });
        let known = settled.as_ref().map_or(low, |(_, end)| low.max(*end));
        let gap = |start, end, cause| Notice::Gap { stream: plain.clone(), start, end: Some(end), cause };
        // What was removed below the low mark was settled; it is a sink that is new which has not.
        let dropped = low < spool.first() && low < spool.state().dropped_below;
        let from = if dropped { low } else { low.max(spool.first()) };
        if dropped {
            notices.push(gap(low, spool.first(), "the spool was full: the oldest were dropped"));
        }
        if known > spool.end() {
            notices.push(gap(spool.end().max(from), known, "damaged at the end of the spool"));
            spool.skip_to(known);
        }
        let next = from.max(spool.first());
        let lines = match framing {
            Framing::Messages => None,
            Framing::Lines(config) => Some(Lines::new(config, spool.state(), next, &plain)),
        };
        let disk = (next < spool.durable() || !spool.is_cut()).then(|| spool.reader(next));
        Self {
            source: source.into(),
            streams: Streams { plain, by_peer: HashMap::new() },
            lines,
            from,
            settled,
            next,
            recent: VecDeque::new(),
            disk,
            retry: None,
            warned: false,
        }
    }

    /// The source's name.
    pub(super) fn source(&self) -> &str {
        &self.source
    }

    /// Everything below has been taken from the log.
    pub(super) fn next(&self) -> u64 {
        self.next
    }

    /// Whether everything durable has been handed on, but for what is open.
    pub(super) fn is_drained(&self) -> bool {
        self.recent.is_empty() && self.disk.is_none()
    }

    /// Whether something can be handed on now.
    pub(super) fn is_ready(&self, now: Duration) -> bool {
        !self.is_drained() && self.retry.is_none_or(|at| at <= now)
    }

    /// Whether there is more than memory holds.
    pub(super) fn is_on_disk(&self) -> bool {
        self.disk.is_some()
    }

    /// When the disk is tried again, if it could not be read.
    pub(super) fn retry(&self) -> Option<Duration> {
        self.retry
    }

    /// When something open is due to be let go.
    pub(super) fn deadline(&self) -> Option<Duration> {
        self.lines.as_ref().and_then(|lines| lines.framer.deadline())
    }

    /// Takes in a group that has become durable.
    pub(super) fn offer(&mut self, chunk: Chunk, spool: &Spool) {
        if self.disk.is_some() {
            return;
        }
        let held: usize = self.recent.iter().map(Chunk::len).sum();
        if held + chunk.len() > SPOOL_RECENT_BYTES
            && let Some(first) = chunk.peek()
        {
            self.disk = Some(spool.reader(first.position));
        } else {
            self.recent.push_back(chunk);
        }
    }

    /// Hands on what is durable; true when the batch is full.
    pub(super) fn fill(
        &mut self,
        now: Duration,
        spool: &mut Spool,
        output: &mut Output<'_>,
        notices: &mut Vec<Notice>,
    ) -> bool {
        loop {
            if output.is_full() {
                return true;
            }
            if let Some(mut chunk) = self.recent.pop_front() {
                self.hand(now, &mut chunk, spool, output, notices);
                if !chunk.is_empty() {
                    self.recent.push_front(chunk);
                }
                continue;
            }
            if self.retry.is_some_and(|at| now < at) {
                return false;
            }
            let Some(disk) = &mut self.disk else { return false };
            match disk.step(spool.durable()) {
                Ok(Step::Chunk(chunk)) => self.recent.push_back(chunk),
                Ok(Step::Gone(lost)) => {
                    self.lost(now, lost, "a segment of the spool is gone", output, notices)
                }
                Ok(Step::Damage(damage)) => {
                    let cause = "damaged in the spool";
                    self.lost(now, damage.lost, cause, output, notices);
                }
                Ok(Step::End) => {
                    self.disk = None;
                    self.next = self.next.max(spool.durable());
                }
                Err(error) => {
                    self.retry = Some(now + RETRY);
                    if !std::mem::replace(&mut self.warned, true) {
                        let warning = format!("source {}: the spool cannot be read: {error}", self.source);
                        notices.push(Notice::Warning(warning));
                    }
                    return false;
                }
            }
            (self.retry, self.warned) = (None, false);
        }
    }

    /// Positions that can never be read: what is open before them is let go.
    fn lost(
        &mut self,
        now: Duration,
        lost: Range<u64>,
        cause: &'static str,
        output: &mut Output<'_>,
        notices: &mut Vec<Notice>,
    ) {
        if let Some(lines) = &mut self.lines {
            let rest = std::mem::take(&mut lines.rest);
            lines.block(now, rest, Until::End, self.from, self.settled.as_ref(), output, notices);
            (lines.position, lines.held) = (lost.end, Held::default());
        }
        self.next = self.next.max(lost.end);
        if !lost.is_empty() {
            let stream = self.streams.plain.clone();
            notices.push(Notice::Gap { stream, start: lost.start, end: Some(lost.end), cause });
        }
    }

    /// Hands on records of a chunk until the batch is full.
    fn hand(
        &mut self,
        now: Duration,
        chunk: &mut Chunk,
        spool: &mut Spool,
        output: &mut Output<'_>,
        notices: &mut Vec<Notice>,
    ) {
        if self.lines.is_some() {
            self.hand_lines(now, chunk, spool, output, notices);
        } else {
            self.hand_messages(chunk, output);
        }
    }

    fn hand_messages(&mut self, chunk: &mut Chunk, output: &mut Output<'_>) {
        let segment = Arc::clone(chunk.segment());
        while let Some(record) = chunk.peek()
            && !output.is_full()
        {
            if record.kind == Kind::Message && record.end() > self.next {
                let range = record.position..record.end();
                let buffer = output.buffer(Some(&segment));
                output.add(&segment);
                let start = (chunk.at() + record.payload_at()) as u32;
                let text = Span {
                    start,
                    len: record.payload.len() as u32,
                    buffer,
                    facts: crate::event::Facts::UNKNOWN,
                };
                let time = output.time(record.received_ns);
                let first = output.len();
                let (start, end, part) = (range.start, range.end, record.part);
                output.message(Message { text, time, start, end, lane: 0, part });
                let stream = self.streams.of(record.peer);
                let settled = self.settled.as_ref().filter(|(_, end)| range.start < *end);
                let settled = settled.map(|(sets, _)| sets);
                let whose = Whose { stream: &stream, origin: Origin::Lines, from: self.from, settled };
                output.push(&whose, first, [range]);
            }
            self.next = self.next.max(record.end());
            chunk.advance();
        }
    }

    fn hand_lines(
        &mut self,
        now: Duration,
        chunk: &mut Chunk,
        spool: &mut Spool,
        output: &mut Output<'_>,
        notices: &mut Vec<Notice>,
    ) {
        let Some(lines) = &mut self.lines else { return };
        while let Some(record) = chunk.peek()
            && !output.is_full()
        {
            if record.kind == Kind::Cut {
                let all = record.part == 0;
                chunk.advance();
                lines.cut(now, all, self.from, self.settled.as_ref(), output, notices);
                continue;
            }
            if record.kind != Kind::Bytes {
                chunk.advance();
                continue;
            }
            // Small pieces are framed together: each block costs a segment.
            let mut bytes = std::mem::take(&mut lines.rest);
            let peer = record.peer.to_vec();
            lines.received_ns = record.received_ns;
            while let Some(record) = chunk.peek()
                && record.kind == Kind::Bytes
                && record.peer == peer
                && (bytes.len() < READ_BLOCK_BYTES)
            {
                let skip = self.next.saturating_sub(record.position).min(record.payload.len() as u64);
                bytes.extend_from_slice(record.payload.get(skip as usize..).unwrap_or_default());
                self.next = self.next.max(record.end());
                chunk.advance();
            }
            lines.stream = self.streams.of(&peer);
            lines.block(now, bytes, Until::More, self.from, self.settled.as_ref(), output, notices);
            if let Some((origin, at)) = lines.framer.told()
                && spool.state().framing.is_none()
            {
                spool.push_framing(origin, at, lines.received_ns);
            }
        }
    }
}

impl Lines {
    fn new(config: Arc<FrameConfig>, state: &State, from: u64, plain: &Arc<Stream>) -> Self {
        let config = match state.framing {
            Some((origin, at)) if origin == Origin::Lines || at <= from => Arc::new(config.known_as(origin)),
            _ => config,
        };
        Self {
            framer: Framer::new(config),
            position: from,
            rest: Vec::new(),
            held: Held::default(),
            stream: plain.clone(),
            received_ns: 0,
        }
    }

    /// Lets go what is open.
    fn cut(
        &mut self,
        now: Duration,
        all: bool,
        from: u64,
        settled: Option<&(Arc<[Ranges]>, u64)>,
        output: &mut Output<'_>,
        notices: &mut Vec<Notice>,
    ) {
        if all {
            let rest = std::mem::take(&mut self.rest);
            self.block(now, rest, Until::End, from, settled, output, notices);
        } else {
            self.block(now, Vec::new(), Until::Open, from, settled, output, notices);
        }
    }

    /// Frames bytes that begin at `self.position`; at a cut, lets everything go.
    #[expect(clippy::too_many_arguments, reason = "what a block is framed with, in one place")]
    fn block(
        &mut self,
        now: Duration,
        bytes: Vec<u8>,
        until: Until,
        from: u64,
        settled: Option<&(Arc<[Ranges]>, u64)>,
        output: &mut Output<'_>,
        notices: &mut Vec<Notice>,
    ) {
        let first = output.len();
        let mut ranges = Vec::new();
        let buffer = output.buffer(None);
        let start = self.position;
        let held = &self.held;
        let mut fetch = |range, out: &mut Vec<u8>| held.read(&range, out);
        let time = output.time(self.received_ns);
        let mut out =
            Framed { messages: &mut output.batch.messages, joined: &mut output.joined, ranges: &mut ranges };
        let mut taken = 0;
        if until != Until::Open {
            let last = until == Until::End;
            let block = Block { position: start, bytes: &bytes, buffer, last, now, fetch: &mut fetch };
            taken = self.framer.frame(block, &mut out);
            self.rest = bytes.get(taken..).unwrap_or_default().to_vec();
        }
        let front = bytes.get(..taken).unwrap_or_default();
        self.position += taken as u64;
        self.held.add(start, front, self.framer.held_start());
        if until != Until::More {
            let held = &self.held;
            let mut fetch = |range, out: &mut Vec<u8>| held.read(&range, out);
            self.framer.finish(&mut fetch, &mut out);
        }
        self.held.keep_from(self.framer.held_start());
        for message in output.batch.messages.iter_mut().skip(first as usize) {
            if message.time.len == 0 {
                message.time = time;
            }
        }
        if output.len() > first && taken > 0 {
            let mut segment = bytes;
            segment.truncate(taken);
            output.add(&Arc::new(Segment::new(segment)));
        }
        for lost in self.framer.take_unreadable() {
            let cause = "it was not kept for joining";
            notices.push(Notice::Gap {
                stream: self.stream.clone(),
                start: lost.start,
                end: Some(lost.end),
                cause,
            });
        }
        let reaches = |end: &u64| ranges.iter().any(|range: &Range<u64>| range.start < *end);
        let settled = settled.filter(|(_, end)| reaches(end)).map(|(sets, _)| sets);
        let whose = Whose { stream: &self.stream, origin: self.framer.origin(), from, settled };
        output.push(&whose, first, ranges);
    }
}
