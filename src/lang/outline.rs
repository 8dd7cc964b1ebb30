//! The parts of a plan beside what was written for them: for those who show a plan that runs to its author.
//!
//! In: a file's tree and its plan. Out: pipelines, steps, branches and formats in the order in which they stand,
//! fragments put where they are used. The number of a part is its index; [`crate::catalog::build_around`] counts
//! the same way.

use std::collections::BTreeMap;

use super::ast::{self, StepKind};
use super::plan::{self, Plan};
use super::print;
use crate::diag::Place;

/// One part of a plan.
pub struct Entry<'a> {
    /// How many parts it is inside of; a pipeline is in none.
    pub depth: usize,
    /// Line of the file, from 1.
    pub line: usize,
    /// What was written, as the formatter writes it, on one line and without what is inside of it.
    pub text: String,
    /// What it is.
    pub part: Part<'a>,
}

/// What a part of a plan is.
pub enum Part<'a> {
    /// A pipeline; its steps are inside of it.
    Pipeline(&'a plan::Pipeline),
    /// A step; its formats or branches are inside of it.
    Step(&'a StepKind, &'a plan::Step),
    /// One of the formats of a `parse`.
    Format(&'a plan::FormatUse),
    /// The steps of a pipeline that run only for some events; there also where it has none.
    Branch,
}

/// All parts of a plan. `text` is what the file was read from.
pub fn outline<'a>(file: &'a ast::File, plan: &'a Plan, text: &str) -> Vec<Entry<'a>> {
    let (mut fragments, mut pipelines) = (BTreeMap::new(), BTreeMap::new());
    for item in file.all() {
        match item {
            ast::Item::Fragment(item) => drop(fragments.insert(item.name.node.as_str(), item)),
            ast::Item::Pipeline(item) => drop(pipelines.insert(item.name.node.as_str(), item)),
            _ => {}
        }
    }
    let mut walk = Walk { fragments, text, entries: Vec::new() };
    for line in &plan.pipelines {
        let Some(item) = pipelines.get(line.name.as_str()) else { continue };
        walk.enter(0, &item.place, format!("pipeline {}", line.name), Part::Pipeline(line));
        walk.steps(1, &item.steps, &line.steps);
    }
    walk.entries
}

/// Numbers of the parts right inside of another.
pub fn children<'o>(outline: &'o [Entry<'_>], at: usize) -> impl Iterator<Item = usize> + 'o {
    let depth = outline.get(at).map_or(0, |entry| entry.depth);
    let inside = outline.iter().enumerate().skip(at + 1).take_while(move |(_, entry)| entry.depth > depth);
    inside.filter(move |(_, entry)| entry.depth == depth + 1).map(|(number, _)| number)
}

struct Walk<'a, 't> {
    fragments: BTreeMap<&'a str, &'a ast::Fragment>,
    text: &'t str,
    entries: Vec<Entry<'a>>,
}

impl<'a> Walk<'a, '_> {
    fn enter(&mut self, depth: usize, place: &Place, text: String, part: Part<'a>) {
        let before = self.text.as_bytes().iter().take(place.start);
        let line = before.filter(|byte| **byte == b'\n').count() + 1;
        self.entries.push(Entry { depth, line, text, part });
    }

    /// The steps that were written, fragments opened. The plan may have fewer: those that no event reaches are
    /// not in it, and nothing is behind them.
    fn flat(&self, steps: &'a [ast::Step], out: &mut Vec<&'a ast::Step>) {
        for step in steps {
            match &step.node {
                StepKind::Use(name) => {
                    if let Some(fragment) = self.fragments.get(name.node.as_str()) {
                        self.flat(&fragment.steps, out);
                    }
                }
                _ => out.push(step),
            }
        }
    }

    fn steps(&mut self, depth: usize, written: &'a [ast::Step], ready: &'a [plan::Step]) {
        let mut flat = Vec::new();
        self.flat(written, &mut flat);
        for (written, ready) in flat.into_iter().zip(ready) {
            self.step(depth, written, ready);
        }
    }

    fn step(&mut self, depth: usize, written: &'a ast::Step, ready: &'a plan::Step) {
        let text = print::head(written, self.text);
        self.enter(depth, &written.place, text, Part::Step(&written.node, ready));
        match (&written.node, ready) {
            (StepKind::Parse { formats, .. }, plan::Step::Parse { formats: ready, .. }) => {
                for (format, ready) in formats.iter().zip(ready) {
                    let text = format!("as {}", print::format(format, self.text));
                    self.enter(depth + 1, &format.name.place, text, Part::Format(ready));
                }
            }
            (
                StepKind::When { then, otherwise, .. },
                plan::Step::When { then: ready_then, otherwise: ready_otherwise, .. },
            ) => {
                self.branch(depth + 1, &written.place, "then".into(), then, ready_then);
                let place = otherwise.first().map_or(&written.place, |first| &first.place);
                self.branch(depth + 1, place, "else".into(), otherwise, ready_otherwise);
            }
            (
                StepKind::Match { arms, otherwise, .. },
                plan::Step::Match { arms: ready_arms, otherwise: ready_otherwise, .. },
            ) => {
                for (arm, (_, ready)) in arms.iter().zip(ready_arms) {
                    let text = format!("{} =>", print::patterns(arm, self.text));
                    self.branch(depth + 1, &arm.place, text, &arm.steps, ready);
                }
                let place = otherwise.first().map_or(&written.place, |first| &first.place);
                self.branch(depth + 1, place, "else =>".into(), otherwise, ready_otherwise);
            }
            _ => {}
        }
    }

    fn branch(
        &mut self,
        depth: usize,
        place: &Place,
        text: String,
        written: &'a [ast::Step],
        ready: &'a [plan::Step],
    ) {
        self.enter(depth, place, text, Part::Branch);
        self.steps(depth + 1, written, ready);
    }
}
