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
use crate::limits::{PROFILE_PASSES_MAX, PROFILE_PASSES_MIN, PROFILE_TIME_ENOUGH, PROFILE_TIME_MIN};
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
    /// Time of a whole pass that reading and framing took, batches that were disturbed left out.
    pub read_ns: f64,
    /// The same of the worker: steps, encoding, accounts.
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

    /// Time of a whole pass that the ends of batches in encoders take.
    pub fn ends_ns(&self) -> f64 {
        self.sinks.iter().map(|sink| sink.finish_ns * sink.rows_in as f64).sum()
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
        let (_, stats) = self.pass(Mode::Count, &[])?;
        measured.counts = stats.snapshot();
        if measured.events() == 0 {
            return Err("there is no event in the input".to_owned());
        }
        let (mut fastest, mut whole, mut total) = (Vec::new(), Vec::new(), Duration::ZERO);
        while self.goes_on(measured.passes, total) {
            let (batches, _) = self.pass(Mode::Whole, &[])?;
            total += batches.iter().map(Laps::sum).sum::<Duration>();
            keep_fastest(&mut fastest, &batches);
            whole.push(batches);
            self.pass(Mode::Sample, &fastest)?;
            measured.passes += 1;
        }
        (measured.read_ns, measured.work_ns) =
            (undisturbed_ns(&whole, |laps| laps.read), undisturbed_ns(&whole, |laps| laps.work));
        measured.clock_ns = self.desk.clock_ns();
        let (parts, sinks) = self.desk.tallies.split_at(self.subject.outline.len());
        measured.parts = parts.iter().map(|tally| part(tally, measured.clock_ns)).collect();
        measured.sinks = sinks.iter().map(|tally| sink(tally, measured.clock_ns)).collect();
        Ok(measured)
    }

    /// Whether another pass is wanted, after so many that took so long.
    fn goes_on(&self, passes: u32, total: Duration) -> bool {
        match self.subject.repeat {
            Some(repeat) => passes < repeat,
            None if passes < PROFILE_PASSES_MIN => total < PROFILE_TIME_ENOUGH,
            None => total < PROFILE_TIME_MIN && passes < PROFILE_PASSES_MAX,
        }
    }

    /// Reads and processes the recordings once; gives the times of each batch. In a sampled pass, `fastest` says
    /// how long they take when nothing disturbs them.
    fn pass(&self, mode: Mode, fastest: &[Laps]) -> Result<(Vec<Laps>, Arc<Stats>), String> {
        self.desk.begin(mode);
        let (subject, stats) = (self.subject, self.plan.stats());
        let named = &self.plan.sources[subject.source];
        let config = Arc::new(FrameConfig::from_options(&named.options)?);
        let recorded = Recorded::new(&named.name, config, (subject.recordings)()?);
        let mut reader = Reader::new(Box::new(recorded), subject.source, stats.clone());
        let mut worker = Worker::new(self.plan.clone(), stats.clone())?;
        let (mut notices, mut batches, mut laps) = (Vec::new(), Vec::new(), Laps::default());
        loop {
            let start = self.clock.monotonic();
            let read = reader.step(Duration::ZERO, subject.unix_ns, &mut notices);
            let after = self.clock.monotonic();
            laps.read += after.saturating_sub(start);
            match read {
                Read::Batch(batch) => {
                    let number = batches.len();
                    let outcome = worker.process(Job::new(number as u64, subject.source, batch));
                    laps.work = self.clock.monotonic().saturating_sub(after);
                    drop(outcome);
                    if mode == Mode::Sample {
                        let usual = fastest.get(number).map_or(Duration::MAX, |laps| laps.work);
                        self.desk.settle(is_quiet(laps.work, usual));
                    }
                    batches.push(std::mem::take(&mut laps));
                }
                Read::More | Read::Wait(_) => {}
                Read::End => return Ok((batches, stats)),
            }
            if let Some(Notice::Warning(warning)) = notices.pop() {
                return Err(warning);
            }
        }
    }
}

/// Times of one batch.
#[derive(Clone, Copy, Debug, Default)]
struct Laps {
    read: Duration,
    work: Duration,
}

impl Laps {
    fn sum(&self) -> Duration {
        self.read + self.work
    }
}

/// Keeps each batch's fastest times: what else ran on the machine made the others longer.
fn keep_fastest(fastest: &mut Vec<Laps>, batches: &[Laps]) {
    for (known, new) in fastest.iter_mut().zip(batches) {
        *known = Laps { read: known.read.min(new.read), work: known.work.min(new.work) };
    }
    if fastest.len() < batches.len() {
        *fastest = batches.to_vec();
    }
}

/// Whether a batch that takes so long at its fastest ran undisturbed.
fn is_quiet(time: Duration, fastest: Duration) -> bool {
    time <= fastest.saturating_mul(5) / 4
}

/// What a pass takes where nothing disturbs it: for each batch the mean of its quiet times, as for sampled rows.
fn undisturbed_ns(passes: &[Vec<Laps>], part: fn(&Laps) -> Duration) -> f64 {
    let batches = passes.iter().map(Vec::len).max().unwrap_or(0);
    let mean = |batch: usize| {
        let times = || passes.iter().filter_map(|pass| pass.get(batch)).map(part);
        let fastest = times().min().unwrap_or_default();
        let (mut sum, mut count) = (Duration::ZERO, 0u32);
        for time in times().filter(|time| is_quiet(*time, fastest)) {
            sum += time;
            count += 1;
        }
        sum.as_nanos() as f64 / f64::from(count.max(1))
    };
    (0..batches).map(mean).sum()
}

/// The mean of taken and refused texts, each as often as it came.
fn part(tally: &Tally, clock_ns: f64) -> PartCount {
    let (rows_in, rows_out) = rows(tally);
    let (times, refusals) = (open(&tally.times), open(&tally.refusals));
    let (spans, refused) = (times.spans(), refusals.times.spans());
    let (went, stayed) = match refused.count() {
        0 => (rows_in as f64, 0.0),
        _ => (rows_out as f64, (rows_in - rows_out) as f64),
    };
    let own = |mean: f64| (mean - clock_ns).max(0.0);
    let total = own(spans.mean()) * went + own(refused.mean()) * stayed;
    let mut reasons = refusals.reasons.clone();
    reasons.sort_by_key(|(reason, count)| (std::cmp::Reverse(*count), *reason));
    PartCount {
        rows_in,
        rows_out,
        row_ns: if rows_in == 0 { 0.0 } else { total / rows_in as f64 },
        samples: spans.count() + refused.count(),
        reasons,
        shared: refusals.shared.clone(),
    }
}

fn sink(tally: &Tally, clock_ns: f64) -> SinkCount {
    let (rows_in, rows_out) = rows(tally);
    let encoded = open(&tally.encoded);
    let push_ns = (open(&tally.times).spans().mean() - clock_ns).max(0.0);
    let finish_ns = encoded.ends.spans().mean() * encoded.batches as f64 / rows_in.max(1) as f64;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disturbed_batch_is_left_out() {
        let pass =
            |ns: [u64; 2]| ns.map(|ns| Laps { work: Duration::from_nanos(ns), ..Laps::default() }).to_vec();
        let passes = [pass([100, 200]), pass([110, 900]), pass([4000, 210])];
        assert_eq!(undisturbed_ns(&passes, |laps| laps.work), 105.0 + 205.0);
        assert_eq!(undisturbed_ns(&[], |laps| laps.work), 0.0);
    }
}
