//! A condition on finished events, as tests hold it: over the JSON of an event, where any field may be.

use std::sync::Arc;

use super::collect::Collector;
use super::expr::Shared;
use super::scope::Scope;
use super::{Checker, Detectors, Enrichers, Environment, Formats, Given, Signatures};
use crate::diag::Diagnostic;
use crate::event::{Options, Row, Value};
use crate::expr::{Constants, Expr as Ready, Files};
use crate::lang::ast::{Expr, Name};
use crate::lang::plan::Plan;
use crate::signature::{Field, OptionSpec};

/// A condition and the row that it is held against.
pub struct Condition {
    ready: Ready,
    row: Row,
}

impl Condition {
    /// Whether it holds for an event, given as one JSON object that aludel wrote.
    pub fn holds(&mut self, json: &[u8]) -> bool {
        self.row.clear();
        let span = self.row.texts.push(json);
        self.row.write(0, Value::Object(span));
        self.ready.test(&mut self.row)
    }
}

/// Makes a condition of an expression. Fields may be missing without `??`: what fails does not hold.
pub fn condition(expr: &Expr) -> Result<Condition, Vec<Diagnostic>> {
    let signatures = Signatures {
        sources: Vec::new(),
        sinks: Vec::new(),
        formats: &Nothing,
        enrichers: &Nothing,
        detectors: &Nothing,
    };
    let mut checker = Checker {
        signatures: &signatures,
        environment: &Nothing,
        diagnostics: super::Diagnostics::default(),
        constants: Default::default(),
        fragments: Default::default(),
        written: Vec::new(),
        tolerant: 1,
    };
    let plan = Plan::default();
    let mut collector = Collector::new(&mut checker, &plan);
    collector.expr(expr);
    let layout = Arc::new(collector.layout(&Name { node: String::new(), place: expr.place.clone() }));
    let mut shared = Shared { layout: &layout, constants: Constants::default() };
    let ready = checker.condition(expr, &Scope::anything(), &mut shared);
    let constants = shared.constants.finish();
    let errors = checker.diagnostics.finish();
    if errors.is_empty() { Ok(Condition { ready, row: Row::new(layout, constants) }) } else { Err(errors) }
}

/// There is nothing outside a test.
struct Nothing;

impl Formats for Nothing {
    fn names(&self) -> Vec<String> {
        Vec::new()
    }

    fn options(&self, _: &str) -> Option<&'static [OptionSpec]> {
        None
    }

    fn gives(&self, _: &str, _: &Options) -> Result<Given, String> {
        Ok(Given::default())
    }
}

impl Enrichers for Nothing {
    fn names(&self) -> Vec<String> {
        Vec::new()
    }

    fn options(&self, _: &str) -> Option<&'static [OptionSpec]> {
        None
    }

    fn takes(&self, _: &str) -> bool {
        false
    }

    fn gives(&self, _: &str, _: &Options) -> Result<Vec<Field>, String> {
        Ok(Vec::new())
    }
}

impl Detectors for Nothing {
    fn names(&self) -> Vec<String> {
        Vec::new()
    }

    fn options(&self, _: &str) -> Option<&'static [OptionSpec]> {
        None
    }

    fn keeps_state(&self, _: &str) -> bool {
        false
    }

    fn in_lists(&self, _: &str) -> bool {
        false
    }

    fn check(&self, _: &str, _: &Options) -> Result<(), String> {
        Ok(())
    }
}

impl Files for Nothing {
    fn read(&self, path: &str, _: usize) -> Result<Vec<u8>, String> {
        Err(format!("a test cannot read {path}"))
    }
}

impl Environment for Nothing {
    fn variable(&self, _: &str) -> Option<String> {
        None
    }

    fn secret(&self, _: &str) -> Result<String, String> {
        Err("a test has no secrets".to_owned())
    }
}
