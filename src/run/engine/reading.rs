//! The thread of a source: reads, hands batches to the workers, and answers what is asked of what it read.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use crossbeam::channel::Sender;

use super::{REST, Shared};
use crate::event::Batch;
use crate::observe::Stats;
use crate::run::reader::{Job, Read, Reader};
use crate::run::settler::Message;
use crate::run::wake::Wake;
use crate::seam::Clock;
use crate::source::{Notice, Source};

/// How often a source whose batch waits for room takes in what must not wait.
const ABSORB_EVERY: Duration = Duration::from_millis(20);
/// The same where it waits for a place in a queue, which tells nobody that it has one.
const ABSORB_FULL: Duration = Duration::from_millis(2);

/// The thread of a source.
pub(super) struct Reading {
    pub(super) index: usize,
    /// Whether it hands on what aludel itself wrote down.
    pub(super) is_own: bool,
    pub(super) shared: Arc<Shared>,
    pub(super) stats: Arc<Stats>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) wake: Arc<Wake>,
    pub(super) to_workers: Sender<Job>,
    pub(super) settler: Sender<Message>,
}

impl Drop for Reading {
    fn drop(&mut self) {
        if !self.is_own {
            self.shared.reading_others.fetch_sub(1, Ordering::AcqRel);
        }
        self.shared.reading.fetch_sub(1, Ordering::AcqRel);
        self.shared.turned.notify_all();
    }
}

impl Reading {
    /// Reads to the end.
    pub(super) fn run(&self, reader: &mut Reader) {
        let mut notices = Vec::new();
        let mut ended = false;
        let mut awaits_others = self.shared.awaits_others && self.is_own;
        loop {
            if awaits_others && self.shared.is_concluded() {
                awaits_others = false;
                reader.source.finish();
            }
            for (stream, low) in self.shared.take_lows(self.index) {
                reader.source.settled(&stream, low);
            }
            self.shared.originals.serve(self.index, &mut *reader.source);
            // Before the look at who lags: whoever joins says so before it asks.
            let asks = self.shared.take_asks(self.index);
            let stopping = self.shared.stop.load(Ordering::Acquire);
            let (rests, owes) = {
                let lags = self.shared.lags();
                (lags.rests(self.index), lags.owes(self.index))
            };
            if rests
                && !stopping
                && let Some(batch) = reader.flush(self.clock.now_unix_ns())
                && !self.hand(batch, &mut *reader.source)
            {
                return;
            }
            for ask in asks {
                let opened = reader.source.catch_up(ask.sink, &*ask.resume);
                let _ = ask.reply.send(opened);
            }
            let pressed = self.shared.originals.is_pressed();
            if !stopping && (rests || pressed || (ended && owes)) {
                match reader.source.absorb(self.clock.monotonic()) {
                    Some(until) => {
                        let wait = until.saturating_sub(self.clock.monotonic()).min(REST);
                        self.wake.wait(wait, reader.source.wake_fd());
                    }
                    None => self.wake.wait(REST, None),
                }
                continue;
            }
            let step = if stopping {
                reader.stop(self.clock.now_unix_ns())
            } else {
                reader.step(self.clock.monotonic(), self.clock.now_unix_ns(), &mut notices)
            };
            let told = reader.told(&notices);
            if told.into_iter().any(|message| self.settler.send(message).is_err()) {
                return;
            }
            for notice in notices.drain(..) {
                note(notice, self.index, &self.shared, &self.stats);
            }
            match step {
                Read::Batch(batch) => {
                    if !self.hand(batch, &mut *reader.source) {
                        return;
                    }
                }
                Read::More => {}
                Read::Wait(until) => {
                    let wait = until.saturating_sub(self.clock.monotonic());
                    let wait = if awaits_others { wait.min(REST) } else { wait };
                    self.wake.wait(wait, reader.source.wake_fd());
                }
                Read::End if owes && !stopping => ended = true,
                Read::End => return,
            }
        }
    }

    /// Lets a source hear of what settles of the rows that it has handed on, and answers for it what is asked of it, until
    /// the books are closed. Workers must not wait for it meanwhile.
    pub(super) fn leave(self, source: &mut dyn Source) {
        let (index, shared) = (self.index, self.shared.clone());
        let (clock, wake) = (self.clock.clone(), self.wake.clone());
        drop(self);
        loop {
            // Before the last marks are taken.
            let closed = shared.originals.is_over();
            for (stream, low) in shared.take_lows(index) {
                source.settled(&stream, low);
            }
            shared.originals.serve(index, source);
            source.leave(clock.monotonic());
            if closed {
                return;
            }
            wake.wait(REST, None);
        }
    }

    /// Hands a batch to the workers; false where there are none any more. While they take nothing, the source takes in
    /// what must not wait for them.
    fn hand(&self, batch: Batch, source: &mut dyn Source) -> bool {
        let mut patience = ABSORB_EVERY;
        while !self.shared.input.acquire_within(batch.bytes, patience) {
            patience = self.absorb(source).unwrap_or(REST);
        }
        while self.to_workers.is_full()
            && let Some(until) = self.absorb(source)
        {
            self.wake.wait(until.min(ABSORB_FULL), None);
        }
        // Held while sending, so that jobs are handed on in the order of their numbers.
        let mut number = self.shared.batches.lock().unwrap_or_else(PoisonError::into_inner);
        let mut job = Job::new(*number, self.index, batch);
        job.sinks = self.shared.lags().hand(self.index);
        *number += 1;
        self.settler.send(job.handed()).is_ok() && self.to_workers.send(job).is_ok()
    }

    /// Lets the source take in what must not wait for the pipeline; how long it may then be left alone.
    fn absorb(&self, source: &mut dyn Source) -> Option<Duration> {
        if self.shared.stop.load(Ordering::Acquire) {
            return None;
        }
        for (stream, low) in self.shared.take_lows(self.index) {
            source.settled(&stream, low);
        }
        let now = self.clock.monotonic();
        source.absorb(now).map(|until| until.saturating_sub(now).min(ABSORB_EVERY))
    }
}

pub(super) fn note(notice: Notice, index: usize, shared: &Shared, stats: &Stats) {
    let warning = match notice {
        Notice::Warning(warning) => warning,
        Notice::Gap { stream, start, end, cause } => {
            let mut stats = stats.lock();
            let (_, stats) = &mut stats.sources[index];
            match end {
                Some(end) => *stats.gap_bytes.entry(cause).or_default() += end.saturating_sub(start),
                None => stats.gaps_of_unknown_size += 1,
            }
            let size = end.map_or("an unknown number of".to_owned(), |end| (end - start).to_string());
            format!("{}: {size} bytes from {start} on are lost: {cause}", stream.path)
        }
    };
    shared.warn(warning);
}
