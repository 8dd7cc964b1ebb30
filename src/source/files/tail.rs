//! One generation of one file, as far as it is read.

use std::collections::VecDeque;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::identity::{Cut, HEAD_BYTES, Packed, Print, Record, StreamKey, TAIL_BYTES};
use super::orphan::Saved;
use super::packed::{End, Packing, Unpacked};
use super::restart::Restarts;
use crate::event::Message;
use crate::frame::Framer;
use crate::position::{Ranges, Stream};
use crate::seam::{File, FileId, FileStat};

/// What became of a tail that will not be read on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Life {
    /// It is read.
    #[default]
    Reading,
    /// Read to its end, and its name is gone: kept until it is settled.
    Drained,
    /// A compressed file that was read to its end, and is still there.
    Whole,
    /// Its bytes are gone: kept until what was handed on is settled.
    Lost,
}

/// How long a file is watched closely after it last grew, where there are many.
const PARK_AFTER: Duration = Duration::from_secs(60);

/// A file that is read. Holds no bytes of it.
pub(super) struct Tail {
    pub(super) stream: Arc<Stream>,
    pub(super) id: FileId,
    pub(super) path: PathBuf,
    /// Where that leads to, if it is a link.
    pub(super) real: Option<PathBuf>,
    /// Shared, since a sink that lags behind reads it too.
    pub(super) file: Option<Arc<dyn File>>,
    /// How it is compressed, its size on the disk, and the same file where it is being decoded.
    pub(super) packing: Option<Packing>,
    pub(super) disk: u64,
    pub(super) packed: Option<Arc<Unpacked>>,
    /// What was copied of it since its last name went, and when that is tried again after it failed.
    pub(super) saved: Option<Box<Saved>>,
    pub(super) save_at: Duration,
    /// It is read from such a copy.
    pub(super) is_orphan: bool,
    /// It was said that the rest of it cannot be decoded.
    pub(super) damaged: bool,
    pub(super) framer: Framer,
    /// Size when it was last seen, and when it was last known to be the same file still.
    pub(super) size: u64,
    pub(super) sound: u64,
    pub(super) modified_ns: i64,
    /// Where reading began when the file was first seen, and in this process.
    pub(super) first: u64,
    pub(super) from: u64,
    /// All before was taken by the framer.
    pub(super) position: u64,
    /// All before was looked at, and holds no more whole lines.
    pub(super) scanned: u64,
    /// All before was handed on, or is below `from`; `handed_above` are ranges beyond.
    pub(super) handed: u64,
    pub(super) handed_above: Ranges,
    /// All before is settled.
    pub(super) low: u64,
    /// What each sink had settled before this process began, and where that ends.
    pub(super) settled_before: Option<(Arc<[Ranges]>, u64)>,
    pub(super) head: Print,
    /// Bytes of the head in the newest record that was durable before anything left.
    pub(super) head_kept: u16,
    pub(super) tail: Print,
    /// What is before `scanned`, where that is inside an unfinished line.
    pub(super) unfinished: Print,
    /// Places where time cut the stream, not yet passed.
    pub(super) cuts: VecDeque<Cut>,
    /// Where framing could begin anew.
    pub(super) restarts: Restarts,
    /// Paths that show this file.
    pub(super) names: u32,
    /// Since when no path shows it.
    pub(super) leaving: Option<Duration>,
    /// When it last grew.
    pub(super) grew: Duration,
    /// Read no further: what was there when the source was told to finish.
    pub(super) goal: Option<u64>,
    /// Bytes that the next read asks for.
    pub(super) block: usize,
    pub(super) life: Life,
    pub(super) queued: bool,
    pub(super) timer: Option<Duration>,
    /// Something in the identity record changed.
    pub(super) dirty: bool,
    /// A trouble was said and has not passed.
    pub(super) warned: bool,
    /// Unread bytes as they are counted in the source's sum.
    pub(super) counted: u64,
}

impl Tail {
    /// A tail at position `from`.
    pub(super) fn new(
        stream: Arc<Stream>,
        framer: Framer,
        stat: &FileStat,
        path: PathBuf,
        from: u64,
    ) -> Self {
        Self {
            stream,
            id: stat.id,
            path,
            real: None,
            file: None,
            packing: None,
            disk: stat.size,
            packed: None,
            saved: None,
            save_at: Duration::ZERO,
            is_orphan: false,
            damaged: false,
            framer,
            size: stat.size,
            sound: stat.size,
            modified_ns: stat.modified_ns,
            first: from,
            from,
            position: from,
            scanned: from,
            handed: from,
            handed_above: Ranges::default(),
            low: from,
            settled_before: None,
            head: Print::default(),
            head_kept: 0,
            tail: Print::default(),
            unfinished: Print::default(),
            cuts: VecDeque::new(),
            restarts: Restarts::new(from),
            names: 0,
            leaving: None,
            grew: Duration::ZERO,
            goal: None,
            block: crate::limits::READ_BLOCK_BYTES,
            life: Life::Reading,
            queued: false,
            timer: None,
            dirty: false,
            warned: false,
            counted: 0,
        }
    }

    /// The same file once more, to be read from a position of its own to where this tail is.
    pub(super) fn again(&self, framer: Framer, from: u64) -> Self {
        let stat = FileStat {
            id: self.id,
            size: self.position,
            modified_ns: self.modified_ns,
            links: 1,
            kind: crate::seam::FileKind::File,
        };
        // A compressed file is decoded from its beginning by a reader of its own; its name may be gone.
        let file = match (&self.packed, self.packing) {
            (Some(packed), _) => Some(Arc::new(packed.anew()) as Arc<dyn File>),
            (None, Some(_)) => None,
            (None, None) => self.file.clone(),
        };
        let (packing, goal) = (self.packing, Some(self.position));
        let new = Self::new(self.stream.clone(), framer, &stat, self.path.clone(), from);
        Self { file, packing, goal, ..new }
    }

    pub(super) fn key(&self) -> StreamKey {
        (self.stream.id, self.stream.generation)
    }

    /// What the identity log keeps of it.
    pub(super) fn record(&self) -> Record {
        let clean = self.restarts.before(self.low).unwrap_or(self.first);
        Record {
            stream: self.stream.id,
            generation: self.stream.generation,
            id: self.id,
            from: self.first,
            position: self.position,
            size: self.sound.max(self.scanned),
            modified_ns: self.modified_ns,
            head: self.head,
            tail: self.tail,
            leaving: self.leaving.is_some(),
            clean: Some(clean),
            // Its first lines tell it again.
            told: (clean > self.first).then(|| self.framer.origin()),
            packed: self.packing.map(|packing| Packed {
                packing,
                whole: self.life == Life::Whole,
                disk: self.disk,
            }),
            path: self.path.clone(),
            real: self.real.clone(),
            known_as: self.stream.path.clone(),
        }
    }

    /// Where reading stops if it is to read what is there now, of a file of this size.
    pub(super) fn all_there(&self, size: u64) -> u64 {
        // How much is in a compressed file shows at its end.
        if self.packing.is_some() { u64::MAX } else { size }
    }

    /// How far a compressed file goes, if it is being decoded.
    pub(super) fn end(&self) -> Option<End> {
        self.packed.as_ref().and_then(|packed| packed.end().ok()).map(|(_, end)| end)
    }

    /// All below `position` is settled; whether what the identity log keeps has changed by that.
    pub(super) fn settled(&mut self, position: u64) -> bool {
        self.low = self.low.max(position);
        self.restarts.drop_before(self.low)
    }

    /// Notes whether framing could begin anew behind what was framed last, which gave these messages.
    pub(super) fn note_restart(&mut self, messages: &[Message]) {
        // Before, it depends on the first lines of all.
        if self.framer.is_told() {
            let open = self.framer.open_start().unwrap_or(self.position);
            self.restarts.note(open, messages, self.framer.interleaves());
        }
    }

    /// Where reading stops for now.
    pub(super) fn limit(&self) -> u64 {
        self.goal.map_or(self.size, |goal| goal.min(self.size))
    }

    /// Whether bytes are there that were not looked at.
    pub(super) fn has_more(&self) -> bool {
        self.life == Life::Reading && self.scanned < self.limit()
    }

    /// Whether all of it was read and settled, and nobody has written to it for long.
    pub(super) fn is_idle(&self, now: Duration) -> bool {
        self.life == Life::Reading
            && self.packing.is_none()
            && self.names > 0
            && self.leaving.is_none()
            && !self.queued
            && !self.warned
            && self.position == self.size
            && self.scanned == self.size
            && self.sound == self.size
            && self.low >= self.position
            && self.cuts.is_empty()
            && !self.holds_open()
            && self.grew + PARK_AFTER <= now
    }

    /// Whether something was taken that has not been handed on: an unfinished line, an open message.
    pub(super) fn holds_open(&self) -> bool {
        self.scanned > self.position || self.framer.deadline().is_some()
    }

    /// Whether so much has come since the head was recorded that what was recorded would not tell the file from
    /// another one: the first line's first bytes are often a time that many files begin with.
    pub(super) fn wants_head(&self) -> bool {
        let seen = self.size.min(HEAD_BYTES);
        let changes = self.packing.is_none() || self.head.len == 0;
        !self.is_orphan && changes && seen >= (2 * u64::from(self.head_kept)).max(1)
    }

    /// Learns the first bytes, as long as there are fewer than would tell it from others for good.
    pub(super) fn learn_head(&mut self) -> io::Result<()> {
        let Some(file) = self.file.as_ref().filter(|_| !self.is_orphan) else { return Ok(()) };
        let len = self.size.min(HEAD_BYTES);
        if u64::from(self.head.len) < len {
            self.head = Print::before(&**file, len, len)?;
            self.dirty = true;
        }
        Ok(())
    }

    /// Learns the bytes before the position; `block` are the last ones read, ending there.
    pub(super) fn learn_tail(&mut self, block: &[u8]) {
        self.tail = self.print_before(self.position, block);
        self.dirty = true;
    }

    /// Learns the bytes before the end of an unfinished line; `block` are the last ones read, ending there.
    pub(super) fn learn_unfinished(&mut self, block: &[u8]) {
        if self.scanned > self.position {
            self.unfinished = self.print_before(self.scanned, block);
        }
    }

    /// What is before a position. Where that cannot be read, only the block is known.
    fn print_before(&self, end: u64, block: &[u8]) -> Print {
        let len = TAIL_BYTES.min(end) as usize;
        match (block.len().checked_sub(len).and_then(|at| block.get(at..)), &self.file) {
            (Some(bytes), _) => Print::of(bytes),
            (None, Some(file)) => {
                Print::before(&**file, end, len as u64).unwrap_or_else(|_| Print::of(block))
            }
            (None, None) => Print::of(block),
        }
    }

    /// Notes ranges that are handed on.
    pub(super) fn hand(&mut self, ranges: &[std::ops::Range<u64>]) {
        for range in ranges {
            if range.start <= self.handed && self.handed_above.is_empty() {
                self.handed = self.handed.max(range.end);
            } else {
                self.handed_above.insert(range.start.max(self.handed)..range.end.max(self.handed));
                self.handed = self.handed_above.first_gap(self.handed);
                self.handed_above.drop_below(self.handed);
            }
        }
    }

    /// Parts of what was seen that were never handed on.
    pub(super) fn unhanded(&self, end: u64) -> Vec<std::ops::Range<u64>> {
        let mut parts = Vec::new();
        let mut at = self.handed;
        while at < end {
            let stop = self.handed_above.next_start(at).unwrap_or(end).min(end);
            if at < stop {
                parts.push(at..stop);
            }
            at = self.handed_above.first_gap(stop);
            if at == stop && stop < end {
                break;
            }
        }
        parts
    }
}
