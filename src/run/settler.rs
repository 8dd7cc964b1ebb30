//! Keeps the books: which ranges of which stream each sink has settled, durable in the cursor log.
//!
//! Bookkeeping is per run of rows: a batch is settled for a sink when every body that the sink got of it has
//! settled. What the pipeline dropped needs no sink and settles with the rest of its batch.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use super::engine::Settings;
use super::lag::bit;
use super::letters::{Draft, Letter, Letters, draft};
use super::worker::Unsent;
use crate::catalog::Runnable;
use crate::event::Batch;
use crate::position::{Ranges, Stream, StreamId};
use crate::seam::HashMap;
use crate::sink::{Provenance, Rejection, Settled};
use crate::source::{Own, Source};
use crate::spool::{
    Account, CursorLog, Cursors, Fate, Gap, GapRecord, LedgerLog, LetterBox, Note, Tracker, What,
};

/// A stream as a batch brings it: where reading began, and what sinks, by their number, had settled before.
#[derive(Clone, Debug)]
pub struct Opened {
    /// The stream.
    pub stream: Arc<Stream>,
    /// Where this process began to read it.
    pub from: u64,
    /// What each sink had settled from there on.
    pub settled: Option<Arc<[Ranges]>>,
}

impl Opened {
    /// The streams of a batch, each once.
    pub fn of(batch: &Batch) -> Vec<Self> {
        let mut streams: Vec<Self> = Vec::new();
        for run in &batch.runs {
            if !streams.iter().any(|opened| Arc::ptr_eq(&opened.stream, &run.stream)) {
                let (stream, settled) = (run.stream.clone(), run.settled.clone());
                streams.push(Self { stream, from: run.from, settled });
            }
        }
        streams
    }
}

/// What the settler is told.
#[derive(Debug)]
pub enum Message {
    /// A reader hands a batch on; told in the order of reading.
    Handed {
        /// The batch.
        provenance: Arc<Provenance>,
        /// Its streams.
        opened: Vec<Opened>,
    },
    /// Bytes that can never be read.
    Gap {
        /// The stream.
        stream: Arc<Stream>,
        /// The bytes.
        range: Range<u64>,
        /// The one sink that lost them: the others had them before. `None`: all that have not settled them.
        sink: Option<usize>,
    },
    /// The gap's record, for the ledger on disk. [`Message::Gap`] is about the bytes; this is also told where only
    /// the start of a gap is known.
    Lost {
        /// The stream.
        stream: Arc<Stream>,
        /// First byte.
        start: u64,
        /// One past the last byte, where it is known.
        end: Option<u64>,
        /// The one sink that lost them; `None`: all that have not settled them.
        sink: Option<usize>,
        /// Why.
        cause: &'static str,
    },
    /// A stream was read to its end, is settled, and will never come back.
    Forgotten {
        /// The stream.
        stream: Arc<Stream>,
    },
    /// A worker is done with a batch.
    Processed {
        /// The batch.
        provenance: Arc<Provenance>,
        /// Number of its source.
        source: usize,
        /// The sinks that it was for, as a set of bits.
        sinks: u64,
        /// Bodies that each sink gets of it.
        expected: Vec<u32>,
        /// Source bytes that a sink never gets.
        unsent: Vec<Unsent>,
        /// What was refused on the way.
        letters: Vec<Draft>,
    },
    /// A sink that is set apart does not get what a worker made for it.
    Withheld {
        /// Number of the sink.
        sink: usize,
        /// Number of the batch.
        batch: u64,
    },
    /// A sink is done with a body.
    Settled {
        /// Number of the sink.
        sink: usize,
        /// What became of it.
        settled: Settled,
    },
}

/// The books at the end: one account per source and sink.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    /// Source, sink, account.
    pub accounts: Vec<(String, String, Account)>,
}

impl Ledger {
    /// Whether every byte that was read is accounted for and nothing is in flight.
    pub fn balances(&self) -> bool {
        self.accounts.iter().all(|(_, _, account)| account.balances() && account.in_flight == 0)
    }
}

/// A batch that some sink is not done with.
struct Open {
    provenance: Arc<Provenance>,
    /// Number of its source.
    source: usize,
    /// Bodies that each sink still owes.
    owed: Vec<u32>,
    /// Source bytes that a sink never gets.
    unsent: Vec<Unsent>,
}

/// What becomes of the bytes of one stream of a batch that a sink does not get: dropped and rejected, by reason.
#[derive(Clone, Debug, Default)]
struct Lost {
    dropped: Vec<(Arc<str>, u64)>,
    rejected: Vec<(Arc<str>, u64)>,
}

/// A sink is done with a batch: its number, the batch, and what it never got of each stream.
type Done = (usize, Arc<Provenance>, HashMap<(StreamId, u16), Lost>);

fn lost(unsent: &[Unsent], sink: usize) -> HashMap<(StreamId, u16), Lost> {
    let mut streams: HashMap<_, Lost> = HashMap::default();
    for unsent in unsent.iter().filter(|unsent| unsent.sink == sink) {
        let lost = streams.entry((unsent.stream.id, unsent.stream.generation)).or_default();
        let table = if unsent.rejected { &mut lost.rejected } else { &mut lost.dropped };
        table.push((unsent.reason.clone(), unsent.bytes));
    }
    streams
}

/// The bytes of a row that a sink refused. `None` where the sink could not say which row it was.
fn refused(sink: usize, rejection: &Rejection, provenance: &Provenance) -> Option<Unsent> {
    let id = rejection.id?;
    let stream = provenance.stream(&id)?.clone();
    let reason = rejection.kind().into();
    Some(Unsent { sink, stream, rejected: true, reason, bytes: id.own_bytes() })
}

/// The bookkeeper.
pub struct Settler {
    plan: Arc<Runnable>,
    tracker: Tracker,
    log: CursorLog,
    letters: Letters,
    open: HashMap<u64, Open>,
    /// Bodies that each sink owes, of all batches.
    owed: Vec<u64>,
    /// Batches whose ranges settle at the next flush, once their letters are durable.
    settled: Vec<Done>,
    books: LedgerLog,
    /// Gaps that are not in the books yet.
    lost: Vec<Gap>,
    /// Where gap records are kept for a source that hands them on, if there is one.
    gaps: Option<LetterBox>,
    /// Records that are not there yet.
    records: Vec<GapRecord>,
    /// The wall clock as of the last message.
    unix_ns: i64,
    warnings: Vec<String>,
    /// What was wrong with the letters, as it was said last.
    said: Option<String>,
    /// Streams whose low mark may have moved, with the number of their source.
    streams: BTreeMap<(StreamId, u16), (usize, Arc<Stream>)>,
}

impl Settler {
    /// A bookkeeper for a plan.
    pub fn new(plan: &Arc<Runnable>, settings: &Settings, log: CursorLog) -> Self {
        let names: Vec<_> = plan.sinks.iter().map(|sink| sink.name.as_str()).collect();
        let mut tracker = Tracker::new(&names);
        for (index, source) in plan.sources.iter().enumerate() {
            tracker.source(&source.name, &plan.required_sinks(index));
        }
        let reads_gaps = plan.sources.iter().any(|source| source.plan.own() == Some(Own::Gaps));
        let letters_in = plan.letters_in.as_ref().unwrap_or(&settings.data_dir);
        Self {
            plan: plan.clone(),
            tracker,
            log,
            letters: Letters::new(settings.fs.clone(), letters_in, plan.letters),
            open: HashMap::default(),
            owed: vec![0; plan.sinks.len()],
            settled: Vec::new(),
            books: LedgerLog::new(settings.fs.clone(), &settings.data_dir, plan.ledger_hours),
            lost: Vec::new(),
            gaps: reads_gaps.then(|| LetterBox::gaps(settings.fs.clone(), &settings.data_dir)),
            records: Vec::new(),
            unix_ns: 0,
            warnings: Vec::new(),
            said: None,
            streams: BTreeMap::new(),
        }
    }

    /// Takes note of a message.
    pub fn take(&mut self, message: Message, unix_ns: i64) {
        self.unix_ns = unix_ns;
        match message {
            Message::Handed { provenance, opened } => {
                for Opened { stream, from, settled } in opened {
                    self.tracker.opened(&stream, from, settled.as_deref());
                }
                for (stream, ranges) in &provenance.ranges {
                    self.tracker.handed(stream, ranges);
                }
            }
            Message::Gap { stream, range, sink } => {
                self.tracker.gap(&stream, range, sink);
                self.tell_low(&stream);
            }
            Message::Lost { stream, start, end, sink, cause } => {
                let gap = Gap {
                    stream: stream.id.0,
                    generation: stream.generation,
                    source: stream.source.clone(),
                    path: stream.path.clone(),
                    sink: sink
                        .and_then(|sink| self.plan.sinks.get(sink))
                        .map(|sink| sink.name.as_str().into()),
                    start,
                    end,
                    cause: cause.into(),
                    time: unix_ns,
                };
                if self.gaps.is_some() {
                    let source = self.plan.sources.iter().position(|source| *source.name == *stream.source);
                    let of_own = source.is_some_and(|source| self.is_own(source));
                    self.records.push(GapRecord { of_own, ..GapRecord::new(&gap) });
                }
                self.lost.push(gap);
            }
            Message::Forgotten { stream } => {
                self.log.forget(stream.id, stream.generation);
                self.tracker.forget(stream.id, stream.generation);
            }
            Message::Processed { provenance, source, sinks, expected, unsent, letters } => {
                for mut draft in letters {
                    draft.letter.version.clone_from(&self.plan.version);
                    draft.letter.of_own = self.is_own(source);
                    self.letters.add(source, provenance.batch, draft);
                }
                self.processed(provenance, source, sinks, expected, unsent);
            }
            Message::Withheld { sink, batch } => {
                if let Some(open) = self.open.get_mut(&batch) {
                    self.owed[sink] -= u64::from(std::mem::take(&mut open.owed[sink]));
                    if open.owed.iter().all(|owed| *owed == 0) {
                        self.open.remove(&batch);
                    }
                }
            }
            Message::Settled { sink, settled } => self.sink_settled(sink, settled, unix_ns),
        }
    }

    fn sink_settled(&mut self, sink: usize, settled: Settled, unix_ns: i64) {
        let batch = settled.provenance.batch;
        let Some(open) = self.open.get_mut(&batch) else { return };
        if open.owed[sink] == 0 {
            return;
        }
        let own = self.plan.sources.get(open.source).is_some_and(|source| source.plan.own().is_some());
        for (rejection, row) in settled.rejected {
            open.unsent.extend(refused(sink, &rejection, &open.provenance));
            let mut draft = draft(&self.plan, sink, &rejection, &open.provenance);
            draft.letter.time = Letter::time(unix_ns);
            draft.row = row.map_or(Vec::new(), |row| row.to_vec());
            draft.letter.of_own = own;
            self.letters.add(open.source, batch, draft);
        }
        open.owed[sink] -= 1;
        self.owed[sink] -= 1;
        if open.owed[sink] == 0 {
            self.settled.push((sink, open.provenance.clone(), lost(&open.unsent, sink)));
            if open.owed.iter().all(|owed| *owed == 0) {
                self.open.remove(&batch);
            }
        }
    }

    /// Notes which sinks a batch waits for; for the others it is settled.
    fn processed(
        &mut self,
        provenance: Arc<Provenance>,
        source: usize,
        sinks: u64,
        expected: Vec<u32>,
        mut unsent: Vec<Unsent>,
    ) {
        unsent.retain(|unsent| self.plan.is_only_way(source, unsent.sink));
        for sink in self.plan.required_sinks(source) {
            if sinks & bit(sink) != 0 && expected[sink] == 0 {
                self.settled.push((sink, provenance.clone(), lost(&unsent, sink)));
            }
        }
        for (stream, _) in &provenance.ranges {
            self.streams.insert((stream.id, stream.generation), (source, stream.clone()));
        }
        for (all, owed) in self.owed.iter_mut().zip(&expected) {
            *all += u64::from(*owed);
        }
        if expected.iter().any(|owed| *owed > 0) {
            self.open.insert(provenance.batch, Open { provenance, source, owed: expected, unsent });
        }
    }

    /// Makes dead letters durable, then what is settled, and says how far each stream is for all its sinks.
    pub fn flush(&mut self) -> std::io::Result<Vec<(usize, Arc<Stream>, u64)>> {
        self.write_letters();
        // What an earlier flush could not write down is still to be written.
        if self.settled.is_empty() && !self.tracker.is_dirty() && !self.log.is_dirty() {
            self.write_books()?;
            return Ok(Vec::new());
        }
        let (held, free): (Vec<_>, Vec<_>) =
            self.settled.drain(..).partition(|(_, provenance, _)| self.letters.holds(provenance.batch));
        self.settled = held;
        for (sink, provenance, lost) in free {
            for (stream, ranges) in &provenance.ranges {
                let fate = lost.get(&(stream.id, stream.generation)).map_or(Fate::default(), |lost| Fate {
                    dropped: &lost.dropped,
                    rejected: &lost.rejected,
                });
                self.tracker.settled(sink, stream, ranges, fate);
                self.tell_low(stream);
            }
        }
        // Before the cursors: what is in the books and not in the cursors is settled again, and can be told.
        self.write_books()?;
        for record in self.tracker.dirty() {
            self.log.put(&record);
        }
        self.log.commit()?;
        let mut lows = Vec::new();
        for (source, stream) in std::mem::take(&mut self.streams).into_values() {
            if let Some(low) = self.tracker.low(&stream) {
                lows.push((source, stream, low));
            }
        }
        Ok(lows)
    }

    /// The next flush tells the source how far a stream is settled, however long ago it was read: it may wait for
    /// just this.
    fn tell_low(&mut self, stream: &Arc<Stream>) {
        if let Some(source) = self.plan.sources.iter().position(|of| *of.name == *stream.source) {
            self.streams.insert((stream.id, stream.generation), (source, stream.clone()));
        }
    }

    /// Letters come first: the bytes of a batch are settled only when what is kept of them is durable.
    fn write_letters(&mut self) {
        let wrong = match self.letters.write() {
            Ok(()) if self.letters.is_full() => Some(
                "the dead letters have reached their bound: what is refused waits, and the sources with it, until \
                 there is room; see `aludel dlq`, remove files there, or raise --dead-letters-limit"
                    .to_owned(),
            ),
            Ok(()) => None,
            Err(error) => Some(format!("cannot write dead letters, trying again: {error}")),
        };
        if wrong != self.said {
            self.warnings.extend(wrong.clone());
            self.said = wrong;
        }
        let dropped = self.letters.dropped();
        if dropped > 0 {
            self.note(What::LettersDropped, "", dropped);
            self.warnings.push(format!("{dropped} dead letters were removed to make room for newer ones"));
        }
    }

    /// Whether a source, by its number, reads records that aludel itself wrote.
    fn is_own(&self, source: usize) -> bool {
        self.plan.sources.get(source).is_some_and(|source| source.plan.own().is_some())
    }

    /// Before the cursors, which never come back to a gap.
    fn write_gaps(&mut self) -> std::io::Result<()> {
        let Some(gaps) = &mut self.gaps else { return Ok(()) };
        while !self.records.is_empty() {
            let written = gaps.write(&self.records)?;
            // One is always taken: the oldest ones go.
            self.records.drain(..written.max(1));
        }
        Ok(())
    }

    fn write_books(&mut self) -> std::io::Result<()> {
        self.write_gaps()?;
        let moves = self.tracker.moves();
        if let Err(error) = self.books.put(&moves, self.tracker.sinks(), self.unix_ns) {
            self.tracker.give_back(moves);
            return Err(error);
        }
        for gap in std::mem::take(&mut self.lost) {
            self.books.gap(gap)?;
        }
        self.books.commit()?;
        self.warnings.append(&mut self.books.warnings());
        Ok(())
    }

    /// Notes a number in the books; durable with the next flush.
    pub fn note(&mut self, what: What, of: &str, count: u64) {
        let note = Note { time: self.unix_ns, what, of: of.into(), count };
        if let Err(error) = self.books.note(note) {
            self.warnings.push(format!("cannot write the ledger: {error}"));
        }
    }

    /// The desk of the dead letters.
    pub fn letters(&mut self) -> &mut Letters {
        &mut self.letters
    }

    /// What a person should know, said since the last call.
    pub fn warnings(&mut self) -> Vec<String> {
        std::mem::take(&mut self.warnings)
    }

    /// For a run on one thread: lets a source, by its number, answer what the letters ask.
    pub fn serve(&mut self, sources: &mut [&mut dyn Source]) {
        for ask in self.letters.asks() {
            let bytes = sources
                .get_mut(ask.source)
                .and_then(|source| source.original(&ask.stream, ask.range.clone()));
            self.letters.answer(ask.number, bytes);
        }
    }

    /// Whether something that came from elsewhere has not settled yet, or a letter or a gap is not written down.
    pub fn has_open_of_others(&self) -> bool {
        let is_written = self.settled.is_empty() && self.records.is_empty() && !self.letters.is_waiting();
        !is_written || self.open.values().any(|open| !self.is_own(open.source))
    }

    /// Whether a sink is done with all that it was offered, as far as the settler was told.
    pub fn owes(&self, sink: usize) -> bool {
        self.owed.get(sink).is_some_and(|owed| *owed > 0)
    }

    /// What one sink has settled, for its catch-up read; later flushes are seen.
    pub fn resume(&self, sink: usize) -> Cursors {
        let sinks = self.plan.sinks.iter().enumerate();
        self.log.cursors(&sinks.map(|(at, of)| (of.name.as_str(), at == sink)).collect::<Vec<_>>())
    }

    /// The books.
    pub fn ledger(&self) -> Ledger {
        let accounts = self.tracker.ledger();
        Ledger {
            accounts: accounts
                .map(|(source, sink, account)| (source.to_owned(), sink.to_owned(), account.clone()))
                .collect(),
        }
    }
}
