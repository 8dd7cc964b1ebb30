//! Every field path that a pipeline names, before anything is checked: what its layout is made of.

use super::observe::EVIDENCE;
use super::{Checker, Given, codes};
use crate::event::{LayoutBuilder, Options};
use crate::lang::ast::{Expr, ExprKind, FormatUse, Name, Path, Step, StepKind, each};
use crate::lang::builtin::{BUILTINS, detections};
use crate::lang::plan::Plan;
use crate::limits::SLOTS_MAX;
use crate::signature::OptionSpec;

/// Collects paths into a layout.
pub(super) struct Collector<'a, 'c> {
    checker: &'c mut Checker<'a>,
    plan: &'c Plan,
    layout: LayoutBuilder,
    fragments: Vec<String>,
    full: bool,
}

impl<'a, 'c> Collector<'a, 'c> {
    /// A collector with the fields that every event has.
    pub(super) fn new(checker: &'c mut Checker<'a>, plan: &'c Plan) -> Self {
        let mut layout = LayoutBuilder::default();
        for builtin in BUILTINS.iter().filter(|builtin| builtin.always) {
            layout.add(builtin.path);
        }
        Self { checker, plan, layout, fragments: Vec::new(), full: false }
    }

    /// The layout of all that was collected.
    pub(super) fn layout(self, name: &Name) -> crate::event::Layout {
        if self.full {
            let message =
                format!("the pipeline names more than {SLOTS_MAX} fields, those of its formats included");
            let help = "parse fewer formats in one pipeline, or split it".to_owned();
            self.checker.error_with_help(codes::TOO_MANY_FIELDS, &name.place, message, Some(help));
        }
        self.layout.build()
    }

    fn add(&mut self, path: &str) {
        self.full |= !self.layout.add(path);
    }

    fn path(&mut self, path: &Path) {
        self.add(&path.dotted());
    }

    /// Steps and what is below them.
    pub(super) fn steps(&mut self, steps: &[Step]) {
        steps.iter().for_each(|step| self.step(step));
    }

    fn step(&mut self, step: &Step) {
        match &step.node {
            StepKind::Parse { input, formats, into, .. } => {
                self.path(input);
                let prefix = into.as_ref().map_or(String::new(), Path::dotted);
                self.add(&prefix);
                formats.iter().for_each(|format| self.format(format, &prefix));
            }
            StepKind::Enrich(list) => {
                for of in list {
                    of.enricher.arguments.iter().for_each(|argument| self.expr(argument));
                    let used = self.checker.quietly(|checker| checker.enricher(of));
                    let Some(used) = used else { continue };
                    self.add(&used.into);
                    for field in &used.fields {
                        self.add(&join(&used.into, &field.path));
                    }
                }
            }
            StepKind::Detect { detector, fields, options } => {
                fields.iter().for_each(|field| self.path(field));
                if self.checker.signatures.detectors.keeps_state(&detector.node) {
                    options.iter().for_each(|option| self.expr(&option.value));
                    let shown = options.iter().filter(|option| option.name.node == EVIDENCE);
                    let shown = shown.filter_map(|option| super::options::fields(&option.value));
                    shown.flatten().for_each(|path| self.add(&path));
                } else {
                    let in_lists = self.checker.signatures.detectors.in_lists(&detector.node);
                    detections(in_lists).for_each(|(path, _)| self.add(path));
                }
            }
            StepKind::Unroll { list, into } => {
                self.path(list);
                into.iter().for_each(|into| self.path(into));
            }
            StepKind::Redact { on, .. } => on.iter().for_each(|path| self.path(path)),
            StepKind::Set(fields) => fields.iter().for_each(|(path, value)| {
                self.path(path);
                self.expr(value);
            }),
            StepKind::Rename(fields) => fields.iter().for_each(|(from, to)| {
                self.path(from);
                self.path(to);
            }),
            StepKind::Remove(paths) | StepKind::Keep(paths) => paths.iter().for_each(|path| self.path(path)),
            StepKind::Drop { when, .. } | StepKind::Reject { when, .. } => {
                when.iter().for_each(|when| self.expr(when));
            }
            StepKind::When { condition, then, otherwise } => {
                self.expr(condition);
                self.steps(then);
                self.steps(otherwise);
            }
            StepKind::Match { subject, arms, otherwise } => {
                self.expr(subject);
                arms.iter().for_each(|arm| self.steps(&arm.steps));
                self.steps(otherwise);
            }
            StepKind::Use(name) => self.fragment(name),
            StepKind::To(sinks) => sinks.iter().for_each(|sink| self.sink(sink)),
            StepKind::Call { arguments, .. } => arguments.iter().for_each(|argument| self.expr(argument)),
            StepKind::Broken => {}
        }
    }

    fn fragment(&mut self, name: &Name) {
        // A fragment that uses itself is reported where its steps are checked.
        if let Some(fragment) = self.checker.fragments.get(name.node.as_str()).copied()
            && !self.fragments.contains(&name.node)
        {
            // Once is enough, and fragments that use others twice and thrice would never end.
            self.fragments.push(name.node.clone());
            self.steps(&fragment.steps);
        }
    }

    fn sink(&mut self, name: &Name) {
        let Some(sink) = self.plan.sinks.iter().find(|sink| sink.name == name.node) else { return };
        let kind = self.checker.signatures.sinks.iter().find(|kind| kind.name == sink.kind);
        let Some(kind) = kind else { return };
        let paths: Vec<String> = sink.options.paths(kind.options).map(str::to_owned).collect();
        paths.iter().for_each(|path| self.add(path));
    }

    /// The fields that a format gives. Its errors are reported when its step is checked.
    fn format(&mut self, format: &FormatUse, prefix: &str) {
        let Some(given) = self.checker.quietly(|checker| checker.gives(format).map(|(_, given)| given))
        else {
            return;
        };
        for field in &given.fields {
            let path = join(prefix, &field.path);
            self.add(&path);
        }
    }

    pub(super) fn expr(&mut self, expr: &Expr) {
        each(expr, &mut |inner| {
            if let ExprKind::Path(path) = &*inner.node {
                self.path(path);
            }
        });
    }
}

/// A path below another.
pub(super) fn join(prefix: &str, path: &str) -> String {
    if prefix.is_empty() { path.to_owned() } else { format!("{prefix}.{path}") }
}

impl Checker<'_> {
    /// Does something without keeping its errors, which come again.
    fn quietly<T>(&mut self, what: impl FnOnce(&mut Self) -> T) -> T {
        let kept = std::mem::take(&mut self.diagnostics);
        let result = what(self);
        self.diagnostics = kept;
        result
    }

    /// The options of a format and what it gives under them.
    pub(super) fn gives(&mut self, format: &FormatUse) -> Option<(Options, Given)> {
        let formats = self.signatures.formats;
        let specs: Option<&'static [OptionSpec]> = formats.options(&format.name.node);
        let Some(specs) = specs else {
            let names = formats.names();
            self.unknown(codes::UNKNOWN_FORMAT, "format", &format.name, names.iter().map(String::as_str));
            return None;
        };
        let options = self.format_options(format, specs)?;
        match formats.gives(&format.name.node, &options) {
            Ok(given) => Some((options, given)),
            Err(error) => {
                self.error(codes::WRONG_OPTION, &format.name.place, error);
                None
            }
        }
    }
}
