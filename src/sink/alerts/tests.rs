//! The sink on a virtual disk: killed at any operation, with batches of any size, it writes the same alerts once.

use std::path::Path;

use super::*;
use crate::detect::stateful::{Seen, Sign, Traits};
use crate::event::{OptionValue, Options};
use crate::position::{EventId, PipelineTag, Ranges, Stream, StreamId};
use crate::seam::Fs;
use crate::seam::sim::{Dice, Life, SimClock, SimFs};
use crate::sink::{Endpoint, Network, Transport};

struct Nowhere;

impl Network for Nowhere {
    fn connect(&self, _: &Endpoint, _: Arc<dyn Fn() + Send + Sync>) -> Result<Box<dyn Transport>, String> {
        Err("there is no network".to_owned())
    }
}

/// 2026-11-27T06:00:00Z.
const START_NS: i64 = 1_795_759_200_000_000_000;
const SECOND: i64 = 1_000_000_000;

fn rules() -> Vec<Rule> {
    let rule = |detector: &str, count| {
        let limit = ("limit", OptionValue::Rate(count, Duration::from_secs(60)));
        let quiet = ("quiet", OptionValue::Duration(Duration::from_secs(300)));
        Rule::new("auth", detector, &Options::new(Vec::new(), vec![limit, quiet]), &[], "user")
            .expect("a rule")
    };
    vec![rule("rate", 20), rule("brute_force", 5), rule("spread", 4), behaviour(), flood()]
}

/// A rule that knows a user after a few minutes, so that the traffic below surprises it.
fn behaviour() -> Rule {
    let duration = |name, seconds| (name, OptionValue::Duration(Duration::from_secs(seconds)));
    let int = |name, number| (name, OptionValue::Int(number));
    let options = vec![
        ("hours", OptionValue::Bool(true)),
        duration("half_life", 86_400),
        duration("learn", 60),
        duration("within", 600),
        int("learn_hours", 1),
        int("speed", 1000),
        int("radius", 100),
        int("threshold", 5),
    ];
    Rule::new("auth", "user_behaviour", &Options::new(Vec::new(), options), &[], "").expect("a rule")
}

/// A rule that knows a key at once, and of which every few events are a flood.
fn flood() -> Rule {
    let duration = |name, seconds| (name, OptionValue::Duration(Duration::from_secs(seconds)));
    let int = |name, number| (name, OptionValue::Int(number));
    let options = vec![
        duration("window", 60),
        duration("learn", 0),
        duration("half_life", 86_400),
        duration("quiet", 60),
        int("at_least", 3),
        int("factor", 2),
    ];
    Rule::new("auth", "flood", &Options::new(Vec::new(), options), &[], "").expect("a rule")
}

/// One event: its stream and place there, and its record.
#[derive(Clone)]
struct Event {
    stream: u64,
    range: std::ops::Range<u64>,
    record: Vec<u8>,
}

/// Some of it comes later than is waited for.
fn traffic(seed: u64, len: u64) -> Vec<Event> {
    traffic_within(seed, len, 14)
}

/// Traffic whose times go back by so many seconds at most.
fn traffic_within(seed: u64, len: u64, back_s: u64) -> Vec<Event> {
    let mut dice = Dice::new(seed);
    let (mut clock, mut ends) = (START_NS - 86_400 * SECOND, [0; 3]);
    let event = |_| {
        clock += dice.below(2 * SECOND as u64) as i64;
        let time_ns = clock - dice.below(back_s * SECOND as u64) as i64;
        let stream = dice.below(3);
        let start = ends[stream as usize];
        ends[stream as usize] = start + 50;
        let id = EventId {
            stream: StreamId(stream + 1),
            generation: 0,
            lane: 0,
            pipeline: PipelineTag::new("auth"),
            start,
            end: start + 50,
            part: 0,
        };
        let (key, value) = (dice.below(9) + 1, dice.below(7) + 1);
        let labels = format!("{{\"source.ip\":\"203.0.113.{key}\"}}");
        let (mut seen, mut record) = (Vec::new(), Vec::new());
        let (rule, sign, labels) = (dice.below(5) as usize, Sign::Hit, labels.as_bytes());
        // Few of what there is, and now and then something else.
        let mut text = |name: &str| format!("{name}{}", if dice.one_in(30) { dice.below(20) } else { 0 });
        let texts = ["country", "network", "device", "resource"].map(&mut text);
        let aspects = [0, 1, 2, 3].map(|at: usize| (texts[at].as_bytes(), 0));
        let location = Some((50.0, if dice.one_in(20) { 90.0 } else { 10.0 }));
        let mut traits = Vec::new();
        Traits { location, place: b"somewhere", aspects }.write(&mut traits);
        let traits = match rule {
            3 => &traits[..],
            4 => b"203.0.113.7",
            _ => b"",
        };
        Seen { rule, sign, key: key << 40 | key, value, labels, evidence: b"{}", traits }.write(&mut seen);
        write_record(time_ns, &id.encode(), &seen, &mut record);
        Event { stream: stream + 1, range: start..start + 50, record }
    };
    (0..len).map(event).collect()
}

fn body(batch: u64, events: &[&Event]) -> Body {
    let mut ranges: Vec<(Arc<Stream>, Vec<std::ops::Range<u64>>)> = Vec::new();
    for event in events {
        let id = StreamId(event.stream);
        let stream = Stream { id, generation: 0, source: "logs".into(), path: "/a".into() };
        ranges.push((Arc::new(stream), vec![event.range.clone()]));
    }
    let bytes: Vec<u8> = events.iter().flat_map(|event| event.record.iter().copied()).collect();
    Body {
        provenance: Arc::new(Provenance { batch, ranges }),
        row_ends: Vec::new(),
        rows: events.len() as u32,
        bytes: bytes.len(),
        payload: Payload::Bytes(bytes.into()),
    }
}

struct Rig {
    fs: SimFs,
    clock: Arc<SimClock>,
    /// What was said to be settled, over all runs.
    told: std::collections::BTreeMap<u64, Ranges>,
}

impl Rig {
    fn new(seed: u64) -> Self {
        let clock = Arc::new(SimClock::at(START_NS));
        let fs = SimFs::new(seed, clock.clone());
        fs.make_folder(Path::new("/data")).expect("a folder");
        Self { fs, clock, told: Default::default() }
    }

    /// One run, which ends after so many operations on the disk, or when everything is settled. False where it was
    /// killed.
    fn run(&mut self, events: &[Event], batch: usize, operations: Option<u64>) -> bool {
        self.live(events, batch, operations, true)
    }

    /// The same; it is the end of all there is, or a stop before that.
    fn live(&mut self, events: &[Event], batch: usize, operations: Option<u64>, is_end: bool) -> bool {
        let life = Arc::new(Life::new(operations));
        let world = World {
            fs: Arc::new(self.fs.process(life.clone())),
            clock: self.clock.clone(),
            network: Arc::new(Nowhere),
            data_dir: "/data".into(),
            host: Arc::from(&b"host"[..]),
            wake: Arc::new(|| {}),
        };
        let Ok((mut sink, cursors)) = plan("auth.alerts", "auth", rules()).open(world) else {
            assert!(life.is_over(), "a start that fails on a disk that is well");
            return false;
        };
        let mut known: std::collections::BTreeMap<u64, Ranges> = Default::default();
        for cursor in cursors {
            let ranges = known.entry(cursor.stream.0).or_default();
            ranges.insert(0..cursor.low);
            cursor.settled.iter().for_each(|range| ranges.insert(range));
        }
        for (stream, told) in &self.told {
            let kept = known.get(stream);
            let lost = told.iter().any(|range| kept.is_none_or(|kept| !kept.covers(&range)));
            assert!(!lost, "what was said to be settled is not in the snapshot");
        }
        let fresh =
            |event: &&Event| !known.get(&event.stream).is_some_and(|of| of.contains(event.range.start));
        let fresh: Vec<&Event> = events.iter().filter(fresh).collect();
        sink.begin(0);
        let mut settled = Vec::new();
        for (number, chunk) in fresh.chunks(batch).enumerate() {
            sink.offer(body(number as u64, chunk), self.clock.monotonic());
            // A stream is never quiet for so long that it is not waited for.
            self.clock.advance(Duration::from_millis(30) * chunk.len() as u32);
            sink.step(self.clock.monotonic(), &mut settled);
            self.hear(&mut settled);
            if life.is_over() {
                return false;
            }
        }
        if is_end {
            sink.conclude();
        }
        sink.close();
        for _ in 0..100 {
            let next = sink.step(self.clock.monotonic(), &mut settled);
            self.hear(&mut settled);
            if life.is_over() || next == Next::Done {
                return next == Next::Done;
            }
            self.clock.advance(RETRY);
        }
        panic!("it does not end: {:?}", sink.trouble());
    }

    fn hear(&mut self, settled: &mut Vec<Settled>) {
        for of in settled.drain(..) {
            assert_eq!(of.bytes, 0, "its memory was given back before");
            for (stream, ranges) in &of.provenance.ranges {
                let told = self.told.entry(stream.id.0).or_default();
                ranges.iter().cloned().for_each(|range| told.insert(range));
            }
        }
    }

    /// The alerts in the folder. Half a line is left by a crash, and stands in another segment again.
    fn alerts(&self) -> Vec<String> {
        let mut alerts = Vec::new();
        for (path, _) in segments(&self.fs, Path::new("/data/alerts/auth")).expect("listed") {
            let text = String::from_utf8(self.fs.content(&path).expect("read")).expect("text");
            let whole = |line: &&str| serde_json::from_str::<serde::de::IgnoredAny>(line).is_ok();
            alerts.extend(text.lines().filter(whole).map(str::to_owned));
        }
        alerts
    }
}

#[test]
fn the_size_of_batches_changes_nothing() {
    let events = traffic(1, 1500);
    let alerts = |batch| {
        let mut rig = Rig::new(1);
        assert!(rig.run(&events, batch, None));
        rig.alerts()
    };
    let wanted = alerts(1500);
    assert!(wanted.len() > 20, "{}", wanted.len());
    for batch in [1, 3, 100] {
        assert_eq!(alerts(batch), wanted);
    }
}

/// Killed at a moment that the seed gives, again and again, also with the power: each alert is there once, the same as
/// without.
#[test]
fn alerts_are_written_once_over_kills() {
    let events = traffic(2, 800);
    let mut rig = Rig::new(2);
    assert!(rig.run(&events, 40, None));
    let wanted = rig.alerts();
    assert!(wanted.len() > 10, "{}", wanted.len());
    let mut kills = 0;
    for seed in 0..150 {
        let (mut rig, mut dice) = (Rig::new(seed), Dice::new(seed));
        for _ in 0..200 {
            let batch = 1 + dice.below(60) as usize;
            let operations = dice.below(40);
            if rig.run(&events, batch, Some(operations)) {
                break;
            }
            kills += 1;
            if dice.one_in(2) {
                rig.fs.crash(Path::new("/data"));
            }
            // Each life is a second younger than the last.
            rig.clock.advance(Duration::from_secs(1));
        }
        assert!(rig.run(&events, 17, None));
        assert_eq!(rig.alerts(), wanted, "seed {seed}");
    }
    assert!(kills > 150, "{kills}");
}

/// A stop applies nothing that waits: the next run may read what comes before it.
#[test]
fn a_stop_changes_nothing() {
    let events = traffic_within(5, 900, 8);
    let mut rig = Rig::new(5);
    assert!(rig.run(&events, 900, None));
    let wanted = rig.alerts();
    assert!(wanted.len() > 10, "{}", wanted.len());
    let mut rig = Rig::new(6);
    for end in [60, 120, 180, 240] {
        // One stream is behind the others when it is stopped.
        let seen = events[..end].iter().filter(|of| of.stream > 1 || of.range.start < 500);
        let seen: Vec<Event> = seen.cloned().collect();
        assert!(rig.live(&seen, 30, None, false));
    }
    assert!(rig.run(&events, 50, None));
    assert_eq!(rig.alerts(), wanted);
}

/// While the disk is full nothing is settled, and nothing is lost.
#[test]
fn alerts_wait_for_a_full_disk() {
    let events = traffic(3, 600);
    let mut rig = Rig::new(3);
    assert!(rig.run(&events, 50, None));
    let wanted = rig.alerts();
    let mut rig = Rig::new(4);
    let world = World {
        fs: Arc::new(rig.fs.clone()),
        clock: rig.clock.clone(),
        network: Arc::new(Nowhere),
        data_dir: "/data".into(),
        host: Arc::from(&b"host"[..]),
        wake: Arc::new(|| {}),
    };
    let (mut sink, _) = plan("auth.alerts", "auth", rules()).open(world).expect("opened");
    rig.fs.set_full(true);
    let mut settled = Vec::new();
    let all: Vec<_> = events.iter().collect();
    sink.offer(body(0, &all), Duration::ZERO);
    for second in 0..10 {
        sink.step(Duration::from_secs(second), &mut settled);
    }
    assert!(settled.is_empty() && sink.trouble().is_some());
    assert!(sink.released() > 0);
    rig.fs.set_full(false);
    sink.conclude();
    sink.close();
    assert_eq!(sink.step(Duration::from_secs(20), &mut settled), Next::Done);
    assert_eq!((settled.len(), sink.trouble()), (1, None));
    rig.hear(&mut settled);
    assert_eq!(rig.alerts(), wanted);
}
