//! The lines of a test block.

use super::super::ast::{BinaryOp, Clause, Name, Spanned};
use super::super::codes;
use super::super::lex::Token;
use super::{Parsed, Parser};
use crate::diag::nearest;

const COMPARISONS: [(&str, BinaryOp); 6] = [
    ("==", BinaryOp::Equal),
    ("!=", BinaryOp::NotEqual),
    ("<", BinaryOp::Less),
    ("<=", BinaryOp::LessEqual),
    (">", BinaryOp::Greater),
    (">=", BinaryOp::GreaterEqual),
];

impl Parser<'_> {
    pub(super) fn clause(&mut self) -> Parsed<Clause> {
        let start = self.place().start;
        let clause = if self.eat_word("input") {
            self.input()
        } else if self.eat_word("expect") {
            self.expectation(start)
        } else {
            let word = self.word().unwrap_or_default();
            let help = match nearest(word, ["input", "expect"]) {
                Some(known) => format!("did you mean `{known}`?"),
                None => "a test holds `input …` and `expect …` lines".to_owned(),
            };
            let message = format!("expected `input` or `expect`, found {}", self.found());
            self.fail(codes::UNKNOWN_CLAUSE, message, &help)
        }?;
        if self.is("}") || self.look(0).first || self.eat(",") {
            return Ok(clause);
        }
        self.expected("a new line", "")
    }

    fn input(&mut self) -> Parsed<Clause> {
        let inline = self.eat_word("text");
        let text =
            self.text(if inline { "the text of the input" } else { "a file name, or `text \"…\"`" })?;
        let path = if self.eat_word("as") { Some(self.text("a path, in quotes")?) } else { None };
        let source = if self.eat_word("from") { Some(self.name("the name of a source")?) } else { None };
        Ok(if inline {
            Clause::InputText { text, path, source }
        } else {
            Clause::InputFile { file: text, path, source }
        })
    }

    fn expectation(&mut self, start: usize) -> Parsed<Clause> {
        let sink = if self.eat_word("sink") { Some(self.name("the name of a sink")?) } else { None };
        let word = self.word().unwrap_or_default().to_owned();
        match (word.as_str(), sink) {
            ("count", sink) => self.count(start, sink),
            ("event", sink) => {
                self.take();
                let index = self.whole("the number of the event, from 1")?;
                Ok(Clause::Event { sink, index, condition: self.expr()? })
            }
            ("all", sink) => {
                self.take();
                Ok(Clause::All { sink, condition: self.expr()? })
            }
            ("golden", Some(sink)) => {
                self.take();
                Ok(Clause::Golden { sink, file: self.text("a file name, in quotes")? })
            }
            ("dropped" | "rejected", None) => {
                self.take();
                let reason = self.text("the reason, in quotes")?;
                self.expect("==", "and a number")?;
                let count = self.whole("a number of events")?;
                Ok(Clause::Outcome { rejected: word == "rejected", reason, count, place: self.since(start) })
            }
            ("golden", None) => self.fail(
                codes::UNKNOWN_CLAUSE,
                "a golden file belongs to a sink",
                "write `expect sink NAME golden \"FILE\"`",
            ),
            (word, _) => {
                let known = ["count", "event", "all", "golden", "dropped", "rejected", "sink"];
                let help = match nearest(word, known) {
                    Some(known) => format!("did you mean `{known}`?"),
                    None => "what can be expected: count, event N, all, golden, dropped, rejected".to_owned(),
                };
                let message = format!("expected what is expected, found {}", self.found());
                self.fail(codes::UNKNOWN_CLAUSE, message, &help)
            }
        }
    }

    fn count(&mut self, start: usize, sink: Option<Name>) -> Parsed<Clause> {
        self.take();
        let opened = self.place();
        let condition = if self.eat("(") {
            let condition = self.expr()?;
            self.close(")", opened)?;
            Some(condition)
        } else {
            None
        };
        let sign = match self.peek() {
            Token::Sign(sign) => COMPARISONS.iter().find(|(known, _)| known == sign),
            _ => None,
        };
        let Some((_, op)) = sign else {
            return self.expected("`==` or another comparison", "write `expect count == 3`");
        };
        self.take();
        let count = self.whole("a number of events")?;
        Ok(Clause::Count { sink, condition, op: *op, count, place: self.since(start) })
    }

    fn whole(&mut self, what: &str) -> Parsed<Spanned<i64>> {
        match self.peek() {
            Token::Int(int) => {
                let node = *int;
                Ok(Spanned { node, place: self.take().place })
            }
            _ => self.expected(what, ""),
        }
    }
}
