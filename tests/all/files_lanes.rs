//! Framing is the same again after a crash: lanes that interleave, messages that wait, time that cuts, lines over a
//! bound, and a process that dies at any moment. A failing seed is a test case: `ALUDEL_SEED=n`.

use std::collections::BTreeMap;
use std::time::Duration;

use aludel::event::OptionValue;
use aludel::seam::sim::Dice;
use aludel::source::Progress;

use super::files_rig::Rig;

const SEEDS: u64 = 60;
/// Seeds beyond those that once found something.
const FOUND: [u64; 0] = [];
const OPERATIONS: usize = 300;

/// A container's log as its runtime writes it.
struct Writer {
    lines: u32,
    /// Whether the last line of each lane was a piece of one.
    partial: [bool; 2],
    plain: u32,
}

impl Writer {
    fn line(&mut self, dice: &mut Dice) -> String {
        self.lines += 1;
        let tag = format!("#{:06}#", self.lines);
        if self.plain > 0 {
            // Before the first wrapped line, something else wrote to the file.
            self.plain -= 1;
            return format!("{tag} not wrapped\n");
        }
        if dice.one_in(40) {
            return format!("{tag} the runtime was interrupted\n");
        }
        let lane = dice.below(2) as usize;
        let text = match dice.below(6) {
            _ if self.partial[lane] => format!("{tag}{}", "y".repeat(dice.below(60) as usize)),
            0 => format!("2024-05-01 12:00:00,361 ERROR {tag} failed"),
            1 => format!("java.lang.IllegalStateException: {tag}"),
            2..4 => format!("\tat a.b.C.d(C.java:{}) {tag}", dice.below(90)),
            4 => format!("  {tag} indented"),
            _ => format!("{tag} {}", "x".repeat(dice.below(200) as usize)),
        };
        self.partial[lane] = dice.one_in(5);
        let tags = if self.partial[lane] { 'P' } else { 'F' };
        let name = ["stdout", "stderr"][lane];
        format!("2024-05-01T12:00:00.{:09}Z {name} {tags} {text}\n", self.lines)
    }
}

struct World {
    rig: Rig,
    dice: Dice,
    writer: Writer,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut dice = Dice::new(seed ^ 0x1a9e5);
        let mut options = Vec::new();
        if dice.one_in(2) {
            options.push(("wait", OptionValue::Duration(Duration::from_millis(300))));
        }
        if dice.one_in(3) {
            options.push(("message_lines", OptionValue::Int(4)));
        }
        if dice.one_in(3) {
            options.push(("message_bytes", OptionValue::Int(150)));
        }
        let plain = if dice.one_in(3) { dice.below(12) as u32 } else { 0 };
        let mut rig = Rig::new(seed, options);
        rig.start();
        Self { rig, dice, writer: Writer { lines: 0, partial: [false; 2], plain } }
    }

    fn write(&mut self) {
        let mut text = String::new();
        for _ in 0..=self.dice.below(12) {
            text.push_str(&self.writer.line(&mut self.dice));
        }
        self.rig.write("a.log", &text);
    }

    fn settle(&mut self) {
        let sent = self.rig.process.as_ref().map_or(0, |process| process.sent.len() as u64);
        if sent > 0 {
            let at = self.dice.below(sent) as usize;
            self.rig.settle(at);
        }
        if self.dice.one_in(3) {
            self.rig.commit();
        }
    }

    fn operate(&mut self) {
        let up = self.rig.process.is_some();
        match self.dice.below(24) {
            0..6 => self.write(),
            6..8 => self.rig.clock.advance(Duration::from_millis(self.dice.below(3000))),
            8 if up && self.dice.one_in(3) => {
                let power = self.dice.one_in(2);
                self.rig.crash(power);
            }
            8..10 if !up => self.rig.start(),
            10..15 if up => self.settle(),
            _ if up => {
                self.rig.clock.advance(Duration::from_millis(self.dice.below(300)));
                for _ in 0..self.dice.below(4) {
                    self.rig.step();
                }
            }
            _ => {}
        }
    }

    /// The text of all events, lane by lane, parts of a message put together.
    fn arrived(&self) -> String {
        let mut events: Vec<_> = self.rig.events.iter().collect();
        events.sort_by_key(|((_, _, lane, start, _, part), _)| (*lane, *start, *part));
        let mut all = String::new();
        for ((.., part), text) in events {
            if *part < 2 {
                all.push('\n');
            }
            all.push_str(text);
        }
        all
    }

    fn check(&self, seed: u64) {
        let arrived = self.arrived();
        let mut tags: BTreeMap<&str, u32> = BTreeMap::new();
        for (at, _) in arrived.match_indices('#') {
            if let Some(tag) = arrived.get(at..at + 8).filter(|tag| tag.ends_with('#')) {
                *tags.entry(tag).or_insert(0) += 1;
            }
        }
        for line in 1..=self.writer.lines {
            let tag = format!("#{line:06}#");
            let times = tags.get(&*tag).copied().unwrap_or(0);
            let number = tag.trim_matches('#');
            let events: Vec<_> = self.rig.events.iter().filter(|(_, text)| text.contains(number)).collect();
            assert_eq!(times, 1, "seed {seed}: line {tag}: {events:#?}");
        }
        assert_eq!(self.rig.gaps, [], "seed {seed}");
    }
}

/// However lanes interleave and whenever the process dies, every line is in one event, and in one only.
#[test]
fn lanes_are_framed_the_same_after_a_crash() {
    let one = std::env::var("ALUDEL_SEED").ok().and_then(|seed| seed.parse::<u64>().ok());
    let many = std::env::var("ALUDEL_SEEDS").ok().and_then(|seeds| seeds.parse::<u64>().ok());
    let seeds = one.map_or_else(|| (0..many.unwrap_or(SEEDS)).chain(FOUND).collect(), |seed| vec![seed]);
    for seed in seeds {
        let mut world = World::new(seed);
        for _ in 0..OPERATIONS {
            world.operate();
        }
        if world.rig.process.is_none() {
            world.rig.start();
        }
        world.rig.run(Duration::from_secs(5));
        world.rig.finish();
        world.check(seed);
        let events = world.rig.events.len();
        world.rig.crash(false);
        world.rig.start();
        while world.rig.step() == Progress::More {}
        world.rig.finish();
        assert_eq!(world.rig.events.len(), events, "seed {seed}");
    }
}
