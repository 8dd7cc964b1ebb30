//! The index of files that are idle: read to their end, settled, and not changed since.
//!
//! In: what a look at a file shows. Out: whether it is known and unchanged, at the cost of a look into a tree; else where
//! in the identity log its record is. An entry is as small as that allows, since a host may have half a million of them
//! ([`FILES_MAX`](crate::limits::FILES_MAX)) and nobody writes to most.

use std::collections::{BTreeMap, BTreeSet};

use super::facts::{Record, StreamKey};
use crate::position::{Resume, StreamId};
use crate::seam::{FileId, FileStat};

/// Place and length of a record in the log.
type Place = (u64, u32);

#[derive(Clone, Copy, Debug)]
struct Entry {
    stream: StreamId,
    at: u64,
    len: u32,
    /// The sweep that last saw it, its last bits.
    sweep: u32,
    size: u64,
    modified_ns: i64,
}

/// The index.
#[derive(Debug, Default)]
pub(super) struct Parked {
    entries: BTreeMap<FileId, Entry>,
    bytes: u64,
}

impl Parked {
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Bytes of all records in the log.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Whether a file is known as it is; it was seen by this sweep then. `None` where it is not known.
    pub(super) fn is_unchanged(&mut self, stat: &FileStat, sweep: u64) -> Option<bool> {
        let entry = self.entries.get_mut(&stat.id)?;
        let same = (entry.size, entry.modified_ns) == (stat.size, stat.modified_ns);
        if same {
            entry.sweep = sweep as u32;
        }
        Some(same)
    }

    /// Some of the files that a sweep did not see.
    pub(super) fn unseen(&self, sweep: u64, most: usize) -> Vec<FileId> {
        let unseen = self.entries.iter().filter(|(_, entry)| entry.sweep != sweep as u32);
        unseen.map(|(id, _)| *id).take(most).collect()
    }

    pub(super) fn insert(&mut self, record: &Record, stat: &FileStat, place: Place, sweep: u64) {
        let entry = Entry {
            stream: record.stream,
            at: place.0,
            len: place.1,
            sweep: sweep as u32,
            size: stat.size,
            modified_ns: stat.modified_ns,
        };
        self.bytes += u64::from(place.1);
        if let Some(old) = self.entries.insert(record.id, entry) {
            self.bytes -= u64::from(old.len);
        }
    }

    pub(super) fn remove(&mut self, id: FileId) {
        if let Some(entry) = self.entries.remove(&id) {
            self.bytes -= u64::from(entry.len);
        }
    }

    /// Where the record of a file is.
    pub(super) fn place(&self, id: FileId) -> Option<Place> {
        self.entries.get(&id).map(|entry| (entry.at, entry.len))
    }

    /// Where all records are.
    pub(super) fn places(&self) -> impl Iterator<Item = (FileId, u64, u32)> {
        self.entries.iter().map(|(id, entry)| (*id, entry.at, entry.len))
    }

    /// A record is elsewhere now.
    pub(super) fn moved(&mut self, id: FileId, at: u64) {
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.at = at;
        }
    }

    /// Whether a stream is among them. Looks at all: asked only where a name may be taken.
    pub(super) fn knows(&self, stream: StreamId) -> bool {
        self.entries.values().any(|entry| entry.stream == stream)
    }
}

/// What a record of the log says, as far as it is needed to tell whether its file is idle.
#[derive(Clone, Copy)]
struct Seen {
    key: StreamKey,
    at: u64,
    len: u32,
    /// It was read to its end and may be still there.
    idle: bool,
    from: u64,
    position: u64,
    modified_ns: i64,
}

/// The records of a log, while it is read back.
#[derive(Default)]
pub(super) struct Loading {
    newest: BTreeMap<FileId, Seen>,
    replaced: BTreeMap<StreamKey, Place>,
}

impl Loading {
    /// Takes in a record; a later one of the same stream generation replaces an earlier one.
    pub(super) fn record(&mut self, record: &Record, at: u64, len: u32) {
        let idle = !record.leaving && record.packed.is_none() && record.position == record.size;
        let key = record.key();
        let (from, position, modified_ns) = (record.from, record.position, record.modified_ns);
        let seen = Seen { key, at, len, idle, from, position, modified_ns };
        match self.newest.get_mut(&record.id) {
            Some(known) if known.key > key => {
                self.replaced.insert(key, (at, len));
                return;
            }
            Some(known) => {
                let old = std::mem::replace(known, seen);
                if old.key != key {
                    self.replaced.insert(old.key, (old.at, old.len));
                }
            }
            None => {
                self.newest.insert(record.id, seen);
            }
        }
        if !self.replaced.is_empty() {
            self.replaced.remove(&key);
        }
    }

    /// A stream generation is not known any more, or not as this file.
    pub(super) fn gone(&mut self, key: StreamKey, id: Option<FileId>) {
        self.replaced.remove(&key);
        match id {
            Some(id) if self.newest.get(&id).is_some_and(|seen| seen.key == key) => {
                self.newest.remove(&id);
            }
            Some(_) => {}
            None => self.newest.retain(|_, seen| seen.key != key),
        }
    }

    /// A stream that goes on in another file is not idle; should its log have ended before it said which file it left,
    /// its newest record counts.
    fn leave_once(&mut self) {
        let active = self.newest.values().filter(|seen| !seen.idle).map(|seen| (seen.key, seen.at));
        let mut newest: BTreeMap<StreamKey, u64> = BTreeMap::new();
        for (key, at) in active.chain(self.replaced.iter().map(|(key, place)| (*key, place.0))) {
            let newest = newest.entry(key).or_default();
            *newest = at.max(*newest);
        }
        let counts = |key: &StreamKey, at: u64| newest.get(key).is_none_or(|newest| at >= *newest);
        self.newest.retain(|_, seen| counts(&seen.key, seen.at));
        self.replaced.retain(|key, place| counts(key, place.0));
    }

    /// Tells the idle ones from those that must be looked at: the newest of their file, and those that were replaced.
    pub(super) fn finish(
        mut self,
        resume: &dyn Resume,
        cut_since: &BTreeSet<StreamKey>,
        active_max: usize,
    ) -> (Parked, Vec<Place>, Vec<Place>) {
        self.leave_once();
        let few = self.newest.len() <= active_max;
        let mut newest = Vec::new();
        let mut bytes = 0;
        let mut entries = Vec::new();
        for (id, seen) in self.newest {
            let settled = || resume.position(seen.key.0, seen.key.1).unwrap_or(seen.from);
            if few || !seen.idle || cut_since.contains(&seen.key) || settled() < seen.position {
                newest.push((seen.at, seen.len));
                continue;
            }
            bytes += u64::from(seen.len);
            let entry = Entry {
                stream: seen.key.0,
                at: seen.at,
                len: seen.len,
                sweep: 0,
                size: seen.position,
                modified_ns: seen.modified_ns,
            };
            entries.push((id, entry));
        }
        // From a sorted list, so that the tree is full.
        let parked = Parked { entries: entries.into_iter().collect(), bytes };
        (parked, newest, self.replaced.into_values().collect())
    }
}
