//! Readers, workers and outlets with their queues, as the threads of [`crate::run::Engine`] step them.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use super::Process;
use crate::event::Batch;
use crate::limits::SINK_PATIENCE;
use crate::position::Stream;
use crate::run::budget::Pool;
use crate::run::{Job, Message, Outlet, Read, Reader, Worker};
use crate::seam::Clock;
use crate::sink::{Body, Next};

/// How long a reader rests that has nothing to do until another part has.
pub(super) const REST: Duration = Duration::from_millis(100);

/// A source's reader.
pub(super) struct ReaderSeat {
    pub(super) reader: Reader,
    pub(super) due: Duration,
    /// Waits for room.
    pub(super) batch: Option<Batch>,
    /// Catch-up reads that ask for it to be read again, by their place.
    pub(super) asks: VecDeque<usize>,
    /// What dead letters ask of the source: a number, and which bytes.
    pub(super) originals: VecDeque<(u64, Arc<Stream>, Range<u64>)>,
    /// Read to its end; it stays while some sink has not caught up.
    at_end: bool,
    pub(super) ended: bool,
}

impl ReaderSeat {
    pub(super) fn new(reader: Reader, due: Duration) -> Self {
        Self {
            reader,
            due,
            batch: None,
            asks: VecDeque::new(),
            originals: VecDeque::new(),
            at_end: false,
            ended: false,
        }
    }
}

/// A worker.
pub(super) struct WorkerSeat {
    worker: Worker,
    batch: u64,
    /// Bodies that wait for room, those of sinks that keep order first.
    pub(super) pending: Option<VecDeque<(usize, Body)>>,
    pub(super) waits_since: Option<Duration>,
}

impl WorkerSeat {
    pub(super) fn new(worker: Worker) -> Self {
        Self { worker, batch: 0, pending: None, waits_since: None }
    }
}

/// A sink's outlet, with the bodies that it was sent and their pool.
pub(super) struct OutletSeat {
    pub(super) outlet: Outlet,
    pub(super) bodies: VecDeque<Body>,
    pub(super) pool: Pool,
    pub(super) next: Next,
    pub(super) rung: Arc<AtomicBool>,
    pub(super) trouble: Option<String>,
}

impl OutletSeat {
    pub(super) fn new(outlet: Outlet, rung: Arc<AtomicBool>, bytes: usize) -> Self {
        let (bodies, pool, next) = (VecDeque::new(), Pool::new(bytes), Next::Again);
        Self { outlet, bodies, pool, next, rung, trouble: None }
    }
}

impl Process {
    pub(super) fn reader_is_ready(&self, at: usize, now: Duration) -> bool {
        let seat = &self.readers[at];
        if !seat.originals.is_empty() {
            return true;
        }
        if seat.ended || !self.has_room() {
            return false;
        }
        match &seat.batch {
            Some(batch) => self.has_input_room(batch),
            None => self.stopping || !seat.asks.is_empty() || seat.due <= now,
        }
    }

    fn has_input_room(&self, batch: &Batch) -> bool {
        let held = self.input.held();
        self.jobs.len() < self.bounds.items && (held == 0 || held + batch.bytes <= self.bounds.input)
    }

    pub(super) fn read(&mut self, at: usize, clock: &dyn Clock) {
        let (now, unix_ns) = (clock.monotonic(), clock.now_unix_ns());
        if let Some((number, stream, range)) = self.readers[at].originals.pop_front() {
            let bytes = self.readers[at].reader.source.original(&stream, range);
            return self.settler.letters().answer(number, bytes);
        }
        if let Some(batch) = self.readers[at].batch.take() {
            return self.hand(at, batch);
        }
        let (rests, owes) = (self.lags.rests(at), self.lags.owes(at));
        let pressed = self.settler.letters().is_pressed();
        let seat = &mut self.readers[at];
        if rests
            && !self.stopping
            && let Some(batch) = seat.reader.flush(unix_ns)
        {
            return self.offer(at, batch);
        }
        if let Some(asked) = seat.asks.pop_front() {
            let again = &self.again[asked];
            let opened = seat.reader.source.catch_up(again.sink, &*again.resume());
            self.again[asked].give(at, opened);
            return;
        }
        if !self.stopping && (rests || pressed || (seat.at_end && owes)) {
            seat.due = now + REST;
            return;
        }
        let mut notices = Vec::new();
        let step = if self.stopping {
            seat.reader.stop(unix_ns)
        } else {
            seat.reader.step(now, unix_ns, &mut notices)
        };
        self.messages.extend(seat.reader.told(&notices));
        seat.due = now;
        match step {
            Read::Batch(batch) => self.offer(at, batch),
            Read::More => {}
            Read::Wait(until) => seat.due = until,
            Read::End if owes && !self.stopping => seat.at_end = true,
            Read::End => seat.ended = true,
        }
        notices.into_iter().for_each(|notice| self.note(notice, None));
    }

    /// Hands a batch on, or keeps it until there is room.
    fn offer(&mut self, at: usize, batch: Batch) {
        if self.has_input_room(&batch) {
            self.hand(at, batch);
        } else {
            self.readers[at].batch = Some(batch);
        }
    }

    fn hand(&mut self, at: usize, batch: Batch) {
        self.largest.0 = self.largest.0.max(batch.bytes);
        if !self.input.try_acquire(batch.bytes) {
            self.wrong.push("a batch was handed on though the pool had no room".to_owned());
        }
        let mut job = Job::new(self.batches, at, batch);
        job.sinks = self.lags.hand(at);
        self.batches += 1;
        if self.traced {
            self.said = Some(handed(&job));
        }
        self.messages.push_back(job.handed());
        self.jobs.push_back(job);
    }

    pub(super) fn worker_is_ready(&self, at: usize, now: Duration) -> bool {
        let seat = &self.workers[at];
        match seat.pending.as_ref().map(VecDeque::front) {
            None => !self.jobs.is_empty() && self.has_room(),
            Some(None) => true,
            Some(Some((sink, body))) => {
                let outlet = &self.outlets[*sink];
                let late = seat.waits_since.is_some_and(|since| since + SINK_PATIENCE <= now);
                // One that has just begun to wait notes since when.
                let new = seat.waits_since.is_none();
                let ordered = self.plan.sinks[*sink].plan.ordered().then_some(seat.batch);
                let room =
                    outlet.bodies.len() < self.bounds.items && outlet.pool.has_room(ordered, body.bytes);
                room || late || new
            }
        }
    }

    pub(super) fn work(&mut self, at: usize, now: Duration) {
        if self.workers[at].pending.is_none() {
            return self.process(at);
        }
        let seat = &mut self.workers[at];
        let batch = seat.batch;
        let Some((sink, body)) = seat.pending.as_ref().and_then(VecDeque::front) else {
            seat.pending = None;
            return;
        };
        let (sink, bytes) = (*sink, body.bytes);
        let ordered = self.plan.sinks[sink].plan.ordered();
        let outlet = &mut self.outlets[sink];
        let room = outlet.bodies.len() < self.bounds.items
            && (bytes == 0
                || if ordered {
                    outlet.pool.try_acquire_for(batch, bytes)
                } else {
                    outlet.pool.try_acquire(bytes)
                });
        if !room {
            let since = *seat.waits_since.get_or_insert(now);
            let parted = bytes > 0 && now >= since + SINK_PATIENCE && self.lags.part(sink);
            if !parted {
                if now >= since + SINK_PATIENCE {
                    seat.waits_since = Some(now);
                }
                return;
            }
        }
        seat.waits_since = None;
        let body = seat.pending.as_mut().and_then(VecDeque::pop_front);
        let Some((_, body)) = body else { return };
        self.largest.1 = self.largest.1.max(bytes);
        let goes = if ordered && bytes > 0 { self.lags.goes(sink, batch) } else { room };
        match (room, goes) {
            (true, false) => self.outlets[sink].pool.release(bytes),
            (false, true) => self.outlets[sink].pool.force(bytes),
            _ => {}
        }
        if goes {
            self.outlets[sink].bodies.push_back(body);
        } else {
            self.withhold(sink, batch);
        }
        if ordered {
            self.outlets[sink].pool.end(batch);
        }
    }

    /// A sink that is set apart does not get its share of a batch.
    pub(super) fn withhold(&mut self, sink: usize, batch: u64) {
        self.withheld += 1;
        if self.traced {
            self.said = Some(format!("sink {sink} is set apart: batch {batch} is withheld from it"));
        }
        self.messages.push_back(Message::Withheld { sink, batch });
        if self.plan.sinks[sink].plan.ordered() {
            self.outlets[sink].bodies.push_back(Body::withheld(batch));
        }
    }

    fn process(&mut self, at: usize) {
        let Some(job) = self.jobs.pop_front() else { return };
        let batch = job.provenance.batch;
        for (sink, named) in self.plan.sinks.iter().enumerate() {
            if named.plan.ordered() && job.sinks & (1 << sink) != 0 {
                self.outlets[sink].pool.begin(batch);
            }
        }
        let seat = &mut self.workers[at];
        seat.batch = batch;
        let outcome = seat.worker.process(job);
        self.input.release(outcome.input_bytes);
        let (message, bodies) = outcome.divide(&self.plan);
        self.messages.push_back(message);
        self.workers[at].pending = Some(bodies.first.into_iter().chain(bodies.rest).collect());
    }
}

fn handed(job: &Job) -> String {
    let run = |(stream, ranges): &(Arc<crate::position::Stream>, Vec<std::ops::Range<u64>>)| {
        format!("{:016x}.{} of {} {ranges:?}", stream.id.0, stream.generation, stream.path)
    };
    let runs: Vec<_> = job.provenance.ranges.iter().map(run).collect();
    format!("batch {}: {}", job.provenance.batch, runs.join(", "))
}
