//! Top-level items: constants, sources, sinks, fragments, pipelines, tests.

use super::super::ast::{Component, Const, Expr, ExprKind, Fragment, Item, Pipeline, Setting, Spanned, Test};
use super::super::codes;
use super::super::lex::Token;
use super::{ITEMS, Parsed, Parser};
use crate::diag::nearest;

impl Parser<'_> {
    pub(super) fn items(&mut self) -> Vec<Item> {
        let mut items = Vec::new();
        while *self.peek() != Token::End {
            match self.item() {
                Ok(item) => items.push(item),
                Err(_) => {
                    // At least one token on, or an item that fails on its own word would be tried forever.
                    if !self.at_item() {
                        self.take();
                    }
                    while *self.peek() != Token::End && !self.at_item() {
                        self.take();
                    }
                }
            }
        }
        items
    }

    fn item(&mut self) -> Parsed<Item> {
        let word = self.word().unwrap_or_default().to_owned();
        match word.as_str() {
            "const" => self.constant(),
            "source" => Ok(Item::Source(self.component("a source")?)),
            "sink" => Ok(Item::Sink(self.component("a sink")?)),
            "fragment" => self.fragment(),
            "pipeline" => self.pipeline(),
            "test" => self.test(),
            _ => {
                let help = match nearest(&word, ITEMS) {
                    Some(item) => format!("did you mean `{item}`?"),
                    None => "a file holds `const`, `source`, `sink`, `fragment`, `pipeline` and `test` items"
                        .into(),
                };
                let message = format!("expected an item, found {}", self.found());
                self.fail(codes::UNKNOWN_ITEM, message, &help)
            }
        }
    }

    fn constant(&mut self) -> Parsed<Item> {
        let start = self.take().place.start;
        let name = self.name("the name of a constant")?;
        self.expect("=", "after the name")?;
        let value = self.expr()?;
        Ok(Item::Const(Const { name, value, place: self.since(start) }))
    }

    fn component(&mut self, what: &str) -> Parsed<Component> {
        let start = self.take().place.start;
        let name = self.name(&format!("the name of {what}"))?;
        // From here on the name is known: a fault further on must not make it unknown.
        let rest = self.component_rest(what);
        if rest.is_err() {
            self.skip(|_| false);
            if self.is("}") {
                self.take();
            }
        }
        let (kind, arguments, options) = rest.unwrap_or_else(|_| {
            let broken = Spanned { node: Box::new(ExprKind::Broken), place: name.place.clone() };
            (Spanned { node: String::new(), place: name.place.clone() }, vec![broken], Vec::new())
        });
        Ok(Component { name, kind, arguments, options, place: self.since(start) })
    }

    fn component_rest(&mut self, what: &str) -> Parsed<(Spanned<String>, Vec<Expr>, Vec<Setting>)> {
        self.expect("=", "after the name")?;
        let kind = self.dotted(&format!("the kind of {what}"))?;
        let (arguments, options) = self.arguments()?;
        let next = self.look(0);
        if !next.first && next.token != Token::End {
            return self.expected("`{` or a new line", "arguments are separated by commas");
        }
        Ok((kind, arguments, options))
    }

    /// `EXPR, EXPR { NAME = EXPR … }`, all of it optional.
    pub(super) fn arguments(&mut self) -> Parsed<(Vec<Expr>, Vec<Setting>)> {
        let next = self.look(0);
        let none = next.first || matches!(next.token, Token::Sign("{" | "|" | "}") | Token::End);
        let arguments = if none { Vec::new() } else { self.list(Self::expr)? };
        let options = if self.is("{") && !self.look(0).first { self.settings("{", "}")? } else { Vec::new() };
        Ok((arguments, options))
    }

    /// `{ NAME = EXPR, … }`, separated by commas or new lines.
    pub(super) fn settings(&mut self, open: &str, close: &'static str) -> Parsed<Vec<Setting>> {
        let opened = self.place();
        self.expect(open, "")?;
        self.deeper(|parser| {
            let mut settings = Vec::new();
            while !parser.is(close) && *parser.peek() != Token::End && !parser.at_item() {
                let start = parser.at;
                match parser.setting() {
                    Ok(setting) => settings.push(setting),
                    Err(_) => {
                        // A token that no option begins with must not be tried again.
                        if parser.at == start && !parser.is("|") && !parser.is("}") {
                            parser.take();
                        }
                        parser.skip(|parser| parser.is(",") || parser.look(0).first);
                        if parser.is("|") || parser.is("}") {
                            break;
                        }
                    }
                }
                if parser.is(close) || parser.eat(",") || parser.look(0).first {
                    continue;
                }
                let _ = parser.expected::<()>("`,` or a new line between options", "");
                parser.skip(|parser| parser.is(",") || parser.look(0).first);
                if parser.is("|") || parser.is("}") {
                    break;
                }
                parser.eat(",");
            }
            parser.close(close, opened)?;
            Ok(settings)
        })
    }

    fn setting(&mut self) -> Parsed<Setting> {
        let name = self.setting_name()?;
        if self.is("==") {
            return self.fail(codes::ASSIGNMENT, "an option is set with `=`", "write `name = value`");
        }
        self.expect("=", "after the name of an option")?;
        Ok(Setting { name, value: self.expr()? })
    }

    pub(super) fn setting_name(&mut self) -> Parsed<Spanned<String>> {
        match self.peek() {
            Token::Text(_) => self.text("a name"),
            _ => self.dotted("the name of an option"),
        }
    }

    fn fragment(&mut self) -> Parsed<Item> {
        let start = self.take().place.start;
        let name = self.name("the name of a fragment")?;
        let opened = self.place();
        self.expect("{", "after the name")?;
        let steps = self.steps(opened);
        Ok(Item::Fragment(Fragment { name, steps, place: self.since(start) }))
    }

    fn pipeline(&mut self) -> Parsed<Item> {
        let start = self.take().place.start;
        let name = self.name("the name of a pipeline")?;
        let opened = self.place();
        self.expect("{", "after the name")?;
        let from = self.from();
        if from.is_err() {
            self.skip(|_| false);
        }
        let mut alerts = Vec::new();
        let steps = self.steps_and(opened, Some(&mut alerts));
        let from = from.unwrap_or_default();
        Ok(Item::Pipeline(Pipeline { name, from, steps, alerts, place: self.since(start) }))
    }

    fn from(&mut self) -> Parsed<Vec<Spanned<String>>> {
        if self.is("|") || self.is("}") || self.at_alerts() {
            // The checker says that `from` is missing.
            return Ok(Vec::new());
        }
        if !self.eat_word("from") {
            return self.expected("`from SOURCE`", "a pipeline begins with the names of its sources");
        }
        let names = self.names("the name of a source")?;
        if self.is("|") || self.is("}") || self.look(0).first || *self.peek() == Token::End {
            return Ok(names);
        }
        self.expected("`|`", "sources are separated by commas, steps begin with `|`")
    }

    fn test(&mut self) -> Parsed<Item> {
        let start = self.take().place.start;
        let title = self.text("the title of the test, in quotes")?;
        let opened = self.place();
        self.expect("{", "after the title")?;
        let mut clauses = Vec::new();
        while !self.is("}") && *self.peek() != Token::End && !self.at_item() {
            match self.clause() {
                Ok(clause) => clauses.push(clause),
                Err(_) => {
                    if self.is("|") {
                        self.take();
                    }
                    self.skip(|parser| {
                        parser.look(0).first && (parser.is_word("input") || parser.is_word("expect"))
                    });
                }
            }
        }
        let _ = self.close("}", opened);
        Ok(Item::Test(Test { title, clauses, place: self.since(start) }))
    }
}
