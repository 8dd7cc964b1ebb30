//! Cuts the bytes of one connection into syslog messages (RFC 6587).
//!
//! In: bytes as they come. Out: messages, without count and trailer. Sees no socket and no clock. What a message
//! means is the business of the `syslog` format; here only its length matters.

use memchr::{memchr, memchr2};

/// How the messages of a connection are told apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// By what the connection's first bytes look like.
    #[default]
    Auto,
    /// Each is led in by its length: `MSG-LEN SP SYSLOG-MSG` (RFC 6587 §3.4.1).
    Counted,
    /// Each ends with a line feed (§3.4.2).
    LineFeed,
    /// Each ends with a NUL; line feeds may be inside.
    Nul,
    /// Each ends with a line feed or a NUL: what a connection that does not count is taken for.
    Either,
}

/// Digits of a length that are believed; a longer number is text.
const COUNT_DIGITS_MAX: usize = 8;

/// The state of one connection.
#[derive(Debug)]
pub(super) struct Framing {
    mode: Mode,
    /// Whether the mode was told, so that a count needs no `<` behind it to be one.
    told: bool,
    message_bytes: usize,
    /// Bytes of the open message, or of its count.
    open: Vec<u8>,
    place: Place,
    misframed: u64,
}

/// Where in a message the first byte that was not handed on is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Between two messages.
    Between,
    /// In one of which this many bytes are still to be handed on.
    Counted(usize),
    /// In one that ends with a trailer, and this many bytes hold none.
    Trailed(usize),
}

/// What a counted connection begins its next message with.
enum Count {
    /// This many bytes of digits and space, and this length behind them.
    Is { head: usize, length: usize },
    /// It may become one with more bytes.
    Open,
    /// Something else.
    Not,
}

impl Framing {
    /// A connection that has said nothing yet. A message over `message_bytes` comes out in pieces of that size.
    pub(super) fn new(mode: Mode, message_bytes: usize) -> Self {
        Self {
            mode,
            told: mode != Mode::Auto,
            message_bytes: message_bytes.max(1),
            open: Vec::new(),
            place: Place::Between,
            misframed: 0,
        }
    }

    /// Takes bytes and hands on each message that they complete. Empty ones are none.
    pub(super) fn push(&mut self, bytes: &[u8], out: &mut dyn FnMut(&[u8])) {
        if self.open.is_empty() {
            let taken = self.cut(bytes, out);
            self.open.extend_from_slice(&bytes[taken..]);
            return;
        }
        // The open message is completed by a look at no more than is needed, so that its bytes are copied once.
        let mut open = std::mem::take(&mut self.open);
        open.extend_from_slice(bytes);
        let taken = self.cut(&open, out);
        open.drain(..taken);
        self.open = open;
    }

    /// Hands on what is there: the peer has gone, or has been silent in the middle of a message.
    pub(super) fn finish(&mut self, out: &mut dyn FnMut(&[u8])) {
        let open = std::mem::take(&mut self.open);
        self.misframed += u64::from(self.mode == Mode::Counted && self.is_open_at(&open));
        self.place = Place::Between;
        for piece in trimmed(&open).chunks(self.message_bytes) {
            out(piece);
        }
    }

    fn is_open_at(&self, open: &[u8]) -> bool {
        !open.is_empty() || self.place != Place::Between
    }

    /// Whether a message is open.
    pub(super) fn is_open(&self) -> bool {
        self.is_open_at(&self.open)
    }

    /// Bytes that are held.
    #[cfg(test)]
    pub(super) fn held_bytes(&self) -> usize {
        self.open.len()
    }

    /// Messages of a counted connection that had no count or a wrong one, since the last call.
    pub(super) fn take_misframed(&mut self) -> u64 {
        std::mem::take(&mut self.misframed)
    }

    /// Cuts what is whole off the front and says how long it was.
    fn cut(&mut self, bytes: &[u8], out: &mut dyn FnMut(&[u8])) -> usize {
        let mut at = 0;
        loop {
            let rest = &bytes[at..];
            let step = match self.mode {
                Mode::Auto => self.tell(rest),
                Mode::Counted => self.counted(rest, out),
                Mode::LineFeed => self.trailed(rest, |rest| memchr(b'\n', rest), out),
                Mode::Nul => self.trailed(rest, |rest| memchr(0, rest), out),
                Mode::Either => self.trailed(rest, line_or_nul, out),
            };
            let Some(taken) = step else { return at };
            at += taken;
        }
    }

    /// Tells from the first bytes of a connection how it frames. `None` where more are needed.
    fn tell(&mut self, rest: &[u8]) -> Option<usize> {
        self.mode = match count(rest, true) {
            Count::Is { .. } => Mode::Counted,
            Count::Not => Mode::Either,
            Count::Open => return None,
        };
        Some(0)
    }

    fn counted(&mut self, rest: &[u8], out: &mut dyn FnMut(&[u8])) -> Option<usize> {
        match self.place {
            Place::Counted(lacks) => return self.body(rest, lacks, out),
            Place::Trailed(_) => return self.trailed(rest, line_or_nul, out),
            Place::Between => {}
        }
        // Some senders end a counted message with a line feed all the same.
        let blank = rest.len() - rest.iter().skip_while(|byte| is_trailer(**byte)).count();
        if blank > 0 {
            return Some(blank);
        }
        match count(rest, !self.told) {
            Count::Is { head, length } => {
                self.place = Place::Counted(length);
                Some(head)
            }
            Count::Open => None,
            // The count before was wrong, or there is none: up to the next trailer it is a message of its own, so
            // that nothing is lost and the next count is found.
            Count::Not => {
                self.misframed += 1;
                self.trailed(rest, line_or_nul, out)
            }
        }
    }

    /// The bytes of a counted message, which may be longer than what is held at once.
    fn body(&mut self, rest: &[u8], lacks: usize, out: &mut dyn FnMut(&[u8])) -> Option<usize> {
        let wanted = lacks.min(self.message_bytes);
        let piece = rest.get(..wanted)?;
        let piece = if wanted == lacks { trimmed(piece) } else { piece };
        self.place = if wanted == lacks { Place::Between } else { Place::Counted(lacks - wanted) };
        if !piece.is_empty() {
            out(piece);
        }
        Some(wanted)
    }

    /// A message that ends with a trailer.
    fn trailed(
        &mut self,
        rest: &[u8],
        find: impl Fn(&[u8]) -> Option<usize>,
        out: &mut dyn FnMut(&[u8]),
    ) -> Option<usize> {
        let from = if let Place::Trailed(looked) = self.place { looked.min(rest.len()) } else { 0 };
        let end = find(&rest[from..]).map(|at| from + at);
        let known = end.unwrap_or(rest.len());
        // The same pieces, wherever the bytes are cut: a trailer just behind the bound still ends its message.
        if known > self.message_bytes {
            out(&rest[..self.message_bytes]);
            self.place = Place::Trailed(known - self.message_bytes);
            return Some(self.message_bytes);
        }
        let Some(end) = end else {
            self.place = Place::Trailed(rest.len());
            return None;
        };
        self.place = Place::Between;
        let message = &rest[..end];
        let message = message.strip_suffix(b"\r").unwrap_or(message);
        if !message.is_empty() {
            out(message);
        }
        Some(end + 1)
    }
}

fn line_or_nul(bytes: &[u8]) -> Option<usize> {
    memchr2(b'\n', 0, bytes)
}

fn is_trailer(byte: u8) -> bool {
    matches!(byte, b'\n' | b'\r' | 0)
}

/// Bytes without the trailer that some senders add though the length is known: to a datagram, inside a count.
pub(super) fn trimmed(bytes: &[u8]) -> &[u8] {
    let trailer = bytes.iter().rev().take_while(|byte| is_trailer(**byte)).count();
    &bytes[..bytes.len() - trailer]
}

/// `MSG-LEN = NONZERO-DIGIT *DIGIT`, then a space, then a message, which begins with `<` (RFC 6587 §3.4.1): a line
/// of text may begin with a number too.
fn count(rest: &[u8], must_open: bool) -> Count {
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    match rest.get(digits) {
        _ if digits > COUNT_DIGITS_MAX || rest.first() == Some(&b'0') => Count::Not,
        None => Count::Open,
        Some(b' ') if digits > 0 => {
            match rest.get(digits + 1) {
                None if must_open => return Count::Open,
                Some(b'<') => {}
                Some(_) if must_open => return Count::Not,
                _ => {}
            }
            let length = rest[..digits].iter().fold(0, |sum, digit| sum * 10 + usize::from(digit - b'0'));
            Count::Is { head: digits + 1, length }
        }
        Some(_) => Count::Not,
    }
}

#[cfg(test)]
mod tests;
