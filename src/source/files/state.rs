//! The source as it runs: what is done in a step, and in which order.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::config::Config;
use super::identity::{Cut, IdentityLog, Record, StreamKey};
use super::output::{Buffers, Output};
use super::table::Table;
use super::watch::{Asked, Watches};
use crate::event::Batch;
use crate::limits::FILES_ACTIVE_MAX;
use crate::position::{Resume, Stream};
use crate::seam::{FileId, HashMap, HashSet};
use crate::source::{Backlog, Notice, Progress, Source, World};

/// Hints are taken no more often than this while there is something to read.
const POLL_EVERY: Duration = Duration::from_millis(10);

/// How often what is known of files is written down, so that less must be looked up after a crash.
const CHECKPOINT_EVERY: Duration = Duration::from_secs(5);

/// After the identity log could not be written, when to try again.
const RETRY: Duration = Duration::from_secs(1);

/// A `files` source.
pub(super) struct Files {
    pub(super) config: Arc<Config>,
    pub(super) world: World,
    pub(super) resume: Arc<dyn Resume>,
    /// Never read from: what is written there is about what is read.
    pub(super) data_dir: PathBuf,
    pub(super) log: IdentityLog,
    pub(super) table: Table,
    pub(super) watches: Watches,
    pub(super) buffers: Buffers,
    /// Known from the log and not yet found, by file.
    pub(super) missing: HashMap<FileId, (Record, Vec<Cut>)>,
    /// Known from the log: generations that a later one of the same file has replaced.
    pub(super) replaced: Vec<(Record, Vec<Cut>)>,
    /// Found by the first sweep and not known by their file.
    pub(super) fresh: Vec<PathBuf>,
    /// Where removed files are copied to, how many bytes there are, and what was found there at the start.
    pub(super) orphans: PathBuf,
    pub(super) orphan_bytes: u64,
    pub(super) orphans_found: HashMap<StreamKey, PathBuf>,
    /// Compressed files that were found, not yet known to hold a known stream or none.
    pub(super) packed_found: Vec<PathBuf>,
    /// Those that are being written, with the time to look again.
    pub(super) undecided: HashMap<FileId, Duration>,
    /// Files that are found now are there from before the source was first started, and are not read.
    pub(super) start_at_end: bool,
    pub(super) first_sweep: bool,
    pub(super) now: Duration,
    pub(super) sweep: u64,
    pub(super) next_sweep: Duration,
    /// When hints may ask for a sweep at the earliest.
    pub(super) soonest_sweep: Duration,
    /// A sweep is going on: what is seen was not told by a hint.
    pub(super) sweeping: bool,
    pub(super) open_max: usize,
    pub(super) said: HashSet<String>,
    pub(super) notices: Vec<Notice>,
    pub(super) forgotten: Vec<Arc<Stream>>,
    pub(super) finishing: Option<bool>,
    next_poll: Duration,
    next_checkpoint: Duration,
    dirty: HashSet<super::table::Key>,
    /// Tails that were read in this step.
    pub(super) moved: Vec<super::table::Key>,
    /// Hints came a moment ago: the next ones may gather first.
    damped: bool,
    /// NUL bytes before lines that were skipped.
    pub(super) padding_bytes: u64,
}

impl Files {
    /// Opens a source: reads what is known of its files.
    pub(super) fn open(config: Arc<Config>, world: World, resume: Arc<dyn Resume>) -> Result<Self, String> {
        let failed = |error| format!("{}: {error}", world.data_dir.display());
        world.fs.make_folder(&world.data_dir).map_err(failed)?;
        let (fs, name) = (world.fs.clone(), &config.name);
        let (log, found) =
            IdentityLog::open(fs, &world.data_dir, name, &*resume, FILES_ACTIVE_MAX).map_err(failed)?;
        let missing = found.newest.into_iter().map(|(record, cuts)| (record.id, (record, cuts))).collect();
        let (replaced, warnings) = (found.replaced, found.warnings);
        let orphans = world.data_dir.join("spool").join(&config.name).join("orphans");
        let orphans_found = super::orphan::found(&*world.fs, &orphans);
        let watches = Watches::new(&*world.fs);
        let now = world.clock.monotonic();
        Ok(Self {
            open_max: config.open_max,
            data_dir: std::path::absolute(&world.data_dir).unwrap_or_else(|_| world.data_dir.clone()),
            config,
            world,
            resume,
            log,
            table: Table::default(),
            watches,
            buffers: Buffers::default(),
            missing,
            replaced,
            fresh: Vec::new(),
            orphans_found,
            orphans,
            orphan_bytes: 0,
            packed_found: Vec::new(),
            undecided: HashMap::default(),
            start_at_end: false,
            first_sweep: true,
            now,
            sweep: 0,
            next_sweep: now,
            soonest_sweep: now,
            sweeping: false,
            said: HashSet::default(),
            notices: warnings.into_iter().map(Notice::Warning).collect(),
            forgotten: Vec::new(),
            finishing: None,
            next_poll: now,
            next_checkpoint: now + CHECKPOINT_EVERY,
            dirty: HashSet::default(),
            moved: Vec::new(),
            damped: false,
            padding_bytes: 0,
        })
    }

    /// Says something to people, once.
    pub(super) fn warn(&mut self, warning: String) {
        if self.said.len() < 1000 && self.said.insert(warning.clone()) {
            self.notices.push(Notice::Warning(warning));
        }
    }

    /// The record of a tail is to be written at the next checkpoint.
    pub(super) fn touch(&mut self, key: super::table::Key) {
        self.dirty.insert(key);
    }

    fn look(&mut self) {
        if self.now >= self.next_poll || self.table.is_idle() {
            let mut asked = Asked::default();
            self.watches.poll(&mut asked);
            self.damped = !asked.content.is_empty() || !asked.names.is_empty();
            self.next_poll = self.now + POLL_EVERY;
            self.asked(asked);
        }
        if self.now >= self.next_sweep {
            self.sweep_all();
        }
        while let Some(key) = self.table.due(self.now) {
            self.time(key);
        }
        if let Some(trouble) = self.watches.trouble() {
            self.warn(trouble);
        }
    }

    /// A tail is no more.
    pub(super) fn forget_touched(&mut self, key: super::table::Key) {
        self.dirty.remove(&key);
        self.moved.retain(|moved| *moved != key);
    }

    /// Writes down how far reading has come before what was read leaves: the bytes before a position tell, after this
    /// process, whether a file still is what was read, and a cursor must not be ahead of them.
    fn write_down(&mut self) {
        for key in std::mem::take(&mut self.moved) {
            if let Some(tail) = self.table.get(key) {
                self.log.put(tail.record(), false);
            }
        }
        self.log.write();
    }

    /// Writes down what is known of the files that changed.
    fn checkpoint(&mut self) {
        self.next_checkpoint = self.now + CHECKPOINT_EVERY;
        for key in self.dirty.drain() {
            if let Some(tail) = self.table.get(key) {
                tail.dirty = false;
                self.log.put(tail.record(), false);
            }
        }
        self.commit();
    }

    fn commit(&mut self) -> bool {
        match self.log.commit() {
            Ok(()) => true,
            Err(error) => {
                let folder = self.world.data_dir.display();
                self.warn(format!(
                    "{folder}: {error}; reading waits, since what is read could not be told again"
                ));
                false
            }
        }
    }

    fn next(&self) -> Duration {
        let mut next = self.next_sweep.min(self.table.next_timer().unwrap_or(Duration::MAX));
        if !self.dirty.is_empty() {
            next = next.min(self.next_checkpoint);
        }
        if self.damped { next.min(self.next_poll) } else { next }
    }
}

impl Source for Files {
    fn step(&mut self, now: Duration, batch: &mut Batch) -> Progress {
        self.now = now;
        self.look();
        // Identities and cuts first: an event must never leave under a name that a crash could take back.
        if self.log.must_commit() && !self.commit() {
            return Progress::Wait(now + RETRY);
        }
        let mut output = Output::new(batch);
        while !output.is_full() && !self.log.must_commit() {
            let Some(key) = self.table.next() else { break };
            self.turn(key, &mut output);
        }
        output.finish();
        self.write_down();
        if now >= self.next_checkpoint && !self.dirty.is_empty() {
            self.checkpoint();
        }
        if !self.table.is_idle() || self.log.must_commit() {
            return Progress::More;
        }
        self.buffers.release();
        if self.finishing == Some(true) && self.all_read() {
            self.checkpoint();
            return Progress::End;
        }
        match self.log.must_commit() || !self.table.is_idle() {
            true => Progress::More,
            false => Progress::Wait(self.next()),
        }
    }

    fn settled(&mut self, stream: &Stream, position: u64) {
        if let Some(&key) = self.table.by_stream.get(&(stream.id, stream.generation)) {
            if let Some(tail) = self.table.get(key)
                && tail.settled(position)
            {
                self.touch(key);
            }
            self.forget_if_done(key);
        }
    }

    fn finish(&mut self) {
        self.finishing.get_or_insert(false);
        self.next_sweep = Duration::ZERO;
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
        self.read_again(sink, resume)
    }

    fn original(&mut self, stream: &Stream, range: Range<u64>) -> Option<Vec<u8>> {
        self.read_original(stream, range)
    }

    fn backlog(&self) -> Backlog {
        Backlog {
            streams: self.table.len() + self.log.parked_len(),
            open: self.table.open,
            unread_bytes: self.table.unread,
            padding_bytes: self.padding_bytes,
        }
    }

    fn wake_fd(&self) -> Option<std::os::fd::BorrowedFd<'_>> {
        if self.damped { None } else { self.watches.fd() }
    }
}
