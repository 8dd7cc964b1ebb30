//! Top-level items and test clauses.

use super::Printer;
use super::doc::Doc;
use super::expr::escaped;
use crate::diag::Place;
use crate::lang::ast::{BinaryOp, Clause, Component, Expr, File, Item, Name, Setting, Spanned, Test};
use crate::lang::parse::BINARY;

pub(super) fn place(item: &Item) -> &Place {
    match item {
        Item::Const(item) => &item.place,
        Item::Source(item) | Item::Sink(item) => &item.place,
        Item::Fragment(item) => &item.place,
        Item::Pipeline(item) => &item.place,
        Item::Test(item) => &item.place,
    }
}

/// Items of one line stand together where the author left them together; blocks stand apart.
fn is_block(item: &Item) -> bool {
    matches!(item, Item::Fragment(_) | Item::Pipeline(_) | Item::Test(_))
}

impl Printer<'_> {
    pub(super) fn file(&mut self, file: &File) -> Doc {
        let mut lines = Vec::new();
        let mut after_block = false;
        for item in &file.items {
            // A comment right above a block belongs to it: the blank line goes before the comment.
            let apart = after_block || is_block(item);
            if apart && !lines.is_empty() && self.has_comment_before(place(item).start) {
                if !self.blank_before_comment() {
                    lines.push(Doc::Hard);
                }
                self.line(&mut lines, place(item), false, |printer| printer.item(item));
            } else {
                self.line(&mut lines, place(item), apart, |printer| printer.item(item));
            }
            after_block = is_block(item);
        }
        self.close(&mut lines, usize::MAX);
        Doc::All(lines)
    }

    /// Whether the next comment brings a blank line of its own.
    fn blank_before_comment(&self) -> bool {
        let comment = self.comments.get(self.next);
        comment.is_some_and(|comment| self.has_blank(self.last, comment.place.start))
    }

    fn item(&mut self, item: &Item) -> Doc {
        match item {
            Item::Const(item) => {
                let value = self.expr(&item.value);
                Doc::All(vec![Doc::text(format!("const {} = ", item.name.node)), value])
            }
            Item::Source(item) => self.component("source", item),
            Item::Sink(item) => self.component("sink", item),
            Item::Fragment(item) => {
                let head = Doc::text(format!("fragment {} ", item.name.node));
                let block = self.block(&item.steps, 2, item.place.end.saturating_sub(1));
                Doc::All(vec![head, block])
            }
            Item::Pipeline(item) => self.pipeline(item),
            Item::Test(test) => self.test(test),
        }
    }

    fn component(&mut self, word: &str, item: &Component) -> Doc {
        let head = Doc::text(format!("{word} {} = {}", item.name.node, item.kind.node));
        let rest = self.arguments(&item.arguments, &item.options);
        Doc::All(vec![head, rest])
    }

    /// ` a, b { x = 1 }`
    pub(super) fn arguments(&mut self, arguments: &[Expr], options: &[Setting]) -> Doc {
        let mut parts = Vec::new();
        for (at, argument) in arguments.iter().enumerate() {
            parts.extend([Doc::text(if at == 0 { " " } else { ", " }), self.expr(argument)]);
        }
        if !options.is_empty() {
            parts.extend([Doc::text(" "), self.settings(options)]);
        }
        Doc::All(parts)
    }

    fn test(&mut self, test: &Test) -> Doc {
        let mut lines = Vec::new();
        for clause in &test.clauses {
            let place = clause_place(clause);
            self.line(&mut lines, &place, false, |printer| printer.clause(clause));
        }
        self.close(&mut lines, test.place.end.saturating_sub(1));
        let head = Doc::text(format!("test {} {{", escaped(&test.title.node)));
        if lines.is_empty() {
            return Doc::All(vec![head, Doc::text("}")]);
        }
        let body = Doc::indent(2, Doc::All([vec![Doc::Hard], lines].concat()));
        Doc::All(vec![head, body, Doc::Hard, Doc::text("}")])
    }

    fn clause(&mut self, clause: &Clause) -> Doc {
        let on = |sink: &Option<Name>| sink.as_ref().map_or(String::new(), |s| format!("sink {} ", s.node));
        match clause {
            Clause::InputFile { file, path, source } => self.input("input ", file, path, source),
            Clause::InputText { text, path, source } => self.input("input text ", text, path, source),
            Clause::Count { sink, condition, op, count, .. } => {
                let mut parts = vec![Doc::text(format!("expect {}count", on(sink)))];
                if let Some(condition) = condition {
                    let condition = self.expr(condition);
                    parts.extend([Doc::text("("), Doc::indent(2, condition), Doc::text(")")]);
                }
                parts.push(Doc::text(format!(" {} {}", sign(*op), count.node)));
                Doc::All(parts)
            }
            Clause::Event { sink, index, condition } => {
                let head = Doc::text(format!("expect {}event {} ", on(sink), index.node));
                Doc::All(vec![head, Doc::indent(2, self.expr(condition))])
            }
            Clause::All { sink, condition } => {
                let head = Doc::text(format!("expect {}all ", on(sink)));
                Doc::All(vec![head, Doc::indent(2, self.expr(condition))])
            }
            Clause::Outcome { rejected, reason, count, .. } => {
                let word = if *rejected { "rejected" } else { "dropped" };
                let reason = self.quoted(&reason.node, &reason.place);
                let head = Doc::text(format!("expect {word} "));
                Doc::All(vec![head, reason, Doc::text(format!(" == {}", count.node))])
            }
            Clause::Golden { sink, file } => {
                Doc::text(format!("expect sink {} golden {}", sink.node, escaped(&file.node)))
            }
        }
    }

    fn input(
        &mut self,
        head: &str,
        text: &Spanned<String>,
        path: &Option<Spanned<String>>,
        source: &Option<Name>,
    ) -> Doc {
        let mut parts = vec![Doc::text(head), Doc::indent(2, self.quoted(&text.node, &text.place))];
        if let Some(path) = path {
            parts.push(Doc::text(format!(" as {}", escaped(&path.node))));
        }
        if let Some(source) = source {
            parts.push(Doc::text(format!(" from {}", source.node)));
        }
        Doc::All(parts)
    }
}

fn sign(op: BinaryOp) -> &'static str {
    BINARY.iter().find(|(_, known, _)| *known == op).map_or("==", |(sign, ..)| sign)
}

/// From the first part of a clause to its last; the words before the first part are on the same line.
fn clause_place(clause: &Clause) -> Place {
    let of = |parts: &[Option<&Place>]| {
        let start = parts.iter().flatten().map(|place| place.start).min().unwrap_or(0);
        start..parts.iter().flatten().map(|place| place.end).max().unwrap_or(0)
    };
    let name = |name: &'_ Option<Name>| name.as_ref().map(|name| name.place.clone());
    match clause {
        Clause::InputFile { file: text, path, source } | Clause::InputText { text, path, source } => {
            let path = path.as_ref().map(|path| path.place.clone());
            of(&[Some(&text.place), path.as_ref(), name(source).as_ref()])
        }
        Clause::Count { place, .. } | Clause::Outcome { place, .. } => place.clone(),
        Clause::Event { sink, index, condition } => {
            of(&[name(sink).as_ref(), Some(&index.place), Some(&condition.place)])
        }
        Clause::All { sink, condition } => of(&[name(sink).as_ref(), Some(&condition.place)]),
        Clause::Golden { sink, file } => of(&[Some(&sink.place), Some(&file.place)]),
    }
}
