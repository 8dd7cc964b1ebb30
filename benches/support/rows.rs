//! Events of the race as its sinks get them, for the benches of encoders.

use std::sync::Arc;

use aludel::event::{Facts, Message, Row, Segment, Span, Value};
use aludel::lang::builtin;
use aludel::position::{IdPrefix, Stream};
use aludel::sink::{Body, Encoder, EventRef, Provenance, Shape};
use aludel::step::{Context, Emit, Step, Work};

use crate::course::{Course, PATH};

/// Events behind the last step of a pipeline, for its encoder.
pub(crate) struct Rows {
    rows: Vec<(Row, Message)>,
    stream: Arc<Stream>,
    ids: IdPrefix,
    /// What the encoder is told of the pipeline.
    pub(crate) shape: Shape,
    /// Bytes of input that the rows are made of.
    pub(crate) input_bytes: u64,
}

/// Where `to` sends rows that are kept.
struct Kept;

impl Emit for Kept {
    fn emit(&mut self, _: usize, _: &mut Row) {}
}

impl Rows {
    /// So many events behind the steps of a pipeline of the race, all of one batch.
    pub(crate) fn new(course: &Course, count: usize) -> Self {
        let (plan, mut batch) = (course.runnable(), course.batch());
        let pipeline = &plan.pipelines[0];
        let path = Span {
            start: 0,
            len: PATH.len() as u32,
            buffer: Span::SEGMENTS + batch.segments.len() as u16,
            facts: Facts::PLAIN,
        };
        batch.segments.push(Arc::new(Segment::new(PATH.into())));
        let mut work = Work::default();
        let mut make = |message: &Message| {
            let mut row = Row::new(pipeline.shape.layout.clone(), pipeline.constants.clone());
            row.swap_segments(batch.segments.clone());
            let facts = [
                (builtin::MESSAGE, Value::Text(message.text)),
                (builtin::OFFSET, Value::Int(message.start as i64)),
                (builtin::PATH, Value::Text(path)),
                (builtin::TIMESTAMP, Value::Timestamp(1_795_428_000_000_000_000 + message.start as i64)),
            ];
            for (name, value) in facts {
                let slot = row.layout().slot(name).expect("every layout has it");
                row.set(slot, value);
            }
            pipeline.steps.run(&mut row, &mut Context { outputs: &mut Kept, work: &mut work });
            (row, *message)
        };
        let rows: Vec<_> = batch.messages.iter().take(count).map(&mut make).collect();
        let input_bytes = rows.iter().map(|(_, message)| message.end - message.start).sum();
        let stream = batch.runs[0].stream.clone();
        let ids = IdPrefix::new(stream.id, stream.generation, 0, pipeline.shape.tag);
        Self { rows, stream, ids, shape: pipeline.shape.clone(), input_bytes }
    }

    /// Encodes all rows so many times, as one batch.
    pub(crate) fn encode(&mut self, encoder: &mut dyn Encoder, times: u64, batch: u64) -> Vec<Body> {
        for _ in 0..times {
            for (row, message) in &mut self.rows {
                let event = EventRef { ids: &self.ids, message, stream: &self.stream };
                encoder.push(row, event).expect("it fits");
            }
        }
        encoder.finish(&Arc::new(Provenance { batch, ranges: Vec::new() }))
    }
}
