//! Probes around steps, branches and formats: count what comes and goes, and time it where it is their turn.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

use super::desk::{Desk, Mode, open};
use crate::catalog::Around;
use crate::event::{Row, Span, Texts};
use crate::format::{Fields, Format, Mismatch};
use crate::lang::ast::StepKind;
use crate::lang::builtin;
use crate::lang::outline::{Entry, Part};
use crate::limits::PROFILE_TRIAL_BYTES_MAX;
use crate::seam::sim::Dice;
use crate::step::{Block, Context, Flow, Step};

/// Puts probes around the parts of an outline.
pub(super) struct Probes {
    /// What the probes share.
    pub(super) desk: Arc<Desk>,
    /// For each part: what it is.
    kinds: Vec<Kind>,
}

/// What a part needs of its probe.
enum Kind {
    /// The steps of a pipeline, with the numbers that take turns.
    Pipeline(Vec<usize>),
    /// A format; whether it reads the message.
    Format(bool),
    Other,
}

impl Probes {
    /// Probes for the parts of an outline; the sinks are numbered behind them.
    pub(super) fn new(desk: Arc<Desk>, outline: &[Entry<'_>]) -> Self {
        let mut reads_message = false;
        let mut kinds: Vec<_> = outline
            .iter()
            .map(|entry| match &entry.part {
                Part::Pipeline(_) => Kind::Pipeline(Vec::new()),
                Part::Format(_) => Kind::Format(reads_message),
                Part::Step(written, _) => {
                    reads_message = parses_message(written);
                    Kind::Other
                }
                Part::Branch => Kind::Other,
            })
            .collect();
        for number in 0..outline.len() {
            let Part::Pipeline(line) = &outline[number].part else { continue };
            let end = outline[number + 1..].iter().position(|entry| entry.depth == 0);
            let end = end.map_or(outline.len(), |length| number + 1 + length);
            let parts = (number..end).filter(|inner| !matches!(outline[*inner].part, Part::Branch));
            let sinks = line.sinks.iter().map(|sink| outline.len() + sink);
            kinds[number] = Kind::Pipeline(parts.chain(sinks).collect());
        }
        Self { desk, kinds }
    }
}

fn parses_message(step: &StepKind) -> bool {
    matches!(step, StepKind::Parse { input, .. } if input.dotted() == builtin::MESSAGE)
}

impl Around for Probes {
    fn step(&mut self, number: usize, step: Box<dyn Step>) -> Box<dyn Step> {
        Box::new(StepProbe { desk: self.desk.clone(), number, step })
    }

    fn block(&mut self, number: usize, block: Block) -> Block {
        let desk = self.desk.clone();
        Block(vec![match self.kinds.get(number) {
            Some(Kind::Pipeline(turns)) => {
                let dice = Mutex::new(Dice::new(number as u64));
                Box::new(Turns { desk, number, turns: turns.clone().into(), dice, block })
            }
            _ => Box::new(Branch { desk, number, block }),
        }])
    }

    fn formats(&mut self, first: usize, formats: Vec<Box<dyn Format>>) -> Vec<Box<dyn Format>> {
        let all: Arc<[Box<dyn Format>]> = formats.into();
        let whole = matches!(self.kinds.get(first), Some(Kind::Format(true)));
        let probe = |at| {
            let (desk, all) = (self.desk.clone(), all.clone());
            Box::new(FormatProbe { desk, number: first + at, at, all, whole }) as Box<dyn Format>
        };
        (0..all.len()).map(probe).collect()
    }
}

/// Around all steps of a pipeline: says for each row which part is timed.
struct Turns {
    desk: Arc<Desk>,
    number: usize,
    turns: Box<[usize]>,
    dice: Mutex<Dice>,
    block: Block,
}

impl Step for Turns {
    fn run(&self, row: &mut Row, cx: &mut Context<'_>) -> Flow {
        if self.desk.is(Mode::Sample) {
            let throw = open(&self.dice).below(self.turns.len() as u64);
            self.desk.give_turn(self.turns[throw as usize]);
        }
        self.desk.parsed.store(false, Ordering::Relaxed);
        let work = || self.block.run(row, cx);
        let flow = self.desk.timed(self.number, work, |tally, _, span| open(&tally.times).add(span));
        if self.desk.is(Mode::Count) {
            self.desk.count(self.number, flow == Flow::Next);
        }
        flow
    }
}

struct StepProbe {
    desk: Arc<Desk>,
    number: usize,
    step: Box<dyn Step>,
}

impl Step for StepProbe {
    fn run(&self, row: &mut Row, cx: &mut Context<'_>) -> Flow {
        let work = || self.step.run(row, cx);
        let flow = self.desk.timed(self.number, work, |tally, _, span| open(&tally.times).add(span));
        if self.desk.is(Mode::Count) {
            self.desk.count(self.number, flow == Flow::Next);
        }
        flow
    }
}

/// A branch is not timed itself; its steps are.
struct Branch {
    desk: Arc<Desk>,
    number: usize,
    block: Block,
}

impl Step for Branch {
    fn run(&self, row: &mut Row, cx: &mut Context<'_>) -> Flow {
        let flow = self.block.run(row, cx);
        if self.desk.is(Mode::Count) {
            self.desk.count(self.number, flow == Flow::Next);
        }
        flow
    }
}

struct FormatProbe {
    desk: Arc<Desk>,
    number: usize,
    at: usize,
    /// All formats of the step.
    all: Arc<[Box<dyn Format>]>,
    /// Whether the step reads the message.
    whole: bool,
}

impl Format for FormatProbe {
    fn parse(&self, input: Span, texts: &mut Texts, fields: &mut Fields) -> Result<(), Mismatch> {
        let work = || self.all[self.at].parse(input, texts, fields);
        let result = self.desk.timed(self.number, work, |tally, result, span| match result {
            Ok(()) => open(&tally.times).add(span),
            Err(_) => open(&tally.refusals).times.add(span),
        });
        if self.desk.is(Mode::Count) {
            self.count(input, texts, result);
        }
        result
    }
}

impl FormatProbe {
    fn count(&self, input: Span, texts: &mut Texts, result: Result<(), Mismatch>) {
        self.desk.count(self.number, result.is_ok());
        let Some(tally) = self.desk.tallies.get(self.number) else { return };
        let mut refusals = open(&tally.refusals);
        if let Err(mismatch) = result {
            refusals.add(mismatch.reason);
            return;
        }
        if self.whole {
            self.desk.parsed.store(true, Ordering::Relaxed);
        }
        // Which of those behind it would have taken it too, so that nobody is told to change their order where
        // that gives other fields.
        let behind = &self.all[self.at + 1..];
        refusals.shared.resize(behind.len(), 0);
        for (format, count) in behind.iter().zip(&mut refusals.shared) {
            // What a trial derives stays in the row's arena, which has a bound.
            let takes = texts.derived_bytes() > PROFILE_TRIAL_BYTES_MAX
                || format.parse(input, texts, &mut Fields::new()).is_ok();
            *count += u64::from(takes);
        }
    }
}
