//! The sink behind stateful detectors: it owns the state of one pipeline's rules, and writes their alerts down.
//!
//! In: observations, which the step `detect` makes on the workers. Out: alerts as lines in a folder of the data folder,
//! which the source `alerts` hands on to any sink. A batch is settled when a snapshot has it that is durable
//! ([`snapshot`]). An alert is raised at once and written when a snapshot is durable that has it, among what is to be
//! written yet: in what order the logs were read and who was not waited for is decided anew after a crash, and nobody
//! must have seen what followed from a decision that is forgotten. So after a crash what the snapshot lacks is read
//! again, and of what it has to write that is not written twice which is there by its id. In the pipeline file there
//! is no such sink: the compiler adds one to each pipeline that needs it.

mod snapshot;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use std::{io, mem};

use bytes::Bytes;
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use self::snapshot::{Settlement, Snapshots};
use super::reorder::Reorder;
use super::{
    Body, Encoder, EventRef, Next, OpenError, Payload, Provenance, Rehearsal, RuleCounts, Settled, Shape,
    Sink, SinkPlan, World,
};
use crate::detect::stateful::bytes::{Get, Put};
use crate::detect::stateful::{Alert, Counts, Engine, Observation, Rule, write_record};
use crate::event::Row;
use crate::limits::{SNAPSHOT_ALERTS_PART, SNAPSHOT_EVERY, SNAPSHOT_EVERY_MAX, SNAPSHOT_PER_MIB};
use crate::position::CursorRecord;
use crate::seam::Clock;
use crate::spool::{Letter, LetterBox, LetterEntry, alert_folder, each_line, segments};

/// How long to wait before another try after a failure.
const RETRY: Duration = Duration::from_secs(1);

/// A plan of the sink: `name` is the sink's, in cursors and metrics.
pub fn plan(name: &str, pipeline: &str, rules: Vec<Rule>) -> Box<dyn SinkPlan> {
    Box::new(Plan { name: name.to_owned(), pipeline: pipeline.to_owned(), rules })
}

struct Plan {
    name: String,
    pipeline: String,
    rules: Vec<Rule>,
}

impl SinkPlan for Plan {
    fn encoder(&self, _: &Shape) -> Result<Box<dyn Encoder>, String> {
        Ok(Box::<Records>::default())
    }

    fn open(&self, world: World) -> Result<(Box<dyn Sink>, Vec<CursorRecord>), OpenError> {
        let failed = |error: io::Error| format!("cannot open the state of its detectors: {error}");
        let (snapshots, kept) =
            Snapshots::open(&world.fs, &world.data_dir, &self.pipeline).map_err(failed)?;
        let mut engine = Engine::new(&self.rules);
        let mut warnings = Vec::new();
        let (mut settled, mut unwritten) = (Settlement::default(), Vec::new());
        if let Some(kept) = kept {
            let damaged = || snapshots.damaged("its state cannot be read");
            settled = kept.settled;
            let mut from = Get(&kept.state);
            let anew = engine.load(&mut from, world.clock.monotonic()).ok_or_else(damaged)?;
            unwritten = read_unwritten(&mut from).ok_or_else(damaged)?;
            warnings.extend(anew.into_iter().map(|rule| {
                format!(
                    "rule {rule} of pipeline {} counts something else than before: it begins anew",
                    self.pipeline
                )
            }));
        }
        let cursors = settled.cursors(&self.name);
        let known = known(&world, &self.pipeline).map_err(failed)?;
        unwritten.retain(|alert| !id(alert.get().as_bytes()).is_some_and(|id| known.contains(&id)));
        let sink = Alerts {
            letters: LetterBox::alerts(world.fs.clone(), &world.data_dir, &self.pipeline),
            folder: alert_folder(&world.data_dir, &self.pipeline),
            clock: world.clock,
            engine,
            snapshots,
            settled,
            window: Reorder::default(),
            taken: Vec::new(),
            released: 0,
            saved: unwritten.len(),
            unwritten,
            since: None,
            saved_at: None,
            retry_at: Duration::ZERO,
            trouble: None,
            warnings,
            changed: true,
            concludes: false,
            hurries: false,
            closed: false,
        };
        Ok((Box::new(sink), cursors))
    }

    fn ordered(&self) -> bool {
        true
    }

    fn guarantee(&self) -> &'static str {
        "an event is counted once and an alert is written once, across crashes"
    }

    fn place(&self) -> String {
        format!("alerts/{}", self.pipeline)
    }

    fn rehearse(&self) -> Option<Box<dyn Rehearsal>> {
        Some(Box::new(Rehearsed(Engine::new(&self.rules))))
    }
}

/// The id of an alert as it is written: 32 digits.
fn id(line: &[u8]) -> Option<u128> {
    #[derive(serde::Deserialize)]
    struct Id {
        id: String,
    }
    let Id { id } = serde_json::from_slice(line).ok()?;
    u128::from_str_radix(&id, 16).ok()
}

/// Appends the alerts that are to be written.
fn save_unwritten(alerts: &[Box<RawValue>], out: &mut Vec<u8>) {
    out.put_u64(alerts.len() as u64);
    alerts.iter().for_each(|alert| out.put_bytes(alert.get().as_bytes()));
}

/// Reads them. Earlier versions had none: they wrote them before.
fn read_unwritten(from: &mut Get<'_>) -> Option<Vec<Box<RawValue>>> {
    if from.0.is_empty() {
        return Some(Vec::new());
    }
    let alert = |bytes: &[u8]| RawValue::from_string(String::from_utf8(bytes.to_vec()).ok()?).ok();
    (0..from.count()?).map(|_| alert(from.bytes()?)).collect()
}

/// The ids of the alerts that are in the folder.
fn known(world: &World, pipeline: &str) -> io::Result<BTreeSet<u128>> {
    let mut known = BTreeSet::new();
    let folder = alert_folder(&world.data_dir, pipeline);
    world.fs.make_folder(&folder)?;
    for above in folder.ancestors().skip(1).take(2) {
        world.fs.sync_folder(above)?;
    }
    for (path, _) in segments(&*world.fs, &folder)? {
        // A killed process may have left a line that is not on the disk yet: an alert that is known is not written again.
        world.fs.open_append(&path)?.sync()?;
        each_line(&*world.fs, &path, &mut |line| {
            known.extend(id(line));
        })?;
    }
    Ok(known)
}

/// Writes what a worker sees as records.
#[derive(Default)]
struct Records {
    out: Vec<u8>,
    rows: u32,
}

impl Encoder for Records {
    fn push(&mut self, _: &mut Row, _: EventRef<'_>) -> Result<(), String> {
        Err("detectors take observations, not events".to_owned())
    }

    fn observe(&mut self, time_ns: i64, seen: &[u8], event: EventRef<'_>) {
        write_record(time_ns, &event.id(), seen, &mut self.out);
        self.rows += 1;
    }

    fn finish(&mut self, provenance: &Arc<Provenance>) -> Vec<Body> {
        if self.rows == 0 {
            return Vec::new();
        }
        let out = mem::take(&mut self.out);
        vec![Body {
            provenance: Arc::clone(provenance),
            row_ends: Vec::new(),
            rows: mem::take(&mut self.rows),
            bytes: out.capacity(),
            payload: Payload::Bytes(Bytes::from(out)),
        }]
    }
}

/// The observations of a body.
fn observations(body: &Body) -> impl Iterator<Item = Observation> + '_ {
    let bytes = match &body.payload {
        Payload::Bytes(bytes) => &bytes[..],
        Payload::Columns(_) => &[],
    };
    let mut from = Get(bytes);
    std::iter::from_fn(move || Observation::read(&mut from))
}

/// An alert as it is written; its segment is named by when that is.
struct Line<'a>(&'a RawValue, &'a str);

impl Serialize for Line<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl LetterEntry for Line<'_> {
    fn time(&self) -> &str {
        self.1
    }
}

/// The sink as it runs.
struct Alerts {
    engine: Engine,
    snapshots: Snapshots,
    letters: LetterBox,
    folder: PathBuf,
    clock: Arc<dyn Clock>,
    /// What is settled, once the next snapshot is written.
    settled: Settlement,
    window: Reorder,
    /// Batches that were taken in and wait for a snapshot.
    taken: Vec<Settled>,
    released: usize,
    /// Alerts that are not in the folder yet, as lines.
    unwritten: Vec<Box<RawValue>>,
    /// How many of those, from the front, the last snapshot has.
    saved: usize,
    /// When the first change was made that waits for a snapshot.
    since: Option<Duration>,
    /// When the last snapshot was written.
    saved_at: Option<Duration>,
    retry_at: Duration,
    trouble: Option<String>,
    warnings: Vec<String>,
    /// Whether observations came in since it was told what rules did.
    changed: bool,
    /// Whether what waits is applied at the next step.
    concludes: bool,
    /// Nothing more comes from elsewhere: snapshots wait for no more.
    hurries: bool,
    closed: bool,
}

impl Alerts {
    /// Takes in what has come. The memory of bodies is given back at once: what waits is the engine's.
    fn take(&mut self, now: Duration) {
        let wall_ns = self.clock.now_unix_ns();
        while let Some(body) = if self.closed { self.window.pop_any() } else { self.window.pop() } {
            observations(&body).for_each(|of| self.engine.take(of, now, Some(wall_ns)));
            self.settled.add(&body.provenance);
            self.released += body.bytes;
            self.taken.push(Settled { bytes: 0, ..Settled::whole(body) });
            self.since.get_or_insert(now);
            self.changed = true;
        }
    }

    /// How long after the first change a snapshot is due: state that is large costs time to write.
    fn every(&self) -> Duration {
        let mib = u32::try_from(self.engine.bytes() >> 20).unwrap_or(u32::MAX);
        (SNAPSHOT_EVERY + SNAPSHOT_PER_MIB.saturating_mul(mib)).min(SNAPSHOT_EVERY_MAX)
    }

    /// Writes alerts that a snapshot has into the folder.
    fn write_alerts(&mut self) -> io::Result<()> {
        if self.saved == 0 {
            return Ok(());
        }
        let time = Letter::time(self.clock.now_unix_ns());
        let lines: Vec<_> = self.unwritten.iter().take(self.saved).map(|alert| Line(alert, &time)).collect();
        let written = self.letters.write(&lines)?;
        self.unwritten.drain(..written);
        self.saved -= written;
        let dropped = self.letters.dropped();
        if dropped > 0 {
            let folder = self.folder.display();
            self.warnings.push(format!("{folder} is full: its {dropped} oldest alerts were removed"));
        }
        if self.saved == 0 { Ok(()) } else { Err(io::ErrorKind::StorageFull.into()) }
    }

    /// When a snapshot is due: sooner where alerts wait for it.
    fn due(&self, now: Duration) -> Option<Duration> {
        let usual = self.since.map(|since| since + self.every());
        let soon = SNAPSHOT_EVERY.max(self.every() / SNAPSHOT_ALERTS_PART);
        let alerts = self.saved_at.map_or(now, |at| at + soon);
        let alerts = (self.unwritten.len() > self.saved).then_some(alerts);
        let due = usual.into_iter().chain(alerts).min()?;
        Some(if self.closed || self.hurries { now } else { due })
    }

    fn write_snapshot(&mut self) -> io::Result<()> {
        let mut state = Vec::new();
        self.engine.save(&mut state);
        save_unwritten(&self.unwritten, &mut state);
        self.snapshots.write(&mut self.settled, &state)
    }

    fn work(&mut self, now: Duration, settled: &mut Vec<Settled>) -> io::Result<()> {
        // Texts and numbers only, which always are JSON.
        let raised = self.engine.alerts().into_iter().filter_map(|of| to_raw_value(&of).ok());
        self.unwritten.extend(raised);
        if self.due(now).is_some_and(|due| due <= now) {
            self.write_snapshot()?;
            settled.append(&mut self.taken);
            self.since = None;
            self.saved_at = Some(now);
            self.saved = self.unwritten.len();
        }
        self.write_alerts()
    }
}

impl Sink for Alerts {
    fn begin(&mut self, first_batch: u64) {
        self.window.begin(first_batch);
    }

    fn offer(&mut self, body: Body, _: Duration) {
        self.window.push(body);
    }

    fn step(&mut self, now: Duration, settled: &mut Vec<Settled>) -> Next {
        self.take(now);
        let waited = self.engine.waiting();
        let next = if mem::take(&mut self.concludes) {
            self.engine.drain();
            None
        } else {
            self.engine.tick(now)
        };
        if self.engine.waiting() < waited {
            self.since.get_or_insert(now);
            self.changed = true;
        }
        self.warnings.extend(self.engine.warnings());
        if self.trouble.is_some() && now < self.retry_at {
            return Next::At(self.retry_at);
        }
        match self.work(now, settled) {
            Ok(()) => self.trouble = None,
            Err(error) => {
                self.trouble = Some(format!("{}: {error}; alerts wait", self.folder.display()));
                self.retry_at = now + RETRY;
                return Next::At(self.retry_at);
            }
        }
        match next.into_iter().chain(self.due(now)).min() {
            _ if self.closed => Next::Done,
            Some(at) => Next::At(at),
            None => Next::Idle,
        }
    }

    fn released(&mut self) -> usize {
        mem::take(&mut self.released)
    }

    fn close(&mut self) {
        self.closed = true;
    }

    fn conclude(&mut self) -> bool {
        // Not when it is only closed: what waits then goes into the snapshot, and waits on in the next run.
        (self.concludes, self.hurries) = (true, true);
        self.engine.waiting() == 0 && self.unwritten.is_empty()
    }

    fn rules(&mut self) -> Vec<(String, RuleCounts)> {
        if !mem::take(&mut self.changed) {
            return Vec::new();
        }
        let counts = self.engine.counts().map(|of| {
            let Counts { rule, alerts, late, behind, full, forgotten, bytes } = of;
            let (overflowed, bytes) = (full, bytes as u64);
            (rule.to_owned(), RuleCounts { alerts, late, behind, overflowed, forgotten, bytes })
        });
        counts.collect()
    }

    fn warnings(&mut self) -> Vec<String> {
        mem::take(&mut self.warnings)
    }

    fn trouble(&self) -> Option<String> {
        self.trouble.clone()
    }
}

/// The rules without a disk, for replays and tests.
struct Rehearsed(Engine);

impl Rehearsal for Rehearsed {
    fn offer(&mut self, body: &Body) {
        observations(body).for_each(|of| self.0.take(of, Duration::ZERO, None));
    }

    fn end(&mut self) -> Vec<Vec<u8>> {
        self.0.drain();
        self.0.alerts().iter().map(Alert::line).collect()
    }
}

#[cfg(test)]
mod tests;
