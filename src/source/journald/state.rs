//! The source as it runs: finds files, reads them in turn, follows those that are written.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::format::{Fault, Header, State, header};
use super::tail::Tail;
use super::{Config, Filter};
use crate::event::{Batch, Message, Origin, Run, Segment, Span};
use crate::limits::{BATCH_BYTES, BATCH_MESSAGES_MAX, JOURNAL_FILES_MAX, READ_BLOCK_BYTES};
use crate::position::{Resume, Stream, StreamId};
use crate::seam::{FileId, FileKind, Hint, Watcher};
use crate::source::{Backlog, Notice, Progress, Source, World};

/// Folders below the one that is named: one for each machine and namespace.
const DEPTH: usize = 1;

/// A file that was found, and the folder that it is in.
struct Found {
    folder: PathBuf,
    known: Known,
}

/// What is done about a file.
enum Known {
    /// It is being read; held open until it is settled.
    Open(Box<Tail>),
    /// It was read to its end and settled, and is closed. Its cursor is kept while the file is there, so that it is
    /// not read again.
    Done(Arc<Stream>),
    /// It cannot be read; said once.
    Unreadable,
}

/// What a sweep finds.
#[derive(Default)]
struct Listing {
    /// Folders that could be listed.
    folders: Vec<PathBuf>,
    files: BTreeMap<FileId, PathBuf>,
}

/// The source.
pub(super) struct Journald {
    config: Arc<Config>,
    world: World,
    resume: Arc<dyn Resume>,
    files: BTreeMap<FileId, Found>,
    watcher: Option<Box<dyn Watcher>>,
    watched: Vec<PathBuf>,
    next_sweep: Duration,
    swept: bool,
    finishing: bool,
    /// Files with entries that were not read.
    busy: bool,
    notices: Vec<Notice>,
    forgotten: Vec<Arc<Stream>>,
}

impl Journald {
    pub(super) fn open(config: Arc<Config>, world: World, resume: Arc<dyn Resume>) -> Self {
        // Without hints the sweep alone follows.
        let watcher = world.fs.watcher().ok().flatten();
        Self {
            config,
            world,
            resume,
            files: BTreeMap::new(),
            watcher,
            watched: Vec::new(),
            next_sweep: Duration::ZERO,
            swept: false,
            finishing: false,
            busy: false,
            notices: Vec::new(),
            forgotten: Vec::new(),
        }
    }

    /// Looks for files that were not known, and for known ones that are gone.
    fn sweep(&mut self, now: Duration) {
        self.next_sweep = now + self.config.sweep;
        let mut listing = Listing::default();
        for folder in self.config.folders.clone() {
            self.list(&folder, DEPTH, &mut listing);
        }
        if !self.swept && listing.files.is_empty() {
            let folders: Vec<_> =
                self.config.folders.iter().map(|folder| folder.display().to_string()).collect();
            self.notices.push(Notice::Warning(format!("there is no journal in {} yet", folders.join(", "))));
        }
        for (id, path) in &listing.files {
            let folder = path.parent().unwrap_or(path).to_owned();
            if let Some(found) = self.files.get_mut(id) {
                found.folder = folder;
            } else if self.files.len() < JOURNAL_FILES_MAX {
                let known = self.adopt(path);
                self.files.insert(*id, Found { folder, known });
            }
        }
        self.leave(&listing);
        self.swept = true;
    }

    /// Looks after files that are gone. One that was read is forgotten; one that was not is still held open, and is
    /// read to its end first. A folder that could not be listed says nothing.
    fn leave(&mut self, listing: &Listing) {
        let forgotten = &mut self.forgotten;
        self.files.retain(|id, found| {
            if listing.files.contains_key(id) || !listing.folders.contains(&found.folder) {
                return true;
            }
            match &mut found.known {
                Known::Open(tail) => {
                    tail.header.state = State::Archived;
                    true
                }
                Known::Done(stream) => {
                    forgotten.push(stream.clone());
                    false
                }
                Known::Unreadable => false,
            }
        });
    }

    fn list(&mut self, folder: &Path, depth: usize, listing: &mut Listing) {
        let Ok(names) = self.world.fs.list(folder) else { return };
        if let Some(watcher) = &mut self.watcher
            && !self.watched.iter().any(|known| known == folder)
            && watcher.watch(folder).is_ok()
        {
            self.watched.push(folder.to_owned());
        }
        listing.folders.push(folder.to_owned());
        for (name, kind) in names {
            let path = folder.join(name);
            match kind {
                FileKind::Folder if depth > 0 => self.list(&path, depth - 1, listing),
                FileKind::File if is_journal(&path) => {
                    if let Ok(stat) = self.world.fs.stat(&path) {
                        listing.files.insert(stat.id, path);
                    }
                }
                _ => {}
            }
        }
    }

    fn adopt(&mut self, path: &Path) -> Known {
        let opened = self.world.fs.open(path).map_err(|error| Fault::Unreadable(error.to_string()));
        let read = opened.and_then(|file| Ok((header(&*file)?, file)));
        let (header, file) = match read {
            Ok(read) => read,
            Err(fault) => {
                self.notices.push(Notice::Warning(format!("{}: {fault}", path.display())));
                return Known::Unreadable;
            }
        };
        let stream = Arc::new(Stream {
            id: self.stream_id(&header),
            generation: 0,
            source: self.config.name.as_str().into(),
            path: path.to_string_lossy().into(),
        });
        let position = self.resume.position(stream.id, 0);
        let mut tail = Tail::new(stream, Arc::from(file), header, position.unwrap_or(0));
        tail.told(self.resume.settled(tail.stream.id, 0));
        if position.is_none() && self.config.start_at_end && !self.swept {
            tail.skip_to_end();
        }
        Known::Open(Box::new(tail))
    }

    fn stream_id(&self, header: &Header) -> StreamId {
        StreamId::from_facts(&[b"journald", &self.world.host, self.config.name.as_bytes(), &header.file_id])
    }

    /// Reads entries into the batch. Whether there may be more.
    fn read(&mut self, batch: &mut Batch) -> bool {
        let mut more = false;
        for found in self.files.values_mut() {
            let Known::Open(tail) = &mut found.known else { continue };
            if batch.is_full() {
                return true;
            }
            more |= read_file(tail, &self.config, batch, &mut self.notices);
            // All of it was settled before: nobody will say so again.
            if tail.is_ended() && tail.position == tail.from {
                found.known = Known::Done(tail.stream.clone());
            }
        }
        more
    }

    fn refresh(&mut self) {
        for found in self.files.values_mut() {
            if let Known::Open(tail) = &mut found.known
                && tail.header.state != State::Archived
                && tail.broken.is_none()
            {
                tail.refresh();
            }
        }
    }

    /// Takes the hints; whether there were any.
    fn hinted(&mut self) -> bool {
        let Some(watcher) = &mut self.watcher else { return false };
        let mut hints = Vec::new();
        watcher.poll(&mut hints);
        let names = hints.iter().any(|hint| !matches!(hint, Hint::Content(..)));
        if names {
            self.next_sweep = Duration::ZERO;
        }
        !hints.is_empty()
    }

    fn tails(&self) -> impl Iterator<Item = &Tail> {
        self.files.values().filter_map(|found| match &found.known {
            Known::Open(tail) => Some(&**tail),
            _ => None,
        })
    }
}

/// Files read again for one sink, each up to where its tail is.
struct CatchUp {
    config: Arc<Config>,
    tails: VecDeque<Tail>,
    notices: Vec<Notice>,
}

impl Source for CatchUp {
    fn step(&mut self, _: Duration, batch: &mut Batch) -> Progress {
        begin(batch);
        while let Some(tail) = self.tails.front_mut() {
            if batch.is_full() || read_file(tail, &self.config, batch, &mut self.notices) {
                return Progress::More;
            }
            self.tails.pop_front();
        }
        Progress::End
    }

    fn settled(&mut self, _: &Stream, _: u64) {}

    fn finish(&mut self) {}

    fn notices(&mut self) -> Vec<Notice> {
        std::mem::take(&mut self.notices)
    }

    fn backlog(&self) -> Backlog {
        let unread = self.tails.iter().map(|tail| tail.goal.saturating_sub(tail.position));
        Backlog {
            streams: self.tails.len(),
            open: self.tails.len(),
            unread_bytes: unread.sum(),
            padding_bytes: 0,
        }
    }
}

/// Segment 0 is for joined text, of which there is none.
fn begin(batch: &mut Batch) {
    if batch.segments.is_empty() {
        batch.segments.push(Arc::new(Segment::new(Vec::new())));
    }
}

fn is_journal(path: &Path) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    // `~`: set aside by journald since it was not closed properly; its entries are good.
    name.ends_with(".journal") || name.ends_with(".journal~")
}

/// Reads entries of one file into a batch. Whether there may be more.
fn read_file(tail: &mut Tail, config: &Config, batch: &mut Batch, notices: &mut Vec<Notice>) -> bool {
    let first = batch.messages.len() as u32;
    let buffer = Span::SEGMENTS + batch.segments.len() as u16;
    let (mut text, mut ranges) = (Vec::new(), Vec::<Range<u64>>::new());
    let broken = tail.broken.is_some();
    let more = loop {
        if text.len() >= READ_BLOCK_BYTES
            || batch.messages.len() >= BATCH_MESSAGES_MAX
            || batch.bytes >= BATCH_BYTES
        {
            break true;
        }
        let start = text.len() as u32;
        let Some(read) = tail.next(&config.filter, &mut text) else { break false };
        if let Some(fault) = read.lost {
            let cause = "damaged journal entry";
            notices.push(Notice::Warning(format!("{}: {fault}", tail.stream.path)));
            let (start, end) = (read.range.start, Some(read.range.end));
            notices.push(Notice::Gap { stream: tail.stream.clone(), start, end, cause });
            continue;
        }
        if let Some(fault) = read.partly.filter(|_| !std::mem::replace(&mut tail.said, true)) {
            notices.push(Notice::Warning(format!("{}: entries lack fields: {fault}", tail.stream.path)));
        }
        batch.bytes += (read.range.end - read.range.start) as usize;
        if read.wanted {
            let span = |start, len| Span { start, len, buffer, facts: crate::event::Facts::UNKNOWN };
            batch.messages.push(Message {
                text: span(start, text.len() as u32 - start),
                time: span(start, 0),
                start: read.range.start,
                end: read.range.end,
                lane: 0,
                part: 0,
            });
        }
        match ranges.last_mut() {
            Some(last) if last.end == read.range.start => last.end = read.range.end,
            _ => ranges.push(read.range),
        }
    };
    if let Some(fault) = tail.broken.as_ref().filter(|_| !broken) {
        notices.push(Notice::Warning(format!("{}: {fault}; it is not read any further", tail.stream.path)));
        let (stream, cause) = (tail.stream.clone(), "damaged journal file");
        notices.push(Notice::Gap { stream, start: tail.position, end: None, cause });
    }
    if !more {
        tail.rest();
    }
    if ranges.is_empty() {
        return more;
    }
    if !text.is_empty() {
        batch.segments.push(Arc::new(Segment::new(text)));
    }
    let reaches = |end: &u64| ranges.iter().any(|range| range.start < *end);
    let settled = tail.settled.as_ref().filter(|(_, end)| reaches(end)).map(|(sets, _)| sets.clone());
    batch.runs.push(Run {
        stream: tail.stream.clone(),
        origin: Origin::Lines,
        from: tail.from,
        messages: first..batch.messages.len() as u32,
        settled,
        ranges,
    });
    more
}

impl Source for Journald {
    fn step(&mut self, now: Duration, batch: &mut Batch) -> Progress {
        begin(batch);
        let hinted = self.hinted();
        let due = now >= self.next_sweep;
        if due && !(self.finishing && self.swept) {
            self.sweep(now);
        }
        if (hinted || due) && !(self.finishing && self.swept && self.busy) {
            self.refresh();
        }
        self.busy = self.read(batch);
        if self.busy {
            Progress::More
        } else if self.finishing && self.swept {
            Progress::End
        } else {
            Progress::Wait(self.next_sweep)
        }
    }

    fn settled(&mut self, stream: &Stream, position: u64) {
        for found in self.files.values_mut() {
            if let Known::Open(tail) = &found.known
                && tail.stream.id == stream.id
                && tail.is_ended()
                && position >= tail.position
            {
                found.known = Known::Done(tail.stream.clone());
            }
        }
    }

    fn finish(&mut self) {
        self.finishing = true;
    }

    fn notices(&mut self) -> Vec<Notice> {
        std::mem::take(&mut self.notices)
    }

    fn forgotten(&mut self) -> Vec<Arc<Stream>> {
        std::mem::take(&mut self.forgotten)
    }

    fn reads_again(&self) -> bool {
        true
    }

    fn catch_up(&mut self, sink: usize, resume: &dyn Resume) -> Option<Box<dyn Source>> {
        let missed = |tail: &Tail| {
            let from = resume.position(tail.stream.id, 0).unwrap_or(tail.from).max(tail.from);
            let sets = resume.settled(tail.stream.id, 0);
            let settled = sets.as_ref().and_then(|sets| sets.get(sink)).cloned().unwrap_or_default();
            (settled.first_gap(from) < tail.position).then(|| tail.again(from, sets))
        };
        let tails: VecDeque<_> = self.tails().filter_map(missed).collect();
        let config = self.config.clone();
        (!tails.is_empty())
            .then(|| Box::new(CatchUp { config, tails, notices: Vec::new() }) as Box<dyn Source>)
    }

    /// The entry as it was handed on: a file's own bytes say little without the rest of the file.
    fn original(&mut self, stream: &Stream, range: Range<u64>) -> Option<Vec<u8>> {
        let tail = self.tails().find(|tail| tail.stream.id == stream.id)?;
        let (mut tail, mut out) = (tail.again(range.start, None), Vec::new());
        let read = tail.next(&Filter::default(), &mut out)?;
        (read.range == range && read.lost.is_none()).then_some(out)
    }

    fn backlog(&self) -> Backlog {
        let open = self.files.values().filter(|found| matches!(found.known, Known::Open(_))).count();
        Backlog { streams: self.files.len(), open, unread_bytes: 0, padding_bytes: 0 }
    }

    fn wake_fd(&self) -> Option<std::os::fd::BorrowedFd<'_>> {
        self.watcher.as_ref().map(|watcher| watcher.fd())
    }
}
