//! Peers, a source whose input is spooled, and sinks, on one thread and a virtual disk. Peers and sinks outlive crashes.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aludel::event::{Batch, Span};
use aludel::frame::FrameConfig;
use aludel::position::{Ranges, Resume, StreamId};
use aludel::seam::Clock;
use aludel::seam::sim::{Dice, SimClock, SimFs};
use aludel::source::spooled::{Framing, Inlet, Intake, Peer, Receipt, Spooled};
use aludel::source::{Notice, Progress, Source, World};
use aludel::spool::Limit;

use super::disk::Disk;

pub(super) const DATA: &str = "/data";

/// What peers have sent and what they were told.
#[derive(Default)]
pub(super) struct Sent {
    /// Number of the next message.
    pub(super) next: u64,
    pub(super) acked: BTreeSet<u64>,
    /// Nothing more is sent.
    pub(super) done: bool,
}

pub(super) struct Peers {
    sent: Arc<Mutex<Sent>>,
    dice: Dice,
    lines: bool,
    waiting: Vec<(Receipt, u64)>,
    /// The second half of a line.
    rest: Option<(u64, Vec<u8>)>,
}

/// A message: its number between marks, then as many letters as the number says.
fn text(number: u64) -> String {
    let trace = if number % 7 == 3 {
        format!("\njava.lang.E: boom\n\tat a.b.C.d{number}(E.java:1)")
    } else {
        String::new()
    };
    format!("2024-05-01 ERROR <{number}> {}{trace}", "x".repeat((number * 37 % 200) as usize))
}

impl Intake for Peers {
    fn step(&mut self, now: Duration, _: i64, inlet: &mut Inlet<'_>) -> Progress {
        let mut sent = self.sent.lock().expect("no panic");
        if let Some((number, rest)) = self.rest.take() {
            let receipt = inlet.push(&Peer::new("peer"), &rest);
            self.waiting.push((receipt, number));
        }
        if sent.done {
            return Progress::End;
        }
        for _ in 0..self.dice.below(6) {
            if inlet.is_full() {
                return Progress::More;
            }
            let number = sent.next;
            sent.next += 1;
            let mut bytes = text(number).into_bytes();
            if self.lines {
                bytes.push(b'\n');
                if self.dice.one_in(4) {
                    let rest = bytes.split_off(self.dice.below(bytes.len() as u64) as usize);
                    inlet.push(&Peer::new("peer"), &bytes);
                    self.rest = Some((number, rest));
                    return Progress::Wait(now + Duration::from_millis(1));
                }
            }
            let name = if self.lines { "peer".to_owned() } else { format!("192.0.2.{}", number % 3) };
            let receipt = inlet.push(&Peer::new(&name), &bytes);
            self.waiting.push((receipt, number));
        }
        if self.dice.one_in(3) {
            inlet.hurry();
        }
        Progress::Wait(now + Duration::from_millis(5))
    }

    fn durable(&mut self, receipt: Receipt) {
        let mut sent = self.sent.lock().expect("no panic");
        self.waiting.retain(|(of, number)| {
            let durable = *of <= receipt;
            if durable {
                assert!(sent.acked.insert(*number), "acked twice");
            }
            !durable
        });
    }
}

/// What sinks have, by the range of a message: the text is the same whenever it is sent.
#[derive(Default)]
pub(super) struct Sink {
    pub(super) has: BTreeMap<(u64, u64, u16), String>,
    settled: Ranges,
    low: u64,
    waiting: Vec<std::ops::Range<u64>>,
    pub(super) gaps: Ranges,
}

impl Sink {
    pub(super) fn take(&mut self, batch: &Batch) {
        for run in &batch.runs {
            let messages = &batch.messages[run.messages.start as usize..run.messages.end as usize];
            for message in messages {
                let span = message.text;
                let segment = &batch.segments[usize::from(span.buffer - Span::SEGMENTS)];
                let bytes = &segment.bytes()[span.start as usize..(span.start + span.len) as usize];
                let text = String::from_utf8_lossy(bytes).into_owned();
                if run.settled.as_ref().is_some_and(|sets| sets[0].contains(message.start)) {
                    continue;
                }
                let before = self.has.insert((message.start, message.end, message.part), text.clone());
                assert!(before.is_none_or(|before| before == text), "one id, two texts: {text}");
            }
            self.waiting.extend(run.ranges.iter().cloned());
        }
    }

    /// Some of what was taken is settled, in any order.
    pub(super) fn settle(&mut self, dice: &mut Dice, all: bool) {
        let settled = &mut self.settled;
        self.waiting.retain(|range| {
            let keep = !all && dice.one_in(3);
            if !keep {
                settled.insert(range.clone());
            }
            keep
        });
        self.low = self.settled.first_gap(self.low);
        self.settled.drop_below(self.low);
    }

    pub(super) fn numbers(&self) -> BTreeMap<u64, usize> {
        let mut numbers = BTreeMap::new();
        for text in self.has.values() {
            for part in text.split('<').skip(1) {
                if let Some(number) = part.split_once('>').and_then(|(number, _)| number.parse().ok()) {
                    *numbers.entry(number).or_default() += 1;
                }
            }
        }
        numbers
    }
}

/// What the cursor log says.
#[derive(Clone)]
pub(super) struct Cursor {
    pub(super) low: Option<u64>,
    pub(super) settled: Ranges,
}

impl Resume for Cursor {
    fn position(&self, _: StreamId, _: u16) -> Option<u64> {
        self.low
    }

    fn settled(&self, _: StreamId, _: u16) -> Option<Arc<[Ranges]>> {
        (!self.settled.is_empty()).then(|| Arc::from([self.settled.clone()]))
    }
}

/// One life after the other.
pub(super) struct Rig {
    pub(super) disk: Disk,
    pub(super) clock: Arc<SimClock>,
    pub(super) sent: Arc<Mutex<Sent>>,
    pub(super) sink: Sink,
    /// What is durable of what the sink has settled.
    pub(super) cursor: Cursor,
    pub(super) dice: Dice,
    pub(super) lines: bool,
    pub(super) limit: Limit,
    pub(super) warnings: Vec<String>,
}

impl Rig {
    pub(super) fn new(seed: u64, lines: bool, limit: Limit) -> Self {
        let clock = Arc::new(SimClock::at(1_700_000_000_000_000_000));
        Self {
            disk: Disk::new(SimFs::new(seed, clock.clone()), seed),
            clock,
            sent: Arc::default(),
            sink: Sink::default(),
            cursor: Cursor { low: None, settled: Ranges::default() },
            dice: Dice::new(seed),
            lines,
            limit,
            warnings: Vec::new(),
        }
    }

    pub(super) fn open(&mut self) -> Result<Spooled<Peers>, String> {
        let peers = Peers {
            sent: self.sent.clone(),
            dice: Dice::new(self.dice.roll()),
            lines: self.lines,
            waiting: Vec::new(),
            rest: None,
        };
        let framing =
            if self.lines { Framing::Lines(Arc::new(FrameConfig::default())) } else { Framing::Messages };
        let world = World {
            fs: Arc::new(self.disk.clone()),
            clock: self.clock.clone(),
            data_dir: DATA.into(),
            host: Arc::from(&b"host"[..]),
        };
        // Nobody settles again what was settled before.
        self.sink.waiting.clear();
        (self.sink.settled, self.sink.low) = (self.cursor.settled.clone(), self.cursor.low.unwrap_or(0));
        Spooled::open("in", framing, self.limit, peers, world, &self.cursor)
    }

    /// One step of the source, and perhaps of the others.
    pub(super) fn step(&mut self, source: &mut Spooled<Peers>) -> Progress {
        let mut batch = Batch::default();
        if self.dice.one_in(5) {
            // The pipeline takes nothing for a while.
            for _ in 0..self.dice.below(20) {
                source.absorb(self.clock.monotonic());
                self.clock.advance(Duration::from_millis(self.dice.below(8)));
            }
        }
        let progress = source.step(self.clock.monotonic(), &mut batch);
        if !self.disk.is_off() {
            self.sink.take(&batch);
        }
        for notice in source.notices() {
            match notice {
                Notice::Gap { start, end, .. } => {
                    let range = start..end.expect("spools know");
                    self.sink.gaps.insert(range.clone());
                    self.sink.settled.insert(range);
                }
                Notice::Warning(warning) => self.warnings.push(warning),
            }
        }
        if self.dice.one_in(2) {
            self.sink.settle(&mut self.dice, false);
        }
        if self.dice.one_in(3) && !self.disk.is_off() {
            // The cursor is durable before the source hears of it.
            self.cursor = Cursor { low: Some(self.sink.low), settled: self.sink.settled.clone() };
            if let Some(stream) = batch.runs.first().map(|run| run.stream.clone()) {
                source.settled(&stream, self.sink.low);
            }
        }
        self.clock.advance(Duration::from_millis(self.dice.below(30)));
        if self.dice.one_in(30) {
            self.clock.advance(Duration::from_secs(3));
        }
        progress
    }

    /// Lets everything go through, without faults.
    pub(super) fn finish(&mut self, source: &mut Spooled<Peers>) {
        self.sent.lock().expect("no panic").done = true;
        for _ in 0..10_000 {
            if self.step(source) == Progress::End {
                return;
            }
        }
        panic!("it does not end: {:?}", self.warnings);
    }

    pub(super) fn reboot(&self) {
        self.disk.reboot(Path::new(DATA));
    }

    /// Everything that was acked is at the sink once.
    pub(super) fn check(&self, what: &str) {
        let (sent, numbers) = (self.sent.lock().expect("no panic"), self.sink.numbers());
        for number in &sent.acked {
            assert_eq!(
                numbers.get(number),
                Some(&1),
                "{what}: message {number} was acked; {:?}",
                self.warnings
            );
        }
        for (number, count) in numbers {
            assert!(number < sent.next && count == 1, "{what}: message {number} is there {count} times");
        }
    }
}
