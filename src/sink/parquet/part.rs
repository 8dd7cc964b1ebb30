//! One open Parquet file of an epoch: rows in, bytes aside on the disk.
//!
//! The Parquet writer does not survive an error of its output, so its output never fails: bytes that the disk
//! would not take stay in memory, and [`PartFile::drain`] says so. The sink then takes no more rows until they are
//! out.

use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{RecordBatch, TimestampMicrosecondArray, TimestampNanosecondArray};
use arrow::compute::{
    SortColumn, SortOptions, concat_batches, lexsort_to_indices, max, min, take_record_batch,
};
use crc32fast::Hasher;
use parquet::arrow::ArrowWriter;
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;

use super::properties::properties;
use super::settings::Settings;
use crate::limits::PARQUET_WRITE_BYTES;
use crate::seam::{File, Fs};

/// Output that does not fail.
struct Output {
    file: Box<dyn File>,
    pending: Vec<u8>,
    written: u64,
    /// The file may hold bytes past `written`.
    dirty: bool,
    failed: bool,
    /// A sync failed.
    unsynced: bool,
    /// Of what is written.
    checksum: Hasher,
}

impl Output {
    fn new(file: Box<dyn File>) -> Self {
        Self {
            file,
            pending: Vec::new(),
            written: 0,
            checksum: Hasher::new(),
            dirty: false,
            failed: false,
            unsynced: false,
        }
    }

    fn drain(&mut self) -> io::Result<()> {
        if self.dirty {
            self.file.truncate(self.written)?;
            self.dirty = false;
        }
        if !self.pending.is_empty() {
            self.dirty = true;
            self.file.append(&self.pending)?;
            self.dirty = false;
            self.written += self.pending.len() as u64;
            self.checksum.update(&self.pending);
            self.pending.clear();
            self.pending.shrink_to(2 * PARQUET_WRITE_BYTES);
        }
        self.failed = false;
        Ok(())
    }

    /// Copies what can be read back to a new file, and takes that one from here on, if nothing is missing.
    fn write_again(&mut self, fs: &dyn Fs, path: &mut PathBuf) -> io::Result<()> {
        let mut again = path.clone();
        again.as_mut_os_string().push("-again");
        let file = fs.open_append(&again)?;
        file.truncate(0)?;
        let mut buffer = vec![0; PARQUET_WRITE_BYTES];
        let (mut at, mut checksum) = (0, Hasher::new());
        while at < self.written {
            let read = self.file.read_at(at, &mut buffer)?;
            let bytes = buffer.get(..read).filter(|bytes| !bytes.is_empty()).ok_or_else(lost)?;
            file.append(bytes)?;
            checksum.update(bytes);
            at += read as u64;
        }
        if checksum.finalize() != self.checksum.clone().finalize() {
            return Err(lost());
        }
        self.file = file;
        *path = again;
        Ok(())
    }
}

fn lost() -> io::Error {
    io::Error::other("the disk lost bytes that were written; a restart writes the rows again")
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.pending.extend_from_slice(bytes);
        if self.pending.len() >= PARQUET_WRITE_BYTES && !self.failed {
            self.failed = self.drain().is_err();
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Where a file is, and where it goes.
#[derive(Clone, Debug)]
pub(super) struct Names {
    /// Number in its epoch.
    pub(super) number: u64,
    /// Aside, where no reader looks.
    pub(super) aside: PathBuf,
    /// For readers, from the archive on: `date=2026-11-23/part-….parquet`.
    pub(super) published: String,
}

/// An open file.
pub(super) struct PartFile {
    names: Names,
    writer: ArrowWriter<Output>,
    sort: Vec<(usize, SortOptions)>,
    timestamp: Option<usize>,
    times: Option<(i64, i64)>,
    unsorted: Vec<RecordBatch>,
    unsorted_bytes: usize,
    unsorted_rows: usize,
    group_rows: usize,
    rows: u64,
    /// When rows last came.
    pub(super) used: Duration,
}

impl PartFile {
    pub(super) fn new(
        file: Box<dyn File>,
        names: Names,
        rows: &RecordBatch,
        settings: &Settings,
    ) -> Result<Self, ParquetError> {
        let schema = rows.schema();
        let sort = settings.sort_by.iter().filter_map(|path| schema.index_of(path).ok());
        let options = SortOptions { descending: false, nulls_first: false };
        let output = Output::new(file);
        Ok(Self {
            names,
            sort: sort.map(|column| (column, options)).collect(),
            timestamp: schema.index_of("@timestamp").ok(),
            writer: ArrowWriter::try_new(output, Arc::clone(&schema), Some(properties(&schema, settings)?))?,
            times: None,
            unsorted: Vec::new(),
            unsorted_bytes: 0,
            unsorted_rows: 0,
            group_rows: settings.row_group_rows,
            rows: 0,
            used: Duration::ZERO,
        })
    }

    /// Takes rows.
    pub(super) fn write(&mut self, rows: &RecordBatch) -> Result<(), ParquetError> {
        self.rows += rows.num_rows() as u64;
        if let Some((low, high)) = self.timestamp.and_then(|column| times(rows, column)) {
            let (least, most) = self.times.unwrap_or((low, high));
            self.times = Some((least.min(low), most.max(high)));
        }
        if self.sort.is_empty() {
            return self.writer.write(rows);
        }
        self.unsorted_bytes += rows.get_array_memory_size();
        self.unsorted_rows += rows.num_rows();
        self.unsorted.push(rows.clone());
        if self.unsorted_rows >= self.group_rows { self.end_group() } else { Ok(()) }
    }

    /// Ends the row group, so that it is no longer in memory.
    pub(super) fn end_group(&mut self) -> Result<(), ParquetError> {
        if let Some(first) = self.unsorted.first() {
            let all = concat_batches(&first.schema(), &self.unsorted)?;
            self.unsorted = Vec::new();
            self.unsorted_rows = 0;
            self.unsorted_bytes = 0;
            let columns: Vec<_> = self
                .sort
                .iter()
                .map(|(column, options)| SortColumn {
                    values: Arc::clone(all.column(*column)),
                    options: Some(*options),
                })
                .collect();
            let indices = lexsort_to_indices(&columns, None)?;
            self.writer.write(&take_record_batch(&all, &indices)?)?;
        }
        self.writer.flush()
    }

    /// Memory held, in bytes.
    pub(super) fn memory_bytes(&self) -> usize {
        // Sorting needs the rows twice.
        self.writer.memory_size() + 2 * self.unsorted_bytes + self.writer.inner().pending.capacity()
    }

    /// Size of the file if it were closed now, in bytes, about.
    pub(super) fn size_bytes(&self) -> u64 {
        (self.writer.bytes_written() + self.writer.in_progress_size() + self.unsorted_bytes / 4) as u64
    }

    /// Rows taken.
    pub(super) fn rows(&self) -> u64 {
        self.rows
    }

    /// Where it is and goes.
    pub(super) fn names(&self) -> &Names {
        &self.names
    }

    /// Bytes that are in the file aside and stay as they are.
    pub(super) fn written_bytes(&self) -> u64 {
        self.writer.inner().written
    }

    /// Puts bytes out that the disk would not take before.
    pub(super) fn drain(&mut self) -> io::Result<()> {
        if self.writer.inner().failed { self.writer.inner_mut().drain() } else { Ok(()) }
    }

    /// Writes the footer. No rows after this.
    pub(super) fn close(mut self) -> Result<ClosedFile, ParquetError> {
        self.end_group()?;
        if let Some((low, high)) = self.times {
            for (key, value) in [("aludel.timestamp.min", low), ("aludel.timestamp.max", high)] {
                self.writer.append_key_value_metadata(KeyValue::new(key.to_owned(), value.to_string()));
            }
        }
        let output = self.writer.into_inner()?;
        Ok(ClosedFile { names: self.names, rows: self.rows, output: Some(output), bytes: 0 })
    }
}

/// Least and greatest value of a column of time stamps, in its unit.
fn times(rows: &RecordBatch, column: usize) -> Option<(i64, i64)> {
    let column = rows.column(column).as_any();
    if let Some(micros) = column.downcast_ref::<TimestampMicrosecondArray>() {
        return min(micros).zip(max(micros));
    }
    let nanos = column.downcast_ref::<TimestampNanosecondArray>()?;
    min(nanos).zip(max(nanos))
}

/// A file whose rows and footer are written.
pub(super) struct ClosedFile {
    pub(super) names: Names,
    pub(super) rows: u64,
    /// Size; known once it is out.
    pub(super) bytes: u64,
    output: Option<Output>,
}

impl ClosedFile {
    /// Memory held, in bytes.
    pub(super) fn memory_bytes(&self) -> usize {
        self.output.as_ref().map_or(0, |output| output.pending.capacity())
    }

    /// Whether the whole of it is on the disk.
    pub(super) fn is_out(&self) -> bool {
        self.output.is_none()
    }

    /// Bytes that are in the file aside and stay as they are.
    pub(super) fn written_bytes(&self) -> u64 {
        self.output.as_ref().map_or(self.bytes, |output| output.written)
    }

    /// Puts all bytes out, durably where asked for, and lets go of the file. Can be called again after an error.
    pub(super) fn put_out(&mut self, fs: &dyn Fs, durably: bool) -> io::Result<()> {
        let Some(output) = &mut self.output else { return Ok(()) };
        output.drain()?;
        if durably {
            self.sync(fs)?;
        }
        self.bytes = self.written_bytes();
        self.output = None;
        Ok(())
    }

    fn sync(&mut self, fs: &dyn Fs) -> io::Result<()> {
        let Some(output) = &mut self.output else { return Ok(()) };
        if output.unsynced {
            output.write_again(fs, &mut self.names.aside)?;
        }
        // After a failed sync nobody knows what the kernel dropped, and the next sync may say that all is well.
        output.unsynced = true;
        output.file.sync()
    }
}
