//! One seed from beginning to end: trouble, then calm, then the reckoning.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::alerts::{self, Observed};
use super::check::{self, Arrived, Evidence, Expectations};
use super::cluster::{Cluster, ClusterRates};
use super::process::{Actor, Gap, Process};
use super::read_back;
use super::story::Story;
use super::subject::{DATA, Destination, OF_ALERTS, Subject};
use super::trace::Trace;
use super::writers::Writers;
use crate::limits::{SIM_CALM_MAX, SIM_STEPS_MAX};
use crate::position::CursorRecord;
use crate::run::Settings;
use crate::seam::sim::{Dice, FaultRates, Life, SimClock, SimFs};
use crate::seam::{Clock, Fs};
use crate::sink::World;
use crate::spool::Audit;

/// After a start that failed, a service manager waits this long.
const RESTART: Duration = Duration::from_secs(1);

/// Virtual time that a run goes on after the last line, so that everything that waits has its time.
const SETTLE: Duration = Duration::from_secs(45);

/// How long the calm after the trouble lasts, so that what waits for a second try has it.
const TICK_MAX: Duration = Duration::from_millis(400);

/// What became of a seed.
#[derive(Debug)]
pub struct Outcome {
    /// What is wrong; nothing where all is well.
    pub wrong: Vec<String>,
    /// Faults by kind.
    pub faults: BTreeMap<&'static str, u64>,
    /// The last steps and faults, where they were asked for.
    pub trace: Vec<String>,
    /// Stands for all steps and their times.
    pub digest: u64,
    /// Lines written.
    pub lines: u64,
    /// Steps taken.
    pub steps: u64,
    /// Virtual time that passed.
    pub passed: Duration,
}

/// What to expect of the lines of a subject when nothing goes wrong.
pub struct Expected(Expectations);

/// Finds out what to expect, by runs in which nothing goes wrong. The error says why a subject cannot be simulated.
pub fn expectations(subject: &Subject) -> Result<Expected, String> {
    let mut expect = Expectations::default();
    for seed in 0..6 {
        let mut scenario = Scenario::new(subject, Story::calm(seed % 2 == 1), seed, false);
        scenario.run();
        if let Some(wrong) = scenario.wrong.first() {
            return Err(format!("it fails though nothing goes wrong: {wrong}"));
        }
        let (arrived, letters) = scenario.read_back()?;
        expect.learn(&scenario.evidence(&arrived, &letters, &Expectations::default()));
    }
    if !expect.are_useful() {
        return Err("none of the lines that are written can be recognised at any sink".to_owned());
    }
    Ok(Expected(expect))
}

/// Runs one seed. `traced` keeps its last steps.
pub fn simulate(subject: &Subject, expected: &Expected, seed: u64, traced: bool) -> Outcome {
    let story = Story::of(&mut Dice::new(seed ^ 0x0570_12e5));
    let mut scenario = Scenario::new(subject, story, seed, traced);
    scenario.trace().say(Duration::ZERO, || format!("seed {seed}: {story:?}"));
    scenario.run();
    if scenario.wrong.is_empty() {
        match scenario.read_back() {
            Ok((arrived, letters)) => {
                let (wrong, unseen) = check::check(&scenario.evidence(&arrived, &letters, &expected.0));
                scenario.wrong.extend(wrong);
                match scenario.alerts(&arrived) {
                    Ok(wrong) => scenario.wrong.extend(wrong),
                    Err(error) => scenario.wrong.push(error),
                }
                let books = scenario.books();
                scenario.wrong.extend(books);
                for _ in 0..unseen {
                    let now = scenario.clock.monotonic();
                    scenario.trace().fault(now, "a log that was gone before it was seen", String::new);
                }
                if scenario.wrong.is_empty() && seed.is_multiple_of(4) {
                    scenario.again(&arrived);
                }
            }
            Err(error) => scenario.wrong.push(error),
        }
    }
    scenario.outcome()
}

struct Scenario<'a> {
    subject: &'a Subject,
    story: Story,
    clock: Arc<SimClock>,
    fs: SimFs,
    cluster: Cluster,
    writers: Writers,
    dice: Dice,
    trace: Arc<Mutex<Trace>>,
    process: Option<(Process, Arc<Life>)>,
    start_at: Duration,
    lives_left: u32,
    /// Rows of each ordered sink when a life ended.
    lives: Vec<Vec<(usize, usize)>>,
    gaps: Vec<Gap>,
    /// What detectors were told in lives that are over, by the number of their sink.
    observed: BTreeMap<usize, Observed>,
    wrong: Vec<String>,
    steps: u64,
    ready: Vec<Actor>,
    traced: bool,
}

impl<'a> Scenario<'a> {
    fn new(subject: &'a Subject, story: Story, seed: u64, traced: bool) -> Self {
        let clock = Arc::new(SimClock::at(1_790_000_000_000_000_000));
        let trace = Arc::new(Mutex::new(Trace::new(traced)));
        let fs = SimFs::new(seed, clock.clone());
        let world = fs.world();
        // A host id of its own would be random. Memory cannot fail to take it.
        let _ = world.make_folder(Path::new(DATA)).and_then(|()| {
            let file = world.open_append(&Path::new(DATA).join("host-id"))?;
            file.append(b"simulated host!!")?;
            file.sync()?;
            world.sync_folder(Path::new(DATA))
        });
        let nodes: Vec<&[String]> = subject
            .destinations
            .iter()
            .filter_map(|of| if let Destination::Cluster(nodes) = of { Some(&nodes[..]) } else { None })
            .collect();
        let cluster = Cluster::new(seed, clock.clone(), trace.clone(), &nodes);
        let writers = Writers::new(seed, &fs, &subject.feeds, story.lines);
        Self {
            subject,
            story,
            clock,
            cluster,
            writers,
            fs,
            dice: Dice::new(seed),
            trace,
            process: None,
            start_at: Duration::ZERO,
            lives_left: story.lives,
            lives: vec![Vec::new(); subject.destinations.len()],
            gaps: Vec::new(),
            observed: BTreeMap::new(),
            wrong: Vec::new(),
            steps: 0,
            ready: Vec::new(),
            traced,
        }
    }

    fn trace(&self) -> MutexGuard<'_, Trace> {
        self.trace.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&mut self) {
        self.trouble();
        self.calm();
    }

    /// The time in which things go wrong.
    fn trouble(&mut self) {
        self.fs.set_rates(self.story.disk);
        self.cluster.set_rates(self.story.cluster);
        let mut write_at = Duration::ZERO;
        let mut full_until = None;
        while self.clock.monotonic() < self.story.troubled && self.wrong.is_empty() {
            let now = self.clock.monotonic();
            if now >= write_at {
                write_at = now + self.story.pause * self.dice.below(2000) as u32 / 1000;
                self.programs();
            }
            self.accidents(now, &mut full_until);
            if self.process.is_none() && now >= self.start_at {
                self.start();
            }
            if !self.step_any() {
                self.wait(write_at);
            }
        }
        self.fs.set_full(false);
    }

    /// The programs outside do something.
    fn programs(&mut self) {
        let trace = &mut *self.trace.lock().unwrap_or_else(PoisonError::into_inner);
        if self.story.rotation > 0 && self.dice.one_in(self.story.rotation) {
            self.writers.rotate(&self.clock, trace);
        } else {
            self.writers.write(&self.clock, !self.story.torn_lines, trace);
        }
    }

    /// What happens to the machine and the process.
    fn accidents(&mut self, now: Duration, full_until: &mut Option<Duration>) {
        if self.story.full && full_until.is_none() && self.dice.one_in(200) {
            self.fs.set_full(true);
            let lasts = Duration::from_millis(100 + self.dice.below(6000));
            *full_until = Some(now + lasts);
            self.trace().fault(now, "the disk is full", || format!("for {lasts:?}"));
        }
        if full_until.is_some_and(|until| until <= now) {
            self.fs.set_full(false);
        }
        if self.story.jumps && self.dice.one_in(150) {
            let by_s = self.dice.below(7200) as i64 - 3600;
            self.clock.jump(by_s * 1_000_000_000);
            self.trace().fault(now, "the wall clock jumps", || format!("{by_s} s"));
        }
        if self.lives_left > 0 && self.process.is_some() && self.dice.one_in(120) {
            self.lives_left -= 1;
            match self.dice.below(4) {
                0 => self.kill(false),
                1 => self.kill(true),
                2 => self.light_fuse(),
                _ => self.stop(),
            }
        }
    }

    fn light_fuse(&mut self) {
        // A life that ends by itself, in the middle of a step.
        let operations = self.dice.below(60);
        if let Some((_, life)) = &self.process {
            life.set_fuse(operations);
        }
        let now = self.clock.monotonic();
        self.trace().say(now, || format!("it will be killed after {operations} changes of the disk"));
    }

    fn start(&mut self) {
        let now = self.clock.monotonic();
        let fuse = (self.lives_left > 0 && self.dice.one_in(8)).then(|| self.dice.below(40));
        let life = Arc::new(Life::new(fuse));
        let settings = Settings {
            data_dir: DATA.into(),
            workers: self.story.workers,
            once: false,
            fs: Arc::new(self.fs.process(life.clone())),
            clock: self.clock.clone(),
            network: self.cluster.network(life.clone()),
        };
        let started = Process::start(self.subject, &settings, self.story.bounds, self.traced);
        self.note_faults();
        self.mark_lives();
        match started {
            Ok(process) => {
                self.trace().step(now, 1, || format!("started{}", told(&process.warnings)));
                self.process = Some((process, life));
            }
            Err(error) => {
                self.trace().fault(now, "a start that failed", || error.clone());
                if life.is_over() {
                    self.lives_left = self.lives_left.saturating_sub(1);
                    self.lost_power(now);
                }
                self.start_at = now + RESTART;
            }
        }
    }

    /// The process is gone from one moment to the next; with `power`, so is what was not synced.
    fn kill(&mut self, power: bool) {
        let now = self.clock.monotonic();
        let Some((process, life)) = self.process.take() else { return };
        life.end();
        self.bury(process);
        self.trace().fault(now, if power { "power loss" } else { "kill" }, String::new);
        if power {
            self.power_fails();
        }
        self.mark_lives();
        self.start_at = now + Duration::from_millis(self.dice.below(3000));
    }

    /// What was not synced is lost wherever the process writes.
    fn power_fails(&mut self) {
        let data = Path::new(DATA);
        let places: Vec<&Path> = self
            .subject
            .destinations
            .iter()
            .filter_map(|of| match of {
                Destination::Archive(path) | Destination::Lines(path) => Some(path.as_path()),
                _ => None,
            })
            .chain([data])
            .collect();
        let folders: Vec<&Path> = places.iter().filter_map(|path| path.parent()).collect();
        let logs: Vec<_> = self.writers.folders();
        // The folder of an output is lost with it, unless programs write their logs there, which they sync.
        self.fs.power_fails(&|path| {
            places.iter().any(|place| path.starts_with(place))
                || (folders.contains(&path) && !logs.iter().any(|log| log == path))
        });
        self.note_faults();
    }

    fn lost_power(&mut self, now: Duration) {
        let power = self.dice.one_in(2);
        let kind = if power { "power loss in the middle of a step" } else { "kill in the middle of a step" };
        self.trace().fault(now, kind, String::new);
        if power {
            self.power_fails();
        }
        self.mark_lives();
    }

    /// SIGTERM: it stops by itself, or is killed when it takes too long.
    fn stop(&mut self) {
        let now = self.clock.monotonic();
        self.trace().fault(now, "stop and restart", String::new);
        if let Some((process, _)) = &mut self.process {
            process.stop();
        }
        let until = now + Duration::from_secs(5);
        while self.clock.monotonic() < until {
            let Some((process, _)) = &mut self.process else { return };
            if process.wind_up(&*self.clock) {
                break;
            }
            if !self.step_any() {
                self.wait(until);
            }
        }
        if let Some((process, life)) = self.process.take() {
            life.end();
            self.bury(process);
            self.mark_lives();
        }
        self.start_at = self.clock.monotonic();
    }

    /// Keeps what a life said.
    fn bury(&mut self, mut process: Process) {
        self.keep(&mut process);
    }

    /// Notes how many rows each ordered sink has; a torn last one may be cut away or ended by the next life.
    fn mark_lives(&mut self) {
        for (lives, destination) in self.lives.iter_mut().zip(&self.subject.destinations) {
            if destination.is_ordered()
                && let Ok(Some(rows)) = read_back::rows(destination, &self.fs, &self.cluster)
            {
                let torn = usize::from(rows.last().is_some_and(|row| row.torn));
                // What was not synced can be lost by a start as well.
                lives.retain(|(_, all)| *all <= rows.len());
                lives.push((rows.len() - torn, rows.len()));
            }
        }
    }

    /// One part takes one step. False where nobody has anything to do.
    fn step_any(&mut self) -> bool {
        let now = self.clock.monotonic();
        let Some((process, life)) = &mut self.process else { return false };
        process.ready(now, self.cluster.next_answer(), &mut self.ready);
        if self.ready.is_empty() {
            return false;
        }
        let actor = self.ready[self.dice.below(self.ready.len() as u64) as usize];
        process.step(actor, &*self.clock, &mut self.dice);
        self.steps += 1;
        if let Some(over) = process.overdrawn() {
            process.wrong.push(over);
        }
        self.wrong.append(&mut process.wrong);
        let died = life.is_over();
        self.trace().step(now, actor.number(), String::new);
        if self.traced
            && let Some((process, _)) = &mut self.process
        {
            let said = process.said.take().into_iter().chain(process.warnings.drain(..)).collect::<Vec<_>>();
            for said in said {
                self.trace().say(now, || format!("{actor:?}: {said}"));
            }
        }
        self.note_faults();
        if died && let Some((process, _)) = self.process.take() {
            self.bury(process);
            self.lost_power(now);
            self.start_at = now + Duration::from_millis(self.dice.below(3000));
        }
        // Steps take time, most of them little.
        let pause = if self.dice.one_in(16) { self.dice.below(20_000) } else { self.dice.below(300) };
        self.clock.advance(Duration::from_micros(pause));
        true
    }

    fn note_faults(&mut self) {
        let now = self.clock.monotonic();
        for said in self.fs.said() {
            self.trace().say(now, || format!("fault: {said}"));
        }
    }

    /// Time passes until somebody has something to do.
    fn wait(&mut self, until: Duration) {
        let now = self.clock.monotonic();
        let due = self.process.as_ref().map_or(self.start_at, |(process, _)| process.next_due());
        let next = self.cluster.next_answer().map_or(due, |at| due.min(at));
        let next = next.min(until).min(now + TICK_MAX).max(now + Duration::from_micros(50));
        self.clock.advance(next - now);
    }

    /// The faults end: all that was written must arrive within a bound.
    fn calm(&mut self) {
        self.fs.set_rates(FaultRates::default());
        self.cluster.set_rates(ClusterRates::default());
        self.lives_left = 0;
        if let Some((_, life)) = &self.process {
            life.set_fuse(u64::MAX);
        }
        let begun = self.clock.monotonic();
        self.trace().say(begun, || "no more faults".to_owned());
        {
            let trace = &mut *self.trace.lock().unwrap_or_else(PoisonError::into_inner);
            self.writers.finish(&self.clock, trace);
        }
        let (steps, finish_at) = (self.steps, begun + SETTLE);
        let mut finishing = false;
        while self.wrong.is_empty() {
            let now = self.clock.monotonic();
            if self.process.is_none() && now >= self.start_at {
                self.start();
            }
            if !finishing && now >= finish_at {
                finishing = true;
                if let Some((process, _)) = &mut self.process {
                    process.finish(now);
                }
            }
            if finishing
                && let Some((process, _)) = &mut self.process
                && process.wind_up(&*self.clock)
            {
                break;
            }
            if self.steps - steps > SIM_STEPS_MAX || now > begun + SIM_CALM_MAX {
                let waits = self.process.as_ref().map_or(String::new(), |(process, _)| process.waits_for());
                let steps = self.steps - steps;
                let wrong =
                    format!("no end {:?} and {steps} steps after the faults did: {waits}", now - begun);
                self.wrong.push(wrong);
                break;
            }
            if !self.step_any() {
                self.wait(if finishing { now + TICK_MAX } else { finish_at });
            }
        }
        self.close_books();
    }

    /// Everything is settled: the ledger balances and the pools are empty.
    fn close_books(&mut self) {
        let Some((mut process, _)) = self.process.take() else { return };
        if self.wrong.is_empty() {
            let ledger = process.ledger();
            if !ledger.balances() {
                self.wrong.push(format!("the ledger does not balance in the end: {ledger:?}"));
            }
            if process.held() != (0, 0) {
                self.wrong.push(format!("the pools hold {:?} bytes though all is settled", process.held()));
            }
            self.wrong.extend(self.cluster.wrong());
        }
        self.keep(&mut process);
    }

    fn keep(&mut self, process: &mut Process) {
        for (sink, observed) in std::mem::take(&mut process.observed) {
            self.observed.entry(sink).or_default().add(observed);
        }
        self.gaps.extend(process.gaps.iter().cloned());
        self.wrong.extend(process.wrong.iter().cloned());
        let mut trace = self.trace();
        trace.add("a share withheld from a slow sink", process.withheld);
        trace.add("a catch-up read", process.catch_ups);
    }

    fn read_back(&self) -> Result<(Vec<Arrived>, BTreeMap<u32, u32>), String> {
        let mut all = Vec::new();
        for (at, destination) in self.subject.destinations.iter().enumerate() {
            let mut rows = read_back::rows(destination, &self.fs, &self.cluster)?;
            if let Some(observed) = self.observed.get(&at) {
                rows = Some(observed.rows(&self.settled_by(at)?));
            }
            if self.has_alerts_only(at) {
                // What is torn is not known for an alert.
                rows.iter_mut().flatten().for_each(|row| row.marks.clear());
            }
            all.push(Arrived {
                sink: self.subject.plan.sinks[at].name.clone(),
                destination: destination.clone(),
                rows,
                lives: self.lives[at].clone(),
            });
        }
        Ok((all, read_back::letters(&self.fs, Path::new(DATA))))
    }

    /// What a sink has settled by its own records.
    fn settled_by(&self, sink: usize) -> Result<Vec<CursorRecord>, String> {
        let world = World {
            fs: Arc::new(self.fs.world()),
            clock: self.clock.clone(),
            network: self.cluster.network(Arc::new(Life::new(None))),
            data_dir: DATA.into(),
            host: Arc::from(&b"simulated host!!"[..]),
            wake: Arc::new(|| ()),
        };
        let opened = self.subject.plan.sinks[sink].plan.open(world);
        opened.map(|(_, cursors)| cursors).map_err(|error| error.to_string())
    }

    /// What is wrong with the alerts of detectors that keep state, and with what became of them.
    fn alerts(&self, arrived: &[Arrived]) -> Result<Vec<String>, String> {
        let mut wrong = Vec::new();
        for (sink, observed) in &self.observed {
            let Destination::Detectors(folder) = &self.subject.destinations[*sink] else { continue };
            let (named, cursors) = (&self.subject.plan.sinks[*sink], self.settled_by(*sink)?);
            let written = alerts::written(&self.fs, folder);
            // A wall clock that jumps says of some that they happen in the future.
            let is_strict = !self.story.jumps && !observed.is_loose;
            let found = observed.check(&*named.plan, is_strict.then_some(&cursors), &written);
            wrong.extend(found.into_iter().map(|wrong| format!("{}: {wrong}", named.name)));
            let mut trace = self.trace();
            trace.add("an alert that is compared", if is_strict { written.len() as u64 } else { 0 });
            trace.add("an alert", written.len() as u64);
            drop(trace);
            let ids = alerts::ids(&written);
            for at in self.alert_sinks(&named.name) {
                wrong.extend(self.handed_on(&arrived[at], &ids));
            }
        }
        Ok(wrong)
    }

    /// Whether a sink gets nothing but alerts.
    fn has_alerts_only(&self, sink: usize) -> bool {
        let mut lines =
            self.subject.plan.pipelines.iter().filter(|line| line.sinks.contains(&sink)).peekable();
        lines.peek().is_some() && lines.all(|line| line.name.ends_with(OF_ALERTS))
    }

    /// The sinks that `alerts to` sends the alerts of a sink of detectors to.
    fn alert_sinks(&self, name: &str) -> Vec<usize> {
        let lines = self.subject.plan.pipelines.iter();
        lines
            .filter(|line| name.ends_with(OF_ALERTS) && line.name == name)
            .flat_map(|line| line.sinks.clone())
            .collect()
    }

    /// Each alert is at a sink, once where it is exact, or was refused.
    fn handed_on(&self, arrived: &Arrived, ids: &BTreeSet<String>) -> Vec<String> {
        let Some(rows) = &arrived.rows else { return Vec::new() };
        let mut times: BTreeMap<&str, u32> = BTreeMap::new();
        for id in rows.iter().filter_map(|row| row.alert.as_deref()) {
            *times.entry(id).or_default() += 1;
        }
        let mut wrong = Vec::new();
        for id in ids {
            let letter = || read_back::is_in_letters(&self.fs, Path::new(DATA), id);
            match times.get(id.as_str()) {
                None if !letter() => wrong.push(format!("{}: the alert {id} is lost", arrived.sink)),
                Some(2..) if arrived.destination.is_exact() => {
                    wrong.push(format!("{}: the alert {id} is there twice", arrived.sink));
                }
                _ => {}
            }
        }
        let unknown = times.keys().filter(|id| !ids.contains(**id));
        wrong.extend(unknown.map(|id| format!("{}: nobody wrote the alert {id}", arrived.sink)));
        wrong
    }

    /// What is wrong with the ledger on disk, which every kill and power loss has gone through.
    fn books(&self) -> Vec<String> {
        let audit = match Audit::read(&self.fs.world(), Path::new(DATA), i64::MIN, &|_, _, _| true) {
            Ok(audit) => audit,
            Err(error) => return vec![format!("the ledger on disk cannot be read: {error}")],
        };
        let unsound = audit.unknown() > 0 || !audit.imbalances.is_empty();
        unsound.then(|| format!("the ledger on disk is not sound: {audit:?}")).into_iter().collect()
    }

    fn evidence<'b>(
        &'b self,
        arrived: &'b [Arrived],
        letters: &'b BTreeMap<u32, u32>,
        expect: &'b Expectations,
    ) -> Evidence<'b> {
        Evidence { truth: &self.writers.truth, arrived, letters, gaps: &self.gaps, expect }
    }

    /// Starts once more: what is settled is not sent again.
    fn again(&mut self, before: &[Arrived]) {
        let (_, repeated) = self.cluster.counts();
        self.start_at = self.clock.monotonic();
        self.calm();
        if !self.wrong.is_empty() {
            return;
        }
        let now = self.clock.monotonic();
        self.trace().say(now, || "read back after one more start".to_owned());
        match self.read_back() {
            Ok((after, _)) => {
                for (before, after) in before.iter().zip(&after).filter(|(a, b)| a.rows != b.rows) {
                    let count = |arrived: &Arrived| arrived.rows.as_ref().map_or(0, Vec::len);
                    self.wrong.push(format!(
                        "{}: {} rows before one more start, {} after it",
                        before.sink,
                        count(before),
                        count(after)
                    ));
                }
            }
            Err(error) => self.wrong.push(error),
        }
        let (_, now_repeated) = self.cluster.counts();
        if now_repeated != repeated {
            self.wrong
                .push(format!("{} settled rows were sent again after a start", now_repeated - repeated));
        }
    }

    fn outcome(self) -> Outcome {
        let mut trace = self.trace();
        trace.count(self.fs.faults());
        Outcome {
            wrong: self.wrong.clone(),
            faults: trace.faults().clone(),
            trace: trace.lines(),
            digest: trace.digest(),
            lines: u64::from(self.writers.truth.next_mark()),
            steps: self.steps,
            passed: self.clock.monotonic(),
        }
    }
}

fn told(warnings: &[String]) -> String {
    if warnings.is_empty() { String::new() } else { format!(": {}", warnings.join("; ")) }
}
