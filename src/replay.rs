//! Recorded bytes through a pipeline, in virtual time: for `aludel test` and `aludel replay`.
//!
//! In: a plan and recordings. Out: the events that each sink would get, as JSON, in order, the same every time. No
//! sink is opened and no clock is read; an event without a time of its own gets the time of its recording.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::catalog::Runnable;
use crate::event::{Row, write_object};
use crate::frame::FrameConfig;
use crate::observe::Stats;
use crate::position::CursorRecord;
use crate::run::{Job, Letter, Read, Reader, Worker};
use crate::sink::{Body, Encoder, EventRef, Payload, Provenance, Shape, Sink, SinkPlan, World};
use crate::source::recorded::{Recorded, Recording};
use crate::source::{self, Source};

/// Takes what a replay gives.
pub trait Audience {
    /// An event for the sink with this number, as one line of JSON without its end.
    fn event(&mut self, sink: usize, json: &[u8]);
    /// An event that was refused.
    fn letter(&mut self, letter: &Letter);
    /// How far the replay is, in bytes left to read.
    fn progress(&mut self, left: u64);
}

/// Puts the sinks' places under JSON: what they would get is seen, and nothing is sent.
pub fn captured(mut plan: Runnable) -> Runnable {
    for sink in plan.sinks.iter_mut().filter(|sink| sink.plan.rehearse().is_none()) {
        sink.plan = Box::new(Capture);
    }
    plan
}

/// Runs recordings of one source through a [`captured`] plan. `unix_ns` is the time of events that have none, and
/// decides the year of times without one.
pub fn replay(
    plan: &Arc<Runnable>,
    source: usize,
    recordings: Vec<Recording>,
    unix_ns: i64,
    audience: &mut dyn Audience,
) -> Result<Arc<Stats>, String> {
    let named = &plan.sources[source];
    let config = match named.plan.own() {
        Some(_) => source::own::own_frame(),
        None => FrameConfig::from_options(&named.options)?,
    };
    let config = Arc::new(config);
    let recorded = Recorded::new(&named.name, config, recordings);
    through(plan, source, Box::new(recorded), unix_ns, audience)
}

/// Runs what a source gives until its end through a [`captured`] plan, as its source of this number.
pub fn through(
    plan: &Arc<Runnable>,
    source: usize,
    opened: Box<dyn Source>,
    unix_ns: i64,
    audience: &mut dyn Audience,
) -> Result<Arc<Stats>, String> {
    let stats = plan.stats();
    let mut reader = Reader::new(opened, source, stats.clone());
    let mut worker = Worker::new(plan.clone(), stats.clone())?;
    let mut notices = Vec::new();
    let mut number = 0;
    let mut rehearsals: Vec<_> = plan.sinks.iter().map(|sink| sink.plan.rehearse()).collect();
    loop {
        match reader.step(Duration::ZERO, unix_ns, &mut notices) {
            Read::Batch(batch) => {
                let outcome = worker.process(Job::new(number, source, batch));
                number += 1;
                for (sink, body) in outcome.bodies {
                    if let Some(rehearsal) = &mut rehearsals[sink] {
                        rehearsal.offer(&body);
                    } else if let Payload::Bytes(bytes) = body.payload {
                        bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).for_each(|line| {
                            audience.event(sink, line);
                        });
                    }
                }
                outcome.letters.iter().for_each(|draft| audience.letter(&draft.letter));
                audience.progress(reader.source.backlog().unread_bytes);
            }
            Read::More | Read::Wait(_) => {}
            Read::End => {
                for (sink, rehearsal) in rehearsals.iter_mut().enumerate() {
                    let lines = rehearsal.iter_mut().flat_map(|rehearsal| rehearsal.end());
                    lines.for_each(|line| audience.event(sink, &line));
                }
                return Ok(stats);
            }
        }
        if let Some(crate::source::Notice::Warning(warning)) = notices.pop() {
            return Err(warning);
        }
    }
}

/// A sink that is only looked at.
struct Capture;

impl SinkPlan for Capture {
    fn encoder(&self, _: &Shape) -> Result<Box<dyn Encoder>, String> {
        Ok(Box::new(Lines::default()))
    }

    fn open(&self, _: World) -> Result<(Box<dyn Sink>, Vec<CursorRecord>), crate::sink::OpenError> {
        Err("a replay opens no sink".to_owned().into())
    }

    fn guarantee(&self) -> &'static str {
        "nothing is sent"
    }

    fn place(&self) -> String {
        "replay".to_owned()
    }
}

#[derive(Default)]
struct Lines {
    bytes: Vec<u8>,
    rows: u32,
}

impl Encoder for Lines {
    fn push(&mut self, row: &mut Row, _: EventRef<'_>) -> Result<(), String> {
        write_object(row, &mut self.bytes);
        self.bytes.push(b'\n');
        self.rows += 1;
        Ok(())
    }

    fn finish(&mut self, provenance: &Arc<Provenance>) -> Vec<Body> {
        let bytes = Bytes::from(std::mem::take(&mut self.bytes));
        let size = bytes.len();
        vec![Body {
            provenance: provenance.clone(),
            payload: Payload::Bytes(bytes),
            row_ends: Vec::new(),
            rows: std::mem::take(&mut self.rows),
            bytes: size,
        }]
    }
}
