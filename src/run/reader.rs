//! Steps a source and hands on its batches when they are full or have waited long enough.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use crate::event::{Batch, Run};
use crate::limits::BATCH_LINGER;
use crate::observe::Stats;
use crate::position::Stream;
use crate::sink::Provenance;
use crate::source::{Notice, Progress, Source};

/// A batch on its way to a worker.
#[derive(Debug)]
pub struct Job {
    /// Its number, counted by the process without a gap, and the bytes that it accounts for.
    pub provenance: Arc<Provenance>,
    /// Number of the source in the plan.
    pub source: usize,
    /// The messages.
    pub batch: Batch,
    /// The sinks that it is for, as a set of bits.
    pub sinks: u64,
    /// It was read again for a sink that catches up: what the steps say of its events was said before.
    pub again: bool,
}

impl Job {
    /// Numbers a batch, which is for all sinks. Numbers are given in the order in which jobs are handed to the workers.
    pub fn new(number: u64, source: usize, batch: Batch) -> Self {
        let provenance = Arc::new(Provenance { batch: number, ranges: ranges(&batch.runs) });
        Self { provenance, source, batch, sinks: u64::MAX, again: false }
    }
}

/// What a step of a reader gives.
#[derive(Debug)]
pub enum Read {
    /// A batch to hand on; step again at once.
    Batch(Batch),
    /// Step again at once.
    More,
    /// Nothing to do before this monotonic time, or until the source wakes up by itself.
    Wait(Duration),
    /// The source has ended; all it read was handed on.
    End,
}

/// A source and the batch that it fills.
pub struct Reader {
    /// The source.
    pub source: Box<dyn Source>,
    index: usize,
    batch: Batch,
    opened: Option<Duration>,
    stats: Arc<Stats>,
    ended: bool,
    again: bool,
}

impl Reader {
    /// A reader for the source with this number in the plan.
    pub fn new(source: Box<dyn Source>, index: usize, stats: Arc<Stats>) -> Self {
        Self { source, index, batch: Batch::default(), opened: None, stats, ended: false, again: false }
    }

    /// A reader for a source that reads again what was read and counted before.
    pub fn again(source: Box<dyn Source>, index: usize, stats: Arc<Stats>) -> Self {
        Self { again: true, ..Self::new(source, index, stats) }
    }

    /// Lets the source work once. `unix_ns` is the wall clock, for events without a time of their own.
    pub fn step(&mut self, now: Duration, unix_ns: i64, notices: &mut Vec<Notice>) -> Read {
        if self.ended {
            return Read::End;
        }
        let progress = self.source.step(now, &mut self.batch);
        notices.extend(self.source.notices());
        let holds = !self.batch.messages.is_empty() || !self.batch.runs.is_empty();
        if holds && self.opened.is_none() {
            self.opened = Some(now);
        }
        let full = self.batch.is_full();
        let due = self.opened.map(|opened| opened + BATCH_LINGER);
        match progress {
            Progress::More if !full => Read::More,
            Progress::End => {
                self.ended = true;
                self.look();
                if holds { Read::Batch(self.take(unix_ns)) } else { Read::End }
            }
            _ if full || due.is_some_and(|due| now >= due) => Read::Batch(self.take(unix_ns)),
            Progress::More => Read::More,
            Progress::Wait(until) => {
                self.look();
                Read::Wait(due.map_or(until, |due| due.min(until)))
            }
        }
    }

    /// Hands on what the batch holds, then ends: what was not read stays in the stream.
    pub fn stop(&mut self, unix_ns: i64) -> Read {
        self.ended = true;
        self.flush(unix_ns).map_or(Read::End, Read::Batch)
    }

    /// What the batch holds, though it is not full.
    pub fn flush(&mut self, unix_ns: i64) -> Option<Batch> {
        let holds = !self.batch.messages.is_empty() || !self.batch.runs.is_empty();
        holds.then(|| self.take(unix_ns))
    }

    fn take(&mut self, unix_ns: i64) -> Batch {
        self.opened = None;
        let mut batch = std::mem::take(&mut self.batch);
        batch.read_unix_ns = unix_ns;
        if !self.again {
            let mut stats = self.stats.lock();
            let (_, stats) = &mut stats.sources[self.index];
            stats.bytes += batch.bytes as u64;
            stats.messages += batch.messages.len() as u64;
        }
        self.look();
        batch
    }

    /// Notes how far the source is.
    fn look(&self) {
        if self.again {
            return;
        }
        let backlog = self.source.backlog();
        let mut stats = self.stats.lock();
        let (_, stats) = &mut stats.sources[self.index];
        stats.streams = backlog.streams as u64;
        stats.unread_bytes = backlog.unread_bytes;
        stats.padding_bytes = backlog.padding_bytes;
    }
}

/// The ranges of a batch by stream; runs of the same stream are one.
fn ranges(runs: &[Run]) -> Vec<(Arc<Stream>, Vec<Range<u64>>)> {
    let mut merged: Vec<(Arc<Stream>, Vec<Range<u64>>)> = Vec::new();
    for run in runs {
        match merged.iter_mut().find(|(stream, _)| Arc::ptr_eq(stream, &run.stream)) {
            Some((_, ranges)) => ranges.extend(run.ranges.iter().cloned()),
            None => merged.push((run.stream.clone(), run.ranges.clone())),
        }
    }
    merged
}
