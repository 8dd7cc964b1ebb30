//! Opens all parts of a run, in the order in which each needs the others; and what they tell the settler. Shared by
//! the [`engine`](super::Engine), which gives each part a thread, and the simulation, which steps them on one.

use std::sync::Arc;

use super::engine::Settings;
use super::lag::{Lags, bit};
use super::outlet::Outlet;
use super::reader::{Job, Reader};
use super::settler::{Message, Opened, Settler};
use super::worker::{Outcome, Worker};
use crate::catalog::Runnable;
use crate::observe::Stats;
use crate::sink::{Body, OpenError, World as SinkWorld};
use crate::source::{Notice, World as SourceWorld};
use crate::spool::{CursorLog, DataDir, LedgerLog, host_id};

/// Wakes the thread of a sink.
pub type Waker = Arc<dyn Fn() + Send + Sync>;

/// All parts of a run, opened.
pub struct Parts {
    /// One for each source.
    pub readers: Vec<Reader>,
    /// As many as were asked for.
    pub workers: Vec<Worker>,
    /// One for each sink.
    pub outlets: Vec<Outlet>,
    /// The bookkeeper.
    pub settler: Settler,
    /// Which sinks keep up.
    pub lags: Lags,
    /// What was wrong with records of earlier runs, for people.
    pub warnings: Vec<String>,
}

impl Parts {
    /// Opens all sinks and sources of a plan. There is a waker for each sink.
    pub fn open(
        plan: &Arc<Runnable>,
        settings: &Settings,
        stats: &Arc<Stats>,
        wakers: &[Waker],
    ) -> Result<Self, OpenError> {
        let (mut log, warnings) =
            CursorLog::open(settings.fs.clone(), &settings.data_dir).map_err(|error| {
                format!("cannot read the cursor log in {}: {error}", settings.data_dir.display())
            })?;
        let host = host_id(&*settings.fs, &settings.data_dir, DataDir::random)
            .map_err(|error| format!("cannot read or write the host id: {error}"))?;
        let host: Arc<[u8]> = Arc::from(&host[..]);
        let mut outlets = Vec::new();
        let mut known_by_sinks = Vec::new();
        for (sink, wake) in plan.sinks.iter().zip(wakers) {
            let world = SinkWorld {
                fs: settings.fs.clone(),
                clock: settings.clock.clone(),
                network: settings.network.clone(),
                data_dir: settings.data_dir.clone(),
                host: host.clone(),
                wake: wake.clone(),
            };
            let (opened, recovered) = sink
                .plan
                .open(world)
                .map_err(|error| error.of(&format!("cannot open sink {}", sink.name)))?;
            for record in recovered {
                let before = log.done(&record);
                log.merge(&record);
                let after = log.done(&record);
                if after > before {
                    known_by_sinks.push((record, before..after));
                }
            }
            outlets.push(Outlet::new(opened));
        }
        let mut books = LedgerLog::new(settings.fs.clone(), &settings.data_dir, plan.ledger_hours);
        let told = books.recovered(&known_by_sinks, settings.clock.now_unix_ns());
        told.and_then(|()| books.commit()).map_err(|error| format!("cannot write the ledger: {error}"))?;
        log.commit().map_err(|error| format!("cannot write the cursor log: {error}"))?;
        let readers = open_sources(plan, settings, stats, &log, &host)?;
        let workers = (0..settings.workers.max(1))
            .map(|_| Worker::new(plan.clone(), stats.clone()))
            .collect::<Result<Vec<_>, _>>()?;
        let lags = lags(plan, &readers);
        Ok(Self { readers, workers, outlets, settler: Settler::new(plan, settings, log), lags, warnings })
    }
}

fn lags(plan: &Runnable, readers: &[Reader]) -> Lags {
    let set = |sinks: &[usize]| sinks.iter().fold(0, |set, sink| set | bit(*sink));
    let fed = |source: usize| {
        let lines = plan.pipelines.iter().filter(|line| line.sources.contains(&source));
        lines.fold(0, |set, line| set | line.sinks_mask)
    };
    let required: Vec<_> = (0..plan.sinks.len()).filter(|sink| plan.sinks[*sink].required).collect();
    let feeds: Vec<_> =
        readers.iter().enumerate().map(|(index, reader)| (fed(index), reader.source.reads_again())).collect();
    Lags::new(plan.sinks.len(), set(&required), &feeds)
}

/// All sinks, each with whether the bytes of a source wait for it: those that are required, or all where none is. A sink
/// that no pipeline sends them to never settles any.
fn awaited(plan: &Runnable, source: usize) -> Vec<(&str, bool)> {
    let fed = |sink: usize| {
        plan.pipelines.iter().any(|line| line.sources.contains(&source) && line.sinks.contains(&sink))
    };
    let required = plan.required_sinks(source);
    let sinks = plan.sinks.iter().enumerate();
    sinks
        .map(|(at, sink)| {
            let awaited = if required.is_empty() { fed(at) } else { required.contains(&at) };
            (sink.name.as_str(), awaited)
        })
        .collect()
}

fn open_sources(
    plan: &Arc<Runnable>,
    settings: &Settings,
    stats: &Arc<Stats>,
    log: &CursorLog,
    host: &Arc<[u8]>,
) -> Result<Vec<Reader>, String> {
    let mut readers = Vec::new();
    for (index, source) in plan.sources.iter().enumerate() {
        let world = SourceWorld {
            fs: settings.fs.clone(),
            clock: settings.clock.clone(),
            data_dir: settings.data_dir.clone(),
            host: host.clone(),
        };
        let cursors = Arc::new(log.cursors(&awaited(plan, index)));
        let mut opened = source
            .plan
            .open(world, cursors)
            .map_err(|error| format!("cannot open source {}: {error}", source.name))?;
        // What a run writes down itself is there when all else of it has settled.
        if settings.once && source.plan.own().is_none() {
            opened.finish();
        }
        readers.push(Reader::new(opened, index, stats.clone()));
    }
    Ok(readers)
}

impl Reader {
    /// What the settler is told of what happened in a step, before the batch that it gave.
    pub fn told(&mut self, notices: &[Notice]) -> Vec<Message> {
        let gaps = notices.iter().flat_map(|notice| gap(notice, None));
        let forgotten = self.source.forgotten().into_iter().map(|stream| Message::Forgotten { stream });
        gaps.chain(forgotten).collect()
    }
}

/// What the settler is told of a gap, for all sinks or one.
pub fn gap(notice: &Notice, sink: Option<usize>) -> Vec<Message> {
    let Notice::Gap { stream, start, end, cause } = notice else { return Vec::new() };
    let bytes = end.map(|end| Message::Gap { stream: stream.clone(), range: *start..end, sink });
    let lost = Message::Lost { stream: stream.clone(), start: *start, end: *end, sink, cause };
    bytes.into_iter().chain([lost]).collect()
}

impl Job {
    /// What the settler is told before a worker gets this job.
    pub fn handed(&self) -> Message {
        Message::Handed { provenance: self.provenance.clone(), opened: Opened::of(&self.batch) }
    }
}

/// Bodies on their way to the sinks.
#[derive(Debug)]
pub struct Deliveries {
    /// Those of sinks that keep order, with the sink's number. They come first: what such a sink holds back until
    /// this batch is there may be all that fills the pool, so the others can wait for room and these must not.
    pub first: Vec<(usize, Body)>,
    /// All others.
    pub rest: Vec<(usize, Body)>,
}

impl Outcome {
    /// What the settler is told first, then what the sinks get.
    pub fn divide(self, plan: &Runnable) -> (Message, Deliveries) {
        let mut expected = vec![0u32; plan.sinks.len()];
        for (sink, _) in self.bodies.iter().filter(|(_, body)| !body.is_withheld()) {
            expected[*sink] += 1;
        }
        let message = Message::Processed {
            provenance: self.provenance,
            source: self.source,
            sinks: self.sinks,
            expected,
            unsent: self.unsent,
            letters: self.letters,
        };
        let ordered = |(sink, _): &(usize, Body)| plan.sinks[*sink].plan.ordered();
        let (first, rest) = self.bodies.into_iter().partition(ordered);
        (message, Deliveries { first, rest })
    }
}
