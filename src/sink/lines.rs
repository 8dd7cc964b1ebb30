//! Rows as lines: the encoder that `file`, `stdout` and `blackhole` share, and what `kafka` makes a value of.
//!
//! In: rows. Out: one body per batch, each row ended by a line feed. Sees no file.

use std::sync::Arc;

use bytes::Bytes;

use super::pretty::Pretty;
use super::{Body, Encoder, EventRef, Payload, Provenance, Shape};
use crate::event::{self, Row, Slot, Value};

/// What a row looks like as a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// One JSON object (<https://github.com/ndjson/ndjson-spec>).
    Ndjson,
    /// The message as it is, and nothing else; a multi-line message is several lines.
    Text,
    /// For people, with or without colour.
    Pretty {
        /// Whether the terminal understands colour.
        colour: bool,
    },
}

/// Writes one row in a form, without what separates it from the next.
pub(super) enum Writer {
    /// Nothing: rows are only counted.
    None,
    /// See [`Form::Ndjson`].
    Ndjson(event::Writer),
    /// See [`Form::Text`].
    Text {
        /// Where the message is, if the pipeline can have changed it.
        message: Option<Slot>,
        /// Where the message was before a step changed it.
        original: Option<Slot>,
    },
    /// See [`Form::Pretty`].
    Pretty(Box<Pretty>),
}

impl Writer {
    /// A writer for rows of this shape.
    pub(super) fn new(form: Option<Form>, shape: &Shape) -> Self {
        let slot = |path| shape.layout.slot(path);
        match form {
            None => Self::None,
            Some(Form::Ndjson) => Self::Ndjson(event::Writer::default()),
            Some(Form::Text) => Self::Text { message: slot("message"), original: slot("event.original") },
            Some(Form::Pretty { colour }) => Self::Pretty(Box::new(Pretty::new(&shape.layout, colour))),
        }
    }

    /// Appends the row.
    #[inline]
    pub(super) fn write(
        &mut self,
        row: &mut Row,
        event: EventRef<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), String> {
        match self {
            Self::None => {}
            Self::Ndjson(writer) => writer.write(row, out),
            Self::Text { message, original } => {
                let span = match (*message, *original) {
                    // Nothing in the pipeline can have changed it.
                    (None, None) => event.message.text,
                    (message, original) => {
                        text(row, message).or_else(|| text(row, original)).ok_or_else(|| {
                            "the event has no text in `message` or `event.original` to write".to_owned()
                        })?
                    }
                };
                out.extend_from_slice(row.texts.bytes(span));
            }
            Self::Pretty(pretty) => pretty.write(row, event, out),
        }
        Ok(())
    }
}

/// Encodes rows as lines.
pub(super) struct Lines {
    writer: Writer,
    out: Vec<u8>,
    rows: u32,
}

impl Lines {
    /// An encoder for rows of this shape; without a form rows are only counted.
    pub(super) fn new(form: Option<Form>, shape: &Shape) -> Self {
        Self { writer: Writer::new(form, shape), out: Vec::new(), rows: 0 }
    }
}

impl Encoder for Lines {
    #[inline]
    fn push(&mut self, row: &mut Row, event: EventRef<'_>) -> Result<(), String> {
        self.writer.write(row, event, &mut self.out)?;
        if matches!(self.writer, Writer::Ndjson(_) | Writer::Text { .. }) {
            self.out.push(b'\n');
        }
        self.rows += 1;
        Ok(())
    }

    fn finish(&mut self, provenance: &Arc<Provenance>) -> Vec<Body> {
        if self.rows == 0 {
            return Vec::new();
        }
        // The next batch is about as large, and growing by doubling would copy it several times.
        let capacity = self.out.len() + self.out.len() / 8;
        let out = std::mem::replace(&mut self.out, Vec::with_capacity(capacity));
        vec![Body {
            provenance: Arc::clone(provenance),
            row_ends: Vec::new(),
            rows: std::mem::take(&mut self.rows),
            bytes: out.capacity(),
            payload: Payload::Bytes(Bytes::from(out)),
        }]
    }
}

#[inline]
fn text(row: &Row, slot: Option<Slot>) -> Option<crate::event::Span> {
    match row.get(slot?)? {
        Value::Text(span) => Some(span),
        _ => None,
    }
}
