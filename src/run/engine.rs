//! Threads and channels around the parts of a run.
//!
//! One thread per source, one per worker, one per sink, one settler. Channels carry batches and bodies; what
//! bounds them is the byte budget, their own length only guards against floods of tiny items.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam::channel::{Receiver, RecvTimeoutError, Sender, bounded, select};

use super::budget::Pool;
use super::catch_up::{CatchUp, Caught};
use super::lag::{Lags, Phase, bit};
use super::originals::{Answering, Asking, Originals};
use super::outlet::Outlet;
use super::parts::{Deliveries, Parts, Waker, gap};
use super::reader::{Job, Read, Reader};
use super::settler::{Ledger, Message, Settler};
use super::wake::Wake;
use super::watch::Watch;
use super::worker::Worker;
use crate::catalog::Runnable;
use crate::event::Batch;
use crate::limits::{
    BUDGET_BODIES_ALL_BYTES, BUDGET_BODIES_BYTES, BUDGET_INPUT_BYTES, SINK_PATIENCE, SINK_SLOW_WAIT,
    SINK_SLOW_WINDOW, TROUBLE_EVERY,
};
use crate::observe::{Stats, count};
use crate::position::{Resume, Stream};
use crate::seam::{Clock, Fs};
use crate::sink::{Body, Network, Next};
use crate::source::{Notice, Source};

/// Batches that may wait for a worker, and bodies for a sink, besides their weight in bytes.
const QUEUE_ITEMS: usize = 64;
/// Messages that may wait for the settler.
const SETTLER_QUEUE: usize = 4096;
/// How long a thread that waits for another one sleeps at most.
const REST: Duration = Duration::from_millis(100);
/// How long the settler waits for original bytes, or room for letters, when nothing else can come.
const LETTERS_WAIT: Duration = Duration::from_millis(50);
/// How often a source whose batch waits for room takes in what must not wait.
const ABSORB_EVERY: Duration = Duration::from_millis(20);
/// The same where it waits for a place in a queue, which tells nobody that it has one.
const ABSORB_FULL: Duration = Duration::from_millis(2);
/// How often settled ranges are made durable.
const FLUSH_EVERY: Duration = Duration::from_millis(500);

/// Where and how a plan runs.
#[derive(Clone)]
pub struct Settings {
    /// Folder for cursors, identities and dead letters.
    pub data_dir: PathBuf,
    /// Worker threads.
    pub workers: usize,
    /// End when all that is there has been read and settled.
    pub once: bool,
    /// Files.
    pub fs: Arc<dyn Fs>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Connections.
    pub network: Arc<dyn Network>,
}

/// A stream and its low mark: all sinks have settled what is below.
type Low = (Arc<Stream>, u64);

/// A running plan.
pub struct Engine {
    shared: Arc<Shared>,
    wakes: Vec<Arc<Wake>>,
    threads: Vec<JoinHandle<()>>,
    settler: Option<JoinHandle<Result<Ledger, String>>>,
    stats: Arc<Stats>,
}

struct Shared {
    stop: AtomicBool,
    /// Sources that are still read.
    reading: AtomicUsize,
    input: Pool,
    /// For each sink.
    bodies: Vec<Pool>,
    lags: Mutex<Lags>,
    /// A sink may have come into another phase, or it is over.
    turned: Condvar,
    /// What catch-up reads ask of each source.
    asks: Mutex<HashMap<usize, Vec<Ask>>>,
    /// What the settler asks of each source, for dead letters.
    originals: Originals,
    /// Number of the next batch.
    batches: Mutex<u64>,
    /// Low marks that the settler found, for each source to pick up.
    lows: Mutex<HashMap<usize, Vec<Low>>>,
    warnings: Mutex<Vec<String>>,
}

/// A catch-up read asks a source to be read again.
struct Ask {
    sink: usize,
    resume: Arc<dyn Resume>,
    reply: Sender<Option<Box<dyn Source>>>,
}

impl Shared {
    fn lags(&self) -> MutexGuard<'_, Lags> {
        self.lags.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether nothing will be read any more.
    fn is_over(&self) -> bool {
        self.stop.load(Ordering::Acquire) || self.reading.load(Ordering::Acquire) == 0
    }

    fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Acquire)
    }

    fn ask(&self, source: usize, ask: Ask) {
        let mut asks = self.asks.lock().unwrap_or_else(PoisonError::into_inner);
        asks.entry(source).or_default().push(ask);
    }

    fn take_asks(&self, source: usize) -> Vec<Ask> {
        self.asks.lock().unwrap_or_else(PoisonError::into_inner).remove(&source).unwrap_or_default()
    }

    fn take_lows(&self, source: usize) -> Vec<Low> {
        self.lows.lock().unwrap_or_else(PoisonError::into_inner).remove(&source).unwrap_or_default()
    }

    fn warn(&self, warning: String) {
        self.warnings.lock().unwrap_or_else(PoisonError::into_inner).push(warning);
    }
}

impl Engine {
    /// Opens all sinks and sources and starts.
    pub fn start(plan: Arc<Runnable>, settings: &Settings) -> Result<Self, String> {
        let stats = plan.stats();
        let bells: Vec<_> = plan.sinks.iter().map(|_| bell()).collect();
        let wakers: Vec<Waker> = bells.iter().map(|(waker, _)| waker.clone()).collect();
        let mut parts = Parts::open(&plan, settings, &stats, &wakers)?;
        let share = BUDGET_BODIES_BYTES.min(BUDGET_BODIES_ALL_BYTES / plan.sinks.len().max(1));
        let shared = Arc::new(Shared {
            stop: AtomicBool::new(false),
            reading: AtomicUsize::new(parts.readers.len()),
            input: Pool::new(BUDGET_INPUT_BYTES),
            bodies: plan.sinks.iter().map(|_| Pool::new(share)).collect(),
            lags: Mutex::new(parts.lags.clone()),
            turned: Condvar::new(),
            asks: Mutex::default(),
            originals: Originals::default(),
            batches: Mutex::new(0),
            lows: Mutex::default(),
            warnings: Mutex::new(std::mem::take(&mut parts.warnings)),
        });
        let mut engine = Self { shared, wakes: Vec::new(), threads: Vec::new(), settler: None, stats };
        match engine.spawn(&plan, &settings.clock, parts, bells) {
            Ok(()) => Ok(engine),
            Err(error) => {
                engine.stop();
                engine.shared.originals.end(&engine.wakes);
                let _ = engine.join();
                Err(error)
            }
        }
    }

    fn spawn(
        &mut self,
        plan: &Arc<Runnable>,
        clock: &Arc<dyn Clock>,
        parts: Parts,
        bells: Vec<(Waker, Receiver<()>)>,
    ) -> Result<(), String> {
        let (to_settler, for_settler) = bounded(SETTLER_QUEUE);
        let (to_workers, for_workers) = bounded(QUEUE_ITEMS);
        for (index, reader) in parts.readers.into_iter().enumerate() {
            let wake =
                Arc::new(Wake::new().map_err(|error| format!("cannot make an event descriptor: {error}"))?);
            self.wakes.push(wake.clone());
            let reading = Reading {
                index,
                shared: self.shared.clone(),
                stats: self.stats.clone(),
                clock: clock.clone(),
                wake,
                to_workers: to_workers.clone(),
                settler: to_settler.clone(),
            };
            self.thread(format!("source-{index}"), move || {
                let (mut reader, shared) = (reader, reading.shared.clone());
                let _answering = Answering(&shared.originals, index);
                reading.run(&mut reader);
                reading.leave(&mut *reader.source);
            })?;
        }
        drop(to_workers);
        let (to_sinks, queues): (Vec<_>, Vec<_>) =
            parts.outlets.iter().map(|_| bounded::<Body>(QUEUE_ITEMS)).unzip();
        let (shared, stats) = (self.shared.clone(), self.stats.clone());
        let working = || Working {
            sinks: to_sinks.clone(),
            settler: to_settler.clone(),
            shared: shared.clone(),
            plan: plan.clone(),
            stats: stats.clone(),
            clock: clock.clone(),
        };
        for (index, worker) in parts.workers.into_iter().enumerate() {
            let (jobs, working) = (for_workers.clone(), working());
            self.thread(format!("worker-{index}"), move || working.run(worker, &jobs))?;
        }
        if plan.sinks.len() > 1 {
            for (sink, named) in plan.sinks.iter().enumerate().filter(|(_, named)| named.required) {
                let catching_up = CatchingUp {
                    sink,
                    resume: Arc::new(parts.settler.resume(sink)),
                    working: working(),
                    wakes: self.wakes.clone(),
                };
                self.thread(format!("again-{}", named.name), move || catching_up.run())?;
            }
        }
        drop(to_sinks);
        for (index, ((outlet, bodies), (waker, wake))) in
            parts.outlets.into_iter().zip(queues).zip(bells).enumerate()
        {
            let (settler, shared, stats) = (to_settler.clone(), self.shared.clone(), self.stats.clone());
            let clock = clock.clone();
            self.thread(format!("sink-{index}"), move || {
                // Kept for sinks that never wake anybody: a channel without a sender is always ready, and waiting
                // for it takes a whole core.
                let _waker = waker;
                deliver(index, outlet, &bodies, &wake, &settler, &shared, &stats, &*clock);
            })?;
        }
        drop(to_settler);
        let (shared, wakes, clock) = (self.shared.clone(), self.wakes.clone(), clock.clone());
        let stats = self.stats.clone();
        let settler = parts.settler;
        let settler = std::thread::Builder::new()
            .name("settler".into())
            .spawn(move || settle(settler, &for_settler, &shared, &wakes, &stats, &*clock))
            .map_err(|error| format!("cannot start a thread: {error}"))?;
        self.settler = Some(settler);
        Ok(())
    }

    fn thread(&mut self, name: String, body: impl FnOnce() + Send + 'static) -> Result<(), String> {
        let thread = std::thread::Builder::new().name(name).spawn(body);
        self.threads.push(thread.map_err(|error| format!("cannot start a thread: {error}"))?);
        Ok(())
    }

    /// The counters, with what the budget's pools hold.
    pub fn stats(&self) -> Arc<Stats> {
        let held = |pool: &Pool| pool.held() as u64;
        self.stats.lock().budget =
            vec![("input", held(&self.shared.input)), ("bodies", self.shared.bodies.iter().map(held).sum())];
        self.stats.clone()
    }

    /// What a person should know, said since the last call.
    pub fn warnings(&self) -> Vec<String> {
        std::mem::take(&mut self.shared.warnings.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Stops reading; what was read goes through.
    pub fn stop(&self) {
        self.shared.stop.store(true, Ordering::Release);
        for wake in &self.wakes {
            wake.ring();
        }
        self.shared.turned.notify_all();
    }

    /// Whether all is read and settled.
    pub fn is_finished(&self) -> bool {
        self.settler.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Waits until all that was read has gone through, and closes the books.
    pub fn join(mut self) -> Result<Ledger, String> {
        for thread in self.threads.drain(..) {
            thread.join().map_err(|_| "a thread of the pipeline panicked; please report this".to_owned())?;
        }
        match self.settler.take() {
            Some(settler) => {
                settler.join().map_err(|_| "the settler panicked; please report this".to_owned())?
            }
            None => Ok(Ledger::default()),
        }
    }
}

/// What wakes a sink's thread, and what the thread hears of it.
fn bell() -> (Waker, Receiver<()>) {
    let (sender, receiver) = bounded::<()>(1);
    // A full channel means that a wake-up is on its way already.
    let waker = Arc::new(move || {
        let _ = sender.try_send(());
    });
    (waker, receiver)
}

/// The thread of a source.
struct Reading {
    index: usize,
    shared: Arc<Shared>,
    stats: Arc<Stats>,
    clock: Arc<dyn Clock>,
    wake: Arc<Wake>,
    to_workers: Sender<Job>,
    settler: Sender<Message>,
}

impl Drop for Reading {
    fn drop(&mut self) {
        self.shared.reading.fetch_sub(1, Ordering::AcqRel);
        self.shared.turned.notify_all();
    }
}

impl Reading {
    fn run(&self, reader: &mut Reader) {
        let mut notices = Vec::new();
        let mut ended = false;
        loop {
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
                    self.wake.wait(wait, reader.source.wake_fd());
                }
                Read::End if owes && !stopping => ended = true,
                Read::End => return,
            }
        }
    }

    /// Lets a source hear of what settles of the rows that it has handed on, and answers for it what is asked of it, until
    /// the books are closed. Workers must not wait for it meanwhile.
    fn leave(self, source: &mut dyn Source) {
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

fn note(notice: Notice, index: usize, shared: &Shared, stats: &Stats) {
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

/// The thread of a worker.
struct Working {
    sinks: Vec<Sender<Body>>,
    settler: Sender<Message>,
    shared: Arc<Shared>,
    plan: Arc<Runnable>,
    stats: Arc<Stats>,
    clock: Arc<dyn Clock>,
}

/// How long a worker has waited for a sink of late.
#[derive(Clone, Copy, Default)]
struct Waited {
    since: Duration,
    waited: Duration,
}

impl Working {
    fn run(&self, mut worker: Worker, jobs: &Receiver<Job>) {
        let mut waited = vec![Waited::default(); self.sinks.len()];
        for job in jobs {
            let number = job.provenance.batch;
            let ordered = |sink: &usize| self.plan.sinks[*sink].plan.ordered() && job.sinks & bit(*sink) != 0;
            let ordered: Vec<_> = (0..self.sinks.len()).filter(ordered).collect();
            ordered.iter().for_each(|sink| self.shared.bodies[*sink].begin(number));
            let outcome = worker.process(job);
            self.shared.input.release(outcome.input_bytes);
            let (message, Deliveries { first, rest }) = outcome.divide(&self.plan);
            if self.settler.send(message).is_err() {
                return;
            }
            for (sink, body) in first {
                let sent = self.send(sink, body, Some(number), &mut waited[sink]);
                self.shared.bodies[sink].end(number);
                if !sent {
                    return;
                }
            }
            for (sink, body) in rest {
                if !self.send(sink, body, None, &mut waited[sink]) {
                    return;
                }
            }
        }
    }

    /// Hands a body to a sink when there is room, or sets the sink apart; false where the sink is gone.
    fn send(&self, sink: usize, body: Body, ordered: Option<u64>, waited: &mut Waited) -> bool {
        if body.bytes > 0 && !self.acquire(sink, body.bytes, ordered, waited) {
            return self.withhold(sink, &body, ordered.is_some());
        }
        self.sinks[sink].send(body).is_ok()
    }

    /// Waits for room. False: the sink is set apart.
    fn acquire(&self, sink: usize, bytes: usize, ordered: Option<u64>, waited: &mut Waited) -> bool {
        let pool = &self.shared.bodies[sink];
        let begun = self.clock.monotonic();
        let slow =
            |waited: &Waited| begun < waited.since + SINK_SLOW_WINDOW && waited.waited > SINK_SLOW_WAIT;
        loop {
            let has_room = match ordered {
                Some(number) => pool.acquire_for(number, bytes, SINK_PATIENCE),
                None => pool.acquire_within(bytes, SINK_PATIENCE),
            };
            let now = self.clock.monotonic();
            if begun >= waited.since + SINK_SLOW_WINDOW {
                *waited = Waited { since: begun, waited: Duration::ZERO };
            }
            waited.waited += now.saturating_sub(begun);
            if (!has_room || slow(waited)) && self.part(sink) {
                *waited = Waited::default();
                if has_room {
                    pool.release(bytes);
                }
                return false;
            }
            if has_room {
                return true;
            }
        }
    }

    fn part(&self, sink: usize) -> bool {
        let (before, apart) = {
            let mut lags = self.shared.lags();
            (lags.phase(sink), lags.part(sink))
        };
        if apart && before == Phase::With {
            let name = &self.plan.sinks[sink].name;
            let after = if self.plan.sinks[sink].required {
                "the others go on, and it will read again what it missed"
            } else {
                "the others go on; it is not required, and what it misses is not sent again"
            };
            self.shared.warn(format!("sink {name} does not keep up: {after}"));
        }
        apart
    }

    fn withhold(&self, sink: usize, body: &Body, ordered: bool) -> bool {
        let batch = body.provenance.batch;
        self.stats.lock().sinks[sink].1.withheld(u64::from(body.rows));
        let told = self.settler.send(Message::Withheld { sink, batch }).is_ok();
        told && (!ordered || self.sinks[sink].send(Body::withheld(batch)).is_ok())
    }
}

/// The thread of the catch-up reads of a sink.
struct CatchingUp {
    sink: usize,
    resume: Arc<dyn Resume>,
    working: Working,
    wakes: Vec<Arc<Wake>>,
}

impl CatchingUp {
    fn run(&self) {
        while self.wait_until_ready() {
            let read = CatchUp::new(&self.working.plan, self.sink, self.resume.clone());
            match read {
                Ok(read) => {
                    self.shared().lags().begin(self.sink);
                    self.catch_up(read);
                }
                // Its encoders were made before, from the same plan.
                Err(error) => return self.shared().warn(error),
            }
        }
    }

    fn shared(&self) -> &Shared {
        &self.working.shared
    }

    /// Whether there is something to catch up with; false when nobody reads any more.
    fn wait_until_ready(&self) -> bool {
        let shared = self.shared();
        let mut lags = shared.lags();
        while !shared.is_over() {
            if lags.phase(self.sink) == Phase::Ready {
                return true;
            }
            lags = shared.turned.wait_timeout(lags, REST).unwrap_or_else(PoisonError::into_inner).0;
        }
        false
    }

    fn catch_up(&self, mut read: CatchUp) {
        let clock = &self.working.clock;
        let mut notices = Vec::new();
        let mut joining = false;
        while !self.shared().is_over() {
            let caught = read.step(clock.monotonic(), clock.now_unix_ns(), &mut notices);
            for notice in notices.drain(..) {
                for message in gap(&notice, Some(self.sink)) {
                    let _ = self.working.settler.send(message);
                }
                if let Notice::Gap { stream, .. } = &notice
                    && let Some(index) = self.source(&stream.source)
                {
                    note(notice, index, self.shared(), &self.working.stats);
                }
            }
            match caught {
                Caught::Ask(source) => match self.ask(source, &read) {
                    Some(opened) => read.give(source, opened),
                    None => return,
                },
                Caught::Batch(source, batch) => {
                    if !self.deliver(source, batch, &mut read) {
                        return;
                    }
                }
                Caught::More => {}
                Caught::Wait(until) => {
                    std::thread::sleep(until.saturating_sub(clock.monotonic()).min(REST));
                }
                Caught::Round(_) if joining => {
                    self.shared().lags().joined(self.sink);
                    self.ring();
                    let name = &self.working.plan.sinks[self.sink].name;
                    return self.shared().warn(format!("sink {name} has caught up"));
                }
                Caught::Round(close) if close => {
                    joining = true;
                    self.shared().lags().join(self.sink);
                    self.ring();
                }
                Caught::Round(_) => {}
            }
        }
    }

    fn source(&self, name: &str) -> Option<usize> {
        self.working.plan.sources.iter().position(|source| source.name == name)
    }

    fn ring(&self) {
        self.wakes.iter().for_each(|wake| wake.ring());
    }

    /// Asks the thread of a source; `None` when it is over.
    fn ask(&self, source: usize, read: &CatchUp) -> Option<Option<Box<dyn Source>>> {
        let (reply, answer) = bounded(1);
        self.shared().ask(source, Ask { sink: self.sink, resume: read.resume(), reply });
        self.wakes.get(source)?.ring();
        loop {
            match answer.recv_timeout(REST) {
                Ok(opened) => return Some(opened),
                Err(RecvTimeoutError::Timeout) if !self.shared().is_over() => {}
                Err(_) => return None,
            }
        }
    }

    /// Takes a batch through the steps and hands it to the sink; false when it is over.
    fn deliver(&self, source: usize, batch: Batch, read: &mut CatchUp) -> bool {
        let job = {
            let mut number = self.shared().batches.lock().unwrap_or_else(PoisonError::into_inner);
            let mut job = Job::new(*number, source, batch);
            job.sinks = self.shared().lags().hand_again(self.sink);
            *number += 1;
            let message = Message::Handed { provenance: job.provenance.clone(), opened: Vec::new() };
            if self.working.settler.send(message).is_err() {
                return false;
            }
            job
        };
        let (message, Deliveries { first, rest }) = read.process(job).divide(&self.working.plan);
        self.working.stats.lock().sinks[self.sink].1.offered += read.offered_rows();
        if self.working.settler.send(message).is_err() {
            return false;
        }
        let (mine, others): (Vec<_>, Vec<_>) =
            first.into_iter().chain(rest).partition(|(sink, _)| *sink == self.sink);
        let sinks = &self.working.sinks;
        if others.into_iter().any(|(sink, body)| sinks[sink].send(body).is_err()) {
            return false;
        }
        mine.into_iter().all(|(sink, body)| {
            while !self.shared().bodies[sink].acquire_within(body.bytes, REST) {
                if self.shared().is_over() {
                    let ordered = self.working.plan.sinks[sink].plan.ordered();
                    return self.working.withhold(sink, &body, ordered) && false;
                }
            }
            sinks[sink].send(body).is_ok()
        })
    }
}

#[expect(clippy::too_many_arguments, reason = "what a thread is given, once")]
fn deliver(
    index: usize,
    mut outlet: Outlet,
    bodies: &Receiver<Body>,
    wake: &Receiver<()>,
    settler: &Sender<Message>,
    shared: &Shared,
    stats: &Stats,
    clock: &dyn Clock,
) {
    let mut open = true;
    let mut next = Next::Idle;
    // The trouble that was told, until it is over, and when.
    let (mut told, mut told_at) = (false, None::<Duration>);
    loop {
        let wait = match next {
            Next::Again => Duration::ZERO,
            Next::At(at) => at.saturating_sub(clock.monotonic()),
            Next::Idle => Duration::from_secs(3600),
            Next::Done => {
                // Before it was closed: the reader of standard output has left, which ends the run.
                if open {
                    shared.stop.store(true, Ordering::Release);
                }
                return;
            }
        };
        let offer = |outlet: &mut Outlet, body: Body| {
            stats.lock().sinks[index].1.bytes += body.payload_bytes() as u64;
            outlet.offer(body, clock.monotonic());
        };
        if open {
            select! {
                recv(bodies) -> body => match body {
                    Ok(body) => offer(&mut outlet, body),
                    Err(_) => {
                        open = false;
                        outlet.close();
                    }
                },
                recv(wake) -> _ => {}
                default(wait) => {}
            }
            while let Ok(body) = bodies.try_recv() {
                offer(&mut outlet, body);
            }
        } else if next != Next::Again {
            let _ = wake.recv_timeout(wait);
        }
        let stepped = outlet.step(clock.monotonic());
        next = stepped.next;
        shared.bodies[index].release(stepped.released);
        let now = clock.monotonic();
        match &stepped.trouble {
            Some(trouble) if !told && told_at.is_none_or(|at| now >= at + TROUBLE_EVERY) => {
                shared.warn(format!("sink {}: {trouble}", stats.lock().sinks[index].0));
                (told, told_at) = (true, Some(now));
            }
            None if std::mem::take(&mut told) => {
                shared.warn(format!("sink {} delivers again", stats.lock().sinks[index].0));
            }
            _ => {}
        }
        for warning in stepped.warnings {
            shared.warn(warning);
        }
        for (field, rows) in stepped.set_aside {
            count(&mut stats.lock().sinks[index].1.set_aside, &field, rows);
        }
        report(index, &stepped.settled, stepped.trouble, stats);
        for settled in stepped.settled {
            if settler.send(Message::Settled { sink: index, settled }).is_err() {
                return;
            }
        }
    }
}

fn report(index: usize, settled: &[crate::sink::Settled], trouble: Option<String>, stats: &Stats) {
    let mut stats = stats.lock();
    let (_, stats) = &mut stats.sinks[index];
    stats.trouble = trouble;
    for settled in settled {
        stats.delivered += u64::from(settled.delivered);
        stats.repeated += u64::from(settled.repeated);
        for (rejection, _) in &settled.rejected {
            count(&mut stats.rejected, rejection.kind(), 1);
        }
    }
}

fn settle(
    mut settler: Settler,
    messages: &Receiver<Message>,
    shared: &Shared,
    wakes: &[Arc<Wake>],
    stats: &Stats,
    clock: &dyn Clock,
) -> Result<Ledger, String> {
    let _asking = Asking(&shared.originals, wakes);
    let mut watch = Watch::default();
    let mut flushed = clock.monotonic();
    loop {
        let wait = (flushed + FLUSH_EVERY).saturating_sub(clock.monotonic());
        let ended = match messages.recv_timeout(wait) {
            Ok(message) => {
                let done = if let Message::Processed { sinks, .. } = &message { *sinks } else { 0 };
                settler.take(message, clock.now_unix_ns());
                shared.lags().done(done);
                false
            }
            Err(crossbeam::channel::RecvTimeoutError::Timeout) => false,
            Err(crossbeam::channel::RecvTimeoutError::Disconnected) => true,
        };
        shared.originals.exchange(&mut settler, wakes);
        let now = clock.monotonic();
        if ended || now >= flushed + FLUSH_EVERY {
            flushed = now;
            let flushing = settler.flush();
            watch.look(&mut settler, stats, now).into_iter().for_each(|warning| shared.warn(warning));
            match flushing {
                Ok(lows) => {
                    look_at_lags(&settler, shared, wakes);
                    let mut shared = shared.lows.lock().unwrap_or_else(PoisonError::into_inner);
                    for (source, stream, low) in lows {
                        shared.entry(source).or_default().push((stream, low));
                        if let Some(wake) = wakes.get(source) {
                            wake.ring();
                        }
                    }
                }
                // Nothing is lost: the ranges stay dirty and are written with the next flush.
                Err(error) if !ended => {
                    let mut warnings = shared.warnings.lock().unwrap_or_else(PoisonError::into_inner);
                    warnings.push(format!("cannot write the cursor log, trying again: {error}"));
                }
                Err(error) => return Err(format!("cannot write the cursor log: {error}")),
            }
        }
        settler.warnings().into_iter().for_each(|warning| shared.warn(warning));
        if ended && (!settler.letters().is_waiting() || (shared.is_stopped() && settler.letters().is_full()))
        {
            return Ok(settler.ledger());
        }
        if ended {
            shared.originals.rest(LETTERS_WAIT);
        }
    }
}

/// A sink that was set apart and is done with all that it was offered may catch up.
fn look_at_lags(settler: &Settler, shared: &Shared, wakes: &[Arc<Wake>]) {
    let mut lags = shared.lags();
    let quiet: Vec<_> = lags.apart().filter(|sink| !settler.owes(*sink)).collect();
    for sink in &quiet {
        lags.quiet(*sink);
    }
    if !quiet.is_empty() {
        shared.turned.notify_all();
        wakes.iter().for_each(|wake| wake.ring());
    }
}
