//! What was written → what can run: names are resolved, types checked, options typed, expressions made ready.
//!
//! Two passes over each pipeline: [`collect`] finds every field path that it names, which gives the layout; then
//! [`steps`] walks the steps in order with a [`scope`] of the fields known so far, and lowers them. Every error is
//! reported; what depends on a broken part is checked as `any`.

mod collect;
mod condition;
mod constant;
mod detect;
mod enrich;
mod expr;
mod guard;
mod observe;
mod options;
mod originals;
mod pipeline;
mod redact;
mod scope;
mod steps;
mod tests_block;

use std::collections::BTreeMap;

use super::ast;
use super::codes;
use super::diagnostics::Diagnostics;
use super::plan::Plan;
use crate::diag::{Diagnostic, Place, nearest};
use crate::event::Options;
use crate::expr::{Constant, Files};
use crate::signature::{Field, OptionSpec, Signature};

pub use condition::{Condition, condition};
pub use options::read_files;

/// What the checker is told of the components.
pub struct Signatures<'a> {
    /// Kinds of sources.
    pub sources: Vec<&'static Signature>,
    /// Kinds of sinks.
    pub sinks: Vec<&'static Signature>,
    /// Formats and grammars.
    pub formats: &'a dyn Formats,
    /// Enrichers.
    pub enrichers: &'a dyn Enrichers,
    /// Detectors.
    pub detectors: &'a dyn Detectors,
}

/// What a format gives under given options.
#[derive(Clone, Debug, Default)]
pub struct Given {
    /// Fields that are known before any data is seen.
    pub fields: Vec<Field>,
    /// Whether the data may bring others.
    pub open: bool,
}

/// The enrichers.
pub trait Enrichers {
    /// All names.
    fn names(&self) -> Vec<String>;
    /// The options of an enricher; `None` where there is none of that name.
    fn options(&self, name: &str) -> Option<&'static [OptionSpec]>;
    /// Whether it looks at a field.
    fn takes(&self, name: &str) -> bool;
    /// The fields it gives; the error says what is wrong with an option.
    fn gives(&self, name: &str, options: &Options) -> Result<Vec<Field>, String>;
}

/// The detectors.
pub trait Detectors {
    /// All names.
    fn names(&self) -> Vec<String>;
    /// The options of a detector; `None` where there is none of that name.
    fn options(&self, name: &str) -> Option<&'static [OptionSpec]>;
    /// Whether it keeps state, and so looks at events and not at fields.
    fn keeps_state(&self, name: &str) -> bool;
    /// Whether it looks fields up in lists: addresses and lists of values too, at the time of the event.
    fn in_lists(&self, name: &str) -> bool;
    /// Says what is wrong with an option.
    fn check(&self, name: &str, options: &Options) -> Result<(), String>;
}

/// The formats and grammars.
pub trait Formats {
    /// All names.
    fn names(&self) -> Vec<String>;
    /// The options of a format; `None` where there is none of that name.
    fn options(&self, name: &str) -> Option<&'static [OptionSpec]>;
    /// What it gives; the error says what is wrong with an option.
    fn gives(&self, name: &str, options: &Options) -> Result<Given, String>;
}

/// The outside world, as far as compiling needs it. [`Files::read`] takes paths relative to the pipeline file.
pub trait Environment: Files {
    /// An environment variable.
    fn variable(&self, name: &str) -> Option<String>;
    /// What a secret's reference, such as `file:/run/secrets/key`, stands for. The error never shows a secret.
    fn secret(&self, reference: &str) -> Result<String, String>;
}

/// Checks a file that was read without errors. The plan is there when there are no errors.
pub fn check(
    file: &ast::File,
    signatures: &Signatures<'_>,
    environment: &dyn Environment,
) -> (Option<Plan>, Vec<Diagnostic>) {
    let mut checker = Checker {
        signatures,
        environment,
        diagnostics: Diagnostics::default(),
        constants: BTreeMap::new(),
        fragments: BTreeMap::new(),
        written: Vec::new(),
        tolerant: 0,
    };
    let plan = checker.file(file);
    let whole = !checker.diagnostics.has_errors();
    (whole.then_some(plan), checker.diagnostics.finish())
}

/// Reads and checks a file: its tree, its plan where there are no errors, and all that is to say of it.
///
/// A file with faults in its form is checked too, as far as it could be read, so that every error is seen at once;
/// what only follows from a part that could not be read is left out.
pub fn compile(
    text: &str,
    signatures: &Signatures<'_>,
    environment: &dyn Environment,
) -> (ast::File, Option<Plan>, Vec<Diagnostic>) {
    let (file, mut diagnostics) = super::parse(text);
    let (plan, found) = check(&file, signatures, environment);
    if diagnostics.is_empty() {
        return (file, plan, found);
    }
    let unread: Vec<_> = diagnostics.iter().map(|diagnostic| diagnostic.place.clone()).collect();
    let apart = |place: &Place| unread.iter().all(|other| place.end < other.start || other.end < place.start);
    let news = found.into_iter().filter(|new| !FOLLOWS.contains(&new.code) && apart(&new.place));
    diagnostics.extend(news);
    diagnostics.sort_by_key(|diagnostic| diagnostic.place.start);
    (file, None, diagnostics)
}

/// Errors that may be there only because something else could not be read.
const FOLLOWS: [crate::diag::Code; 9] = [
    codes::UNKNOWN_SOURCE,
    codes::UNKNOWN_SINK,
    codes::UNKNOWN_FRAGMENT,
    codes::UNKNOWN_WORD,
    codes::NO_SOURCE,
    codes::NO_SINK,
    codes::UNREACHABLE,
    codes::UNUSED,
    codes::NOT_CONSTANT,
];

struct Checker<'a> {
    signatures: &'a Signatures<'a>,
    environment: &'a dyn Environment,
    diagnostics: Diagnostics,
    constants: BTreeMap<&'a str, Constant>,
    fragments: BTreeMap<&'a str, &'a ast::Fragment>,
    /// Names of sources and sinks that are written, sound or not: a use of one that is not says nothing new.
    written: Vec<&'a str>,
    /// How many `??` stand around the expression: what is missing there is said.
    tolerant: usize,
}

impl<'a> Checker<'a> {
    fn error(&mut self, code: crate::diag::Code, place: &Place, message: impl Into<String>) {
        self.diagnostics.push(Diagnostic::error(code, place.clone(), message));
    }

    fn error_with_help(
        &mut self,
        code: crate::diag::Code,
        place: &Place,
        message: impl Into<String>,
        help: Option<String>,
    ) {
        let mut diagnostic = Diagnostic::error(code, place.clone(), message);
        diagnostic.help = help;
        self.diagnostics.push(diagnostic);
    }

    fn file(&mut self, file: &'a ast::File) -> Plan {
        self.names(file);
        for item in &file.items {
            match item {
                ast::Item::Const(item) => {
                    if let Some(value) = self.constant(&item.value) {
                        self.constants.insert(&item.name.node, value);
                    }
                }
                ast::Item::Source(item) | ast::Item::Sink(item) => self.written.push(&item.name.node),
                ast::Item::Fragment(fragment) => {
                    self.fragments.insert(&fragment.name.node, fragment);
                }
                _ => {}
            }
        }
        let mut plan = Plan::default();
        for item in file.all() {
            match item {
                ast::Item::Source(item) => {
                    let kinds = self.signatures.sources.clone();
                    plan.sources.extend(self.component(item, &kinds, false));
                }
                ast::Item::Sink(item) => {
                    let kinds = self.signatures.sinks.clone();
                    plan.sinks.extend(self.component(item, &kinds, true));
                }
                _ => {}
            }
        }
        for item in file.all() {
            if let ast::Item::Pipeline(item) = item {
                let pipeline = self.pipeline(item, &plan);
                self.tag(&pipeline, &plan, item);
                self.alerts_of(&pipeline, &mut plan, item);
                plan.pipelines.push(pipeline);
            }
        }
        for item in &file.items {
            if let ast::Item::Test(test) = item {
                self.test(test, &plan);
            }
        }
        self.unused(file, &plan);
        drop_unused(&mut plan);
        plan
    }

    /// Reports names that stand twice.
    fn names(&mut self, file: &'a ast::File) {
        let mut seen: BTreeMap<(&str, &str), &Place> = BTreeMap::new();
        for item in &file.items {
            let (what, name) = match item {
                ast::Item::Const(item) => ("constant", &item.name),
                ast::Item::Source(item) => ("source", &item.name),
                ast::Item::Sink(item) => ("sink", &item.name),
                ast::Item::Fragment(item) => ("fragment", &item.name),
                ast::Item::Pipeline(item) => ("pipeline", &item.name),
                ast::Item::Test(_) => continue,
            };
            if let Some(first) = seen.insert((what, &name.node), &name.place) {
                let message = format!("there are two {what}s named `{}`", name.node);
                self.diagnostics.push(
                    Diagnostic::error(codes::NAME_TWICE, name.place.clone(), message)
                        .related(first.clone(), "the first one"),
                );
            }
        }
    }

    /// Two pipelines with the same tag would give their events the same ids.
    fn tag(&mut self, pipeline: &super::plan::Pipeline, plan: &Plan, item: &ast::Pipeline) {
        let same =
            plan.pipelines.iter().find(|other| other.tag == pipeline.tag && other.name != pipeline.name);
        if let Some(other) = same {
            let message = format!("`{}` and `{}` have the same tag in event ids", pipeline.name, other.name);
            let help = "rename one of them".to_owned();
            self.error_with_help(codes::SAME_TAG, &item.name.place, message, Some(help));
        }
    }

    fn unused(&mut self, file: &ast::File, plan: &Plan) {
        // A pipeline with errors may have meant to use it.
        if self.diagnostics.has_errors() {
            return;
        }
        for item in &file.items {
            let (what, name, used) = match item {
                ast::Item::Source(item) => {
                    let index = plan.sources.iter().position(|source| source.name == item.name.node);
                    let used =
                        plan.pipelines.iter().any(|line| index.is_some_and(|i| line.sources.contains(&i)));
                    ("source", &item.name, used || index.is_none())
                }
                ast::Item::Sink(item) => {
                    let index = plan.sinks.iter().position(|sink| sink.name == item.name.node);
                    let used =
                        plan.pipelines.iter().any(|line| index.is_some_and(|i| line.sinks.contains(&i)));
                    ("sink", &item.name, used || index.is_none())
                }
                _ => continue,
            };
            if !used {
                let message = format!("no pipeline uses the {what} `{}`", name.node);
                self.diagnostics
                    .push(Diagnostic::error(codes::UNUSED, name.place.clone(), message).warning());
            }
        }
    }

    /// Reports an unknown name, with the nearest known one.
    fn unknown<'n>(
        &mut self,
        code: crate::diag::Code,
        what: &str,
        name: &ast::Name,
        known: impl IntoIterator<Item = &'n str> + Clone,
    ) {
        let component = code == codes::UNKNOWN_SOURCE || code == codes::UNKNOWN_SINK;
        if component && self.written.contains(&name.node.as_str()) {
            return;
        }
        let help = match nearest(&name.node, known.clone()) {
            Some(near) => Some(format!("did you mean `{near}`?")),
            None => {
                let names: Vec<_> = known.into_iter().take(12).collect();
                (!names.is_empty()).then(|| format!("there are: {}", names.join(", ")))
            }
        };
        self.error_with_help(code, &name.place, format!("there is no {what} named `{}`", name.node), help);
    }
}

/// Takes sources and sinks out that no pipeline uses: they would be opened for nothing.
fn drop_unused(plan: &mut Plan) {
    let used_source = |plan: &Plan, index| plan.pipelines.iter().any(|line| line.sources.contains(&index));
    let used_sink = |plan: &Plan, index| plan.pipelines.iter().any(|line| line.sinks.contains(&index));
    for index in (0..plan.sources.len()).rev() {
        if !used_source(plan, index) {
            plan.sources.remove(index);
            for line in &mut plan.pipelines {
                line.sources.iter_mut().filter(|source| **source > index).for_each(|source| *source -= 1);
            }
        }
    }
    for index in (0..plan.sinks.len()).rev() {
        if !used_sink(plan, index) {
            plan.sinks.remove(index);
            for line in &mut plan.pipelines {
                let lower = |sink: &mut usize| *sink -= usize::from(*sink > index);
                line.sinks.iter_mut().for_each(lower);
                super::plan::each_sink(&mut line.steps, &mut |sink| *sink -= usize::from(*sink > index));
            }
        }
    }
}
