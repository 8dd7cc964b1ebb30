//! The ledger on disk: what became of the bytes of each stream, per sink and hour, with the gaps.
//!
//! In: what changed since the last flush. Out: `ledger/HOUR.log`, frames of JSON with a checksum, durable *before*
//! the cursors of the same flush. A line holds an hour's sums of one (stream, sink) in one life of the process, and a
//! later one replaces it, so that writes are in proportion to what changed; a file that grew too large for what is
//! live in it is written anew.
//!
//! **After a crash** nothing is counted twice: each line says from which count of settled bytes it leads to which.
//! Where the next line of the stream begins below the end of the one before, the cursors were not durable when the
//! process died: the bytes between were sent again, under the same ids, and [`super::Audit`] says so.

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::letter::Letter;
use super::settle::Move;
use crate::limits::LEDGER_BYTES_MAX;
use crate::position::{CursorRecord, StreamId};
use crate::seam::{FRAME_HEAD_BYTES, FileKind, Fs, HashMap, HashSet, RecordLog, write_frame};

/// Name of the folder in the data folder.
const FOLDER: &str = "ledger";

/// Nanoseconds in an hour.
pub(super) const HOUR_NS: i64 = 3_600_000_000_000;

/// Bytes by reason.
pub type Reasons = BTreeMap<Box<str>, u64>;

/// One record of the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "lowercase")]
pub enum Entry {
    /// A stream that the lines of this file are about.
    Stream {
        /// Its id.
        stream: u64,
        /// Its generation.
        generation: u16,
        /// The source that reads it.
        source: Box<str>,
        /// Path or address.
        path: Box<str>,
    },
    /// What became of a stream's bytes at a sink.
    Line(Line),
    /// Bytes that can never be read.
    Gap(Gap),
    /// A number that people should not have to add up themselves.
    Note(Note),
}

/// What became of a stream's bytes at a sink, in one hour and one life of the process.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// The stream.
    pub stream: u64,
    /// Its generation.
    pub generation: u16,
    /// The sink's name.
    pub sink: Box<str>,
    /// When the process began, in nanoseconds since the epoch.
    pub life: i64,
    /// Bytes of the stream that were settled before this line.
    pub before: u64,
    /// The same after it.
    pub after: u64,
    /// One past the last byte that was handed on.
    pub head: u64,
    /// The sink has them.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub delivered: u64,
    /// Dropped by the pipeline, by reason.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub dropped: Reasons,
    /// Dead letters, by reason.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub rejected: Reasons,
    /// Can never be read.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub gap: u64,
    /// Settled before a crash, as the sink's own records tell (an archive's epochs), which do not say how.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub recovered: u64,
}

/// Bytes that can never be read.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Gap {
    /// The stream.
    pub stream: u64,
    /// Its generation.
    pub generation: u16,
    /// The source.
    pub source: Box<str>,
    /// Path or address.
    pub path: Box<str>,
    /// The one sink that lost them; absent where all did that had not settled them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sink: Option<Box<str>>,
    /// First byte.
    pub start: u64,
    /// One past the last byte; absent where only the start is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<u64>,
    /// Why.
    pub cause: Box<str>,
    /// When it was noticed, in nanoseconds since the epoch.
    pub time: i64,
}

/// A number with a meaning.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// When, in nanoseconds since the epoch.
    pub time: i64,
    /// What is counted.
    pub what: What,
    /// Of what: a source, or `source → sink`; empty for the process.
    pub of: Box<str>,
    /// How many.
    pub count: u64,
}

/// What a note counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum What {
    /// Bytes that a source has seen and not yet read; a later note replaces it.
    Unread,
    /// Dead letters that went to make room.
    LettersDropped,
    /// Bytes by which the books did not balance.
    Imbalance,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl Line {
    /// Bytes whose fate it tells.
    pub fn told(&self) -> u64 {
        let sum = |reasons: &Reasons| reasons.values().sum::<u64>();
        self.delivered + sum(&self.dropped) + sum(&self.rejected) + self.gap + self.recovered
    }

    fn add(&mut self, of: &Move) {
        self.head = self.head.max(of.head);
        self.after = of.after;
        self.delivered += of.delivered;
        self.gap += of.gap;
        for (reasons, more) in [(&mut self.dropped, &of.dropped), (&mut self.rejected, &of.rejected)] {
            for (reason, bytes) in more {
                add_reason(reasons, reason, *bytes);
            }
        }
    }
}

/// Adds to the bytes of a reason; past the bound, to those of all others.
pub(super) fn add_reason<R>(reasons: &mut BTreeMap<R, u64>, reason: &Arc<str>, bytes: u64)
where
    R: Ord + std::borrow::Borrow<str> + for<'a> From<&'a str>,
{
    /// Reasons that are told apart.
    const REASONS_MAX: usize = 64;
    if let Some(known) = reasons.get_mut(&**reason) {
        *known += bytes;
    } else if reasons.len() < REASONS_MAX {
        reasons.insert(R::from(reason), bytes);
    } else {
        *reasons.entry(R::from("other reasons")).or_default() += bytes;
    }
}

/// The folder of a data folder's ledger.
pub(super) fn folder(data_dir: &Path) -> PathBuf {
    data_dir.join(FOLDER)
}

/// The files of a ledger with the hours they are about, oldest first; none where there is no folder.
pub(super) fn files(fs: &dyn Fs, data_dir: &Path) -> io::Result<Vec<(i64, PathBuf)>> {
    let listed = match fs.list(&folder(data_dir)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        listed => listed?,
    };
    let hour =
        |path: &Path| path.file_name()?.to_str()?.strip_suffix(".log")?.split('.').next()?.parse().ok();
    let mut found: Vec<(i64, PathBuf)> = listed
        .into_iter()
        .filter(|(_, kind)| *kind == FileKind::File)
        .filter_map(|(path, _)| Some((hour(&path)?, path)))
        .collect();
    found.sort();
    Ok(found)
}

/// Gives every entry of a file to `each`; what could not be read is described.
pub(super) fn read(fs: &dyn Fs, path: &Path, each: &mut dyn FnMut(Entry)) -> io::Result<Vec<String>> {
    let mut newer = 0;
    let mut frame = |frame: &[u8]| match decode(frame) {
        Some(entry) => each(entry),
        None => newer += 1,
    };
    let mut warnings = RecordLog::read(fs, path, &mut frame)?;
    if newer > 0 {
        warnings.push(format!("{}: {newer} records were written by a later version", path.display()));
    }
    Ok(warnings)
}

fn decode(frame: &[u8]) -> Option<Entry> {
    serde_json::from_slice(frame.get(FRAME_HEAD_BYTES..)?).ok()
}

/// The log, open for writing.
pub struct LedgerLog {
    fs: Arc<dyn Fs>,
    data_dir: PathBuf,
    hours_max: u64,
    life: Option<i64>,
    open: Option<Hour>,
    warnings: Vec<String>,
}

/// The file of the present hour.
struct Hour {
    number: i64,
    log: RecordLog,
    lines: HashMap<(StreamId, u16, Box<str>), (Line, u64)>,
    /// Streams that the file names.
    streams: HashSet<(StreamId, u16)>,
    /// The newest life of another process in it.
    other_lives: Option<i64>,
    /// Frames that stay as they are: of earlier lives, streams, gaps, notes.
    fixed: Vec<Vec<u8>>,
    unread: HashMap<Box<str>, u64>,
    live_bytes: u64,
    pending: Vec<u8>,
}

impl LedgerLog {
    /// The ledger of a data folder; its files are made with what is first written to them, and removed after so many
    /// hours.
    pub fn new(fs: Arc<dyn Fs>, data_dir: &Path, hours_max: u64) -> Self {
        let data_dir = data_dir.to_path_buf();
        Self { fs, data_dir, hours_max, life: None, open: None, warnings: Vec::new() }
    }

    /// Notes what changed; it is durable after the next [`LedgerLog::commit`].
    pub fn put(&mut self, moves: &[Move], sinks: &[Box<str>], unix_ns: i64) -> io::Result<()> {
        if moves.is_empty() {
            return Ok(());
        }
        let known = self.life;
        let hour = self.hour(unix_ns)?;
        // The clock may have been set back: no two lives have the same name.
        let fresh = || hour.other_lives.map_or(unix_ns, |newest| unix_ns.max(newest + 1));
        // Nor has one two lines in a file, of which the first would be forgotten: a clock that was set back leads to an
        // hour that this very process has written about before.
        let only = |life: &i64| hour.other_lives.is_none_or(|newest| *life > newest);
        let life = known.filter(only).unwrap_or_else(fresh);
        for of in moves {
            let Some(sink) = sinks.get(of.sink) else { continue };
            hour.name(of);
            let key = (of.stream, of.generation, sink.clone());
            let fresh = || {
                let (stream, generation, sink) = (of.stream.0, of.generation, sink.clone());
                let before = of.before;
                (Line { stream, generation, sink, life, before, ..Line::default() }, 0)
            };
            let (line, bytes) = hour.lines.entry(key).or_insert_with(fresh);
            line.add(of);
            let frame = encode(&Entry::Line(line.clone()));
            // A line can get shorter: a stream that is read anew begins at fewer bytes.
            hour.live_bytes += frame.len() as u64;
            hour.live_bytes -= std::mem::replace(bytes, frame.len() as u64);
            hour.pending.extend_from_slice(&frame);
        }
        self.life = Some(life);
        Ok(())
    }

    /// Notes what sinks know to be settled by their own records, and the cursors did not: from which count of
    /// settled bytes to which.
    pub fn recovered(&mut self, known: &[(CursorRecord, Range<u64>)], unix_ns: i64) -> io::Result<()> {
        if known.is_empty() {
            return Ok(());
        }
        let hour = self.hour(unix_ns)?;
        let life = hour.other_lives.map_or(unix_ns, |newest| unix_ns.max(newest + 1));
        hour.other_lives = Some(life);
        for (record, done) in known {
            let line = Line {
                stream: record.stream.0,
                generation: record.generation,
                sink: record.sink.clone(),
                life,
                before: done.start,
                after: done.end,
                head: done.end,
                recovered: done.end - done.start,
                ..Line::default()
            };
            hour.fix(encode(&Entry::Line(line)));
        }
        Ok(())
    }

    /// Notes bytes that can never be read.
    pub fn gap(&mut self, gap: Gap) -> io::Result<()> {
        let hour = self.hour(gap.time)?;
        hour.fix(encode(&Entry::Gap(gap)));
        Ok(())
    }

    /// Notes a number.
    pub fn note(&mut self, note: Note) -> io::Result<()> {
        let hour = self.hour(note.time)?;
        if note.what == What::Unread && hour.unread.insert(note.of.clone(), note.count) == Some(note.count) {
            return Ok(());
        }
        hour.fix(encode(&Entry::Note(note)));
        Ok(())
    }

    /// Makes all that was noted durable. After an error it is still pending, and the next call tries again.
    pub fn commit(&mut self) -> io::Result<()> {
        let Some(hour) = &mut self.open else { return Ok(()) };
        hour.commit()
    }

    /// What was wrong with files of an earlier life, said once.
    pub fn warnings(&mut self) -> Vec<String> {
        std::mem::take(&mut self.warnings)
    }

    /// The file of an hour, opened where it is not.
    fn hour(&mut self, unix_ns: i64) -> io::Result<&mut Hour> {
        let number = unix_ns.div_euclid(HOUR_NS);
        if let Some(open) = &mut self.open
            && open.number != number
        {
            open.commit()?;
            self.open = None;
        }
        let hour = match self.open.take() {
            Some(open) => open,
            None => self.begin(number)?,
        };
        Ok(self.open.insert(hour))
    }

    fn begin(&mut self, number: i64) -> io::Result<Hour> {
        let folder = folder(&self.data_dir);
        self.fs.make_folder(&folder)?;
        self.expire(number)?;
        let day = Letter::time(number * HOUR_NS);
        let path = folder.join(format!("{number:010}.{}.log", day.get(..13).unwrap_or("hour")));
        let (mut fixed, mut streams) = (Vec::new(), HashSet::default());
        // Lines of earlier lives are closed: of each only the last counts.
        let mut lines: HashMap<(u64, u16, Box<str>, i64), Vec<u8>> = HashMap::default();
        let mut each = |frame: &[u8]| match decode(frame) {
            Some(Entry::Line(line)) => {
                lines.insert((line.stream, line.generation, line.sink, line.life), frame.to_vec());
            }
            Some(Entry::Stream { stream, generation, .. }) => {
                streams.insert((StreamId(stream), generation));
                fixed.push(frame.to_vec());
            }
            _ => fixed.push(frame.to_vec()),
        };
        let (log, warnings) = RecordLog::open(self.fs.clone(), &path, &mut each)?;
        self.warnings.extend(warnings);
        let other_lives = lines.keys().map(|(.., life)| *life).max();
        fixed.extend(lines.into_values());
        let live_bytes = fixed.iter().map(|frame| frame.len() as u64).sum();
        let (lines, unread) = (HashMap::default(), HashMap::default());
        Ok(Hour { number, log, lines, streams, other_lives, fixed, unread, live_bytes, pending: Vec::new() })
    }

    /// Removes what is too old, or too much.
    fn expire(&self, now: i64) -> io::Result<()> {
        let mut files = files(&*self.fs, &self.data_dir)?;
        let mut sizes = Vec::new();
        for (_, path) in &files {
            sizes.push(self.fs.stat(path)?.size);
        }
        let mut all: u64 = sizes.iter().sum();
        for ((hour, path), size) in files.drain(..).zip(sizes) {
            let old = now.saturating_sub(hour) >= i64::try_from(self.hours_max).unwrap_or(i64::MAX);
            if hour < now && (old || all > LEDGER_BYTES_MAX) {
                self.fs.remove(&path)?;
                all -= size;
            }
        }
        Ok(())
    }
}

impl Hour {
    /// Names the stream of a change, once.
    fn name(&mut self, of: &Move) {
        if self.streams.insert((of.stream, of.generation)) {
            self.fix(encode(&Entry::Stream {
                stream: of.stream.0,
                generation: of.generation,
                source: of.source.clone(),
                path: of.path.clone(),
            }));
        }
    }

    fn fix(&mut self, frame: Vec<u8>) {
        self.live_bytes += frame.len() as u64;
        self.pending.extend_from_slice(&frame);
        self.fixed.push(frame);
    }

    fn commit(&mut self) -> io::Result<()> {
        self.log.append(&self.pending)?;
        self.pending.clear();
        if !self.log.wants_rewrite(self.live_bytes) {
            return self.log.sync();
        }
        let lines = self.lines.values().map(|(line, _)| encode(&Entry::Line(line.clone())));
        self.log.rewrite(&mut self.fixed.iter().cloned().chain(lines))
    }
}

fn encode(entry: &Entry) -> Vec<u8> {
    let mut frame = Vec::new();
    // Maps of text and numbers, in memory: there is nothing that could fail.
    let body = serde_json::to_vec(entry).unwrap_or_default();
    write_frame(&body, &mut frame);
    frame
}
