//! One column of one batch while it is built. Rows that lack the field are not visited: they are filled in when
//! the next value comes, or at the end.

use std::sync::Arc;

use arrow::array::builder::{
    BooleanBuilder, Float64Builder, Int64Builder, StringBuilder, TimestampMicrosecondBuilder,
    TimestampNanosecondBuilder,
};
use arrow::array::{ArrayRef, MapArray, StringArray, StructArray};
use arrow::buffer::{NullBuffer, OffsetBuffer, ScalarBuffer};

use super::schema::{Kind, entry_field, entry_fields};
use crate::event::{Texts, Value, write_plain};

/// Integers up to here are the same as `f64` (2^53).
const EXACT_MAX: u64 = 1 << 53;

pub(super) enum Column {
    Text(StringBuilder),
    Any(StringBuilder),
    Json(StringBuilder),
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
            Kind::Text => Self::Text(StringBuilder::new()),
            Kind::Any => Self::Any(StringBuilder::new()),
            Kind::Json => Self::Json(StringBuilder::new()),
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
    pub(super) fn push(&mut self, row: usize, texts: &Texts, value: Value) -> bool {
        use arrow::array::ArrayBuilder;
        let missing = each!(self, builder => row.saturating_sub(builder.len()));
        if missing > 0 {
            self.fill(missing);
        }
        match (self, value) {
            (column, Value::Null) => column.fill(1),
            (Self::Text(builder) | Self::Any(builder), Value::Text(span) | Value::Ip(span))
            | (Self::Json(builder) | Self::Any(builder), Value::List(span) | Value::Object(span)) => {
                match texts.text(span) {
                    Some(text) => builder.append_value(text),
                    None => builder.append_value(String::from_utf8_lossy(texts.bytes(span))),
                }
            }
            (Self::Any(builder), value) => {
                let mut text = Vec::new();
                write_plain(texts, value, &mut text);
                builder.append_value(String::from_utf8_lossy(&text));
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
        each!(self, builder => ArrayBuilder::finish(builder))
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
    pub(super) fn push(&mut self, row: usize, key: [&[u8]; 3], texts: &Texts, value: Value) {
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
