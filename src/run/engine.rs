//! Threads and channels around the parts of a run.
//!
//! One thread per source, one per worker, one per sink, one settler. Channels carry batches and bodies; what
//! bounds them is the byte budget, their own length only guards against floods of tiny items.

mod catching_up;
mod delivering;
mod reading;
mod settling;
mod working;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam::channel::{Receiver, Sender, bounded};

use self::catching_up::CatchingUp;
use self::delivering::deliver;
use self::reading::Reading;
use self::settling::settle;
use self::working::Working;
use super::budget::Pool;
use super::lag::Lags;
use super::originals::{Answering, Originals};
use super::parts::{Parts, Waker};
use super::settler::Ledger;
use super::wake::Wake;
use crate::catalog::Runnable;
use crate::limits::{BUDGET_BODIES_ALL_BYTES, BUDGET_BODIES_BYTES, BUDGET_INPUT_BYTES, ENRICH_LOOK_EVERY};
use crate::lookup::Data;
use crate::observe::Stats;
use crate::position::{Resume, Stream};
use crate::seam::{Clock, Fs};
use crate::sink::{Body, Network, OpenError};
use crate::source::Source;

/// Batches that may wait for a worker, and bodies for a sink, besides their weight in bytes.
const QUEUE_ITEMS: usize = 64;
/// Messages that may wait for the settler.
const SETTLER_QUEUE: usize = 4096;
/// How long a thread that waits for another one sleeps at most.
const REST: Duration = Duration::from_millis(100);

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
    /// Those of them that hand on what comes from elsewhere, and not what aludel itself wrote down.
    reading_others: AtomicUsize,
    /// Whether sources that hand on what aludel wrote down itself wait for them, to end (`--once`).
    awaits_others: bool,
    /// None of those is read any more, and all that they gave has settled.
    others_settled: AtomicBool,
    /// Sinks that have written all that follows from it.
    concluded: AtomicUsize,
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

    /// Whether all has settled that came from elsewhere, and what follows from it is written down.
    fn is_concluded(&self) -> bool {
        self.concluded.load(Ordering::Acquire) == self.bodies.len()
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

/// Reads what fields are looked up in anew where it was changed, and asks for names, while anything is read.
fn tend(shared: &Shared, data: &Data, fs: &dyn Fs, clock: &dyn Clock) {
    data.said().into_iter().for_each(|said| shared.warn(said));
    let mut resolvers = data.resolvers();
    let mut looked = clock.monotonic();
    while !shared.is_over() {
        let now = clock.monotonic();
        if now.saturating_sub(looked) >= ENRICH_LOOK_EVERY {
            looked = now;
            data.refresh(fs).into_iter().for_each(|said| shared.warn(said));
        }
        data.resolve(&mut resolvers, now, REST);
        // With an answer outstanding it was waited for, else a rest is due.
        std::thread::sleep(REST / 4);
    }
}

impl Engine {
    /// Opens all sinks and sources and starts.
    pub fn start(plan: Arc<Runnable>, settings: &Settings) -> Result<Self, OpenError> {
        let stats = plan.stats();
        let bells: Vec<_> = plan.sinks.iter().map(|_| bell()).collect();
        let wakers: Vec<Waker> = bells.iter().map(|(waker, _)| waker.clone()).collect();
        let mut parts = Parts::open(&plan, settings, &stats, &wakers)?;
        let share = BUDGET_BODIES_BYTES.min(BUDGET_BODIES_ALL_BYTES / plan.sinks.len().max(1));
        let shared = Arc::new(Shared {
            stop: AtomicBool::new(false),
            reading: AtomicUsize::new(parts.readers.len()),
            reading_others: AtomicUsize::new(
                plan.sources.iter().filter(|of| of.plan.own().is_none()).count(),
            ),
            awaits_others: settings.once && plan.sources.iter().any(|of| of.plan.own().is_some()),
            others_settled: AtomicBool::new(false),
            concluded: AtomicUsize::new(0),
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
        match engine.spawn(&plan, settings, parts, bells) {
            Ok(()) => Ok(engine),
            Err(error) => {
                engine.stop();
                engine.shared.originals.end(&engine.wakes);
                let _ = engine.join();
                Err(error.into())
            }
        }
    }

    fn spawn(
        &mut self,
        plan: &Arc<Runnable>,
        settings: &Settings,
        parts: Parts,
        bells: Vec<(Waker, Receiver<()>)>,
    ) -> Result<(), String> {
        let (clock, fs) = (&settings.clock, &settings.fs);
        let (to_settler, for_settler) = bounded(SETTLER_QUEUE);
        let (to_workers, for_workers) = bounded(QUEUE_ITEMS);
        for (index, reader) in parts.readers.into_iter().enumerate() {
            let wake =
                Arc::new(Wake::new().map_err(|error| format!("cannot make an event descriptor: {error}"))?);
            self.wakes.push(wake.clone());
            let is_own = plan.sources.get(index).is_some_and(|source| source.plan.own().is_some());
            let reading = Reading {
                index,
                is_own,
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
        if !plan.data.is_empty() {
            let (shared, plan, clock, fs) = (self.shared.clone(), plan.clone(), clock.clone(), fs.clone());
            self.thread("enrich".into(), move || tend(&shared, &plan.data, &*fs, &*clock))?;
        }
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
