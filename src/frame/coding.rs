//! How the text of a stream is written: its encoding, and what is taken off it.
//!
//! In: bytes as the stream has them. Out: UTF-8, and whether anything of it had to be replaced. Positions, ids and cursors
//! know nothing of this: they count the stream's own bytes.
//!
//! A line feed is one byte in every encoding of the WHATWG set but UTF-16, where it is a code unit; that is all that
//! framing has to know.

use std::io;
use std::ops::Range;

use encoding_rs::{CoderResult, Encoding, UTF_8, UTF_16BE, UTF_16LE};

use super::docker;
use crate::event::{ESCAPE, strip_ansi};

/// What an option says of a stream's encoding.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Written {
    /// Told by a byte-order mark at the start of the stream; UTF-8 where there is none.
    #[default]
    Auto,
    /// As the operator says.
    As(&'static Encoding),
}

impl Written {
    /// Reads a label of the WHATWG Encoding Standard (§4.2), or `auto`.
    pub(super) fn named(label: &str) -> Result<Self, String> {
        if label == "auto" {
            return Ok(Self::Auto);
        }
        // `for_label_no_replacement`: "replacement" stands for encodings that nobody should decode.
        Encoding::for_label_no_replacement(label.as_bytes()).map(Self::As).ok_or_else(|| {
            format!("encoding is auto, utf-8, utf-16le, utf-16be, latin1 or another label of the WHATWG Encoding Standard, not `{label}`")
        })
    }

    /// Whether code units are two bytes.
    pub(super) fn is_wide(self) -> bool {
        matches!(self, Self::As(encoding) if encoding == UTF_16LE || encoding == UTF_16BE)
    }
}

/// How many bytes tell a byte-order mark from other text.
pub(super) const MARK_BYTES: usize = 3;

/// What is done to the text of a stream.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Coding {
    /// What it is written in, where that is not UTF-8.
    encoding: Option<&'static Encoding>,
    /// Colour codes are taken off.
    strip: bool,
}

impl Coding {
    /// What is to be done, and the length of the byte-order mark, given the first [`MARK_BYTES`] of the stream.
    pub(super) fn new(written: Written, strip: bool, head: &[u8]) -> (Self, usize) {
        let mark = Encoding::for_bom(head);
        let (encoding, mark) = match (written, mark) {
            (Written::Auto, Some((encoding, mark))) => (encoding, mark),
            (Written::Auto, None) => (UTF_8, 0),
            (Written::As(encoding), Some((other, mark))) if encoding == other => (encoding, mark),
            (Written::As(encoding), _) => (encoding, 0),
        };
        (Self { encoding: Some(encoding).filter(|encoding| *encoding != UTF_8), strip }, mark)
    }

    /// Whether text is not simply what the stream has.
    #[inline]
    pub(super) fn changes(&self) -> bool {
        self.strip || self.encoding.is_some()
    }

    /// Whether bytes other than UTF-8 are decoded.
    pub(super) fn decodes(&self) -> bool {
        self.encoding.is_some()
    }

    /// Where code units are two bytes: whether the one with the greater part comes first.
    #[inline]
    pub(super) fn wide(&self) -> Option<Wide> {
        match self.encoding {
            None => None,
            Some(encoding) if encoding == UTF_16LE => Some(Wide::Little),
            Some(encoding) if encoding == UTF_16BE => Some(Wide::Big),
            Some(_) => None,
        }
    }

    /// Whether the text of some bytes is these bytes.
    pub(super) fn is_as_is(&self, bytes: &[u8]) -> bool {
        let same = self.encoding.is_none_or(|encoding| {
            encoding.is_ascii_compatible() && Encoding::ascii_valid_up_to(bytes) == bytes.len()
        });
        same && !(self.strip && memchr::memchr(ESCAPE, bytes).is_some())
    }

    /// Appends the text of some bytes; whether all of them were valid. `escaped`: they are of a JSON string, which is
    /// UTF-8 whatever its program wrote.
    pub(super) fn put(&self, bytes: &[u8], escaped: bool, out: &mut Vec<u8>) -> bool {
        let start = out.len();
        let valid = self.decode(bytes, escaped, out);
        self.clean(out, start);
        valid
    }

    /// The same for a part of a line; when all have come, [`Coding::clean`] does the rest.
    pub(super) fn decode(&self, bytes: &[u8], escaped: bool, out: &mut Vec<u8>) -> bool {
        match self.encoding {
            _ if escaped => {
                docker::unescape(bytes, out);
                true
            }
            Some(encoding) => decode(encoding, bytes, out),
            None => {
                out.extend_from_slice(bytes);
                true
            }
        }
    }

    /// Takes off the text from `start` on what is to be taken off.
    pub(super) fn clean(&self, text: &mut Vec<u8>, start: usize) {
        if self.strip {
            strip_ansi(text, start);
        }
    }

    /// A line feed as the stream writes it.
    pub(super) fn line_feed(&self) -> &'static [u8] {
        match self.wide() {
            None => b"\n",
            Some(Wide::Little) => b"\n\0",
            Some(Wide::Big) => b"\0\n",
        }
    }

    /// Whether bytes that were added to an unfinished line may hold its end.
    #[inline]
    pub(super) fn may_end(&self, more: &[u8]) -> bool {
        // A code unit may have come in halves.
        memchr::memchr(b'\n', more).is_some() || (self.wide().is_some() && more.first() == Some(&0))
    }

    /// The lines that end in a block which stands at `position`, separators included.
    pub(super) fn lines<'b>(&self, block: &'b [u8], position: u64) -> impl Iterator<Item = &'b [u8]> {
        let wide = self.wide();
        let mut at = 0;
        let ends = memchr::memchr_iter(b'\n', block).filter_map(move |hit| match wide {
            None => Some(hit + 1),
            Some(wide) => wide.line_feed(block, position, hit).map(|unit| unit.end),
        });
        ends.chain([block.len()]).map(move |end| {
            let line = block.get(at..end).unwrap_or_default();
            at = end;
            line
        })
    }
}

/// Appends what bytes stand for; whether all of them were valid. What is not becomes U+FFFD.
fn decode(encoding: &'static Encoding, bytes: &[u8], out: &mut Vec<u8>) -> bool {
    let mut decoder = encoding.new_decoder_without_bom_handling();
    let (start, mut read, mut written, mut valid) = (out.len(), 0, 0, true);
    loop {
        let rest = bytes.get(read..).unwrap_or_default();
        // More than the buffer that is asked for here is never needed, so one round is all there are.
        let room = decoder.max_utf8_buffer_length(rest.len()).unwrap_or(usize::MAX / 2);
        out.resize(start + written + room, 0);
        let to = out.get_mut(start + written..).unwrap_or_default();
        let (result, took, put, replaced) = decoder.decode_to_utf8(rest, to, true);
        (read, written, valid) = (read + took, written + put, valid && !replaced);
        if result == CoderResult::InputEmpty {
            out.truncate(start + written);
            return valid;
        }
    }
}

/// Which byte of a code unit comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wide {
    /// The lesser one.
    Little,
    /// The greater one.
    Big,
}

impl Wide {
    /// Where the code unit of a line feed stands, if the byte at `hit`, which is one, is its part.
    pub(super) fn line_feed(self, block: &[u8], position: u64, hit: usize) -> Option<Range<usize>> {
        let unit = match self {
            Self::Little => hit..hit + 2,
            Self::Big => hit.checked_sub(1)?..hit + 1,
        };
        // Code units stand at even positions of the stream.
        let even = (position + unit.start as u64).is_multiple_of(2);
        (even && self.unit(block.get(unit.clone())?) == u16::from(b'\n')).then_some(unit)
    }

    /// Whether bytes end in a code unit.
    pub(super) fn ends_in(self, bytes: &[u8], unit: u8) -> bool {
        bytes.last_chunk::<2>().is_some_and(|last| self.unit(last) == u16::from(unit))
    }

    fn unit(self, bytes: &[u8]) -> u16 {
        match (self, bytes) {
            (Self::Little, [lesser, greater]) | (Self::Big, [greater, lesser]) => {
                u16::from_be_bytes([*greater, *lesser])
            }
            _ => u16::MAX,
        }
    }
}

/// The first bytes of a stream, which may be a byte-order mark; `None` where more of them must come to tell.
pub(super) fn head(bytes: &[u8], last: bool) -> Option<&[u8]> {
    let begins = |mark: &[u8]| bytes.len() < mark.len() && mark.starts_with(bytes);
    let unsure = !last && [&b"\xef\xbb\xbf"[..], b"\xff\xfe", b"\xfe\xff"].into_iter().any(begins);
    (!unsure).then(|| bytes.get(..MARK_BYTES).unwrap_or(bytes))
}

/// The same for a block that is not the first one.
pub(super) fn head_above(position: u64, fetch: super::Fetch<'_>) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    fetch(0..position.min(MARK_BYTES as u64), &mut head)?;
    Ok(head)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_waited_for() {
        assert_eq!(head(b"", false), None);
        assert_eq!(head(b"\xef\xbb", false), None);
        assert_eq!(head(b"\xef\xbb", true), Some(&b"\xef\xbb"[..]));
        assert_eq!(head(b"a", false), Some(&b"a"[..]));
        assert_eq!(head(b"\xff\xfea\0", false), Some(&b"\xff\xfea"[..]));
    }
}
