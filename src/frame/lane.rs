//! What is open in one lane: pieces as positions, the class of each line, and the state they add up to.
//!
//! Lines whose belonging is not known yet wait behind the message. When it ends without them, they are looked at
//! again as if they had just come: their classes are kept for that, so nothing is read twice.

use std::time::Duration;

use super::class::{Class, LOOK_BYTES};
use super::config::{Attach, FrameConfig, Multiline};
use super::emit::{Env, Piece};
use super::machine::{self, State, Verdict};

mod cadence;
mod partial;
mod report;

use cadence::Cadence;
use partial::Partial;

/// Lines that may wait at once for later ones to tell where they belong.
const UNDECIDED_MAX: usize = 16;

/// Pieces that a lane keeps room for between messages.
const SPARE_PIECES: usize = 64;

#[derive(Clone, Copy, Debug)]
struct Line {
    class: Class,
    pieces: u32,
    bytes: usize,
}

/// One lane.
#[derive(Clone, Debug, Default)]
pub(super) struct Lane {
    number: u8,
    state: State,
    lines: Vec<Line>,
    pieces: Vec<Piece>,
    /// How many lines surely belong to the message; the others are undecided.
    sure: usize,
    /// Bytes of text in `pieces`, separators included.
    bytes: usize,
    /// Parts of this message that have left already.
    parts: u16,
    /// Where its first part began.
    whole_start: u64,
    /// When the last line came.
    touched: Duration,
    cadence: Cadence,
    partial: Partial,
}

impl Lane {
    /// A lane with nothing in it.
    pub(super) fn new(number: u8) -> Self {
        Self { number, ..Self::default() }
    }

    /// Takes a whole line. `class` is asked only where a line can belong to another.
    #[inline]
    pub(super) fn line(
        &mut self,
        piece: Piece,
        config: &FrameConfig,
        env: &mut Env<'_, '_, '_>,
        scratch: &mut Vec<u8>,
    ) {
        if self.partial.is_open() {
            self.partial_line(piece, false, config, env, scratch);
            return;
        }
        if piece.len as usize > config.message_bytes {
            self.partial_line(piece, false, config, env, scratch);
            return;
        }
        if matches!(config.multiline, Multiline::None) {
            if piece.len == 0 {
                env.account(&piece);
            } else {
                env.single(&piece, self.number, 0);
            }
            return;
        }
        let is_languages = matches!(config.multiline, Multiline::Languages(_));
        let class = match env.text(&piece) {
            Some(text) => report::classify(text, config),
            None => match env.raw(&piece) {
                // Tells most escaped lines without resolving their escapes.
                Some([b'0'..=b'9', ..]) if is_languages => Class::Header,
                Some([b'{', b'\\', b'"', ..]) if is_languages => Class::Record,
                _ => {
                    scratch.clear();
                    env.append_text(&piece, LOOK_BYTES * 6, scratch);
                    report::classify(scratch, config)
                }
            },
        };
        self.touch(env.now);
        self.add(class, &[piece], config, env, scratch);
    }

    /// Takes a piece of a line: the whole line is only known when one comes that is not `partial`.
    pub(super) fn partial_line(
        &mut self,
        piece: Piece,
        partial: bool,
        config: &FrameConfig,
        env: &mut Env<'_, '_, '_>,
        scratch: &mut Vec<u8>,
    ) {
        self.touch(env.now);
        if self.partial.is_open() {
            self.cadence.note_joined();
        }
        if self.partial.would_overflow(&piece, config) && !self.partial.is_cut() {
            // A line over the bound is never joined with others, so what is open ends here.
            self.flush_lines(config, env, scratch);
        }
        self.partial.push(piece, self.number, config, env);
        if !partial {
            self.end_partial(config, env, scratch);
        }
    }

    fn end_partial(&mut self, config: &FrameConfig, env: &mut Env<'_, '_, '_>, scratch: &mut Vec<u8>) {
        if self.partial.is_cut() {
            self.partial.finish_cut(self.number, env);
            return;
        }
        let pieces = std::mem::take(&mut self.partial.pieces);
        let class = report::classify(&self.partial.head, config);
        self.partial.clear();
        if !matches!(config.multiline, Multiline::None) {
            self.add(class, &pieces, config, env, scratch);
        } else if pieces.iter().all(|piece| piece.len == 0) {
            pieces.iter().for_each(|piece| env.account(piece));
        } else {
            env.pieces(&pieces, self.number, 0);
        }
        self.partial.pieces = pieces;
        self.partial.pieces.clear();
    }

    /// Adds a whole line of which the class is known.
    fn add(
        &mut self,
        class: Class,
        pieces: &[Piece],
        config: &FrameConfig,
        env: &mut Env<'_, '_, '_>,
        scratch: &mut Vec<u8>,
    ) {
        let indent = matches!(config.multiline, Multiline::Languages(languages) if languages.indent());
        loop {
            if self.lines.is_empty() {
                self.cadence.note_first(class, indent);
                return self.begin(class, pieces, env);
            }
            let (state, sure) = match self.verdict(class, indent, config, env, scratch) {
                Verdict::Join(state) | Verdict::Attach(state) => (state, true),
                Verdict::Maybe(state) => (state, false),
                Verdict::Break => {
                    if self.replace(class, pieces, env) {
                        return;
                    }
                    self.settle(indent, config, env, scratch);
                    continue;
                }
            };
            let bytes: usize = pieces.iter().map(|piece| piece.len as usize).sum();
            let over = self.bytes + bytes + 1 > config.message_bytes
                || self.pieces.len() + pieces.len() > config.message_lines;
            if over && !sure {
                self.settle(indent, config, env, scratch);
                continue;
            }
            if over {
                // All that waits belongs to it now.
                self.cut(env);
            }
            self.push(class, pieces, bytes);
            self.state = state;
            if sure {
                self.sure = self.lines.len();
                self.cadence.note_joined();
            }
            return;
        }
    }

    /// Lets go a line that stands alone and holds another in its place: the way of most lines.
    #[inline]
    fn replace(&mut self, class: Class, pieces: &[Piece], env: &mut Env<'_, '_, '_>) -> bool {
        let ([old], [line], [new]) = (&mut self.pieces[..], &mut self.lines[..], pieces) else {
            return false;
        };
        let Some(state) = machine::first(class) else { return false };
        if self.parts > 0 {
            return false;
        }
        env.single(old, self.number, 0);
        *old = *new;
        *line = Line { class, pieces: 1, bytes: new.len as usize };
        self.bytes = line.bytes + 1;
        self.state = state;
        true
    }

    #[inline]
    fn begin(&mut self, class: Class, pieces: &[Piece], env: &mut Env<'_, '_, '_>) {
        match machine::first(class) {
            Some(state) => {
                let bytes = pieces.iter().map(|piece| piece.len as usize).sum();
                self.push(class, pieces, bytes);
                self.state = state;
                self.sure = 1;
            }
            None => pieces.iter().for_each(|piece| env.account(piece)),
        }
    }

    #[inline]
    fn push(&mut self, class: Class, pieces: &[Piece], bytes: usize) {
        self.lines.push(Line { class, pieces: pieces.len() as u32, bytes });
        self.pieces.extend_from_slice(pieces);
        self.bytes += bytes + 1;
    }

    #[inline]
    fn verdict(
        &mut self,
        class: Class,
        indent: bool,
        config: &FrameConfig,
        env: &mut Env<'_, '_, '_>,
        scratch: &mut Vec<u8>,
    ) -> Verdict {
        match machine::next(self.state, class, indent) {
            Verdict::Maybe(_) if self.lines.len() - self.sure >= UNDECIDED_MAX => Verdict::Break,
            Verdict::Attach(_) if !self.reports(class, config.attach, env, scratch) => Verdict::Break,
            verdict => verdict,
        }
    }

    /// Whether the open message's first line is the log line that a trace of `class` belongs to.
    fn reports(
        &mut self,
        class: Class,
        attach: Attach,
        env: &mut Env<'_, '_, '_>,
        scratch: &mut Vec<u8>,
    ) -> bool {
        scratch.clear();
        if self.parts == 0 {
            let mut lines = self.lines.iter();
            let mut count = lines.next().map_or(0, |line| line.pieces as usize);
            if let Some(level) = lines.next().filter(|line| line.class == Class::JulLevel) {
                count += level.pieces as usize;
            }
            for piece in self.pieces.iter().take(count) {
                env.append_text(piece, LOOK_BYTES, scratch);
                // A runtime may have split the line into thousands.
                if scratch.len() >= LOOK_BYTES {
                    break;
                }
            }
        }
        let head = scratch.get(..LOOK_BYTES).unwrap_or(scratch);
        match attach {
            Attach::Previous => report::reports_failure(head),
            // `http: panic serving …` is the first line of its own trace.
            Attach::None => class == Class::Goroutine && report::is_panic(head),
        }
    }

    /// Lets a part of the message go because it is over a bound.
    fn cut(&mut self, env: &mut Env<'_, '_, '_>) {
        if self.parts == 0 {
            self.whole_start = self.pieces.first().map_or(0, |piece| piece.start);
        }
        self.parts = self.parts.saturating_add(1);
        env.pieces(&self.pieces, self.number, self.parts);
        self.lines.clear();
        self.pieces.clear();
        self.bytes = 0;
        self.sure = 0;
    }

    /// Lets the message go, and looks again at the lines behind it until one of them is open or none is left.
    fn settle(
        &mut self,
        indent: bool,
        config: &FrameConfig,
        env: &mut Env<'_, '_, '_>,
        scratch: &mut Vec<u8>,
    ) {
        self.release(env);
        while let Some(&Line { class, pieces, .. }) = self.lines.first() {
            let Some(state) = machine::first(class) else {
                self.pieces.drain(..pieces as usize).for_each(|piece| env.account(&piece));
                self.lines.remove(0);
                continue;
            };
            self.state = state;
            self.sure = 1;
            if !self.catch_up(indent, config, env, scratch) {
                break;
            }
            self.release(env);
        }
        self.bytes = self.lines.iter().map(|line| line.bytes + 1).sum();
    }

    /// Takes the waiting lines as following the first. Whether one of them begins something new.
    fn catch_up(
        &mut self,
        indent: bool,
        config: &FrameConfig,
        env: &mut Env<'_, '_, '_>,
        scratch: &mut Vec<u8>,
    ) -> bool {
        let mut at = 1;
        while let Some(&Line { class, .. }) = self.lines.get(at) {
            match machine::next(self.state, class, indent) {
                Verdict::Break => return true,
                Verdict::Attach(_) if !self.reports(class, config.attach, env, scratch) => return true,
                Verdict::Join(state) | Verdict::Attach(state) => {
                    self.state = state;
                    self.sure = at + 1;
                }
                Verdict::Maybe(state) => self.state = state,
            }
            at += 1;
        }
        false
    }

    /// Gives out the lines that surely belong to the message; the others stay.
    #[inline]
    fn release(&mut self, env: &mut Env<'_, '_, '_>) {
        let part = if self.parts == 0 { 0 } else { self.parts.saturating_add(1) };
        self.parts = 0;
        if self.sure == self.lines.len() {
            match self.pieces.as_slice() {
                [one] => env.single(one, self.number, part),
                pieces => env.pieces(pieces, self.number, part),
            }
            self.lines.clear();
            self.pieces.clear();
            if self.pieces.capacity() > SPARE_PIECES {
                self.pieces.shrink_to(SPARE_PIECES);
                self.lines.shrink_to(SPARE_PIECES);
            }
        } else {
            let count: usize = self.lines.drain(..self.sure).map(|line| line.pieces as usize).sum();
            env.pieces(self.pieces.get(..count).unwrap_or_default(), self.number, part);
            self.pieces.drain(..count);
        }
        self.bytes = 0;
        self.sure = 0;
    }

    /// Lets everything go, an unfinished line too.
    pub(super) fn flush(&mut self, config: &FrameConfig, env: &mut Env<'_, '_, '_>, scratch: &mut Vec<u8>) {
        if self.partial.is_open() {
            self.end_partial(config, env, scratch);
        }
        if !self.lines.is_empty() {
            self.cadence.left = Some((self.state, self.touched));
        }
        self.flush_lines(config, env, scratch);
    }

    /// A line came.
    #[inline]
    fn touch(&mut self, now: Duration) {
        self.cadence.gap = now.saturating_sub(self.touched);
        self.cadence.now = now;
        self.touched = now;
    }

    fn flush_lines(&mut self, config: &FrameConfig, env: &mut Env<'_, '_, '_>, scratch: &mut Vec<u8>) {
        let indent = matches!(config.multiline, Multiline::Languages(languages) if languages.indent());
        while !self.lines.is_empty() {
            self.settle(indent, config, env, scratch);
        }
    }

    /// When what is open is due.
    pub(super) fn deadline(&self, config: &FrameConfig) -> Option<Duration> {
        (!self.lines.is_empty() || self.partial.is_open())
            .then(|| self.touched.saturating_add(self.cadence.wait(config.wait)))
    }

    /// The position of the first byte of what is open, parts that have left included.
    pub(super) fn open_start(&self) -> Option<u64> {
        let lines = match self.parts {
            0 => self.held_start(),
            _ => Some(self.whole_start),
        };
        [lines, self.partial.open_start()].into_iter().flatten().min()
    }

    /// The position of the first byte that may be read again.
    pub(super) fn held_start(&self) -> Option<u64> {
        let held = |pieces: &[Piece]| pieces.first().map(|piece| piece.start);
        [held(&self.pieces), held(&self.partial.pieces)].into_iter().flatten().min()
    }
}
