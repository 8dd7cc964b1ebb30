//! A `files` source on a disk and a clock in memory, with one sink, the tracker and the cursor log: stepped by hand.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use aludel::event::{Batch, OptionValue, Options, Segment, Span};
use aludel::position::Stream;
use aludel::seam::sim::{SimClock, SimFs};
use aludel::seam::{Clock, Fs};
use aludel::source::files::KIND;
use aludel::source::{Notice, Progress, Source, World};
use aludel::spool::{CursorLog, Fate, Tracker};

pub(crate) const DATA: &str = "/data";
pub(crate) const LOGS: &str = "/logs";

/// Stream, generation, lane, start, end, part: what an event id is made of.
pub(crate) type Id = (u64, u16, u8, u64, u64, u16);

/// Ranges of one run, on their way to the sink.
pub(crate) struct Sent {
    stream: Arc<Stream>,
    ranges: Vec<Range<u64>>,
}

/// A process that reads.
pub(crate) struct Process {
    source: Box<dyn Source>,
    log: CursorLog,
    tracker: Tracker,
    pub(crate) sent: Vec<Sent>,
}

/// Everything that outlives a process.
pub(crate) struct Rig {
    pub(crate) fs: SimFs,
    pub(crate) clock: Arc<SimClock>,
    options: Options,
    pub(crate) process: Option<Process>,
    /// What the sink has, by event id.
    pub(crate) events: BTreeMap<Id, String>,
    pub(crate) gaps: Vec<(u64, u16, u64, Option<u64>, &'static str)>,
    pub(crate) warnings: Vec<String>,
}

impl Rig {
    pub(crate) fn new(seed: u64, values: Vec<(&'static str, OptionValue)>) -> Self {
        Self::over(seed, "/logs/*.log", values)
    }

    pub(crate) fn over(seed: u64, pattern: &str, values: Vec<(&'static str, OptionValue)>) -> Self {
        let clock = Arc::new(SimClock::at(1_700_000_000_000_000_000));
        let fs = SimFs::new(seed, clock.clone());
        fs.make_folder(Path::new(DATA)).expect("made");
        fs.make_folder(Path::new(LOGS)).expect("made");
        let options = Options::new(vec![pattern.into()], values);
        Self {
            fs,
            clock,
            options,
            process: None,
            events: BTreeMap::new(),
            gaps: Vec::new(),
            warnings: Vec::new(),
        }
    }

    pub(crate) fn start(&mut self) {
        let fs: Arc<dyn Fs> = Arc::new(self.fs.clone());
        let (log, _) = CursorLog::open(fs.clone(), Path::new(DATA)).expect("a cursor log");
        let world =
            World { fs, clock: self.clock.clone(), data_dir: DATA.into(), host: Arc::from(&b"host"[..]) };
        let plan = (KIND.plan)("logs", &self.options).expect("good options");
        let source = plan.open(world, Arc::new(log.cursors(&[("es", true)]))).expect("opens");
        let mut tracker = Tracker::new(&["es"]);
        tracker.source("logs", &[0]);
        self.process = Some(Process { source, log, tracker, sent: Vec::new() });
    }

    /// The process is gone from one moment to the next; with `power`, so is what it had not synced.
    pub(crate) fn crash(&mut self, power: bool) {
        self.process = None;
        if power {
            self.fs.crash(Path::new(DATA));
        }
    }

    /// One step of the source; the sink has the rows at once, and says so when [`Rig::settle`] is called.
    pub(crate) fn step(&mut self) -> Progress {
        let process = self.process.as_mut().expect("started");
        let mut batch = Batch::default();
        let progress = process.source.step(self.clock.monotonic(), &mut batch);
        for notice in process.source.notices() {
            match notice {
                Notice::Gap { stream, start, end, cause } => {
                    if let Some(end) = end {
                        process.tracker.gap(&stream, start..end, None);
                    }
                    self.gaps.push((stream.id.0, stream.generation, start, end, cause));
                }
                Notice::Warning(warning) => self.warnings.push(warning),
            }
        }
        assert_eq!(batch.runs.iter().map(|run| run.messages.len()).sum::<usize>(), batch.messages.len());
        for run in &batch.runs {
            process.tracker.opened(&run.stream, run.from, run.settled.as_deref());
            process.tracker.handed(&run.stream, &run.ranges);
            process.sent.push(Sent { stream: run.stream.clone(), ranges: run.ranges.clone() });
            let stream = (run.stream.id.0, run.stream.generation);
            for message in &batch.messages[run.messages.start as usize..run.messages.end as usize] {
                let settled = run.settled.as_ref().is_some_and(|sets| sets[0].contains(message.start));
                if settled {
                    continue;
                }
                let within = run.ranges.iter().any(|r| r.start <= message.start && message.end <= r.end);
                assert!(within || run.ranges.len() > 1, "{message:?} in {:?}", run.ranges);
                let id = (stream.0, stream.1, message.lane, message.start, message.end, message.part);
                let text = text(&batch.segments, message.text);
                if let Some(before) = self.events.insert(id, text.clone()) {
                    assert_eq!(before, text, "the same id is the same bytes: {id:?}");
                }
            }
        }
        progress
    }

    /// The sink settles the run with this number.
    pub(crate) fn settle(&mut self, at: usize) {
        let process = self.process.as_mut().expect("started");
        let sent = process.sent.remove(at);
        process.tracker.settled(0, &sent.stream, &sent.ranges, Fate::default());
    }

    /// Cursors become durable, and the source is told.
    pub(crate) fn commit(&mut self) {
        let process = self.process.as_mut().expect("started");
        let dirty = process.tracker.dirty();
        for record in &dirty {
            process.log.put(record);
        }
        if process.log.commit().is_err() {
            return;
        }
        for record in dirty {
            let stream = Stream {
                id: record.stream,
                generation: record.generation,
                source: "logs".into(),
                path: "".into(),
            };
            if let Some(low) = process.tracker.low(&stream) {
                process.source.settled(&stream, low);
            }
        }
        for stream in process.source.forgotten() {
            process.log.forget(stream.id, stream.generation);
            process.tracker.forget(stream.id, stream.generation);
        }
        for (_, _, account) in process.tracker.ledger() {
            assert!(account.balances(), "{account:?}");
        }
    }

    pub(crate) fn settle_all(&mut self) {
        while !self.process.as_ref().expect("started").sent.is_empty() {
            self.settle(0);
        }
        self.commit();
    }

    /// Steps and lets time pass until `time` has.
    pub(crate) fn run(&mut self, time: Duration) {
        let end = self.clock.monotonic() + time;
        while self.clock.monotonic() < end {
            if self.step() != Progress::More {
                self.settle_all();
                self.clock.advance(Duration::from_millis(100));
            }
        }
    }

    /// Reads all that is there and ends, as `--once` does.
    pub(crate) fn finish(&mut self) {
        self.process.as_mut().expect("started").source.finish();
        for _ in 0..100_000 {
            match self.step() {
                Progress::End => {
                    self.settle_all();
                    return;
                }
                Progress::More => {}
                Progress::Wait(_) => self.clock.advance(Duration::from_millis(50)),
            }
        }
        panic!("the source does not end");
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        self.fs.write(&path(name), text.as_bytes()).expect("space");
    }

    /// The lines that the sink has, sorted.
    pub(crate) fn lines(&self) -> Vec<&str> {
        let mut lines: Vec<_> = self.events.values().map(String::as_str).collect();
        lines.sort_unstable();
        lines
    }

    pub(crate) fn open_files(&self) -> usize {
        self.process.as_ref().expect("started").source.backlog().open
    }

    pub(crate) fn backlog(&self) -> aludel::source::Backlog {
        self.process.as_ref().expect("started").source.backlog()
    }
}

pub(crate) fn path(name: &str) -> PathBuf {
    Path::new(LOGS).join(name)
}

pub(crate) fn plain() -> Vec<(&'static str, OptionValue)> {
    vec![
        ("format", OptionValue::Text("lines".into())),
        ("multiline", OptionValue::Texts(vec!["none".into()])),
    ]
}

fn text(segments: &[Arc<Segment>], span: Span) -> String {
    let bytes = segments[(span.buffer - Span::SEGMENTS) as usize].bytes();
    String::from_utf8_lossy(&bytes[span.start as usize..(span.start + span.len) as usize]).into_owned()
}
