//! Checks JSON text byte by byte (RFC 8259 §2 to §7). The text is known to be UTF-8.

use crate::event::{Value, work};
use crate::format::Mismatch;
use crate::format::keys::{Keys, fingerprint};
use crate::limits::JSON_DEPTH_MAX;

/// A place in a text.
pub(super) struct Scanner<'a> {
    bytes: &'a [u8],
    /// Offset of the next byte.
    pub(super) at: usize,
    depth: usize,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, depth: 0 }
    }

    #[cold]
    pub(super) fn wrong(&self, reason: &'static str) -> Mismatch {
        Mismatch::at(self.at, reason)
    }

    #[inline]
    pub(super) fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    #[inline]
    pub(super) fn slice(&self, start: usize, end: usize) -> &'a [u8] {
        self.bytes.get(start..end).unwrap_or_default()
    }

    /// `ws = *( %x20 / %x09 / %x0A / %x0D )`; true where a line feed is among them.
    #[inline]
    pub(super) fn blanks(&mut self) -> bool {
        let mut feed = false;
        let from = self.at;
        while let Some(byte) = self.peek() {
            match byte {
                b' ' | b'\t' | b'\r' => {}
                b'\n' => feed = true,
                _ => break,
            }
            self.at += 1;
        }
        work::count(1 + self.at - from);
        feed
    }

    /// A key with its quotes: where its text starts and ends, and whether it holds an escape.
    #[inline]
    pub(super) fn key(&mut self) -> Result<(usize, usize, bool), Mismatch> {
        if self.peek() != Some(b'"') {
            return Err(self.wrong("no key in a json object"));
        }
        self.string()
    }

    /// A colon with blanks around it; true where a line feed is among those.
    #[inline]
    pub(super) fn colon(&mut self) -> Result<bool, Mismatch> {
        let mut feed = self.blanks();
        if self.peek() != Some(b':') {
            return Err(self.wrong("no colon behind a json key"));
        }
        self.at += 1;
        feed |= self.blanks();
        Ok(feed)
    }

    /// A comma, or the closing bracket; false for the latter.
    #[inline]
    pub(super) fn another(&mut self, close: u8) -> Result<bool, Mismatch> {
        self.blanks();
        match self.peek() {
            Some(b',') => {
                self.at += 1;
                self.blanks();
                Ok(true)
            }
            Some(byte) if byte == close => {
                self.at += 1;
                Ok(false)
            }
            _ => Err(self.wrong("no comma or closing bracket in json")),
        }
    }

    /// A literal name.
    #[inline]
    pub(super) fn word(&mut self, word: &[u8]) -> Result<(), Mismatch> {
        if !self.slice(self.at, self.at + word.len()).starts_with(word) {
            return Err(self.wrong("not a json value"));
        }
        self.at += word.len();
        Ok(())
    }

    /// A string that opens here.
    #[inline]
    pub(super) fn string(&mut self) -> Result<(usize, usize, bool), Mismatch> {
        let start = self.at + 1;
        let mut at = start;
        let mut escaped = false;
        loop {
            let len = plain(self.bytes.get(at..).unwrap_or_default());
            work::count(1 + len);
            at += len;
            match self.bytes.get(at) {
                Some(b'"') => {
                    self.at = at + 1;
                    return Ok((start, at, escaped));
                }
                Some(b'\\') => {
                    escaped = true;
                    self.at = at;
                    at += self.escape(at)?;
                }
                Some(_) => {
                    self.at = at;
                    return Err(self.wrong("a control character in a json string"));
                }
                None => {
                    self.at = at;
                    return Err(self.wrong("a json string is not closed"));
                }
            }
        }
    }

    /// Length of the escape at `at`. A surrogate must have its partner.
    fn escape(&self, at: usize) -> Result<usize, Mismatch> {
        match self.bytes.get(at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(2),
            Some(b'u') => match hex4(self.bytes, at + 2) {
                Some(0xD800..=0xDBFF) => {
                    let low =
                        if self.slice(at + 6, at + 8) == b"\\u" { hex4(self.bytes, at + 8) } else { None };
                    match low {
                        Some(0xDC00..=0xDFFF) => Ok(12),
                        _ => Err(self.wrong("half a surrogate pair in a json string")),
                    }
                }
                Some(0xDC00..=0xDFFF) => Err(self.wrong("half a surrogate pair in a json string")),
                Some(_) => Ok(6),
                None => Err(self.wrong("not an escape of json")),
            },
            _ => Err(self.wrong("not an escape of json")),
        }
    }

    /// `number = [ minus ] int [ frac ] [ exp ]`; `None` for one beyond `i64` and `f64`.
    #[inline]
    pub(super) fn number(&mut self) -> Result<Option<Value>, Mismatch> {
        let start = self.at;
        let negative = self.peek() == Some(b'-');
        self.at += usize::from(negative);
        let first = self.at;
        let mut value = 0u64;
        while let Some(digit) = self.peek().map(|byte| byte.wrapping_sub(b'0')).filter(|&digit| digit < 10) {
            // Wraps past 19 digits; such a number is not read from here.
            value = value.wrapping_mul(10).wrapping_add(u64::from(digit));
            self.at += 1;
        }
        let digits = self.at - first;
        if digits == 0 {
            return Err(self.wrong("not a json value"));
        }
        if digits > 1 && self.bytes[first] == b'0' {
            return Err(self.wrong("a json number begins with zero"));
        }
        if !matches!(self.peek(), Some(b'.' | b'e' | b'E')) {
            let int = match (negative, i64::try_from(value)) {
                (true, Ok(0)) => return Ok(Some(Value::Float(-0.0))),
                (true, Ok(value)) => Value::Int(-value),
                (false, Ok(value)) => Value::Int(value),
                _ => return Ok(None),
            };
            return Ok((digits <= 18).then_some(int).or_else(|| {
                let text = std::str::from_utf8(self.slice(start, self.at)).ok()?;
                text.parse().ok().map(Value::Int)
            }));
        }
        self.fraction()?;
        let text = std::str::from_utf8(self.slice(start, self.at)).unwrap_or_default();
        Ok(text.parse().ok().filter(|float: &f64| float.is_finite()).map(Value::Float))
    }

    fn fraction(&mut self) -> Result<(), Mismatch> {
        let digits = |scanner: &mut Self| {
            let from = scanner.at;
            while scanner.peek().is_some_and(|byte| byte.is_ascii_digit()) {
                scanner.at += 1;
            }
            if scanner.at > from { Ok(()) } else { Err(scanner.wrong("a json number without digits")) }
        };
        if self.peek() == Some(b'.') {
            self.at += 1;
            digits(self)?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            self.at += usize::from(matches!(self.peek(), Some(b'+' | b'-')));
            digits(self)?;
        }
        Ok(())
    }

    /// An object or array that opens here. True where its text cannot stand as it is: a line feed, or keys that
    /// may be equal.
    pub(super) fn nested(&mut self) -> Result<bool, Mismatch> {
        if self.depth + 1 >= JSON_DEPTH_MAX {
            return Err(self.wrong("json is nested too deeply"));
        }
        self.depth += 1;
        let untidy = if self.peek() == Some(b'{') { self.object() } else { self.array() };
        self.depth -= 1;
        untidy
    }

    fn object(&mut self) -> Result<bool, Mismatch> {
        self.at += 1;
        let mut untidy = self.blanks();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(untidy);
        }
        let mut keys = Keys::default();
        loop {
            let (start, end, escaped) = self.key()?;
            // Two spellings of one key have two prints.
            untidy |= escaped || keys.seen(fingerprint(self.slice(start, end)));
            untidy |= self.colon()?;
            untidy |= self.skip()?;
            untidy |= self.blanks();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => {
                    self.at += 1;
                    return Ok(untidy);
                }
                _ => return Err(self.wrong("no comma or closing bracket in json")),
            }
            untidy |= self.blanks();
        }
    }

    fn array(&mut self) -> Result<bool, Mismatch> {
        self.at += 1;
        let mut untidy = self.blanks();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(untidy);
        }
        loop {
            untidy |= self.skip()?;
            untidy |= self.blanks();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => {
                    self.at += 1;
                    return Ok(untidy);
                }
                _ => return Err(self.wrong("no comma or closing bracket in json")),
            }
            untidy |= self.blanks();
        }
    }

    /// Any value; true as for [`Self::nested`].
    fn skip(&mut self) -> Result<bool, Mismatch> {
        match self.peek() {
            Some(b'"') => self.string().map(|_| false),
            Some(b'{' | b'[') => self.nested(),
            Some(b't') => self.word(b"true").map(|()| false),
            Some(b'f') => self.word(b"false").map(|()| false),
            Some(b'n') => self.word(b"null").map(|()| false),
            _ => {
                self.at += usize::from(self.peek() == Some(b'-'));
                let first = self.at;
                while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
                    self.at += 1;
                }
                if self.at == first {
                    return Err(self.wrong("not a json value"));
                }
                if self.at > first + 1 && self.bytes[first] == b'0' {
                    return Err(self.wrong("a json number begins with zero"));
                }
                self.fraction().map(|()| false)
            }
        }
    }
}

/// Length of the front that holds no quote, backslash or control character: eight bytes at a time, since most
/// strings are short and a call costs more than they do.
#[inline]
fn plain(bytes: &[u8]) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let mut chunks = bytes.chunks_exact(8);
    let mut at = 0;
    for chunk in &mut chunks {
        let Ok(word) = chunk.try_into().map(u64::from_le_bytes) else { break };
        let zero = |word: u64| word.wrapping_sub(ONES) & !word;
        let control = word.wrapping_sub(ONES * 0x20) & !word;
        let found = (control | zero(word ^ (ONES * 0x22)) | zero(word ^ (ONES * 0x5C))) & HIGH;
        if found != 0 {
            return at + found.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    let tail = chunks.remainder();
    at + tail.iter().position(|&byte| byte < 0x20 || byte == b'"' || byte == b'\\').unwrap_or(tail.len())
}

fn hex4(bytes: &[u8], at: usize) -> Option<u32> {
    bytes
        .get(at..at + 4)?
        .iter()
        .try_fold(0, |value, &byte| Some(value << 4 | char::from(byte).to_digit(16)?))
}

/// Appends the text of a string, given without its quotes. What is no escape of JSON loses its backslash.
pub(in crate::format) fn unescape(bytes: &[u8], out: &mut Vec<u8>) {
    let mut rest = bytes;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        out.extend_from_slice(&rest[..at]);
        let mut len = 2;
        match rest.get(at + 1) {
            Some(b'b') => out.push(8),
            Some(b'f') => out.push(12),
            Some(b'n') => out.push(b'\n'),
            Some(b'r') => out.push(b'\r'),
            Some(b't') => out.push(b'\t'),
            Some(b'u') => {
                let mut code = hex4(rest, at + 2).unwrap_or_default();
                len = 6;
                if (0xD800..0xDC00).contains(&code) {
                    let low = hex4(rest, at + 8).unwrap_or_default();
                    code = 0x10000 + (code - 0xD800) * 0x400 + low.wrapping_sub(0xDC00) % 0x400;
                    len = 12;
                }
                let character = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
                out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
            }
            Some(&other) => out.push(other),
            None => {}
        }
        rest = rest.get(at + len..).unwrap_or_default();
    }
    out.extend_from_slice(rest);
}
