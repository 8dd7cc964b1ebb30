//! One life of the process: the parts that [`crate::run`] opens, with queues in place of channels, stepped on one
//! thread in an order that the seed chooses.

mod again;
mod seats;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::alerts::Observed;
use super::subject::{Destination, Subject};
use crate::catalog::Runnable;
use crate::limits::SINK_PATIENCE;
use crate::run::budget::Pool;
use crate::run::lag::Lags;
use crate::run::{Job, Ledger, Message, Parts, Settings, Settler, Waker};
use crate::seam::Clock;
use crate::seam::sim::Dice;
use crate::sink::Next;
use crate::source::Notice;
use again::AgainSeat;
use seats::{OutletSeat, ReaderSeat, WorkerSeat};

/// Who can be stepped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Actor {
    /// A source's reader.
    Reader(usize),
    /// A worker.
    Worker(usize),
    /// The catch-up read of a sink.
    Again(usize),
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
            Self::Again(at) => 400 + at as u64,
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

/// How often settled ranges are made durable.
const FLUSH_EVERY: Duration = Duration::from_millis(500);

/// Messages that may wait for the settler.
const SETTLER_QUEUE: usize = 4096;

/// A running process.
pub(super) struct Process {
    plan: Arc<Runnable>,
    readers: Vec<ReaderSeat>,
    workers: Vec<WorkerSeat>,
    outlets: Vec<OutletSeat>,
    settler: Settler,
    messages: VecDeque<Message>,
    jobs: VecDeque<Job>,
    batches: u64,
    input: Pool,
    lags: Lags,
    again: Vec<AgainSeat>,
    bounds: Bounds,
    /// The largest items that came, by which a pool may pass its bound.
    largest: (usize, usize),
    flush_at: Duration,
    stopping: bool,
    /// Shares of batches that were withheld from a sink that did not keep up, and catch-up reads.
    pub(super) withheld: u64,
    pub(super) catch_ups: u64,
    traced: bool,
    flush_failures: u64,
    /// What people are told.
    pub(super) warnings: Vec<String>,
    /// Gaps that were reported.
    pub(super) gaps: Vec<Gap>,
    /// What detectors were told, by the number of their sink.
    pub(super) observed: BTreeMap<usize, Observed>,
    /// Nothing more comes but what aludel itself wrote down.
    finishing: bool,
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
    /// The one sink that lost it; `None` for all.
    pub(super) sink: Option<usize>,
}

impl Process {
    /// Opens everything.
    pub(super) fn start(
        subject: &Subject,
        settings: &Settings,
        bounds: Bounds,
        traced: bool,
    ) -> Result<Self, String> {
        let stats = subject.plan.stats();
        let bells: Vec<Arc<AtomicBool>> = subject.plan.sinks.iter().map(|_| Arc::default()).collect();
        let waker = |bell: &Arc<AtomicBool>| -> Waker {
            let bell = bell.clone();
            Arc::new(move || bell.store(true, Ordering::Relaxed))
        };
        let wakers: Vec<Waker> = bells.iter().map(waker).collect();
        let parts =
            Parts::open(&subject.plan, settings, &stats, &wakers).map_err(|error| error.to_string())?;
        let now = settings.clock.monotonic();
        let outlets = parts.outlets.into_iter().zip(bells);
        let outlets = outlets.map(|(outlet, rung)| OutletSeat::new(outlet, rung, bounds.bodies));
        let is_detectors = |of: &Destination| matches!(of, Destination::Detectors(_));
        let sinks = subject.destinations.iter().enumerate();
        let observed = sinks.filter(|(_, of)| is_detectors(of)).map(|(sink, _)| (sink, Observed::default()));
        let several = subject.plan.sinks.len() > 1;
        let required = |sink: &usize| several && subject.plan.sinks[*sink].required;
        let again = (0..subject.plan.sinks.len()).filter(required);
        let again = again.map(|sink| AgainSeat::new(sink, Arc::new(parts.settler.resume(sink)))).collect();
        Ok(Self {
            plan: subject.plan.clone(),
            readers: parts.readers.into_iter().map(|reader| ReaderSeat::new(reader, now)).collect(),
            workers: parts.workers.into_iter().map(WorkerSeat::new).collect(),
            outlets: outlets.collect(),
            settler: parts.settler,
            messages: VecDeque::new(),
            jobs: VecDeque::new(),
            batches: 0,
            input: Pool::new(bounds.input),
            lags: parts.lags,
            again,
            bounds,
            largest: (0, 0),
            flush_at: now + FLUSH_EVERY,
            stopping: false,
            withheld: 0,
            catch_ups: 0,
            flush_failures: 0,
            warnings: parts.warnings,
            gaps: Vec::new(),
            observed: observed.collect(),
            finishing: false,
            wrong: Vec::new(),
            said: None,
            traced,
        })
    }

    /// Everybody who has something to do.
    pub(super) fn ready(&self, now: Duration, answers: Option<Duration>, ready: &mut Vec<Actor>) {
        ready.clear();
        for at in 0..self.readers.len() {
            if self.reader_is_ready(at, now) {
                ready.push(Actor::Reader(at));
            }
        }
        for at in 0..self.workers.len() {
            if self.worker_is_ready(at, now) {
                ready.push(Actor::Worker(at));
            }
        }
        for at in 0..self.again.len() {
            if self.again_is_ready(at, now) {
                ready.push(Actor::Again(at));
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

    /// Whether the settler's queue has room.
    fn has_room(&self) -> bool {
        self.messages.len() < SETTLER_QUEUE
    }

    /// When somebody has something to do, if nothing comes in before.
    pub(super) fn next_due(&self) -> Duration {
        let readers = self.readers.iter().filter(|seat| !seat.ended && seat.batch.is_none());
        let outlets = self.outlets.iter().filter_map(|seat| match seat.next {
            Next::At(due) => Some(due),
            _ => None,
        });
        let workers =
            self.workers.iter().filter_map(|seat| seat.waits_since).map(|since| since + SINK_PATIENCE);
        let again = self.again.iter().filter_map(|seat| seat.due);
        let all = readers.map(|seat| seat.due).chain(outlets).chain(workers).chain(again);
        all.fold(self.flush_at, Duration::min)
    }

    /// Lets one part work once.
    pub(super) fn step(&mut self, actor: Actor, clock: &dyn Clock, dice: &mut Dice) {
        match actor {
            Actor::Reader(at) => self.read(at, clock),
            Actor::Worker(at) => self.work(at, clock.monotonic()),
            Actor::Again(at) => self.read_again(at, clock),
            Actor::Outlet(at) => self.deliver(at, clock.monotonic()),
            Actor::Settler => {
                let some = 1 + dice.below(self.messages.len() as u64);
                for message in self.messages.drain(..some as usize) {
                    let done = if let Message::Processed { sinks, .. } = &message { *sinks } else { 0 };
                    self.settler.take(message, clock.now_unix_ns());
                    self.lags.done(done);
                }
                self.ask_for_originals();
            }
            Actor::Flush => {
                self.ask_for_originals();
                self.flush(clock);
            }
        }
    }

    /// Dead letters ask for their original bytes; the readers answer when it is their turn.
    fn ask_for_originals(&mut self) {
        for ask in self.settler.letters().asks() {
            self.readers[ask.source].originals.push_back((ask.number, ask.stream, ask.range));
        }
    }

    /// What a notice says is kept for the reckoning.
    fn note(&mut self, notice: Notice, sink: Option<usize>) {
        match notice {
            Notice::Gap { stream, start, end, cause } => {
                if self.traced {
                    self.warnings.push(format!("gap in {stream:?}: {start}..{end:?}: {cause}"));
                }
                let (stream, generation) = (stream.id.0, stream.generation);
                self.gaps.push(Gap { stream, generation, start, end, cause, sink });
            }
            Notice::Warning(warning) => self.warnings.push(warning),
        }
    }

    fn deliver(&mut self, at: usize, now: Duration) {
        let seat = &mut self.outlets[at];
        seat.rung.store(false, Ordering::Relaxed);
        let mut observed = self.observed.get_mut(&at);
        while let Some(body) = seat.bodies.pop_front() {
            observed.iter_mut().for_each(|of| of.note(&body));
            seat.outlet.offer(body, now);
        }
        let stepped = seat.outlet.step(now);
        observed.iter_mut().for_each(|of| of.counts(&stepped.rules));
        if self.traced {
            self.warnings.extend(stepped.warnings);
        }
        seat.next = stepped.next;
        seat.trouble = stepped.trouble;
        let held = seat.pool.held();
        if stepped.released > held {
            let released = stepped.released;
            self.wrong.push(format!("sink {at} gave back {released} bytes, and its pool holds {held}"));
        }
        seat.pool.release(stepped.released);
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
                let quiet: Vec<_> = self.lags.apart().filter(|sink| !self.settler.owes(*sink)).collect();
                quiet.into_iter().for_each(|sink| self.lags.quiet(sink));
                for (source, stream, low) in lows {
                    let seat = &mut self.readers[source];
                    seat.reader.source.settled(&stream, low);
                    seat.due = clock.monotonic();
                }
            }
            Err(error) => {
                self.flush_failures += 1;
                self.said = self.traced.then(|| error.to_string());
            }
        }
        let ledger = self.settler.ledger();
        for (source, sink, account) in ledger.accounts.iter().filter(|(_, _, account)| !account.balances()) {
            self.wrong.push(format!("the ledger of {source} and {sink} does not balance: {account:?}"));
        }
    }

    /// A pool that holds more than its bound and the largest item; the oldest batch of an ordered sink may
    /// overdraw, one for each worker.
    pub(super) fn overdrawn(&self) -> Option<String> {
        let over = |name: &str, pool: &Pool, bound: usize, more: usize| {
            let held = pool.held();
            (held > bound + more).then(|| format!("pool {name} holds {held} bytes; its bound is {bound}"))
        };
        let more = self.largest.1 * (self.workers.len() + 1);
        let bodies =
            self.outlets.iter().find_map(|seat| over("bodies", &seat.pool, self.bounds.bodies, more));
        bodies.or_else(|| over("input", &self.input, self.bounds.input, self.largest.0))
    }

    /// All that is there is to be read, then the sources end.
    pub(super) fn finish(&mut self, now: Duration) {
        self.finishing = true;
        self.end_sources(false, now);
    }

    /// Sources end that hand on what aludel wrote down itself, or those that do not.
    fn end_sources(&mut self, own: bool, now: Duration) {
        for (seat, of) in self.readers.iter_mut().zip(&self.plan.sources) {
            if of.plan.own().is_some() == own {
                seat.reader.source.finish();
                seat.due = now;
            }
        }
    }

    /// Once all has settled that came from elsewhere, and what follows from it is written, the sources end that hand
    /// that on.
    fn conclude(&mut self, now: Duration) {
        let mut others =
            self.readers.iter().zip(&self.plan.sources).filter(|(_, of)| of.plan.own().is_none());
        let is_read = others.all(|(seat, _)| seat.ended && seat.batch.is_none());
        if !self.finishing || !is_read || !self.messages.is_empty() || self.settler.has_open_of_others() {
            return;
        }
        let mut concluded = true;
        for seat in &mut self.outlets {
            let is_done = seat.outlet.conclude();
            if !is_done {
                seat.next = Next::Again;
            }
            concluded &= is_done;
        }
        if concluded {
            self.finishing = false;
            self.end_sources(true, now);
        }
    }

    /// Reading stops; what was read goes through.
    pub(super) fn stop(&mut self) {
        self.stopping = true;
    }

    /// Closes the sinks once nothing more can come for them. True when all is done and the books are closed.
    pub(super) fn wind_up(&mut self, clock: &dyn Clock) -> bool {
        self.conclude(clock.monotonic());
        let read = self.readers.iter().all(|seat| seat.ended && seat.batch.is_none());
        let worked = self.jobs.is_empty() && self.workers.iter().all(|seat| seat.pending.is_none());
        if !read || !worked || self.again.iter().any(|seat| seat.is_busy()) {
            return false;
        }
        for (at, seat) in self.outlets.iter_mut().enumerate() {
            // The channel's end comes after its bodies.
            while let Some(body) = seat.bodies.pop_front() {
                self.observed.get_mut(&at).iter_mut().for_each(|of| of.note(&body));
                seat.outlet.offer(body, clock.monotonic());
                seat.next = Next::Again;
            }
            if !seat.outlet.is_closing() {
                if !self.stopping {
                    seat.outlet.conclude();
                }
                seat.outlet.close();
                seat.next = Next::Again;
            }
        }
        if !self.messages.is_empty() || self.outlets.iter().any(|seat| seat.next != Next::Done) {
            return false;
        }
        let failures = self.flush_failures;
        self.ask_for_originals();
        self.flush(clock);
        self.flush_failures == failures && !self.settler.letters().is_waiting()
    }

    /// What is left in the pools: nothing, once all is settled.
    pub(super) fn held(&self) -> (usize, usize) {
        (self.input.held(), self.outlets.iter().map(|seat| seat.pool.held()).sum())
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
            let phase = self.lags.phase(at);
            format!("sink {at}: {phase:?}, {} bodies, {:?}, {trouble}", seat.bodies.len(), seat.next)
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
