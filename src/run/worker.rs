//! Turns a batch into bodies: parse, steps and encoding, one event at a time while it is hot in the cache.
//!
//! Pure: no clock, no file, no lock on the way of an event; the counters are added up once per batch.

use std::sync::Arc;

use super::facts::{Facts, envelope_time};
use super::lag::bit;
use super::letters::{Draft, Letter};
use super::reader::Job;
use crate::catalog::{Pipeline, Runnable};
use crate::event::{Batch, Message, Row, Run, Slot, Value};
use crate::format::{Calendar, time};
use crate::grammar::AUTO;
use crate::limits::LANES_MAX;
use crate::observe::{Stats, count};
use crate::position::{EventId, FIRST_ITEM, IdPrefix, Ranges, Stream, own_bytes};
use crate::sink::{Body, Encoder, EventRef, Provenance, refusal_kind};
use crate::spool::Stage;
use crate::step::{Context, Emit, Flow, ReasonId, Step, Work};

/// What comes of a batch.
#[derive(Debug)]
pub struct Outcome {
    /// The batch and the bytes that it accounts for.
    pub provenance: Arc<Provenance>,
    /// Number of its source in the plan.
    pub source: usize,
    /// The sinks that it was for, as a set of bits.
    pub sinks: u64,
    /// Bodies with the number of their sink.
    pub bodies: Vec<(usize, Body)>,
    /// Source bytes that a sink never gets, and why.
    pub unsent: Vec<Unsent>,
    /// Events that a step or an encoder refused.
    pub letters: Vec<Draft>,
    /// Bytes of input that are no longer held.
    pub input_bytes: usize,
}

/// Source bytes of a batch that a sink never gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsent {
    /// Number of the sink.
    pub sink: usize,
    /// The stream that they are of.
    pub stream: Arc<Stream>,
    /// Whether they are dead letters; else they were dropped.
    pub rejected: bool,
    /// Why.
    pub reason: Arc<str>,
    /// How many.
    pub bytes: u64,
}

/// One worker: a row, counters and encoders for each pipeline.
pub struct Worker {
    plan: Arc<Runnable>,
    lines: Vec<Line>,
    stats: Arc<Stats>,
}

/// A pipeline as one worker runs it.
struct Line {
    row: Row,
    work: Work,
    dropped: Vec<u64>,
    rejected: Vec<u64>,
    elsewhere: Arc<str>,
    encoders: Vec<Option<Box<dyn Encoder>>>,
    offered: Vec<u64>,
    timestamp: Option<Slot>,
    /// Events come a second time, for a sink that catches up.
    again: bool,
    /// Entries of [`Outcome::unsent`] that are of earlier runs.
    unsent_before: usize,
    /// Names of all sinks, by number.
    sinks: Vec<String>,
    /// Whether a step tells formats apart.
    tells: bool,
    /// What it told the messages of this batch as, by run.
    told: Vec<(Arc<Stream>, Vec<Option<&'static str>>)>,
}

impl Worker {
    /// A worker for a plan.
    pub fn new(plan: Arc<Runnable>, stats: Arc<Stats>) -> Result<Self, String> {
        let lines =
            plan.pipelines.iter().map(|pipeline| Line::new(&plan, pipeline)).collect::<Result<_, _>>()?;
        Ok(Self { plan, lines, stats })
    }

    /// What it runs.
    pub fn plan(&self) -> &Runnable {
        &self.plan
    }

    /// Takes a batch through every pipeline that reads its source.
    pub fn process(&mut self, job: Job) -> Outcome {
        let Job { provenance, source, mut batch, sinks, again } = job;
        self.plan.reference.set(batch.read_unix_ns);
        let facts = Facts::new(&mut batch);
        let mut outcome = Outcome {
            provenance,
            source,
            sinks,
            bodies: Vec::new(),
            unsent: Vec::new(),
            letters: Vec::new(),
            input_bytes: batch.bytes,
        };
        let mut bodies: Vec<Vec<Body>> = self.plan.sinks.iter().map(|_| Vec::new()).collect();
        for index in 0..self.lines.len() {
            let (pipeline, line) = (&self.plan.pipelines[index], &mut self.lines[index]);
            if !pipeline.sources.contains(&source) {
                continue;
            }
            self.plan.data.meet(&mut line.work.held);
            let events = batch.messages.len() as u64;
            line.again = again;
            line.process(pipeline, &mut batch, &facts, &mut outcome);
            self.plan.data.part(&mut line.work.held);
            for (encoder, bodies) in line.encoders.iter_mut().zip(&mut bodies) {
                bodies.extend(encoder.iter_mut().flat_map(|encoder| encoder.finish(&outcome.provenance)));
            }
            self.report(index, events);
        }
        for (sink, bodies) in bodies.into_iter().enumerate() {
            if sinks & bit(sink) == 0 {
                if self.plan.sinks[sink].plan.ordered() {
                    outcome.bodies.push((sink, Body::withheld(outcome.provenance.batch)));
                }
                continue;
            }
            // A sink that keeps order must hear of every batch, or it would wait for it for ever.
            // One that keeps its own account of batches must not hear of one by halves.
            let plan = &self.plan.sinks[sink].plan;
            let bodies = if plan.ordered() || (plan.joined() && bodies.len() > 1) {
                vec![Body::joined(&outcome.provenance, bodies)]
            } else {
                bodies
            };
            outcome.bodies.extend(bodies.into_iter().map(|body| (sink, body)));
        }
        outcome
    }

    /// Adds one batch's counts to the process's.
    fn report(&mut self, index: usize, events: u64) {
        let line = &mut self.lines[index];
        let mut stats = self.stats.lock();
        let (_, pipeline) = &mut stats.pipelines[index];
        pipeline.events += events;
        let plan = &self.plan.pipelines[index];
        for (counts, format) in line.work.counts.formats.iter_mut().zip(&plan.formats) {
            let taken = std::mem::take(&mut counts.taken);
            if taken > 0 {
                pipeline.parsed.entry(format.name.clone()).or_default().parsed += taken;
            }
            for (reason, refused) in counts.refused.drain(..).filter(|_| format.first) {
                count(&mut pipeline.unparsed, &format!("{}: {reason}", format.name), refused);
            }
        }
        for (stream, told) in line.told.drain(..) {
            pipeline.note(&stream.path, &told);
        }
        for (table, counts) in
            [(&mut pipeline.dropped, &mut line.dropped), (&mut pipeline.rejected, &mut line.rejected)]
        {
            for (by, reason) in counts.iter_mut().zip(&plan.reasons).filter(|(by, _)| **by > 0) {
                count(table, reason, std::mem::take(by));
            }
        }
        for (sink, offered) in line.offered.iter_mut().enumerate() {
            stats.sinks[sink].1.offered += std::mem::take(offered);
        }
    }
}

impl Line {
    fn new(plan: &Runnable, pipeline: &Pipeline) -> Result<Self, String> {
        let encoders = plan
            .sinks
            .iter()
            .enumerate()
            .map(|(index, sink)| {
                if !pipeline.sinks.contains(&index) {
                    return Ok(None);
                }
                sink.plan
                    .encoder(&pipeline.shape)
                    .map(Some)
                    .map_err(|error| format!("sink {}: {error}", sink.name))
            })
            .collect::<Result<Vec<_>, String>>()?;
        Ok(Self {
            row: Row::new(pipeline.shape.layout.clone(), pipeline.constants.clone()),
            work: Work::default(),
            dropped: vec![0; pipeline.reasons.len()],
            rejected: vec![0; pipeline.reasons.len()],
            elsewhere: "not sent to this sink".into(),
            offered: vec![0; encoders.len()],
            encoders,
            timestamp: pipeline.shape.layout.slot("@timestamp"),
            again: false,
            unsent_before: 0,
            sinks: plan.sinks.iter().map(|sink| sink.name.clone()).collect(),
            tells: pipeline.formats.iter().any(|format| format.name == AUTO),
            told: Vec::new(),
        })
    }

    fn process(&mut self, pipeline: &Pipeline, batch: &mut Batch, facts: &Facts, outcome: &mut Outcome) {
        self.row.swap_segments(std::mem::take(&mut batch.segments));
        let bound = facts.bind(&pipeline.shape.layout, &pipeline.wanted);
        for (number, run) in batch.runs.iter().enumerate() {
            let mut prefixes: [Option<IdPrefix>; LANES_MAX] = [None; LANES_MAX];
            self.unsent_before = outcome.unsent.len();
            // What is read again was told before.
            let tells = self.tells && !self.again;
            if tells {
                self.told.push((run.stream.clone(), Vec::new()));
            }
            let messages = batch.messages.get(run.messages.start as usize..run.messages.end as usize);
            for message in messages.unwrap_or_default() {
                let lane = usize::from(message.lane).min(LANES_MAX - 1);
                let prefix = &*prefixes[lane].get_or_insert_with(|| {
                    IdPrefix::new(run.stream.id, run.stream.generation, message.lane, pipeline.shape.tag)
                });
                self.row.clear();
                bound.fill(&mut self.row, number, run, message);
                self.row.texts.set_message(message.text);
                let event = EventRef { ids: prefix, message, stream: &run.stream };
                self.event(pipeline, run, event, batch.read_unix_ns, outcome);
                if tells && let Some((_, told)) = self.told.last_mut() {
                    told.push(self.work.take_told());
                }
            }
        }
        batch.segments = self.row.swap_segments(Vec::new());
    }

    #[inline]
    fn event(
        &mut self,
        pipeline: &Pipeline,
        run: &Run,
        event: EventRef<'_>,
        read_unix_ns: i64,
        outcome: &mut Outcome,
    ) {
        let mut out = Out {
            encoders: &mut self.encoders,
            offered: &mut self.offered,
            settled: run.settled.as_deref(),
            to: outcome.sinks,
            event,
            timestamp: self.timestamp,
            read_unix_ns,
            sent: 0,
            refused: Vec::new(),
            item: None,
            items: Vec::new(),
        };
        let mut context = Context { outputs: &mut out, work: &mut self.work };
        let flow = pipeline.steps.run(&mut self.row, &mut context);
        let (sent, refused, items) = (out.sent, out.refused, out.items);
        if !items.is_empty() {
            return self.items(pipeline, run, items, event, read_unix_ns, outcome);
        }
        if sent == pipeline.sinks_mask && refused.is_empty() && flow == Flow::Next {
            return;
        }
        let refused_by = self.work.refused();
        self.account(pipeline, run, (flow, refused_by), sent, refused, event, read_unix_ns, outcome);
    }

    /// The same for the events that one message was unrolled to.
    fn items(
        &mut self,
        pipeline: &Pipeline,
        run: &Run,
        items: Vec<Item>,
        event: EventRef<'_>,
        read_unix_ns: i64,
        outcome: &mut Outcome,
    ) {
        for Item { part, sent, flow, why, refused } in items {
            if sent == pipeline.sinks_mask && refused.is_empty() && flow == Flow::Next {
                continue;
            }
            let message = Message { part, ..*event.message };
            let event = EventRef { message: &message, ..event };
            self.account(pipeline, run, (flow, why), sent, refused, event, read_unix_ns, outcome);
        }
    }

    /// Writes down why an event does not reach every sink.
    #[expect(clippy::too_many_arguments, reason = "what became of one event, in one place")]
    fn account(
        &mut self,
        pipeline: &Pipeline,
        run: &Run,
        (flow, refused_by): (Flow, Option<&'static str>),
        sent: u64,
        refused: Vec<(usize, String)>,
        event: EventRef<'_>,
        read_unix_ns: i64,
        outcome: &mut Outcome,
    ) {
        let reason =
            |number: ReasonId| pipeline.reasons.get(usize::from(number)).cloned().unwrap_or_default();
        let (rejected, why) = match flow {
            Flow::Next => (false, self.elsewhere.clone()),
            Flow::Drop(number) => {
                bump(&mut self.dropped, number);
                (false, reason(number))
            }
            Flow::Reject(number) => {
                bump(&mut self.rejected, number);
                if !self.again {
                    let why = match (pipeline.is_parse(number), refused_by) {
                        (true, Some(format)) => (Stage::Parse, format!("{}: {format}", reason(number))),
                        (true, None) => (Stage::Parse, reason(number).to_string()),
                        (false, _) => (Stage::Step, reason(number).to_string()),
                    };
                    let why = (why.0, pipeline.name.as_str(), why.1);
                    outcome.letters.push(draft(&self.row, pipeline, why, &run.stream, event, read_unix_ns));
                }
                (true, reason(number))
            }
        };
        let mut unsent = |sink: usize, rejected, why: &Arc<str>| {
            // What a sink had settled before this start is in the books already.
            let before = run.settled.as_deref().and_then(|settled| settled.get(sink));
            if before.is_none_or(|ranges| !ranges.contains(event.message.start)) {
                let Message { start, end, part, .. } = *event.message;
                let bytes = own_bytes(start, end, part);
                if bytes == 0 && part > FIRST_ITEM {
                    return;
                }
                let of_run = self.unsent_before;
                add_unsent(&mut outcome.unsent, of_run, sink, &run.stream, rejected, why, bytes);
            }
        };
        for &sink in pipeline.sinks.iter().filter(|sink| sent & bit(**sink) == 0) {
            unsent(sink, rejected, &why);
        }
        for (sink, why) in refused {
            unsent(sink, true, &refusal_kind(&why).into());
            let why = (Stage::Encode, self.sinks[sink].as_str(), why);
            outcome.letters.push(draft(&self.row, pipeline, why, &run.stream, event, read_unix_ns));
        }
    }
}

fn bump(counts: &mut [u64], number: ReasonId) {
    if let Some(count) = counts.get_mut(usize::from(number)) {
        *count += 1;
    }
}

/// Adds to the bytes of a reason, within the entries of the present run.
fn add_unsent(
    table: &mut Vec<Unsent>,
    of_run: usize,
    sink: usize,
    stream: &Arc<Stream>,
    rejected: bool,
    reason: &Arc<str>,
    bytes: u64,
) {
    let same = |of: &&mut Unsent| of.sink == sink && of.rejected == rejected && of.reason == *reason;
    match table.get_mut(of_run..).unwrap_or_default().iter_mut().find(same) {
        Some(known) => known.bytes += bytes,
        None => table.push(Unsent { sink, stream: stream.clone(), rejected, reason: reason.clone(), bytes }),
    }
}

/// What a letter says of an event that does not come to a sink.
#[cold]
fn draft(
    row: &Row,
    pipeline: &Pipeline,
    (stage, by, error): (Stage, &str, String),
    stream: &Arc<Stream>,
    event: EventRef<'_>,
    unix_ns: i64,
) -> Draft {
    let mut letter = Letter {
        time: Letter::time(unix_ns),
        stage,
        by: by.to_owned(),
        error,
        pipeline: pipeline.name.clone(),
        ..Letter::default()
    };
    if let Some(id) = EventId::decode(&event.id()) {
        letter.place(event.stream, &id);
    }
    let row = row.texts.bytes(event.message.text).to_vec();
    Draft { letter, stream: Some(stream.clone()), row, redactor: pipeline.redactor.clone() }
}

/// Open JSON brings its time as text: a time stamp in every way but its type becomes one.
#[cold]
fn as_time(row: &mut Row, slot: Slot, value: Value) {
    let Value::Text(span) = value else { return };
    let text = row.texts.bytes(span);
    if let Some((parts, len)) = time::iso(text)
        && len == text.len()
        && let Some(ns) = Calendar::default().unix_ns(&parts)
    {
        row.set(slot, Value::Timestamp(ns));
    }
}

/// Where `to` hands a row.
struct Out<'a> {
    encoders: &'a mut [Option<Box<dyn Encoder>>],
    offered: &'a mut [u64],
    settled: Option<&'a [Ranges]>,
    to: u64,
    event: EventRef<'a>,
    timestamp: Option<Slot>,
    read_unix_ns: i64,
    sent: u64,
    refused: Vec<(usize, String)>,
    /// The item that is under way, where the message is unrolled, and what went before it.
    item: Option<(Message, u64)>,
    items: Vec<Item>,
}

/// What became of one event of a message that was unrolled.
struct Item {
    part: u16,
    sent: u64,
    flow: Flow,
    why: Option<&'static str>,
    refused: Vec<(usize, String)>,
}

impl Out<'_> {
    /// Whether the event is for this sink and not settled there; it counts as sent all the same.
    #[inline]
    fn takes(&mut self, sink: usize) -> bool {
        self.sent |= bit(sink);
        if self.to & bit(sink) == 0 {
            return false;
        }
        let settled = self.settled.and_then(|settled| settled.get(sink));
        !settled.is_some_and(|ranges| ranges.contains(self.event.message.start))
    }
}

impl Emit for Out<'_> {
    fn unroll(&mut self, items: usize) -> bool {
        items <= usize::from(u16::MAX - FIRST_ITEM)
    }

    fn item(&mut self, number: usize) {
        let part = FIRST_ITEM.saturating_add(u16::try_from(number).unwrap_or(u16::MAX));
        let before = self.item.map_or(self.sent, |(_, before)| before);
        self.item = Some((Message { part, ..*self.event.message }, before));
        self.sent = before;
    }

    fn item_done(&mut self, flow: Flow, why: Option<&'static str>) {
        let Some((Message { part, .. }, _)) = self.item else { return };
        let refused = std::mem::take(&mut self.refused);
        self.items.push(Item { part, sent: self.sent, flow, why, refused });
    }

    fn observe(&mut self, sink: usize, row: &mut Row, seen: Option<&[u8]>) {
        // An event that does not count was looked at all the same.
        if !self.takes(sink) {
            return;
        }
        let (Some(encoder), Some(seen)) = (&mut self.encoders[sink], seen) else { return };
        let time_ns = match self.timestamp.and_then(|slot| Some((slot, row.get(slot)?))) {
            Some((_, Value::Timestamp(time_ns))) => time_ns,
            Some((slot, other)) => {
                as_time(row, slot, other);
                match row.get(slot) {
                    Some(Value::Timestamp(time_ns)) => time_ns,
                    _ => self.read_unix_ns,
                }
            }
            None => envelope_time(row, self.event.message).unwrap_or(self.read_unix_ns),
        };
        let message = self.item.as_ref().map_or(self.event.message, |(message, _)| message);
        encoder.observe(time_ns, seen, EventRef { message, ..self.event });
        self.offered[sink] += 1;
    }

    #[inline]
    fn emit(&mut self, sink: usize, row: &mut Row) {
        if !self.takes(sink) {
            return;
        }
        if let Some(slot) = self.timestamp {
            match row.get(slot) {
                Some(Value::Timestamp(_)) => {}
                // An event without a time of its own happened, as far as anyone can tell, when its envelope says,
                // or else when it was read.
                None => {
                    let time = envelope_time(row, self.event.message).unwrap_or(self.read_unix_ns);
                    row.set(slot, Value::Timestamp(time));
                }
                Some(other) => as_time(row, slot, other),
            }
        }
        if let Some(encoder) = &mut self.encoders[sink] {
            let message = self.item.as_ref().map_or(self.event.message, |(message, _)| message);
            match encoder.push(row, EventRef { message, ..self.event }) {
                Ok(()) => self.offered[sink] += 1,
                Err(reason) => self.refused.push((sink, reason)),
            }
        }
    }
}
