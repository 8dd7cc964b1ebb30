//! One column of one batch while it is built. Rows that lack the field are not visited: they are filled in when
//! the next value comes, or at the end.

use std::sync::Arc;

use arrow::array::builder::{
    BooleanBuilder, Float64Builder, Int64Builder, NullBufferBuilder, StringBuilder,
    TimestampMicrosecondBuilder, TimestampNanosecondBuilder,
};
use arrow::array::{ArrayRef, MapArray, StringArray, StructArray};
use arrow::buffer::{Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};

use super::schema::{Kind, entry_field, entry_fields};
use crate::event::{self, Value, write_plain};

/// Integers up to here are the same as `f64` (2^53).
const EXACT_MAX: u64 = 1 << 53;

pub(super) enum Column {
    Text(Texts),
    Any(Texts),
    Json(Texts),
    Int(Int64Builder),
    Duration(Int64Builder),
    Float(Float64Builder),
    Bool(BooleanBuilder),
    Micros(TimestampMicrosecondBuilder),
    Nanos(TimestampNanosecondBuilder),
}

/// Does something with the builder, whichever it is.
macro_rules! each {
    ($column:expr, $builder:ident => $body:expr) => {
        match $column {
            Column::Text($builder) | Column::Any($builder) | Column::Json($builder) => $body,
            Column::Int($builder) | Column::Duration($builder) => $body,
            Column::Float($builder) => $body,
            Column::Bool($builder) => $body,
            Column::Micros($builder) => $body,
            Column::Nanos($builder) => $body,
        }
    };
}

impl Column {
    pub(super) fn new(kind: Kind) -> Self {
        match kind {
            Kind::Text => Self::Text(Texts::default()),
            Kind::Any => Self::Any(Texts::default()),
            Kind::Json => Self::Json(Texts::default()),
            Kind::Int => Self::Int(Int64Builder::new()),
            Kind::Duration => Self::Duration(Int64Builder::new()),
            Kind::Float => Self::Float(Float64Builder::new()),
            Kind::Bool => Self::Bool(BooleanBuilder::new()),
            Kind::Timestamp { nanos: false } => {
                Self::Micros(TimestampMicrosecondBuilder::new().with_timezone("UTC"))
            }
            Kind::Timestamp { nanos: true } => {
                Self::Nanos(TimestampNanosecondBuilder::new().with_timezone("UTC"))
            }
        }
    }

    /// Sets the value of a row, or returns false where the column cannot hold it.
    #[inline]
    pub(super) fn push(&mut self, row: usize, texts: &event::Texts, value: Value) -> bool {
        use arrow::array::ArrayBuilder;
        let missing = each!(self, builder => row.saturating_sub(builder.len()));
        if missing > 0 {
            self.fill(missing);
        }
        match (self, value) {
            (column, Value::Null) => column.fill(1),
            (Self::Text(builder) | Self::Any(builder), Value::Text(span) | Value::Ip(span))
            | (Self::Json(builder) | Self::Any(builder), Value::List(span) | Value::Object(span)) => {
                let bytes = texts.bytes(span);
                match span.facts.is_plain() || texts.text(span).is_some() {
                    true => builder.append(bytes),
                    false => builder.append(String::from_utf8_lossy(bytes).as_bytes()),
                }
            }
            (Self::Any(builder), value) => {
                let mut text = Vec::new();
                write_plain(texts, value, &mut text);
                builder.append(String::from_utf8_lossy(&text).as_bytes());
            }
            (Self::Int(builder), Value::Int(int)) => builder.append_value(int),
            (Self::Duration(builder), Value::Duration(ns)) => builder.append_value(ns),
            (Self::Float(builder), Value::Float(float)) => builder.append_value(float),
            (Self::Float(builder), Value::Int(int)) if int.unsigned_abs() <= EXACT_MAX => {
                builder.append_value(int as f64);
            }
            (Self::Bool(builder), Value::Bool(bool)) => builder.append_value(bool),
            (Self::Micros(builder), Value::Timestamp(ns)) => builder.append_value(ns.div_euclid(1000)),
            (Self::Nanos(builder), Value::Timestamp(ns)) => builder.append_value(ns),
            _ => return false,
        }
        true
    }

    fn fill(&mut self, rows: usize) {
        each!(self, builder => builder.append_nulls(rows));
    }

    /// Ends the batch after so many rows.
    pub(super) fn finish(&mut self, rows: usize) -> ArrayRef {
        use arrow::array::ArrayBuilder;
        let missing = each!(self, builder => rows.saturating_sub(builder.len()));
        self.fill(missing);
        match self {
            Self::Text(texts) | Self::Any(texts) | Self::Json(texts) => texts.finish(),
            Self::Int(builder) | Self::Duration(builder) => ArrayBuilder::finish(builder),
            Self::Float(builder) => ArrayBuilder::finish(builder),
            Self::Bool(builder) => ArrayBuilder::finish(builder),
            Self::Micros(builder) => ArrayBuilder::finish(builder),
            Self::Nanos(builder) => ArrayBuilder::finish(builder),
        }
    }
}

/// A column of texts. Each is known to be UTF-8 when it comes; Arrow checks all of them once more, but at once: one by one
/// that took a twentieth of the way from a line to its row. The room of a batch is kept for the next.
pub(super) struct Texts {
    /// Where each text ends, after a zero.
    ends: Vec<i32>,
    bytes: Vec<u8>,
    valid: NullBufferBuilder,
}

impl Default for Texts {
    fn default() -> Self {
        Self { ends: vec![0], bytes: Vec::new(), valid: NullBufferBuilder::new(0) }
    }
}

impl Texts {
    fn len(&self) -> usize {
        self.ends.len() - 1
    }

    #[inline]
    fn append(&mut self, text: &[u8]) {
        self.bytes.extend_from_slice(text);
        self.ends.push(self.bytes.len() as i32);
        self.valid.append_non_null();
    }

    fn append_nulls(&mut self, rows: usize) {
        self.ends.resize(self.ends.len() + rows, self.bytes.len() as i32);
        self.valid.append_n_nulls(rows);
    }

    fn finish(&mut self) -> ArrayRef {
        let (texts, bytes) = (self.ends.capacity(), self.bytes.len() + self.bytes.len() / 8);
        let ends = std::mem::replace(&mut self.ends, Vec::with_capacity(texts));
        self.ends.push(0);
        let bytes = std::mem::replace(&mut self.bytes, Vec::with_capacity(bytes));
        let (offsets, bytes) = (OffsetBuffer::new(ScalarBuffer::from(ends)), Buffer::from(bytes));
        let valid = self.valid.finish();
        match StringArray::try_new(offsets.clone(), bytes.clone(), valid.clone()) {
            Ok(array) => Arc::new(array),
            // Some text was not what was said of it. None is lost, and none stops the others.
            Err(_) => {
                let text = |at: usize| {
                    let range = *offsets.get(at)? as usize..*offsets.get(at + 1)? as usize;
                    let missing = valid.as_ref().is_some_and(|valid| valid.is_null(at));
                    (!missing).then(|| String::from_utf8_lossy(bytes.get(range).unwrap_or_default()))
                };
                Arc::new((0..offsets.len() - 1).map(text).collect::<StringArray>())
            }
        }
    }
}

/// The map of all that has no column.
#[derive(Default)]
pub(super) struct Rest {
    keys: StringBuilder,
    values: StringBuilder,
    /// Row and number of entries before it, for each row that has entries.
    starts: Vec<(u32, i32)>,
    entries: i32,
    text: Vec<u8>,
}

impl Rest {
    /// Adds an entry to a row; the parts of the key are joined.
    pub(super) fn push(&mut self, row: usize, key: [&[u8]; 3], texts: &event::Texts, value: Value) {
        if self.starts.last().is_none_or(|(last, _)| *last != row as u32) {
            self.starts.push((row as u32, self.entries));
        }
        self.entries += 1;
        self.text.clear();
        for part in key {
            self.text.extend_from_slice(part);
        }
        self.keys.append_value(String::from_utf8_lossy(&self.text));
        match value {
            Value::Null => self.values.append_null(),
            value => {
                self.text.clear();
                write_plain(texts, value, &mut self.text);
                self.values.append_value(String::from_utf8_lossy(&self.text));
            }
        }
    }

    /// Ends the batch after so many rows.
    pub(super) fn finish(&mut self, rows: usize) -> Result<ArrayRef, String> {
        let mut offsets = Vec::with_capacity(rows + 1);
        let mut valid = vec![false; rows];
        for (row, start) in self.starts.drain(..) {
            // Rows without entries begin where the next begins.
            offsets.resize(row as usize + 1, start);
            if let Some(valid) = valid.get_mut(row as usize) {
                *valid = true;
            }
        }
        offsets.resize(rows + 1, std::mem::take(&mut self.entries));
        let entries: Vec<ArrayRef> = vec![Arc::new(self.keys.finish()), Arc::new(self.values.finish())];
        let entries =
            StructArray::try_new(entry_fields(), entries, None).map_err(|error| error.to_string())?;
        let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
        let map = MapArray::try_new(entry_field(), offsets, entries, Some(NullBuffer::from(valid)), false);
        map.map(|map| Arc::new(map) as ArrayRef).map_err(|error| error.to_string())
    }
}

/// The column of event ids.
pub(super) fn ids(ids: &mut String, id_len: usize, rows: usize) -> Result<ArrayRef, String> {
    let offsets: Vec<i32> = (0..=rows).map(|row| (row * id_len) as i32).collect();
    let text = std::mem::take(ids).into_bytes();
    StringArray::try_new(OffsetBuffer::new(ScalarBuffer::from(offsets)), text.into(), None)
        .map(|array| Arc::new(array) as ArrayRef)
        .map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use arrow::array::{Array, AsArray};

    use super::*;

    #[test]
    fn texts_with_gaps_and_with_bytes_that_are_no_text() {
        let mut texts = Texts::default();
        for round in 0..2 {
            texts.append(b"a");
            texts.append_nulls(2);
            texts.append(if round == 0 { b"caf\xc3\xa9" } else { b"caf\xc3" });
            texts.append(b"");
            let array = texts.finish();
            let found: Vec<_> = array.as_string::<i32>().iter().collect();
            let last = if round == 0 { "caf\u{e9}" } else { "caf\u{fffd}" };
            assert_eq!(found, [Some("a"), None, None, Some(last), Some("")]);
            assert_eq!((array.null_count(), texts.len()), (2, 0));
        }
    }
}
