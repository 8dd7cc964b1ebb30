//! Sources that cannot be read again: what comes in is made durable in a spool first, and read from there.
//!
//! An [`Intake`] talks to peers and pushes what they send into an [`Inlet`]. [`Spooled`] drives it: it makes what was
//! pushed durable, group by group, tells the intake (which answers its peers then, and only then), and hands on what is
//! durable. The spool is one stream; `Run.stream` says in its path which peer sent a message.
//!
//! ```text
//!  peers ─▶ Intake ─▶ Inlet ─▶ group ─▶ fsync ─▶ memory or disk ─▶ frame ─▶ batch
//!             ▲                           │
//!             └──────── durable ──────────┘
//! ```

mod again;
mod feed;
mod held;
mod intake;
mod lines;
mod options;
mod output;
mod stored;

use std::ops::Range;
use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::{Backlog, Notice, Progress, Source, World};
use crate::event::Batch;
use crate::frame::FrameConfig;
use crate::limits::SPOOL_LINGER;
use crate::position::{Resume, Stream, StreamId};
use crate::spool::{Damage, Limit, Lookup, Spool, spool_folder};
use feed::Feed;
pub use intake::{Inlet, Intake, Peer, Receipt};
pub use options::{OPTIONS, limit, with_spool};
use output::Output;
pub use stored::Stored;

/// After the spool could not be written, when to try again.
const RETRY: Duration = Duration::from_secs(1);
/// How long what was read from peers may take to be spooled when the process ends.
const LAST_WAIT: Duration = Duration::from_secs(2);

/// What a spool holds.
#[derive(Clone, Debug)]
pub enum Framing {
    /// Whole messages.
    Messages,
    /// The bytes of one stream, to be cut into messages when they are read.
    Lines(Arc<FrameConfig>),
}

/// A source whose input is spooled.
pub struct Spooled<I: Intake> {
    intake: I,
    world: World,
    spool: Spool,
    feed: Feed,
    lines: bool,
    /// Number of the last push.
    pushed: u64,
    /// Number of the last push that the intake was told of.
    told: u64,
    hurry: bool,
    /// When the first record of the group was pushed.
    since: Option<Duration>,
    /// The disk does not take anything: when to try again.
    retry: Option<Duration>,
    /// The intake has ended.
    ended: bool,
    /// All sinks have settled what is below.
    low: u64,
    originals: Lookup,
    notices: Vec<Notice>,
}

impl<I: Intake> Spooled<I> {
    /// Opens the spool of a source, in its folder below the data folder.
    pub fn open(
        name: &str,
        framing: Framing,
        limit: Limit,
        intake: I,
        world: World,
        resume: &dyn Resume,
    ) -> Result<Self, String> {
        let folder = spool_folder(&world.data_dir, name);
        let start = world.clock.now_unix_ns();
        let fresh = StreamId::from_facts(&[b"spool", &world.host, name.as_bytes(), &start.to_be_bytes()]);
        let (mut spool, warnings) = Spool::open(world.fs.clone(), &folder, limit, fresh)
            .map_err(|error| format!("cannot open the spool in {}: {error}", folder.display()))?;
        let mut notices: Vec<_> = warnings.into_iter().map(Notice::Warning).collect();
        let lines = matches!(framing, Framing::Lines(_));
        let feed = Feed::open(name, framing, &mut spool, resume, &mut notices);
        if lines && !spool.is_cut() {
            // What another process read last and what this one reads first are not one line.
            spool.push_cut(start, true);
        }
        Ok(Self {
            intake,
            world,
            spool,
            feed,
            lines,
            pushed: 0,
            told: 0,
            hurry: false,
            since: None,
            retry: None,
            ended: false,
            low: 0,
            originals: Lookup::default(),
            notices,
        })
    }

    /// Lets the intake work once and makes durable what is due. Returns what the intake said.
    fn take_in(&mut self, now: Duration) -> Progress {
        let unix_ns = self.world.clock.now_unix_ns();
        if self.retry.is_some_and(|at| at <= now) {
            self.sync(now, unix_ns);
        }
        let mut progress = Progress::End;
        if !self.ended {
            let mut inlet = Inlet {
                spool: &mut self.spool,
                lines: self.lines,
                closed: self.retry.is_some(),
                unix_ns,
                pushed: &mut self.pushed,
                hurry: &mut self.hurry,
            };
            progress = self.intake.step(now, unix_ns, &mut inlet);
            self.notices.extend(self.intake.warnings().into_iter().map(Notice::Warning));
        }
        if progress == Progress::End && !self.ended {
            self.ended = true;
            if self.lines && !self.spool.is_cut() {
                self.spool.push_cut(unix_ns, true);
            }
        }
        if self.retry.is_some() || self.spool.pending() == 0 {
            return progress;
        }
        let since = *self.since.get_or_insert(now);
        let due = self.spool.room() == 0 || since + SPOOL_LINGER <= now;
        if due || (progress != Progress::More && (self.hurry || self.ended)) {
            self.sync(now, unix_ns);
        } else if let Err(error) = self.spool.write(unix_ns) {
            self.trouble(now, &error);
        }
        progress
    }

    /// Takes in what was read from peers already. Bounded: a disk that takes nothing must not keep the process.
    fn take_the_rest(&mut self) {
        let end = self.world.clock.monotonic() + LAST_WAIT;
        loop {
            let now = self.world.clock.monotonic();
            let progress = self.take_in(now);
            if self.ended || self.retry.is_some() || now >= end {
                return;
            }
            if progress != Progress::More {
                let Some(fd) = self.intake.wake_fd() else { return };
                let mut fds = [PollFd::from_borrowed_fd(fd, PollFlags::IN)];
                // An interrupted wait is a short wait.
                let _ = poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 10_000_000 }));
            }
        }
    }

    /// Makes the group durable, tells the intake, and lets it be handed on.
    fn sync(&mut self, now: Duration, unix_ns: i64) {
        match self.spool.sync(unix_ns) {
            Ok(chunk) => {
                if self.retry.take().is_some() {
                    self.notices.push(Notice::Warning(format!(
                        "source {}: the spool is written again",
                        self.feed.source()
                    )));
                }
                (self.since, self.hurry) = (None, false);
                if let Some(chunk) = chunk {
                    self.feed.offer(chunk, &self.spool);
                }
                if self.lines {
                    self.release();
                }
                if self.told < self.pushed {
                    self.told = self.pushed;
                    self.intake.durable(Receipt(self.pushed));
                }
            }
            Err(error) => self.trouble(now, &error),
        }
    }

    /// Keeps a copy of bytes that are no records: their segment goes when what is around them is settled.
    fn set_aside(&mut self, damage: &Damage) {
        let kept = self.spool.quarantine(damage);
        let said = match kept {
            Ok(path) => format!("they are kept in {}", path.display()),
            Err(error) => format!("they cannot be kept: {error}"),
        };
        self.notices.push(Notice::Warning(format!("source {}: {said}", self.feed.source())));
    }

    /// Removes what every sink has settled, and no framer needs any more.
    fn release(&mut self) {
        let low = if self.lines { self.low.min(self.spool.clean()) } else { self.low };
        if let Err(error) = self.spool.release(low) {
            let source = self.feed.source();
            self.notices
                .push(Notice::Warning(format!("source {source}: cannot remove a settled segment: {error}")));
        }
    }

    /// The disk does not take what was pushed. It stays in memory, and nothing more is taken in.
    fn trouble(&mut self, now: Duration, error: &std::io::Error) {
        if self.retry.is_none() {
            self.notices.push(Notice::Warning(format!(
                "source {}: the spool cannot be written, nothing is taken in until it can: {error}",
                self.feed.source()
            )));
        }
        self.retry = Some(now + RETRY);
    }

    /// What to do when nothing more can be handed on; `None` to go on at once.
    fn idle(&mut self, now: Duration, progress: Progress) -> Option<Progress> {
        let quiet = self.spool.pending() == 0 && self.feed.is_drained();
        if self.ended && quiet {
            return Some(Progress::End);
        }
        let open = self.feed.deadline().filter(|_| quiet);
        if progress != Progress::More && open.is_some_and(|due| due <= now) {
            // Time cuts here, and the log says so before what is let go leaves.
            self.spool.push_cut(self.world.clock.now_unix_ns(), false);
            self.hurry = true;
            return None;
        }
        let wait = match progress {
            Progress::More if self.spool.room() > 0 && self.retry.is_none() => return Some(Progress::More),
            Progress::Wait(until) => Some(until),
            Progress::More | Progress::End => None,
        };
        let linger = self.since.filter(|_| self.retry.is_none()).map(|since| since + SPOOL_LINGER);
        let next = [wait, linger, self.retry, self.feed.retry(), open].into_iter().flatten().min();
        Some(Progress::Wait(next.unwrap_or(now + RETRY)))
    }
}

impl<I: Intake> Source for Spooled<I> {
    fn step(&mut self, now: Duration, batch: &mut Batch) -> Progress {
        let mut output = Output::new(batch);
        let progress = loop {
            let full = self.feed.fill(now, self.spool.durable(), &mut output, &mut self.notices);
            for damage in self.feed.take_damaged() {
                self.set_aside(&damage);
            }
            if self.spool.state().framing.is_none()
                && let Some((origin, at)) = self.feed.told()
            {
                self.spool.push_framing(origin, at, self.world.clock.now_unix_ns());
            }
            if full && !self.feed.is_on_disk() {
                break Progress::More;
            }
            // What is read back from the disk makes nobody wait who sends more.
            let progress = self.take_in(now);
            if full {
                break Progress::More;
            }
            if self.feed.is_ready(now) {
                continue;
            }
            if let Some(progress) = self.idle(now, progress) {
                break progress;
            }
        };
        if self.spool.is_urgent() && self.retry.is_none() {
            self.sync(now, self.world.clock.now_unix_ns());
        }
        output.close();
        progress
    }

    fn settled(&mut self, _: &Stream, position: u64) {
        self.low = self.low.max(position);
        if let Some(clean) = self.feed.settled(self.low) {
            self.spool.push_clean(clean, self.world.clock.now_unix_ns());
        }
        self.release();
    }

    fn absorb(&mut self, now: Duration) -> Option<Duration> {
        let progress = self.take_in(now);
        let linger = self.since.filter(|_| self.retry.is_none()).map(|since| since + SPOOL_LINGER);
        let next = match progress {
            Progress::More if self.spool.room() > 0 && self.retry.is_none() => Some(now),
            Progress::Wait(until) => Some(until),
            Progress::More | Progress::End => None,
        };
        Some([next, linger, self.retry].into_iter().flatten().min().unwrap_or(now + RETRY))
    }

    fn original(&mut self, stream: &Stream, range: Range<u64>) -> Option<Vec<u8>> {
        if stream.id == self.spool.stream() { self.originals.bytes(&self.spool, range) } else { None }
    }

    fn reads_again(&self) -> bool {
        true
    }

    fn catch_up(&mut self, sink: usize, resume: &dyn Resume) -> Option<Box<dyn Source>> {
        self.feed.again(sink, resume, &self.spool)
    }

    fn finish(&mut self) {
        self.intake.finish();
    }

    fn notices(&mut self) -> Vec<Notice> {
        std::mem::take(&mut self.notices)
    }

    fn backlog(&self) -> Backlog {
        let unread_bytes = self.spool.end().saturating_sub(self.feed.next());
        Backlog {
            streams: 1,
            open: usize::from(!self.ended),
            unread_bytes,
            padding_bytes: self.feed.padding_bytes(),
        }
    }

    fn wake_fd(&self) -> Option<BorrowedFd<'_>> {
        if self.ended { None } else { self.intake.wake_fd() }
    }
}

impl<I: Intake> Drop for Spooled<I> {
    /// What was taken in is made durable and answered: it is handed on by the next run.
    fn drop(&mut self) {
        if !self.ended && self.intake.close() {
            self.take_the_rest();
        }
        let unix_ns = self.world.clock.now_unix_ns();
        if self.spool.pending() > 0 && self.spool.sync(unix_ns).is_ok() && self.told < self.pushed {
            self.intake.durable(Receipt(self.pushed));
        }
    }
}
