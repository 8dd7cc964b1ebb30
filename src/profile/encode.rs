//! Probes around encoders, and sinks that are never opened.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::desk::{Desk, Encoded, Mode, open};
use crate::event::{Row, Slot, Value};
use crate::lang::builtin;
use crate::position::CursorRecord;
use crate::sink::{Body, Encoder, EventRef, Payload, Provenance, Shape, Sink, SinkPlan, World};

/// A sink of which only the encoders are used.
pub(super) struct SinkProbe {
    /// What the probes share.
    pub(super) desk: Arc<Desk>,
    /// The number of its tally.
    pub(super) number: usize,
    /// The sink.
    pub(super) plan: Box<dyn SinkPlan>,
}

impl SinkPlan for SinkProbe {
    fn encoder(&self, shape: &Shape) -> Result<Box<dyn Encoder>, String> {
        Ok(Box::new(EncoderProbe {
            desk: self.desk.clone(),
            number: self.number,
            encoder: self.plan.encoder(shape)?,
            message: shape.layout.slot(builtin::MESSAGE),
            url: shape.layout.slot("url.original").zip(shape.layout.slot("url.path")),
            text: Vec::new(),
        }))
    }

    fn open(&self, _: World) -> Result<(Box<dyn Sink>, Vec<CursorRecord>), crate::sink::OpenError> {
        Err("a profile opens no sink".to_owned().into())
    }

    fn ordered(&self) -> bool {
        self.plan.ordered()
    }

    fn joined(&self) -> bool {
        self.plan.joined()
    }

    fn guarantee(&self) -> &'static str {
        "nothing is sent"
    }

    fn place(&self) -> String {
        self.plan.place()
    }
}

struct EncoderProbe {
    desk: Arc<Desk>,
    number: usize,
    encoder: Box<dyn Encoder>,
    message: Option<Slot>,
    url: Option<(Slot, Slot)>,
    text: Vec<u8>,
}

impl Encoder for EncoderProbe {
    fn push(&mut self, row: &mut Row, event: EventRef<'_>) -> Result<(), String> {
        let work = || self.encoder.push(row, event);
        let result = self.desk.timed(self.number, work, |tally, _, span| open(&tally.times).add(span));
        if self.desk.is(Mode::Count) {
            self.desk.count(self.number, result.is_ok());
            self.look(row, event);
        }
        result
    }

    fn finish(&mut self, provenance: &Arc<Provenance>) -> Vec<Body> {
        let (bodies, span) = self.desk.lap(|| self.encoder.finish(provenance));
        let Some(tally) = self.desk.tallies.get(self.number) else { return bodies };
        let mut encoded = open(&tally.encoded);
        if self.desk.is(Mode::Sample) {
            encoded.ends.add(span);
        }
        if self.desk.is(Mode::Count) {
            encoded.batches += 1;
            bodies.iter().for_each(|body| note(body, &mut encoded));
        }
        bodies
    }
}

fn note(body: &Body, encoded: &mut Encoded) {
    encoded.bytes += body.payload_bytes() as u64;
    if let Payload::Bytes(bytes) = &body.payload {
        encoded.raw_bytes += body.row_ends.last().map_or(bytes.len() as u64, |end| u64::from(*end));
    }
}

impl EncoderProbe {
    /// Looks for fields that say again what others say.
    fn look(&mut self, row: &Row, event: EventRef<'_>) {
        let whole = Some(Value::Text(event.message.text));
        let parsed = self.desk.parsed.load(Ordering::Relaxed);
        let message = self.message.filter(|slot| parsed && row.get(*slot) == whole);
        let url = self.url.filter(|(_, path)| row.has(*path)).map(|(url, _)| url);
        let (message, url) = (self.bytes(row, message), self.bytes(row, url));
        if let Some(tally) = self.desk.tallies.get(self.number) {
            let mut encoded = open(&tally.encoded);
            encoded.message_bytes += message;
            encoded.url_bytes += url;
        }
    }

    /// What a field takes in a document: key, value, and the comma.
    fn bytes(&mut self, row: &Row, slot: Option<Slot>) -> u64 {
        let Some((slot, value)) = slot.and_then(|slot| Some((slot, row.get(slot)?))) else { return 0 };
        self.text.clear();
        row.write_json(value, &mut self.text);
        (self.text.len() + row.layout().fragment(slot).len() + 1) as u64
    }
}
