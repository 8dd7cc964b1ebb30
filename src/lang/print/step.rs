//! Pipelines and steps.

use super::Printer;
use super::doc::Doc;
use super::expr::{escaped, path_text};
use crate::lang::ast::{
    Arm, Enrichment, Expr, FormatUse, Name, Otherwise, Path, Pipeline, Spanned, Step, StepKind,
};

/// Columns from a step's `|` to the steps inside of it.
const INNER: usize = 4;

fn names(names: &[Name]) -> Doc {
    let between = [Doc::text(","), Doc::Line];
    let names = Doc::join(names.iter().map(|name| Doc::text(&name.node)), &between);
    Doc::group(vec![Doc::indent(INNER, names)])
}

fn paths(paths: &[Path]) -> Doc {
    let between = [Doc::text(","), Doc::Line];
    let paths = Doc::join(paths.iter().map(|path| Doc::text(path_text(path))), &between);
    Doc::group(vec![Doc::indent(INNER, paths)])
}

impl Printer<'_> {
    pub(super) fn pipeline(&mut self, item: &Pipeline) -> Doc {
        let mut lines = Vec::new();
        if let (Some(first), Some(last)) = (item.from.first(), item.from.last()) {
            let place = first.place.start..last.place.end;
            self.line(&mut lines, &place, false, |_| Doc::All(vec![Doc::text("from "), names(&item.from)]));
        }
        self.step_lines(&mut lines, &item.steps);
        if let (Some(first), Some(last)) = (item.alerts.first(), item.alerts.last()) {
            let place = first.place.start..last.place.end;
            self.line(&mut lines, &place, false, |_| {
                Doc::All(vec![Doc::text("alerts to "), names(&item.alerts)])
            });
        }
        self.close(&mut lines, item.place.end.saturating_sub(1));
        let head = Doc::text(format!("pipeline {} {{", item.name.node));
        if lines.is_empty() {
            return Doc::All(vec![head, Doc::text("}")]);
        }
        let body = Doc::indent(2, Doc::All([vec![Doc::Hard], lines].concat()));
        Doc::All(vec![head, body, Doc::Hard, Doc::text("}")])
    }

    fn step_lines(&mut self, lines: &mut Vec<Doc>, steps: &[Step]) {
        for step in steps {
            self.line(lines, &step.place, false, |printer| {
                Doc::All(vec![Doc::text("| "), printer.step(step)])
            });
        }
    }

    /// `{ STEPS }`; one plain step that the author left beside its brace stays there.
    pub(super) fn block(&mut self, steps: &[Step], indent: usize, end: usize) -> Doc {
        if steps.is_empty() && !self.has_comment_before(end) {
            return Doc::text("{}");
        }
        if let [step] = steps
            && !step.place.is_empty()
            && !self.begun_on_new_line(step.place.start)
            && !self.has_comment_before(end)
            && !matches!(step.node, StepKind::When { .. } | StepKind::Match { .. })
        {
            let inner = self.step(step);
            self.last = self.last.max(end);
            return Doc::All(vec![Doc::text("{ "), inner, Doc::text(" }")]);
        }
        let mut lines = Vec::new();
        self.step_lines(&mut lines, steps);
        self.close(&mut lines, end);
        let close = indent.saturating_sub(2);
        Doc::All(vec![
            Doc::text("{"),
            Doc::indent(indent, Doc::All([vec![Doc::Hard], lines].concat())),
            Doc::indent(close, Doc::All(vec![Doc::Hard, Doc::text("}")])),
        ])
    }

    /// Where the block is closed whose steps these are, for comments before its brace.
    fn block_end(&self, steps: &[Step]) -> usize {
        steps.last().map_or(self.last, |step| self.closing(step.place.end))
    }

    pub(super) fn step(&mut self, step: &Step) -> Doc {
        match &step.node {
            StepKind::Parse { input, formats, into, otherwise } => {
                self.parse(input, formats, into.as_ref(), otherwise.as_ref())
            }
            StepKind::Enrich(list) => {
                let parts: Vec<_> = list.iter().map(|of| self.enrichment(of)).collect();
                let parts = Doc::join(parts, &[Doc::text(","), Doc::Line]);
                Doc::All(vec![Doc::text("enrich "), Doc::group(vec![Doc::indent(INNER + 5, parts)])])
            }
            StepKind::Detect { detector, fields, options } => {
                let mut parts = vec![Doc::text(format!("detect {}", detector.node))];
                if !fields.is_empty() {
                    parts.extend([Doc::text(" on "), paths(fields)]);
                }
                parts.push(Doc::indent(2, self.arguments(&[], options)));
                Doc::All(parts)
            }
            StepKind::Unroll { list, into } => {
                let into = into.as_ref().map_or(String::new(), |into| format!(" into {}", path_text(into)));
                Doc::text(format!("unroll {}{into}", path_text(list)))
            }
            StepKind::Redact { classes, on, options } => {
                let mut parts = vec![Doc::text("redact "), names(classes)];
                if !on.is_empty() {
                    parts.extend([Doc::text(" on "), paths(on)]);
                }
                if !options.is_empty() {
                    parts.extend([Doc::text(" using "), Doc::indent(2, self.settings(options))]);
                }
                Doc::All(parts)
            }
            StepKind::Set(list) => {
                let parts: Vec<_> = list.iter().map(|(path, value)| self.assignment(path, value)).collect();
                let between = [Doc::text(","), Doc::Line];
                let parts = Doc::indent(INNER + 2, Doc::join(parts, &between));
                Doc::All(vec![Doc::text("set "), Doc::group(vec![parts])])
            }
            StepKind::Rename(list) => {
                let pair = |(from, to): &(Path, Path)| {
                    Doc::text(format!("{} to {}", path_text(from), path_text(to)))
                };
                let parts = Doc::join(list.iter().map(pair), &[Doc::text(","), Doc::Line]);
                Doc::All(vec![Doc::text("rename "), Doc::group(vec![Doc::indent(INNER + 5, parts)])])
            }
            StepKind::Remove(list) => Doc::All(vec![Doc::text("remove "), paths(list)]),
            StepKind::Keep(list) => Doc::All(vec![Doc::text("keep "), paths(list)]),
            StepKind::Drop { reason, when } => self.filter("drop", reason, when.as_ref()),
            StepKind::Reject { reason, when } => self.filter("reject", reason, when.as_ref()),
            StepKind::When { condition, then, otherwise } => self.when(condition, then, otherwise),
            StepKind::Match { subject, arms, otherwise } => self.match_step(step, subject, arms, otherwise),
            StepKind::Use(name) => Doc::text(format!("use {}", name.node)),
            StepKind::To(list) => Doc::All(vec![Doc::text("to "), names(list)]),
            StepKind::Call { name, arguments, options } => {
                let rest = self.arguments(arguments, options);
                Doc::All(vec![Doc::text(&name.node), Doc::indent(2, rest)])
            }
            StepKind::Broken => {
                Doc::text(self.written(&step.place).trim_start_matches('|').trim().replace('\n', " "))
            }
        }
    }

    fn parse(
        &mut self,
        input: &Path,
        formats: &[FormatUse],
        into: Option<&Path>,
        otherwise: Option<&Spanned<Otherwise>>,
    ) -> Doc {
        let mut rest = Vec::new();
        for (at, format) in formats.iter().enumerate() {
            if at > 0 {
                rest.extend([Doc::Line, Doc::text("or ")]);
            }
            rest.push(self.format(format));
        }
        if let Some(into) = into {
            rest.extend([Doc::Line, Doc::text(format!("into {}", path_text(into)))]);
        }
        if let Some(otherwise) = otherwise {
            let text = match &otherwise.node {
                Otherwise::Pass => "else pass".to_owned(),
                Otherwise::Drop(reason) => format!("else drop {}", escaped(reason)),
                Otherwise::Reject(reason) => format!("else reject {}", escaped(reason)),
            };
            rest.extend([Doc::Line, Doc::text(text)]);
        }
        let head = Doc::text(format!("parse {} as ", path_text(input)));
        Doc::group(vec![head, Doc::indent(INNER, Doc::All(rest))])
    }

    fn enrichment(&mut self, of: &Enrichment) -> Doc {
        let enricher = self.format(&of.enricher);
        match &of.into {
            Some(into) => Doc::All(vec![enricher, Doc::text(format!(" into {}", path_text(into)))]),
            None => enricher,
        }
    }

    pub(super) fn format(&mut self, format: &FormatUse) -> Doc {
        if format.arguments.is_empty() && format.options.is_empty() {
            Doc::text(&format.name.node)
        } else {
            self.call(&format.name.node, &format.arguments, &format.options)
        }
    }

    fn assignment(&mut self, path: &Path, value: &Expr) -> Doc {
        let value = self.expr(value);
        Doc::All(vec![Doc::text(format!("{} = ", path_text(path))), value])
    }

    fn filter(&mut self, word: &str, reason: &Spanned<String>, when: Option<&Expr>) -> Doc {
        let mut parts = vec![Doc::text(format!("{word} ")), self.quoted(&reason.node, &reason.place)];
        if let Some(when) = when {
            parts.extend([Doc::text(" when "), Doc::indent(INNER, self.expr(when))]);
        }
        Doc::All(parts)
    }

    fn when(&mut self, condition: &Expr, then: &[Step], otherwise: &[Step]) -> Doc {
        let mut parts = vec![Doc::text("when "), Doc::indent(INNER, self.expr(condition)), Doc::text(" ")];
        self.last = self.last.max(condition.place.end);
        let end = self.block_end(then);
        parts.push(self.block(then, INNER, end));
        match otherwise {
            [] => {}
            [Spanned { node: StepKind::When { condition, then, otherwise }, .. }] => {
                parts.extend([Doc::text(" else "), self.when(condition, then, otherwise)]);
            }
            _ => {
                let end = self.block_end(otherwise);
                parts.extend([Doc::text(" else "), self.block(otherwise, INNER, end)]);
            }
        }
        Doc::All(parts)
    }

    fn match_step(&mut self, step: &Step, subject: &Expr, arms: &[Arm], otherwise: &[Step]) -> Doc {
        let head = vec![Doc::text("match "), Doc::indent(INNER, self.expr(subject)), Doc::text(" {")];
        self.last = self.last.max(subject.place.end);
        let mut lines = Vec::new();
        for arm in arms {
            self.line(&mut lines, &arm.place, false, |printer| printer.arm(arm));
        }
        if let (Some(first), Some(last)) = (otherwise.first(), otherwise.last()) {
            let place = first.place.start..last.place.end;
            let end = self.block_end(otherwise);
            self.line(&mut lines, &(place.start.min(end)..place.end), false, |printer| {
                Doc::All(vec![Doc::text("else => "), printer.block(otherwise, 2, end)])
            });
        }
        self.close(&mut lines, step.place.end.saturating_sub(1));
        if lines.is_empty() {
            return Doc::All([head, vec![Doc::text("}")]].concat());
        }
        let body = Doc::indent(INNER, Doc::All([vec![Doc::Hard], lines].concat()));
        Doc::All([head, vec![body, Doc::indent(2, Doc::All(vec![Doc::Hard, Doc::text("}")]))]].concat())
    }

    fn arm(&mut self, arm: &Arm) -> Doc {
        let patterns = self.patterns(arm);
        let block = self.block(&arm.steps, 2, arm.place.end.saturating_sub(1));
        Doc::All(vec![patterns, Doc::text(" => "), block])
    }

    pub(super) fn patterns(&mut self, arm: &Arm) -> Doc {
        let mut patterns =
            arm.patterns.iter().map(|pattern| self.expr(pattern)).collect::<Vec<_>>().into_iter();
        let first = patterns.next().unwrap_or(Doc::All(Vec::new()));
        let rest = patterns.flat_map(|pattern| [Doc::text(","), Doc::Line, pattern]).collect();
        Doc::group(vec![first, Doc::indent(2, Doc::All(rest))])
    }
}
