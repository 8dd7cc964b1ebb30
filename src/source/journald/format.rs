//! The journal file format, as systemd documents it (<https://systemd.io/JOURNAL_FILE_FORMAT/>).
//!
//! In: a way to read bytes at a position. Out: header, entries, fields. All numbers are little-endian, all objects
//! begin at multiples of 8. Nothing in a file is believed: sizes have bounds, and what is not as it should be is an
//! error, never a panic.

use std::io;

use super::lz4;
use crate::seam::File;

/// The first bytes of every file.
const SIGNATURE: &[u8; 8] = b"LPKSHHRH";
/// The part of the header that is looked at.
const HEADER_BYTES: usize = 208;
/// Type, flags and size before every object.
const OBJECT_HEAD_BYTES: u64 = 16;

const TYPE_DATA: u8 = 1;
const TYPE_ENTRY: u8 = 3;
const TYPE_ENTRY_ARRAY: u8 = 6;

/// Flags of the header that change the layout.
const INCOMPATIBLE_XZ: u32 = 1;
const INCOMPATIBLE_LZ4: u32 = 2;
const INCOMPATIBLE_KEYED_HASH: u32 = 4;
const INCOMPATIBLE_ZSTD: u32 = 8;
const INCOMPATIBLE_COMPACT: u32 = 16;
const INCOMPATIBLE_KNOWN: u32 =
    INCOMPATIBLE_XZ | INCOMPATIBLE_LZ4 | INCOMPATIBLE_KEYED_HASH | INCOMPATIBLE_ZSTD | INCOMPATIBLE_COMPACT;

/// Flags of a data object.
const COMPRESSED_XZ: u8 = 1;
const COMPRESSED_LZ4: u8 = 2;
const COMPRESSED_ZSTD: u8 = 4;

/// Longest entry object: some tens of thousands of fields.
const ENTRY_BYTES_MAX: u64 = 1024 * 1024;
/// What is read of a data object at first; most are shorter.
const DATA_LOOK_BYTES: usize = 512;

/// Why bytes are not what they should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Fault {
    /// The file cannot be read.
    #[error("{0}")]
    Unreadable(String),
    /// What is at a position is no such object.
    #[error("no {what} at byte {at}")]
    Damaged {
        /// What was looked for.
        what: &'static str,
        /// Where.
        at: u64,
    },
    /// A later version wrote it.
    #[error("the file has features that this program does not know (flags {0:#x})")]
    Unknown(u32),
    /// It is compressed in a way that is not built in.
    #[error("a field is compressed with {0}, which is not built in")]
    Compression(&'static str),
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Self::Unreadable(error.to_string())
    }
}

/// Whether a file is still written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Closed; it may be opened again.
    Offline,
    /// Being written.
    Online,
    /// Rotated away: nothing will be added.
    Archived,
}

/// What a header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) state: State,
    /// Names the file, under whatever path.
    pub(super) file_id: [u8; 16],
    compact: bool,
    /// Entries in the file.
    pub(super) entries: u64,
    /// First of the arrays that list the entries; 0 where there is none yet.
    pub(super) array: u64,
}

/// Reads the header.
pub(super) fn header(file: &dyn File) -> Result<Header, Fault> {
    let damaged = Fault::Damaged { what: "journal header", at: 0 };
    let bytes = exactly(file, 0, HEADER_BYTES)?;
    if bytes.get(..8) != Some(SIGNATURE) {
        return Err(damaged);
    }
    let flags = u32_at(&bytes, 12).ok_or(damaged.clone())?;
    if flags & !INCOMPATIBLE_KNOWN != 0 {
        return Err(Fault::Unknown(flags));
    }
    let mut file_id = [0; 16];
    file_id.copy_from_slice(bytes.get(24..40).ok_or(damaged.clone())?);
    let number = |at| u64_at(&bytes, at).ok_or(damaged.clone());
    Ok(Header {
        state: match bytes[16] {
            1 => State::Online,
            2 => State::Archived,
            _ => State::Offline,
        },
        file_id,
        compact: flags & INCOMPATIBLE_COMPACT != 0,
        entries: number(152)?,
        array: number(176)?,
    })
}

/// An array of positions of entries; they follow each other and grow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Array {
    /// Where it is.
    pub(super) at: u64,
    /// The next array; 0 while there is none.
    pub(super) next: u64,
    /// Places in it.
    pub(super) places: u64,
}

/// An entry: when, and the positions of its fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) seqnum: u64,
    /// Microseconds since the epoch.
    pub(super) realtime_us: u64,
    pub(super) boot_id: [u8; 16],
    /// One past the last byte of the entry object.
    pub(super) end: u64,
    pub(super) fields: Vec<u64>,
}

impl Header {
    /// Bytes of a place in an array.
    fn place_bytes(&self) -> u64 {
        if self.compact { 4 } else { 8 }
    }

    /// Looks at an array.
    pub(super) fn entry_array(&self, file: &dyn File, at: u64) -> Result<Array, Fault> {
        let (head, size) = object(file, at, TYPE_ENTRY_ARRAY, "entry array", OBJECT_HEAD_BYTES + 8)?;
        let next = u64_at(&head, 16).unwrap_or(0);
        // Arrays are in the file in the order of their chain; anything else could be a circle.
        if next != 0 && next <= at {
            return Err(Fault::Damaged { what: "entry array", at: next });
        }
        Ok(Array { at, next, places: (size - OBJECT_HEAD_BYTES - 8) / self.place_bytes() })
    }

    /// The entry positions in an array from a place on, `count` at most, up to the first that is not filled in yet.
    pub(super) fn places(
        &self,
        file: &dyn File,
        array: &Array,
        from: u64,
        count: u64,
    ) -> Result<Vec<u64>, Fault> {
        let width = self.place_bytes();
        let count = count.min(array.places.saturating_sub(from));
        let at = array.at + OBJECT_HEAD_BYTES + 8 + from * width;
        let bytes = exactly(file, at, (count * width) as usize)?;
        let read =
            |bytes: &[u8]| if self.compact { u32_at(bytes, 0).map(u64::from) } else { u64_at(bytes, 0) };
        Ok(bytes.chunks_exact(width as usize).filter_map(read).take_while(|at| *at != 0).collect())
    }

    /// Reads an entry.
    pub(super) fn entry(&self, file: &dyn File, at: u64) -> Result<Entry, Fault> {
        const ITEMS: u64 = 64;
        let damaged = Fault::Damaged { what: "entry", at };
        let (_, size) = object(file, at, TYPE_ENTRY, "entry", ITEMS)?;
        if size > ENTRY_BYTES_MAX {
            return Err(damaged);
        }
        let bytes = exactly(file, at, size as usize)?;
        let number = |at| u64_at(&bytes, at).ok_or(damaged.clone());
        let mut boot_id = [0; 16];
        boot_id.copy_from_slice(bytes.get(40..56).ok_or(damaged.clone())?);
        let items = bytes.get(ITEMS as usize..).unwrap_or_default();
        let fields = if self.compact {
            items.chunks_exact(4).filter_map(|item| u32_at(item, 0)).map(u64::from).collect()
        } else {
            // A position and a hash.
            items.chunks_exact(16).filter_map(|item| u64_at(item, 0)).collect()
        };
        Ok(Entry { seqnum: number(16)?, realtime_us: number(24)?, boot_id, end: at + size, fields })
    }

    /// Reads a field, `NAME=value`; of one that is longer than `bytes_max` the first so many bytes. Says whether that is
    /// all of it, and whether several entries share it.
    pub(super) fn field(&self, file: &dyn File, at: u64, bytes_max: usize) -> Result<Field, Fault> {
        let payload: u64 = if self.compact { 72 } else { 64 };
        let damaged = Fault::Damaged { what: "field", at };
        let mut bytes = up_to(file, at, DATA_LOOK_BYTES)?;
        let (Some(&kind), Some(&flags), Some(size)) = (bytes.first(), bytes.get(1), u64_at(&bytes, 8)) else {
            return Err(damaged);
        };
        if kind != TYPE_DATA || !at.is_multiple_of(8) || size < payload || bytes.len() < payload as usize {
            return Err(damaged);
        }
        let shared = u64_at(&bytes, 56).unwrap_or(0) > 1;
        // Compressed, it is no longer than plain, but for a few bytes.
        let wanted = size.min(payload + bytes_max as u64 + 64) as usize;
        if bytes.len() < wanted {
            bytes = exactly(file, at, wanted)?;
        }
        let stored = bytes.get(payload as usize..wanted).ok_or(damaged.clone())?;
        let (mut text, mut whole) = match flags & (COMPRESSED_XZ | COMPRESSED_LZ4 | COMPRESSED_ZSTD) {
            0 => (stored.to_vec(), wanted as u64 == size),
            COMPRESSED_ZSTD => unzstd(stored, bytes_max).ok_or(damaged)?,
            COMPRESSED_LZ4 => {
                // The length before compression comes first.
                let (length, block) = stored.split_first_chunk::<8>().ok_or(damaged.clone())?;
                let length = u64::from_le_bytes(*length);
                let text = lz4::decompress(block, length.min(bytes_max as u64) as usize).ok_or(damaged)?;
                (text, length <= bytes_max as u64)
            }
            COMPRESSED_XZ => return Err(Fault::Compression("XZ")),
            _ => return Err(damaged),
        };
        whole &= text.len() <= bytes_max;
        text.truncate(bytes_max);
        Ok(Field { text, whole, shared })
    }
}

/// A field as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Field {
    /// `NAME=value`.
    pub(super) text: Vec<u8>,
    /// Whether that is all of it.
    pub(super) whole: bool,
    /// Whether several entries have it.
    pub(super) shared: bool,
}

fn unzstd(stored: &[u8], bytes_max: usize) -> Option<(Vec<u8>, bool)> {
    use std::io::Read;
    let decoder = zstd::stream::read::Decoder::with_buffer(stored).ok()?;
    let mut text = Vec::new();
    let read = decoder.take(bytes_max as u64 + 1).read_to_end(&mut text);
    // A frame that was read in part only ends early; what came of it is good.
    if read.is_err() && text.len() <= bytes_max && text.is_empty() {
        return None;
    }
    let whole = read.is_ok() && text.len() <= bytes_max;
    Some((text, whole))
}

/// The head of an object of this type, and its size, which is at least `size_min`.
fn object(
    file: &dyn File,
    at: u64,
    kind: u8,
    what: &'static str,
    size_min: u64,
) -> Result<(Vec<u8>, u64), Fault> {
    let damaged = Fault::Damaged { what, at };
    if at == 0 || !at.is_multiple_of(8) {
        return Err(damaged);
    }
    let head = exactly(file, at, 24)?;
    match u64_at(&head, 8) {
        Some(size) if head[0] == kind && size >= size_min && size < u64::from(u32::MAX) => Ok((head, size)),
        _ => Err(damaged),
    }
}

fn up_to(file: &dyn File, at: u64, len: usize) -> Result<Vec<u8>, Fault> {
    let mut bytes = vec![0; len];
    let mut filled = 0;
    while filled < len {
        match file.read_at(at + filled as u64, &mut bytes[filled..])? {
            0 => break,
            read => filled += read,
        }
    }
    bytes.truncate(filled);
    Ok(bytes)
}

fn exactly(file: &dyn File, at: u64, len: usize) -> Result<Vec<u8>, Fault> {
    let bytes = up_to(file, at, len)?;
    if bytes.len() == len { Ok(bytes) } else { Err(Fault::Damaged { what: "end of an object", at }) }
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..)?.first_chunk().map(|bytes| u64::from_le_bytes(*bytes))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|bytes| u32::from_le_bytes(*bytes))
}
