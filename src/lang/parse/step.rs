//! Steps of a pipeline.

use super::super::ast::{Arm, Enrichment, Expr, FormatUse, Name, Otherwise, Path, Spanned, Step, StepKind};
use super::super::codes;
use super::super::lex::Token;
use super::super::plan::ALERTS;
use super::{Failed, Parsed, Parser};
use crate::diag::{Diagnostic, Place, nearest};

/// Words that begin a step of the language itself.
pub(in crate::lang) const STEPS: [&str; 15] = [
    "parse", "unroll", "redact", "enrich", "detect", "set", "rename", "remove", "keep", "drop", "reject",
    "when", "match", "use", "to",
];

impl Parser<'_> {
    /// Steps up to and with the closing brace.
    pub(super) fn steps(&mut self, opened: Place) -> Vec<Step> {
        self.steps_and(opened, None)
    }

    /// The same for a pipeline, which may end with `alerts to NAMES`.
    pub(super) fn steps_and(&mut self, opened: Place, alerts: Option<&mut Vec<Name>>) -> Vec<Step> {
        let steps = self.deeper(|parser| {
            let mut steps = Vec::new();
            let may_alert = alerts.is_some();
            while !parser.is("}") && *parser.peek() != Token::End && !parser.at_item() {
                if may_alert && parser.at_alerts() {
                    break;
                }
                let start = parser.place().start;
                let piped = parser.eat("|");
                if !piped && !steps.is_empty() {
                    let place = parser.place();
                    if !parser.out.covers(place.start) {
                        let message = format!("expected `|` before the next step, found {}", parser.found());
                        parser.out.push(
                            Diagnostic::error(codes::PIPE, place, message).help("each step begins with `|`"),
                        );
                    }
                    if parser.word().is_none() {
                        parser.skip(|_| false);
                        continue;
                    }
                }
                let kind = parser.step_kind().unwrap_or_else(|Failed| {
                    parser.skip(|_| false);
                    StepKind::Broken
                });
                // A step that took nothing but its `|` has failed; the loop still moves on.
                if parser.end() <= start && !parser.is("}") {
                    parser.take();
                }
                steps.push(Spanned { node: kind, place: parser.since(start) });
            }
            if let Some(alerts) = alerts
                && parser.at_alerts()
            {
                *alerts = parser.alerts();
            }
            let _ = parser.close("}", opened);
            Ok(steps)
        });
        steps.unwrap_or_else(|Failed| {
            self.skip(|_| false);
            self.eat("}");
            Vec::new()
        })
    }

    /// Whether `alerts to` stands here, which is no step: what it sends are no events of the pipeline.
    pub(super) fn at_alerts(&self) -> bool {
        let next = self.look(1);
        self.is_word(ALERTS) && matches!(&next.token, Token::Word(word) if word == "to")
    }

    /// `alerts to NAME, NAME`, the last line of a pipeline.
    fn alerts(&mut self) -> Vec<Name> {
        self.take();
        self.take();
        let names = self.names("the name of a sink").unwrap_or_default();
        if !self.is("}") && *self.peek() != Token::End && !self.at_item() {
            let help = "`alerts to` is the last line of a pipeline, behind its steps";
            let _ = self.expected::<()>("`}`", help);
            // What follows is read as if it had stood before.
            self.skip(|_| false);
            while self.eat("|") {
                self.skip(|_| false);
            }
        }
        names
    }

    fn step_kind(&mut self) -> Parsed<StepKind> {
        let Some(word) = self.word().map(str::to_owned) else {
            return self.expected(
                "a step",
                &format!("steps are {} and those of `aludel list steps`", STEPS.join(", ")),
            );
        };
        let start = self.take().place;
        match word.as_str() {
            "parse" => self.parse_step(),
            "enrich" => Ok(StepKind::Enrich(self.list(Self::enrichment)?)),
            "detect" => self.detect(),
            "unroll" => {
                let list = self.path()?;
                let into = if self.eat_word("into") { Some(self.path()?) } else { None };
                Ok(StepKind::Unroll { list, into })
            }
            "redact" => self.redact(),
            "set" => Ok(StepKind::Set(self.list(Self::assignment)?)),
            "rename" => Ok(StepKind::Rename(self.list(Self::renaming)?)),
            "remove" => Ok(StepKind::Remove(self.list(Self::path)?)),
            "keep" => Ok(StepKind::Keep(self.list(Self::path)?)),
            "drop" => {
                let (reason, when) = self.filter(&start, "drop")?;
                Ok(StepKind::Drop { reason, when })
            }
            "reject" => {
                let (reason, when) = self.filter(&start, "reject")?;
                Ok(StepKind::Reject { reason, when })
            }
            "when" => self.when(),
            "match" => self.match_step(),
            "use" => Ok(StepKind::Use(self.name("the name of a fragment")?)),
            "to" => Ok(StepKind::To(self.names("the name of a sink")?)),
            _ => self.call(Spanned { node: word, place: start }),
        }
    }

    fn call(&mut self, name: Spanned<String>) -> Parsed<StepKind> {
        if name.node == ALERTS && self.is_word("to") {
            let help = "write `alerts to SINK` as the last line of a pipeline, without `|`";
            let message = "`alerts to` is no step".to_owned();
            return self.fail_at(name.place.clone(), codes::UNKNOWN_STEP, message, help);
        }
        let near = nearest(&name.node, STEPS);
        let unknown = |parser: &mut Self| {
            let help = near.map_or_else(
                || format!("steps are {} and those of `aludel list steps`", STEPS.join(", ")),
                |step| format!("did you mean `{step}`?"),
            );
            let message = format!("unknown step `{}`", name.node);
            parser.fail_at(name.place.clone(), codes::UNKNOWN_STEP, message, &help)
        };
        // `drp "x" when …` is not the form of a call: it is a slip in a step of the language.
        if near.is_some() {
            return unknown(self);
        }
        let (arguments, options) = self.arguments()?;
        let next = self.look(0);
        if next.first || matches!(next.token, Token::Sign("|" | "}") | Token::End) {
            return Ok(StepKind::Call { name, arguments, options });
        }
        unknown(self)
    }

    fn parse_step(&mut self) -> Parsed<StepKind> {
        let input = self.path()?;
        self.expect_word("as", "and the name of a format")?;
        let mut formats = vec![self.format()?];
        while self.eat_word("or") {
            formats.push(self.format()?);
        }
        let into = if self.eat_word("into") { Some(self.path()?) } else { None };
        let otherwise = if self.is_word("else") { Some(self.otherwise()?) } else { None };
        Ok(StepKind::Parse { input, formats, into, otherwise })
    }

    fn detect(&mut self) -> Parsed<StepKind> {
        let detector = self.name("the name of a detector; see `aludel list detectors`")?;
        let fields = if self.eat_word("on") { self.list(Self::path)? } else { Vec::new() };
        let options = if self.is("{") && !self.look(0).first { self.settings("{", "}")? } else { Vec::new() };
        Ok(StepKind::Detect { detector, fields, options })
    }

    fn redact(&mut self) -> Parsed<StepKind> {
        let classes = self.names("what is redacted, such as `secrets`")?;
        let on = if self.eat_word("on") { self.list(Self::path)? } else { Vec::new() };
        let options = if self.eat_word("using") { self.settings("{", "}")? } else { Vec::new() };
        Ok(StepKind::Redact { classes, on, options })
    }

    fn enrichment(&mut self) -> Parsed<Enrichment> {
        let enricher = self.used("the name of an enricher; see `aludel list enrichers`")?;
        let into = if self.eat_word("into") { Some(self.path()?) } else { None };
        Ok(Enrichment { enricher, into })
    }

    fn format(&mut self) -> Parsed<FormatUse> {
        self.used("the name of a format")
    }

    fn used(&mut self, what: &str) -> Parsed<FormatUse> {
        let name = self.dotted(what)?;
        let (arguments, options) =
            if self.is("(") { self.call_arguments()? } else { (Vec::new(), Vec::new()) };
        Ok(FormatUse { name, arguments, options })
    }

    fn otherwise(&mut self) -> Parsed<Spanned<Otherwise>> {
        let start = self.take().place.start;
        let node = match self.word() {
            Some("pass") => {
                self.take();
                Otherwise::Pass
            }
            Some("drop") => {
                let place = self.take().place;
                Otherwise::Drop(self.reason(&place, "else drop")?.node)
            }
            Some("reject") => {
                let place = self.take().place;
                Otherwise::Reject(self.reason(&place, "else reject")?.node)
            }
            word => {
                let near = nearest(word.unwrap_or_default(), ["pass", "drop", "reject"]);
                let help = near.map_or_else(
                    || "what happens to events that are of no format: `else pass`, `else drop \"reason\"`, `else reject \"reason\"`".to_owned(),
                    |near| format!("did you mean `{near}`?"),
                );
                return self.expected("`pass`, `drop` or `reject`", &help);
            }
        };
        Ok(Spanned { node, place: self.since(start) })
    }

    fn reason(&mut self, step: &Place, form: &str) -> Parsed<Spanned<String>> {
        if matches!(self.peek(), Token::Text(_)) {
            return self.text("a reason");
        }
        let help = format!("events are counted by reason: `{form} \"health check\" …`");
        self.fail_at(step.clone(), codes::REASON, format!("`{form}` needs a reason in quotes"), &help)
    }

    fn filter(&mut self, step: &Place, form: &str) -> Parsed<(Spanned<String>, Option<Expr>)> {
        let reason = self.reason(step, form)?;
        let when = if self.eat_word("when") { Some(self.expr()?) } else { None };
        Ok((reason, when))
    }

    fn assignment(&mut self) -> Parsed<(Path, Expr)> {
        let path = self.path()?;
        if self.is("==") {
            return self.fail(
                codes::ASSIGNMENT,
                "`set` gives a value with `=`",
                "write `set .field = value`",
            );
        }
        self.expect("=", "and a value")?;
        Ok((path, self.expr()?))
    }

    fn renaming(&mut self) -> Parsed<(Path, Path)> {
        let from = self.path()?;
        self.expect_word("to", "and the new name")?;
        Ok((from, self.path()?))
    }

    fn block(&mut self, after: &str) -> Parsed<Vec<Step>> {
        let opened = self.place();
        self.expect("{", after)?;
        Ok(self.steps(opened))
    }

    fn when(&mut self) -> Parsed<StepKind> {
        let condition = self.expr()?;
        let then = self.block("and the steps for events where this holds")?;
        let mut otherwise = Vec::new();
        if self.eat_word("else") {
            let start = self.place().start;
            if self.eat_word("when") {
                let node = self.deeper(Self::when)?;
                otherwise.push(Spanned { node, place: self.since(start) });
            } else {
                otherwise = self.block("and the steps for all other events")?;
            }
        }
        Ok(StepKind::When { condition, then, otherwise })
    }

    fn match_step(&mut self) -> Parsed<StepKind> {
        let subject = self.expr()?;
        let opened = self.place();
        self.expect("{", "and the arms of the match")?;
        let (mut arms, mut otherwise) = (Vec::new(), Vec::new());
        while !self.is("}") && *self.peek() != Token::End && !self.at_item() {
            let start = self.place().start;
            let is_else = self.eat_word("else");
            match self.arm(is_else) {
                Ok((patterns, steps)) if !is_else => {
                    arms.push(Arm { patterns, steps, place: self.since(start) });
                }
                Ok((_, steps)) => otherwise = steps,
                Err(Failed) => {
                    if self.end() <= start || self.is("|") {
                        self.take();
                    }
                    self.skip(|parser| parser.look(0).first);
                }
            }
            self.eat(",");
        }
        self.close("}", opened)?;
        Ok(StepKind::Match { subject, arms, otherwise })
    }

    fn arm(&mut self, is_else: bool) -> Parsed<(Vec<Expr>, Vec<Step>)> {
        let patterns = if is_else { Vec::new() } else { self.list(Self::expr)? };
        self.expect("=>", "and the steps of the arm")?;
        let steps = self.deeper(|parser| parser.block("and the steps of the arm"))?;
        Ok((patterns, steps))
    }
}
