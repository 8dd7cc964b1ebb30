//! `file`: appends events to one local file, in order.
//!
//! A row is settled when it is synced, and bodies are synced in groups. Whatever fails (disk full, I/O error), the
//! file is cut back to its last synced size, and the bodies since then are kept and written again: after a failed
//! `fsync` nobody knows which pages the kernel dropped. After a crash a torn last line is cut away, since its row
//! was not settled and comes again.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use std::{io, mem};

use super::lines::{Form, Lines};
use super::reorder::Reorder;
use super::{Body, Encoder, Next, OpenError, Payload, Settled, Shape, Sink, SinkKind, SinkPlan, World};
use crate::event::Options;
use crate::limits::{FILE_SYNC_BYTES, FILE_SYNC_LINGER, MESSAGE_BYTES_MAX};
use crate::position::CursorRecord;
use crate::seam::{File, Fs};
use crate::signature::{OptionSpec, OptionType, Signature};

/// How long to wait before another try after a failure.
const RETRY: Duration = Duration::from_secs(1);

/// Bytes at the end of an old file that are searched for its last whole line. A JSON line can be six times as
/// long as its text.
const TAIL_BYTES_MAX: u64 = 8 * MESSAGE_BYTES_MAX as u64;

/// As the catalog lists it.
pub const KIND: SinkKind = SinkKind {
    signature: &Signature {
        name: "file",
        summary: "appends events to a local file",
        doc: "One event a line, in the order in which they were read. `ndjson` writes the whole event as a JSON \
              object, `text` its message as it is. The file is synced before rows count as delivered; when the \
              disk is full, rows wait. After a crash the rows since the last sync are written again.",
        form: "file \"out.ndjson\" { format = ndjson }",
        options: &[OptionSpec {
            name: "format",
            ty: OptionType::Word(&["ndjson", "text"]),
            default: Some("ndjson"),
            doc: "what a line holds: the event as JSON, or only its message",
        }],
        examples: &[],
    },
    plan,
};

fn plan(_: &str, options: &Options) -> Result<Box<dyn SinkPlan>, String> {
    let path = match options.arguments.as_slice() {
        [path] if !path.is_empty() => PathBuf::from(path),
        _ => return Err("a file sink takes one path: `file \"out.ndjson\"`".to_owned()),
    };
    let form = if options.text("format") == Some("text") { Form::Text } else { Form::Ndjson };
    Ok(Box::new(Plan { path, form }))
}

struct Plan {
    path: PathBuf,
    form: Form,
}

impl SinkPlan for Plan {
    fn encoder(&self, shape: &Shape) -> Result<Box<dyn Encoder>, String> {
        Ok(Box::new(Lines::new(Some(self.form), shape)))
    }

    fn open(&self, world: World) -> Result<(Box<dyn Sink>, Vec<CursorRecord>), OpenError> {
        let sink = FileSink::open(world.fs, &self.path, self.form == Form::Ndjson)
            .map_err(|error| format!("cannot open {}: {error}", self.path.display()))?;
        Ok((Box::new(sink), Vec::new()))
    }

    fn ordered(&self) -> bool {
        true
    }

    fn guarantee(&self) -> &'static str {
        "in order; at least once: a crash repeats the rows since the last sync"
    }

    fn place(&self) -> String {
        self.path.display().to_string()
    }
}

struct FileSink {
    path: PathBuf,
    file: Box<dyn File>,
    window: Reorder,
    /// Bodies to write, in order: those that are in the file but not synced, then those that are not.
    bodies: std::collections::VecDeque<Body>,
    /// How many of them are in the file.
    written: usize,
    /// Bytes of those.
    unsynced: usize,
    /// Size of the file that is durable.
    synced_size: u64,
    /// When the first of the written bodies came.
    since: Duration,
    /// The file may hold bytes past what is counted, after a failure.
    dirty: bool,
    retry_at: Duration,
    trouble: Option<String>,
    closed: bool,
}

impl FileSink {
    fn open(fs: Arc<dyn Fs>, path: &Path, json: bool) -> io::Result<Self> {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        if let Some(folder) = folder {
            fs.make_folder(folder)?;
        }
        let file = fs.open_append(path)?;
        mend_tail(&*file, json)?;
        file.sync()?;
        fs.sync_folder(folder.unwrap_or(Path::new(".")))?;
        Ok(Self {
            path: path.to_owned(),
            synced_size: file.stat()?.size,
            file,
            window: Reorder::default(),
            bodies: Default::default(),
            written: 0,
            unsynced: 0,
            since: Duration::ZERO,
            dirty: false,
            retry_at: Duration::ZERO,
            trouble: None,
            closed: false,
        })
    }

    fn work(&mut self, now: Duration, settled: &mut Vec<Settled>) -> io::Result<()> {
        if self.dirty {
            self.file.truncate(self.synced_size)?;
            self.dirty = false;
            self.written = 0;
            self.unsynced = 0;
        }
        loop {
            while let Some(body) = self.bodies.get(self.written) {
                if self.unsynced >= FILE_SYNC_BYTES {
                    break;
                }
                if self.unsynced == 0 {
                    self.since = now;
                }
                if let Payload::Bytes(bytes) = &body.payload
                    && !bytes.is_empty()
                {
                    self.file.append(bytes)?;
                    self.unsynced += bytes.len();
                }
                self.written += 1;
            }
            let due = self.closed || self.unsynced >= FILE_SYNC_BYTES || now >= self.since + FILE_SYNC_LINGER;
            if self.unsynced > 0 && !due {
                return Ok(());
            }
            if self.unsynced > 0 {
                self.file.sync()?;
                self.synced_size += mem::take(&mut self.unsynced) as u64;
            }
            settled.extend(self.bodies.drain(..mem::take(&mut self.written)).map(Settled::whole));
            if self.bodies.is_empty() {
                return Ok(());
            }
        }
    }
}

impl Sink for FileSink {
    fn begin(&mut self, first_batch: u64) {
        self.window.begin(first_batch);
    }

    fn offer(&mut self, body: Body, _: Duration) {
        self.window.push(body);
    }

    fn step(&mut self, now: Duration, settled: &mut Vec<Settled>) -> Next {
        while let Some(body) = if self.closed { self.window.pop_any() } else { self.window.pop() } {
            self.bodies.push_back(body);
        }
        if self.trouble.is_some() && now < self.retry_at {
            return Next::At(self.retry_at);
        }
        match self.work(now, settled) {
            Ok(()) => self.trouble = None,
            Err(error) => {
                self.dirty = true;
                self.trouble = Some(format!("{}: {error}; rows wait", self.path.display()));
                self.retry_at = now + RETRY;
                return Next::At(self.retry_at);
            }
        }
        match (self.unsynced > 0, self.closed) {
            (true, _) => Next::At(self.since + FILE_SYNC_LINGER),
            (false, true) => Next::Done,
            (false, false) => Next::Idle,
        }
    }

    fn close(&mut self) {
        self.closed = true;
    }

    fn trouble(&self) -> Option<String> {
        self.trouble.clone()
    }
}

/// Sees to it that the next line does not begin behind a torn one. A torn JSON line is cut away: its row was
/// never settled. Any other last line may be somebody's text, so it is ended.
fn mend_tail(file: &dyn File, json: bool) -> io::Result<()> {
    let size = file.stat()?.size;
    let from = size.saturating_sub(TAIL_BYTES_MAX);
    let mut last = [b'\n'];
    if size == 0 || file.read_at(size - 1, &mut last)? == 0 || last == *b"\n" {
        return Ok(());
    }
    let mut tail = vec![0; (size - from) as usize];
    let mut read = 0;
    while let Some(rest) = tail.get_mut(read..).filter(|rest| !rest.is_empty()) {
        match file.read_at(from + read as u64, rest)? {
            0 => break,
            more => read += more,
        }
    }
    let line = memchr::memrchr(b'\n', &tail).map_or(0, |at| at + 1);
    let torn = &tail[line..];
    if json && torn.first() == Some(&b'{') && serde_json::from_slice::<serde::de::IgnoredAny>(torn).is_err() {
        return file.truncate(from + line as u64);
    }
    file.append(b"\n")
}
