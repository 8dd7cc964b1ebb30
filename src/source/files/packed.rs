//! A compressed file as the file that it was made of: positions are those of the uncompressed bytes.
//!
//! In: a `.gz` or `.zst` file. Out: a [`File`]. Bytes are decoded forwards through a bounded window; what is before the
//! window is decoded again, by a second reader, so that a look back does not lose the first one's place. Nothing is
//! written aside, and never more than [`UNPACK_WINDOW_BYTES`] twice over is held for each reader.

mod unpack;

use std::ffi::OsStr;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::identity::Print;
use crate::limits::UNPACK_WINDOW_BYTES;
use crate::seam::{File, FileStat};
use unpack::{More, Unpacker};

/// Readers of one file: one goes on, one looks back.
const READERS_MAX: usize = 2;

/// Bytes that are said to follow while the end was not seen: more than one read asks for.
const AHEAD_BYTES: u64 = 1024 * 1024;

/// How a file is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Packing {
    Gzip,
    Zstd,
}

/// What a file is, by its name and its first bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Plain,
    Packed(Packing),
    /// Its name says that it is compressed, and its first bytes are not there yet.
    Unclear,
}

impl Packing {
    /// Whether a name is that of a compressed file.
    pub(super) fn of_name(path: &Path) -> Option<Self> {
        match path.extension().and_then(OsStr::to_str) {
            Some("gz" | "gzip") => Some(Self::Gzip),
            Some("zst" | "zstd") => Some(Self::Zstd),
            _ => None,
        }
    }

    fn magic(self) -> &'static [u8] {
        match self {
            // RFC 1952 §2.3.1, with the only method that there is.
            Self::Gzip => &[0x1f, 0x8b, 8],
            // RFC 8878 §3.1.1.
            Self::Zstd => &[0x28, 0xb5, 0x2f, 0xfd],
        }
    }
}

impl Kind {
    /// What a file is. One that is compressed only by its name is read as it is.
    pub(super) fn of(path: &Path, file: &dyn File) -> io::Result<Self> {
        let Some(packing) = Packing::of_name(path) else { return Ok(Self::Plain) };
        let mut first = [0; 4];
        let first = &mut first[..packing.magic().len()];
        let mut filled = 0;
        while filled < first.len() {
            match file.read_at(filled as u64, &mut first[filled..])? {
                0 => return Ok(Self::Unclear),
                read => filled += read,
            }
        }
        Ok(if first == packing.magic() { Self::Packed(packing) } else { Self::Plain })
    }
}

/// How far the compressed bytes go, of a file of this size on the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// It was not seen yet.
    Unknown,
    /// They end in the middle: it is being written.
    Starved(u64),
    /// All is there.
    Whole(u64),
    /// What follows cannot be decoded.
    Damaged(u64),
}

/// A compressed file.
pub(super) struct Unpacked {
    inner: Arc<dyn File>,
    pub(super) packing: Packing,
    state: Mutex<State>,
}

struct State {
    readers: Vec<Reader>,
    /// Uncompressed bytes that were seen so far.
    extent: u64,
    end: End,
}

/// A place in the uncompressed bytes, and what is before it.
struct Reader {
    unpacker: Unpacker,
    window: Vec<u8>,
    /// Position of the window's first byte.
    start: u64,
}

impl Reader {
    fn end(&self) -> u64 {
        self.start + self.window.len() as u64
    }

    fn advance(&mut self, file: &dyn File) -> io::Result<More> {
        if self.window.len() > 2 * UNPACK_WINDOW_BYTES {
            let gone = self.window.len() - UNPACK_WINDOW_BYTES;
            self.window.drain(..gone);
            self.start += gone as u64;
        }
        self.unpacker.more(file, &mut self.window)
    }
}

impl Unpacked {
    pub(super) fn new(inner: Arc<dyn File>, packing: Packing) -> Self {
        let state = State { readers: Vec::new(), extent: 0, end: End::Unknown };
        Self { inner, packing, state: Mutex::new(state) }
    }

    /// The same file, to be decoded anew.
    pub(super) fn anew(&self) -> Self {
        Self::new(self.inner.clone(), self.packing)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Size of the compressed file.
    fn disk(&self) -> io::Result<u64> {
        Ok(self.inner.stat()?.size)
    }

    /// How far it goes, as far as was seen; all of it was where the end is known.
    pub(super) fn end(&self) -> io::Result<(u64, End)> {
        let disk = self.disk()?;
        let state = self.state();
        Ok((state.extent, state.end.of(disk)))
    }

    /// Decodes all of it, to know its length.
    pub(super) fn measure(&self) -> io::Result<(u64, End)> {
        let mut byte = [0];
        while self.end()?.1 == End::Unknown {
            let extent = self.state().extent;
            // Where it ends before, this finds its end.
            self.read_at(extent + UNPACK_WINDOW_BYTES as u64, &mut byte)?;
        }
        self.end()
    }
}

impl End {
    /// What holds for a file that now has this size.
    fn of(self, now: u64) -> Self {
        match self {
            Self::Starved(disk) | Self::Whole(disk) | Self::Damaged(disk) if disk != now => Self::Unknown,
            end => end,
        }
    }
}

impl State {
    /// The reader that comes to a position soonest.
    fn reader(&mut self, position: u64, packing: Packing) -> io::Result<&mut Reader> {
        let fits = |reader: &Reader| reader.start <= position;
        let best = self.readers.iter().enumerate().filter(|(_, reader)| fits(reader));
        let best = best.max_by_key(|(_, reader)| reader.end()).map(|(at, _)| at);
        let at = match best {
            Some(at) => at,
            None => {
                if self.readers.len() >= READERS_MAX {
                    self.readers.sort_by_key(|reader| std::cmp::Reverse(reader.end()));
                    self.readers.pop();
                }
                let unpacker = Unpacker::new(packing)?;
                self.readers.push(Reader { unpacker, window: Vec::new(), start: 0 });
                self.readers.len() - 1
            }
        };
        self.readers.get_mut(at).ok_or_else(|| io::Error::other("no reader"))
    }
}

impl File for Unpacked {
    fn read_at(&self, position: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let disk = self.disk()?;
        let state = &mut *self.state();
        if position >= state.extent && !matches!(state.end.of(disk), End::Unknown) {
            return Ok(0);
        }
        loop {
            let reader = state.reader(position, self.packing)?;
            if position < reader.end() {
                let from = (position - reader.start) as usize;
                let bytes = reader.window.get(from..).unwrap_or_default();
                let length = bytes.len().min(buffer.len());
                buffer[..length].copy_from_slice(&bytes[..length]);
                return Ok(length);
            }
            let more = reader.advance(&*self.inner)?;
            let end = reader.end();
            state.extent = state.extent.max(end);
            state.end = match more {
                More::Some => continue,
                More::Starved => End::Starved(disk),
                More::End => End::Whole(disk),
                More::Damaged => End::Damaged(disk),
            };
            if position >= end {
                return Ok(0);
            }
        }
    }

    fn append(&self, _: &[u8]) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn sync(&self) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn truncate(&self, _: u64) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// As of a file that is being written, until the end was seen: somewhat longer than what was.
    fn stat(&self) -> io::Result<FileStat> {
        let stat = self.inner.stat()?;
        let state = self.state();
        let ahead = if state.end.of(stat.size) == End::Unknown { AHEAD_BYTES } else { 0 };
        Ok(FileStat { size: state.extent + ahead, ..stat })
    }
}

/// Whether a file has a byte before a position, or the position is its start.
pub(super) fn reaches(file: &dyn File, position: u64) -> io::Result<bool> {
    let Some(last) = position.checked_sub(1) else { return Ok(true) };
    Ok(file.read_at(last, &mut [0])? == 1)
}

/// Whether two files hold the same before a position.
pub(super) fn same_before(one: &dyn File, other: &dyn File, position: u64, len: u64) -> io::Result<bool> {
    Ok(Print::before(one, position, len)? == Print::before(other, position, len)?)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;
    use crate::seam::Fs;
    use crate::seam::sim::{Dice, SimClock, SimFs};

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).expect("memory");
        encoder.finish().expect("memory")
    }

    fn content(dice: &mut Dice, len: usize) -> Vec<u8> {
        (0..len).map(|_| b'a' + dice.below(7) as u8).collect()
    }

    fn read(file: &Unpacked, position: u64, len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        let mut filled = 0;
        while filled < len {
            match file.read_at(position + filled as u64, &mut bytes[filled..]).expect("reads") {
                0 => break,
                read => filled += read,
            }
        }
        bytes.truncate(filled);
        bytes
    }

    /// However a file is compressed, in however many members, and wherever it is read, its bytes are the same.
    #[test]
    fn any_place_can_be_read() {
        let mut dice = Dice::new(5);
        let first = content(&mut dice, 3_000_000);
        let second = content(&mut dice, 100_000);
        let whole = [&first[..], &second[..]].concat();
        let pack = |packing, bytes: &[u8]| match packing {
            Packing::Gzip => gzip(bytes),
            Packing::Zstd => zstd::encode_all(bytes, 3).expect("memory"),
        };
        for packing in [Packing::Gzip, Packing::Zstd] {
            let fs = SimFs::new(1, Arc::new(SimClock::at(0)));
            let path = Path::new("/x");
            fs.write(path, &pack(packing, &first)).expect("space");
            fs.write(path, &pack(packing, &second)).expect("space");
            let file = Unpacked::new(Arc::from(fs.open(path).expect("there")), packing);
            assert!(file.stat().expect("a stat").size > 0);
            for _ in 0..40 {
                let at = dice.below(whole.len() as u64);
                let len = dice.below(5000) as usize;
                let end = whole.len().min(at as usize + len);
                assert_eq!(read(&file, at, len), &whole[at as usize..end], "{packing:?} at {at}");
            }
            let length = whole.len() as u64;
            assert_eq!(file.measure().expect("reads").0, length);
            assert_eq!(file.stat().expect("a stat").size, length);
            assert!(reaches(&file, length).expect("reads") && !reaches(&file, length + 1).expect("reads"));
            assert!(file.state().readers.iter().all(|reader| reader.window.len() < 3 * UNPACK_WINDOW_BYTES));
        }
    }

    /// A file that is being written is read as far as it is there, and on when there is more.
    #[test]
    fn it_may_grow_while_it_is_read() {
        let mut dice = Dice::new(6);
        let whole = content(&mut dice, 200_000);
        for packing in [Packing::Gzip, Packing::Zstd] {
            let packed = match packing {
                Packing::Gzip => gzip(&whole),
                Packing::Zstd => zstd::encode_all(&whole[..], 1).expect("memory"),
            };
            let fs = SimFs::new(1, Arc::new(SimClock::at(0)));
            let path = Path::new("/x");
            fs.write(path, &packed[..7]).expect("space");
            let file = Unpacked::new(Arc::from(fs.open(path).expect("there")), packing);
            let mut got = Vec::new();
            for part in packed[7..].chunks(9000) {
                got.extend(read(&file, got.len() as u64, 1 << 20));
                assert!(matches!(file.end().expect("a stat").1, End::Starved(_)), "{packing:?}");
                fs.write(path, part).expect("space");
            }
            got.extend(read(&file, got.len() as u64, 1 << 20));
            assert!(matches!(file.end().expect("a stat").1, End::Whole(_)), "{packing:?}");
            assert!(got == whole, "{packing:?}: {} of {}", got.len(), whole.len());
        }
    }

    #[test]
    fn damage_ends_it() {
        let mut dice = Dice::new(7);
        let whole = content(&mut dice, 300_000);
        let mut packed = gzip(&whole);
        let middle = packed.len() / 2;
        packed[middle..middle + 200].fill(0xff);
        let fs = SimFs::new(1, Arc::new(SimClock::at(0)));
        fs.write(Path::new("/x"), &packed).expect("space");
        let file = Unpacked::new(Arc::from(fs.open(Path::new("/x")).expect("there")), Packing::Gzip);
        let (extent, end) = file.measure().expect("reads");
        assert!(matches!(end, End::Damaged(_)), "{end:?}");
        assert!(extent > 50_000 && extent < 300_000, "{extent}");
    }
}
