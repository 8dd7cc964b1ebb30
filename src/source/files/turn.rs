//! One tail's turn: one block is read, framed, and put into the batch.

use std::io;
use std::ops::Range;
use std::time::Duration;

use super::copies::Opened;
use super::identity::{Cut, HEAD_BYTES};
use super::output::{Buffers, Output, next_block};
use super::packed::End;
use super::state::Files;
use super::table::Key;
use super::tail::{Life, Tail};
use crate::frame::{Block, Fetch, Framed, Framer, Lanes};
use crate::limits::READ_BLOCK_BYTES;
use crate::seam::{File, FileStat};

/// After a file could not be read, when to try again.
pub(super) const RETRY: Duration = Duration::from_secs(1);

/// Cuts by time are made on this grid, so that one fsync serves many streams.
const CUT_GRID_MS: u64 = 200;

/// How long a file whose last name is gone is watched for more bytes: it holds space on the disk.
const DELETED_WAIT: Duration = Duration::from_secs(10);

/// The same for a file that was renamed: programs go on writing until they are told to open the new one.
const RENAMED_WAIT: Duration = Duration::from_secs(300);

impl Files {
    /// Reads one block of a tail.
    pub(super) fn turn(&mut self, key: Key, output: &mut Output<'_>) {
        if !self.ensure_open(key) {
            return;
        }
        let now = self.now;
        let Some(tail) = self.table.get(key) else { return };
        let stat = match tail.look() {
            Ok((stat, true)) => stat,
            Ok((stat, false)) => return self.truncated(key, &stat),
            Err(error) => return self.trouble(key, &error),
        };
        if tail.packing.is_none() && stat.size > tail.sound {
            tail.grew = now;
        }
        (tail.size, tail.modified_ns) = (stat.size, stat.modified_ns);
        tail.sound = if tail.packing.is_some() { tail.scanned } else { stat.size };
        if tail.wants_head() {
            // What tells the file from a later one at its place is durable before anything read from it leaves.
            if let Err(error) = tail.learn_head() {
                return self.trouble(key, &error);
            }
            tail.head_kept = tail.head.len;
            let record = tail.record();
            self.log.put(record, true);
            return self.table.queue(key);
        }
        self.save(key, &stat);
        match self.read(key, output).and_then(|()| self.table.get(key).map_or(Ok(()), Tail::learn_head)) {
            Ok(()) => {
                self.table.count(key);
                self.touch(key);
                self.moved.push(key);
                self.after(key, stat.links);
            }
            Err(error) => self.trouble(key, &error),
        }
    }

    fn read(&mut self, key: Key, output: &mut Output<'_>) -> io::Result<()> {
        let now = self.now;
        let Self { table, buffers, .. } = self;
        let Some(tail) = table.get(key) else { return Ok(()) };
        tail.read(now, buffers, output)?;
        self.padding_bytes += tail.framer.take_padding();
        let lost = tail.framer.take_unreadable();
        tail.hand(&lost);
        for range in lost {
            self.gap(key, range.start, Some(range.end), "it could not be read again to be joined");
        }
        Ok(())
    }

    /// What comes next for a tail that had its turn.
    fn after(&mut self, key: Key, links: u64) {
        let (now, finishing) = (self.now, self.finishing == Some(true));
        let crowded = self.table.open >= self.open_max;
        let (line_wait, sweep) = (self.config.line_wait, self.config.sweep);
        let Some(tail) = self.table.get(key) else { return };
        tail.warned = false;
        if tail.has_more() || tail.cuts.front().is_some_and(|cut| cut.at <= tail.limit()) {
            return self.table.queue(key);
        }
        let (leaving, open) = (tail.leaving.is_some(), tail.holds_open());
        match tail.end() {
            Some(End::Damaged(_)) if !tail.damaged => {
                tail.damaged = true;
                let at = tail.scanned;
                self.gap(key, at, None, "the compressed file is damaged");
            }
            Some(End::Starved(_)) if self.table.is_waited_for() => self.table.close(key),
            _ => {}
        }
        let Some(tail) = self.table.get(key) else { return };
        if !leaving && !open && matches!(tail.end(), Some(End::Whole(_) | End::Damaged(_))) {
            return self.whole(key);
        }
        let quiet = tail.leaving.map(|since| {
            let wait = if crowded || finishing {
                Duration::ZERO
            } else if links == 0 {
                DELETED_WAIT
            } else {
                RENAMED_WAIT
            };
            since.max(tail.grew) + wait
        });
        let ends = finishing || quiet.is_some_and(|quiet| quiet <= now);
        if ends && tail.holds_open() {
            let at = tail.scanned;
            return self.cut(key, Cut { at, lanes: Lanes::ALL });
        }
        if quiet.is_some_and(|quiet| quiet <= now) {
            if matches!(tail.end(), Some(End::Starved(_))) {
                let at = tail.scanned;
                self.gap(key, at, None, "the compressed file ends in the middle");
            }
            return self.drained(key);
        }
        let line = (tail.scanned > tail.position).then(|| grid(tail.grew + line_wait));
        let open = tail.framer.deadline().map(grid);
        // Nothing tells of changes to a file that has no name.
        let again = quiet.map(|quiet| quiet.min(now + sweep));
        let next = [line, open, again].into_iter().flatten().min();
        self.table.set_timer(key, next);
    }

    /// A tail's timer has come.
    pub(super) fn time(&mut self, key: Key) {
        let (now, line_wait) = (self.now, self.config.line_wait);
        let Some(tail) = self.table.get(key) else { return };
        if tail.life != Life::Reading {
            return;
        }
        // Bytes that are there and were not looked at may end the line or go on with the message.
        let unseen =
            tail.file.as_ref().and_then(|file| file.stat().ok()).is_none_or(|stat| stat.size != tail.scanned);
        if !unseen && tail.scanned > tail.position && tail.grew + line_wait <= now {
            let at = tail.scanned;
            return self.cut(key, Cut { at, lanes: Lanes::ALL });
        }
        let lanes = tail.framer.due(now);
        if !unseen && !lanes.is_empty() {
            let at = tail.position;
            return self.cut(key, Cut { at, lanes });
        }
        self.table.queue(key);
    }

    /// Notes a cut that the bytes do not decide. It is durable before what it lets go leaves.
    fn cut(&mut self, key: Key, cut: Cut) {
        let Some(tail) = self.table.get(key) else { return };
        // What it lets go could not be read the first time: it is noted already. Twice, it would seem not to be done when it
        // was, and a catch-up read would leave to the tail what the tail has handed on.
        if !tail.cuts.contains(&cut) {
            tail.cuts.push_back(cut);
            let stream = tail.key();
            self.log.cut(stream, cut);
        }
        self.table.queue(key);
    }

    /// Opens a tail's file where it is closed.
    pub(super) fn ensure_open(&mut self, key: Key) -> bool {
        let Some(tail) = self.table.get(key) else { return false };
        if tail.life != Life::Reading {
            return false;
        }
        if tail.file.is_some() {
            return true;
        }
        let (id, path, packing) = (tail.id, tail.path.clone(), tail.packing);
        if packing.is_some() && !self.may_unpack(key) {
            return false;
        }
        self.table.make_room(self.open_max);
        let same = |opened: Opened| Ok((opened.file.stat()?.id == id, opened));
        let opened = match self.open_as(&path, packing).and_then(same) {
            Ok((true, opened)) => Ok(Some((opened, path))),
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => match self.table.get(key).map(|tail| tail.record()) {
                Some(record) => self.find_by_id(&record, packing),
                None => return false,
            },
        };
        let (opened, path) = match opened {
            Ok(Some(opened)) => opened,
            Ok(None) => {
                self.gone(key);
                return false;
            }
            Err(error) => {
                self.trouble(key, &error);
                return false;
            }
        };
        if let Some(tail) = self.table.get(key) {
            tail.path = path;
        }
        self.table.hold(key, opened);
        true
    }

    /// A file cannot be read now; it is tried again.
    pub(super) fn trouble(&mut self, key: Key, error: &io::Error) {
        if error.raw_os_error() == Some(rustix::io::Errno::MFILE.raw_os_error()) {
            self.open_max = (self.table.open / 2).max(8);
        }
        let now = self.now;
        let Some(tail) = self.table.get(key) else { return };
        tail.warned = true;
        let warning = format!("{}: {error}", tail.path.display());
        self.table.set_timer(key, Some(now + RETRY));
        self.warn(warning);
    }

    /// Everything that is there now is to be read, and no more.
    pub(super) fn set_goals(&mut self) {
        for key in self.table.keys() {
            if let Some(tail) = self.table.get(key) {
                tail.goal = Some(tail.all_there(tail.size));
                self.table.queue(key);
            }
        }
    }

    /// Whether every tail has reached its goal, or cannot.
    pub(super) fn all_read(&mut self) -> bool {
        self.table.keys().into_iter().all(|key| {
            self.table.get(key).is_none_or(|tail| {
                tail.life != Life::Reading || tail.warned || !(tail.has_more() || tail.holds_open())
            })
        })
    }
}

impl Tail {
    /// Reads a block, up to the next cut, and frames it.
    pub(super) fn read(
        &mut self,
        now: Duration,
        buffers: &mut Buffers,
        output: &mut Output<'_>,
    ) -> io::Result<()> {
        if self.cuts.front().is_some_and(|cut| cut.at <= self.position) {
            if let Some(cut) = self.cuts.front().copied().filter(|cut| cut.at == self.position) {
                self.cut_here(cut, buffers, output)?;
            }
            self.cuts.pop_front();
            return Ok(());
        }
        let cut = self.cuts.front().filter(|cut| cut.at <= self.limit()).copied();
        let limit = cut.map_or_else(|| self.limit(), |cut| cut.at);
        let (start, fresh) = (self.position, self.scanned.min(limit));
        let end = limit.min(fresh + self.block as u64);
        let last = cut.is_some_and(|cut| cut.at == end && cut.lanes == Lanes::ALL);
        if fresh > start && !last {
            // An unfinished line is not read again for each few bytes that are added to it.
            let more = read_range(self.file.as_deref(), fresh..end, vec![0; (end - fresh) as usize])?;
            if !self.framer.may_end(&more) && end - start < READ_BLOCK_BYTES as u64 {
                self.scanned = fresh + more.len() as u64;
                self.learn_unfinished(&more);
                return Ok(());
            }
        }
        let buffer = buffers.take((end - start) as usize);
        let mut bytes = read_range(self.file.as_deref(), start..end, buffer)?;
        let last = last && bytes.len() as u64 == end - start;
        let first = output.len();
        let mut ranges = Vec::new();
        let buffer = output.buffer();
        let mut taken = 0;
        // What the end of a block lets go is read again, even where it came with this block.
        let holds = last || self.framer.may_fetch();
        self.framing(holds, output, &mut ranges, |framer, fetch, framed| {
            let block = Block { position: start, bytes: &bytes, buffer, last, now, fetch: &mut *fetch };
            taken = framer.frame(block, framed);
            if last {
                framer.finish(fetch, framed);
            }
        })?;
        self.scanned = start + bytes.len() as u64;
        self.position = start + taken as u64;
        self.block = next_block(self.block, output.len() - first);
        self.learn_unfinished(&bytes);
        bytes.truncate(taken);
        if taken > 0 {
            self.learn_tail(&bytes);
        }
        if last {
            self.cuts.pop_front();
        }
        self.give(first, ranges, bytes, buffers, output);
        Ok(())
    }

    /// Hands on what came of a block: the messages from number `first` on.
    fn give(
        &mut self,
        first: u32,
        ranges: Vec<Range<u64>>,
        block: Vec<u8>,
        buffers: &mut Buffers,
        output: &mut Output<'_>,
    ) {
        self.note_restart(output.since(first));
        output.drop_before(self.from, first);
        self.hand(&ranges);
        output.push(self, first, ranges, block, buffers);
    }

    /// Lets go what is open where time made a cut.
    fn cut_here(&mut self, cut: Cut, buffers: &mut Buffers, output: &mut Output<'_>) -> io::Result<()> {
        let first = output.len();
        let mut ranges = Vec::new();
        self.framing(true, output, &mut ranges, |framer, fetch, framed| {
            framer.end(cut.lanes, fetch, framed)
        })?;
        self.give(first, ranges, Vec::new(), buffers, output);
        Ok(())
    }

    /// Lets the framer work; `holds` where it may ask for bytes. Where an open message cannot be read again just now, all is as it was before: it is
    /// not lost until the file no longer has it.
    fn framing(
        &mut self,
        holds: bool,
        output: &mut Output<'_>,
        ranges: &mut Vec<Range<u64>>,
        work: impl FnOnce(&mut Framer, Fetch<'_>, &mut Framed<'_>),
    ) -> io::Result<()> {
        let first = output.len();
        let (messages, joined) = output.messages();
        let joined_before = joined.len();
        let Tail { file, framer, .. } = self;
        let before = holds.then(|| framer.clone());
        let mut failed = None;
        let mut fetch = |range, out: &mut Vec<u8>| {
            fetch(file.as_deref(), range, out).map_err(|error| {
                let kind = error.kind();
                if kind != io::ErrorKind::UnexpectedEof {
                    failed = Some(error);
                }
                kind.into()
            })
        };
        work(framer, &mut fetch, &mut Framed { messages, joined, ranges: &mut *ranges });
        match (failed, before) {
            (Some(error), Some(before)) => {
                *framer = before;
                ranges.clear();
                output.undo(first, joined_before);
                Err(error)
            }
            _ => Ok(()),
        }
    }

    /// Looks at the open file: what it shows, and whether it still holds what was read.
    pub(super) fn look(&self) -> io::Result<(FileStat, bool)> {
        let Some(file) = &self.file else { return Err(io::Error::other("not open")) };
        let stat = file.stat()?;
        if self.is_orphan {
            // Its blocks are checked as a whole, and nobody writes to them.
            return Ok((stat, true));
        }
        // How far a compressed file goes is known when it was decoded so far.
        let same =
            (self.packing.is_some() || stat.size >= self.scanned) && self.holds_what_was_read(&**file)?;
        Ok((if self.packing.is_some() { file.stat()? } else { stat }, same))
    }

    /// Whether a file still holds what was read, as far as a few of its bytes tell.
    pub(super) fn holds_what_was_read(&self, file: &dyn File) -> io::Result<bool> {
        Ok(self.tail.fits(file, self.position)?
            && (self.scanned == self.position || self.unfinished.fits(file, self.scanned)?)
            && (self.position >= HEAD_BYTES || self.head.fits(file, u64::from(self.head.len))?))
    }
}

/// The next point of the grid.
fn grid(at: Duration) -> Duration {
    Duration::from_millis((at.as_millis() as u64).div_ceil(CUT_GRID_MS) * CUT_GRID_MS)
}

/// Reads a range into a buffer of its length; shorter where the file ends.
pub(super) fn read_range(
    file: Option<&dyn File>,
    range: Range<u64>,
    mut buffer: Vec<u8>,
) -> io::Result<Vec<u8>> {
    let Some(file) = file else { return Err(io::Error::other("not open")) };
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read_at(range.start + filled as u64, &mut buffer[filled..])? {
            0 => break,
            read => filled += read,
        }
    }
    buffer.truncate(filled);
    Ok(buffer)
}

/// Reads bytes of the stream again, for the framer.
fn fetch(file: Option<&dyn File>, range: Range<u64>, out: &mut Vec<u8>) -> io::Result<()> {
    let length = (range.end - range.start) as usize;
    let bytes = read_range(file, range, vec![0; length])?;
    if bytes.len() < length {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    out.extend_from_slice(&bytes);
    Ok(())
}
