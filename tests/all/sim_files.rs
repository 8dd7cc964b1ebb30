//! The `files` source under everything that can happen to it, from a seed: appends, renames, copytruncate, cuts,
//! removals, read errors, a full disk, crashes. A failing seed is a test case: `ALUDEL_SEED=n`.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::time::Duration;

use aludel::seam::Fs;
use aludel::seam::sim::Dice;
use aludel::source::Progress;

use super::files_rig::{Id, Rig, path, plain};

const SEEDS: u64 = 40;
/// Seeds beyond those that once found something.
const FOUND: [u64; 1] = [281];
const OPERATIONS: usize = 400;
const NAMES: [&str; 3] = ["a.log", "b.log", "c.log"];

/// Start, end and text.
type Event<'a> = (u64, u64, &'a str);

/// What the world outside does, and what it knows.
struct World {
    rig: Rig,
    dice: Dice,
    /// Every line ever written, by the content it was written to.
    contents: Vec<BTreeSet<String>>,
    /// The content that each name shows; the unfinished line at its end; whether the source has seen it.
    shown: BTreeMap<&'static str, (usize, String, bool)>,
    /// Contents whose bytes are gone.
    destroyed: BTreeSet<usize>,
    lines: u64,
    rotated: u64,
    /// Names of files that were rotated away and are not compressed yet.
    plain: Vec<String>,
    /// Rotated files are found by the pattern, too.
    all_found: bool,
}

impl World {
    fn new(seed: u64) -> Self {
        // Every other seed holds messages open for lines that may belong to them.
        let options = if seed.is_multiple_of(2) { plain() } else { Vec::new() };
        let all_found = seed % 8 > 4;
        let mut rig = Rig::over(seed, if all_found { "/logs/*.log*" } else { "/logs/*.log" }, options);
        rig.start();
        Self {
            rig,
            dice: Dice::new(seed ^ 0xa1de1),
            contents: Vec::new(),
            shown: BTreeMap::new(),
            destroyed: BTreeSet::new(),
            lines: 0,
            rotated: 0,
            plain: Vec::new(),
            all_found,
        }
    }

    fn name(&mut self) -> &'static str {
        NAMES[self.dice.below(NAMES.len() as u64) as usize]
    }

    fn append(&mut self) {
        let name = self.name();
        if !self.shown.contains_key(name) {
            self.contents.push(BTreeSet::new());
            self.shown.insert(name, (self.contents.len() - 1, String::new(), false));
        }
        let mut text = String::new();
        for _ in 0..=self.dice.below(8) {
            self.lines += 1;
            let line = format!("{:06} {}", self.lines, "x".repeat(self.dice.below(120) as usize));
            let (content, rest, _) = self.shown.get_mut(name).expect("shown");
            text.push_str(&line);
            rest.push_str(&line);
            if self.dice.one_in(6) {
                break;
            }
            text.push('\n');
            self.contents[*content].insert(std::mem::take(rest));
        }
        self.rig.write(name, &text);
    }

    /// A file that the source has seen since the last such thing happened to its name; what was never seen
    /// nobody can report.
    fn seen(&mut self) -> Option<&'static str> {
        let name = self.name();
        self.shown.get(name).is_some_and(|(_, _, seen)| *seen).then_some(name)
    }

    fn rename(&mut self) {
        let Some(name) = self.seen() else { return };
        self.rotated += 1;
        let to = format!("{name}.{}", self.rotated);
        self.rig.fs.rename(&path(name), &path(&to)).expect("shown");
        self.shown.remove(name);
        self.plain.push(to);
    }

    /// Compresses a file that was rotated away.
    fn compress(&mut self) {
        if self.plain.is_empty() {
            return;
        }
        let name = self.plain.swap_remove(self.dice.below(self.plain.len() as u64) as usize);
        self.rig.fs.set_full(false);
        let bytes = self.rig.fs.content(&path(&name)).expect("there");
        let packed = if self.dice.one_in(2) {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(&bytes).expect("memory");
            (format!("{name}.gz"), encoder.finish().expect("memory"))
        } else {
            (format!("{name}.zst"), zstd::encode_all(&bytes[..], 1).expect("memory"))
        };
        self.rig.fs.write(&path(&packed.0), &packed.1).expect("space");
        self.rig.fs.remove(&path(&name)).expect("there");
    }

    /// Truncates, with a copy or without.
    fn truncate(&mut self, copy: bool) {
        let Some(name) = self.seen() else { return };
        // A plain copy that is found is a file of its own: such are to be excluded.
        if copy && self.all_found {
            return;
        }
        self.rotated += 1;
        self.rig.fs.set_full(false);
        let bytes = self.rig.fs.content(&path(name)).expect("shown");
        if copy {
            let to = format!("{name}.{}", self.rotated);
            self.rig.fs.write(&path(&to), &bytes).expect("space");
            self.plain.push(to);
        }
        self.rig.fs.open_append(&path(name)).and_then(|file| file.truncate(0)).expect("shown");
        self.contents.push(BTreeSet::new());
        let old = self.shown.insert(name, (self.contents.len() - 1, String::new(), false));
        if let Some((content, _, _)) = old.filter(|_| !copy) {
            self.destroyed.insert(content);
        }
    }

    fn remove(&mut self) {
        let Some(name) = self.seen() else { return };
        self.rig.fs.remove(&path(name)).expect("shown");
        if let Some((content, _, _)) = self.shown.remove(name) {
            self.destroyed.insert(content);
        }
    }

    /// The source looks at everything.
    fn look(&mut self) {
        self.rig.fs.set_full(false);
        self.rig.fs.fail_reads(0);
        for _ in 0..2 {
            self.rig.clock.advance(Duration::from_millis(1100));
            while self.rig.step() == Progress::More {}
        }
        // Bytes tell one content from the next: where none were seen, none are missed.
        for (name, (_, _, seen)) in &mut self.shown {
            *seen |= self.rig.fs.stat(&path(name)).is_ok_and(|stat| stat.size > 0);
        }
    }

    fn start(&mut self) {
        self.rig.fs.fail_reads(0);
        self.rig.fs.set_full(false);
        self.rig.start();
    }

    fn crash(&mut self) {
        let power = self.dice.one_in(2);
        self.rig.crash(power);
    }

    fn operate(&mut self) {
        // Faults are the world's, not the writer's: it always finds space.
        let up = self.rig.process.is_some();
        match self.dice.below(40) {
            0..10 => {
                self.rig.fs.set_full(false);
                self.append();
            }
            10 => self.rename(),
            11 => self.truncate(true),
            12 if self.dice.one_in(2) => self.truncate(false),
            13 if self.dice.one_in(2) => self.remove(),
            13 => self.compress(),
            14 => self.rig.fs.fail_reads(self.dice.below(4)),
            15 => self.rig.fs.set_full(true),
            16 => self.rig.clock.advance(Duration::from_millis(self.dice.below(8000))),
            17 if up => self.crash(),
            17..20 if !up => self.start(),
            20..24 if up => self.look(),
            24..30 if up => {
                let sent = self.rig.process.as_ref().map_or(0, |process| process.sent.len() as u64);
                if sent > 0 {
                    let at = self.dice.below(sent) as usize;
                    self.rig.settle(at);
                }
                if self.dice.one_in(3) {
                    self.rig.commit();
                }
            }
            _ if up => {
                self.rig.clock.advance(Duration::from_millis(self.dice.below(400)));
                self.rig.step();
            }
            _ => {}
        }
    }

    /// Lines as they can be put together from the events of each stream, with how often each is there.
    fn arrived(&self, seed: u64) -> BTreeMap<String, u32> {
        let mut streams: BTreeMap<(u64, u16), Vec<Event<'_>>> = BTreeMap::new();
        for (&(stream, generation, _, start, end, _), text) in &self.rig.events {
            streams.entry((stream, generation)).or_default().push((start, end, text));
        }
        let mut lines = BTreeMap::new();
        for (stream, mut events) in streams {
            events.sort_unstable();
            let mut at = 0;
            let mut text = String::new();
            for (start, end, event) in events {
                assert!(
                    start >= at,
                    "seed {seed}, {:016x} {}: two events hold byte {start}: {event:?}",
                    stream.0,
                    stream.1
                );
                if start > at {
                    text.push_str("<gap>\n");
                }
                text.push_str(event);
                if end - start > event.len() as u64 {
                    text.push('\n');
                }
                at = end;
            }
            for line in text.lines() {
                *lines.entry(line.to_owned()).or_insert(0) += 1;
            }
        }
        lines
    }

    /// Ids of the events that hold a part of a line.
    fn events_with(&self, line: &str) -> Vec<Id> {
        let number = line.get(..6).unwrap_or(line);
        self.rig.events.iter().filter(|(_, text)| text.contains(number)).map(|(id, _)| *id).collect()
    }

    fn check(&self, seed: u64) {
        let arrived = self.arrived(seed);
        let streams_with_gaps: BTreeSet<_> = self.rig.gaps.iter().map(|gap| (gap.0, gap.1)).collect();
        let mut hurt = 0;
        for (content, lines) in self.contents.iter().enumerate() {
            let missing: Vec<_> = lines.iter().filter(|line| !arrived.contains_key(*line)).collect();
            if !missing.is_empty() {
                hurt += 1;
                let destroyed = self.destroyed.contains(&content);
                assert!(
                    destroyed,
                    "seed {seed}: content {content} was never destroyed and lacks {missing:?}"
                );
            }
            for line in lines {
                let times = arrived.get(line).copied().unwrap_or(0);
                assert!(times <= 1, "seed {seed}: {times} times {line:?} {:?}", self.events_with(line));
            }
        }
        assert!(
            hurt <= streams_with_gaps.len(),
            "seed {seed}: {hurt} contents lack lines, {:?}",
            self.rig.gaps
        );
    }
}

/// Whatever happens, each line arrives, and once; or its loss is reported.
#[test]
fn nothing_is_lost_in_silence_and_nothing_comes_twice() {
    let one = std::env::var("ALUDEL_SEED").ok().and_then(|seed| seed.parse::<u64>().ok());
    let many = std::env::var("ALUDEL_SEEDS").ok().and_then(|seeds| seeds.parse::<u64>().ok());
    let seeds = one.map_or_else(|| (0..many.unwrap_or(SEEDS)).chain(FOUND).collect(), |seed| vec![seed]);
    let (mut lines, mut gaps) = (0, 0);
    for seed in seeds {
        let mut world = World::new(seed);
        for _ in 0..OPERATIONS {
            world.operate();
        }
        if world.rig.process.is_none() {
            world.start();
        }
        world.look();
        world.rig.run(Duration::from_secs(20));
        world.rig.finish();
        world.check(seed);
        lines += world.lines;
        gaps += world.rig.gaps.len();
        // What is settled is not read again.
        let events = world.rig.events.len();
        world.rig.crash(false);
        world.start();
        world.rig.finish();
        assert_eq!(world.rig.events.len(), events, "seed {seed}");
    }
    println!("{lines} lines, {gaps} gaps");
}
