//! Standard input as a source: one stream for each run of the process.
//!
//! In: bytes of a pipe, a terminal or a redirected file, read when they are ready. Out: batches. It ends at the end
//! of input. What it gives cannot be read again, so the bytes of open messages are kept here, up to
//! [`BUDGET_JOINS_BYTES`].

use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::spooled::Held;
use super::{Backlog, Notice, Progress, Source, SourceKind, SourcePlan, World};
use crate::event::{Batch, Options, Run, Segment, Span};
use crate::frame::{self, Block, FrameConfig, Framed, Framer};
use crate::limits::{
    BATCH_BYTES, BATCH_MESSAGES_MAX, BATCH_SEGMENTS_MAX, BUDGET_JOINS_BYTES, READ_BLOCK_BYTES,
};
use crate::position::{Resume, Stream, StreamId};
use crate::signature::Signature;

/// How long a step may be put off while nothing is ready and nothing is open: the descriptor wakes it up before.
const IDLE: Duration = Duration::from_secs(3600);

static SIGNATURE: Signature = Signature {
    name: "stdin",
    summary: "Reads standard input to its end.",
    doc: "`journalctl -f | aludel run site.aludel` with `source piped = stdin`. Its path is `<stdin>`, and the stream has a new name \
          for each run of the process. A pipe cannot be read again: what was read and not yet settled when the \
          process is killed is lost; SIGTERM hands it on first.",
    form: "stdin { … }",
    options: frame::OPTIONS,
    examples: &[],
};

/// The `stdin` source, for the catalog.
pub const KIND: SourceKind = SourceKind { signature: &SIGNATURE, plan };

struct Plan {
    name: String,
    config: Arc<FrameConfig>,
}

fn plan(name: &str, options: &Options) -> Result<Box<dyn SourcePlan>, String> {
    if !options.arguments.is_empty() {
        return Err("`stdin` takes no path; to read a file, write files \"PATH\"".into());
    }
    Ok(Box::new(Plan { name: name.into(), config: Arc::new(FrameConfig::from_options(options)?) }))
}

impl SourcePlan for Plan {
    fn open(&self, world: World, _: Arc<dyn Resume>) -> Result<Box<dyn Source>, String> {
        let input = std::io::stdin().as_fd().try_clone_to_owned();
        let input = input.map_err(|error| format!("cannot open standard input: {error}"))?;
        Ok(Box::new(Stdin::new(&self.name, self.config.clone(), input.into(), &world)))
    }

    fn place(&self) -> String {
        "standard input".into()
    }
}

/// The source as it runs. Public so that it can be given another descriptor.
pub struct Stdin {
    input: File,
    stream: Arc<Stream>,
    framer: Framer,
    /// Position of the first byte that the framer has not taken.
    position: u64,
    /// Bytes from there on.
    rest: Vec<u8>,
    held: Held,
    notices: Vec<Notice>,
    ended: bool,
}

impl Stdin {
    /// Reads from `input`. The host, the source's name and the time of its start name the stream.
    pub fn new(name: &str, config: Arc<FrameConfig>, input: File, world: &World) -> Self {
        let run = world.clock.now_unix_ns().to_be_bytes();
        let stream = Stream {
            id: StreamId::from_facts(&[b"stdin", &world.host, name.as_bytes(), &run]),
            generation: 0,
            source: name.into(),
            path: "<stdin>".into(),
        };
        Self {
            input,
            stream: Arc::new(stream),
            framer: Framer::new(config),
            position: 0,
            rest: Vec::new(),
            held: Held::default(),
            notices: Vec::new(),
            ended: false,
        }
    }

    /// Whether a read would not block.
    fn is_ready(&self) -> bool {
        let mut fds = [PollFd::new(&self.input, PollFlags::IN)];
        // An error is told by the read.
        poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).is_ok_and(|ready| ready > 0)
    }

    /// What is there: `None` where nothing is, empty at the end.
    fn read(&mut self) -> Option<Vec<u8>> {
        if !self.is_ready() {
            return None;
        }
        let mut bytes = std::mem::take(&mut self.rest);
        let old = bytes.len();
        bytes.resize(old + READ_BLOCK_BYTES, 0);
        let read = loop {
            match rustix::io::read(&self.input, &mut bytes[old..]) {
                Err(rustix::io::Errno::INTR) => {}
                result => break result,
            }
        };
        match read {
            Ok(read) => {
                self.ended = read == 0;
                bytes.truncate(old + read);
            }
            Err(rustix::io::Errno::AGAIN) => {
                bytes.truncate(old);
                self.rest = bytes;
                return None;
            }
            Err(error) => {
                self.notices.push(Notice::Warning(format!("cannot read standard input: {error}")));
                self.ended = true;
                bytes.truncate(old);
            }
        }
        Some(bytes)
    }

    /// Frames bytes that begin at `self.position`, or lets go what is due where there are none.
    fn frame(&mut self, now: Duration, bytes: Vec<u8>, batch: &mut Batch, joined: &mut Vec<u8>) {
        let first = batch.messages.len() as u32;
        let mut ranges = Vec::new();
        let buffer = Span::SEGMENTS + batch.segments.len() as u16;
        let held = &self.held;
        let mut fetch = |range, out: &mut Vec<u8>| held.read(&range, out);
        let mut out = Framed { messages: &mut batch.messages, joined, ranges: &mut ranges };
        let start = self.position;
        let block =
            Block { position: start, bytes: &bytes, buffer, last: self.ended, now, fetch: &mut fetch };
        let taken = self.framer.frame(block, &mut out);
        let (front, rest) = bytes.split_at(taken);
        self.rest = rest.to_vec();
        self.position += taken as u64;
        self.held.add(start, front, self.framer.held_start());
        let held = &self.held;
        let mut fetch = |range, out: &mut Vec<u8>| held.read(&range, out);
        if self.ended || self.held.len() > BUDGET_JOINS_BYTES {
            self.framer.finish(&mut fetch, &mut out);
        } else {
            self.framer.expire(now, &mut fetch, &mut out);
        }
        self.held.keep_from(self.framer.held_start());
        let mut segment = bytes;
        segment.truncate(taken);
        batch.segments.push(Arc::new(Segment::new(segment)));
        self.push_run(first, ranges, batch);
    }

    fn push_run(&mut self, first: u32, mut ranges: Vec<std::ops::Range<u64>>, batch: &mut Batch) {
        let messages = first..batch.messages.len() as u32;
        batch.bytes += ranges.iter().map(|range| (range.end - range.start) as usize).sum::<usize>();
        ranges.sort_by_key(|range| range.start);
        for lost in self.framer.take_unreadable() {
            let cause = "it was not kept for joining";
            self.notices.push(Notice::Gap {
                stream: self.stream.clone(),
                start: lost.start,
                end: Some(lost.end),
                cause,
            });
        }
        if messages.is_empty() && ranges.is_empty() {
            return;
        }
        let (stream, origin) = (self.stream.clone(), self.framer.origin());
        batch.runs.push(Run { stream, origin, from: 0, messages, ranges, settled: None });
    }
}

impl Source for Stdin {
    fn step(&mut self, now: Duration, batch: &mut Batch) -> Progress {
        if self.ended {
            return Progress::End;
        }
        // Segment 0 is the joined text of the batch, which may hold some from an earlier step.
        let mut joined = match batch.segments.first() {
            Some(first) => first.bytes().to_vec(),
            None => Vec::new(),
        };
        if batch.segments.is_empty() {
            batch.segments.push(Arc::new(Segment::new(Vec::new())));
        }
        let before = joined.len();
        let progress = loop {
            let full = batch.bytes >= BATCH_BYTES || batch.messages.len() >= BATCH_MESSAGES_MAX;
            if full || batch.segments.len() >= BATCH_SEGMENTS_MAX {
                break Progress::More;
            }
            match self.read() {
                Some(bytes) => self.frame(now, bytes, batch, &mut joined),
                None if self.framer.deadline().is_some_and(|due| due <= now) => {
                    let rest = std::mem::take(&mut self.rest);
                    self.frame(now, rest, batch, &mut joined);
                }
                None => break Progress::Wait(self.framer.deadline().unwrap_or(now + IDLE)),
            }
            if self.ended {
                break Progress::End;
            }
        };
        if joined.len() > before {
            batch.segments[0] = Arc::new(Segment::new(joined));
        }
        progress
    }

    fn settled(&mut self, _: &Stream, _: u64) {}

    /// The end of a pipe is known when it comes.
    fn finish(&mut self) {}

    fn notices(&mut self) -> Vec<Notice> {
        std::mem::take(&mut self.notices)
    }

    fn backlog(&self) -> Backlog {
        let open = usize::from(!self.ended);
        Backlog { streams: 1, open, unread_bytes: self.rest.len() as u64 }
    }

    fn wake_fd(&self) -> Option<BorrowedFd<'_>> {
        (!self.ended).then(|| self.input.as_fd())
    }
}
