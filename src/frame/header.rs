//! Header lines of a stream: what names the columns of the lines below them.
//!
//! They are no messages; like blank lines they are accounted with their neighbours. A message carries the header that
//! stands above it as [`crate::event::Message::time`]. Which that is depends on the bytes alone: a framer that begins in
//! the middle of a stream reads what is above its first block again.

use super::Fetch;
use super::coding::Coding;
use crate::limits::{HEADER_BYTES_MAX, READ_BLOCK_BYTES};

/// Which lines are headers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HeaderLines {
    /// None.
    #[default]
    None,
    /// The first line of the stream (CSV).
    First,
    /// All that begin with `#` (W3C extended, Zeek). A later one replaces the one that says the same.
    Hash,
}

/// The header in force.
#[derive(Clone, Debug, Default)]
pub struct Header {
    lines: HeaderLines,
    text: Vec<u8>,
    /// What is above the first block has been looked at.
    told: bool,
    /// Where the first line begins: behind a byte-order mark.
    front: u64,
}

impl Header {
    /// With nothing seen.
    pub fn new(lines: HeaderLines) -> Self {
        Self { lines, ..Self::default() }
    }

    /// Says how long the byte-order mark is.
    pub(super) fn begin_at(&mut self, front: u64) {
        self.front = front;
    }

    /// Lines without their ends, joined by line feeds.
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// Whether there can be any.
    pub(super) fn is_any(&self) -> bool {
        self.lines != HeaderLines::None
    }

    /// Whether a line at a position is one.
    #[inline]
    pub fn is_header(&self, start: u64, line: &[u8]) -> bool {
        match self.lines {
            HeaderLines::None => false,
            HeaderLines::First => start <= self.front && line.len() <= HEADER_BYTES_MAX,
            HeaderLines::Hash => line.first() == Some(&b'#') && line.len() <= HEADER_BYTES_MAX,
        }
    }

    /// Takes a header line.
    pub fn take(&mut self, line: &[u8]) {
        let line = line.strip_prefix("\u{feff}".as_bytes()).unwrap_or(line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if self.lines == HeaderLines::First {
            self.text = line.to_vec();
            return;
        }
        let says = says(line);
        let others = self
            .text
            .split(|&byte| byte == b'\n')
            .filter(|other| !other.is_empty() && self::says(other) != says);
        let mut text = others.collect::<Vec<_>>();
        text.push(line);
        let text = text.join(&b'\n');
        if text.len() <= HEADER_BYTES_MAX {
            self.text = text;
        }
    }

    /// Looks at what is above the first block, once. What cannot be read is tried again with the next block.
    pub(super) fn above(&mut self, position: u64, coding: Coding, fetch: Fetch<'_>) {
        if self.told || !self.is_any() {
            return;
        }
        self.told = position == 0 || self.read(position, coding, fetch).is_ok();
    }

    fn read(&mut self, position: u64, coding: Coding, fetch: Fetch<'_>) -> std::io::Result<()> {
        let feed = coding.line_feed();
        let (mut at, mut line, mut start) = (0u64, Vec::new(), 0u64);
        let mut block = Vec::new();
        while at < position {
            block.clear();
            let end = position.min(at + READ_BLOCK_BYTES as u64);
            fetch(at..end, &mut block)?;
            for piece in coding.lines(&block, at) {
                // Of other lines nothing is kept.
                if line.is_empty() && start == at || line.len() <= HEADER_BYTES_MAX && !line.is_empty() {
                    let keep = piece.len().min(HEADER_BYTES_MAX + 1);
                    let begins = piece.first() == Some(&b'#') || coding.wide().is_some();
                    if !line.is_empty() || start == 0 || begins {
                        line.extend_from_slice(&piece[..keep]);
                    }
                }
                at += piece.len() as u64;
                if piece.ends_with(feed) {
                    let mut whole = Vec::new();
                    coding.put(line.strip_suffix(feed).unwrap_or(&line), false, &mut whole);
                    if !line.is_empty() && self.is_header(start, &whole) {
                        self.take(&whole);
                    }
                    line.clear();
                    start = at;
                    if self.lines == HeaderLines::First {
                        return Ok(());
                    }
                }
            }
            if block.is_empty() {
                break;
            }
        }
        Ok(())
    }
}

/// What a header line says something of: `#Fields`, `#separator`.
fn says(line: &[u8]) -> &[u8] {
    let end = line.iter().position(|byte| matches!(byte, b':' | b' ' | b'\t')).unwrap_or(line.len());
    &line[..end]
}
