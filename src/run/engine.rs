//! Threads and channels around the parts of a run.
//!
//! One thread per source, one per worker, one per sink, one settler. Channels carry batches and bodies; what
//! bounds them is the byte budget, their own length only guards against floods of tiny items.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam::channel::{Receiver, Sender, bounded, select};

use super::budget::Pool;
use super::outlet::Outlet;
use super::parts::{Deliveries, Parts, Waker};
use super::reader::{Job, Read, Reader};
use super::settler::{Ledger, Message, Settler};
use super::wake::Wake;
use super::worker::Worker;
use crate::catalog::Runnable;
use crate::limits::{BUDGET_BODIES_BYTES, BUDGET_INPUT_BYTES};
use crate::observe::{Stats, count};
use crate::position::Stream;
use crate::seam::{Clock, Fs};
use crate::sink::{Body, Network, Next};
use crate::source::Notice;

/// Batches that may wait for a worker, and bodies for a sink, besides their weight in bytes.
const QUEUE_ITEMS: usize = 64;
/// Messages that may wait for the settler.
const SETTLER_QUEUE: usize = 4096;
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
    input: Pool,
    bodies: Pool,
    /// Number of the next batch.
    batches: Mutex<u64>,
    /// Low marks that the settler found, for each source to pick up.
    lows: Mutex<HashMap<usize, Vec<Low>>>,
    warnings: Mutex<Vec<String>>,
}

impl Engine {
    /// Opens all sinks and sources and starts.
    pub fn start(plan: Arc<Runnable>, settings: &Settings) -> Result<Self, String> {
        let stats = plan.stats();
        let bells: Vec<_> = plan.sinks.iter().map(|_| bell()).collect();
        let wakers: Vec<Waker> = bells.iter().map(|(waker, _)| waker.clone()).collect();
        let mut parts = Parts::open(&plan, settings, &stats, &wakers)?;
        let shared = Arc::new(Shared {
            stop: AtomicBool::new(false),
            input: Pool::new(BUDGET_INPUT_BYTES),
            bodies: Pool::new(BUDGET_BODIES_BYTES),
            batches: Mutex::new(0),
            lows: Mutex::default(),
            warnings: Mutex::new(std::mem::take(&mut parts.warnings)),
        });
        let mut engine = Self { shared, wakes: Vec::new(), threads: Vec::new(), settler: None, stats };
        match engine.spawn(&plan, &settings.clock, parts, bells) {
            Ok(()) => Ok(engine),
            Err(error) => {
                engine.stop();
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
            let (shared, stats, clock) = (self.shared.clone(), self.stats.clone(), clock.clone());
            let (to_workers, settler) = (to_workers.clone(), to_settler.clone());
            self.thread(format!("source-{index}"), move || {
                read(reader, index, &shared, &stats, &*clock, &wake, &to_workers, &settler);
            })?;
        }
        drop(to_workers);
        let (to_sinks, queues): (Vec<_>, Vec<_>) =
            parts.outlets.iter().map(|_| bounded::<Body>(QUEUE_ITEMS)).unzip();
        for (index, worker) in parts.workers.into_iter().enumerate() {
            let (jobs, sinks, settler) = (for_workers.clone(), to_sinks.clone(), to_settler.clone());
            let (shared, plan) = (self.shared.clone(), plan.clone());
            self.thread(format!("worker-{index}"), move || {
                work(worker, &jobs, &sinks, &settler, &shared, &plan);
            })?;
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
        let settler = parts.settler;
        let settler = std::thread::Builder::new()
            .name("settler".into())
            .spawn(move || settle(settler, &for_settler, &shared, &wakes, &*clock))
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
            vec![("input", held(&self.shared.input)), ("bodies", held(&self.shared.bodies))];
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

#[expect(clippy::too_many_arguments, reason = "what a thread is given, once")]
fn read(
    mut reader: Reader,
    index: usize,
    shared: &Shared,
    stats: &Stats,
    clock: &dyn Clock,
    wake: &Wake,
    to_workers: &Sender<Job>,
    settler: &Sender<Message>,
) {
    let mut notices = Vec::new();
    loop {
        let lows = shared.lows.lock().unwrap_or_else(PoisonError::into_inner).remove(&index);
        for (stream, low) in lows.into_iter().flatten() {
            reader.source.settled(&stream, low);
        }
        let stopping = shared.stop.load(Ordering::Acquire);
        let step = if stopping {
            reader.stop(clock.now_unix_ns())
        } else {
            reader.step(clock.monotonic(), clock.now_unix_ns(), &mut notices)
        };
        if reader.told(&notices).into_iter().any(|message| settler.send(message).is_err()) {
            return;
        }
        for notice in notices.drain(..) {
            note(notice, index, shared, stats);
        }
        match step {
            Read::Batch(batch) => {
                shared.input.acquire(batch.bytes);
                // Held while sending, so that jobs are handed on in the order of their numbers.
                let mut number = shared.batches.lock().unwrap_or_else(PoisonError::into_inner);
                let job = Job::new(*number, index, batch);
                *number += 1;
                if settler.send(job.handed()).is_err() || to_workers.send(job).is_err() {
                    return;
                }
            }
            Read::More => {}
            Read::Wait(until) => wake.wait(until.saturating_sub(clock.monotonic()), reader.source.wake_fd()),
            Read::End => return,
        }
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
    shared.warnings.lock().unwrap_or_else(PoisonError::into_inner).push(warning);
}

fn work(
    mut worker: Worker,
    jobs: &Receiver<Job>,
    sinks: &[Sender<Body>],
    settler: &Sender<Message>,
    shared: &Shared,
    plan: &Runnable,
) {
    for job in jobs {
        let number = job.provenance.batch;
        shared.bodies.begin(number);
        let outcome = worker.process(job);
        shared.input.release(outcome.input_bytes);
        let (message, Deliveries { first, rest }) = outcome.divide(plan);
        if settler.send(message).is_err() {
            return;
        }
        for (sink, body) in first {
            shared.bodies.acquire_for(number, body.bytes);
            if sinks[sink].send(body).is_err() {
                return;
            }
        }
        shared.bodies.end(number);
        for (sink, body) in rest {
            shared.bodies.acquire(body.bytes);
            if sinks[sink].send(body).is_err() {
                return;
            }
        }
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
        shared.bodies.release(stepped.released);
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
            count(&mut stats.rejected, &rejection.reason, 1);
        }
    }
}

fn settle(
    mut settler: Settler,
    messages: &Receiver<Message>,
    shared: &Shared,
    wakes: &[Arc<Wake>],
    clock: &dyn Clock,
) -> Result<Ledger, String> {
    let mut flushed = clock.monotonic();
    loop {
        let wait = (flushed + FLUSH_EVERY).saturating_sub(clock.monotonic());
        let ended = match messages.recv_timeout(wait) {
            Ok(message) => {
                settler.take(message, clock.now_unix_ns());
                false
            }
            Err(crossbeam::channel::RecvTimeoutError::Timeout) => false,
            Err(crossbeam::channel::RecvTimeoutError::Disconnected) => true,
        };
        let now = clock.monotonic();
        if ended || now >= flushed + FLUSH_EVERY {
            flushed = now;
            match settler.flush() {
                Ok(lows) => {
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
        if ended {
            return Ok(settler.ledger());
        }
    }
}
