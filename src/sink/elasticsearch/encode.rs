//! Rows → bodies of `/_bulk`: an action line and a document line per row.
//!
//! In: rows, on the worker. Out: bodies of at most `body_bytes`, compressed where asked. A row is written once,
//! into the buffer that is sent.

use std::sync::Arc;

use super::buffer::Buffers;
use crate::event::{Row, Slot, Value, Writer};
use crate::limits::BULK_ROW_BYTES_MAX;
use crate::position::{EVENT_ID_LEN, EventId};
use crate::sink::router::Router;
use crate::sink::{Body, Encoder, EventRef, Payload, Provenance};

const TIMESTAMP: &str = "@timestamp";

/// Encodes rows for one sink.
pub(super) struct BulkEncoder {
    router: Router,
    buffers: Buffers,
    timestamp: Option<Slot>,
    body_bytes: usize,
    gzip: bool,
    writer: Writer,
    open: Vec<u8>,
    ends: Vec<u32>,
    full: Vec<(Vec<u8>, Vec<u32>)>,
}

impl BulkEncoder {
    pub(super) fn new(
        router: Router,
        buffers: Buffers,
        timestamp: Option<Slot>,
        body_bytes: usize,
        gzip: bool,
    ) -> Self {
        let (open, ends, full) = (Vec::new(), Vec::new(), Vec::new());
        Self { router, buffers, timestamp, body_bytes, gzip, writer: Writer::default(), open, ends, full }
    }

    /// Moves the last row, which starts at `start` and went over the size, to a body of its own.
    fn cut(&mut self, start: usize) {
        let mut next = self.buffers.take();
        next.extend_from_slice(self.open.get(start..).unwrap_or_default());
        self.open.truncate(start);
        self.full.push((std::mem::replace(&mut self.open, next), std::mem::take(&mut self.ends)));
    }

    fn body(&self, bytes: Vec<u8>, row_ends: Vec<u32>, provenance: &Arc<Provenance>) -> Body {
        let (payload, held) = if self.gzip { self.buffers.gzip(bytes) } else { self.buffers.seal(bytes) };
        Body {
            provenance: Arc::clone(provenance),
            payload: Payload::Bytes(payload),
            rows: row_ends.len() as u32,
            bytes: held + row_ends.capacity() * size_of::<u32>(),
            row_ends,
        }
    }
}

impl Encoder for BulkEncoder {
    fn push(&mut self, row: &mut Row, event: EventRef<'_>) -> Result<(), String> {
        if !has_timestamp(row, self.timestamp) {
            return Err("the event has no `@timestamp`, which every document of a data stream needs".into());
        }
        if self.open.capacity() == 0 {
            self.open = self.buffers.take();
        }
        let start = self.open.len();
        self.open.extend_from_slice(self.router.of(row));
        self.open.extend_from_slice(&event.id());
        self.open.extend_from_slice(BEHIND_ID);
        self.writer.write(row, &mut self.open);
        self.open.push(b'\n');
        let len = self.open.len() - start;
        if len > BULK_ROW_BYTES_MAX {
            self.open.truncate(start);
            return Err(format!(
                "the document takes {len} bytes, more than the {BULK_ROW_BYTES_MAX} that Elasticsearch reads"
            ));
        }
        if self.open.len() > self.body_bytes && start > 0 {
            self.cut(start);
        }
        self.ends.push(self.open.len() as u32);
        Ok(())
    }

    fn finish(&mut self, provenance: &Arc<Provenance>) -> Vec<Body> {
        if !self.ends.is_empty() {
            self.full.push((std::mem::take(&mut self.open), std::mem::take(&mut self.ends)));
        }
        let full = std::mem::take(&mut self.full);
        full.into_iter().map(|(bytes, ends)| self.body(bytes, ends, provenance)).collect()
    }
}

/// What stands behind the id in an action line.
const BEHIND_ID: &[u8] = b"\"}}\n";

/// The id in an encoded row.
pub(super) fn event_id(row: &[u8]) -> Option<EventId> {
    let action = row.get(..=memchr::memchr(b'\n', row)?)?;
    let before = action.strip_suffix(BEHIND_ID)?;
    EventId::decode(before.last_chunk::<EVENT_ID_LEN>()?)
}

#[inline]
fn has_timestamp(row: &Row, slot: Option<Slot>) -> bool {
    if let Some(value) = slot.and_then(|slot| row.get(slot)) {
        return value != Value::Null;
    }
    // Not named by the layout: the data itself may still have it.
    row.rest_at().contains(0)
        && row.rest().iter().any(|entry| {
            entry.parent == 0
                && entry.value != Value::Null
                && row.texts.bytes(entry.key) == TIMESTAMP.as_bytes()
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{LayoutBuilder, Message, Span, Template};
    use crate::limits::BULK_BODY_BYTES;
    use crate::position::{IdPrefix, PipelineTag, Stream, StreamId};
    use crate::sink::elasticsearch::buffer::gunzip;
    use crate::sink::elasticsearch::name;
    use crate::sink::elasticsearch::names::Names;

    fn row() -> Row {
        let mut builder = LayoutBuilder::default();
        for path in [TIMESTAMP, "message", "service.name"] {
            builder.add(path);
        }
        Row::new(Arc::new(builder.build()), Arc::default())
    }

    fn encoder(row: &Row, body_bytes: usize, gzip: bool) -> BulkEncoder {
        let template = Template::parse("logs-{.service.name}-prod").expect("a template");
        let router = name::router(&template, Some("logs-other-prod"), row.layout(), Names::default())
            .expect("a router");
        let timestamp = row.layout().slot(TIMESTAMP);
        BulkEncoder::new(router, Buffers::new(body_bytes), timestamp, body_bytes, gzip)
    }

    fn push(encoder: &mut BulkEncoder, row: &mut Row, text: &str, time: Option<i64>) -> Result<(), String> {
        row.clear();
        let span = row.texts.push(text.as_bytes());
        row.set(row.layout().slot("message").expect("named"), Value::Text(span));
        if let Some(time) = time {
            row.set(row.layout().slot(TIMESTAMP).expect("named"), Value::Timestamp(time));
        }
        let empty = Span { start: 0, len: 0, buffer: 0, facts: crate::event::Facts::UNKNOWN };
        let message =
            Message { text: empty, time: empty, start: 1_000_000, end: 1_000_240, lane: 1, part: 3 };
        let id = StreamId::from_facts(&[b"host", b"inode", b"7"]);
        let stream = Stream { id, generation: 2, source: Box::default(), path: Box::default() };
        let ids = IdPrefix::new(id, 2, 1, PipelineTag::new("web"));
        encoder.push(row, EventRef { ids: &ids, message: &message, stream: &stream })
    }

    fn provenance() -> Arc<Provenance> {
        Arc::new(Provenance { batch: 1, ranges: Vec::new() })
    }

    fn bytes(body: &Body) -> &[u8] {
        match &body.payload {
            Payload::Bytes(bytes) => bytes,
            Payload::Columns(_) => panic!("bytes"),
        }
    }

    #[test]
    fn a_row_is_an_action_and_a_document() {
        let mut row = row();
        let mut encoder = encoder(&row, BULK_BODY_BYTES, false);
        assert_eq!(push(&mut encoder, &mut row, "say \"hi\"\n", Some(0)), Ok(()));
        let bodies = encoder.finish(&provenance());
        assert_eq!(bodies.len(), 1);
        assert_eq!(
            str::from_utf8(bytes(&bodies[0])).expect("text"),
            "{\"create\":{\"_index\":\"logs-other-prod\",\"_id\":\"ARoxC_3rJfz4AAIBS15XAAAAD0JAAAAA8AAD\"}}\n\
             {\"@timestamp\":\"1970-01-01T00:00:00.000Z\",\"message\":\"say \\\"hi\\\"\\n\"}\n"
        );
        assert_eq!(bodies[0].row_ends, [bytes(&bodies[0]).len() as u32]);
        let id = event_id(bytes(&bodies[0])).expect("an id");
        assert_eq!((id.generation, id.lane, id.start, id.end, id.part), (2, 1, 1_000_000, 1_000_240, 3));
        assert_eq!(event_id(b"{\"create\":{}}\n{}\n"), None);
        assert!(encoder.finish(&provenance()).is_empty());
    }

    #[test]
    fn a_row_without_a_time_is_refused_and_leaves_nothing() {
        let mut row = row();
        let mut encoder = encoder(&row, BULK_BODY_BYTES, false);
        let refused = push(&mut encoder, &mut row, "x", None).expect_err("refused");
        assert!(refused.contains("@timestamp"));
        assert!(encoder.finish(&provenance()).is_empty());
    }

    /// However many rows there are and however large they are, bodies keep to their size, hold every row once and
    /// in order, and only a row that is larger than a body stands alone.
    #[test]
    fn bodies_keep_to_their_size() {
        for gzip in [false, true] {
            let mut row = row();
            let mut encoder = encoder(&row, 4096, gzip);
            let sizes: Vec<usize> =
                (0..200).map(|n| (n * 37) % 400 + usize::from(n % 50 == 0) * 6000).collect();
            for (n, size) in sizes.iter().enumerate() {
                let text = format!("{n}:{}", "x".repeat(*size));
                assert_eq!(push(&mut encoder, &mut row, &text, Some(1)), Ok(()));
            }
            let mut seen = 0;
            for body in encoder.finish(&provenance()) {
                let len = *body.row_ends.last().expect("a row") as usize;
                assert!(len <= 4096 || body.rows == 1, "{len} bytes in {} rows", body.rows);
                let plain =
                    if gzip { gunzip(bytes(&body), len).expect("gzip") } else { bytes(&body).to_vec() };
                assert_eq!((plain.len(), body.row_ends.len()), (len, body.rows as usize));
                let text = String::from_utf8(plain).expect("text");
                for document in text.lines().skip(1).step_by(2) {
                    let document: serde_json::Value = serde_json::from_str(document).expect("json");
                    let message = document["message"].as_str().expect("text");
                    assert!(message.starts_with(&format!("{seen}:")), "{seen}");
                    seen += 1;
                }
            }
            assert_eq!(seen, sizes.len());
        }
    }
}
