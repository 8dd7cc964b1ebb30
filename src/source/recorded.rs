//! Recorded bytes as a source: read from beginning to end, framed like the source they stand for.
//!
//! For tests and replays: no discovery, no cursors, no waiting. A recording's stream is named by its path alone, so
//! that the same bytes give the same event ids every time.

use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use super::{Backlog, Notice, Progress, Source};
use crate::event::{Batch, Run, Segment, Span};
use crate::frame::{Block, FrameConfig, Framed, Framer};
use crate::limits::{BATCH_BYTES, BATCH_MESSAGES_MAX, READ_BLOCK_BYTES};
use crate::position::{Stream, StreamId};
use crate::seam::{File, FileId, FileKind, FileStat};

/// Bytes and the path under which a pipeline sees them.
pub struct Recording {
    /// The path (`log.file.path`).
    pub path: String,
    /// The bytes.
    pub file: Box<dyn File>,
    /// How many.
    pub size: u64,
}

/// Bytes in memory, as a file to read.
pub struct Bytes(pub Vec<u8>);

impl File for Bytes {
    fn read_at(&self, position: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let from = usize::try_from(position).unwrap_or(usize::MAX).min(self.0.len());
        let rest = &self.0[from..];
        let len = rest.len().min(buffer.len());
        buffer[..len].copy_from_slice(&rest[..len]);
        Ok(len)
    }

    fn append(&self, _: &[u8]) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }

    fn truncate(&self, _: u64) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }

    fn stat(&self) -> io::Result<FileStat> {
        Ok(FileStat {
            id: FileId { device: 0, inode: 0, birth_ns: 0 },
            size: self.0.len() as u64,
            modified_ns: 0,
            links: 1,
            kind: FileKind::File,
        })
    }
}

/// The source.
pub struct Recorded {
    source: Box<str>,
    config: Arc<FrameConfig>,
    waiting: std::vec::IntoIter<Recording>,
    open: Option<Open>,
    notices: Vec<Notice>,
}

struct Open {
    recording: Recording,
    stream: Arc<Stream>,
    framer: Framer,
    position: u64,
}

impl Recorded {
    /// A source with this name in the pipeline file.
    pub fn new(source: &str, config: Arc<FrameConfig>, recordings: Vec<Recording>) -> Self {
        Self {
            source: source.into(),
            config,
            waiting: recordings.into_iter(),
            open: None,
            notices: Vec::new(),
        }
    }

    fn open(&self, recording: Recording) -> Open {
        let stream = Arc::new(Stream {
            id: StreamId::from_facts(&[b"recorded", recording.path.as_bytes()]),
            generation: 0,
            source: self.source.clone(),
            path: recording.path.as_str().into(),
        });
        Open { recording, stream, framer: Framer::new(self.config.clone()), position: 0 }
    }
}

impl Open {
    /// Frames the next block into the batch. True when all is read.
    fn read(&mut self, now: Duration, batch: &mut Batch, joined: &mut Vec<u8>) -> io::Result<bool> {
        let left = self.recording.size - self.position;
        let mut bytes = vec![0; left.min(2 * READ_BLOCK_BYTES as u64) as usize];
        let mut filled = 0;
        while filled < bytes.len() {
            match self.recording.file.read_at(self.position + filled as u64, &mut bytes[filled..])? {
                0 => break,
                more => filled += more,
            }
        }
        bytes.truncate(filled);
        let last = filled as u64 >= left || filled == 0;
        let first = batch.messages.len() as u32;
        let mut ranges = Vec::new();
        let buffer = Span::SEGMENTS + batch.segments.len() as u16;
        let file = &self.recording.file;
        let mut fetch = |range: Range<u64>, out: &mut Vec<u8>| {
            let start = out.len();
            out.resize(start + (range.end - range.start) as usize, 0);
            file.read_at(range.start, &mut out[start..]).map(drop)
        };
        let mut out = Framed { messages: &mut batch.messages, joined, ranges: &mut ranges };
        let block = Block { position: self.position, bytes: &bytes, buffer, last, now, fetch: &mut fetch };
        let consumed = self.framer.frame(block, &mut out);
        if last {
            self.framer.finish(&mut fetch, &mut out);
        }
        self.position += consumed as u64;
        batch.bytes += consumed;
        batch.segments.push(Arc::new(Segment::new(bytes)));
        batch.runs.push(Run {
            stream: self.stream.clone(),
            origin: self.framer.origin(),
            from: 0,
            messages: first..batch.messages.len() as u32,
            ranges,
            settled: None,
        });
        Ok(last)
    }
}

impl Source for Recorded {
    fn step(&mut self, now: Duration, batch: &mut Batch) -> Progress {
        let mut joined = Vec::new();
        // Segment 0 takes the joined text; it is put in place when the batch is full.
        batch.segments.push(Arc::new(Segment::new(Vec::new())));
        let progress = loop {
            if batch.bytes >= BATCH_BYTES || batch.messages.len() >= BATCH_MESSAGES_MAX {
                break Progress::More;
            }
            let Some(open) = &mut self.open else {
                match self.waiting.next() {
                    Some(recording) => self.open = Some(self.open(recording)),
                    None => break Progress::End,
                }
                continue;
            };
            match open.read(now, batch, &mut joined) {
                Ok(false) => {}
                Ok(true) => self.open = None,
                Err(error) => {
                    let warning = format!("cannot read {}: {error}", open.stream.path);
                    self.notices.push(Notice::Warning(warning));
                    self.open = None;
                }
            }
        };
        batch.segments[0] = Arc::new(Segment::new(joined));
        progress
    }

    fn settled(&mut self, _: &Stream, _: u64) {}

    fn finish(&mut self) {}

    fn notices(&mut self) -> Vec<Notice> {
        std::mem::take(&mut self.notices)
    }

    fn backlog(&self) -> Backlog {
        let open = self.open.as_ref().map(|open| open.recording.size - open.position);
        let waiting = self.waiting.as_slice();
        Backlog {
            streams: waiting.len() + usize::from(open.is_some()),
            open: usize::from(open.is_some()),
            unread_bytes: open.unwrap_or(0) + waiting.iter().map(|recording| recording.size).sum::<u64>(),
            padding_bytes: 0,
        }
    }
}
