//! The cursor log: the newest [`CursorRecord`] of every (stream, generation, sink), in one append-only file.
//!
//! In: records that changed. Out, at the next start: where to read from, and what each sink need not be offered
//! again. Writes are in proportion to what changed, never to what is known.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};

use crate::position::{CursorRecord, Ranges, Resume, StreamId, decode_record, encode_record};
use crate::seam::{Fs, RecordLog};

/// Name of the file in the data folder.
const FILE: &str = "cursors.log";

/// Stream, generation, and the sink's number in [`Table::sinks`].
type Key = (StreamId, u16, u16);

/// How far one sink is with one stream.
#[derive(Clone, Copy, Debug)]
struct Cursor {
    low: u64,
    record_bytes: u32,
}

/// All cursors. In a tree, since there are as many as files are known, and most are done: an entry is small, and a tree
/// wastes little.
#[derive(Debug, Default)]
struct Table {
    sinks: Vec<Box<str>>,
    cursors: BTreeMap<Key, Cursor>,
    /// What is settled above the low mark, where something is.
    above: BTreeMap<Key, Ranges>,
    live_bytes: u64,
}

impl Table {
    fn sink(&mut self, name: &str) -> u16 {
        match self.sinks.iter().position(|known| **known == *name) {
            Some(at) => at as u16,
            None => {
                self.sinks.push(name.into());
                (self.sinks.len() - 1) as u16
            }
        }
    }

    fn put(&mut self, record: &CursorRecord, record_bytes: u64) {
        let key = (record.stream, record.generation, self.sink(&record.sink));
        let cursor = Cursor { low: record.low, record_bytes: record_bytes as u32 };
        self.live_bytes += record_bytes;
        if let Some(old) = self.cursors.insert(key, cursor) {
            self.live_bytes -= u64::from(old.record_bytes);
        }
        if record.settled.is_empty() {
            self.above.remove(&key);
        } else {
            self.above.insert(key, record.settled.clone());
        }
    }

    fn of_stream(&self, stream: StreamId, generation: u16) -> impl Iterator<Item = (&Key, &Cursor)> {
        self.cursors.range((stream, generation, 0)..=(stream, generation, u16::MAX))
    }

    fn forget(&mut self, stream: StreamId, generation: u16) {
        let keys: Vec<_> = self.of_stream(stream, generation).map(|(key, _)| *key).collect();
        for key in keys {
            self.above.remove(&key);
            self.live_bytes -= self.cursors.remove(&key).map_or(0, |cursor| u64::from(cursor.record_bytes));
        }
    }

    fn record(&self, key: Key, cursor: Cursor) -> CursorRecord {
        let (stream, generation, sink) = key;
        CursorRecord {
            stream,
            generation,
            sink: self.sinks[usize::from(sink)].clone(),
            low: cursor.low,
            settled: self.above.get(&key).cloned().unwrap_or_default(),
        }
    }

    fn get(&self, stream: StreamId, generation: u16, sink: &str) -> Option<CursorRecord> {
        let sink = self.sinks.iter().position(|known| **known == *sink)?;
        let key = (stream, generation, sink as u16);
        self.cursors.get(&key).map(|cursor| self.record(key, *cursor))
    }

    fn low(&self, stream: StreamId, generation: u16, sink: &str) -> Option<u64> {
        let sink = self.sinks.iter().position(|known| **known == *sink)?;
        self.cursors.get(&(stream, generation, sink as u16)).map(|cursor| cursor.low)
    }
}

/// The log, open for writing.
pub struct CursorLog {
    log: RecordLog,
    table: Arc<RwLock<Table>>,
    pending: Vec<u8>,
}

impl CursorLog {
    /// Reads the log in a data folder, or starts one. Damage is cut out and described in the second value; it
    /// costs repeated events with the same ids, never a start.
    pub fn open(fs: Arc<dyn Fs>, data_dir: &Path) -> io::Result<(Self, Vec<String>)> {
        let mut table = Table::default();
        let mut newer = 0usize;
        let mut each = |frame: &[u8]| match decode_record(frame) {
            Ok((record, length)) => table.put(&record, length as u64),
            Err(_) => newer += 1,
        };
        let (log, mut warnings) = RecordLog::open(fs, &data_dir.join(FILE), &mut each)?;
        if newer > 0 {
            warnings
                .push(format!("{FILE}: {newer} records were written by a later version and are not used"));
        }
        Ok((Self { log, table: Arc::new(RwLock::new(table)), pending: Vec::new() }, warnings))
    }

    /// The newest record of every cursor in a data folder. Only reads: a process may be writing.
    pub fn records(fs: &dyn Fs, data_dir: &Path) -> io::Result<Vec<CursorRecord>> {
        let mut newest = std::collections::BTreeMap::new();
        let mut each = |frame: &[u8]| {
            if let Ok((record, _)) = decode_record(frame) {
                newest.insert((record.stream, record.generation, record.sink.clone()), record);
            }
        };
        match RecordLog::read(fs, &data_dir.join(FILE), &mut each) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(newest.into_values().collect()),
        }
    }

    /// Notes a record; it is durable after the next [`CursorLog::commit`].
    pub fn put(&mut self, record: &CursorRecord) {
        let start = self.pending.len();
        encode_record(record, &mut self.pending);
        let length = (self.pending.len() - start) as u64;
        self.table.write().unwrap_or_else(PoisonError::into_inner).put(record, length);
    }

    /// Takes in what a sink has settled by its own records (an archive's epochs): never less than was known.
    pub fn merge(&mut self, record: &CursorRecord) {
        let mut merged = record.clone();
        if let Some(known) = self.get(record.stream, record.generation, &record.sink) {
            for range in known.settled.iter() {
                merged.settled.insert(range);
            }
            merged.low = merged.low.max(known.low);
        }
        merged.low = merged.settled.first_gap(merged.low);
        merged.settled.drop_below(merged.low);
        if self.get(record.stream, record.generation, &record.sink).as_ref() != Some(&merged) {
            self.put(&merged);
        }
    }

    /// Bytes of a record's stream that its sink has settled, as far as is known.
    pub fn done(&self, record: &CursorRecord) -> u64 {
        let known = self.get(record.stream, record.generation, &record.sink);
        known.map_or(0, |known| known.low + known.settled.total())
    }

    /// The newest record of a stream and sink.
    pub fn get(&self, stream: StreamId, generation: u16, sink: &str) -> Option<CursorRecord> {
        self.table.read().unwrap_or_else(PoisonError::into_inner).get(stream, generation, sink)
    }

    /// Forgets a stream that will never be read again. Its records leave the file at the next compaction.
    pub fn forget(&mut self, stream: StreamId, generation: u16) {
        self.table.write().unwrap_or_else(PoisonError::into_inner).forget(stream, generation);
    }

    /// Makes all that was put durable, in one write and one fsync. Compacts when the file has grown too large
    /// for what is live in it. After an error everything is still pending, and the next call tries again.
    pub fn commit(&mut self) -> io::Result<()> {
        self.log.append(&self.pending)?;
        self.pending.clear();
        let live_bytes = self.table.read().unwrap_or_else(PoisonError::into_inner).live_bytes;
        if self.log.wants_rewrite(live_bytes) {
            return self.compact();
        }
        self.log.sync()
    }

    /// Whether something that was put is not durable: a commit failed, and is to be tried again.
    pub fn is_dirty(&self) -> bool {
        !self.pending.is_empty() || self.log.is_unsynced()
    }

    /// Writes the file anew with only the newest record of each cursor.
    pub fn compact(&mut self) -> io::Result<()> {
        let table = self.table.read().unwrap_or_else(PoisonError::into_inner);
        let mut frames = table.cursors.iter().map(|(key, cursor)| {
            let mut frame = Vec::new();
            encode_record(&table.record(*key, *cursor), &mut frame);
            frame
        });
        self.log.rewrite(&mut frames)
    }

    /// Bytes in the file.
    pub fn size(&self) -> u64 {
        self.log.size()
    }

    /// The view that sources resume from. `sinks` are all sinks in the plan's order, each with whether it is
    /// required; later records are seen.
    pub fn cursors(&self, sinks: &[(&str, bool)]) -> Cursors {
        let sinks = sinks.iter().map(|(name, required)| ((*name).into(), *required)).collect();
        Cursors { table: Arc::clone(&self.table), sinks }
    }
}

/// The cursors of one plan's sinks.
#[derive(Clone, Debug)]
pub struct Cursors {
    table: Arc<RwLock<Table>>,
    sinks: Vec<(Box<str>, bool)>,
}

impl Resume for Cursors {
    fn position(&self, stream: StreamId, generation: u16) -> Option<u64> {
        let table = self.table.read().unwrap_or_else(PoisonError::into_inner);
        table.of_stream(stream, generation).next()?;
        // A sink without a record has settled nothing yet. Where no sink is required, all are asked.
        let any_required = self.sinks.iter().any(|(_, required)| *required);
        let asked = self.sinks.iter().filter(|(_, required)| *required || !any_required);
        asked.map(|(name, _)| table.low(stream, generation, name).unwrap_or(0)).min()
    }

    fn settled(&self, stream: StreamId, generation: u16) -> Option<Arc<[Ranges]>> {
        let from = self.position(stream, generation)?;
        let table = self.table.read().unwrap_or_else(PoisonError::into_inner);
        let of_sink = |(name, _): &(Box<str>, bool)| {
            let mut set = Ranges::default();
            if let Some(cursor) = table.get(stream, generation, name) {
                set = cursor.settled;
                set.insert(from..cursor.low.max(from));
                set.drop_below(from);
            }
            set
        };
        let sets: Arc<[Ranges]> = self.sinks.iter().map(of_sink).collect();
        sets.iter().any(|set| !set.is_empty()).then_some(sets)
    }
}
