//! Rows → columns, on a worker: one set of columns per batch, cut into partitions at its end.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, UInt32Array};
use arrow::compute::take_record_batch;

use super::column::{Column, Rest, ids};
use super::partition::{Partitions, fits};
use super::schema::{Place, Plan};
use crate::event::{Row, Slot};
use crate::limits::PARQUET_BATCH_TEXT_BYTES_MAX;
use crate::position::EVENT_ID_LEN;
use crate::sink::{Body, Columns, Encoder, EventRef, Payload, Provenance};

pub(super) struct ColumnEncoder {
    plan: Plan,
    columns: Vec<Column>,
    rest: Rest,
    ids: String,
    partitions: Partitions,
    /// Which rows are of which partition, as stretches of neighbours.
    stretches: Vec<(u32, Range<u32>)>,
    /// Partitions share no buffers, since the sink may keep them for long.
    apart: bool,
    rows: usize,
    text_bytes: usize,
}

impl ColumnEncoder {
    pub(super) fn new(plan: Plan, apart: bool) -> Self {
        Self {
            columns: plan.kinds.iter().map(|kind| Column::new(*kind)).collect(),
            partitions: Partitions::new(plan.keys.clone()),
            plan,
            rest: Rest::default(),
            ids: String::new(),
            stretches: Vec::new(),
            apart,
            rows: 0,
            text_bytes: 0,
        }
    }

    #[inline]
    fn push_named(&mut self, row: &Row) {
        let end = row.layout().len() as Slot;
        let mut from = 0;
        while let Some(slot) = row.present().next(from, end) {
            from = slot + 1;
            let Some(value) = row.get(slot) else { continue };
            let placed = match self.plan.places.get(slot as usize) {
                Some(Place::Column(column)) => {
                    self.columns[*column as usize].push(self.rows, &row.texts, value)
                }
                Some(Place::Folder) => fits(row, value),
                _ => false,
            };
            if !placed {
                let key = row.layout().path(slot).as_bytes();
                self.rest.push(self.rows, [key, b"", b""], &row.texts, value);
            }
        }
    }

    fn push_rest(&mut self, row: &Row) {
        for entry in row.rest() {
            let parent = row.layout().path(entry.parent).as_bytes();
            let dot: &[u8] = if parent.is_empty() { b"" } else { b"." };
            let key = [parent, dot, row.texts.bytes(entry.key)];
            self.rest.push(self.rows, key, &row.texts, entry.value);
        }
    }

    /// The columns by partition, and the memory that they hold, in bytes.
    fn columns(&mut self) -> Result<(Vec<Columns>, usize), String> {
        let rows = std::mem::take(&mut self.rows);
        self.text_bytes = 0;
        let mut arrays: Vec<ArrayRef> = self.columns.iter_mut().map(|column| column.finish(rows)).collect();
        arrays.push(ids(&mut self.ids, EVENT_ID_LEN, rows)?);
        arrays.push(self.rest.finish(rows)?);
        let all = RecordBatch::try_new(Arc::clone(&self.plan.schema), arrays);
        let all = all.map_err(|error| error.to_string())?;
        let stretches = std::mem::take(&mut self.stretches);
        let paths = self.partitions.take();
        let mut of: Vec<Vec<Range<u32>>> = vec![Vec::new(); paths.len()];
        for (partition, rows) in stretches {
            of[partition as usize].push(rows);
        }
        let mut bytes = all.get_array_memory_size();
        let mut cut = |ranges: &[Range<u32>]| match ranges {
            [range] if range.len() == rows => Ok(all.clone()),
            [range] if !self.apart => Ok(all.slice(range.start as usize, range.len())),
            _ => {
                let indices: UInt32Array = ranges.iter().cloned().flatten().collect::<Vec<u32>>().into();
                let taken = take_record_batch(&all, &indices).map_err(|error| error.to_string())?;
                bytes += taken.get_array_memory_size();
                Ok::<_, String>(taken)
            }
        };
        let mut columns = Vec::with_capacity(paths.len());
        for (partition, of) in paths.into_iter().zip(of) {
            columns.push(Columns { partition, rows: cut(&of)? });
        }
        Ok((columns, bytes))
    }
}

impl Encoder for ColumnEncoder {
    fn push(&mut self, row: &mut Row, event: EventRef<'_>) -> Result<(), String> {
        // Counted before anything is pushed, since a row cannot be taken back. A row's text is its message at
        // least once, and what was derived; 4 covers original, message, fields and their escaping.
        let text = 4 * (event.message.text.len as usize + row.texts.derived_bytes());
        if self.text_bytes + text > PARQUET_BATCH_TEXT_BYTES_MAX {
            return Err("the batch has more text than a column can hold".to_owned());
        }
        self.text_bytes += text;
        let partition = self.partitions.of(row);
        let at = self.rows as u32;
        match self.stretches.last_mut() {
            Some((last, rows)) if *last == partition => rows.end = at + 1,
            _ => self.stretches.push((partition, at..at + 1)),
        }
        self.push_named(row);
        if !row.rest().is_empty() {
            self.push_rest(row);
        }
        self.ids.push_str(std::str::from_utf8(&event.id()).unwrap_or(""));
        self.rows += 1;
        Ok(())
    }

    fn finish(&mut self, provenance: &Arc<Provenance>) -> Vec<Body> {
        let rows = self.rows as u32;
        if rows == 0 {
            return Vec::new();
        }
        // The arrays are built to the schema's measure, so that this cannot fail; were it to, losing the batch
        // in silence would be worse than stopping.
        let (columns, bytes) = self.columns().expect("columns fit the schema that they were made from");
        vec![Body {
            provenance: Arc::clone(provenance),
            payload: Payload::Columns(columns),
            row_ends: Vec::new(),
            rows,
            bytes,
        }]
    }
}
