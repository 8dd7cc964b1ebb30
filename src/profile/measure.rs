//! The passes: one that counts, then pairs of one that is timed as a whole and one in which rows are sampled.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::Subject;
use super::desk::{Desk, Mode, Tally, open};
use super::encode::SinkProbe;
use super::probe::Probes;
use crate::catalog::{self, NamedSink, Runnable};
use crate::frame::FrameConfig;
use crate::lang::Plan;
use crate::limits::{PROFILE_PASSES_MAX, PROFILE_TIME_MIN};
use crate::observe::{Snapshot, Stats};
use crate::run::{Job, Read, Reader, Worker};
use crate::seam::Clock;
use crate::source::Notice;
use crate::source::recorded::Recorded;

/// What a profile found. Times are in nanoseconds; 0 where none was measured.
#[derive(Debug, Default)]
pub struct Measured {
    /// Timed passes.
    pub passes: u32,
    /// Time of the fastest whole pass that reading and framing took.
    pub read_ns: f64,
    /// Time of the fastest whole pass that the worker took: steps, encoding, accounts.
    pub work_ns: f64,
    /// What two looks at the clock cost; taken off already.
    pub clock_ns: f64,
    /// The process's own counters after one pass.
    pub counts: Snapshot,
    /// The parts of the outline, by number.
    pub parts: Vec<PartCount>,
    /// The sinks, by number.
    pub sinks: Vec<SinkCount>,
}

/// What a part of the outline has seen.
#[derive(Clone, Debug, Default)]
pub struct PartCount {
    /// Rows that came.
    pub rows_in: u64,
    /// Rows that went on; of a format, texts that it took.
    pub rows_out: u64,
    /// Time of one row, with all that is inside of the part.
    pub row_ns: f64,
    /// Rows that were timed.
    pub samples: u64,
    /// Of a format: reasons for which it refused texts, most frequent first.
    pub reasons: Vec<(&'static str, u64)>,
    /// Of a format: texts that it took and that the formats behind it take too, by their order.
    pub shared: Vec<u64>,
}

/// What a sink's encoders have made.
#[derive(Clone, Debug, Default)]
pub struct SinkCount {
    /// Rows that came.
    pub rows_in: u64,
    /// Rows that were encoded.
    pub rows_out: u64,
    /// Time of one row, the ends of batches included.
    pub row_ns: f64,
    /// Of this, the ends of batches: what is not inside of a `to`.
    pub finish_ns: f64,
    /// Bytes of bodies as they are sent; for an archive, of the columns in memory.
    pub bytes: u64,
    /// The same before compression; 0 for an archive.
    pub raw_bytes: u64,
    /// Bytes of `message` where it is the whole line though a format took it.
    pub message_bytes: u64,
    /// Bytes of `url.original` beside `url.path`.
    pub url_bytes: u64,
}

impl Measured {
    /// Events that came from the source.
    pub fn events(&self) -> u64 {
        self.counts.sources.iter().map(|(_, stats)| stats.messages).sum()
    }

    /// Bytes of input.
    pub fn input_bytes(&self) -> u64 {
        self.counts.sources.iter().map(|(_, stats)| stats.bytes).sum()
    }

    /// Time of a whole pass.
    pub fn whole_ns(&self) -> f64 {
        self.read_ns + self.work_ns
    }

    /// What a part takes of a whole pass.
    pub fn part_ns(&self, number: usize) -> f64 {
        self.parts.get(number).map_or(0.0, |part| part.row_ns * part.rows_in as f64)
    }

    /// The share of a time in a whole pass, 0 to 1; 0 where nothing was timed.
    pub fn share(&self, ns: f64) -> f64 {
        if self.whole_ns() > 0.0 { ns / self.whole_ns() } else { 0.0 }
    }
}

/// Runs the passes.
pub(super) fn measure(subject: &Subject<'_>, plan: Plan, clock: Arc<dyn Clock>) -> Result<Measured, String> {
    let parts = subject.outline.len();
    let desk = Arc::new(Desk::new(clock.clone(), parts + plan.sinks.len()));
    let mut runnable = catalog::build_around(plan, &mut Probes::new(desk.clone(), subject.outline))?;
    let watched = |(number, sink): (usize, NamedSink)| {
        let plan = SinkProbe { desk: desk.clone(), number: parts + number, plan: sink.plan };
        NamedSink { plan: Box::new(plan), ..sink }
    };
    runnable.sinks = runnable.sinks.into_iter().enumerate().map(watched).collect();
    Passes { subject, plan: Arc::new(runnable), clock, desk }.all()
}

struct Passes<'a> {
    subject: &'a Subject<'a>,
    plan: Arc<Runnable>,
    clock: Arc<dyn Clock>,
    desk: Arc<Desk>,
}

impl Passes<'_> {
    fn all(&self) -> Result<Measured, String> {
        let mut measured = Measured::default();
        // The first pass counts, and warms what the others find warm.
        let (_, stats) = self.pass(Mode::Count)?;
        measured.counts = stats.snapshot();
        let (mut fastest, mut total) = ([Duration::MAX; 2], Duration::ZERO);
        while measured.passes < self.subject.repeat.unwrap_or(PROFILE_PASSES_MAX)
            && (self.subject.repeat.is_some() || total < PROFILE_TIME_MIN)
        {
            let (times, _) = self.pass(Mode::Whole)?;
            let sum = |times: &[Duration; 2]| times[0].saturating_add(times[1]);
            total += sum(&times);
            if sum(&times) < sum(&fastest) {
                fastest = times;
            }
            self.pass(Mode::Sample)?;
            measured.passes += 1;
        }
        if measured.passes > 0 {
            [measured.read_ns, measured.work_ns] = fastest.map(|time| time.as_nanos() as f64);
        }
        measured.clock_ns = self.desk.clock_ns();
        let (parts, sinks) = self.desk.tallies.split_at(self.subject.outline.len());
        measured.parts = parts.iter().map(|tally| part(tally, measured.clock_ns)).collect();
        measured.sinks = sinks.iter().map(|tally| sink(tally, measured.clock_ns, measured.passes)).collect();
        Ok(measured)
    }

    /// Reads and processes the recordings once; gives the time of reading and that of the worker.
    fn pass(&self, mode: Mode) -> Result<([Duration; 2], Arc<Stats>), String> {
        self.desk.begin(mode);
        let (subject, stats) = (self.subject, self.plan.stats());
        let named = &self.plan.sources[subject.source];
        let config = Arc::new(FrameConfig::from_options(&named.options)?);
        let recorded = Recorded::new(&named.name, config, (subject.recordings)()?);
        let mut reader = Reader::new(Box::new(recorded), subject.source, stats.clone());
        let mut worker = Worker::new(self.plan.clone(), stats.clone())?;
        let (mut notices, mut times, mut number) = (Vec::new(), [Duration::ZERO; 2], 0);
        loop {
            let start = self.clock.monotonic();
            let read = reader.step(Duration::ZERO, subject.unix_ns, &mut notices);
            let after = self.clock.monotonic();
            times[0] += after.saturating_sub(start);
            match read {
                Read::Batch(batch) => {
                    let outcome = worker.process(Job::new(number, subject.source, batch));
                    times[1] += self.clock.monotonic().saturating_sub(after);
                    number += 1;
                    drop(outcome);
                }
                Read::More | Read::Wait(_) => {}
                Read::End => return Ok((times, stats)),
            }
            if let Some(Notice::Warning(warning)) = notices.pop() {
                return Err(warning);
            }
        }
    }
}

/// The mean of taken and refused texts, each as often as it came.
fn part(tally: &Tally, clock_ns: f64) -> PartCount {
    let (rows_in, rows_out) = rows(tally);
    let (spans, refusals) = (open(&tally.spans), open(&tally.refusals));
    let sampled = spans.count() + refusals.spans.count();
    let (went, stayed) = match refusals.spans.count() {
        0 => (rows_in as f64, 0.0),
        _ => (rows_out as f64, (rows_in - rows_out) as f64),
    };
    let total =
        (spans.usual() - clock_ns).max(0.0) * went + (refusals.spans.usual() - clock_ns).max(0.0) * stayed;
    let mut reasons = refusals.reasons.clone();
    reasons.sort_by_key(|(reason, count)| (std::cmp::Reverse(*count), *reason));
    PartCount {
        rows_in,
        rows_out,
        row_ns: if rows_in == 0 { 0.0 } else { total / rows_in as f64 },
        samples: sampled,
        reasons,
        shared: refusals.shared.clone(),
    }
}

/// Long rows count: an encoder may seal a body among them.
fn sink(tally: &Tally, clock_ns: f64, passes: u32) -> SinkCount {
    let (rows_in, rows_out) = rows(tally);
    let encoded = open(&tally.encoded).clone();
    let push_ns = (open(&tally.spans).mean() - clock_ns).max(0.0);
    let finish_ns = encoded.finish_ns as f64 / f64::from(passes.max(1)) / rows_in.max(1) as f64;
    SinkCount {
        rows_in,
        rows_out,
        row_ns: push_ns + finish_ns,
        finish_ns,
        bytes: encoded.bytes,
        raw_bytes: encoded.raw_bytes,
        message_bytes: encoded.message_bytes,
        url_bytes: encoded.url_bytes,
    }
}

fn rows(tally: &Tally) -> (u64, u64) {
    (tally.rows_in.load(Ordering::Relaxed), tally.rows_out.load(Ordering::Relaxed))
}
