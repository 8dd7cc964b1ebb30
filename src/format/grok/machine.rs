//! Runs a program over a text: the way of a backtracking engine, so that the first way that fits counts, in linear
//! time.
//!
//! Going back is rare, since a program knows where it is of no use. Where there is much of it all the same, the
//! machine begins to remember at which points of the program it was at which place of the text: what was tried once
//! fails again, also for a match that begins elsewhere, since there are no back-references. From then on the work is
//! bounded by the size of the program times that of the text. Only within an atomic part nothing can be remembered;
//! there a bound on steps ends what would take too long.

use super::node::Assert;
use super::program::{Class, CodedLook, Inst, Loop, Memo, NO_MEMO, NO_WAY, Order, Program, SEVERAL};
use crate::limits::{GROK_MEMO_BYTES_MAX, GROK_STEPS_FREE, GROK_STEPS_PER_BYTE};

/// Where a slot holds nothing.
pub(super) const NOWHERE: u32 = u32::MAX;

/// What to do when a way ends.
#[derive(Clone, Copy, Debug)]
enum Frame {
    /// Try the ways of a choice from the second list entry on.
    Ways { choose: u16, list: u16, next: u16, at: u32 },
    /// A longest-first run, to give up one more.
    Longest { number: u16, low: u32, at: u32, pc: u32 },
    /// A shortest-first run, to take one more.
    Shortest { number: u16, high: u32, at: u32, pc: u32 },
    /// A slot gets its value back.
    Restore { slot: u16, value: u32 },
    /// An atomic part began.
    Cut,
    /// The next shorter address.
    Ip6 { low: u32, at: u32, pc: u32 },
}

/// Why there is no match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The text is not like the pattern.
    None,
    /// It would take too long to say.
    TooLong,
}

/// The memory of a machine, used again for the next text.
#[derive(Debug, Default)]
pub(super) struct Machine {
    frames: Vec<Frame>,
    /// Places by slot.
    pub(super) slots: Vec<u32>,
    seen: Vec<u64>,
    remembers: bool,
    /// Work done for the last text.
    pub(super) steps: u64,
}

impl Machine {
    /// Finds the first match. Its captures are in the slots.
    pub(super) fn find(&mut self, program: &Program, text: &[u8]) -> Result<(), Fault> {
        self.steps = 0;
        self.remembers = false;
        if program.required.as_ref().is_some_and(|required| required.find(text).is_none()) {
            return Err(Fault::None);
        }
        let first = &program.classes[usize::from(program.first)];
        let last = if program.anchored { 0 } else { text.len() };
        let mut at = 0;
        while at <= last {
            if !(at == text.len() && program.first_end) {
                at += skip(first, text.get(at..).unwrap_or_default(), last - at);
                if at > last || (at == text.len() && !program.first_end) {
                    break;
                }
            }
            self.slots.clear();
            self.slots.resize(program.slots, NOWHERE);
            self.frames.clear();
            let mut run = Run { machine: self, program, text };
            if run.go(at)? {
                return Ok(());
            }
            at += 1;
            while text.get(at).is_some_and(|byte| byte & 0xc0 == 0x80) {
                at += 1;
            }
        }
        Err(Fault::None)
    }

    /// Whether a point was passed at a place before.
    fn was(&mut self, point: Memo, at: usize, len: usize) -> bool {
        let bit = point as usize * (len + 1) + at;
        let word = &mut self.seen[bit / 64];
        let was = *word >> (bit % 64) & 1 == 1;
        *word |= 1 << (bit % 64);
        was
    }
}

/// Bytes to go to the first one of a class, at most `most` + 1.
fn skip(class: &Class, text: &[u8], most: usize) -> usize {
    let found = match class.few.as_deref() {
        Some([a]) => memchr::memchr(*a, text),
        Some([a, b]) => memchr::memchr2(*a, *b, text),
        Some([a, b, c]) => memchr::memchr3(*a, *b, *c, text),
        _ => text.iter().position(|&byte| class.has[usize::from(byte)]),
    };
    found.unwrap_or(text.len()).min(most + 1)
}

/// Length of the run of a class.
#[inline]
fn run_of(class: &Class, text: &[u8]) -> usize {
    let found = match class.stops.as_deref() {
        Some([]) => None,
        Some([a]) => memchr::memchr(*a, text),
        Some([a, b]) => memchr::memchr2(*a, *b, text),
        Some([a, b, c]) => memchr::memchr3(*a, *b, *c, text),
        _ => text.iter().position(|&byte| !class.has[usize::from(byte)]),
    };
    found.unwrap_or(text.len())
}

/// Length of the character at the start of a text that is not empty.
#[inline]
fn character(text: &[u8]) -> usize {
    if text[0] < 0xc0 {
        return 1;
    }
    1 + text[1..].iter().take(3).take_while(|&byte| byte & 0xc0 == 0x80).count()
}

fn is_word(byte: Option<&u8>) -> bool {
    byte.is_some_and(|&byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80)
}

struct Run<'r> {
    machine: &'r mut Machine,
    program: &'r Program,
    text: &'r [u8],
}

impl Run<'_> {
    /// Counts work; begins to remember where there is much, and ends where there is too much.
    #[inline]
    fn work(&mut self, steps: u64) -> Result<(), Fault> {
        self.machine.steps += steps;
        if self.machine.steps > GROK_STEPS_FREE { self.much() } else { Ok(()) }
    }

    #[cold]
    fn much(&mut self) -> Result<(), Fault> {
        let len = self.text.len() as u64 + 1;
        if !self.machine.remembers && self.machine.steps > GROK_STEPS_FREE + 4 * len {
            let words = (u64::from(self.program.memos) * len).div_ceil(64) as usize;
            if words * 8 > GROK_MEMO_BYTES_MAX {
                return Err(Fault::TooLong);
            }
            self.machine.seen.clear();
            self.machine.seen.resize(words, 0);
            self.machine.remembers = true;
        }
        let size = self.program.code.len() as u64 + 64;
        if self.machine.steps > GROK_STEPS_FREE + GROK_STEPS_PER_BYTE * size * len {
            return Err(Fault::TooLong);
        }
        Ok(())
    }

    #[inline]
    fn was(&mut self, point: Memo, at: usize) -> bool {
        self.machine.remembers && point != NO_MEMO && self.machine.was(point, at, self.text.len())
    }

    #[inline]
    fn save(&mut self, slot: u16, at: usize) {
        let value = std::mem::replace(&mut self.machine.slots[usize::from(slot)], at as u32);
        // With nothing to go back to, nobody asks for the value before.
        if !self.machine.frames.is_empty() {
            self.machine.frames.push(Frame::Restore { slot, value });
        }
    }

    /// Whether the program matches from a place on.
    fn go(&mut self, start: usize) -> Result<bool, Fault> {
        let (program, text) = (self.program, self.text);
        let (mut pc, mut at) = (0_usize, start);
        // What goes forward is bounded by the text; it is counted where the machine goes back.
        let mut steps = 0;
        loop {
            steps += 1;
            let next = match program.code[pc] {
                Inst::Byte(byte) => (text.get(at) == Some(&byte)).then_some((pc + 1, at + 1)),
                Inst::Bytes { start, len } => {
                    let bytes = &program.pool[start as usize..(start + len) as usize];
                    text[at..].starts_with(bytes).then_some((pc + 1, at + bytes.len()))
                }
                Inst::Set(class) => {
                    let class = &program.classes[usize::from(class)];
                    let fits = text.get(at).is_some_and(|&byte| class.has[usize::from(byte)]);
                    fits.then(|| (pc + 1, at + character(&text[at..])))
                }
                Inst::Loop(number) => self.enter(number, pc + 1, at)?,
                Inst::Choose(number) => {
                    let choose = &program.chooses[usize::from(number)];
                    let by = text.get(at).map_or(256, |&byte| usize::from(byte));
                    let way = choose.by_byte[by];
                    if way < SEVERAL {
                        Some((way as usize, at))
                    } else if way == NO_WAY || self.was(choose.memo, at) {
                        None
                    } else {
                        let list = way ^ SEVERAL;
                        let frame = Frame::Ways { choose: number, list: list as u16, next: 1, at: at as u32 };
                        self.machine.frames.push(frame);
                        Some((choose.ways[list as usize][0] as usize, at))
                    }
                }
                Inst::Jump(to) => Some((to as usize, at)),
                Inst::Save(slot) => {
                    self.save(slot, at);
                    Some((pc + 1, at))
                }
                Inst::Rest(slot) => {
                    self.save(slot, at);
                    self.save(slot + 1, text.len());
                    Some((pc + 1, at))
                }
                Inst::Assert(assert) => self.holds(assert, at).then_some((pc + 1, at)),
                Inst::Look(number) => {
                    self.looks(&program.looks[usize::from(number)], at).then_some((pc + 1, at))
                }
                Inst::Ip6 => {
                    let len = ip6(&text[at..]);
                    len.map(|(len, shortest)| {
                        let frame = Frame::Ip6 {
                            low: (at + shortest) as u32,
                            at: (at + len) as u32,
                            pc: pc as u32 + 1,
                        };
                        self.machine.frames.push(frame);
                        (pc + 1, at + len)
                    })
                }
                Inst::Ip4 => ip4(text, at).map(|len| (pc + 1, at + len)),
                Inst::Cut => {
                    self.machine.frames.push(Frame::Cut);
                    Some((pc + 1, at))
                }
                Inst::Uncut => {
                    self.uncut();
                    Some((pc + 1, at))
                }
                Inst::Moved { slot, exit } => {
                    let moved = self.machine.slots[usize::from(slot)] != at as u32;
                    Some((if moved { pc + 1 } else { exit as usize }, at))
                }
                Inst::Match => {
                    self.machine.steps += steps;
                    return Ok(true);
                }
            };
            match next {
                Some(next) => (pc, at) = next,
                None => match self.back(std::mem::take(&mut steps))? {
                    Some(next) => (pc, at) = next,
                    None => return Ok(false),
                },
            }
        }
    }

    /// Leaves an atomic part: no other way through it is tried, but what it saved can still be undone.
    fn uncut(&mut self) {
        let frames = &mut self.machine.frames;
        let began = frames.iter().rposition(|frame| matches!(frame, Frame::Cut)).unwrap_or(0);
        let mut kept = began;
        for at in began..frames.len() {
            if matches!(frames[at], Frame::Restore { .. }) {
                frames[kept] = frames[at];
                kept += 1;
            }
        }
        frames.truncate(kept);
    }

    /// The newest way that was not tried.
    fn back(&mut self, steps: u64) -> Result<Option<(usize, usize)>, Fault> {
        self.work(steps)?;
        while let Some(frame) = self.machine.frames.pop() {
            self.work(1)?;
            match frame {
                Frame::Restore { slot, value } => self.machine.slots[usize::from(slot)] = value,
                Frame::Cut => {}
                Frame::Ways { choose, list, next, at } => {
                    let ways = &self.program.chooses[usize::from(choose)].ways[usize::from(list)];
                    let way = ways[usize::from(next)];
                    if usize::from(next) + 1 < ways.len() {
                        self.machine.frames.push(Frame::Ways { choose, list, next: next + 1, at });
                    }
                    return Ok(Some((way as usize, at as usize)));
                }
                Frame::Longest { number, low, at, pc } => {
                    let found =
                        self.longest(number, pc as usize, low as usize, (at as usize).checked_sub(1))?;
                    if found.is_some() {
                        return Ok(found);
                    }
                }
                Frame::Shortest { number, high, at, pc } => {
                    let found = self.shortest(number, pc as usize, at as usize + 1, high as usize)?;
                    if found.is_some() {
                        return Ok(found);
                    }
                }
                Frame::Ip6 { low, at, pc } => {
                    // Only where what follows an address took a part of it for its own, such as a port.
                    let (low, mut at) = (low as usize, at as usize);
                    while at > low {
                        at -= 1;
                        self.work(4)?;
                        if is_ip6(self.text, low, at) {
                            self.machine.frames.push(Frame::Ip6 { low: low as u32, at: at as u32, pc });
                            return Ok(Some((pc as usize, at)));
                        }
                    }
                }
            }
        }
        Ok(None)
    }

    /// Begins a run of a set.
    #[inline]
    fn enter(&mut self, number: u16, pc: usize, at: usize) -> Result<Option<(usize, usize)>, Fault> {
        let program = self.program;
        let looped = &program.loops[usize::from(number)];
        let class = &program.classes[usize::from(looped.set)];
        let (mut low, rest) = (at, &self.text[at..]);
        if looped.min == 1 {
            // The usual case: `+`.
            if !rest.first().is_some_and(|&byte| class.has[usize::from(byte)]) {
                return Ok(None);
            }
            low += character(rest);
        } else {
            for _ in 0..looped.min {
                match self.text.get(low) {
                    Some(&byte) if class.has[usize::from(byte)] => low += character(&self.text[low..]),
                    _ => return Ok(None),
                }
            }
        }
        let more = looped.max.saturating_sub(looped.min);
        if looped.order == Order::Shortest && more == u32::MAX - looped.min {
            return self.shortest(number, pc, low, self.text.len());
        }
        let (high, known) = if looped.max == u32::MAX {
            self.end_of(looped, class, low)?
        } else {
            (self.bounded(class, low, more), false)
        };
        match looped.order {
            Order::All => Ok((!known).then_some((pc, high))),
            Order::Longest => self.longest(number, pc, low, Some(high)),
            Order::Shortest => self.shortest(number, pc, low, high),
        }
    }

    /// The end of an unbounded run. Where the machine remembers, a run that comes to where it was before ends there,
    /// which is told: all that can follow was tried.
    fn end_of(&mut self, looped: &Loop, class: &Class, low: usize) -> Result<(usize, bool), Fault> {
        if !self.machine.remembers || looped.memo == NO_MEMO {
            let len = run_of(class, &self.text[low..]);
            self.work(len as u64 / 16)?;
            return Ok((low + len, false));
        }
        let (mut at, mut known) = (low, false);
        while !known && self.text.get(at).is_some_and(|&byte| class.has[usize::from(byte)]) {
            known = self.was(looped.memo, at);
            at += usize::from(!known);
        }
        self.work((at - low) as u64)?;
        Ok((at, known))
    }

    fn bounded(&self, class: &Class, low: usize, more: u32) -> usize {
        if !class.wide {
            let most = self.text.len().min(low.saturating_add(more as usize));
            return low + run_of(class, &self.text[low..most]);
        }
        let mut at = low;
        for _ in 0..more {
            match self.text.get(at) {
                Some(&byte) if class.has[usize::from(byte)] => at += character(&self.text[at..]),
                _ => break,
            }
        }
        at
    }

    /// Whether what follows a run can begin at a place.
    #[inline]
    fn follows(&self, looped: &Loop, follow: &Class, at: usize) -> bool {
        match self.text.get(at) {
            Some(&byte) => follow.has[usize::from(byte)] && byte & 0xc0 != 0x80,
            None => looped.follow_end,
        }
    }

    /// The longest run that ends at `high` or before and that what follows can begin behind.
    fn longest(
        &mut self,
        number: u16,
        pc: usize,
        low: usize,
        high: Option<usize>,
    ) -> Result<Option<(usize, usize)>, Fault> {
        let program = self.program;
        let looped = &program.loops[usize::from(number)];
        let follow = &program.classes[usize::from(looped.follow)];
        let Some(mut at) = high.filter(|&high| high >= low) else { return Ok(None) };
        loop {
            if !self.follows(looped, follow, at) && at > low {
                let before = &self.text[low..at];
                let next = match follow.few.as_deref() {
                    Some([a]) => memchr::memrchr(*a, before),
                    Some([a, b]) => memchr::memrchr2(*a, *b, before),
                    _ => {
                        before.iter().rposition(|&byte| follow.has[usize::from(byte)] && byte & 0xc0 != 0x80)
                    }
                };
                self.work((at - low - next.unwrap_or(0)) as u64 / 8)?;
                let Some(next) = next else { return Ok(None) };
                at = low + next;
            }
            if self.follows(looped, follow, at) && !self.was_behind(looped, at) {
                if at > low {
                    let frame = Frame::Longest { number, low: low as u32, at: at as u32, pc: pc as u32 };
                    self.machine.frames.push(frame);
                }
                return Ok(Some((pc, at)));
            }
            self.work(1)?;
            if at <= low {
                return Ok(None);
            }
            at -= 1;
        }
    }

    /// The shortest run from `at` on that what follows can begin behind.
    fn shortest(
        &mut self,
        number: u16,
        pc: usize,
        mut at: usize,
        high: usize,
    ) -> Result<Option<(usize, usize)>, Fault> {
        let program = self.program;
        let looped = &program.loops[usize::from(number)];
        let class = &program.classes[usize::from(looped.set)];
        let follow = &program.classes[usize::from(looped.follow)];
        // `at` may be one past a character of the run that was not looked at yet.
        let begin = at;
        loop {
            if at > high || self.was_within(looped, at) {
                return Ok(None);
            }
            let rest = &self.text[at..high];
            // A text of any characters is gone over in one search for what follows.
            let skipped = match (&class.stops, follow.few.as_deref()) {
                _ if self.machine.remembers => 0,
                (Some(stops), Some([a])) if stops.is_empty() => {
                    memchr::memchr(*a, rest).unwrap_or(rest.len())
                }
                (Some(stops), Some([a, b])) if stops.is_empty() => {
                    memchr::memchr2(*a, *b, rest).unwrap_or(rest.len())
                }
                _ => 0,
            };
            at += skipped;
            self.work(1 + skipped as u64 / 16)?;
            let inside = at == begin || class.has[usize::from(self.text[at - 1])];
            if !inside {
                return Ok(None);
            }
            if self.follows(looped, follow, at) && !self.was_behind(looped, at) {
                if at < high && class.has[usize::from(self.text[at])] {
                    let frame = Frame::Shortest { number, high: high as u32, at: at as u32, pc: pc as u32 };
                    self.machine.frames.push(frame);
                }
                return Ok(Some((pc, at)));
            }
            at += 1;
        }
    }

    /// Whether an unbounded run came by a place before: what can follow from there on was tried.
    #[inline]
    fn was_within(&mut self, looped: &Loop, at: usize) -> bool {
        looped.memo != NO_MEMO && looped.max == u32::MAX && self.was(looped.memo, at)
    }

    /// Whether what follows a run was tried at a place.
    #[inline]
    fn was_behind(&mut self, looped: &Loop, at: usize) -> bool {
        looped.memo != NO_MEMO && self.was(looped.memo + 1, at)
    }

    fn holds(&self, assert: Assert, at: usize) -> bool {
        let text = self.text;
        let before = at.checked_sub(1).and_then(|before| text.get(before));
        match assert {
            Assert::TextStart => at == 0,
            Assert::TextEnd => at == text.len(),
            Assert::LastLineEnd => at == text.len() || text[at..] == *b"\n",
            Assert::LineStart => at == 0 || before == Some(&b'\n'),
            Assert::LineEnd => at == text.len() || text[at] == b'\n',
            Assert::Word => is_word(before) != is_word(text.get(at)),
            Assert::NotWord => is_word(before) == is_word(text.get(at)),
        }
    }

    fn looks(&self, look: &CodedLook, at: usize) -> bool {
        let fits = |sets: &Vec<u16>| {
            let from = if look.ahead { Some(at) } else { at.checked_sub(sets.len()) };
            let text = from.and_then(|from| self.text.get(from..from + sets.len()));
            let has = |(class, byte): (&u16, &u8)| {
                self.program.classes[usize::from(*class)].has[usize::from(*byte)]
            };
            text.is_some_and(|text| sets.iter().zip(text).all(has))
        };
        look.any.iter().any(fits) != look.negate
    }
}

/// Length of an IPv4 address at a place, with no digit before or behind it. Octets may have leading zeros.
fn ip4(text: &[u8], at: usize) -> Option<usize> {
    if at.checked_sub(1).is_some_and(|before| text[before].is_ascii_digit()) {
        return None;
    }
    let mut end = at;
    for part in 0..4 {
        if part > 0 {
            end += usize::from(*text.get(end)? == b'.');
        }
        let (from, mut octet) = (end, 0);
        while let Some(digit) = text.get(end).map(|byte| byte.wrapping_sub(b'0')).filter(|&digit| digit < 10)
        {
            octet = octet * 10 + u32::from(digit);
            end += 1;
            if end > from + 3 || octet > 255 {
                return None;
            }
        }
        if end == from || (part > 0 && text[from - 1] != b'.') {
            return None;
        }
    }
    Some(end - at)
}

/// Length of the longest IPv6 address at the start of a text, and the least it can be cut to.
fn ip6(text: &[u8]) -> Option<(usize, usize)> {
    // Not an address unless there is a colon within the first five bytes.
    let digits = text.iter().take(5).take_while(|byte| byte.is_ascii_hexdigit()).count();
    if text.get(digits) != Some(&b':') || digits > 4 {
        return None;
    }
    let most =
        text.iter().take(45).take_while(|&&byte| byte.is_ascii_hexdigit() || byte == b':' || byte == b'.');
    let mut len = most.count();
    while len >= 2 {
        if address(&text[..len]) {
            return Some((len, 0));
        }
        len -= 1;
    }
    None
}

fn address(text: &[u8]) -> bool {
    std::str::from_utf8(text).is_ok_and(|text| text.parse::<std::net::Ipv6Addr>().is_ok())
}

fn is_ip6(text: &[u8], low: usize, at: usize) -> bool {
    text.get(low..at).is_some_and(address)
}
