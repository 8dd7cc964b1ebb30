//! An append-only file of checksummed records: what the cursor log and the identity log are made of.
//!
//! In: whole frames (length, CRC-32, body; all little-endian `u32`s). Out, at the next start: every frame whose
//! checksum fits, in order. A torn tail is cut, damage in the middle is skipped; both are said, neither stops a
//! start. What a body means is the caller's, but for two kinds of the log's own: one after each fsync, so that what
//! follows the last of them is known to be in doubt, and one behind what was therefore written again.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{File, Fs};

/// Bytes of length and checksum before a body.
pub const FRAME_HEAD_BYTES: usize = 8;

/// Longest body that is believed when a log is read back: a damaged length must not ask for the whole memory.
pub const FRAME_BODY_BYTES_MAX: usize = 256 * 1024;

/// A log below this size is never rewritten: the file system hands out blocks, not bytes.
const REWRITE_BYTES_MIN: u64 = 1024 * 1024;

/// A log is rewritten when it is this many times as large as what is live in it.
const REWRITE_FACTOR: u64 = 4;

/// Bytes that one read asks for while a log is read back.
const LOAD_BYTES: usize = 256 * 1024;

/// Body of a frame of the log's own: all frames before it were on the disk when it was written. Bodies of others begin
/// with a version, a position or a number, none of which is so large.
const DURABLE: &[u8] = b"\xff\xff\xff\xff\xff\xff\xff\xffdurable";

/// The same, followed by two positions: the frames between them stand again behind the second. Those before the first
/// do not, though the note that they were on the disk may be lost.
const AGAIN: &[u8] = b"\xff\xff\xff\xff\xff\xff\xff\xffagain";

/// Bytes of frames that are kept while a log is read, until it is known that they are on the disk.
const DOUBTFUL_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Appends a frame around `body`.
pub fn write_frame(body: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(&(body.len() as u32).to_le_bytes());
    out.extend_from_slice(&crc32fast::hash(body).to_le_bytes());
    out.extend_from_slice(body);
}

/// Whether a body is the log's own, and nobody's record.
pub fn is_mark(body: &[u8]) -> bool {
    body == DURABLE || body.starts_with(AGAIN)
}

/// What the start of some bytes is.
enum Frame {
    /// A frame of this many bytes, head included.
    Whole(usize),
    /// Perhaps the start of a frame: more bytes are needed to say.
    Short,
    /// No frame starts here.
    Bad,
}

fn frame_at(bytes: &[u8]) -> Frame {
    let word =
        |at: usize| bytes.get(at..at + 4).and_then(|b| <[u8; 4]>::try_from(b).ok()).map(u32::from_le_bytes);
    let (Some(length), Some(checksum)) = (word(0), word(4)) else { return Frame::Short };
    // An empty body has the checksum 0, so that a stretch of zeros would be a row of frames.
    if length == 0 || length as usize > FRAME_BODY_BYTES_MAX {
        return Frame::Bad;
    }
    let end = FRAME_HEAD_BYTES + length as usize;
    match bytes.get(FRAME_HEAD_BYTES..end) {
        None => Frame::Short,
        Some(body) if crc32fast::hash(body) == checksum => Frame::Whole(end),
        Some(_) => Frame::Bad,
    }
}

/// The log, open for appending.
pub struct RecordLog {
    fs: Arc<dyn Fs>,
    path: PathBuf,
    file: Box<dyn File>,
    size: u64,
    unsynced: bool,
    /// An append or a sync failed: what is on the disk is not known, so the next sync must be a rewrite.
    broken: bool,
}

impl RecordLog {
    /// Opens or makes the log and gives every whole frame to `each`, oldest first. Also returns what was wrong
    /// with the file, for people.
    pub fn open(
        fs: Arc<dyn Fs>,
        path: &Path,
        each: &mut dyn FnMut(&[u8]),
    ) -> io::Result<(Self, Vec<String>)> {
        Self::open_at(fs, path, &mut |_, frame| each(frame))
    }

    /// The same, with the place of each frame, from which [`RecordLog::frame`] reads it again.
    pub fn open_at(
        fs: Arc<dyn Fs>,
        path: &Path,
        each: &mut dyn FnMut(u64, &[u8]),
    ) -> io::Result<(Self, Vec<String>)> {
        let file = fs.open_append(path)?;
        let Loaded { end, mut warnings, doubtful } = load(&*file, path, each)?;
        let size = file.stat()?.size;
        if size > end {
            warnings.push(format!("{}: cut {} bytes of a torn last record", path.display(), size - end));
            file.truncate(end)?;
            file.sync()?;
        }
        // Its name as well: a rewrite whose process died after the rename need not be on the disk yet, and what this
        // log is believed for would go back to what it was before.
        if let Some(folder) = path.parent() {
            fs.sync_folder(folder)?;
        }
        let mut log = Self { fs, path: path.into(), file, size: end, unsynced: false, broken: false };
        log.write_again(&doubtful, each)?;
        Ok((log, warnings))
    }

    /// Writes frames again that may only be in the kernel's cache: the process that wrote them died before it knew them
    /// to be on the disk, and after an fsync that failed they never will be, though they can be read. Whoever opens the
    /// log believes them from here on.
    fn write_again(&mut self, frames: &[(u64, Vec<u8>)], each: &mut dyn FnMut(u64, &[u8])) -> io::Result<()> {
        let Some((first, _)) = frames.first() else { return Ok(()) };
        let start = self.size;
        let mut bytes = frames.iter().flat_map(|(_, frame)| frame).copied().collect::<Vec<_>>();
        let mut again = AGAIN.to_vec();
        again.extend_from_slice(&first.to_le_bytes());
        again.extend_from_slice(&start.to_le_bytes());
        write_frame(&again, &mut bytes);
        self.append(&bytes)?;
        self.sync()?;
        let mut at = start;
        for (_, frame) in frames {
            each(at, frame);
            at += frame.len() as u64;
        }
        Ok(())
    }

    /// Reads a log without opening it for writing, also while another process appends: every whole frame goes to
    /// `each`, oldest first, and what could not be read is described.
    pub fn read(fs: &dyn Fs, path: &Path, each: &mut dyn FnMut(&[u8])) -> io::Result<Vec<String>> {
        let file = fs.open(path)?;
        let loaded = load(&*file, path, &mut |_, frame| each(frame))?;
        loaded.doubtful.iter().for_each(|(_, frame)| each(frame));
        Ok(loaded.warnings)
    }

    /// Reads a frame again: its place and length are those of when it was appended or loaded.
    pub fn frame(&self, at: u64, len: u32) -> io::Result<Vec<u8>> {
        read_frame(&*self.file, &self.path, at, len)
    }

    /// Frames as they are now, also while the log is being rewritten.
    pub fn frames(&self) -> io::Result<Frames> {
        Ok(Frames { file: self.fs.open(&self.path)?, path: self.path.clone() })
    }

    /// Appends whole frames. After an error the file is as it was, or will be written anew.
    pub fn append(&mut self, frames: &[u8]) -> io::Result<()> {
        if frames.is_empty() {
            return Ok(());
        }
        self.unsynced = true;
        if let Err(error) = self.file.append(frames) {
            self.broken |= self.file.truncate(self.size).is_err();
            return Err(error);
        }
        self.size += frames.len() as u64;
        Ok(())
    }

    /// Makes what was appended durable. Nothing is written when nothing was appended.
    pub fn sync(&mut self) -> io::Result<()> {
        if !self.unsynced {
            return Ok(());
        }
        // After a failed fsync the kernel may have dropped the pages, and a second one succeeds without them.
        self.file.sync().inspect_err(|_| self.broken = true)?;
        self.unsynced = false;
        self.mark();
        Ok(())
    }

    /// Notes that all before is on the disk. The note itself need not be: without it frames are written again.
    fn mark(&mut self) {
        let mut mark = Vec::new();
        write_frame(DURABLE, &mut mark);
        match self.file.append(&mark) {
            Ok(()) => self.size += mark.len() as u64,
            Err(_) => self.broken |= self.file.truncate(self.size).is_err(),
        }
    }

    /// Whether something that was appended is not durable yet.
    pub fn is_unsynced(&self) -> bool {
        self.unsynced || self.broken
    }

    /// Bytes in the file.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Whether the file must be written anew: it grew too large for what is live in it, or it is not sound.
    pub fn wants_rewrite(&self, live_bytes: u64) -> bool {
        self.broken
            || (self.size > REWRITE_BYTES_MIN && self.size > live_bytes.saturating_mul(REWRITE_FACTOR))
    }

    /// Replaces the content: written aside, fsynced, renamed over the log, folder fsynced.
    pub fn rewrite(&mut self, frames: &mut dyn Iterator<Item = Vec<u8>>) -> io::Result<()> {
        self.rewrite_from(&mut frames.map(Ok))
    }

    /// The same with frames that are read from this log; one that cannot be leaves it as it is.
    pub fn rewrite_from(&mut self, frames: &mut dyn Iterator<Item = io::Result<Vec<u8>>>) -> io::Result<()> {
        let mut name = self.path.clone().into_os_string();
        name.push(".new");
        let aside = PathBuf::from(name);
        let file = self.fs.open_append(&aside)?;
        file.truncate(0)?;
        let mut size = 0;
        let mut pending = Vec::new();
        for frame in frames {
            pending.extend_from_slice(&frame?);
            if pending.len() >= LOAD_BYTES {
                file.append(&pending)?;
                size += pending.len() as u64;
                pending.clear();
            }
        }
        file.append(&pending)?;
        size += pending.len() as u64;
        file.sync()?;
        self.fs.rename(&aside, &self.path)?;
        if let Some(folder) = self.path.parent() {
            self.fs.sync_folder(folder)?;
        }
        (self.file, self.size, self.unsynced, self.broken) = (file, size, false, false);
        self.mark();
        Ok(())
    }
}

/// The frames of a log as it was at some time.
pub struct Frames {
    file: Box<dyn File>,
    path: PathBuf,
}

impl Frames {
    /// Reads a frame again.
    pub fn frame(&self, at: u64, len: u32) -> io::Result<Vec<u8>> {
        read_frame(&*self.file, &self.path, at, len)
    }
}

fn read_frame(file: &dyn File, path: &Path, at: u64, len: u32) -> io::Result<Vec<u8>> {
    let mut frame = vec![0; len as usize];
    let mut filled = 0;
    while filled < frame.len() {
        match file.read_at(at + filled as u64, &mut frame[filled..])? {
            0 => break,
            read => filled += read,
        }
    }
    match frame_at(&frame) {
        Frame::Whole(whole) if whole == frame.len() => Ok(frame),
        _ => Err(io::Error::other(format!("{}: the record at {at} is damaged", path.display()))),
    }
}

/// What is in a log.
struct Loaded {
    /// Where the last whole frame ends.
    end: u64,
    /// What was wrong with the file, for people.
    warnings: Vec<String>,
    /// The last frames with their places, which were not given away: nothing says that they are on the disk.
    doubtful: Vec<(u64, Vec<u8>)>,
}

/// Frames, until something says that they are on the disk.
struct Doubtful<'a> {
    frames: Vec<(u64, Vec<u8>)>,
    bytes: usize,
    each: &'a mut dyn FnMut(u64, &[u8]),
}

impl Doubtful<'_> {
    fn take(&mut self, at: u64, frame: &[u8]) {
        let body = frame.get(FRAME_HEAD_BYTES..).unwrap_or(&[]);
        if body == DURABLE {
            return self.give();
        }
        if let Some((first, rest)) = body.strip_prefix(AGAIN).and_then(|again| again.split_first_chunk())
            && let Some(start) = rest.first_chunk()
        {
            let replaced = u64::from_le_bytes(*first)..u64::from_le_bytes(*start);
            return self.frames.retain(|(at, _)| !replaced.contains(at));
        }
        self.bytes += frame.len();
        self.frames.push((at, frame.to_vec()));
        // More than any one fsync is for: a log of before there were marks.
        if self.bytes > DOUBTFUL_BYTES_MAX {
            self.give();
        }
    }

    fn give(&mut self) {
        self.bytes = 0;
        for (at, frame) in self.frames.drain(..) {
            (self.each)(at, &frame);
        }
    }
}

/// Reads all frames, and gives those to `each` that are known to be on the disk.
fn load(file: &dyn File, path: &Path, each: &mut dyn FnMut(u64, &[u8])) -> io::Result<Loaded> {
    let mut warnings = Vec::new();
    let mut doubtful = Doubtful { frames: Vec::new(), bytes: 0, each };
    let mut bytes: Vec<u8> = Vec::new();
    // `start` is the position of `bytes[0]`; `at` is where the next frame is looked for.
    let (mut start, mut at, mut end) = (0u64, 0usize, 0u64);
    let mut more = true;
    loop {
        match frame_at(bytes.get(at..).unwrap_or(&[])) {
            Frame::Whole(length) => {
                let here = start + at as u64;
                if here > end {
                    warnings.push(format!(
                        "{}: skipped {} damaged bytes at {end}",
                        path.display(),
                        here - end
                    ));
                }
                doubtful.take(here, &bytes[at..at + length]);
                at += length;
                end = start + at as u64;
            }
            Frame::Short if more => {
                bytes.drain(..at);
                start += at as u64;
                at = 0;
                let filled = bytes.len();
                bytes.resize(filled + LOAD_BYTES, 0);
                let read = file.read_at(start + filled as u64, &mut bytes[filled..])?;
                bytes.truncate(filled + read);
                more = read > 0;
            }
            // A length that reaches past the end of the file may be damage with whole frames behind it.
            Frame::Short | Frame::Bad if at < bytes.len() => at += 1,
            Frame::Short | Frame::Bad => return Ok(Loaded { end, warnings, doubtful: doubtful.frames }),
        }
    }
}
