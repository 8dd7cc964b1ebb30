//! What each sink has in the end, read from where a reader would: the cluster's documents, the rows of published
//! Parquet files, lines of files, the dead letters.

use std::collections::BTreeMap;
use std::path::Path;

use arrow::array::{Array, AsArray, RecordBatch};
use bytes::Bytes;
use data_encoding::BASE64URL_NOPAD;
use memchr::memmem;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::alerts;
use super::cluster::Cluster;
use super::subject::Destination;
use super::token;
use crate::seam::sim::SimFs;

/// One event at a destination.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Row {
    /// Its id, where the destination keeps it.
    pub(super) id: Option<String>,
    /// Which data stream, partition or file.
    pub(super) place: String,
    /// Marks of the lines in it, in order; none of an alert, whose evidence shows lines that others tell of too.
    pub(super) marks: Vec<u32>,
    /// Its id, where it is an alert.
    pub(super) alert: Option<String>,
    /// A line without its line feed.
    pub(super) torn: bool,
}

/// The stream, its generation and the lane that an event id names.
pub(super) fn stream_of(id: &str) -> Option<(u64, u16, u8)> {
    let bytes = BASE64URL_NOPAD.decode(id.as_bytes()).ok()?;
    let stream = u64::from_be_bytes(bytes.get(1..9)?.try_into().ok()?);
    let generation = u16::from_be_bytes(bytes.get(9..11)?.try_into().ok()?);
    Some((stream, generation, *bytes.get(11)?))
}

/// All rows at a destination, in their order where it has one. `None` where rows go nowhere.
pub(super) fn rows(
    destination: &Destination,
    fs: &SimFs,
    cluster: &Cluster,
) -> Result<Option<Vec<Row>>, String> {
    Ok(Some(match destination {
        Destination::Nowhere => return Ok(None),
        Destination::Cluster(nodes) => cluster.rows(nodes),
        Destination::Archive(folder) => archive(fs, folder)?,
        Destination::Lines(path) => lines(fs, path),
        Destination::Output => lines(fs, Path::new(SimFs::OUTPUT)),
        // What was settled is in their state; see `alerts.rs`.
        Destination::Detectors(_) => return Ok(None),
    }))
}

fn lines(fs: &SimFs, path: &Path) -> Vec<Row> {
    // A file that nothing was written to need not be there.
    let content = fs.content(path).unwrap_or_default();
    let whole = content.split_inclusive(|byte| *byte == b'\n');
    let row = |line: &[u8]| {
        // Where an fsync failed and the process died, zeros can stand before what the next one wrote.
        let whole = memchr::memrchr(0, line).map_or(line, |at| &line[at + 1..]);
        let alert = alerts::of_document(whole);
        Row {
            id: None,
            place: path.display().to_string(),
            marks: if alert.is_some() { Vec::new() } else { token::all(line) },
            torn: !line.ends_with(b"\n"),
            alert,
        }
    };
    whole.filter(|line| !line.is_empty()).map(row).collect()
}

/// Rows of all files that readers see: not those below a folder whose name begins with `_`.
fn archive(fs: &SimFs, folder: &Path) -> Result<Vec<Row>, String> {
    let mut rows = Vec::new();
    for path in fs.files(folder) {
        let inside = path.strip_prefix(folder).unwrap_or(&path);
        let hidden = inside.components().any(|part| part.as_os_str().to_string_lossy().starts_with('_'));
        if hidden || path.extension().is_none_or(|extension| extension != "parquet") {
            continue;
        }
        let wrong = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
        let bytes = Bytes::from(fs.content(&path).map_err(|error| wrong(&error))?);
        let reader = ParquetRecordBatchReaderBuilder::try_new(bytes).map_err(|error| wrong(&error))?;
        for batch in reader.build().map_err(|error| wrong(&error))? {
            batch_rows(&batch.map_err(|error| wrong(&error))?, &inside.display().to_string(), &mut rows);
        }
    }
    Ok(rows)
}

fn batch_rows(batch: &RecordBatch, place: &str, rows: &mut Vec<Row>) {
    let ids = batch.column_by_name("event.id").and_then(|column| column.as_string_opt::<i32>());
    let texts: Vec<_> = batch.columns().iter().filter_map(|column| column.as_string_opt::<i32>()).collect();
    for at in 0..batch.num_rows() {
        let mut marks = Vec::new();
        for text in texts.iter().filter(|text| text.is_valid(at)) {
            // The same text in two columns is the same event.
            token::find_all(text.value(at).as_bytes(), &mut |mark| {
                if !marks.contains(&mark) {
                    marks.push(mark);
                }
            });
        }
        let id = ids.filter(|ids| ids.is_valid(at)).map(|ids| ids.value(at).to_owned());
        rows.push(Row { id, place: place.to_owned(), marks, ..Row::default() });
    }
}

/// How often each mark is in the dead letters, files and folders below the data folder that are named so.
pub(super) fn letters(fs: &SimFs, data_dir: &Path) -> BTreeMap<u32, u32> {
    let mut found = BTreeMap::new();
    for path in fs.files(data_dir) {
        let inside = path.strip_prefix(data_dir).unwrap_or(&path).to_string_lossy().into_owned();
        if inside.contains("dead") {
            let content = fs.content(&path).unwrap_or_default();
            // An alert that was refused tells of lines that are elsewhere.
            let of_lines =
                content.split(|byte| *byte == b'\n').filter(|line| memmem::find(line, ALERT).is_none());
            of_lines.for_each(|line| token::find_all(line, &mut |mark| *found.entry(mark).or_default() += 1));
        }
    }
    found
}

/// What is in the dead letter of an alert and in no other.
const ALERT: &[u8] = b".alerts\"";

/// Whether the dead letters hold a text.
pub(super) fn is_in_letters(fs: &SimFs, data_dir: &Path, text: &str) -> bool {
    let is_letter = |path: &Path| path.to_string_lossy().contains("dead");
    let files = fs.files(data_dir).into_iter().filter(|path| is_letter(path));
    let mut contents = files.map(|path| fs.content(&path).unwrap_or_default());
    contents.any(|content| memmem::find(&content, text.as_bytes()).is_some())
}
