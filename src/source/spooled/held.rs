//! Bytes that were read once and may be asked for again: those of open messages.

use std::io;
use std::ops::Range;

/// One stretch of a stream.
#[derive(Debug, Default)]
pub(super) struct Held {
    start: u64,
    bytes: Vec<u8>,
}

impl Held {
    /// Appends a range.
    pub(super) fn read(&self, range: &Range<u64>, out: &mut Vec<u8>) -> io::Result<()> {
        let missing = || io::Error::from(io::ErrorKind::NotFound);
        let from = range.start.checked_sub(self.start).ok_or_else(missing)? as usize;
        let len = range.end.saturating_sub(range.start) as usize;
        out.extend_from_slice(self.bytes.get(from..from.saturating_add(len)).ok_or_else(missing)?);
        Ok(())
    }

    /// Takes in the bytes at `position`, which go on where the last ones ended; keeps those from `open` on.
    pub(super) fn add(&mut self, position: u64, bytes: &[u8], open: Option<u64>) {
        let end = position + bytes.len() as u64;
        let open = open.unwrap_or(end);
        self.keep_from(Some(open));
        if self.bytes.is_empty() {
            self.start = open.max(position);
        }
        let from = open.saturating_sub(position).min(bytes.len() as u64) as usize;
        self.bytes.extend_from_slice(bytes.get(from..).unwrap_or_default());
    }

    /// Forgets all before `open`, or everything where nothing is open.
    pub(super) fn keep_from(&mut self, open: Option<u64>) {
        let end = self.start + self.bytes.len() as u64;
        let gone = open.map_or(end, |open| open.clamp(self.start, end)) - self.start;
        self.bytes.drain(..gone as usize);
        self.start += gone;
        if self.bytes.is_empty() {
            // An idle stream holds no buffer.
            self.bytes = Vec::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_open_is_kept() {
        let mut held = Held::default();
        held.add(0, b"abcdef", Some(4));
        held.add(6, b"ghi", Some(4));
        let mut out = Vec::new();
        held.read(&(4..8), &mut out).expect("it is kept");
        assert_eq!(out, b"efgh");
        held.keep_from(Some(7));
        assert!(held.read(&(6..8), &mut out).is_err());
        assert!(held.read(&(7..10), &mut out).is_err());
        held.add(9, b"xyz", Some(10));
        out.clear();
        held.read(&(10..12), &mut out).expect("it is kept");
        assert_eq!(out, b"yz");
        held.add(12, b"", None);
        assert!(held.bytes.is_empty());
    }
}
