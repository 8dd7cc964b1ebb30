//! Dead letters as a source: the original bytes of each, framed again as one message at its old place, so that the
//! events have the ids that they had.
//!
//! In: letters. Out: a run for each event, in the order of streams and positions. An event that a sink refused is
//! offered to that sink alone: the others have it. The ranges of a stream's runs touch, so that its low mark says
//! which letters are done with.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::{Backlog, Notice, Progress, Source};
use crate::event::{Batch, Facts, Message, Run, Segment, Span};
use crate::frame::{Block, FrameConfig, Framed, Framer, Multiline};
use crate::position::{EventId, Ranges, Stream, StreamId};
use crate::spool::{Letter, Stage};

/// The letters about one event.
pub struct Event {
    /// What it is.
    pub id: EventId,
    /// The source that read it.
    pub source: String,
    /// Path or address of its stream.
    pub path: String,
    /// Its original bytes.
    pub bytes: Vec<u8>,
    /// Names of the sinks that refused it; empty where it came to none.
    pub sinks: Vec<String>,
    /// Where its letters are: the caller's numbers.
    pub letters: Vec<usize>,
}

impl Event {
    /// The event of a letter; `None` where it has no id or no original bytes.
    pub fn of(letter: &Letter, number: usize) -> Option<Self> {
        let sinks = match letter.stage {
            Stage::Encode | Stage::Sink => vec![letter.by.clone()],
            Stage::Parse | Stage::Step => Vec::new(),
        };
        Some(Self {
            id: letter.event_id()?,
            source: letter.source.clone(),
            path: letter.stream.clone(),
            bytes: letter.bytes()?,
            sinks,
            letters: vec![number],
        })
    }

    /// Takes in another letter about the same event. One that came to no sink goes to all.
    pub fn join(&mut self, other: Self) {
        if self.sinks.is_empty() || other.sinks.is_empty() {
            self.sinks.clear();
        } else {
            self.sinks.extend(other.sinks);
        }
        self.letters.extend(other.letters);
    }
}

/// Letters that are done with, by the caller's numbers.
pub type Done = Arc<Mutex<Vec<usize>>>;

/// The end of an event's range, and its letters.
type Unsettled = (u64, Vec<usize>);

/// The source.
pub struct Replayed {
    source: Box<str>,
    config: Arc<FrameConfig>,
    /// Names of the plan's sinks, by number.
    sinks: Vec<String>,
    events: Vec<Event>,
    next: usize,
    /// Per stream: what is not settled, with the end of its range.
    open: HashMap<(StreamId, u16), Vec<Unsettled>>,
    streams: HashMap<(StreamId, u16), (Arc<Stream>, u64)>,
    done: Done,
}

impl Replayed {
    /// A source with this name in the pipeline file. `config` is how the source that read the bytes frames them.
    pub fn new(
        source: &str,
        config: &FrameConfig,
        sinks: Vec<String>,
        mut events: Vec<Event>,
        done: Done,
    ) -> Self {
        events.sort_by_key(|event| {
            (event.id.stream, event.id.generation, event.id.start, event.id.end, event.id.part)
        });
        let config = FrameConfig { multiline: Multiline::whole(), ..config.clone() };
        Self {
            source: source.into(),
            config: Arc::new(config),
            sinks,
            events,
            next: 0,
            open: HashMap::new(),
            streams: HashMap::new(),
            done,
        }
    }

    /// The bytes of the stream that an event stands for: to the start of the next one, if there is one.
    fn range(&self, at: usize) -> Option<Range<u64>> {
        let id = self.events.get(at)?.id;
        let next = self.events.get(at + 1).map(|next| next.id);
        let next = next.filter(|next| (next.stream, next.generation) == (id.stream, id.generation));
        Some(id.start..next.map_or(id.end, |next| next.start))
    }

    fn put(&mut self, now: Duration, batch: &mut Batch, joined: &mut Vec<u8>) -> Option<()> {
        let range = self.range(self.next)?;
        let event = self.events.get_mut(self.next)?;
        self.next += 1;
        let key = (event.id.stream, event.id.generation);
        let (stream, from) = self.streams.entry(key).or_insert_with(|| {
            let (source, path) = (self.source.clone(), event.path.as_str().into());
            (Arc::new(Stream { id: key.0, generation: key.1, source, path }), event.id.start)
        });
        let first = batch.messages.len() as u32;
        let buffer = Span::SEGMENTS + batch.segments.len() as u16;
        let bytes = event.bytes.clone();
        let (message, origin) = frame(&self.config, &event.id, &bytes, buffer, now, joined);
        batch.messages.push(message);
        batch.bytes += bytes.len();
        batch.segments.push(Arc::new(Segment::new(bytes)));
        let withheld = |sink: &String| {
            let mut set = Ranges::default();
            if !event.sinks.is_empty() && !event.sinks.contains(sink) {
                set.insert(event.id.start..event.id.start + 1);
            }
            set
        };
        // A sink that the file no longer has stands for all.
        let known = self.sinks.iter().any(|sink| event.sinks.contains(sink));
        let settled = known.then(|| self.sinks.iter().map(withheld).collect());
        self.open.entry(key).or_default().push((range.end, std::mem::take(&mut event.letters)));
        batch.runs.push(Run {
            stream: stream.clone(),
            origin,
            from: *from,
            messages: first..first + 1,
            ranges: if range.is_empty() { Vec::new() } else { vec![range] },
            settled,
        });
        Some(())
    }
}

/// The one message of some bytes. What else they hold is of other lanes.
fn frame(
    config: &Arc<FrameConfig>,
    id: &EventId,
    bytes: &[u8],
    buffer: u16,
    now: Duration,
    joined: &mut Vec<u8>,
) -> (Message, crate::event::Origin) {
    let mut framer = Framer::new(config.clone());
    let (mut messages, mut ranges) = (Vec::new(), Vec::new());
    let mut fetch = |range: Range<u64>, out: &mut Vec<u8>| {
        let at = |position: u64| position.checked_sub(id.start).and_then(|at| usize::try_from(at).ok());
        let part = at(range.start).zip(at(range.end)).and_then(|(start, end)| bytes.get(start..end));
        part.map(|part| out.extend_from_slice(part)).ok_or_else(|| std::io::ErrorKind::UnexpectedEof.into())
    };
    let mut out = Framed { messages: &mut messages, joined, ranges: &mut ranges };
    let block = Block { position: id.start, bytes, buffer, last: true, now, fetch: &mut fetch };
    framer.frame(block, &mut out);
    framer.finish(&mut fetch, &mut out);
    let fits = |message: &&Message| message.lane == id.lane && message.start == id.start;
    let whole = Message {
        text: Span { start: 0, len: bytes.len() as u32, buffer, facts: Facts::UNKNOWN },
        time: Span { start: 0, len: 0, buffer, facts: Facts::UNKNOWN },
        start: id.start,
        end: id.end,
        lane: id.lane,
        part: id.part,
    };
    let found = messages.iter().find(fits).or(messages.first()).copied().unwrap_or(whole);
    let message = Message { start: id.start, end: id.end, lane: id.lane, part: id.part, ..found };
    (message, framer.origin())
}

impl Source for Replayed {
    fn step(&mut self, now: Duration, batch: &mut Batch) -> Progress {
        if batch.segments.is_empty() {
            batch.segments.push(Arc::new(Segment::new(Vec::new())));
        }
        let first = batch.segments.first().map(|joined| joined.bytes().to_vec());
        let mut joined = first.unwrap_or_default();
        let progress = loop {
            if batch.is_full() {
                break Progress::More;
            }
            if self.put(now, batch, &mut joined).is_none() {
                break Progress::End;
            }
        };
        if let Some(first) = batch.segments.first_mut() {
            *first = Arc::new(Segment::new(joined));
        }
        progress
    }

    fn settled(&mut self, stream: &Stream, position: u64) {
        let Some(open) = self.open.get_mut(&(stream.id, stream.generation)) else { return };
        let mut done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain_mut(|(end, letters)| {
            let over = *end <= position;
            if over {
                done.append(letters);
            }
            !over
        });
    }

    fn finish(&mut self) {}

    fn notices(&mut self) -> Vec<Notice> {
        Vec::new()
    }

    fn original(&mut self, stream: &Stream, range: Range<u64>) -> Option<Vec<u8>> {
        let key = (stream.id, stream.generation, range.start);
        let at = self
            .events
            .binary_search_by_key(&key, |event| (event.id.stream, event.id.generation, event.id.start));
        let same = |event: &&Event| (event.id.stream, event.id.generation, event.id.start) == key;
        let mut first = at.ok()?;
        while first > 0 && self.events.get(first - 1).as_ref().is_some_and(same) {
            first -= 1;
        }
        let events = self.events.get(first..)?.iter().take_while(same);
        events.into_iter().find(|event| event.id.end == range.end).map(|event| event.bytes.clone())
    }

    fn backlog(&self) -> Backlog {
        let left = self.events.get(self.next..).unwrap_or_default();
        let unread_bytes = left.iter().map(|event| event.bytes.len() as u64).sum();
        Backlog { streams: self.streams.len(), open: 0, unread_bytes, padding_bytes: 0 }
    }
}
