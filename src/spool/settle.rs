//! What each sink has settled of each stream, and the ledger in source bytes. Pure bookkeeping, per run of rows.
//!
//! In: ranges handed to the workers, ranges that a sink is done with and what became of their bytes, gaps. Out:
//! low marks, cursor records that changed, and per (source, sink) the sum
//! `head = earlier + delivered + dropped + rejected + gap + in flight`, each side counted on its own.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use super::ledger_log::add_reason;
use crate::position::{CursorRecord, Ranges, Stream, StreamId};
use crate::seam::HashMap;

/// What became of the bytes of a run, as far as they were not delivered. The rest of the run was.
#[derive(Clone, Copy, Debug, Default)]
pub struct Fate<'a> {
    /// Bytes that the pipeline dropped, by the reason it gave.
    pub dropped: &'a [(Arc<str>, u64)],
    /// Bytes that went to the dead letters, by reason.
    pub rejected: &'a [(Arc<str>, u64)],
}

/// The ledger of one (source, sink), in source bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// Everything that was read, gaps included.
    pub head: u64,
    /// Read again, and settled before this start.
    pub earlier: u64,
    /// The sink has it, separators and blank lines included.
    pub delivered: u64,
    /// The pipeline dropped it, by reason.
    pub dropped: BTreeMap<Arc<str>, u64>,
    /// Dead letters, by reason.
    pub rejected: BTreeMap<Arc<str>, u64>,
    /// Can never be read; known bytes only.
    pub gap: u64,
    /// Handed on and not yet settled.
    pub in_flight: u64,
}

impl Account {
    /// Whether every byte that was read is accounted for, once.
    pub fn balances(&self) -> bool {
        self.imbalance() == 0
    }

    /// Bytes that are in no account, or in two.
    pub fn imbalance(&self) -> u64 {
        let sum = |map: &BTreeMap<Arc<str>, u64>| map.values().sum::<u64>();
        let known = self.earlier + self.delivered + self.gap + self.in_flight;
        self.head.abs_diff(known + sum(&self.dropped) + sum(&self.rejected))
    }
}

/// How far one sink is with one stream.
#[derive(Clone, Debug, Default)]
struct Progress {
    sink: usize,
    low: u64,
    above: Ranges,
    /// Bytes below the low mark and in the ranges above it.
    done: u64,
}

impl Progress {
    /// Adds a range; returns the bytes that were not in before.
    fn settle(&mut self, range: Range<u64>) -> u64 {
        let range = range.start.max(self.low)..range.end;
        if range.is_empty() {
            return 0;
        }
        let before = self.above.total();
        self.above.insert(range);
        let new = self.above.total() - before;
        self.low = self.above.first_gap(self.low);
        self.above.drop_below(self.low);
        self.done += new;
        new
    }
}

#[derive(Clone, Debug)]
struct Entry {
    source: usize,
    /// Where this process began.
    first: u64,
    /// Handed on, above the lowest low mark.
    handed: Ranges,
    /// One past the last byte that was handed on.
    head: u64,
    sinks: Vec<Progress>,
}

/// One source: its name, and an account for each sink that it feeds.
#[derive(Clone, Debug)]
struct Source {
    name: Box<str>,
    accounts: Vec<(usize, Account)>,
}

/// What changed of one (stream, sink) since the last look.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Move {
    /// The stream.
    pub stream: StreamId,
    /// Its generation.
    pub generation: u16,
    /// Number of the sink.
    pub sink: usize,
    /// Name of the source.
    pub source: Box<str>,
    /// Path or address of the stream.
    pub path: Box<str>,
    /// Bytes that were settled before, and now.
    pub before: u64,
    /// See there.
    pub after: u64,
    /// One past the last byte that was handed on.
    pub head: u64,
    /// Newly delivered.
    pub delivered: u64,
    /// Newly dropped, by reason.
    pub dropped: BTreeMap<Arc<str>, u64>,
    /// New dead letters, by reason.
    pub rejected: BTreeMap<Arc<str>, u64>,
    /// Newly lost.
    pub gap: u64,
}

impl Move {
    /// Bytes whose fate it tells.
    fn told(&self) -> u64 {
        let sum = |reasons: &BTreeMap<Arc<str>, u64>| reasons.values().sum::<u64>();
        self.delivered + sum(&self.dropped) + sum(&self.rejected) + self.gap
    }
}

/// All streams of the process.
#[derive(Clone, Debug, Default)]
pub struct Tracker {
    sinks: Vec<Box<str>>,
    sources: Vec<Source>,
    streams: HashMap<(StreamId, u16), Entry>,
    dirty: BTreeSet<(StreamId, u16, usize)>,
    moves: BTreeMap<(StreamId, u16, usize), Move>,
}

impl Tracker {
    /// A tracker for these sinks; a sink's number is its place in the list.
    pub fn new(sinks: &[&str]) -> Self {
        Self { sinks: sinks.iter().map(|name| (*name).into()).collect(), ..Self::default() }
    }

    /// Names a source and the sinks that it feeds.
    pub fn source(&mut self, name: &str, sinks: &[usize]) {
        let accounts = sinks.iter().map(|&sink| (sink, Account::default())).collect();
        self.sources.push(Source { name: name.into(), accounts });
    }

    /// Notes where this process began to read a stream and what each sink, by its number, had settled above.
    /// May be said again with every batch.
    pub fn opened(&mut self, stream: &Stream, from: u64, settled: Option<&[Ranges]>) {
        if self.entry(stream, from).is_none() {
            return;
        }
        let Some(entry) = self.streams.get_mut(&(stream.id, stream.generation)) else { return };
        let accounts = &mut self.sources[entry.source].accounts;
        let first = std::mem::replace(&mut entry.first, from);
        for ((_, account), progress) in accounts.iter_mut().zip(&mut entry.sinks) {
            if from < first {
                // A gap was noted before the first batch arrived.
                progress.above.insert(first..progress.low);
                progress.low = from;
                progress.done = from + progress.above.total();
            }
            progress.settle(first..from);
            for range in settled.and_then(|sets| sets.get(progress.sink)).into_iter().flat_map(Ranges::iter) {
                // A catch-up read of another sink may have come first, and handed it on as open to all.
                let fresh = entry.handed.missing(range.clone());
                let fresh: u64 = fresh.iter().map(|part| unsettled(progress, part)).sum();
                let counted = unsettled(progress, &range) - fresh;
                progress.settle(range);
                account.in_flight -= counted.min(account.in_flight);
                account.earlier += counted;
            }
        }
    }

    /// Notes ranges that go to the workers.
    pub fn handed(&mut self, stream: &Stream, ranges: &[Range<u64>]) {
        let Some(first) = ranges.iter().map(|range| range.start).min() else { return };
        if self.entry(stream, first).is_none() {
            return;
        }
        let Some(entry) = self.streams.get_mut(&(stream.id, stream.generation)) else { return };
        let accounts = &mut self.sources[entry.source].accounts;
        let low = entry.sinks.iter().map(|progress| progress.low).min().unwrap_or(0);
        for range in ranges {
            for part in entry.handed.missing(range.start.max(low)..range.end) {
                let length = part.end - part.start;
                for ((_, account), progress) in accounts.iter_mut().zip(&entry.sinks) {
                    let open = unsettled(progress, &part);
                    account.head += length;
                    account.in_flight += open;
                    account.earlier += length - open;
                }
            }
            entry.handed.insert(range.clone());
            entry.head = entry.head.max(range.end);
        }
        let source = &self.sources[entry.source].name;
        for progress in &entry.sinks {
            touch(&mut self.moves, stream, source, progress, entry.head);
        }
    }

    /// The entry of a stream, made where it is new: then all below `from` counts as settled.
    fn entry(&mut self, stream: &Stream, from: u64) -> Option<&mut Entry> {
        let source = self.sources.iter().position(|source| *source.name == *stream.source)?;
        let accounts = &self.sources[source].accounts;
        let new = || Entry {
            source,
            first: from,
            handed: Ranges::default(),
            head: from,
            sinks: accounts
                .iter()
                .map(|(sink, _)| Progress { sink: *sink, low: from, above: Ranges::default(), done: from })
                .collect(),
        };
        Some(self.streams.entry((stream.id, stream.generation)).or_insert_with(new))
    }

    /// Notes that a sink is done with ranges of a stream, and what became of them.
    pub fn settled(&mut self, sink: usize, stream: &Stream, ranges: &[Range<u64>], fate: Fate<'_>) {
        let key = (stream.id, stream.generation);
        let Some(entry) = self.streams.get_mut(&key) else { return };
        let Source { name, accounts } = &mut self.sources[entry.source];
        let both = accounts.iter_mut().zip(&mut entry.sinks).find(|((number, _), _)| *number == sink);
        let Some(((_, account), progress)) = both else { return };
        let mut new: u64 = ranges.iter().map(|range| progress.settle(range.clone())).sum();
        if new == 0 {
            return;
        }
        account.in_flight -= new.min(account.in_flight);
        let moved = touch(&mut self.moves, stream, name, progress, entry.head);
        for (reasons, map, moved) in [
            (fate.dropped, &mut account.dropped, &mut moved.dropped),
            (fate.rejected, &mut account.rejected, &mut moved.rejected),
        ] {
            for (reason, bytes) in reasons {
                // After a restart some of a run may have been settled before: a part is never more than the new.
                let bytes = (*bytes).min(new);
                new -= bytes;
                add_reason(map, reason, bytes);
                add_reason(moved, reason, bytes);
            }
        }
        account.delivered += new;
        moved.delivered += new;
        moved.before = moved.after.saturating_sub(moved.told());
        self.dirty.insert((key.0, key.1, sink));
        trim(entry);
    }

    /// Notes bytes that can never be read, for all sinks or for `only` one. What a sink had settled of them stays
    /// delivered; the rest is its gap.
    pub fn gap(&mut self, stream: &Stream, range: Range<u64>, only: Option<usize>) {
        self.handed(stream, std::slice::from_ref(&range));
        let key = (stream.id, stream.generation);
        let Some(entry) = self.streams.get_mut(&key) else { return };
        let Source { name, accounts } = &mut self.sources[entry.source];
        for ((sink, account), progress) in accounts.iter_mut().zip(&mut entry.sinks) {
            if only.is_some_and(|only| only != *sink) {
                continue;
            }
            let new = progress.settle(range.clone());
            account.in_flight -= new.min(account.in_flight);
            account.gap += new;
            let moved = touch(&mut self.moves, stream, name, progress, entry.head);
            moved.gap += new;
            moved.before = moved.after.saturating_sub(moved.told());
            self.dirty.insert((key.0, key.1, *sink));
        }
        trim(entry);
    }

    /// The low mark of a stream: every sink has settled all below. `None` for an unknown stream.
    pub fn low(&self, stream: &Stream) -> Option<u64> {
        let entry = self.streams.get(&(stream.id, stream.generation))?;
        entry.sinks.iter().map(|progress| progress.low).min()
    }

    /// The cursor records that changed since the last call.
    pub fn dirty(&mut self) -> Vec<CursorRecord> {
        let dirty = std::mem::take(&mut self.dirty);
        let record = |(stream, generation, sink): (StreamId, u16, usize)| {
            let entry = self.streams.get(&(stream, generation))?;
            let progress = entry.sinks.iter().find(|progress| progress.sink == sink)?;
            Some(CursorRecord {
                stream,
                generation,
                sink: self.sinks.get(sink)?.clone(),
                low: progress.low,
                settled: progress.above.clone(),
            })
        };
        dirty.into_iter().filter_map(record).collect()
    }

    /// What changed since the last call, of each stream and sink.
    pub fn moves(&mut self) -> Vec<Move> {
        std::mem::take(&mut self.moves).into_values().collect()
    }

    /// Takes back changes that could not be written.
    pub fn give_back(&mut self, moves: Vec<Move>) {
        for mut earlier in moves {
            let key = (earlier.stream, earlier.generation, earlier.sink);
            if let Some(later) = self.moves.remove(&key) {
                earlier.delivered += later.delivered;
                earlier.gap += later.gap;
                (earlier.after, earlier.head) = (later.after, later.head);
                for (mine, more) in
                    [(&mut earlier.dropped, later.dropped), (&mut earlier.rejected, later.rejected)]
                {
                    more.iter().for_each(|(reason, bytes)| add_reason(mine, reason, *bytes));
                }
            }
            self.moves.insert(key, earlier);
        }
    }

    /// Names of the sinks, by number.
    pub fn sinks(&self) -> &[Box<str>] {
        &self.sinks
    }

    /// Whether any record changed since [`Tracker::dirty`].
    pub fn is_dirty(&self) -> bool {
        !self.dirty.is_empty()
    }

    /// Forgets a stream that will never be read again; its account stays.
    pub fn forget(&mut self, stream: StreamId, generation: u16) {
        self.streams.remove(&(stream, generation));
    }

    /// The ledger: source, sink, account.
    pub fn ledger(&self) -> impl Iterator<Item = (&str, &str, &Account)> {
        self.sources.iter().flat_map(|source| {
            source
                .accounts
                .iter()
                .filter_map(|(sink, account)| Some((&*source.name, &**self.sinks.get(*sink)?, account)))
        })
    }
}

/// The change of a (stream, sink), which stands where the sink is now.
fn touch<'m>(
    moves: &'m mut BTreeMap<(StreamId, u16, usize), Move>,
    stream: &Stream,
    source: &str,
    progress: &Progress,
    head: u64,
) -> &'m mut Move {
    let (id, generation, sink) = (stream.id, stream.generation, progress.sink);
    let fresh = || Move {
        stream: id,
        generation,
        sink,
        source: source.into(),
        path: stream.path.clone(),
        ..Move::default()
    };
    let moved = moves.entry((id, generation, sink)).or_insert_with(fresh);
    moved.head = head;
    moved.after = progress.done;
    moved.before = moved.after.saturating_sub(moved.told());
    moved
}

/// Bytes of a range that a sink has not settled.
fn unsettled(progress: &Progress, range: &Range<u64>) -> u64 {
    let range = range.start.max(progress.low)..range.end.max(progress.low);
    progress.above.missing(range).iter().map(|part| part.end - part.start).sum()
}

fn trim(entry: &mut Entry) {
    if let Some(low) = entry.sinks.iter().map(|progress| progress.low).min() {
        entry.handed.drop_below(low);
    }
}

#[cfg(test)]
#[expect(clippy::single_range_in_vec_init, reason = "a list of ranges that holds one is what is meant")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn stream() -> Stream {
        Stream { id: StreamId(1), generation: 0, source: "pods".into(), path: "/a.log".into() }
    }

    fn tracker() -> Tracker {
        let mut tracker = Tracker::new(&["es", "archive"]);
        tracker.source("pods", &[0, 1]);
        tracker
    }

    #[test]
    fn a_low_mark_waits_for_the_slowest_sink() {
        let (mut tracker, stream) = (tracker(), stream());
        tracker.opened(&stream, 0, None);
        tracker.handed(&stream, &[0..100, 100..250]);
        tracker.settled(0, &stream, &[100..250], Fate::default());
        assert_eq!(tracker.low(&stream), Some(0));
        tracker.settled(0, &stream, &[0..100], Fate::default());
        tracker.settled(1, &stream, &[0..100], Fate::default());
        assert_eq!(tracker.low(&stream), Some(100));
        let lows: Vec<_> = tracker.dirty().into_iter().map(|record| (record.sink, record.low)).collect();
        assert_eq!(lows, [("es".into(), 250), ("archive".into(), 100)]);
        assert!(!tracker.is_dirty());
    }

    #[test]
    fn what_a_catch_up_read_hands_on_first_is_not_left_in_flight() {
        let (mut tracker, stream) = (tracker(), stream());
        // For the first sink, before the source's own batch says what the second one has.
        tracker.handed(&stream, &[0..100]);
        let mut has = Ranges::default();
        has.insert(0..60);
        tracker.opened(&stream, 0, Some(&[Ranges::default(), has]));
        tracker.handed(&stream, &[0..100]);
        tracker.settled(0, &stream, &[0..100], Fate::default());
        tracker.settled(1, &stream, &[0..100], Fate::default());
        let told = |account: &Account| (account.earlier, account.delivered, account.in_flight);
        let accounts: Vec<_> = tracker.ledger().map(|(_, _, account)| told(account)).collect();
        assert_eq!(accounts, [(0, 100, 0), (60, 40, 0)]);
    }

    #[test]
    fn what_was_settled_before_is_not_delivered_again() {
        let (mut tracker, stream) = (tracker(), stream());
        let mut ahead = Ranges::default();
        ahead.insert(40..90);
        tracker.opened(&stream, 40, Some(&[ahead, Ranges::default()]));
        tracker.handed(&stream, &[40..120]);
        tracker.settled(0, &stream, &[40..120], Fate::default());
        tracker.gap(&stream, 120..150, None);
        let accounts: Vec<_> = tracker.ledger().map(|(_, sink, account)| (sink, account.clone())).collect();
        let (es, archive) = (&accounts[0].1, &accounts[1].1);
        assert_eq!((es.earlier, es.delivered, es.gap, es.in_flight), (50, 30, 30, 0));
        assert_eq!((archive.earlier, archive.delivered, archive.gap, archive.in_flight), (0, 0, 30, 80));
    }

    /// An open message of one lane may be handed on after its neighbours, and a gap before any of them.
    #[test]
    fn reading_began_where_it_is_said_to() {
        let (mut tracker, stream) = (tracker(), stream());
        tracker.gap(&stream, 50..60, None);
        tracker.opened(&stream, 10, None);
        tracker.handed(&stream, &[20..50]);
        tracker.settled(0, &stream, &[20..50], Fate::default());
        tracker.settled(1, &stream, &[20..50], Fate::default());
        assert_eq!(tracker.low(&stream), Some(10));
        tracker.opened(&stream, 10, None);
        tracker.handed(&stream, &[10..20]);
        tracker.settled(0, &stream, &[10..20], Fate::default());
        tracker.settled(1, &stream, &[10..20], Fate::default());
        assert_eq!(tracker.low(&stream), Some(60));
        assert!(tracker.ledger().all(|(_, _, account)| account.balances() && account.head == 50));
    }

    proptest! {
        /// In whichever order runs are handed on, settled, settled again or lost, every account balances.
        #[test]
        fn every_byte_is_accounted_for(steps in prop::collection::vec((0u8..5, 0u64..12, 1u64..4, 0u64..20), 1..60)) {
            let (mut tracker, stream) = (tracker(), stream());
            tracker.opened(&stream, 0, None);
            let (mut head, mut told) = (0, [0; 2]);
            let reason: Arc<str> = "health check".into();
            for (what, at, runs, bytes) in steps {
                let range = at * 10..(at + runs) * 10;
                match what {
                    0 | 1 => {
                        tracker.handed(&stream, &[head..head + bytes + 1]);
                        head += bytes + 1;
                    }
                    2 | 3 => {
                        let sink = usize::from(what - 2);
                        let range = range.start.min(head)..range.end.min(head);
                        let lost = [(Arc::clone(&reason), bytes.min(range.end - range.start))];
                        let refused = [(Arc::clone(&reason), (range.end - range.start) / 3)];
                        let fate = Fate { dropped: &lost, rejected: &refused };
                        tracker.settled(sink, &stream, &[range], fate);
                    }
                    _ if head > 0 => {
                        tracker.gap(&stream, range.start.min(head)..head, None);
                    }
                    _ => {}
                }
                for moved in tracker.moves() {
                    prop_assert_eq!(moved.after - moved.before, moved.told());
                    let told = &mut told[moved.sink];
                    prop_assert_eq!(*told, moved.before, "each change begins where the one before ended");
                    *told = moved.after;
                    prop_assert_eq!(moved.head, head);
                }
                for (_, sink, account) in tracker.ledger() {
                    prop_assert!(account.balances(), "{sink}: {account:?}");
                    prop_assert_eq!(account.head, head);
                }
            }
        }
    }
}
