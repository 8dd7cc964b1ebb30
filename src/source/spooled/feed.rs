//! Hands on what a spool holds: from memory what was just written, from disk after a restart, framed where the spool is
//! a stream of bytes.

use std::collections::{HashMap, VecDeque};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use super::again::Again;
use super::lines::{Lines, Settled, Way};
use super::output::{Output, Whose};
use super::{Framing, RETRY};
use crate::event::{Facts, Message, Origin, Span};
use crate::limits::{READ_BLOCK_BYTES, SPOOL_PEERS_MAX, SPOOL_RECENT_BYTES};
use crate::position::{Ranges, Resume, Stream};
use crate::source::{Notice, Source};
use crate::spool::{Chunk, Damage, Kind, Reader, Spool, Step};

/// Where a spool is being read.
pub(super) struct Feed {
    source: Box<str>,
    streams: Streams,
    lines: Option<Lines>,
    /// Where this process began to read: all below was settled before.
    from: u64,
    settled: Settled,
    /// Everything below has been taken from the log.
    next: u64,
    /// Where a read that repeats another one ends: the position, and the cuts that the other one made there.
    stop: Option<(u64, u32)>,
    /// Records in memory, in order.
    recent: VecDeque<Chunk>,
    /// Reads what comes after them, where that is not in memory.
    disk: Option<Reader>,
    /// The disk cannot be read: when to try again.
    retry: Option<Duration>,
    warned: bool,
    damaged: Vec<Damage>,
}

/// The streams of one spool: the same but for their paths.
struct Streams {
    plain: Arc<Stream>,
    by_peer: HashMap<Box<[u8]>, Arc<Stream>>,
}

impl Streams {
    fn new(plain: &Arc<Stream>) -> Self {
        Self { plain: plain.clone(), by_peer: HashMap::new() }
    }

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

/// What sinks had settled, with one past the last of it.
fn settled(sets: Option<Arc<[Ranges]>>) -> Settled {
    let sets = sets?;
    let end = sets.iter().flat_map(Ranges::iter).map(|range| range.end).max()?;
    Some((sets, end))
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
        let gap = |start, end, cause| Notice::Gap { stream: plain.clone(), start, end: Some(end), cause };
        let low = resume.position(id, 0).unwrap_or(0);
        let settled = settled(resume.settled(id, 0));
        let state = *spool.state();
        let first = match framing {
            Framing::Messages => spool.first(),
            Framing::Lines(_) => spool.first().max(state.clean),
        };
        let known = settled.as_ref().map_or(low, |(_, end)| low.max(*end));
        // What was removed before it was settled is lost; what else was removed is missed by a new sink alone.
        let dropped = low < spool.first() && low < state.dropped_below;
        let from = if dropped { low } else { low.max(first) };
        if dropped {
            notices.push(gap(low, spool.first(), "the spool was full: the oldest were dropped"));
        }
        if known > spool.end() {
            notices.push(gap(spool.end().max(from), known, "damaged at the end of the spool"));
            spool.skip_to(known);
        }
        let (next, lines) = match framing {
            Framing::Messages => (from.max(first), None),
            Framing::Lines(config) => {
                // The mark is of a low one, so it is not above this one but where a sink is new.
                let at = first.min(spool.end());
                (at, Some(Lines::new(config, state.framing, at, &plain)))
            }
        };
        let disk = (next < spool.durable() || !spool.is_cut()).then(|| spool.reader(next));
        let mut feed = Self::over(plain, Framing::Messages, None, next, spool.reader(next));
        (feed.lines, feed.from, feed.settled, feed.disk) = (lines, from, settled, disk);
        feed
    }

    /// Reads what a reader gives, from a position on.
    pub(super) fn over(
        plain: Arc<Stream>,
        framing: Framing,
        known: Option<(Origin, u64)>,
        from: u64,
        reader: Reader,
    ) -> Self {
        let lines = match framing {
            Framing::Messages => None,
            Framing::Lines(config) => Some(Lines::new(config, known, from, &plain)),
        };
        Self {
            source: plain.source.clone(),
            streams: Streams::new(&plain),
            lines,
            from,
            settled: None,
            next: from,
            stop: None,
            recent: VecDeque::new(),
            disk: Some(reader),
            retry: None,
            warned: false,
            damaged: Vec::new(),
        }
    }

    /// Nothing more comes: lets go what is open.
    pub(super) fn end(&mut self, now: Duration, output: &mut Output<'_>, notices: &mut Vec<Notice>) {
        let mut way = Way { now, from: self.from, settled: &self.settled, output, notices };
        if let Some(lines) = &mut self.lines {
            lines.cut(true, &mut way);
        }
    }

    /// Damage that was found since the last call.
    pub(super) fn take_damaged(&mut self) -> Vec<Damage> {
        std::mem::take(&mut self.damaged)
    }

    /// Reads again what a sink has not settled, up to here; `None` where there is nothing.
    pub(super) fn again(&self, sink: usize, resume: &dyn Resume, spool: &Spool) -> Option<Box<dyn Source>> {
        let plain = &self.streams.plain;
        let from = resume.position(plain.id, 0).unwrap_or(self.from).max(self.from);
        let settled = settled(resume.settled(plain.id, 0));
        let of_sink = settled.as_ref().and_then(|(sets, _)| sets.get(sink));
        let missed = of_sink.map_or(from, |set| set.first_gap(from));
        if missed >= self.lines.as_ref().map_or(self.next, Lines::handed) {
            return None;
        }
        let at = match &self.lines {
            Some(lines) => lines.restart(from).unwrap_or(self.from),
            None => from,
        };
        let lines = self.lines.as_ref().map(|lines| {
            let framing = spool.state().framing.or_else(|| lines.told());
            Lines::new(lines.config.clone(), framing, at, plain)
        });
        let mut feed = Self::over(plain.clone(), Framing::Messages, None, at, spool.reader(at));
        (feed.lines, feed.from, feed.settled) = (lines, from, settled);
        feed.stop = Some((self.next, self.lines.as_ref().map_or(0, |lines| lines.cuts)));
        Some(Box::new(Again { feed, until: self.next, notices: Vec::new() }))
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
        self.lines.as_ref().and_then(Lines::deadline)
    }

    /// NUL bytes before lines that were skipped.
    pub(super) fn padding_bytes(&self) -> u64 {
        self.lines.as_ref().map_or(0, |lines| lines.padding_bytes)
    }

    /// How lines are wrapped and where that was told, if this feed has found it out.
    pub(super) fn told(&self) -> Option<(Origin, u64)> {
        self.lines.as_ref().and_then(Lines::told)
    }

    /// All below `low` is settled. Where a framer may begin, if that is another place now.
    pub(super) fn settled(&mut self, low: u64) -> Option<u64> {
        self.lines.as_mut().and_then(|lines| lines.settled(low))
    }

    /// Takes in a group that has become durable.
    pub(super) fn offer(&mut self, chunk: Chunk, spool: &Spool) {
        if self.disk.is_some() {
            return;
        }
        let held: usize = self.recent.iter().map(Chunk::len).sum();
        match chunk.peek() {
            Some(first) if held > 0 && held + chunk.len() > SPOOL_RECENT_BYTES => {
                self.disk = Some(spool.reader(first.position));
            }
            _ => self.recent.push_back(chunk),
        }
    }

    /// Hands on what is durable below `until`; true when the batch is full.
    pub(super) fn fill(
        &mut self,
        now: Duration,
        until: u64,
        output: &mut Output<'_>,
        notices: &mut Vec<Notice>,
    ) -> bool {
        loop {
            if output.is_full() {
                return true;
            }
            if let Some(mut chunk) = self.recent.pop_front() {
                if self.lines.is_some() {
                    self.hand_lines(now, &mut chunk, output, notices);
                } else {
                    self.hand_messages(&mut chunk, output);
                }
                if !chunk.is_empty() {
                    self.recent.push_front(chunk);
                }
                continue;
            }
            if self.retry.is_some_and(|at| now < at) {
                return false;
            }
            let Some(disk) = &mut self.disk else { return false };
            match disk.step(until) {
                Ok(Step::Chunk(chunk)) => self.recent.push_back(chunk),
                Ok(Step::Gone(lost)) => {
                    self.lost(now, lost, "no longer in the spool", output, notices);
                }
                Ok(Step::Damage(damage)) => {
                    notices.push(Notice::Warning(format!(
                        "source {}: bytes {} to {} of segment {} of its spool are damaged",
                        self.source, damage.bytes.start, damage.bytes.end, damage.segment
                    )));
                    self.lost(now, damage.lost.clone(), "damaged in the spool", output, notices);
                    self.damaged.push(damage);
                }
                Ok(Step::End) => self.disk = None,
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
        let mut way = Way { now, from: self.from, settled: &self.settled, output, notices };
        if let Some(lines) = &mut self.lines {
            lines.cut(true, &mut way);
            lines.jump(lost.end);
        }
        self.next = self.next.max(lost.end);
        let start = lost.start.max(self.from);
        if start < lost.end {
            let stream = self.streams.plain.clone();
            notices.push(Notice::Gap { stream, start, end: Some(lost.end), cause });
        }
    }

    /// Hands on messages of a chunk until the batch is full.
    fn hand_messages(&mut self, chunk: &mut Chunk, output: &mut Output<'_>) {
        let segment = Arc::clone(chunk.segment());
        while let Some(record) = chunk.peek()
            && !output.is_full()
        {
            if record.kind == Kind::Message && record.end() > self.next {
                let (start, end) = (record.position, record.end());
                let buffer = output.buffer(Some(&segment));
                output.add(&segment);
                let text = Span {
                    start: (chunk.at() + record.payload_at()) as u32,
                    len: record.payload.len() as u32,
                    buffer,
                    facts: Facts::UNKNOWN,
                };
                let time = output.time(record.received_ns);
                output.message(Message { text, time, start, end, lane: 0, part: record.part });
                let stream = self.streams.of(record.peer);
                let settled = self.settled.as_ref().filter(|(_, end)| start < *end);
                let settled = settled.map(|(sets, _)| sets);
                let whose = Whose { stream: &stream, origin: Origin::Lines, from: self.from, settled };
                output.push_one(&whose, start..end);
            }
            self.next = self.next.max(record.end());
            chunk.advance();
        }
    }

    /// Hands on lines of a chunk until the batch is full.
    fn hand_lines(
        &mut self,
        now: Duration,
        chunk: &mut Chunk,
        output: &mut Output<'_>,
        notices: &mut Vec<Notice>,
    ) {
        let Some(lines) = &mut self.lines else { return };
        while let Some(record) = chunk.peek()
            && !output.is_full()
        {
            let mut way = Way { now, from: self.from, settled: &self.settled, output, notices };
            match record.kind {
                Kind::Cut => {
                    // What the other read has not let go yet is its own to let go.
                    if self.stop.is_none_or(|(end, cuts)| record.position < end || lines.cuts < cuts) {
                        lines.cut(record.part == 0, &mut way);
                    }
                    chunk.advance();
                }
                Kind::Bytes => {
                    // Small pieces are framed together: each block costs a segment.
                    let mut bytes = lines.take_rest();
                    let (peer, received_ns) = (record.peer.to_vec(), record.received_ns);
                    while let Some(record) = chunk.peek()
                        && record.kind == Kind::Bytes
                        && record.peer == peer
                        && bytes.len() < READ_BLOCK_BYTES
                    {
                        let skip = self.next.saturating_sub(record.position).min(record.payload.len() as u64);
                        bytes.extend_from_slice(record.payload.get(skip as usize..).unwrap_or_default());
                        self.next = self.next.max(record.end());
                        chunk.advance();
                    }
                    lines.more(bytes, self.streams.of(&peer), received_ns, &mut way);
                }
                Kind::Header | Kind::State | Kind::Message => chunk.advance(),
            }
        }
    }
}
