//! Lines of UTF-16, whose ends are code units: they stand at even positions of the stream.

use memchr::memchr_iter;

use super::Framer;
use crate::frame::coding::Wide;
use crate::frame::emit::{Env, Piece};

impl Framer {
    /// Takes the lines of a block from `at` on; gives where the first one begins that has no end yet.
    #[cold]
    pub(super) fn wide_lines(
        &mut self,
        wide: Wide,
        bytes: &[u8],
        mut at: usize,
        position: u64,
        last: bool,
        env: &mut Env<'_, '_, '_>,
    ) -> usize {
        for unit in memchr_iter(b'\n', bytes).filter_map(|hit| wide.line_feed(bytes, position, hit)) {
            // A line that was cut between the halves of a code unit may go on within one that looks like a line's end.
            if unit.start < at {
                continue;
            }
            at = self.long_steps(bytes.get(..unit.start).unwrap_or_default(), at, position, env);
            let line = bytes.get(at..unit.start).unwrap_or_default();
            self.wide_line(wide, position + at as u64, line, 2, env);
            at = unit.end;
        }
        // Half a code unit may be half of a line's end.
        let halves = (position + bytes.len() as u64) % 2;
        let whole = bytes.len() - (halves as usize).min(bytes.len() - at);
        at = self.long_steps(bytes.get(..whole).unwrap_or_default(), at, position, env);
        if last && (at < bytes.len() || self.long) {
            let line = bytes.get(at..).unwrap_or_default();
            self.wide_line(wide, position + at as u64, line, 0, env);
            at = bytes.len();
        }
        at
    }

    /// Takes a line of UTF-16.
    fn wide_line(&mut self, wide: Wide, start: u64, line: &[u8], separator: u32, env: &mut Env<'_, '_, '_>) {
        // Where a cut fell between the halves of a code unit, the line before has the first one, and shows it.
        let half = line.len().min((start % 2) as usize);
        let nuls = if self.long { 0 } else { self.padding_of(line.get(half..).unwrap_or_default()) };
        let text = line.get(half + nuls..).unwrap_or_default();
        let len = text.len() - if wide.ends_in(text, b'\r') { 2 } else { 0 };
        let piece = Piece {
            start,
            line: line.len() as u32 + separator,
            text: (half + nuls) as u32,
            len: len as u32,
            first: true,
            ..Piece::default()
        };
        if self.long {
            return self.end_long(piece, env);
        }
        if self.header.is_any() {
            let mut decoded = Vec::new();
            self.coding.put(text.get(..len).unwrap_or_default(), false, &mut decoded);
            if self.header.is_header(start, &decoded) {
                return self.header_line(piece, &decoded, env);
            }
        }
        let (lane, config, scratch) = self.lane(0);
        lane.line(piece, config, env, scratch);
    }
}
