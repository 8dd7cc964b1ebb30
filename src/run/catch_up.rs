//! The catch-up read of one sink that was set apart ([`super::lag`]): what it missed is read again, goes through the
//! same pure steps, and is offered to it alone.
//!
//! In rounds: each asks the sources for what was handed on by then and is not settled for the sink, nor was offered in
//! an earlier round. A round that was small is followed by the last one, for which the sources rest. State that is
//! kept over events is not touched: a worker of its own makes the bodies, and its counters are nobody's.

use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::reader::{Job, Read, Reader};
use super::worker::{Outcome, Worker};
use crate::catalog::Runnable;
use crate::event::Batch;
use crate::limits::{CATCH_UP_JOIN_BYTES, CATCH_UP_TRIES_MAX};
use crate::observe::Stats;
use crate::position::{Ranges, Resume, Stream, StreamId};
use crate::seam::HashMap;
use crate::sink::Provenance;
use crate::source::{Notice, Source};

/// After something could not be read in the last round, when to try again.
const RETRY: Duration = Duration::from_secs(1);

/// What a step of a catch-up read asks for.
#[derive(Debug)]
pub enum Caught {
    /// Give [`CatchUp::give`] what [`Source::catch_up`] of the source with this number gives for [`CatchUp::resume`].
    Ask(usize),
    /// A batch of the source with this number, to be numbered and given to [`CatchUp::process`].
    Batch(usize, Batch),
    /// Step again at once.
    More,
    /// Nothing to do before this monotonic time.
    Wait(Duration),
    /// A round is over. True: the sink has come so close that the next one shall be the last.
    Round(bool),
}

/// The read of one sink.
pub struct CatchUp {
    sink: usize,
    sources: Vec<usize>,
    /// Sources that this round has not asked yet, from the end.
    left: Vec<usize>,
    reader: Option<(usize, Reader)>,
    worker: Worker,
    offered: Arc<Offered>,
    bytes: usize,
    /// Sources that had something to read in this round.
    opened: usize,
    /// The last round: how often it was tried again, since something could not be read.
    last: Option<u32>,
    pause: Option<Duration>,
    stats: Arc<Stats>,
}

impl CatchUp {
    /// A read for a sink, which has settled what `resume` says.
    pub fn new(plan: &Arc<Runnable>, sink: usize, resume: Arc<dyn Resume>) -> Result<Self, String> {
        let stats = plan.stats();
        let feeds = |source: &usize| plan.required_sinks(*source).contains(&sink);
        let sources: Vec<_> = (0..plan.sources.len()).filter(feeds).collect();
        Ok(Self {
            sink,
            left: sources.clone(),
            sources,
            reader: None,
            worker: Worker::new(plan.clone(), stats.clone())?,
            offered: Arc::new(Offered { sink, resume, ranges: Mutex::default() }),
            bytes: 0,
            opened: 0,
            last: None,
            pause: None,
            stats,
        })
    }

    /// What the sink has or was offered by now.
    pub fn resume(&self) -> Arc<dyn Resume> {
        self.offered.clone()
    }

    /// Takes what a source gave for the sink.
    pub fn give(&mut self, source: usize, opened: Option<Box<dyn Source>>) {
        self.left.pop();
        self.opened += usize::from(opened.is_some());
        self.reader = opened.map(|opened| (source, Reader::again(opened, source, self.stats.clone())));
    }

    /// Reads on. Notices are about the sink alone.
    pub fn step(&mut self, now: Duration, unix_ns: i64, notices: &mut Vec<Notice>) -> Caught {
        if let Some(until) = self.pause.take_if(|until| now < *until) {
            self.pause = Some(until);
            return Caught::Wait(until);
        }
        self.pause = None;
        let Some((source, reader)) = &mut self.reader else {
            return match self.left.last() {
                Some(source) => Caught::Ask(*source),
                None => self.end_round(now),
            };
        };
        let before = notices.len();
        let read = reader.step(now, unix_ns, notices);
        // What is gone is told once.
        for notice in notices.iter().skip(before) {
            if let Notice::Gap { stream, start, end: Some(end), .. } = notice {
                self.offered.insert(stream, *start..*end);
            }
        }
        match read {
            Read::Batch(mut batch) => {
                self.offered.take_out(&mut batch);
                self.bytes += batch.bytes;
                Caught::Batch(*source, batch)
            }
            Read::More => Caught::More,
            Read::Wait(until) => Caught::Wait(until),
            Read::End => {
                self.reader = None;
                Caught::More
            }
        }
    }

    /// The last round is over when nothing is left to read: what could not be read just now is asked for again.
    fn end_round(&mut self, now: Duration) -> Caught {
        self.left.clone_from(&self.sources);
        let (bytes, opened) = (std::mem::take(&mut self.bytes), std::mem::take(&mut self.opened));
        match &mut self.last {
            Some(tries) if opened > 0 && *tries < CATCH_UP_TRIES_MAX => {
                *tries += 1;
                self.pause = (bytes == 0).then_some(now + RETRY);
                Caught::More
            }
            _ => {
                let close = bytes < CATCH_UP_JOIN_BYTES;
                self.last = self.last.or(close.then_some(0));
                Caught::Round(close)
            }
        }
    }

    /// Turns a batch into bodies for the sink; other sinks that keep order hear that it is not for them.
    pub fn process(&mut self, mut job: Job) -> Outcome {
        job.again = true;
        self.offered.add(&job.provenance);
        self.worker.process(job)
    }

    /// Rows handed to the sink since the last call.
    pub fn offered_rows(&self) -> u64 {
        let mut stats = self.stats.lock();
        stats.sinks.get_mut(self.sink).map_or(0, |(_, sink)| std::mem::take(&mut sink.offered))
    }
}

/// What a sink has settled, and what this read has offered it.
struct Offered {
    sink: usize,
    resume: Arc<dyn Resume>,
    ranges: Mutex<HashMap<(StreamId, u16), Ranges>>,
}

impl Offered {
    fn lock(&self) -> MutexGuard<'_, HashMap<(StreamId, u16), Ranges>> {
        self.ranges.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn insert(&self, stream: &Stream, range: Range<u64>) {
        self.lock().entry((stream.id, stream.generation)).or_default().insert(range);
    }

    /// Takes what an earlier round has offered out of what a batch accounts for: its rows are passed over, and are not
    /// settled before that offer is.
    fn take_out(&self, batch: &mut Batch) {
        let offered = self.lock();
        for run in &mut batch.runs {
            let Some(known) = offered.get(&(run.stream.id, run.stream.generation)) else { continue };
            run.ranges = run.ranges.iter().flat_map(|range| known.missing(range.clone())).collect();
        }
    }

    fn add(&self, provenance: &Provenance) {
        let mut offered = self.lock();
        for (stream, ranges) in &provenance.ranges {
            let of = offered.entry((stream.id, stream.generation)).or_default();
            ranges.iter().for_each(|range| of.insert(range.clone()));
        }
    }
}

impl Resume for Offered {
    fn position(&self, stream: StreamId, generation: u16) -> Option<u64> {
        let settled = self.resume.position(stream, generation);
        let offered = self.lock();
        let Some(ranges) = offered.get(&(stream, generation)) else { return settled };
        settled.map(|low| ranges.first_gap(low))
    }

    fn settled(&self, stream: StreamId, generation: u16) -> Option<Arc<[Ranges]>> {
        let settled = self.resume.settled(stream, generation);
        let offered = self.lock();
        let Some(ranges) = offered.get(&(stream, generation)) else { return settled };
        let mut sets: Vec<Ranges> = settled.map(|sets| sets.to_vec()).unwrap_or_default();
        if sets.len() <= self.sink {
            sets.resize(self.sink + 1, Ranges::default());
        }
        ranges.iter().for_each(|range| sets[self.sink].insert(range));
        Some(sets.into())
    }
}
