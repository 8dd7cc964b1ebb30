//! Standard input as a source.
//!
//! In: bytes of a pipe, a terminal or a redirected file, read when they are ready and spooled. Out: batches. It ends at
//! the end of input. A pipe cannot be read again, so what was read is written to the spool before the step ends, and is
//! handed on once it is durable; what a run leaves behind is handed on by the next.

use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::spooled::{self, Framing, Inlet, Intake, Peer, Receipt, Spooled};
use super::{Progress, Source, SourceKind, SourcePlan, World};
use crate::event::Options;
use crate::frame::{self, FrameConfig};
use crate::limits::READ_BLOCK_BYTES;
use crate::position::Resume;
use crate::signature::{OptionSpec, Signature};
use crate::spool::Limit;

/// How long a step may be put off while nothing is ready: the descriptor wakes it up before.
const IDLE: Duration = Duration::from_secs(3600);

const OPTIONS: [OptionSpec; frame::OPTIONS.len() + spooled::OPTIONS.len()] =
    spooled::with_spool(frame::OPTIONS);

static SIGNATURE: Signature = Signature {
    name: "stdin",
    summary: "Reads standard input to its end.",
    doc: "`journalctl -f | aludel run site.aludel` with `source piped = stdin`. Its path is `<stdin>`.\n\n\
          A pipe cannot be read again, so what was read is kept in a spool in the data folder until every required sink \
          has settled it; a run that was killed loses nothing of it, the next one hands it on first. What still was in \
          the pipe is lost with the pipe: only its writer can send it again.",
    form: "stdin { … }",
    options: &OPTIONS,
    examples: &[],
};

/// The `stdin` source, for the catalog.
pub const KIND: SourceKind = SourceKind { signature: &SIGNATURE, plan };

struct Plan {
    name: String,
    config: Arc<FrameConfig>,
    limit: Limit,
}

fn plan(name: &str, options: &Options) -> Result<Box<dyn SourcePlan>, String> {
    if !options.arguments.is_empty() {
        return Err("`stdin` takes no path; to read a file, write files \"PATH\"".into());
    }
    let config = Arc::new(FrameConfig::from_options(options)?);
    Ok(Box::new(Plan { name: name.into(), config, limit: spooled::limit(options)? }))
}

impl SourcePlan for Plan {
    fn open(&self, world: World, resume: Arc<dyn Resume>) -> Result<Box<dyn Source>, String> {
        let input = std::io::stdin().as_fd().try_clone_to_owned();
        let input = input.map_err(|error| format!("cannot open standard input: {error}"))?;
        let intake = Stdin::new(input.into());
        let framing = Framing::Lines(self.config.clone());
        Ok(Box::new(Spooled::open(&self.name, framing, self.limit, intake, world, &*resume)?))
    }

    fn place(&self) -> String {
        "standard input".into()
    }
}

/// Reads a descriptor. Public so that it can be given another one.
pub struct Stdin {
    input: File,
    peer: Peer,
    buffer: Vec<u8>,
    /// The inlet took nothing more.
    full: bool,
    warnings: Vec<String>,
}

/// What a read gives.
enum Read {
    Bytes(usize),
    Nothing,
    End,
}

impl Stdin {
    /// Reads from `input`.
    pub fn new(input: File) -> Self {
        Self { input, peer: Peer::new("<stdin>"), buffer: Vec::new(), full: false, warnings: Vec::new() }
    }

    /// Whether a read would not block.
    fn is_ready(&self) -> bool {
        let mut fds = [PollFd::new(&self.input, PollFlags::IN)];
        // An error is told by the read.
        poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).is_ok_and(|ready| ready > 0)
    }

    fn read(&mut self, most: usize) -> Read {
        if !self.is_ready() {
            return Read::Nothing;
        }
        self.buffer.resize(READ_BLOCK_BYTES, 0);
        let buffer = self.buffer.get_mut(..most.min(READ_BLOCK_BYTES)).unwrap_or_default();
        loop {
            match rustix::io::read(&self.input, &mut *buffer) {
                Ok(0) => return Read::End,
                Ok(read) => return Read::Bytes(read),
                Err(rustix::io::Errno::INTR) => {}
                Err(rustix::io::Errno::AGAIN) => return Read::Nothing,
                Err(error) => {
                    self.warnings.push(format!("cannot read standard input: {error}"));
                    return Read::End;
                }
            }
        }
    }
}

impl Intake for Stdin {
    /// One block, so that it is written before the next one is read: between the two a kill would lose it.
    fn step(&mut self, now: Duration, _: i64, inlet: &mut Inlet<'_>) -> Progress {
        self.full = inlet.is_full();
        if self.full {
            return Progress::More;
        }
        match self.read(inlet.room()) {
            Read::Bytes(read) => {
                inlet.push(&self.peer, self.buffer.get(..read).unwrap_or_default());
                Progress::More
            }
            Read::Nothing => {
                // An idle source holds no buffer.
                self.buffer = Vec::new();
                Progress::Wait(now + IDLE)
            }
            Read::End => Progress::End,
        }
    }

    /// Nobody waits for an answer.
    fn durable(&mut self, _: Receipt) {}

    fn wake_fd(&self) -> Option<BorrowedFd<'_>> {
        (!self.full).then(|| self.input.as_fd())
    }

    fn warnings(&mut self) -> Vec<String> {
        std::mem::take(&mut self.warnings)
    }
}
