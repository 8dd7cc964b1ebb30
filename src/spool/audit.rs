//! "Did we lose anything?", answered from the ledger on disk; also while aludel runs, and without writing.
//!
//! In: the hours of a ledger. Out: sums per source, stream and sink, the gaps, and what the lines themselves say of
//! crashes: each says from which count of settled bytes it leads to which. Where one begins below the end of the one
//! before, bytes were settled twice, under the same ids; where it begins above, bytes are missing in the books.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;

use serde::Serialize;

use super::ledger_log::{Entry, Gap, HOUR_NS, Line, Note, Reasons, What, files, read};
use crate::seam::Fs;

/// What became of bytes at one sink.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Sums {
    /// The sink has them.
    pub delivered: u64,
    /// Dropped by the pipeline, by reason.
    pub dropped: Reasons,
    /// Dead letters, by reason.
    pub dead_lettered: Reasons,
    /// Can never be read.
    pub gap: u64,
    /// Settled before a crash, as the sink's own records tell, which do not say how.
    pub recovered: u64,
    /// Among these: settled a second time after a crash, under the same ids.
    pub again: u64,
    /// Settled, and no line says how.
    pub unknown: u64,
    /// Handed on and not settled.
    pub in_flight: u64,
}

/// A stream as a sink has it.
#[derive(Clone, Debug, Default, Serialize)]
struct Chain {
    sums: Sums,
    after: Option<u64>,
    head: u64,
}

/// One stream.
#[derive(Clone, Debug, Default, Serialize)]
pub struct StreamAudit {
    /// Its id.
    pub stream: String,
    /// Its generation.
    pub generation: u16,
    /// The source that reads it.
    pub source: Box<str>,
    /// Path or address.
    pub path: Box<str>,
    /// What became of its bytes, by sink.
    pub sinks: BTreeMap<Box<str>, Sums>,
}

/// One source.
#[derive(Clone, Debug, Default, Serialize)]
pub struct SourceAudit {
    /// Streams that something happened to.
    pub streams: u64,
    /// Bytes that it had seen and not read when it was last looked at.
    pub unread: u64,
    /// What became of its bytes, by sink.
    pub sinks: BTreeMap<Box<str>, Sums>,
}

/// The answer.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Audit {
    /// The first and the last hour that the ledger knows in the time asked for, in nanoseconds since the epoch.
    pub hours: Option<(i64, i64)>,
    /// By source.
    pub sources: BTreeMap<Box<str>, SourceAudit>,
    /// By stream, in the order of source and path.
    pub streams: Vec<StreamAudit>,
    /// Bytes that can never be read.
    pub gaps: Vec<Gap>,
    /// Dead letters that went to make room for others.
    pub letters_dropped: u64,
    /// Bytes by which the books did not balance, by source and sink.
    pub imbalances: BTreeMap<Box<str>, u64>,
    /// What of the ledger could not be read.
    pub damage: Vec<String>,
}

type Key = (u64, u16);

#[derive(Default)]
struct Reading {
    names: BTreeMap<Key, (Box<str>, Box<str>)>,
    /// Of all hours; within one, only the last of a life.
    lines: Vec<Line>,
    chains: BTreeMap<Key, BTreeMap<Box<str>, Chain>>,
    gaps: BTreeSet<Gap>,
    unread: BTreeMap<Box<str>, u64>,
    letters_dropped: u64,
    imbalances: BTreeMap<Box<str>, u64>,
}

impl Audit {
    /// Reads the ledger of a data folder from a time on. `wanted` says which streams: it is asked for the source, the
    /// path and the id.
    pub fn read(
        fs: &dyn Fs,
        data_dir: &Path,
        since_ns: i64,
        wanted: &dyn Fn(&str, &str, &str) -> bool,
    ) -> io::Result<Self> {
        let (mut reading, mut audit) = (Reading::default(), Self::default());
        for (hour, path) in files(fs, data_dir)? {
            if (hour + 1).saturating_mul(HOUR_NS) <= since_ns {
                continue;
            }
            let at = hour.saturating_mul(HOUR_NS);
            audit.hours = Some((audit.hours.map_or(at, |(first, _)| first), at));
            match reading.file(fs, &path) {
                Ok(damage) => audit.damage.extend(damage),
                // It was too old, and the process that writes has removed it.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        reading.join();
        audit.gather(reading, wanted);
        Ok(audit)
    }

    fn gather(&mut self, reading: Reading, wanted: &dyn Fn(&str, &str, &str) -> bool) {
        let unnamed = || ("unknown".into(), "unknown".into());
        for ((stream, generation), chains) in reading.chains {
            let (source, path) = reading.names.get(&(stream, generation)).cloned().unwrap_or_else(unnamed);
            let id = format!("{stream:016x}");
            if !wanted(&source, &path, &id) {
                continue;
            }
            let of_source = self.sources.entry(source.clone()).or_default();
            of_source.streams += 1;
            let mut sinks = BTreeMap::new();
            for (sink, Chain { mut sums, after, head }) in chains {
                sums.in_flight = head.saturating_sub(after.unwrap_or(head));
                of_source.sinks.entry(sink.clone()).or_default().add(&sums);
                sinks.insert(sink, sums);
            }
            self.streams.push(StreamAudit { stream: id, generation, source, path, sinks });
        }
        self.streams.sort_by(|one, other| (&one.source, &one.path).cmp(&(&other.source, &other.path)));
        for (source, unread) in reading.unread {
            if wanted(&source, "", "") {
                self.sources.entry(source).or_default().unread = unread;
            }
        }
        let of = |gap: &Gap| wanted(&gap.source, &gap.path, &format!("{:016x}", gap.stream));
        self.gaps = reading.gaps.into_iter().filter(of).collect();
        self.gaps.sort_by_key(|gap| gap.time);
        self.letters_dropped = reading.letters_dropped;
        self.imbalances = reading.imbalances.into_iter().filter(|(_, bytes)| *bytes > 0).collect();
    }

    /// Bytes that are lost, and whether there may be more than these.
    pub fn lost(&self) -> (u64, bool) {
        let known: u64 = self.gaps.iter().filter_map(|gap| Some(gap.end? - gap.start)).sum();
        (known, self.gaps.iter().any(|gap| gap.end.is_none()))
    }

    /// Bytes that are settled, and no line says how.
    pub fn unknown(&self) -> u64 {
        self.sinks().map(|sums| sums.unknown).sum()
    }

    /// Bytes that are handed on and not settled; of sinks that are at the same bytes, those of the slowest.
    pub fn in_flight(&self) -> u64 {
        let slowest = |source: &SourceAudit| source.sinks.values().map(|sums| sums.in_flight).max();
        self.sources.values().filter_map(slowest).sum()
    }

    /// Bytes that the sources have not read.
    pub fn unread(&self) -> u64 {
        self.sources.values().map(|source| source.unread).sum()
    }

    /// Whether every byte is where the books say, as far as they go.
    pub fn is_whole(&self) -> bool {
        let books = self.imbalances.is_empty() && self.unknown() == 0 && self.damage.is_empty();
        self.gaps.is_empty() && self.letters_dropped == 0 && books
    }

    fn sinks(&self) -> impl Iterator<Item = &Sums> {
        self.sources.values().flat_map(|source| source.sinks.values())
    }
}

impl Reading {
    fn file(&mut self, fs: &dyn Fs, path: &Path) -> io::Result<Vec<String>> {
        // Of the lines of one hour and life the last counts.
        let mut lines: BTreeMap<(Key, Box<str>, i64), Line> = BTreeMap::new();
        let damage = read(fs, path, &mut |entry| match entry {
            Entry::Stream { stream, generation, source, path } => {
                self.names.insert((stream, generation), (source, path));
            }
            Entry::Line(line) => {
                let key = ((line.stream, line.generation), line.sink.clone(), line.life);
                lines.insert(key, line);
            }
            Entry::Gap(gap) => {
                let again = self.gaps.iter().any(|known| known.is_same(&gap));
                if !again {
                    self.gaps.insert(gap);
                }
            }
            Entry::Note(Note { what: What::Unread, of, count, .. }) => drop(self.unread.insert(of, count)),
            Entry::Note(Note { what: What::LettersDropped, count, .. }) => self.letters_dropped += count,
            Entry::Note(Note { what: What::Imbalance, of, count, .. }) => {
                let most = self.imbalances.entry(of).or_default();
                *most = count.max(*most);
            }
        })?;
        self.lines.extend(lines.into_values());
        Ok(damage)
    }

    /// The order of lines is that of what they tell of, not of clocks, which may jump: also over hours.
    fn join(&mut self) {
        self.lines.sort_by_key(|line| (line.before, line.after));
        for line in std::mem::take(&mut self.lines) {
            let chains = self.chains.entry((line.stream, line.generation)).or_default();
            chains.entry(line.sink.clone()).or_default().add(&line);
        }
    }
}

impl Gap {
    /// Whether it is told again, which a crash may cause.
    fn is_same(&self, other: &Self) -> bool {
        let place = |gap: &Self| (gap.stream, gap.generation, gap.start, gap.end);
        place(self) == place(other) && self.sink == other.sink && self.cause == other.cause
    }
}

impl Chain {
    fn add(&mut self, line: &Line) {
        if let Some(after) = self.after {
            self.sums.again += after.min(line.after).saturating_sub(line.before);
            self.sums.unknown += line.before.saturating_sub(after);
        }
        // The line itself must tell of all its bytes.
        self.sums.unknown += (line.after - line.before.min(line.after)).abs_diff(line.told());
        self.after = Some(self.after.unwrap_or_default().max(line.after));
        self.head = self.head.max(line.head);
        self.sums.delivered += line.delivered;
        self.sums.gap += line.gap;
        self.sums.recovered += line.recovered;
        add_all(&mut self.sums.dropped, &line.dropped);
        add_all(&mut self.sums.dead_lettered, &line.rejected);
    }
}

impl Sums {
    fn add(&mut self, other: &Self) {
        self.delivered += other.delivered;
        self.gap += other.gap;
        self.recovered += other.recovered;
        self.again += other.again;
        self.unknown += other.unknown;
        self.in_flight += other.in_flight;
        add_all(&mut self.dropped, &other.dropped);
        add_all(&mut self.dead_lettered, &other.dead_lettered);
    }
}

fn add_all(reasons: &mut Reasons, more: &Reasons) {
    for (reason, bytes) in more {
        *reasons.entry(reason.clone()).or_default() += bytes;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::{LedgerLog, Move};
    use super::*;
    use crate::position::StreamId;
    use crate::seam::sim::{SimClock, SimFs};

    const DATA: &str = "/data";

    fn moved(before: u64, after: u64, delivered: u64) -> Move {
        let mut of =
            Move { stream: StreamId(7), source: "pods".into(), path: "/a.log".into(), ..Move::default() };
        (of.before, of.after, of.head, of.delivered) = (before, after, after, delivered);
        if after - before > delivered {
            of.dropped.insert("noise".into(), after - before - delivered);
        }
        of
    }

    fn fresh() -> (SimFs, Arc<dyn Fs>) {
        let fs = SimFs::new(1, Arc::new(SimClock::at(0)));
        fs.make_folder(Path::new(DATA)).expect("a folder");
        let shared: Arc<dyn Fs> = Arc::new(fs.clone());
        (fs, shared)
    }

    fn audit(fs: &SimFs, since_ns: i64) -> Audit {
        Audit::read(fs, Path::new(DATA), since_ns, &|_, _, _| true).expect("read")
    }

    fn put(log: &mut LedgerLog, of: Move, unix_ns: i64) {
        log.put(&[of], &["es".into()], unix_ns).expect("put");
    }

    #[test]
    fn hours_and_lives_add_up() {
        let (fs, shared) = fresh();
        let mut log = LedgerLog::new(shared.clone(), Path::new(DATA), 24);
        put(&mut log, moved(0, 100, 90), 10);
        put(&mut log, moved(100, 250, 150), 20);
        put(&mut log, moved(250, 300, 50), HOUR_NS + 5);
        log.commit().expect("written");
        drop(log);
        let mut log = LedgerLog::new(shared, Path::new(DATA), 24);
        put(&mut log, moved(300, 400, 100), HOUR_NS + 9);
        log.commit().expect("written");
        let all = audit(&fs, 0);
        let sums = &all.sources["pods"].sinks["es"];
        assert_eq!((sums.delivered, sums.dropped["noise"], sums.again, sums.unknown), (390, 10, 0, 0));
        assert!(all.is_whole());
        assert_eq!(all.hours, Some((0, HOUR_NS)));
        let late = audit(&fs, HOUR_NS);
        assert_eq!(late.sources["pods"].sinks["es"].delivered, 150);
    }

    /// A crash between the books and the cursors: the same bytes are settled again, and nobody counts them twice.
    #[test]
    fn what_a_crash_repeats_is_told_apart() {
        let (fs, shared) = fresh();
        let mut log = LedgerLog::new(shared.clone(), Path::new(DATA), 24);
        put(&mut log, moved(0, 300, 300), 10);
        log.commit().expect("written");
        let mut log = LedgerLog::new(shared, Path::new(DATA), 24);
        put(&mut log, moved(200, 500, 300), 20);
        log.commit().expect("written");
        let all = audit(&fs, 0);
        let sums = &all.sources["pods"].sinks["es"];
        assert_eq!((sums.delivered - sums.again, sums.again, sums.unknown), (500, 100, 0));
        assert!(all.is_whole());
    }

    /// Bytes that no line tells of are a fault, and are said.
    #[test]
    fn a_hole_in_the_books_is_seen() {
        let (fs, shared) = fresh();
        let mut log = LedgerLog::new(shared.clone(), Path::new(DATA), 24);
        put(&mut log, moved(0, 300, 300), 10);
        log.commit().expect("written");
        let mut log = LedgerLog::new(shared, Path::new(DATA), 24);
        put(&mut log, moved(350, 400, 50), 20);
        log.commit().expect("written");
        let all = audit(&fs, 0);
        assert_eq!(all.unknown(), 50);
        assert!(!all.is_whole());
    }

    /// However the power fails, what is read back is whole lines, at most as much as was put and at least what was
    /// committed.
    #[test]
    fn a_crash_leaves_what_was_committed() {
        for seed in 0..50 {
            let clock = Arc::new(SimClock::at(0));
            let fs = SimFs::new(seed, clock);
            fs.make_folder(Path::new(DATA)).expect("a folder");
            let shared: Arc<dyn Fs> = Arc::new(fs.clone());
            let mut log = LedgerLog::new(shared, Path::new(DATA), 24);
            for n in 0..20 {
                put(&mut log, moved(n * 10, n * 10 + 10, 10), 10 + n as i64);
                if n < 15 {
                    log.commit().expect("written");
                }
            }
            drop(log);
            fs.crash(Path::new(DATA));
            let all = audit(&fs, 0);
            let sums = &all.sources["pods"].sinks["es"];
            assert!((150..=200).contains(&sums.delivered), "seed {seed}: {sums:?}");
            assert_eq!((sums.again, sums.unknown), (0, 0));
        }
    }

    #[test]
    fn gaps_are_told_once_and_old_hours_go() {
        let (fs, shared) = fresh();
        let mut log = LedgerLog::new(shared, Path::new(DATA), 2);
        let mut gap =
            Gap { stream: 7, source: "pods".into(), path: "/a.log".into(), start: 5, ..Gap::default() };
        for (end, time) in [(Some(9), 1), (Some(9), 2), (None, 3)] {
            (gap.end, gap.time) = (end, time);
            log.gap(gap.clone()).expect("noted");
        }
        log.commit().expect("written");
        let all = audit(&fs, 0);
        assert_eq!((all.gaps.len(), all.lost()), (2, (4, true)));
        assert!(!all.is_whole());
        put(&mut log, moved(0, 10, 10), 2 * HOUR_NS);
        log.commit().expect("written");
        assert!(audit(&fs, 0).gaps.is_empty());
    }
}
