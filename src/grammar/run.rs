//! Runs a plan over one message. Ordered choice without a way back: once an alternative fits, it is taken, so the
//! time is linear in the message for any grammar.

use super::bound::{Bound, Op, PeerSlots, Scan, write_text};
use super::request;
use crate::event::{Facts, Mask, Slot, Span, Value, work};
use crate::format::syslog::data::{elements, unescape};
use crate::format::{Fields, Mismatch, Target, scan};
use crate::limits::GRAMMAR_REPEATS_MAX;

/// One run.
pub(super) struct Run<'a> {
    plan: &'a Bound,
    bytes: &'a [u8],
    span: Span,
    plain: bool,
    pub(super) fields: &'a mut Fields,
    /// Text that is made here, and where in the arena it will stand.
    derived: (usize, &'a mut Vec<u8>),
    furthest: usize,
    reason: &'static str,
}

impl<'a> Run<'a> {
    pub(super) fn new(
        plan: &'a Bound,
        (bytes, span, plain): (&'a [u8], Span, bool),
        fields: &'a mut Fields,
        derived: (usize, &'a mut Vec<u8>),
    ) -> Self {
        let span = span.with(Facts::UNKNOWN);
        Self { plan, bytes, span, plain, fields, derived, furthest: 0, reason: "an empty message" }
    }

    /// Runs a sequence that must reach the end of the text. What was wrong else, is told at the furthest place
    /// that was reached.
    pub(super) fn whole(&mut self, ops: &[Op]) -> Result<(), Mismatch> {
        match self.sequence(ops, 0) {
            Some(end) if end == self.bytes.len() => return Ok(()),
            Some(end) => self.fail(end, "more text than the format has"),
            None => None,
        };
        Err(Mismatch::at(self.furthest, self.reason))
    }

    pub(super) fn fail(&mut self, at: usize, reason: &'static str) -> Option<usize> {
        if at >= self.furthest {
            (self.furthest, self.reason) = (at, reason);
        }
        None
    }

    /// The bytes from `at` on.
    #[inline]
    pub(super) fn rest(&self, at: usize) -> &'a [u8] {
        self.bytes.get(at..).unwrap_or_default()
    }

    #[inline]
    pub(super) fn value(&mut self, slot: Option<Slot>, value: Value) {
        if let Some(slot) = slot {
            self.fields.push((Target::Slot(slot), value));
        }
    }

    /// A span of the message, with what is known of its bytes.
    #[inline]
    fn part(&self, at: usize, len: usize, quote_free: bool) -> Span {
        let part = self.span.part(at, len);
        let bytes = self.bytes.get(at..at + len).unwrap_or_default();
        if self.plain && (quote_free || memchr::memchr(b'"', bytes).is_none()) {
            part.with(Facts::PLAIN)
        } else {
            part
        }
    }

    /// Puts text that ends before the first quote that no backslash hides; nothing for an empty one. In a message
    /// without backslashes it holds no quote at all.
    #[inline]
    pub(super) fn quote_free(&mut self, slot: Option<Slot>, at: usize, len: usize) {
        if len > 0 && slot.is_some() {
            let part = self.part(at, len, true);
            self.value(slot, Value::Text(part));
        }
    }

    /// Runs a sequence from `at`; gives where it ends.
    pub(super) fn sequence(&mut self, ops: &[Op], mut at: usize) -> Option<usize> {
        for op in ops {
            let from = at;
            at = match op {
                Op::Byte(byte) if self.bytes.get(at) == Some(byte) => at + 1,
                Op::Byte(_) => return self.fail(at, "not the punctuation of the format"),
                Op::Literal(literal) if literal.begins(self.rest(at)) => at + literal.len(),
                Op::Literal(_) => return self.fail(at, "not the punctuation of the format"),
                Op::Capture(scan, to, absent) => self.capture(scan, *to, absent, at)?,
                Op::Status(to, outcome) => self.status(*to, *outcome, at)?,
                Op::Request(slots) => request::line(self, at, slots)?,
                Op::Peer(slots, absent) => self.peer(slots, absent, at)?,
                Op::Blanks(least) => match scan::blanks(self.rest(at)) {
                    len if len >= *least => at + len,
                    _ => return self.fail(at, "no blank where the format has one"),
                },
                Op::Put(slot, value) => {
                    self.value(Some(*slot), *value);
                    at
                }
                Op::Peers(slots, absent) => self.peers(slots, absent, at)?,
                Op::Ahead(ops) => {
                    self.sequence(ops, at)?;
                    at
                }
                Op::Group(group) if group.begins.is_some() && group.begins.as_ref() != self.bytes.get(at) => {
                    at
                }
                Op::Group(group) => self.group(&group.sequences, at)?,
                Op::Many(sequences) => self.many(sequences, at),
                Op::Url(slots) => {
                    let rest = self.rest(at);
                    let len = memchr::memchr3(b' ', b'"', b'\t', rest).unwrap_or(rest.len());
                    request::target(self, at, len, slots);
                    at + len
                }
            };
            work::count(1 + at - from);
        }
        Some(at)
    }

    fn group(&mut self, groups: &[Box<[Op]>], at: usize) -> Option<usize> {
        let mark = self.fields.len();
        for ops in groups {
            if let Some(end) = self.sequence(ops, at) {
                return Some(end);
            }
            self.fields.truncate(mark);
        }
        None
    }

    /// Each round looks at what follows at most once for each alternative, and the rounds are bounded: the time stays
    /// linear in the message.
    fn many(&mut self, sequences: &[Box<[Op]>], mut at: usize) -> usize {
        let mark = self.fields.len();
        for _ in 0..GRAMMAR_REPEATS_MAX {
            match self.group(sequences, at) {
                Some(end) if end > at => at = end,
                _ => break,
            }
        }
        self.keep_last(mark);
        at
    }

    /// Of fields that were found twice the last counts.
    fn keep_last(&mut self, mark: usize) {
        let (mut seen, mut to) = (Mask::default(), self.fields.len());
        // From behind, so that the last of each is met first.
        work::count(self.fields.len() - mark);
        for at in (mark..self.fields.len()).rev() {
            if let Target::Slot(slot) = self.fields[at].0 {
                if seen.contains(slot) {
                    continue;
                }
                seen.insert(slot);
            }
            to -= 1;
            self.fields[to] = self.fields[at];
        }
        self.fields.drain(mark..to);
    }

    #[inline]
    fn capture(&mut self, scan: &Scan, to: Option<Slot>, absent: &[Box<[u8]>], at: usize) -> Option<usize> {
        let rest = self.rest(at);
        let (len, quote_free, reason) = match scan {
            Scan::UntilByte(byte) => {
                if let Some(len) = absent_before(absent, rest, std::slice::from_ref(byte)) {
                    return Some(at + len);
                }
                (memchr::memchr(*byte, rest), *byte == b'"', "no end of a text")
            }
            Scan::Until(end) => {
                // Most fields that can be absent are: a search costs more than a look.
                if let Some(len) = absent_before(absent, rest, end.needle()) {
                    return Some(at + len);
                }
                (end.find(rest), false, "no end of a text")
            }
            Scan::UntilLast(end, before) => {
                let looked = match before {
                    Some(before) => before.find(rest).and_then(|len| rest.get(..len)),
                    None => Some(rest),
                };
                (looked.and_then(|looked| end.rfind(looked)), false, "no end of a text")
            }
            Scan::Quoted => return self.quoted(to, absent, at),
            Scan::Split(separators, whole) => return self.split(separators, whole, to, absent, at),
            Scan::Series => return self.series(to, at),
            Scan::StructuredData => return self.structured_data(to, at),
            Scan::Rest => (Some(rest.len()), false, ""),
            Scan::Word => (Some(scan::word(rest)).filter(|&len| len > 0), false, "no word"),
            Scan::Name => (Some(scan::name(rest)).filter(|&len| len > 0), true, "no name"),
            Scan::Label => (label(rest, b""), true, "no label"),
            Scan::Dotted => (label(rest, b".$"), true, "no dotted name"),
            Scan::Digits => (digits(rest), true, "no digits"),
            Scan::Hex => (scan::hex(rest), true, "no hexadecimal number"),
            Scan::Host => (Some(scan::host(rest)).filter(|&len| len > 0), true, "no host"),
            Scan::OneOf(words) => {
                let word = words.iter().find(|word| rest.starts_with(word));
                (word.map(|word| word.len()), false, "none of the words of the format")
            }
            _ => return self.typed(scan, to, absent, at),
        };
        let Some(len) = len else {
            work::count(match scan {
                Scan::UntilByte(_) | Scan::Until(_) | Scan::UntilLast(..) => rest.len(),
                _ => 1,
            });
            return self.absent_or_fail(absent, at, reason);
        };
        if to.is_some() && len > 0 && !is_absent(absent, &rest[..len]) {
            let part = self.part(at, len, quote_free);
            self.value(to, Value::Text(part));
        }
        Some(at + len)
    }

    fn quoted(&mut self, to: Option<Slot>, absent: &[Box<[u8]>], at: usize) -> Option<usize> {
        let rest = self.rest(at);
        let inner = if rest.first() == Some(&b'"') { rest.get(1..) } else { None };
        let Some(len) = inner.and_then(|inner| scan::quoted(inner, b'"')) else {
            return self.absent_or_fail(absent, at, "no text in quotes");
        };
        if to.is_some() && !is_absent(absent, &rest[1..=len]) {
            self.quote_free(to, at + 1, len);
        }
        Some(at + len + 2)
    }

    /// The pieces of a text as a list.
    fn split(
        &mut self,
        separators: &[u8],
        whole: &Scan,
        to: Option<Slot>,
        absent: &[Box<[u8]>],
        at: usize,
    ) -> Option<usize> {
        let end = self.capture(whole, None, absent, at)?;
        let text = self.rest(at).get(..end - at).unwrap_or_default();
        if to.is_some() && !is_absent(absent, text) {
            self.list(to, text.split(|byte| separators.contains(byte) || *byte == b'"'));
        }
        Some(end)
    }

    /// Words with `, ` or ` : ` between.
    fn series(&mut self, to: Option<Slot>, at: usize) -> Option<usize> {
        let rest = self.rest(at);
        let mut len = scan::word(rest);
        if len == 0 {
            return self.fail(at, "no word");
        }
        loop {
            let behind = rest.get(len..).unwrap_or_default();
            len += match behind {
                [b' ', b':', b' ', ..] => 3,
                [b' ', ..] if rest[len - 1] == b',' => 1,
                _ => break,
            };
            len += scan::word(rest.get(len..).unwrap_or_default());
        }
        if to.is_some() {
            let pieces = rest[..len].split(|byte| *byte == b' ');
            self.list(to, pieces.map(|piece| piece.strip_suffix(b",").unwrap_or(piece)));
        }
        Some(at + len)
    }

    /// Puts the parameters of structured data below a field.
    fn structured_data(&mut self, to: Option<Slot>, at: usize) -> Option<usize> {
        if self.bytes.get(at) != Some(&b'[') {
            return self.fail(at, "no structured data");
        }
        let Self { bytes, span, fields, derived: (base, made), .. } = self;
        let made_span = |from: usize, len: usize| Span {
            start: (*base + from) as u32,
            len: len as u32,
            buffer: Span::ARENA,
            facts: Facts::UNKNOWN,
        };
        let end = elements(bytes, at, |id, name, value| {
            let Some(slot) = to else { return };
            let from = made.len();
            made.extend_from_slice(id);
            made.push(b'.');
            made.extend_from_slice(name);
            let key = made_span(from, made.len() - from);
            let text = &bytes[value.clone()];
            let value = if memchr::memchr(b'\\', text).is_some() {
                let from = made.len();
                unescape(text, made);
                made_span(from, made.len() - from)
            } else {
                span.part(value.start, value.len())
            };
            fields.push((Target::Key(slot, key), Value::Text(value)));
        });
        match end {
            Ok(end) => Some(end),
            Err(_) => self.fail(at, "structured data is not closed"),
        }
    }

    /// Puts a list of the pieces that hold a letter or digit.
    fn list<'p>(&mut self, to: Option<Slot>, pieces: impl Iterator<Item = &'p [u8]>) {
        let from = self.derived.1.len();
        let pieces = pieces.inspect(|piece| work::count(1 + piece.len()));
        for piece in pieces.filter(|piece| piece.iter().any(u8::is_ascii_alphanumeric)) {
            self.derived.1.push(if self.derived.1.len() == from { b'[' } else { b',' });
            write_text(piece.trim_ascii(), self.plain, self.derived.1);
        }
        if self.derived.1.len() > from {
            self.derived.1.push(b']');
            let span = Span {
                start: (self.derived.0 + from) as u32,
                len: (self.derived.1.len() - from) as u32,
                buffer: Span::ARENA,
                facts: Facts::UNKNOWN,
            };
            self.value(to, Value::List(span));
        }
    }

    fn typed(&mut self, scan: &Scan, to: Option<Slot>, absent: &[Box<[u8]>], at: usize) -> Option<usize> {
        let rest = self.rest(at);
        let (found, reason) = match scan {
            Scan::Int(least, most) => (
                scan::int(rest)
                    .filter(|(int, _)| (*least..=*most).contains(int))
                    .map(|(int, len)| (Value::Int(int), len)),
                "no whole number within the bounds of the format",
            ),
            Scan::Float => (scan::float(rest).map(|(float, len)| (Value::Float(float), len)), "no number"),
            Scan::Bool => {
                (scan::bool(rest).map(|(bool, len)| (Value::Bool(bool), len)), "neither true nor false")
            }
            Scan::Time(form) => (
                form.scan(rest, &self.plan.calendar).map(|(ns, len)| (Value::Timestamp(ns), len)),
                "no time of the form that the format has",
            ),
            Scan::Duration(unit) => (duration(rest, *unit), "no length of time"),
            Scan::Level => (self.plan.levels.scan(rest), "no level"),
            Scan::Ip => {
                let mut len = scan::host(rest);
                let mut is_ip = scan::is_ip(&rest[..len]);
                // A port may follow, behind a colon or, as tcpdump has it, behind a dot.
                let cuts = || [memchr::memchr(b':', &rest[..len]), memchr::memrchr(b'.', &rest[..len])];
                if !is_ip
                    && let Some(cut) = cuts().into_iter().flatten().find(|&cut| scan::is_ip(&rest[..cut]))
                {
                    (len, is_ip) = (cut, true);
                }
                (is_ip.then(|| (Value::Ip(self.part(at, len, true)), len)), "no ip address")
            }
            _ => (None, "not of the format"),
        };
        match found {
            Some((value, len)) => {
                self.value(to, value);
                Some(at + len)
            }
            None => self.absent_or_fail(absent, at, reason),
        }
    }

    fn absent_or_fail(&mut self, absent: &[Box<[u8]>], at: usize, reason: &'static str) -> Option<usize> {
        match absent.iter().find(|text| self.rest(at).starts_with(text)) {
            Some(text) => Some(at + text.len()),
            None => self.fail(at, reason),
        }
    }

    /// A status code: three digits. Servers use numbers of their own (nginx: 499), and write what a broken upstream
    /// sent (nginx: 009).
    #[inline]
    fn status(&mut self, to: Option<Slot>, outcome: Option<Slot>, at: usize) -> Option<usize> {
        match scan::int(self.rest(at)) {
            Some((code @ 0..=999, 3)) => {
                self.value(to, Value::Int(code));
                self.value(
                    outcome,
                    if (100..400).contains(&code) { self.plan.success } else { self.plan.failure },
                );
                Some(at + 3)
            }
            _ => self.fail(at, "no http status code"),
        }
    }

    #[inline]
    fn peer(&mut self, slots: &PeerSlots, absent: &[Box<[u8]>], at: usize) -> Option<usize> {
        let rest = self.rest(at);
        if !slots.with_port
            && let Some(len) = scan::ipv4(rest)
        {
            self.place(slots, at, len, true);
            return Some(at + len);
        }
        let (start, mut len, mut total) = match rest.first() {
            Some(b'[') if slots.with_port => {
                let len = scan::host(&rest[1..]);
                if rest.get(len + 1) != Some(&b']') {
                    return self.fail(at, "no closing bracket behind an address");
                }
                (1, len, len + 2)
            }
            _ => {
                let len = scan::host(rest);
                (0, len, len)
            }
        };
        if len == 0 {
            return self.absent_or_fail(absent, at, "no host");
        }
        if is_absent(absent, &rest[..total]) {
            return Some(at + total);
        }
        if slots.with_port {
            let tail = if start == 1 {
                rest.get(total + 1..).filter(|_| rest[total..].first() == Some(&b':'))
            } else {
                None
            };
            if let Some((port, digits)) =
                tail.and_then(scan::int).filter(|(port, _)| (0..=65_535).contains(port))
            {
                self.value(slots.port, Value::Int(port));
                total += 1 + digits;
            } else if start == 0
                && let Some((host, port)) = host_and_port(&rest[..len])
            {
                self.value(slots.port, Value::Int(port));
                len = host;
            }
        }
        self.address(slots, at + start, len);
        Some(at + total)
    }

    /// Puts a host or address.
    #[inline]
    fn address(&mut self, slots: &PeerSlots, at: usize, len: usize) {
        let is_ip = scan::is_ip(self.rest(at).get(..len).unwrap_or_default());
        self.place(slots, at, len, is_ip);
    }

    #[inline]
    fn place(&mut self, slots: &PeerSlots, at: usize, len: usize, is_ip: bool) {
        let part = self.part(at, len, true);
        self.value(slots.address, Value::Text(part));
        if is_ip {
            self.value(slots.ip, Value::Ip(part));
        } else {
            self.value(slots.domain, Value::Text(part));
        }
    }

    /// `client, proxy, proxy` as `X-Forwarded-For` has it, in quotes or not; behind a comma also with blanks only.
    fn peers(&mut self, slots: &PeerSlots, absent: &[Box<[u8]>], at: usize) -> Option<usize> {
        let rest = self.rest(at);
        if let Some(len) = scan::ipv4(rest)
            && rest.get(len) != Some(&b',')
        {
            self.place(slots, at, len, true);
            return Some(at + len);
        }
        let simple = scan::host(rest);
        if simple > 0 && !matches!(rest.get(simple), Some(b',')) {
            return self.peer(slots, absent, at);
        }
        let (mut next, mut list, mut chosen) = (0, false, None::<(usize, usize, bool)>);
        loop {
            next += usize::from(rest.get(next) == Some(&b'"'));
            let len = scan::host(rest.get(next..).unwrap_or_default());
            let host = rest.get(next..next + len).unwrap_or_default();
            if len == 0 || host == b"-" {
                return self.absent_or_fail(absent, at, "no host");
            }
            if chosen.is_none_or(|(_, _, public)| !public) {
                let public = scan::is_public(host);
                if public || chosen.is_none() {
                    chosen = Some((at + next, len, public));
                }
            }
            next += len;
            let quote = usize::from(rest.get(next) == Some(&b'"'));
            let more = match rest.get(next + quote..) {
                Some([b',', b' ', ..]) => 2,
                Some([b',', ..]) => 1,
                Some([b' ', byte, ..]) if list && *byte != b'-' => 1,
                _ => 0,
            };
            next += quote + more;
            list |= more > 0;
            if more == 0 {
                break;
            }
        }
        if let Some((start, len, _)) = chosen {
            self.address(slots, start, len);
        }
        Some(at + next)
    }
}

fn label(input: &[u8], more: &[u8]) -> Option<usize> {
    let inside =
        |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(**byte, b'_' | b'-') || more.contains(byte);
    Some(input.iter().take_while(inside).count()).filter(|&len| len > 0)
}

fn digits(input: &[u8]) -> Option<usize> {
    Some(input.iter().take_while(|byte| byte.is_ascii_digit()).count()).filter(|&len| len > 0)
}

/// The length of an absent text that stands right before the end.
#[inline]
fn absent_before(absent: &[Box<[u8]>], rest: &[u8], end: &[u8]) -> Option<usize> {
    // Most fields are there, and their first byte tells: a comparison of slices is a call.
    let fits = |text: &&[u8]| {
        text.first() == rest.first() && rest.strip_prefix(*text).is_some_and(|behind| behind.starts_with(end))
    };
    absent.iter().map(|text| &**text).find(fits).map(<[u8]>::len)
}

fn is_absent(absent: &[Box<[u8]>], text: &[u8]) -> bool {
    absent
        .iter()
        .any(|absent| absent.len() == text.len() && absent.first() == text.first() && **absent == *text)
}

/// Host and port of `host:port`. Apache writes IPv6 addresses without brackets: what would be an address with its
/// port and none without is split where the last group has five digits, which no group of an address can.
fn host_and_port(text: &[u8]) -> Option<(usize, i64)> {
    let colon = memchr::memrchr(b':', text)?;
    let digits = text.get(colon + 1..)?;
    let (port, len) = scan::int(digits)?;
    let ambiguous = digits.len() < 5 && scan::is_ip(text);
    (len == digits.len()
        && colon > 0
        && digits[0].is_ascii_digit()
        && (0..=65_535).contains(&port)
        && !ambiguous)
        .then_some((colon, port))
}

/// A number in a unit. Whole numbers are exact; fractions are rounded to nanoseconds.
fn duration(input: &[u8], unit: i64) -> Option<(Value, usize)> {
    let (float, len) = scan::float(input)?;
    if let Some((int, int_len)) = scan::int(input)
        && int_len == len
    {
        return Some((Value::Duration(int.checked_mul(unit)?), len));
    }
    let ns = (float * unit as f64).round();
    (ns.abs() < 9.0e18).then_some((Value::Duration(ns as i64), len))
}
