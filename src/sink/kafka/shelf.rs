//! What the cluster has of each stream, by the cursors that stand in its own log.
//!
//! In: cursors read back, and the ranges of what is committed. Out: whether an event is in, and the cursors that go
//! with the next transaction. Holds at most [`KAFKA_CURSOR_STREAMS_MAX`] streams.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use crate::limits::KAFKA_CURSOR_STREAMS_MAX;
use crate::position::{CursorRecord, Ranges, StreamId, decode_record, encode_record};

/// Stream and generation.
pub(super) type Key = (StreamId, u16);

#[derive(Debug, Default)]
struct Known {
    ranges: Ranges,
    /// When it was last touched, counted in transactions.
    touched: u64,
}

/// Cursors by stream.
#[derive(Debug, Default)]
pub(super) struct Shelf {
    /// The transactional id, which keys begin with.
    id: String,
    streams: HashMap<Key, Known>,
    /// Streams whose cursors leave the topic with the next transaction.
    gone: Vec<Key>,
    transactions: u64,
}

impl Shelf {
    pub(super) fn new(id: &str) -> Self {
        Self { id: id.to_owned(), ..Self::default() }
    }

    /// Puts what was read back in the place of what was known. Says how many could not be read.
    pub(super) fn load(&mut self, entries: &[(String, Vec<u8>)]) -> usize {
        *self = Self::new(&self.id);
        let mut unread = 0;
        for (_, value) in entries {
            // By another version: what it says was sent may be sent once more.
            let Ok((record, _)) = decode_record(value) else {
                unread += 1;
                continue;
            };
            // The same key may stand in several partitions, if their number was changed: all of it is true.
            let known = self.streams.entry((record.stream, record.generation)).or_default();
            known.ranges.insert(0..record.low);
            record.settled.iter().for_each(|range| known.ranges.insert(range));
        }
        unread
    }

    /// Whether the event that begins there is in the log.
    pub(super) fn has(&self, stream: Key, start: u64) -> bool {
        self.streams.get(&stream).is_some_and(|known| known.ranges.contains(start))
    }

    fn key(&self, (stream, generation): Key) -> String {
        format!("{}/{stream}/{generation}", self.id)
    }

    /// The cursors that say that these ranges are in, too.
    pub(super) fn cursors(&self, ranges: &BTreeMap<Key, Vec<Range<u64>>>) -> Vec<(String, Option<Vec<u8>>)> {
        let mut cursors = Vec::with_capacity(ranges.len() + self.gone.len());
        for (&key, ranges) in ranges {
            let mut all = self.streams.get(&key).map(|known| known.ranges.clone()).unwrap_or_default();
            ranges.iter().for_each(|range| all.insert(range.clone()));
            let low = all.first_gap(0);
            all.drop_below(low);
            let (stream, generation) = key;
            let record = CursorRecord { stream, generation, sink: "".into(), low, settled: all };
            let mut value = Vec::new();
            encode_record(&record, &mut value);
            cursors.push((self.key(key), Some(value)));
        }
        let gone = self.gone.iter().filter(|key| !ranges.contains_key(key));
        cursors.extend(gone.map(|key| (self.key(*key), None)));
        cursors
    }

    /// Notes that a transaction with these ranges, and the cursors for them, is committed.
    pub(super) fn committed(&mut self, ranges: &BTreeMap<Key, Vec<Range<u64>>>) {
        self.gone.clear();
        self.add(ranges);
        if self.streams.len() > KAFKA_CURSOR_STREAMS_MAX {
            self.shrink(KAFKA_CURSOR_STREAMS_MAX - KAFKA_CURSOR_STREAMS_MAX / 8);
        }
    }

    /// Notes ranges that had nothing for this sink: their cursors go with the next transaction that touches the stream.
    pub(super) fn add(&mut self, ranges: &BTreeMap<Key, Vec<Range<u64>>>) {
        self.transactions += 1;
        for (&key, ranges) in ranges {
            let known = self.streams.entry(key).or_default();
            known.touched = self.transactions;
            ranges.iter().for_each(|range| known.ranges.insert(range.clone()));
        }
    }

    /// Forgets the streams that were not touched for longest.
    fn shrink(&mut self, to: usize) {
        let mut ages: Vec<_> = self.streams.iter().map(|(key, known)| (known.touched, *key)).collect();
        ages.sort_unstable();
        for (_, key) in ages.into_iter().take(self.streams.len().saturating_sub(to)) {
            self.streams.remove(&key);
            self.gone.push(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(stream: u64, range: Range<u64>) -> BTreeMap<Key, Vec<Range<u64>>> {
        BTreeMap::from([((StreamId(stream), 0), vec![range])])
    }

    fn read_back(cursors: Vec<(String, Option<Vec<u8>>)>) -> Vec<(String, Vec<u8>)> {
        cursors.into_iter().filter_map(|(key, value)| Some((key, value?))).collect()
    }

    #[test]
    fn what_is_written_is_known_again() {
        let mut shelf = Shelf::new("id");
        shelf.committed(&one(1, 100..200));
        shelf.add(&one(1, 300..400));
        let cursors = shelf.cursors(&one(1, 200..250));
        assert_eq!(cursors[0].0, "id/0000000000000001/0");
        assert!(!shelf.has((StreamId(1), 0), 200), "not before it is committed");
        let mut again = Shelf::new("id");
        assert_eq!(again.load(&read_back(cursors)), 0);
        let known: Vec<_> =
            [99, 100, 249, 250, 300, 399, 400].map(|at| again.has((StreamId(1), 0), at)).to_vec();
        assert_eq!(known, [false, true, true, false, true, true, false]);
        assert!(!again.has((StreamId(1), 1), 100), "another generation");
    }

    #[test]
    fn the_oldest_streams_leave_the_topic() {
        let mut shelf = Shelf::new("id");
        for stream in 0..=KAFKA_CURSOR_STREAMS_MAX as u64 {
            shelf.committed(&one(stream, 0..10));
        }
        assert!(shelf.has((StreamId(KAFKA_CURSOR_STREAMS_MAX as u64), 0), 0));
        assert!(!shelf.has((StreamId(0), 0), 0));
        let cursors = shelf.cursors(&one(0, 10..20));
        let gone = cursors.iter().filter(|(_, value)| value.is_none()).count();
        assert_eq!(gone, KAFKA_CURSOR_STREAMS_MAX / 8, "all that left but the one that came back");
        shelf.committed(&one(0, 10..20));
        assert_eq!(shelf.cursors(&one(0, 20..30)).len(), 1, "said once");
    }
}
