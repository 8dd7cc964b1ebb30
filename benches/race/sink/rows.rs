//! Counts the rows of Parquet files (W5) once they are written.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::clock;
use super::marker::Markers;
use super::tally::Tally;

/// Rows that are looked at together.
const BATCH_ROWS: usize = 8192;

/// Counts the rows of every `*.parquet` below a folder that is no work folder (`_…`), or of one such file.
pub(crate) fn count(path: &Path, tally: &Tally) -> io::Result<()> {
    let mut files = Vec::new();
    find(path, &mut files)?;
    for file in files {
        let opened = File::open(&file)?;
        let reader = ParquetRecordBatchReaderBuilder::try_new(opened)
            .and_then(|reader| reader.with_batch_size(BATCH_ROWS).build())
            .map_err(|error| io::Error::other(format!("{}: {error}", file.display())))?;
        for batch in reader {
            rows(&batch.map_err(io::Error::other)?, tally)?;
        }
    }
    Ok(())
}

fn find(path: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    if path.is_dir() {
        for entry in fs::read_dir(path)? {
            let entry = entry?;
            if !entry.file_name().to_string_lossy().starts_with('_') {
                find(&entry.path(), files)?;
            }
        }
    } else if name.ends_with(".parquet") {
        files.push(path.into());
    }
    Ok(())
}

/// A row's marker is in any of its text columns; all that say a number must say the same.
fn rows(batch: &RecordBatch, tally: &Tally) -> io::Result<()> {
    let texts: Vec<_> = batch
        .columns()
        .iter()
        .filter(|column| is_text(column.data_type()))
        .map(|column| cast(column, &DataType::LargeUtf8).map_err(io::Error::other))
        .collect::<io::Result<_>>()?;
    let markers = Markers::default();
    let mut row = Vec::new();
    for at in 0..batch.num_rows() {
        row.clear();
        for column in &texts {
            let column = column.as_string::<i64>();
            if column.is_valid(at) {
                row.extend_from_slice(column.value(at).as_bytes());
                row.push(b'\n');
            }
        }
        tally.document(&markers, &row, None, clock::now());
    }
    tally.report();
    Ok(())
}

fn is_text(kind: &DataType) -> bool {
    match kind {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Binary => true,
        DataType::Dictionary(_, values) => is_text(values),
        _ => false,
    }
}
