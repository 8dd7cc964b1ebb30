//! Bytes of a file whose last name is gone, copied at once: until they are settled, only a descriptor holds them, and
//! that goes with the process.
//!
//! In: a tail that has no name any more. Out: a file in `DATA_DIR/spool/SOURCE/orphans/`, of checksummed blocks (each a
//! frame of [`RecordLog`]: position, bytes), fsynced; after a restart, a [`File`] in which the stream goes on at its own
//! positions. It is removed when all of it is settled.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::copies::Opened;
use super::identity::{Cut, Print, Record, StreamKey, TAIL_BYTES};
use super::state::Files;
use super::table::Key;
use crate::position::StreamId;
use crate::seam::{
    FRAME_BODY_BYTES_MAX, FRAME_HEAD_BYTES, File, FileId, FileKind, FileStat, Fs, HashMap, RecordLog,
    is_mark, write_frame,
};
use crate::source::Notice;

/// Bytes of one block, its position excluded.
const BLOCK_BYTES: usize = FRAME_BODY_BYTES_MAX - POSITION_BYTES;

const POSITION_BYTES: usize = 8;

const CAUSE_FULL: &str = "removed, and more than the spool for removed files may hold";

/// The copy of a tail's bytes.
pub(super) struct Saved {
    log: RecordLog,
    /// All before was copied.
    pub(super) end: u64,
    bytes: u64,
    /// More would go over the bound.
    full: bool,
}

/// Where the copy of a stream is.
pub(super) fn path_of(folder: &Path, key: StreamKey) -> PathBuf {
    folder.join(format!("{}-{}", key.0, key.1))
}

/// The copies that are there, by stream.
pub(super) fn found(fs: &dyn Fs, folder: &Path) -> HashMap<StreamKey, PathBuf> {
    let key = |path: &Path| {
        let (stream, generation) = path.file_name()?.to_str()?.split_once('-')?;
        Some((StreamId(u64::from_str_radix(stream, 16).ok()?), generation.parse().ok()?))
    };
    let paths = fs.list(folder).unwrap_or_default().into_iter();
    let files = paths.filter(|(_, kind)| *kind == FileKind::File);
    files.filter_map(|(path, _)| Some((key(&path)?, path))).collect()
}

impl Files {
    /// The last name of a tail's file is gone: what is not settled of it is copied.
    pub(super) fn save(&mut self, key: Key, stat: &FileStat) {
        let now = self.now;
        let Some(tail) = self.table.get(key) else { return };
        let copied = tail.saved.as_ref().map_or(tail.low, |saved| saved.end);
        let done = copied.max(tail.low) >= stat.size || tail.saved.as_ref().is_some_and(|saved| saved.full);
        if stat.links > 0 || tail.is_orphan || done || tail.save_at > now {
            return;
        }
        if let Err(error) = self.copy(key) {
            if let Some(tail) = self.table.get(key) {
                tail.save_at = now + super::turn::RETRY;
            }
            let folder = self.orphans.display().to_string();
            self.warn(format!("{folder}: {error}; a removed file is read on, but not copied"));
        }
    }

    fn copy(&mut self, key: Key) -> io::Result<()> {
        let max = self.config.orphan_bytes;
        let Some(tail) = self.table.get(key) else { return Ok(()) };
        let (stream, from) = (tail.key(), tail.restarts.before(tail.low).unwrap_or(tail.low));
        let Some(file) = tail.file.clone() else { return Ok(()) };
        let mut saved = match tail.saved.take() {
            Some(saved) => *saved,
            None => {
                self.world.fs.make_folder(&self.orphans)?;
                let path = path_of(&self.orphans, stream);
                let (mut log, _) = RecordLog::open(self.world.fs.clone(), &path, &mut |_| {})?;
                // Of an earlier try that failed.
                if log.size() > 0 {
                    log.rewrite(&mut std::iter::empty())?;
                }
                Saved { log, end: from, bytes: 0, full: false }
            }
        };
        let mut room = max.saturating_sub(self.orphan_bytes);
        let copied = saved.copy(&*file, &mut room);
        self.orphan_bytes = max.saturating_sub(room).max(self.orphan_bytes);
        let Some(tail) = self.table.get(key) else { return Ok(()) };
        let (full, path) = (saved.full, tail.path.display().to_string());
        tail.sound = tail.sound.max(saved.end);
        tail.saved = Some(Box::new(saved));
        // How far it reaches is known after a crash, and what is missing.
        let record = tail.record();
        self.log.put(record, true);
        if full {
            self.warn(format!("{path}: {CAUSE_FULL}; what is left of it would be lost with this process"));
        }
        copied
    }

    /// Goes on with a stream in the copy of what was not settled of it. Whether there is one.
    pub(super) fn adopt_orphan(&mut self, record: &Record, cuts: &[Cut]) -> io::Result<bool> {
        let key = (record.stream, record.generation);
        let Some(path) = self.orphans_found.get(&key).cloned() else { return Ok(false) };
        // The process that wrote it may have died before it was on the disk.
        self.world.fs.open_append(&path)?.sync()?;
        self.world.fs.sync_folder(&self.orphans)?;
        let file: Arc<dyn File> = Arc::from(self.world.fs.open(&path)?);
        let orphan = Orphan::open(file, record.id)?;
        let resumed = self.resume.position(record.stream, record.generation);
        let low = resumed.unwrap_or(record.from).max(record.from);
        let Some(first) = orphan.blocks.first().map(|block| block.position).filter(|first| *first <= low)
        else {
            return Ok(false);
        };
        let (end, bytes) = (orphan.end, orphan.bytes);
        let mut record = record.clone();
        // A crash between the copy and its record: the copy begins where framing could begin, too.
        if record.frame_from(low).0 < first {
            record.clean = Some(first);
        }
        let stat = orphan.stat()?;
        let mut tail = self.tail_of(&record, cuts, &stat, &record.path, low);
        (tail.packing, tail.is_orphan, tail.leaving) = (None, true, Some(self.now));
        // As much of it as the copy has: a file that turns up must have held the same.
        let known = tail.position.saturating_sub(first).min(TAIL_BYTES);
        tail.tail = Print::before(&orphan, tail.position, known)?;
        tail.goal = self.finishing.is_some().then_some(end);
        self.orphan_bytes += bytes;
        self.orphans_found.remove(&key);
        if record.size > end {
            let (stream, start) = (tail.stream.clone(), end.max(low));
            self.notices.push(Notice::Gap { stream, start, end: Some(record.size), cause: CAUSE_FULL });
        }
        self.log.put(tail.record(), true);
        let number = self.table.add(tail);
        self.table.hold(number, Opened::new(Arc::new(orphan), None));
        self.table.queue(number);
        Ok(true)
    }

    /// A stream is settled: its copy is not needed any more.
    pub(super) fn remove_orphan(&mut self, key: StreamKey, bytes: u64) {
        let path = path_of(&self.orphans, key);
        self.orphan_bytes = self.orphan_bytes.saturating_sub(bytes);
        if let Err(error) = self.world.fs.remove(&path)
            && error.kind() != io::ErrorKind::NotFound
        {
            self.warn(format!("{}: {error}", path.display()));
        }
    }

    /// Copies of streams that are not known any more: they were settled, and the process died before it removed them.
    pub(super) fn remove_stale_orphans(&mut self) {
        for (key, _) in std::mem::take(&mut self.orphans_found) {
            if !self.log.is_known(key) {
                self.remove_orphan(key, 0);
            }
        }
    }
}

impl Saved {
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Copies what is there behind what was copied, as long as there is room.
    fn copy(&mut self, file: &dyn File, room: &mut u64) -> io::Result<()> {
        let mut block = vec![0; BLOCK_BYTES];
        loop {
            let part = block.len().min(usize::try_from(*room).unwrap_or(usize::MAX));
            let mut filled = 0;
            while filled < part {
                match file.read_at(self.end + filled as u64, &mut block[filled..part])? {
                    0 => break,
                    read => filled += read,
                }
            }
            if filled == 0 {
                self.full = *room == 0 && file.read_at(self.end, &mut [0])? > 0;
                return self.log.sync();
            }
            let mut body = Vec::with_capacity(POSITION_BYTES + filled);
            body.extend_from_slice(&self.end.to_le_bytes());
            body.extend_from_slice(&block[..filled]);
            let mut frame = Vec::with_capacity(FRAME_HEAD_BYTES + body.len());
            write_frame(&body, &mut frame);
            self.log.append(&frame)?;
            self.end += filled as u64;
            self.bytes += filled as u64;
            *room -= filled as u64;
        }
    }
}

#[derive(Clone, Copy)]
struct Block {
    position: u64,
    /// Where its bytes are in the file.
    at: u64,
    len: u64,
}

/// A copy that is read: the file that it was made of, from some position on.
struct Orphan {
    inner: Arc<dyn File>,
    id: FileId,
    blocks: Vec<Block>,
    end: u64,
    bytes: u64,
}

impl Orphan {
    /// Looks at all of it; what is behind a damaged block is not used.
    fn open(inner: Arc<dyn File>, id: FileId) -> io::Result<Self> {
        let mut orphan = Self { inner, id, blocks: Vec::new(), end: 0, bytes: 0 };
        let mut at = 0;
        while let Some(body) = orphan.frame(at)? {
            if is_mark(&body) {
                at += (FRAME_HEAD_BYTES + body.len()) as u64;
                continue;
            }
            let Some((position, bytes)) = body.split_first_chunk::<POSITION_BYTES>() else { break };
            let position = u64::from_le_bytes(*position);
            if !orphan.blocks.is_empty() && position != orphan.end {
                break;
            }
            let len = bytes.len() as u64;
            let start = at + (FRAME_HEAD_BYTES + POSITION_BYTES) as u64;
            orphan.blocks.push(Block { position, at: start, len });
            orphan.end = position + len;
            orphan.bytes += len;
            at = start + len;
        }
        Ok(orphan)
    }

    /// The body of the frame at a place, if it is sound.
    fn frame(&self, at: u64) -> io::Result<Option<Vec<u8>>> {
        let Some(head) = read_exactly(&*self.inner, at, FRAME_HEAD_BYTES)? else { return Ok(None) };
        let word =
            |at: usize| head.get(at..at + 4).and_then(|word| word.try_into().ok()).map(u32::from_le_bytes);
        let (Some(len), Some(crc)) = (word(0), word(4)) else { return Ok(None) };
        if len as usize > FRAME_BODY_BYTES_MAX {
            return Ok(None);
        }
        let body = read_exactly(&*self.inner, at + FRAME_HEAD_BYTES as u64, len as usize)?;
        Ok(body.filter(|body| crc32fast::hash(body) == crc))
    }
}

fn read_exactly(file: &dyn File, at: u64, len: usize) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = vec![0; len];
    let mut filled = 0;
    while filled < len {
        match file.read_at(at + filled as u64, &mut bytes[filled..])? {
            0 => return Ok(None),
            read => filled += read,
        }
    }
    Ok(Some(bytes))
}

impl File for Orphan {
    fn read_at(&self, position: u64, buffer: &mut [u8]) -> io::Result<usize> {
        if position >= self.end {
            return Ok(0);
        }
        let number = self.blocks.partition_point(|block| block.position <= position);
        let Some(block) = number.checked_sub(1).and_then(|at| self.blocks.get(at)) else {
            // It will never be there, which is not a failure that passes.
            let gone = "before what was copied of a removed file";
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, gone));
        };
        let within = position - block.position;
        let len = (block.len - within).min(buffer.len() as u64) as usize;
        self.inner.read_at(block.at + within, &mut buffer[..len])
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

    fn stat(&self) -> io::Result<FileStat> {
        Ok(FileStat { id: self.id, size: self.end, links: 0, ..self.inner.stat()? })
    }
}
