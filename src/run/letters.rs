//! The desk where dead letters are written: each waits for its original bytes, and its batch for the letter.
//!
//! In: what steps, encoders and sinks refused. Out: letters that are durable, and only then is their batch free to
//! settle. What the source is asked for, and what waits, is bounded; a desk that is pressed asks the readers to rest.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use crate::catalog::Runnable;
use crate::limits::{
    LETTER_ORIGINAL_BYTES_MAX, LETTERS_WAITING_BYTES, LETTERS_WAITING_MAX, ORIGINALS_ASKED_BYTES,
};
use crate::position::Stream;
use crate::seam::{Fs, HashMap};
use crate::sensitive::Redactor;
use crate::sink::{Provenance, Rejection};
pub use crate::spool::Letter;
use crate::spool::{LetterBox, LetterRules, Stage};

/// Letters that are put into words before they are written.
const WRITTEN_AT_ONCE: usize = 256;

/// A letter before it has its original bytes.
#[derive(Clone, Debug)]
pub struct Draft {
    /// All but what is kept of the event.
    pub letter: Letter,
    /// Its stream; `None` where the sink could not say which event it refused.
    pub stream: Option<Arc<Stream>>,
    /// What is kept where the source no longer has the original bytes.
    pub row: Vec<u8>,
    /// What its pipeline redacts.
    pub redactor: Option<Arc<Redactor>>,
}

/// What a letter says of a row that a sink refused.
pub(super) fn draft(plan: &Runnable, sink: usize, rejection: &Rejection, provenance: &Provenance) -> Draft {
    let mut letter = Letter {
        stage: Stage::Sink,
        by: plan.sinks[sink].name.clone(),
        error: rejection.reason.clone(),
        version: plan.version.clone(),
        ..Letter::default()
    };
    let (mut stream, mut redactor) = (None, None);
    if let Some(id) = &rejection.id {
        let pipeline = plan.pipelines.iter().find(|line| line.shape.tag == id.pipeline);
        redactor = pipeline.and_then(|line| line.redactor.clone());
        letter.pipeline = pipeline.map(|line| line.name.clone()).unwrap_or_default();
        stream = provenance.stream(id).cloned();
        if let Some(stream) = &stream {
            letter.place(stream, id);
        }
    }
    if redactor.is_none() && rejection.id.is_none() {
        // It may be of any pipeline that writes there.
        redactor = plan
            .pipelines
            .iter()
            .filter(|line| line.sinks.contains(&sink))
            .find_map(|line| line.redactor.clone());
    }
    Draft { letter, stream, row: Vec::new(), redactor }
}

/// The source with this number is asked for bytes that it has read before.
#[derive(Clone, Debug)]
pub struct Ask {
    /// Number of the source.
    pub source: usize,
    /// Comes back with the answer.
    pub number: u64,
    /// The stream.
    pub stream: Arc<Stream>,
    /// The bytes.
    pub range: Range<u64>,
}

struct Waiting {
    source: usize,
    batch: u64,
    draft: Draft,
    ready: bool,
    bytes: usize,
}

/// The desk.
pub struct Letters {
    store: LetterBox,
    waiting: BTreeMap<u64, Waiting>,
    next: u64,
    /// To be asked for.
    unasked: VecDeque<u64>,
    /// Asked for and not yet answered: how many, and how many bytes.
    asked: usize,
    asked_bytes: u64,
    /// Letters that each batch waits for.
    held: HashMap<u64, usize>,
    bytes: usize,
    full: bool,
    written: u64,
    dropped: u64,
}

impl Letters {
    /// A desk for a data folder.
    pub fn new(fs: Arc<dyn Fs>, data_dir: &Path, rules: LetterRules) -> Self {
        Self {
            store: LetterBox::new(fs, data_dir, rules),
            waiting: BTreeMap::new(),
            next: 0,
            unasked: VecDeque::new(),
            asked: 0,
            asked_bytes: 0,
            held: HashMap::default(),
            bytes: 0,
            full: false,
            written: 0,
            dropped: 0,
        }
    }

    /// Takes a draft of a batch that a source has read.
    pub fn add(&mut self, source: usize, batch: u64, draft: Draft) {
        let number = self.next;
        self.next += 1;
        let length = draft.letter.end - draft.letter.start;
        let ready = draft.stream.is_none() || length > LETTER_ORIGINAL_BYTES_MAX;
        let mut waiting = Waiting { source, batch, draft, ready, bytes: 0 };
        if ready {
            waiting.keep(None);
        } else {
            self.unasked.push_back(number);
        }
        waiting.bytes = waiting.weight();
        self.bytes += waiting.bytes;
        *self.held.entry(batch).or_default() += 1;
        self.waiting.insert(number, waiting);
    }

    /// What the sources are to be asked for next, within the bound.
    pub fn asks(&mut self) -> Vec<Ask> {
        let mut asks = Vec::new();
        while let Some(number) = self.unasked.front() {
            let Some(waiting) = self.waiting.get(number) else {
                self.unasked.pop_front();
                continue;
            };
            let Letter { start, end, .. } = waiting.draft.letter;
            if self.asked > 0 && self.asked_bytes + (end - start) > ORIGINALS_ASKED_BYTES {
                break;
            }
            if let Some(stream) = &waiting.draft.stream {
                let (source, number, stream) = (waiting.source, *number, stream.clone());
                asks.push(Ask { source, number, stream, range: start..end });
                self.asked += 1;
                self.asked_bytes += end - start;
            }
            self.unasked.pop_front();
        }
        asks
    }

    /// Takes an answer to an ask. `None`: the source no longer has the bytes.
    pub fn answer(&mut self, number: u64, original: Option<Vec<u8>>) {
        let Some(waiting) = self.waiting.get_mut(&number) else { return };
        let Letter { start, end, .. } = waiting.draft.letter;
        self.asked = self.asked.saturating_sub(1);
        self.asked_bytes = self.asked_bytes.saturating_sub(end - start);
        self.bytes -= waiting.bytes;
        waiting.keep(original);
        waiting.bytes = waiting.weight();
        self.bytes += waiting.bytes;
    }

    /// Writes what is ready, as far as there is room.
    pub fn write(&mut self) -> io::Result<()> {
        loop {
            let ready = self.waiting.iter().filter(|(_, waiting)| waiting.ready).take(WRITTEN_AT_ONCE);
            let (numbers, letters): (Vec<_>, Vec<_>) =
                ready.map(|(number, waiting)| (*number, waiting.draft.letter.clone())).unzip();
            if numbers.is_empty() {
                self.full = false;
                return Ok(());
            }
            let written = self.store.write(&letters)?;
            numbers.iter().take(written).for_each(|number| self.release(*number));
            self.written += written as u64;
            self.full = written == 0;
            if self.full {
                return Ok(());
            }
        }
    }

    fn release(&mut self, number: u64) {
        let Some(waiting) = self.waiting.remove(&number) else { return };
        self.bytes -= waiting.bytes;
        if let Some(held) = self.held.get_mut(&waiting.batch) {
            *held -= 1;
            if *held == 0 {
                self.held.remove(&waiting.batch);
            }
        }
    }

    /// Whether a batch has letters that are not durable yet.
    pub fn holds(&self, batch: u64) -> bool {
        self.held.contains_key(&batch)
    }

    /// Whether letters wait.
    pub fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Whether the folder has reached its bound.
    pub fn is_full(&self) -> bool {
        self.full
    }

    /// Whether so much waits that nothing more should be read.
    pub fn is_pressed(&self) -> bool {
        self.bytes > LETTERS_WAITING_BYTES || self.waiting.len() > LETTERS_WAITING_MAX
    }

    /// Letters written by this process.
    pub fn written(&self) -> u64 {
        self.written
    }

    /// Bytes in the folder.
    pub fn used(&self) -> u64 {
        self.store.used()
    }

    /// Letters that went to make room, since the last call.
    pub fn dropped(&mut self) -> u64 {
        let dropped = self.store.dropped();
        self.dropped += dropped;
        dropped
    }

    /// Letters that went to make room, in all.
    pub fn dropped_in_all(&self) -> u64 {
        self.dropped
    }

    /// Number of letters that wait.
    pub fn waiting(&self) -> u64 {
        self.waiting.len() as u64
    }
}

impl Waiting {
    fn keep(&mut self, original: Option<Vec<u8>>) {
        let (row, redactor) = (std::mem::take(&mut self.draft.row), self.draft.redactor.take());
        self.draft.letter.keep(original, &row, redactor.as_deref());
        self.ready = true;
    }

    /// About what it holds in memory.
    fn weight(&self) -> usize {
        let of = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        let letter = &self.draft.letter;
        let kept = of(&letter.original) + of(&letter.original_base64) + of(&letter.event);
        size_of::<Self>() + self.draft.row.len() + letter.error.len() + letter.stream.len() + kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::position::StreamId;
    use crate::seam::sim::{SimClock, SimFs};
    use crate::spool::WhenFull;

    fn draft(start: u64, end: u64) -> Draft {
        let stream = Stream { id: StreamId(1), generation: 0, source: "s".into(), path: "/a".into() };
        let letter = Letter { time: "2026-11-26T10:00:00Z".into(), start, end, ..Letter::default() };
        Draft { letter, stream: Some(Arc::new(stream)), row: b"row".to_vec(), redactor: None }
    }

    fn desk(bytes_max: u64) -> (SimFs, Letters) {
        let fs = SimFs::new(1, Arc::new(SimClock::at(0)));
        fs.make_folder(Path::new("/data")).expect("a folder");
        let rules = LetterRules { bytes_max, when_full: WhenFull::Block };
        let letters = Letters::new(Arc::new(fs.clone()), Path::new("/data"), rules);
        (fs, letters)
    }

    #[test]
    fn a_batch_is_held_until_its_letters_are_durable() {
        let (_, mut letters) = desk(1 << 20);
        letters.add(0, 7, draft(0, 100));
        letters.add(0, 7, draft(100, 200));
        letters.add(0, 8, draft(0, LETTER_ORIGINAL_BYTES_MAX + 1));
        let asks: Vec<_> = letters.asks().into_iter().map(|ask| (ask.number, ask.range)).collect();
        assert_eq!(asks, [(0, 0..100), (1, 100..200)]);
        letters.answer(1, Some(b"bytes".to_vec()));
        letters.write().expect("written");
        assert!(letters.holds(7) && !letters.holds(8));
        letters.answer(0, None);
        letters.write().expect("written");
        assert!(!letters.holds(7) && !letters.is_waiting());
        assert_eq!((letters.written(), letters.bytes, letters.asked_bytes), (3, 0, 0));
    }

    #[test]
    fn no_more_is_asked_for_than_may_be_held() {
        let (_, mut letters) = desk(1 << 20);
        let third = ORIGINALS_ASKED_BYTES / 3;
        (0..5).for_each(|n| letters.add(0, n, draft(0, third)));
        assert_eq!(letters.asks().len(), 3);
        assert_eq!(letters.asks().len(), 0);
        letters.answer(0, None);
        assert_eq!(letters.asks().len(), 1);
    }

    #[test]
    fn a_full_folder_presses() {
        let (_, mut letters) = desk(10);
        for n in 0..LETTERS_WAITING_MAX as u64 + 10 {
            letters.add(0, n, Draft { stream: None, ..draft(0, 1) });
        }
        letters.write().expect("no fault");
        assert!(letters.is_full() && letters.is_pressed());
        // The first letter of an empty folder is taken, however small the bound is.
        assert!(!letters.holds(0) && letters.holds(1));
    }
}
