//! One life of the process: the parts that [`crate::run`] opens, with queues in place of channels, stepped on one
//! thread in an order that the seed chooses.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::subject::Subject;
use crate::observe::Stats;
use crate::run::budget::Pool;
use crate::run::{
    Deliveries, Job, Ledger, Message, Outlet, Parts, Read, Reader, Settings, Settler, Waker, Worker,
};
use crate::seam::Clock;
use crate::seam::sim::Dice;
use crate::sink::{Body, Next};
use crate::source::Notice;

/// Who can be stepped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Actor {
    /// A source's reader.
    Reader(usize),
    /// A worker.
    Worker(usize),
    /// A sink's outlet.
    Outlet(usize),
    /// The settler takes messages.
    Settler,
    /// The settler makes durable what is settled.
    Flush,
}

impl Actor {
    /// Tells it from the others, for a digest.
    pub(super) fn number(self) -> u64 {
        match self {
            Self::Settler => 2,
            Self::Flush => 3,
            Self::Reader(at) => 100 + at as u64,
            Self::Worker(at) => 200 + at as u64,
            Self::Outlet(at) => 300 + at as u64,
        }
    }
}

/// Bounds of the queues and pools, chosen by the seed so that they are met.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// Bytes of input.
    pub(super) input: usize,
    /// Bytes of bodies.
    pub(super) bodies: usize,
    /// Items of a queue.
    pub(super) items: usize,
}

struct ReaderSeat {
    reader: Reader,
    due: Duration,
    /// A batch that waits for room.
    job: Option<Job>,
    ended: bool,
}

struct WorkerSeat {
    worker: Worker,
    batch: u64,
    /// Bodies that wait for room.
    pending: Option<Deliveries>,
}

struct OutletSeat {
    outlet: Outlet,
    bodies: VecDeque<Body>,
    next: Next,
    rung: Arc<AtomicBool>,
    trouble: Option<String>,
}

/// How often settled ranges are made durable.
const FLUSH_EVERY: Duration = Duration::from_millis(500);

/// A running process.
pub(super) struct Process {
    readers: Vec<ReaderSeat>,
    workers: Vec<WorkerSeat>,
    outlets: Vec<OutletSeat>,
    settler: Settler,
    messages: VecDeque<Message>,
    jobs: VecDeque<Job>,
    batches: u64,
    input: Pool,
    bodies: Pool,
    bounds: Bounds,
    /// The largest items that came, by which a pool may pass its bound.
    largest: (usize, usize),
    flush_at: Duration,
    stopping: bool,
    traced: bool,
    flush_failures: u64,
    /// What people are told.
    pub(super) warnings: Vec<String>,
    /// Gaps that were reported.
    pub(super) gaps: Vec<Gap>,
    /// What contradicts what the parts promise.
    pub(super) wrong: Vec<String>,
    /// What the last step did, where a trace is kept.
    pub(super) said: Option<String>,
}

/// A gap record: stream, generation, first byte, one past the last where it is known, cause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Gap {
    /// Stream.
    pub(super) stream: u64,
    /// Its generation.
    pub(super) generation: u16,
    /// First lost byte.
    pub(super) start: u64,
    /// One past the last.
    pub(super) end: Option<u64>,
    /// Why.
    pub(super) cause: &'static str,
}

impl Process {
    /// Opens everything.
    pub(super) fn start(
        subject: &Subject,
        settings: &Settings,
        bounds: Bounds,
        traced: bool,
    ) -> Result<Self, String> {
        let stats: Arc<Stats> = subject.plan.stats();
        let bells: Vec<Arc<AtomicBool>> = subject.plan.sinks.iter().map(|_| Arc::default()).collect();
        let waker = |bell: &Arc<AtomicBool>| -> Waker {
            let bell = bell.clone();
            Arc::new(move || bell.store(true, Ordering::Relaxed))
        };
        let wakers: Vec<Waker> = bells.iter().map(waker).collect();
        let parts = Parts::open(&subject.plan, settings, &stats, &wakers)?;
        let now = settings.clock.monotonic();
        let reader = |reader| ReaderSeat { reader, due: now, job: None, ended: false };
        let worker = |worker| WorkerSeat { worker, batch: 0, pending: None };
        let outlet = |(outlet, rung)| OutletSeat {
            outlet,
            bodies: VecDeque::new(),
            next: Next::Again,
            rung,
            trouble: None,
        };
        Ok(Self {
            readers: parts.readers.into_iter().map(reader).collect(),
            workers: parts.workers.into_iter().map(worker).collect(),
            outlets: parts.outlets.into_iter().zip(bells).map(outlet).collect(),
            settler: parts.settler,
            messages: VecDeque::new(),
            jobs: VecDeque::new(),
            batches: 0,
            input: Pool::new(bounds.input),
            bodies: Pool::new(bounds.bodies),
            bounds,
            largest: (0, 0),
            flush_at: now + FLUSH_EVERY,
            stopping: false,
            flush_failures: 0,
            warnings: parts.warnings,
            gaps: Vec::new(),
            wrong: Vec::new(),
            said: None,
            traced,
        })
    }

    /// Everybody who has something to do.
    pub(super) fn ready(&self, now: Duration, answers: Option<Duration>, ready: &mut Vec<Actor>) {
        ready.clear();
        let room = self.messages.len() < 4096;
        for (at, seat) in self.readers.iter().enumerate() {
            let waits = seat.job.as_ref().is_some_and(|job| !self.has_input_room(job));
            if room && !seat.ended && !waits && (self.stopping || seat.job.is_some() || seat.due <= now) {
                ready.push(Actor::Reader(at));
            }
        }
        for (at, seat) in self.workers.iter().enumerate() {
            let works = match &seat.pending {
                Some(pending) => self.has_body_room(seat.batch, pending),
                None => !self.jobs.is_empty() && room,
            };
            if works {
                ready.push(Actor::Worker(at));
            }
        }
        let came = answers.is_some_and(|at| at <= now);
        for (at, seat) in self.outlets.iter().enumerate() {
            let due = match seat.next {
                Next::Again => true,
                Next::At(due) => due <= now,
                Next::Idle | Next::Done => false,
            };
            let done = seat.next == Next::Done;
            if !done && (due || came || !seat.bodies.is_empty() || seat.rung.load(Ordering::Relaxed)) {
                ready.push(Actor::Outlet(at));
            }
        }
        if !self.messages.is_empty() {
            ready.push(Actor::Settler);
        }
        if self.flush_at <= now {
            ready.push(Actor::Flush);
        }
    }

    fn has_input_room(&self, job: &Job) -> bool {
        let held = self.input.held();
        self.jobs.len() < self.bounds.items && (held == 0 || held + job.batch.bytes <= self.bounds.input)
    }

    fn has_body_room(&self, batch: u64, pending: &Deliveries) -> bool {
        let Some((sink, body)) = pending.first.first().or(pending.rest.first()) else { return true };
        let held = self.bodies.held();
        let oldest = !pending.first.is_empty()
            && self.workers.iter().all(|seat| {
                seat.pending.as_ref().is_none_or(|other| other.first.is_empty()) || seat.batch >= batch
            });
        self.outlets[*sink].bodies.len() < self.bounds.items
            && (oldest || held == 0 || held + body.bytes <= self.bounds.bodies)
    }

    /// When somebody has something to do, if nothing comes in before.
    pub(super) fn next_due(&self) -> Duration {
        let readers =
            self.readers.iter().filter(|seat| !seat.ended && seat.job.is_none()).map(|seat| seat.due);
        let outlets = self
            .outlets
            .iter()
            .filter_map(|seat| if let Next::At(due) = seat.next { Some(due) } else { None });
        readers.chain(outlets).fold(self.flush_at, Duration::min)
    }

    /// Lets one part work once.
    pub(super) fn step(&mut self, actor: Actor, clock: &dyn Clock, dice: &mut Dice) {
        match actor {
            Actor::Reader(at) => self.read(at, clock),
            Actor::Worker(at) => self.work(at),
            Actor::Outlet(at) => self.deliver(at, clock.monotonic()),
            Actor::Settler => {
                let some = 1 + dice.below(self.messages.len() as u64);
                for message in self.messages.drain(..some as usize) {
                    self.settler.take(message, clock.now_unix_ns());
                }
            }
            Actor::Flush => self.flush(clock),
        }
    }

    fn read(&mut self, at: usize, clock: &dyn Clock) {
        let seat = &mut self.readers[at];
        if let Some(job) = seat.job.take() {
            self.hand(job);
            return;
        }
        let mut notices = Vec::new();
        let step = if self.stopping {
            seat.reader.stop(clock.now_unix_ns())
        } else {
            seat.reader.step(clock.monotonic(), clock.now_unix_ns(), &mut notices)
        };
        self.messages.extend(seat.reader.told(&notices));
        for notice in notices {
            match notice {
                Notice::Gap { stream, start, end, cause } => {
                    if self.traced {
                        self.warnings.push(format!("gap in {stream:?}: {start}..{end:?}: {cause}"));
                    }
                    let (stream, generation) = (stream.id.0, stream.generation);
                    self.gaps.push(Gap { stream, generation, start, end, cause });
                }
                Notice::Warning(warning) => self.warnings.push(warning),
            }
        }
        match step {
            Read::Batch(batch) => {
                let job = Job::new(self.batches, at, batch);
                self.batches += 1;
                if self.traced {
                    self.said = Some(handed(&job));
                }
                self.messages.push_back(job.handed());
                seat.due = clock.monotonic();
                if self.has_input_room(&job) {
                    self.hand(job);
                } else {
                    self.readers[at].job = Some(job);
                }
            }
            Read::More => seat.due = clock.monotonic(),
            Read::Wait(until) => seat.due = until,
            Read::End => seat.ended = true,
        }
    }

    fn hand(&mut self, job: Job) {
        self.largest.0 = self.largest.0.max(job.batch.bytes);
        if !self.input.try_acquire(job.batch.bytes) {
            self.wrong.push("a batch was handed on though the pool had no room".to_owned());
        }
        self.jobs.push_back(job);
    }

    fn work(&mut self, at: usize) {
        let seat = &mut self.workers[at];
        if seat.pending.is_none() {
            let Some(job) = self.jobs.pop_front() else { return };
            seat.batch = job.provenance.batch;
            self.bodies.begin(seat.batch);
            let outcome = seat.worker.process(job);
            self.input.release(outcome.input_bytes);
            let (message, pending) = outcome.divide(seat.worker.plan());
            self.messages.push_back(message);
            if pending.first.is_empty() {
                self.bodies.end(seat.batch);
            }
            let seat = &mut self.workers[at];
            seat.pending = (!pending.first.is_empty() || !pending.rest.is_empty()).then_some(pending);
            return;
        }
        let batch = seat.batch;
        let Some(pending) = &mut seat.pending else { return };
        let first = !pending.first.is_empty();
        let list = if first { &mut pending.first } else { &mut pending.rest };
        let Some((sink, body)) = list.first() else { return };
        let full = self.outlets[*sink].bodies.len() >= self.bounds.items;
        let fits = !full
            && if first {
                self.bodies.try_acquire_for(batch, body.bytes)
            } else {
                self.bodies.try_acquire(body.bytes)
            };
        if !fits {
            return;
        }
        self.largest.1 = self.largest.1.max(body.bytes);
        let (sink, body) = list.remove(0);
        self.outlets[sink].bodies.push_back(body);
        if first && pending.first.is_empty() {
            self.bodies.end(batch);
        }
        if pending.first.is_empty() && pending.rest.is_empty() {
            seat.pending = None;
        }
    }

    fn deliver(&mut self, at: usize, now: Duration) {
        let seat = &mut self.outlets[at];
        seat.rung.store(false, Ordering::Relaxed);
        while let Some(body) = seat.bodies.pop_front() {
            seat.outlet.offer(body, now);
        }
        let stepped = seat.outlet.step(now);
        seat.next = stepped.next;
        seat.trouble = stepped.trouble;
        if stepped.released > self.bodies.held() {
            self.wrong.push(format!(
                "sink {at} gave back {} bytes, and the pool holds {}",
                stepped.released,
                self.bodies.held()
            ));
        }
        self.bodies.release(stepped.released);
        if self.traced && (!stepped.settled.is_empty() || seat.trouble.is_some()) {
            let batches: Vec<_> = stepped.settled.iter().map(|settled| settled.provenance.batch).collect();
            self.said = Some(format!("settled {batches:?} {}", seat.trouble.as_deref().unwrap_or_default()));
        }
        let settled = stepped.settled.into_iter().map(|settled| Message::Settled { sink: at, settled });
        self.messages.extend(settled);
    }

    fn flush(&mut self, clock: &dyn Clock) {
        self.flush_at = clock.monotonic() + FLUSH_EVERY;
        match self.settler.flush() {
            Ok(lows) => {
                if self.traced && !lows.is_empty() {
                    let lows: Vec<_> = lows.iter().map(|(_, stream, low)| (stream.id.0, low)).collect();
                    self.said = Some(format!("low marks {lows:x?}"));
                }
                for (source, stream, low) in lows {
                    let seat = &mut self.readers[source];
                    seat.reader.source.settled(&stream, low);
                    seat.due = clock.monotonic();
                }
            }
            Err(error) => {
                self.flush_failures += 1;
                self.said = self.traced.then(|| format!("{error}"));
            }
        }
        let ledger = self.settler.ledger();
        for (source, sink, account) in ledger.accounts.iter().filter(|(_, _, account)| !account.balances()) {
            self.wrong.push(format!("the ledger of {source} and {sink} does not balance: {account:?}"));
        }
    }

    /// Bytes that the pools hold beyond their bounds and the largest item; an ordered sink's oldest batch may
    /// overdraw, by what its workers hold.
    pub(super) fn overdrawn(&self) -> Option<String> {
        let over = |name: &str, pool: &Pool, bound: usize, more: usize| {
            let held = pool.held();
            (held > bound + more).then(|| format!("pool {name} holds {held} bytes; its bound is {bound}"))
        };
        over("input", &self.input, self.bounds.input, self.largest.0).or_else(|| {
            over("bodies", &self.bodies, self.bounds.bodies, self.largest.1 * self.workers.len().max(1) * 2)
        })
    }

    /// All that is there is to be read, then the sources end.
    pub(super) fn finish(&mut self, now: Duration) {
        for seat in &mut self.readers {
            seat.reader.source.finish();
            seat.due = now;
        }
    }

    /// Reading stops; what was read goes through.
    pub(super) fn stop(&mut self) {
        self.stopping = true;
    }

    /// Closes the sinks once nothing more can come for them. True when all is done and the books are closed.
    pub(super) fn wind_up(&mut self, clock: &dyn Clock) -> bool {
        let read = self.readers.iter().all(|seat| seat.ended && seat.job.is_none());
        let worked = self.jobs.is_empty() && self.workers.iter().all(|seat| seat.pending.is_none());
        if !read || !worked {
            return false;
        }
        for seat in &mut self.outlets {
            // The channel's end comes after its bodies.
            while let Some(body) = seat.bodies.pop_front() {
                seat.outlet.offer(body, clock.monotonic());
                seat.next = Next::Again;
            }
            if !seat.outlet.is_closing() {
                seat.outlet.close();
                seat.next = Next::Again;
            }
        }
        if !self.messages.is_empty() || self.outlets.iter().any(|seat| seat.next != Next::Done) {
            return false;
        }
        let failures = self.flush_failures;
        self.flush(clock);
        self.flush_failures == failures
    }

    /// What is left in the pools: nothing, once all is settled.
    pub(super) fn held(&self) -> (usize, usize) {
        (self.input.held(), self.bodies.held())
    }

    /// The books.
    pub(super) fn ledger(&self) -> Ledger {
        self.settler.ledger()
    }

    /// What it waits for, for people.
    pub(super) fn waits_for(&self) -> String {
        let readers = self.readers.iter().enumerate().map(|(at, seat)| {
            let backlog = seat.reader.source.backlog();
            format!("source {at}: ended {}, {backlog:?}", seat.ended)
        });
        let outlets = self.outlets.iter().enumerate().map(|(at, seat)| {
            let trouble = seat.trouble.as_deref().unwrap_or("well");
            format!("sink {at}: {} bodies, {:?}, {trouble}", seat.bodies.len(), seat.next)
        });
        let rest = format!(
            "{} jobs, {} messages, pools hold {:?}, warnings {:?}",
            self.jobs.len(),
            self.messages.len(),
            self.held(),
            self.warnings.iter().rev().take(3).collect::<Vec<_>>()
        );
        readers.chain(outlets).chain([rest]).collect::<Vec<_>>().join("; ")
    }
}

fn handed(job: &Job) -> String {
    let run = |(stream, ranges): &(Arc<crate::position::Stream>, Vec<std::ops::Range<u64>>)| {
        format!("{:016x}.{} of {} {ranges:?}", stream.id.0, stream.generation, stream.path)
    };
    let runs: Vec<_> = job.provenance.ranges.iter().map(run).collect();
    format!("batch {}: {}", job.provenance.batch, runs.join(", "))
}
