//! Segments of a spool: files named by the position of their first record, and stretches of records in memory.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::record::{Record, trusted};
use crate::event;
use crate::seam::{FileKind, Fs};

const EXTENSION: &str = "seg";
/// A segment whose first group is not durable yet.
const NEW: &str = "segment.new";

/// The path of a segment.
pub(super) fn path(folder: &Path, first: u64) -> PathBuf {
    folder.join(format!("{first:020}.{EXTENSION}"))
}

/// Where a segment is written before it has its name.
pub(super) fn new_path(folder: &Path) -> PathBuf {
    folder.join(NEW)
}

/// A segment that is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentInfo {
    /// Position of its first record.
    pub first: u64,
    /// Bytes on disk.
    pub size: u64,
}

/// The segments in a folder, in order.
pub fn list(fs: &dyn Fs, folder: &Path) -> io::Result<Vec<SegmentInfo>> {
    let mut found = Vec::new();
    for (path, kind) in fs.list(folder)? {
        let first = path.file_name().and_then(|name| name.to_str()).and_then(first_of);
        if let (FileKind::File, Some(first)) = (kind, first) {
            match fs.stat(&path) {
                Ok(stat) => found.push(SegmentInfo { first, size: stat.size }),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
    }
    found.sort_unstable_by_key(|segment| segment.first);
    Ok(found)
}

fn first_of(name: &str) -> Option<u64> {
    name.strip_suffix(EXTENSION)?.strip_suffix('.')?.parse().ok()
}

/// Whole records in memory, to be walked over.
#[derive(Clone, Debug)]
pub struct Chunk {
    segment: Arc<event::Segment>,
    at: usize,
}

impl Chunk {
    /// Bytes that hold whole records from `at` on, all of them looked at before.
    pub(super) fn new(bytes: Vec<u8>, at: usize) -> Self {
        Self { segment: Arc::new(event::Segment::new(bytes)), at }
    }

    /// The bytes that payloads stand in.
    pub fn segment(&self) -> &Arc<event::Segment> {
        &self.segment
    }

    /// Where the next record begins.
    pub fn at(&self) -> usize {
        self.at
    }

    /// Bytes in memory.
    pub fn len(&self) -> usize {
        self.segment.bytes().len()
    }

    /// Whether all records have been taken.
    pub fn is_empty(&self) -> bool {
        self.at >= self.segment.bytes().len()
    }

    /// The next record.
    pub fn peek(&self) -> Option<Record<'_>> {
        trusted(self.segment.bytes().get(self.at..)?)
    }

    /// Goes on to the one after it.
    pub fn advance(&mut self) {
        self.at = self.peek().map_or(usize::MAX, |record| self.at + record.frame_bytes);
    }
}
