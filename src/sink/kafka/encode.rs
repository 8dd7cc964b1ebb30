//! Rows → records: topic, key and value, with where the event is from.
//!
//! In: rows, on the worker. Out: one body a batch. A row in it is, little-endian:
//!
//! | bytes | field |
//! |---|---|
//! | 8 | stream |
//! | 2 | generation |
//! | 8 | position of the event's first byte |
//! | 36 | event id |
//! | 2 + n | topic |
//! | 4 + n | key; a length of all ones is no key |
//! | the rest | value |

use std::sync::Arc;

use bytes::Bytes;

use crate::event::{BoundTemplate, Row};
use crate::position::{EVENT_ID_LEN, StreamId};
use crate::sink::lines::Writer;
use crate::sink::router::Router;
use crate::sink::{Body, Encoder, EventRef, Payload, Provenance};

const NO_KEY: u32 = u32::MAX;

/// Encodes rows for one sink.
pub(super) struct RecordEncoder {
    pub(super) router: Router,
    pub(super) key: Option<BoundTemplate>,
    pub(super) writer: Writer,
    pub(super) open: Vec<u8>,
    pub(super) ends: Vec<u32>,
    /// Largest record, in bytes.
    pub(super) bytes_max: usize,
}

/// What a record takes beside key and value: the header with the event's id, and the record's own head.
const AROUND_BYTES: usize = 96;

/// Writes a topic as a row has it.
pub(super) fn write_topic(name: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(&(name.len() as u16).to_le_bytes());
    out.extend_from_slice(name.as_bytes());
}

impl Encoder for RecordEncoder {
    fn push(&mut self, row: &mut Row, event: EventRef<'_>) -> Result<(), String> {
        let start = self.open.len();
        self.open.extend_from_slice(&event.stream.id.0.to_le_bytes());
        self.open.extend_from_slice(&event.stream.generation.to_le_bytes());
        self.open.extend_from_slice(&event.message.start.to_le_bytes());
        self.open.extend_from_slice(&event.id());
        self.open.extend_from_slice(self.router.of(row));
        let at = self.open.len();
        self.open.extend_from_slice(&NO_KEY.to_le_bytes());
        if let Some(key) = &self.key
            && key.fill(row, &mut self.open)
        {
            let length = (self.open.len() - at - 4) as u32;
            self.open[at..at + 4].copy_from_slice(&length.to_le_bytes());
        }
        if let Err(reason) = self.writer.write(row, event, &mut self.open) {
            self.open.truncate(start);
            return Err(reason);
        }
        let bytes = self.open.len() - at + AROUND_BYTES;
        if bytes > self.bytes_max {
            self.open.truncate(start);
            return Err(format!(
                "the record takes {bytes} bytes, more than the {} of `message_bytes`",
                self.bytes_max
            ));
        }
        self.ends.push(self.open.len() as u32);
        Ok(())
    }

    fn finish(&mut self, provenance: &Arc<Provenance>) -> Vec<Body> {
        if self.ends.is_empty() {
            return Vec::new();
        }
        // The next batch is about as large, and growing by doubling would copy it several times.
        let capacity = self.open.len() + self.open.len() / 8;
        let open = std::mem::replace(&mut self.open, Vec::with_capacity(capacity));
        let row_ends = std::mem::take(&mut self.ends);
        vec![Body {
            provenance: Arc::clone(provenance),
            rows: row_ends.len() as u32,
            bytes: open.capacity() + row_ends.capacity() * size_of::<u32>(),
            row_ends,
            payload: Payload::Bytes(Bytes::from(open)),
        }]
    }
}

/// A row of a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// Stream and generation of its event.
    pub(super) stream: (StreamId, u16),
    /// Position of the event's first byte.
    pub(super) start: u64,
    pub(super) id: Bytes,
    pub(super) topic: Bytes,
    pub(super) key: Option<Bytes>,
    pub(super) value: Bytes,
}

/// The rows of a body, as shares of its bytes.
pub(super) fn lines(body: &Body) -> Vec<Line> {
    let Payload::Bytes(bytes) = &body.payload else { return Vec::new() };
    let mut start = 0;
    let mut lines = Vec::with_capacity(body.row_ends.len());
    for &end in &body.row_ends {
        lines.extend(bytes.get(start..end as usize).and_then(|_| line(bytes.slice(start..end as usize))));
        start = end as usize;
    }
    lines
}

fn line(mut bytes: Bytes) -> Option<Line> {
    let mut take = |length: usize| (bytes.len() >= length).then(|| bytes.split_to(length));
    let stream = u64::from_le_bytes(*take(8)?.first_chunk()?);
    let generation = u16::from_le_bytes(*take(2)?.first_chunk()?);
    let start = u64::from_le_bytes(*take(8)?.first_chunk()?);
    let id = take(EVENT_ID_LEN)?;
    let length = u16::from_le_bytes(*take(2)?.first_chunk()?);
    let topic = take(usize::from(length))?;
    let length = u32::from_le_bytes(*take(4)?.first_chunk()?);
    let key = if length == NO_KEY { None } else { Some(take(length as usize)?) };
    Some(Line { stream: (StreamId(stream), generation), start, id, topic, key, value: bytes })
}
