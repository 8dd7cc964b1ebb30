//! Turns a batch into bodies: parse, steps and encoding, one event at a time while it is hot in the cache.
//!
//! Pure: no clock, no file, no lock on the way of an event; the counters are added up once per batch.

use std::sync::Arc;

use super::facts::Facts;
use super::letters::Letter;
use super::reader::Job;
use crate::catalog::{Pipeline, Runnable};
use crate::event::{Batch, Row, Run, Slot, Value};
use crate::limits::LANES_MAX;
use crate::observe::{Stats, count};
use crate::position::{IdPrefix, Ranges};
use crate::sink::{Body, Encoder, EventRef, Provenance};
use crate::step::{Context, Emit, Flow, ReasonId, Step, Work};

/// What comes of a batch.
#[derive(Debug)]
pub struct Outcome {
    /// The batch and the bytes that it accounts for.
    pub provenance: Arc<Provenance>,
    /// Number of its source in the plan.
    pub source: usize,
    /// Bodies with the number of their sink.
    pub bodies: Vec<(usize, Body)>,
    /// Events that a step or an encoder refused.
    pub letters: Vec<Letter>,
    /// Bytes of input that are no longer held.
    pub input_bytes: usize,
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
    encoders: Vec<Option<Box<dyn Encoder>>>,
    offered: Vec<u64>,
    timestamp: Option<Slot>,
}

impl Worker {
    /// A worker for a plan.
    pub fn new(plan: Arc<Runnable>, stats: Arc<Stats>) -> Result<Self, String> {
        let lines =
            plan.pipelines.iter().map(|pipeline| Line::new(&plan, pipeline)).collect::<Result<_, _>>()?;
        Ok(Self { plan, lines, stats })
    }

    /// Takes a batch through every pipeline that reads its source.
    pub fn process(&mut self, job: Job) -> Outcome {
        let Job { provenance, source, mut batch } = job;
        self.plan.reference.set(batch.read_unix_ns);
        let facts = Facts::new(&mut batch);
        let mut outcome =
            Outcome { provenance, source, bodies: Vec::new(), letters: Vec::new(), input_bytes: batch.bytes };
        let mut bodies: Vec<Vec<Body>> = self.plan.sinks.iter().map(|_| Vec::new()).collect();
        for index in 0..self.lines.len() {
            let (pipeline, line) = (&self.plan.pipelines[index], &mut self.lines[index]);
            if !pipeline.sources.contains(&source) {
                continue;
            }
            let events = batch.messages.len() as u64;
            line.process(pipeline, &mut batch, &facts, &mut outcome);
            for (encoder, bodies) in line.encoders.iter_mut().zip(&mut bodies) {
                bodies.extend(encoder.iter_mut().flat_map(|encoder| encoder.finish(&outcome.provenance)));
            }
            self.report(index, events);
        }
        for (sink, bodies) in bodies.into_iter().enumerate() {
            // A sink that keeps order must hear of every batch, or it would wait for it for ever.
            let bodies = if self.plan.sinks[sink].plan.ordered() {
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
            offered: vec![0; encoders.len()],
            encoders,
            timestamp: pipeline.shape.layout.slot("@timestamp"),
        })
    }

    fn process(&mut self, pipeline: &Pipeline, batch: &mut Batch, facts: &Facts, outcome: &mut Outcome) {
        self.row.swap_segments(std::mem::take(&mut batch.segments));
        let bound = facts.bind(&pipeline.shape.layout);
        for (number, run) in batch.runs.iter().enumerate() {
            let mut prefixes: [Option<IdPrefix>; LANES_MAX] = [None; LANES_MAX];
            let messages = batch.messages.get(run.messages.start as usize..run.messages.end as usize);
            for message in messages.unwrap_or_default() {
                let lane = usize::from(message.lane).min(LANES_MAX - 1);
                let prefix = prefixes[lane].get_or_insert_with(|| {
                    IdPrefix::new(run.stream.id, run.stream.generation, message.lane, pipeline.shape.tag)
                });
                let id = prefix.id(message.start, message.end, message.part);
                self.row.clear();
                bound.fill(&mut self.row, number, run, message);
                let event = EventRef { id: &id, message, stream: &run.stream };
                self.event(pipeline, run, event, batch.read_unix_ns, outcome);
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
            event,
            timestamp: self.timestamp,
            read_unix_ns,
            refused: None,
        };
        let mut context = Context { outputs: &mut out, work: &mut self.work };
        let flow = pipeline.steps.run(&mut self.row, &mut context);
        let refused = out.refused.take();
        let count = |counts: &mut [u64], reason: ReasonId| {
            if let Some(count) = counts.get_mut(usize::from(reason)) {
                *count += 1;
            }
        };
        match flow {
            Flow::Next => {}
            Flow::Drop(reason) => count(&mut self.dropped, reason),
            Flow::Reject(reason) => {
                count(&mut self.rejected, reason);
                let reason = pipeline.reasons.get(usize::from(reason)).cloned().unwrap_or_default();
                outcome.letters.push(letter(&self.row, &pipeline.name, reason, event, read_unix_ns));
            }
        }
        if let Some((sink, reason)) = refused {
            let reason = format!("sink {sink}: {reason}");
            outcome.letters.push(letter(&self.row, &pipeline.name, reason, event, read_unix_ns));
        }
    }
}

#[cold]
fn letter(row: &Row, by: &str, reason: String, event: EventRef<'_>, unix_ns: i64) -> Letter {
    Letter {
        time: Letter::time(unix_ns),
        by: by.to_owned(),
        reason,
        stream: event.stream.path.to_string(),
        start: Some(event.message.start),
        event: String::from_utf8_lossy(row.texts.bytes(event.message.text)).into_owned(),
    }
}

/// Where `to` hands a row.
struct Out<'a> {
    encoders: &'a mut [Option<Box<dyn Encoder>>],
    offered: &'a mut [u64],
    settled: Option<&'a [Ranges]>,
    event: EventRef<'a>,
    timestamp: Option<Slot>,
    read_unix_ns: i64,
    refused: Option<(usize, String)>,
}

impl Emit for Out<'_> {
    #[inline]
    fn emit(&mut self, sink: usize, row: &mut Row) {
        if let Some(settled) = self.settled
            && settled.get(sink).is_some_and(|ranges| ranges.contains(self.event.message.start))
        {
            return;
        }
        // An event without a time of its own happened, as far as anyone can tell, when it was read.
        if let Some(slot) = self.timestamp
            && row.get(slot).is_none()
        {
            row.set(slot, Value::Timestamp(self.read_unix_ns));
        }
        if let Some(encoder) = &mut self.encoders[sink] {
            match encoder.push(row, self.event) {
                Ok(()) => self.offered[sink] += 1,
                Err(reason) => self.refused = Some((sink, reason)),
            }
        }
    }
}
