//! Sources: read streams, frame them, and hand on batches. State machines that are stepped on a thread of their own.

pub mod bulk;
pub mod container;
pub mod envelope;
pub mod files;
pub mod http;
pub mod journald;
pub mod kafka;
pub mod listener;
pub mod own;
pub mod recorded;
pub mod replayed;
pub mod spooled;
pub mod stdin;
pub mod syslog;

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use crate::event::{Batch, Options};
use crate::position::{Resume, Stream};
use crate::seam::{Clock, Fs};
use crate::signature::Signature;

/// What became of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Something was read and there may be more: step again at once.
    More,
    /// Nothing to do before this monotonic time, or until the source's own wake-up.
    Wait(Duration),
    /// Everything that was there when [`Source::finish`] was called has been read.
    End,
}

/// The outside world, for a source.
#[derive(Clone)]
pub struct World {
    /// Files.
    pub fs: Arc<dyn Fs>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Folder for the source's own durable records (identities).
    pub data_dir: std::path::PathBuf,
    /// Facts that tell this host's streams from others' (the data folder's own random id).
    pub host: Arc<[u8]>,
}

/// Something that happened to a stream, for the ledger.
#[derive(Clone, Debug)]
pub enum Notice {
    /// Bytes that can never be read: the file was cut or removed before they were.
    Gap {
        /// The stream.
        stream: Arc<Stream>,
        /// First byte that is lost.
        start: u64,
        /// One past the last byte, or `None` where only the start is known.
        end: Option<u64>,
        /// Why, such as `copytruncate before it was read`.
        cause: &'static str,
    },
    /// Something a person should know; said once.
    Warning(String),
}

/// A source as it runs.
pub trait Source: Send {
    /// Reads and frames until `batch` is full or nothing more is there. Never blocks on anything but the disk.
    fn step(&mut self, now: Duration, batch: &mut Batch) -> Progress;
    /// All required sinks have settled this stream below `position` (its low mark): descriptors may be closed.
    fn settled(&mut self, stream: &Stream, position: u64);
    /// From now on, end when all that is there has been read (`--once`).
    fn finish(&mut self);
    /// What happened since the last call.
    fn notices(&mut self) -> Vec<Notice>;
    /// Streams that were read to their end, are settled, and will never come back (the file is gone): what is kept
    /// about them may be forgotten.
    fn forgotten(&mut self) -> Vec<Arc<Stream>> {
        Vec::new()
    }
    /// The pipeline takes nothing for now: takes in what must not wait for it (what peers send is spooled), and says
    /// when to be asked again. `None` where nothing waits.
    fn absorb(&mut self, _now: Duration) -> Option<Duration> {
        None
    }
    /// Whether what was handed on can be read again while this source goes on.
    fn reads_again(&self) -> bool {
        false
    }
    /// A source of its own that reads again what `resume` does not know as settled for `sink`, up to what was handed
    /// on by now, and then ends: a sink that was away catches up with it. `None` where there is nothing to read.
    fn catch_up(&mut self, _sink: usize, _resume: &dyn Resume) -> Option<Box<dyn Source>> {
        None
    }
    /// The bytes of a stream as they were read, for a dead letter: exactly this range, which is not settled yet.
    /// `None` where they are gone.
    fn original(&mut self, _stream: &Stream, _range: Range<u64>) -> Option<Vec<u8>> {
        None
    }
    /// Called again and again while rows settle once nothing more is read, and once more when all have: a source whose
    /// peer must hear of what has settled tells it here.
    fn leave(&mut self, _now: Duration) {}
    /// Known streams and bytes not yet read, for the summary.
    fn backlog(&self) -> Backlog;
    /// A descriptor that becomes readable when the source should be stepped (inotify), if it has one.
    fn wake_fd(&self) -> Option<std::os::fd::BorrowedFd<'_>> {
        None
    }
}

/// How far a source is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backlog {
    /// Streams known.
    pub streams: usize,
    /// Descriptors open.
    pub open: usize,
    /// Bytes seen in files and not yet read.
    pub unread_bytes: u64,
    /// NUL bytes before lines that were skipped since the source was opened.
    pub padding_bytes: u64,
}

/// A source that was checked and can be opened.
pub trait SourcePlan: Send + Sync {
    /// Opens it.
    fn open(&self, world: World, resume: Arc<dyn Resume>) -> Result<Box<dyn Source>, String>;
    /// One line for people: what it reads.
    fn place(&self) -> String;
    /// Which of the records that aludel itself writes it reads, if it reads such.
    fn own(&self) -> Option<Own> {
        None
    }
}

/// Records that aludel itself writes, and a source can read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Own {
    /// Dead letters.
    Letters,
    /// Gap records.
    Gaps,
    /// Alerts.
    Alerts,
}

/// Makes a plan of a source from its name in the file and its options.
pub type MakeSource = fn(name: &str, options: &Options) -> Result<Box<dyn SourcePlan>, String>;

/// A kind of source, as the catalog lists it.
#[derive(Clone, Copy)]
pub struct SourceKind {
    /// What it says of itself.
    pub signature: &'static Signature,
    /// Checks options that the signature cannot (globs, patterns).
    pub plan: MakeSource,
}
