//! `aludel test`: runs the `test` blocks of pipeline files: raw bytes in, events out, and what was expected of them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, bail};
use clap::Args;

use super::{WRONG_USAGE, complain, load};
use crate::catalog::{self, Runnable};
use crate::lang::ast::{BinaryOp, Clause, Expr, Item, Name, Spanned, Test as Block};
use crate::lang::plan::ALERTS;
use crate::lang::{Condition, condition};
use crate::replay::{Audience, captured, replay};
use crate::run::Letter;
use crate::seam::File;
use crate::source::Own;
use crate::source::recorded::{Bytes, Recording};

/// The time of events that carry none, and what decides the year of times without one: 2026-01-01T00:00:00Z. Fixed,
/// so that a test gives the same result for ever.
const TEST_UNIX_NS: i64 = 1_767_225_600_000_000_000;

/// Largest input file of a test, in bytes.
const INPUT_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Run the tests in pipeline files
#[derive(Debug, Args)]
pub(super) struct Test {
    /// Pipeline files, or folders with `*.aludel` files
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Rewrite golden files with what came out
    #[arg(long)]
    bless: bool,
    /// Run only tests whose title contains this
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
}

impl Test {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let (mut passed, mut failed, mut broken) = (0usize, 0usize, false);
        for text in load::texts(&self.files)? {
            let checked = load::check(&text);
            load::show(&checked.report);
            if checked.plan.is_none() {
                broken = true;
                continue;
            }
            for item in &checked.file.items {
                let Item::Test(test) = item else { continue };
                if self.only.as_deref().is_some_and(|only| !test.title.node.contains(only)) {
                    continue;
                }
                // Each test gets a plan of its own, since running one takes it.
                let Some(plan) = load::check(&text).plan else { continue };
                let plan = Arc::new(captured(catalog::build(plan).map_err(anyhow::Error::msg)?));
                let faults = Case { plan, text: &text, test, bless: self.bless }.run()?;
                if faults.is_empty() {
                    passed += 1;
                    continue;
                }
                failed += 1;
                complain(&format!("FAILED {}: {}", text.path.display(), test.title.node));
                faults.iter().for_each(|fault| complain(&format!("  {fault}")));
            }
        }
        super::print(&format!("{passed} passed, {failed} failed\n"))?;
        Ok(match (broken, failed) {
            (true, _) => ExitCode::from(WRONG_USAGE),
            (false, 0) => ExitCode::SUCCESS,
            (false, _) => ExitCode::FAILURE,
        })
    }
}

/// What came out.
#[derive(Default)]
struct Seen {
    events: Vec<Event>,
    /// Whether what comes now is made of alerts.
    of_alerts: bool,
}

/// An event for a sink.
struct Event {
    sink: usize,
    json: String,
    /// Whether it is an alert that a source handed on.
    of_alerts: bool,
}

impl Audience for Seen {
    fn event(&mut self, sink: usize, json: &[u8]) {
        let json = String::from_utf8_lossy(json).into_owned();
        self.events.push(Event { sink, json, of_alerts: self.of_alerts });
    }

    fn letter(&mut self, _: &Letter) {}

    fn progress(&mut self, _: u64) {}
}

/// One test.
struct Case<'a> {
    plan: Arc<Runnable>,
    text: &'a load::Text,
    test: &'a Block,
    bless: bool,
}

impl Case<'_> {
    /// Runs it. Returns what was expected and did not come.
    fn run(&self) -> anyhow::Result<Vec<String>> {
        let mut inputs: BTreeMap<usize, Vec<Recording>> = BTreeMap::new();
        for clause in &self.test.clauses {
            if let Some((source, recording)) = self.input(clause)? {
                inputs.entry(source).or_default().push(recording);
            }
        }
        let mut seen = Seen::default();
        let (mut dropped, mut rejected) = (BTreeMap::new(), BTreeMap::new());
        let given: BTreeSet<usize> = inputs.keys().copied().collect();
        let (mut passes, mut handed_on) = (0, 0);
        while !inputs.is_empty() {
            for (source, recordings) in std::mem::take(&mut inputs) {
                let stats = replay(&self.plan, source, recordings, TEST_UNIX_NS, &mut seen);
                for (_, pipeline) in stats.map_err(anyhow::Error::msg)?.snapshot().pipelines {
                    for (total, part) in
                        [(&mut dropped, pipeline.dropped), (&mut rejected, pipeline.rejected)]
                    {
                        part.into_iter()
                            .for_each(|(reason, count)| *total.entry(reason).or_insert(0) += count);
                    }
                }
            }
            // Alerts go on as they do in a run. Those of alerts do once more, and no further: a rule may raise one for each.
            let new = &seen.events[handed_on..];
            inputs = if passes < 2 { self.alerts(new, &given) } else { BTreeMap::new() };
            (passes, handed_on, seen.of_alerts) = (passes + 1, seen.events.len(), true);
        }
        let mut faults = Vec::new();
        for clause in &self.test.clauses {
            if let Err(fault) = self.expect(clause, &seen, &dropped, &rejected)? {
                faults.push(format!("line {}: {fault}", self.line(clause)));
            }
        }
        Ok(faults)
    }

    /// Whether a sink owns the state of detectors, so that what comes of it are alerts.
    fn raises(&self, sink: usize) -> bool {
        self.plan.sinks[sink].plan.rehearse().is_some()
    }

    /// The alerts among what came, for each source that hands such on, but those that the test gives an input of their own.
    fn alerts(&self, came: &[Event], given: &BTreeSet<usize>) -> BTreeMap<usize, Vec<Recording>> {
        let mut inputs = BTreeMap::new();
        for (number, source) in self.plan.sources.iter().enumerate() {
            if source.plan.own() != Some(Own::Alerts) || given.contains(&number) {
                continue;
            }
            let of = source.options.given("pipeline").map(|pipeline| format!("{pipeline}.{ALERTS}"));
            let wanted = |event: &&Event| {
                let name = &self.plan.sinks[event.sink].name;
                self.raises(event.sink) && of.as_ref().is_none_or(|of| of == name)
            };
            let lines: String = came.iter().filter(wanted).map(|event| format!("{}\n", event.json)).collect();
            if !lines.is_empty() {
                let size = lines.len() as u64;
                let file: Box<dyn File> = Box::new(Bytes(lines.into_bytes()));
                inputs.insert(number, vec![Recording { path: "alerts.ndjson".to_owned(), file, size }]);
            }
        }
        inputs
    }

    fn input(&self, clause: &Clause) -> anyhow::Result<Option<(usize, Recording)>> {
        let (bytes, path, source) = match clause {
            Clause::InputFile { file, path, source } => {
                let at = self.beside(&file.node);
                let size =
                    std::fs::metadata(&at).with_context(|| format!("cannot read {}", at.display()))?.len();
                if size > INPUT_BYTES_MAX {
                    bail!(
                        "{} has {size} bytes; the input of a test may have {INPUT_BYTES_MAX}",
                        at.display()
                    );
                }
                let bytes = std::fs::read(&at).with_context(|| format!("cannot read {}", at.display()))?;
                (bytes, path.as_ref().unwrap_or(file).node.clone(), source)
            }
            Clause::InputText { text, path, source } => {
                let path = path.as_ref().map_or("test.log", |path| path.node.as_str());
                (text.node.clone().into_bytes(), path.to_owned(), source)
            }
            _ => return Ok(None),
        };
        let names: Vec<_> = self.plan.sources.iter().map(|source| source.name.as_str()).collect();
        let source = load::choose("source", &names, source.as_ref().map(|name| name.node.as_str()))
            .with_context(|| format!("test \"{}\": its input needs `from SOURCE`", self.test.title.node))?;
        let size = bytes.len() as u64;
        let file: Box<dyn File> = Box::new(Bytes(bytes));
        Ok(Some((source, Recording { path, file, size })))
    }

    /// Holds an expectation against what came. The error says what came instead.
    fn expect(
        &self,
        clause: &Clause,
        seen: &Seen,
        dropped: &BTreeMap<String, u64>,
        rejected: &BTreeMap<String, u64>,
    ) -> anyhow::Result<Result<(), String>> {
        Ok(match clause {
            Clause::InputFile { .. } | Clause::InputText { .. } => Ok(()),
            Clause::Count { sink, condition, op, count, .. } => {
                let events = self.of(sink.as_ref(), seen)?;
                let total = match condition {
                    Some(expr) => {
                        let mut condition = self.condition(expr)?;
                        events.iter().filter(|event| condition.holds(event.as_bytes())).count()
                    }
                    None => events.len(),
                };
                if compare(*op, total as i64, count.node) {
                    Ok(())
                } else {
                    Err(format!("{total} events, expected {} {}{}", sign(*op), count.node, listed(&events)))
                }
            }
            Clause::Event { sink, index, condition } => {
                let events = self.of(sink.as_ref(), seen)?;
                let at = usize::try_from(index.node - 1).unwrap_or(usize::MAX);
                match events.get(at) {
                    None => Err(format!("there are {} events, not {}", events.len(), index.node)),
                    Some(event) if self.condition(condition)?.holds(event.as_bytes()) => Ok(()),
                    Some(event) => Err(format!("does not hold for event {}:\n    {event}", index.node)),
                }
            }
            Clause::All { sink, condition } => {
                let mut holds = self.condition(condition)?;
                let events = self.of(sink.as_ref(), seen)?;
                match events.iter().find(|event| !holds.holds(event.as_bytes())) {
                    Some(event) => Err(format!("does not hold for:\n    {event}")),
                    None if events.is_empty() => Err("there is no event".to_owned()),
                    None => Ok(()),
                }
            }
            Clause::Outcome { rejected: refused, reason, count, .. } => {
                let table = if *refused { rejected } else { dropped };
                let found = table.get(&reason.node).copied().unwrap_or(0);
                if found as i64 == count.node {
                    Ok(())
                } else {
                    Err(format!(
                        "{found} for \"{}\", expected {}; there are {table:?}",
                        reason.node, count.node
                    ))
                }
            }
            Clause::Golden { sink, file } => self.golden(sink, file, seen)?,
        })
    }

    fn golden(&self, sink: &Name, file: &Spanned<String>, seen: &Seen) -> anyhow::Result<Result<(), String>> {
        let events = self.of(Some(sink), seen)?;
        let text: String = events.iter().map(|event| format!("{event}\n")).collect();
        let path = self.beside(&file.node);
        if self.bless {
            std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
            return Ok(Ok(()));
        }
        let golden = match std::fs::read_to_string(&path) {
            Ok(golden) => golden,
            Err(error) => {
                return Ok(Err(format!("cannot read {}: {error} (--bless writes it)", path.display())));
            }
        };
        Ok(if golden == text { Ok(()) } else { Err(difference(&golden, &text)) })
    }

    fn of<'s>(&self, sink: Option<&Name>, seen: &'s Seen) -> anyhow::Result<Vec<&'s String>> {
        let names: Vec<_> = self.plan.sinks.iter().map(|sink| sink.name.as_str()).collect();
        // Alerts are no events: they come only where they are asked for.
        let named = match sink {
            Some(name) if name.node != ALERTS || names.contains(&ALERTS) => {
                Some(load::choose("sink", &names, Some(&name.node))?)
            }
            _ => None,
        };
        let wanted = |event: &&Event| match (named, sink) {
            (Some(named), _) => named == event.sink,
            (None, Some(_)) => self.raises(event.sink),
            (None, None) => !self.raises(event.sink) && !event.of_alerts,
        };
        Ok(seen.events.iter().filter(wanted).map(|event| &event.json).collect())
    }

    fn condition(&self, expr: &Expr) -> anyhow::Result<Condition> {
        condition(expr).map_err(|diagnostics| {
            let reasons: Vec<_> = diagnostics.into_iter().map(|diagnostic| diagnostic.message).collect();
            anyhow::anyhow!("test \"{}\": {}", self.test.title.node, reasons.join("; "))
        })
    }

    fn beside(&self, file: &str) -> PathBuf {
        self.text.path.parent().unwrap_or(Path::new("")).join(file)
    }

    fn line(&self, clause: &Clause) -> usize {
        let at = match clause {
            Clause::InputFile { file, .. } => file.place.start,
            Clause::InputText { text, .. } => text.place.start,
            Clause::Count { place, .. } | Clause::Outcome { place, .. } => place.start,
            Clause::Event { condition, .. } | Clause::All { condition, .. } => condition.place.start,
            Clause::Golden { sink, .. } => sink.place.start,
        };
        self.text.source.text.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1
    }
}

fn compare(op: BinaryOp, left: i64, right: i64) -> bool {
    match op {
        BinaryOp::NotEqual => left != right,
        BinaryOp::Less => left < right,
        BinaryOp::LessEqual => left <= right,
        BinaryOp::Greater => left > right,
        BinaryOp::GreaterEqual => left >= right,
        _ => left == right,
    }
}

fn sign(op: BinaryOp) -> &'static str {
    match op {
        BinaryOp::NotEqual => "!=",
        BinaryOp::Less => "<",
        BinaryOp::LessEqual => "<=",
        BinaryOp::Greater => ">",
        BinaryOp::GreaterEqual => ">=",
        _ => "==",
    }
}

/// The first events, to see what came.
fn listed(events: &[&String]) -> String {
    events.iter().take(5).map(|event| format!("\n    {event}")).collect()
}

/// The first lines that differ.
fn difference(golden: &str, text: &str) -> String {
    let mut out = "not as in the golden file (--bless rewrites it)".to_owned();
    let (mut old, mut new) = (golden.lines(), text.lines());
    let (mut number, mut shown) = (0, 0);
    loop {
        number += 1;
        match (old.next(), new.next()) {
            (None, None) => return out,
            (old, new) if old == new => {}
            (old, new) => {
                shown += 1;
                if shown > 3 {
                    return out + "\n    …";
                }
                let old = old.map_or(String::new(), |line| format!("\n    - {line}"));
                let new = new.map_or(String::new(), |line| format!("\n    + {line}"));
                out.push_str(&format!("\n    line {number}{old}{new}"));
            }
        }
    }
}
