//! Tree → text: the formatter.
//!
//! One layout for everyone: two spaces, width [`WIDTH`], comments kept, at most one blank line between items. A
//! list that the author began on a new line stays one item a line, and a text stays raw or a block where it was;
//! for both, the printer looks at what was written. `parse(print(parse(x))) == parse(x)`, and printing what was
//! printed changes nothing.

mod doc;
mod expr;
mod item;
mod step;

use super::ast::{Arm, File, FormatUse, Spanned, Step, StepKind};
use crate::diag::Place;
use doc::Doc;

/// Columns of a line.
const WIDTH: usize = 110;

/// The canonical text of a file that was read from `text` without errors.
pub fn print(file: &File, text: &str) -> String {
    let mut printer = Printer { text, comments: &file.comments, next: 0, last: 0 };
    let doc = printer.file(file);
    let mut out = doc::render(&doc, WIDTH);
    out.truncate(out.trim_end().len());
    if !out.is_empty() {
        out.push('\n');
    }
    out
}

/// A step without the steps inside of it, on one line.
pub(super) fn head(step: &Step, text: &str) -> String {
    on_one_line(text, |printer| match &step.node {
        StepKind::When { condition, .. } => Doc::All(vec![Doc::text("when "), printer.expr(condition)]),
        StepKind::Match { subject, .. } => Doc::All(vec![Doc::text("match "), printer.expr(subject)]),
        _ => printer.step(step),
    })
}

/// A format with its options, on one line.
pub(super) fn format(format: &FormatUse, text: &str) -> String {
    on_one_line(text, |printer| printer.format(format))
}

/// The patterns of an arm, on one line.
pub(super) fn patterns(arm: &Arm, text: &str) -> String {
    on_one_line(text, |printer| printer.patterns(arm))
}

fn on_one_line(text: &str, doc: impl FnOnce(&mut Printer<'_>) -> Doc) -> String {
    let mut printer = Printer { text, comments: &[], next: 0, last: 0 };
    let lines = doc::render(&doc(&mut printer), usize::MAX - 1);
    lines.lines().map(str::trim).collect::<Vec<_>>().join(" ")
}

struct Printer<'a> {
    text: &'a str,
    comments: &'a [Spanned<String>],
    /// The next comment that was not printed.
    next: usize,
    /// One past what was printed last, to see blank lines.
    last: usize,
}

impl Printer<'_> {
    fn written(&self, place: &Place) -> &str {
        self.text.get(place.clone()).unwrap_or("")
    }

    /// Whether the text between two offsets has an empty line.
    fn has_blank(&self, from: usize, to: usize) -> bool {
        self.text.get(from..to).is_some_and(|between| {
            let inner = between.split_once('\n').and_then(|(_, rest)| rest.rsplit_once('\n'));
            inner.is_some_and(|(inner, _)| inner.split('\n').any(|line| line.trim().is_empty()))
        })
    }

    /// Whether a list whose first part starts at `at` was begun on a new line by its author.
    fn begun_on_new_line(&self, at: usize) -> bool {
        let before = self.text.get(..at).unwrap_or("").trim_end_matches(['|', ' ', '\t']);
        before.ends_with('\n')
    }

    fn has_comment_before(&self, end: usize) -> bool {
        self.comments.get(self.next).is_some_and(|comment| comment.place.start < end)
    }

    /// One item of a list that stands on lines of its own: the comments before it, a blank line where there was
    /// one, the item, and the comment behind it.
    fn line(
        &mut self,
        lines: &mut Vec<Doc>,
        place: &Place,
        blank: bool,
        item: impl FnOnce(&mut Self) -> Doc,
    ) {
        self.comments_before(lines, place.start);
        if !lines.is_empty() {
            if blank || self.has_blank(self.last, place.start) {
                lines.push(Doc::Hard);
            }
            lines.push(Doc::Hard);
        }
        let doc = item(self);
        lines.push(doc);
        self.last = self.last.max(place.end);
        self.comment_behind(lines);
    }

    fn comments_before(&mut self, lines: &mut Vec<Doc>, start: usize) {
        while let Some(comment) = self.comments.get(self.next).filter(|comment| comment.place.start < start) {
            if !lines.is_empty() {
                if self.has_blank(self.last, comment.place.start) {
                    lines.push(Doc::Hard);
                }
                lines.push(Doc::Hard);
            }
            lines.push(Doc::Text(comment.node.clone()));
            self.last = self.last.max(comment.place.end);
            self.next += 1;
        }
    }

    /// A comment on the line on which the last item ended.
    fn comment_behind(&mut self, lines: &mut Vec<Doc>) {
        let Some(comment) = self.comments.get(self.next) else { return };
        let between = self.text.get(self.last..comment.place.start);
        if between.is_some_and(|between| !between.contains('\n') && !between.contains(['}', ']', ')'])) {
            lines.push(Doc::Text(format!(" {}", comment.node)));
            self.last = comment.place.end;
            self.next += 1;
        }
    }

    /// The comments that are left before the end of a block.
    fn close(&mut self, lines: &mut Vec<Doc>, end: usize) {
        self.comments_before(lines, end);
        self.last = self.last.max(end);
    }
}
