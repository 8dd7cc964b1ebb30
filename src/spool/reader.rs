//! Reads a spool back from disk, in order, around whatever is damaged.

use std::io;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use super::record::{Found, record_at};
use super::segment::{self, Chunk};
use crate::limits::{READ_BLOCK_BYTES, SPOOL_READS_MAX};
use crate::seam::{File, Fs};

/// The part of a file that counts as damaged when it cannot be read at all.
const SECTOR_BYTES: usize = 4096;

/// What a step of a reader gives.
#[derive(Debug)]
pub enum Step {
    /// Whole records, in order. The first may begin before where the reader was told to begin.
    Chunk(Chunk),
    /// Bytes that are no records.
    Damage(Damage),
    /// Positions for which there is no record: a segment was removed.
    Gone(Range<u64>),
    /// Nothing more, for now.
    End,
}

/// A stretch of a segment that holds no records, and what it has cost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The segment.
    pub segment: u64,
    /// The bytes of its file.
    pub bytes: Range<u64>,
    /// The positions that are lost; empty where it was a record without data.
    pub lost: Range<u64>,
}

struct Open {
    file: Box<dyn File>,
    first: u64,
    /// Where the next record begins in the file.
    offset: u64,
    /// Where it ends: its successor's first position, if it has one.
    stop: Option<u64>,
}

/// A reader at a position of a spool.
pub struct Reader {
    fs: Arc<dyn Fs>,
    folder: PathBuf,
    /// Everything below has been given.
    next: u64,
    open: Option<Open>,
    /// The last segment that was read to its end.
    done: Option<u64>,
    /// How often in a row a read has failed.
    failed: u32,
}

/// What a block begins with, beyond the records that were taken from it.
enum Rest {
    /// The end of the file, or of what counts in it.
    End,
    /// Bytes that are no record.
    Bad,
    /// A record that is longer than the block.
    Long(usize),
    /// A record of a later position than the next one.
    Later(u64),
    /// More records.
    More,
}

impl Reader {
    /// A reader that begins at a position, in the folder of a spool.
    pub fn new(fs: Arc<dyn Fs>, folder: PathBuf, from: u64) -> Self {
        Self { fs, folder, next: from, open: None, done: None, failed: 0 }
    }

    /// Everything below was given, or is lost.
    pub fn next(&self) -> u64 {
        self.next
    }

    /// Where the next record would begin in the file that is open.
    pub(super) fn offset(&self) -> u64 {
        self.open.as_ref().map_or(0, |open| open.offset)
    }

    /// The next records below `until`, and those without data up to it. An error may pass: what cannot be read after
    /// some tries counts as damage.
    pub fn step(&mut self, until: u64) -> io::Result<Step> {
        let step = self.try_step(until);
        self.failed = if step.is_err() { self.failed + 1 } else { 0 };
        step
    }

    fn try_step(&mut self, until: u64) -> io::Result<Step> {
        let mut wanted = READ_BLOCK_BYTES;
        loop {
            let mut open = match self.open.take() {
                Some(open) => open,
                None => match self.open_next(until)? {
                    Ok(open) => open,
                    Err(step) => return Ok(step),
                },
            };
            if open.stop.is_none() {
                // What a segment holds beyond its successor's first position does not count.
                let segments = segment::list(&*self.fs, &self.folder);
                open.stop =
                    segments.iter().flatten().map(|segment| segment.first).find(|first| *first > open.first);
            }
            match self.from(&mut open, &mut wanted, until) {
                Ok(Some(step)) => {
                    self.open = Some(open);
                    return Ok(step);
                }
                Ok(None) if open.stop.is_some_and(|stop| self.next >= stop) => self.done = Some(open.first),
                Ok(None) => self.open = Some(open),
                Err(error) => {
                    self.open = Some(open);
                    return Err(error);
                }
            }
        }
    }

    /// Reads on in a segment; `None` to be asked again, or where it has been read to its end.
    fn from(&mut self, open: &mut Open, wanted: &mut usize, until: u64) -> io::Result<Option<Step>> {
        let bytes = self.read(&*open.file, open.offset, *wanted)?;
        let ended = bytes.len() < *wanted;
        let limit = open.stop.map_or(until, |stop| stop.min(until));
        let (start, end, next, rest) = take(&bytes, self.next, limit, ended);
        if end > start {
            let mut bytes = bytes;
            bytes.truncate(end);
            self.next = next;
            open.offset += end as u64;
            return Ok(Some(Step::Chunk(Chunk::new(bytes, start))));
        }
        open.offset += end as u64;
        match rest {
            Rest::More => Ok(None),
            Rest::Long(needed) => {
                *wanted = needed.max(*wanted);
                Ok(None)
            }
            Rest::Later(position) => {
                let gone = self.next..position;
                self.next = position;
                Ok(Some(Step::Gone(gone)))
            }
            _ if open.stop.is_some_and(|stop| self.next >= stop) => Ok(None),
            Rest::End
                if open.stop.is_some_and(|stop| stop <= until) || self.next < until && until < u64::MAX =>
            {
                self.lost(open, until)
            }
            Rest::End => Ok(Some(Step::End)),
            Rest::Bad if self.next >= until => Ok(Some(Step::End)),
            Rest::Bad => self.lost(open, until),
        }
    }

    fn lost(&mut self, open: &mut Open, until: u64) -> io::Result<Option<Step>> {
        if open.offset >= open.file.stat()?.size {
            let gone = self.next..open.stop.unwrap_or(until).min(until).max(self.next);
            self.next = gone.end;
            return Ok(Some(Step::Gone(gone)));
        }
        let Some(damage) = self.damage(open, until)? else { return Ok(Some(Step::End)) };
        open.offset = damage.bytes.end;
        self.next = self.next.max(damage.lost.end);
        Ok(Some(Step::Damage(damage)))
    }

    /// Opens the segment that holds the next position, or says why there is none.
    fn open_next(&mut self, until: u64) -> io::Result<Result<Open, Step>> {
        loop {
            let segments = segment::list(&*self.fs, &self.folder)?;
            let after = segments.partition_point(|segment| segment.first <= self.next);
            let holds = after.checked_sub(1).and_then(|at| segments.get(at));
            let first = match (holds, segments.get(after)) {
                (Some(holds), _) if self.done != Some(holds.first) => holds.first,
                (_, Some(later)) if later.first < until => {
                    let gone = self.next..later.first;
                    self.next = later.first;
                    return Ok(Err(Step::Gone(gone)));
                }
                _ => return Ok(Err(Step::End)),
            };
            match self.fs.open(&segment::path(&self.folder, first)) {
                Ok(file) => return Ok(Ok(Open { file, first, offset: 0, stop: None })),
                // Removed since it was listed: look again.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Reads so many bytes of a file; fewer only at its end.
    fn read(&self, file: &dyn File, offset: u64, wanted: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; wanted];
        let mut filled = 0;
        while filled < wanted {
            let at = offset + filled as u64;
            match file.read_at(at, &mut bytes[filled..]) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if self.failed < SPOOL_READS_MAX => return Err(error),
                Err(_) => match self.read_sector(file, at, &mut bytes[filled..])? {
                    0 => break,
                    read => filled += read,
                },
            }
        }
        bytes.truncate(filled);
        Ok(bytes)
    }

    /// Reads what can be read where a larger read fails; what cannot is zeros, which are no record.
    fn read_sector(&self, file: &dyn File, at: u64, bytes: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(file.stat()?.size.saturating_sub(at)).unwrap_or(usize::MAX);
        let len = bytes.len().min(SECTOR_BYTES).min(left);
        let sector = &mut bytes[..len];
        Ok(file.read_at(at, sector).unwrap_or_else(|_| {
            sector.fill(0);
            len
        }))
    }

    /// Looks for the next record behind bytes that are none. `None` where those are the torn end of the newest segment.
    fn damage(&mut self, open: &Open, until: u64) -> io::Result<Option<Damage>> {
        let highest = open.stop.unwrap_or(u64::MAX);
        let (mut from, mut wanted) = (open.offset + 1, READ_BLOCK_BYTES);
        loop {
            let bytes = self.read(&*open.file, from, wanted)?;
            let ended = bytes.len() < wanted;
            let (mut at, mut needed) = (0, 0);
            while at < bytes.len() {
                match record_at(&bytes[at..]) {
                    Found::Whole(record) if (self.next..=highest).contains(&record.position) => {
                        let (end, lost) = (from + at as u64, self.next..record.position);
                        return Ok(Some(Damage { segment: open.first, bytes: open.offset..end, lost }));
                    }
                    Found::Short(short) if !ended => {
                        needed = short;
                        break;
                    }
                    _ => at += 1,
                }
            }
            from += at as u64;
            if ended {
                let lost = match open.stop {
                    Some(stop) => self.next..stop,
                    None if until == u64::MAX => return Ok(None),
                    None => self.next..until,
                };
                return Ok(Some(Damage { segment: open.first, bytes: open.offset..from, lost }));
            }
            wanted = READ_BLOCK_BYTES.max(needed);
        }
    }
}

/// Walks over the records at the start of a block: from where to where they are to be given, the position after them,
/// and what follows.
fn take(bytes: &[u8], mut next: u64, limit: u64, ended: bool) -> (usize, usize, u64, Rest) {
    let (mut start, mut at) = (0, 0);
    loop {
        let record = match record_at(bytes.get(at..).unwrap_or_default()) {
            Found::Whole(record) => record,
            Found::Bad => return (start, at, next, Rest::Bad),
            Found::Short(_) if ended && at == bytes.len() => return (start, at, next, Rest::End),
            Found::Short(_) if ended => return (start, at, next, Rest::Bad),
            Found::Short(_) if at > 0 => return (start, at, next, Rest::More),
            Found::Short(needed) => return (start, at, next, Rest::Long(needed)),
        };
        let is_data = record.kind.is_data();
        let is_old = if is_data { record.end() <= next } else { record.position < next };
        if record.position > next && limit > next {
            return (start, at, next, Rest::Later(record.position.min(limit)));
        }
        if record.position > limit || (is_data && record.position == limit) {
            return (start, at, next, Rest::End);
        }
        at += record.frame_bytes;
        if is_old && start + record.frame_bytes == at {
            start = at;
        } else {
            next = next.max(record.end());
        }
    }
}
