//! Header lines of a stream: what names the columns of the lines below them.
//!
//! They are no messages; like blank lines they are accounted with their neighbours. A message carries the header that
//! stands above it as [`crate::event::Message::time`]. Which that is depends on the bytes alone: a framer that begins in
//! the middle of a stream reads what is above its first block again.

use super::Fetch;
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
}

impl Header {
    /// With nothing seen.
    pub fn new(lines: HeaderLines) -> Self {
        Self { lines, ..Self::default() }
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
            HeaderLines::First => start == 0 && line.len() <= HEADER_BYTES_MAX,
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
    pub(super) fn above(&mut self, position: u64, fetch: Fetch<'_>) {
        if self.told || !self.is_any() {
            return;
        }
        self.told = position == 0 || self.read(position, fetch).is_ok();
    }

    fn read(&mut self, position: u64, fetch: Fetch<'_>) -> std::io::Result<()> {
        let (mut at, mut line, mut start) = (0u64, Vec::new(), 0u64);
        let mut block = Vec::new();
        while at < position {
            block.clear();
            let end = position.min(at + READ_BLOCK_BYTES as u64);
            fetch(at..end, &mut block)?;
            for piece in block.split_inclusive(|&byte| byte == b'\n') {
                // Of other lines nothing is kept.
                if line.is_empty() && start == at || line.len() <= HEADER_BYTES_MAX && !line.is_empty() {
                    let keep = piece.len().min(HEADER_BYTES_MAX + 1);
                    if !line.is_empty() || start == 0 || piece.first() == Some(&b'#') {
                        line.extend_from_slice(&piece[..keep]);
                    }
                }
                at += piece.len() as u64;
                if piece.last() == Some(&b'\n') {
                    let whole = line.strip_suffix(b"\n").unwrap_or(&line);
                    if !line.is_empty() && self.is_header(start, whole) {
                        let whole = whole.to_vec();
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
