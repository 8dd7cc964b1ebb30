//! The spool: a log of records that cannot be read again elsewhere, in segments.
//!
//! In: records, put into a group that is written at once and fsynced together. Out: the group as it was written, to
//! be handed on, once it is durable. Segments that every sink has settled are removed whole.
//!
//! A segment gets its name when its first group is durable. After a write or an fsync that failed nothing is believed
//! of the file but what was durable before: the group is still in memory, and is written anew to a fresh segment, whose
//! name says from which position on the old one does not count.

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::check;
use super::reader::{Damage, Reader};
use super::record::{Draft, Kind, State, encode};
use super::recover::recover;
use super::segment::{self, Chunk, SegmentInfo};
use crate::event::Origin;
use crate::limits::{SPOOL_GROUP_BYTES, SPOOL_SEGMENT_BYTES, SPOOL_SEGMENTS_MIN};
use crate::position::StreamId;
use crate::seam::{File, Fs};

/// What happens when a spool is full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WhenFull {
    /// Nothing more is taken in; the peer feels it.
    #[default]
    Block,
    /// The oldest segment is removed, whether it was settled or not.
    DropOldest,
}

/// How large a spool may become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// Bytes on disk.
    pub bytes: u64,
    /// What happens at that size.
    pub when_full: WhenFull,
}

impl Limit {
    fn segment_bytes(&self) -> u64 {
        SPOOL_SEGMENT_BYTES.min(self.bytes / SPOOL_SEGMENTS_MIN)
    }

    fn group_bytes(&self) -> usize {
        SPOOL_GROUP_BYTES.min(usize::try_from(self.segment_bytes()).unwrap_or(usize::MAX))
    }
}

/// The segment that is written to.
struct Active {
    file: Box<dyn File>,
    first: u64,
    /// Bytes in it that are known to be there.
    size: u64,
    /// Bytes in it that are durable.
    durable: u64,
    /// It has its name: its first group is durable.
    named: bool,
}

/// Records that are not durable yet.
#[derive(Default)]
struct Group {
    bytes: Vec<u8>,
    first: u64,
    /// Bytes that were written to the active segment.
    written: usize,
}

/// The log, open for appending.
pub struct Spool {
    fs: Arc<dyn Fs>,
    folder: PathBuf,
    limit: Limit,
    state: State,
    /// All segments with a name, oldest first; the active one is the last.
    segments: VecDeque<SegmentInfo>,
    /// Bytes in them.
    named_bytes: u64,
    active: Option<Active>,
    group: Group,
    /// One past the last position that was given out.
    end: u64,
    /// One past the last position that is durable.
    durable: u64,
    /// Nothing is open at the end: the last record is a cut, or there is none.
    cut: bool,
    /// The mark that is durable.
    durable_clean: u64,
    /// The group holds what must be durable before anything that was read leaves.
    urgent: bool,
    /// Segments to be removed once it is durable that they were dropped.
    doomed: Vec<SegmentInfo>,
}

impl Spool {
    /// Opens the spool in a folder, or starts one for the stream `fresh`. What is wrong with it is said in the second
    /// value.
    pub fn open(
        fs: Arc<dyn Fs>,
        folder: &Path,
        limit: Limit,
        fresh: StreamId,
    ) -> io::Result<(Self, Vec<String>)> {
        fs.make_private_folder(folder)?;
        let mut segments = segment::list(&*fs, folder)?;
        let mut warnings = Vec::new();
        let last = recover(&fs, folder, fresh, &mut segments, &mut warnings)?;
        let spool = Self {
            fs,
            folder: folder.into(),
            limit,
            state: last.state,
            named_bytes: segments.iter().map(|segment| segment.size).sum(),
            segments: segments.into(),
            active: None,
            group: Group::default(),
            end: last.end,
            durable: last.end,
            cut: last.cut,
            durable_clean: last.state.clean,
            urgent: false,
            doomed: Vec::new(),
        };
        Ok((spool, warnings))
    }

    /// The stream that the spool is.
    pub fn stream(&self) -> StreamId {
        self.state.stream
    }

    /// Where a framer may begin, durably.
    pub fn clean(&self) -> u64 {
        self.durable_clean
    }

    /// What is true of it as a whole.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Position of the oldest record.
    pub fn first(&self) -> u64 {
        self.segments.front().map_or(self.end, |segment| segment.first)
    }

    /// One past the position of the newest durable record.
    pub fn durable(&self) -> u64 {
        self.durable
    }

    /// One past the position of the newest record.
    pub fn end(&self) -> u64 {
        self.end
    }

    /// Whether nothing is open at the end.
    pub fn is_cut(&self) -> bool {
        self.cut
    }

    /// Bytes on disk, and those on their way there.
    pub fn used(&self) -> u64 {
        // What is written of the group counts in its segment, if that has a name.
        let counted =
            if self.active.as_ref().is_some_and(|active| active.named) { self.group.written } else { 0 };
        self.named_bytes + (self.group.bytes.len() - counted) as u64
    }

    /// Positions before this were used: what was stored there is lost, and nothing else may be stored there.
    pub fn skip_to(&mut self, position: u64) {
        if position > self.end {
            (self.end, self.durable, self.cut) = (position, position, true);
        }
    }

    /// Bytes that may be taken in before the group is full or the limit is reached.
    pub fn room(&self) -> usize {
        let group = self.limit.group_bytes().saturating_sub(self.group.bytes.len());
        match self.limit.when_full {
            WhenFull::DropOldest => group,
            WhenFull::Block => {
                group.min(usize::try_from(self.limit.bytes.saturating_sub(self.used())).unwrap_or(usize::MAX))
            }
        }
    }

    /// Whether the limit is reached and nothing more may be taken in.
    pub fn is_full(&self) -> bool {
        self.limit.when_full == WhenFull::Block && self.used() >= self.limit.bytes
    }

    /// Bytes that are not durable.
    pub fn pending(&self) -> usize {
        self.group.bytes.len()
    }

    /// Whether the group should be made durable before anything more is handed on.
    pub fn is_urgent(&self) -> bool {
        self.urgent
    }

    /// Puts a stretch of bytes into the group.
    pub fn push_bytes(&mut self, peer: &str, received_ns: i64, bytes: &[u8]) {
        for bytes in bytes.chunks(SPOOL_GROUP_BYTES / 4) {
            self.push(Kind::Bytes, 0, peer, received_ns, bytes);
        }
    }

    /// Puts a message, or one part of one, into the group.
    pub fn push_message(&mut self, part: u16, peer: &str, received_ns: i64, message: &[u8]) {
        self.push(Kind::Message, part, peer, received_ns, message);
    }

    /// Notes that what is open at the end is let go; the unfinished last line too, or only the messages before it.
    pub fn push_cut(&mut self, received_ns: i64, all: bool) {
        self.push(Kind::Cut, u16::from(!all), "", received_ns, &[]);
    }

    /// Notes how lines are wrapped, as it was found out at a position.
    pub fn push_framing(&mut self, origin: Origin, at: u64, received_ns: i64) {
        self.state.framing = Some((origin, at));
        self.urgent = true;
        self.push_state(received_ns);
    }

    /// Notes where a framer may begin. What is below goes when that is durable.
    pub fn push_clean(&mut self, clean: u64, received_ns: i64) {
        self.state.clean = clean;
        self.push_state(received_ns);
    }

    fn push_state(&mut self, received_ns: i64) {
        let state = self.state.encode();
        self.push(Kind::State, 0, "", received_ns, &state);
    }

    fn push(&mut self, kind: Kind, part: u16, peer: &str, received_ns: i64, payload: &[u8]) {
        if self.group.bytes.is_empty() {
            self.group.first = self.end;
        }
        let draft = Draft { kind, part, position: self.end, received_ns, peer, payload };
        encode(&draft, &mut self.group.bytes);
        match kind {
            Kind::Bytes | Kind::Message => {
                self.end += payload.len() as u64;
                self.cut = false;
            }
            Kind::Cut => self.cut |= part == 0,
            Kind::Header | Kind::State => {}
        }
    }

    /// Writes what was put into the group and is not written yet. A process that is killed after this has lost
    /// nothing; a machine that loses power may.
    pub fn write(&mut self, received_ns: i64) -> io::Result<()> {
        if self.group.written == self.group.bytes.len() {
            return Ok(());
        }
        self.make_room(received_ns);
        let full = |active: &Active| active.size >= self.limit.segment_bytes();
        if self.group.written == 0 && self.active.as_ref().is_none_or(full) {
            self.active = Some(self.start_segment(received_ns)?);
        }
        let Some(active) = &mut self.active else { return Err(io::Error::other("no segment is open")) };
        let bytes = &self.group.bytes[self.group.written..];
        if let Err(error) = active.file.append(bytes) {
            if active.file.truncate(active.size).is_err() {
                self.abandon();
            }
            return Err(error);
        }
        active.size += bytes.len() as u64;
        self.group.written = self.group.bytes.len();
        self.note_size();
        Ok(())
    }

    /// Makes the group durable and gives it back, to be handed on. After an error it is still there, and the next call
    /// writes it anew elsewhere.
    pub fn sync(&mut self, received_ns: i64) -> io::Result<Option<Chunk>> {
        if self.group.bytes.is_empty() {
            return Ok(None);
        }
        self.write(received_ns)?;
        if let Err(error) = self.sync_active() {
            // The kernel may have dropped the pages, and a second fsync would succeed without them.
            self.abandon();
            return Err(error);
        }
        (self.durable, self.urgent, self.durable_clean) = (self.end, false, self.state.clean);
        let group = std::mem::take(&mut self.group);
        for doomed in std::mem::take(&mut self.doomed) {
            // What cannot be removed now is below what is read at the next start, and is removed then.
            let _ = self.fs.remove(&segment::path(&self.folder, doomed.first));
        }
        Ok(Some(Chunk::new(group.bytes, 0)))
    }

    fn sync_active(&mut self) -> io::Result<()> {
        let Some(active) = &mut self.active else { return Ok(()) };
        active.file.sync()?;
        active.durable = active.size;
        if !active.named {
            let path = segment::path(&self.folder, active.first);
            self.fs.rename(&segment::new_path(&self.folder), &path)?;
            self.fs.sync_folder(&self.folder)?;
            active.named = true;
            let info = SegmentInfo { first: active.first, size: active.size };
            // One that was given up before anything in it was durable had the same name.
            self.segments.retain(|segment| segment.first != info.first);
            self.segments.push_back(info);
            self.named_bytes = self.segments.iter().map(|segment| segment.size).sum();
        }
        Ok(())
    }

    fn note_size(&mut self) {
        if let Some(active) = self.active.as_ref().filter(|active| active.named)
            && let Some(info) = self.segments.back_mut()
        {
            self.named_bytes = self.named_bytes + active.size - info.size;
            info.size = active.size;
        }
    }

    /// The active segment is not trusted any more, but for what was durable in it.
    fn abandon(&mut self) {
        if let Some(mut active) = self.active.take().filter(|active| active.named) {
            // Else a later process would find the pages in the cache, and believe them. If it cannot be done, the next
            // segment's name says where this one ends.
            if active.file.truncate(active.durable).is_ok() {
                active.size = active.durable;
                self.active = Some(active);
                self.note_size();
                self.active = None;
            }
        }
        self.group.written = 0;
    }

    fn start_segment(&self, received_ns: i64) -> io::Result<Active> {
        let path = segment::new_path(&self.folder);
        match self.fs.remove(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let file = self.fs.open_private(&path)?;
        let (first, mut header) = (self.group.first, Vec::new());
        let payload = self.state.encode();
        let draft =
            Draft { kind: Kind::Header, part: 0, position: first, received_ns, peer: "", payload: &payload };
        encode(&draft, &mut header);
        file.append(&header)?;
        Ok(Active { file, first, size: header.len() as u64, durable: 0, named: false })
    }

    /// Gives up the oldest segments where the limit is passed and that is the policy.
    fn make_room(&mut self, received_ns: i64) {
        if self.limit.when_full != WhenFull::DropOldest {
            return;
        }
        let mut dropped = false;
        while self.used() > self.limit.bytes && self.segments.len() > 1 {
            let Some(oldest) = self.segments.pop_front() else { break };
            self.named_bytes -= oldest.size;
            self.doomed.push(oldest);
            dropped = true;
        }
        if dropped {
            self.state.dropped_below = self.first();
            self.push_state(received_ns);
        }
    }

    /// All sinks have settled what is below a position: segments wholly below are removed.
    pub fn release(&mut self, low: u64) -> io::Result<()> {
        while self.segments.get(1).is_some_and(|next| next.first <= low) {
            let Some(oldest) = self.segments.front() else { break };
            match self.fs.remove(&segment::path(&self.folder, oldest.first)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {
                    self.named_bytes -= oldest.size;
                    self.segments.pop_front();
                }
            }
        }
        // One message may be as large as the limit.
        if self.is_full() && low >= self.end && self.group.bytes.is_empty() && self.segments.len() == 1 {
            self.fs.remove(&segment::path(&self.folder, self.segments[0].first))?;
            (self.segments, self.named_bytes, self.active) = (VecDeque::new(), 0, None);
        }
        Ok(())
    }

    /// Copies bytes that are no records aside.
    pub fn quarantine(&self, damage: &Damage) -> io::Result<PathBuf> {
        check::quarantine(&*self.fs, &self.folder, damage)
    }

    /// Reads records that were written, from a position on.
    pub fn reader(&self, from: u64) -> Reader {
        Reader::new(self.fs.clone(), self.folder.clone(), from)
    }
}
