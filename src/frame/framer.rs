//! The framer of one stream: finds physical lines, takes their envelope off, hands them to their lane.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use memchr::memchr_iter;

use super::coding::{self, Coding};
use super::config::{Format, FrameConfig};
use super::emit::{Env, Piece};
use super::header::Header;
use super::lane::Lane;
use super::{Block, Fetch, Framed, cri, docker};
use crate::event::Origin;
use crate::limits::{LANES_MAX, READ_BLOCK_BYTES};

mod wide;

/// Lines that are looked at before a stream counts as plain.
const LOOK_LINES: u8 = 8;

/// The lane of lines that have no envelope in a stream whose lines have one.
const ODD: usize = LANES_MAX - 1;

/// The first lane of lines in the envelope of another runtime than the stream's: a line of one does not end what is
/// unfinished in the other's.
const FOREIGN: usize = LANES_MAX;

/// Some lanes of a stream, as bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lanes(pub u8);

impl Lanes {
    /// All of them, whichever there are.
    pub const ALL: Self = Self(u8::MAX);

    /// Whether it is none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
}

/// How lines are taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// Not known yet; so many plain lines were seen.
    Unknown(u8),
    /// As this origin says.
    Known(Origin),
}

/// Cuts one stream into messages. Its answers depend on the bytes alone, however they come in blocks; only
/// [`Framer::expire`] cuts by time.
///
/// A physical line of [`READ_BLOCK_BYTES`] or more is taken in steps of that size, so a caller never needs to
/// offer more than that (and a line) at once.
#[derive(Clone, Debug)]
pub struct Framer {
    config: Arc<FrameConfig>,
    mode: Mode,
    /// Where the line begins that told the mode.
    told_at: Option<u64>,
    /// The middle of a line longer than a block.
    long: bool,
    lanes: Vec<Lane>,
    header: Header,
    coding: Coding,
    /// Whether the coding is known.
    begun: bool,
    /// NUL bytes before lines that were skipped.
    padding: u64,
    scratch: Vec<u8>,
    unreadable: Vec<Range<u64>>,
}

impl Framer {
    /// A framer at the start of a stream, or at the start of a message in it.
    pub fn new(config: Arc<FrameConfig>) -> Self {
        let mode = match config.format {
            Format::Auto => Mode::Unknown(0),
            Format::Lines => Mode::Known(Origin::Lines),
            Format::Cri => Mode::Known(Origin::Cri),
            Format::Docker => Mode::Known(Origin::Docker),
        };
        Self {
            header: Header::new(config.header),
            coding: Coding::default(),
            begun: false,
            padding: 0,
            config,
            mode,
            told_at: None,
            long: false,
            lanes: Vec::new(),
            scratch: Vec::new(),
            unreadable: Vec::new(),
        }
    }

    /// A framer that begins in the middle of a stream, at the start of a message, where it is known from before how
    /// its lines are wrapped: the lines that come now might tell otherwise.
    pub fn with_origin(config: Arc<FrameConfig>, origin: Origin) -> Self {
        let mut framer = Self::new(config);
        if let Mode::Unknown(_) = framer.mode {
            framer.mode = Mode::Known(origin);
        }
        framer
    }

    /// Whether it is known for good how the stream's lines are wrapped.
    pub fn is_told(&self) -> bool {
        matches!(self.mode, Mode::Known(_))
    }

    /// Whether lines of more than one lane came, so that messages may lie between each other's lines.
    pub fn interleaves(&self) -> bool {
        self.lanes.len() > 1
    }

    /// How the stream's lines are wrapped, as far as is known.
    pub fn origin(&self) -> Origin {
        match self.mode {
            Mode::Known(origin) => origin,
            Mode::Unknown(_) => Origin::Lines,
        }
    }

    /// How the stream's lines are wrapped and the position of the line that told it, if a line did.
    pub fn told(&self) -> Option<(Origin, u64)> {
        self.told_at.map(|at| (self.origin(), at))
    }

    /// Cuts a block. Returns how many bytes were consumed: up to the end of the last line, nearly always. The
    /// rest is to be offered again, with more behind it.
    pub fn frame(&mut self, block: Block<'_>, out: &mut Framed<'_>) -> usize {
        let (position, bytes, last) = (block.position, block.bytes, block.last);
        let mut unreadable = std::mem::take(&mut self.unreadable);
        let Block { fetch, buffer, now, .. } = block;
        let Some(mark) = self.begin(position, bytes, last, &mut *fetch) else {
            self.unreadable = unreadable;
            return 0;
        };
        self.header.above(position, self.coding, &mut *fetch);
        let block = Block { position, bytes, buffer, last, now, fetch };
        let mut env = Env::new(block, self.coding, out, &mut unreadable);
        env.put_header(self.header.text());
        if mark > 0 {
            env.account(&Piece { start: position, line: mark as u32, ..Piece::default() });
        }
        let at = match self.coding.wide() {
            None => self.lines(bytes, mark, position, last, &mut env),
            Some(wide) => self.wide_lines(wide, bytes, mark, position, last, &mut env),
        };
        env.close();
        self.unreadable = unreadable;
        at
    }

    /// Finds out, with the first block, what the stream is written in. Gives the length of the byte-order mark at the
    /// start of the block, or `None` where more bytes must come to tell.
    #[inline]
    fn begin(&mut self, position: u64, bytes: &[u8], last: bool, fetch: Fetch<'_>) -> Option<usize> {
        if self.begun { Some(0) } else { self.look_at_start(position, bytes, last, fetch) }
    }

    #[cold]
    fn look_at_start(&mut self, position: u64, bytes: &[u8], last: bool, fetch: Fetch<'_>) -> Option<usize> {
        let above =
            if position == 0 { Vec::new() } else { coding::head_above(position, fetch).unwrap_or_default() };
        let head = if position == 0 { coding::head(bytes, last)? } else { &above };
        let (coding, mark) = Coding::new(self.config.encoding, self.config.strip_ansi, head);
        (self.coding, self.begun) = (coding, true);
        self.header.begin_at(mark as u64);
        if coding.wide().is_some() {
            // What wraps lines does not write UTF-16.
            self.mode = Mode::Known(Origin::Lines);
        }
        Some(if position == 0 { mark } else { 0 })
    }

    /// Takes the lines of a block from `at` on; gives where the first one begins that has no end yet.
    #[inline]
    fn lines(
        &mut self,
        bytes: &[u8],
        mut at: usize,
        position: u64,
        last: bool,
        env: &mut Env<'_, '_, '_>,
    ) -> usize {
        for end in memchr_iter(b'\n', bytes) {
            at = self.long_steps(bytes.get(..end).unwrap_or_default(), at, position, env);
            let line = bytes.get(at..end).unwrap_or_default();
            self.physical(position + at as u64, line, 1, env);
            at = end + 1;
        }
        at = self.long_steps(bytes, at, position, env);
        if last && (at < bytes.len() || self.long) {
            let line = bytes.get(at..).unwrap_or_default();
            self.physical(position + at as u64, line, 0, env);
            at = bytes.len();
        }
        at
    }

    /// Takes what is too long for a block off the front of a line.
    #[inline]
    fn long_steps(&mut self, bytes: &[u8], mut at: usize, position: u64, env: &mut Env<'_, '_, '_>) -> usize {
        while bytes.len() - at >= READ_BLOCK_BYTES {
            let start = position + at as u64;
            let len = READ_BLOCK_BYTES as u32;
            let step = bytes.get(at..at + READ_BLOCK_BYTES).unwrap_or_default();
            let text = if self.long { 0 } else { self.padding_of(step) as u32 };
            let piece = Piece { start, line: len, text, len: len - text, first: true, ..Piece::default() };
            if text == len {
                // The hole of a file that was cut short under its writer may be larger than any line.
                env.account(&piece);
                at += READ_BLOCK_BYTES;
                continue;
            }
            self.long = true;
            let index = self.bare();
            let (lane, config, scratch) = self.lane(index);
            lane.partial_line(piece, true, config, env, scratch);
            at += READ_BLOCK_BYTES;
        }
        at
    }

    /// Takes a line without its separator, which is `separator` bytes long.
    #[inline]
    fn physical(&mut self, start: u64, line: &[u8], separator: u32, env: &mut Env<'_, '_, '_>) {
        if line.first() == Some(&0) && !self.long {
            return self.padded(start, line, separator, env);
        }
        match self.mode {
            _ if self.long => self.end_long(whole(start, line, separator), env),
            Mode::Known(Origin::Lines | Origin::Kafka) => self.plain(start, line, separator, env),
            Mode::Known(Origin::Cri) => {
                if !self.cri(start, line, separator, env) {
                    self.odd(start, line, separator, env);
                }
            }
            Mode::Known(Origin::Docker) => {
                if !self.docker(start, line, separator, env) {
                    self.odd(start, line, separator, env);
                }
            }
            Mode::Unknown(seen) => self.tell(seen, start, line, separator, env),
        }
    }

    /// Takes a line behind NUL bytes: a file that was cut short while its writer kept its place (`copytruncate`), or
    /// after a crash.
    #[cold]
    fn padded(&mut self, start: u64, line: &[u8], separator: u32, env: &mut Env<'_, '_, '_>) {
        let len = self.padding_of(line);
        env.account(&Piece { start, line: len as u32, ..Piece::default() });
        self.physical(start + len as u64, line.get(len..).unwrap_or_default(), separator, env);
    }

    /// How many NUL bytes stand before the text of a line. They are counted.
    fn padding_of(&mut self, line: &[u8]) -> usize {
        let unit = if self.coding.wide().is_some() { !1 } else { !0 };
        let len = nuls(line) & unit;
        self.padding += len as u64;
        len
    }

    /// The lane at an index, with what it needs.
    #[inline]
    fn lane(&mut self, index: usize) -> (&mut Lane, &FrameConfig, &mut Vec<u8>) {
        let index = index.min(FOREIGN + ODD - 1);
        while self.lanes.len() <= index {
            let number = self.lanes.len();
            self.lanes.push(Lane::new((number % LANES_MAX % ODD) as u8));
        }
        (&mut self.lanes[index], &self.config, &mut self.scratch)
    }

    /// Where lines that are not wrapped go.
    fn bare(&self) -> usize {
        match self.mode {
            Mode::Known(Origin::Cri | Origin::Docker) => ODD,
            _ => 0,
        }
    }

    fn end_long(&mut self, piece: Piece, env: &mut Env<'_, '_, '_>) {
        self.long = false;
        let index = self.bare();
        let (lane, config, scratch) = self.lane(index);
        lane.partial_line(piece, false, config, env, scratch);
        if index == ODD {
            lane.flush(config, env, scratch);
        }
    }

    #[inline]
    fn plain(&mut self, start: u64, line: &[u8], separator: u32, env: &mut Env<'_, '_, '_>) {
        if self.header.is_header(start, line) {
            let mut text = Vec::new();
            self.coding.put(line, false, &mut text);
            return self.header_line(whole(start, line, separator), &text, env);
        }
        let (lane, config, scratch) = self.lane(0);
        lane.line(whole(start, line, separator), config, env, scratch);
    }

    /// A header line ends what is open, which stands below the header before it.
    #[cold]
    fn header_line(&mut self, piece: Piece, text: &[u8], env: &mut Env<'_, '_, '_>) {
        let (lane, config, scratch) = self.lane(0);
        lane.flush(config, env, scratch);
        env.account(&piece);
        self.header.take(text);
        env.put_header(self.header.text());
    }

    /// A line without envelope in a stream that has them: a message of its own, and nothing goes on across it, for
    /// whatever wrote it interrupted the runtime.
    fn odd(&mut self, start: u64, line: &[u8], separator: u32, env: &mut Env<'_, '_, '_>) {
        if self.config.format == Format::Auto
            && (self.cri(start, line, separator, env) || self.docker(start, line, separator, env))
        {
            return;
        }
        if !line.is_empty() {
            self.flush(env, |_, _| true);
        }
        let (lane, config, scratch) = self.lane(ODD);
        lane.line(whole(start, line, separator), config, env, scratch);
        lane.flush(config, env, scratch);
    }

    #[inline]
    fn cri(&mut self, start: u64, line: &[u8], separator: u32, env: &mut Env<'_, '_, '_>) -> bool {
        let Some(found) = cri::parse(line) else { return false };
        let end = if found.partial { line.len() } else { without_return(line) }.max(found.text as usize);
        let piece = Piece {
            start,
            line: line.len() as u32 + separator,
            text: found.text,
            len: end as u32 - found.text,
            time: 0,
            time_len: found.time,
            escaped: false,
            first: true,
        };
        self.wrapped(Origin::Cri, piece, (found.lane, found.partial), env);
        true
    }

    fn docker(&mut self, start: u64, line: &[u8], separator: u32, env: &mut Env<'_, '_, '_>) -> bool {
        let Some(found) = docker::parse(line) else { return false };
        if !found.pure && self.config.format == Format::Auto {
            return false;
        }
        let piece = Piece {
            start,
            line: line.len() as u32 + separator,
            text: found.text.0,
            len: found.text.1,
            time: found.time.0,
            time_len: found.time.1,
            // Nothing but resolving escapes makes text of it.
            escaped: found.escaped || self.coding.decodes(),
            first: true,
        };
        self.wrapped(Origin::Docker, piece, (found.lane, found.partial), env);
        true
    }

    #[inline]
    fn wrapped(&mut self, by: Origin, piece: Piece, (lane, partial): (u8, bool), env: &mut Env<'_, '_, '_>) {
        let first = if self.mode == Mode::Known(by) { 0 } else { FOREIGN };
        let (lane, config, scratch) = self.lane(first + usize::from(lane));
        if partial {
            lane.partial_line(piece, true, config, env, scratch);
        } else {
            lane.line(piece, config, env, scratch);
        }
    }

    /// Tells from a line how the stream is wrapped, if it can, and takes it.
    fn tell(&mut self, seen: u8, start: u64, line: &[u8], separator: u32, env: &mut Env<'_, '_, '_>) {
        let origin = if cri::parse(line).is_some() {
            Some(Origin::Cri)
        } else if docker::parse(line).is_some_and(|found| found.pure) {
            Some(Origin::Docker)
        } else if seen + 1 >= LOOK_LINES {
            Some(Origin::Lines)
        } else {
            None
        };
        match origin {
            Some(origin) => {
                self.mode = Mode::Known(origin);
                self.told_at = Some(start);
                if origin != Origin::Lines {
                    self.flush(env, |_, _| true);
                }
                self.physical(start, line, separator, env);
            }
            None => {
                self.mode = Mode::Unknown(seen + u8::from(!line.is_empty()));
                self.plain(start, line, separator, env);
            }
        }
    }

    fn flush(&mut self, env: &mut Env<'_, '_, '_>, due: impl Fn(usize, Duration) -> bool) {
        for (number, lane) in self.lanes.iter_mut().enumerate() {
            if lane.deadline(&self.config).is_some_and(|at| due(number, at)) {
                lane.flush(&self.config, env, &mut self.scratch);
                // What comes of a long line after this is a line of its own.
                self.long = self.long && lane.deadline(&self.config).is_some();
            }
        }
    }

    /// The monotonic time at which something open is due, to be let go by [`Framer::expire`].
    pub fn deadline(&self) -> Option<Duration> {
        self.lanes.iter().filter_map(|lane| lane.deadline(&self.config)).min()
    }

    /// Lets go what is due at `now`.
    pub fn expire(&mut self, now: Duration, fetch: Fetch<'_>, out: &mut Framed<'_>) {
        self.let_go(now, fetch, out, |_, due| due <= now);
    }

    /// The lanes of which something is due at `now`.
    pub fn due(&self, now: Duration) -> Lanes {
        let due = |lane: &Lane| lane.deadline(&self.config).is_some_and(|due| due <= now);
        let due = self.lanes.iter().enumerate().filter(|(_, lane)| due(lane));
        Lanes(due.fold(0, |lanes, (number, _)| lanes | 1 << number))
    }

    /// Lets go what is open in some lanes, whenever it came: where a cut was made before, it is made again.
    pub fn end(&mut self, lanes: Lanes, fetch: Fetch<'_>, out: &mut Framed<'_>) {
        self.let_go(Duration::ZERO, fetch, out, |number, _| lanes.0 >> number & 1 == 1);
    }

    /// Lets everything go: the stream has ended, and its last block was offered as [`Block::last`].
    pub fn finish(&mut self, fetch: Fetch<'_>, out: &mut Framed<'_>) {
        self.let_go(Duration::ZERO, fetch, out, |_, _| true);
    }

    fn let_go(
        &mut self,
        now: Duration,
        fetch: Fetch<'_>,
        out: &mut Framed<'_>,
        due: impl Fn(usize, Duration) -> bool,
    ) {
        let mut unreadable = std::mem::take(&mut self.unreadable);
        let block = Block { position: 0, bytes: &[], buffer: 0, last: false, now, fetch };
        let mut env = Env::new(block, self.coding, out, &mut unreadable);
        env.put_header(self.header.text());
        self.flush(&mut env, due);
        env.close();
        self.unreadable = unreadable;
    }

    /// Whether the next block may ask for bytes before it.
    pub fn may_fetch(&self) -> bool {
        !self.begun || self.held_start().is_some()
    }

    /// Whether bytes that were added to an unfinished line may hold its end.
    pub fn may_end(&self, more: &[u8]) -> bool {
        self.coding.may_end(more)
    }

    /// How many NUL bytes before lines were skipped since the last call.
    pub fn take_padding(&mut self) -> u64 {
        std::mem::take(&mut self.padding)
    }

    /// Position of the first byte of anything open, parts that have left included: a cursor must not pass it,
    /// for a framer that begins there, and only there or before, gives the same messages.
    pub fn open_start(&self) -> Option<u64> {
        self.lanes.iter().filter_map(Lane::open_start).min()
    }

    /// Position of the first byte that may be asked of `fetch`: a source that cannot read again keeps from here.
    pub fn held_start(&self) -> Option<u64> {
        self.lanes.iter().filter_map(Lane::held_start).min()
    }

    /// Ranges that messages were to be made of and that could not be read again. They are in no
    /// [`Framed::ranges`]; the caller reports them as a gap.
    pub fn take_unreadable(&mut self) -> Vec<Range<u64>> {
        std::mem::take(&mut self.unreadable)
    }
}

/// The length of a line without its carriage return.
#[inline]
fn without_return(line: &[u8]) -> usize {
    line.len() - usize::from(line.last() == Some(&b'\r'))
}

/// How many NUL bytes some bytes begin with.
fn nuls(bytes: &[u8]) -> usize {
    bytes.iter().position(|byte| *byte != 0).unwrap_or(bytes.len())
}

/// A line without envelope, all of it.
#[inline]
fn whole(start: u64, line: &[u8], separator: u32) -> Piece {
    let len = without_return(line) as u32;
    Piece { start, line: line.len() as u32 + separator, len, first: true, ..Piece::default() }
}
