//! Every example of every function and step is compiled by the language and run; so are the cases of operators.

use std::path::Path;
use std::sync::Arc;

use aludel::catalog::{self, Machine, Pipeline};
use aludel::event::{Row, Value, write_object};
use aludel::expr::functions;
use aludel::lang::{check, parse, print};
use aludel::lookup::Data;
use aludel::step::{Context, Emit, Flow, SIGNATURES, Work};

/// A pipeline whose first step makes every field known, with these steps behind it.
fn compile(steps: &str) -> Result<(Pipeline, Arc<Data>), String> {
    let text = format!(
        "source in = files \"none\"\nsink out = blackhole\n\npipeline p {{\n  from in\n  | parse .message as json else pass\n  \
         | {steps}\n  | to out\n}}\n"
    );
    let (file, errors) = parse(&text);
    let says = |what: &str, errors: &[aludel::diag::Diagnostic]| {
        let all: Vec<_> = errors.iter().map(|error| error.message.as_str()).collect();
        format!("{steps}: {what}: {}", all.join("; "))
    };
    if !errors.is_empty() {
        return Err(says("does not parse", &errors));
    }
    let printed = print(&file, &text);
    if print(&parse(&printed).0, &printed) != printed {
        return Err(format!("{steps}: printed in two ways:\n{printed}"));
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/expr");
    let (plan, errors) = check(&file, &catalog::signatures(), &Machine { folder });
    let plan = plan.ok_or_else(|| says("does not compile", &errors))?;
    let mut built = catalog::build(plan)?;
    Ok((built.pipelines.pop().ok_or("no pipeline")?, built.data))
}

/// Keeps the last event that reached a sink.
struct Last(String);

impl Emit for Last {
    fn emit(&mut self, _: usize, row: &mut Row) {
        self.0 = json(row);
    }
}

fn json(row: &Row) -> String {
    let mut out = Vec::new();
    write_object(row, &mut out);
    String::from_utf8(out).expect("json is text")
}

/// What becomes of an event behind the first step: its JSON, or the reason for which it ends.
pub(super) fn run(steps: &str, event: &str) -> Result<String, String> {
    let (pipeline, data) = compile(steps)?;
    let mut row = Row::new(pipeline.shape.layout.clone(), pipeline.constants.clone());
    let span = row.texts.push(event.as_bytes());
    row.write(0, Value::Object(span));
    let (mut last, mut work) = (Last("lost".to_owned()), Work::default());
    data.meet(&mut work.held);
    for step in pipeline.steps.0.iter().skip(1) {
        let flow = step.run(&mut row, &mut Context { outputs: &mut last, work: &mut work });
        let reason = |reason: u16| &*pipeline.reasons[usize::from(reason)];
        match flow {
            Flow::Next => {}
            Flow::Drop(why) => return Ok(format!("dropped \"{}\"", reason(why))),
            Flow::Reject(why) => return Ok(format!("rejected \"{}\"", reason(why))),
        }
    }
    Ok(last.0)
}

fn same(found: &str, expected: &str) -> bool {
    let read = |text: &str| serde_json::from_str::<serde_json::Value>(text).ok();
    found == expected || (read(found).is_some() && read(found) == read(expected))
}

/// Runs an example; returns what is wrong with it.
fn fault(steps: &str, event: &str, expected: &str) -> Option<String> {
    match run(steps, event) {
        Ok(found) if same(&found, expected) => None,
        Ok(found) => Some(format!("{steps}\n    gives {found}\n    not   {expected}")),
        Err(error) => Some(error),
    }
}

/// An expression and its value as a step and the event behind it.
fn as_step(source: &str, expected: &str) -> (String, String) {
    let expected = if expected == "missing" { "\"missing\"" } else { expected };
    (format!("set .x = ({source}) ?? \"missing\""), format!("{{\"x\":{expected}}}"))
}

fn all_hold(faults: impl Iterator<Item = Option<String>>) {
    let wrong: Vec<_> = faults.flatten().collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn examples_of_functions_run() {
    let examples = functions().iter().flat_map(|function| function.signature.examples);
    all_hold(examples.map(|example| {
        let (step, event) = as_step(example.source, example.result);
        fault(&step, "{}", &event)
    }));
}

#[test]
fn examples_of_steps_run() {
    let formats = aludel::format::formats().iter().map(|kind| kind.signature);
    let enrichers = aludel::enrich::ENRICHERS.iter().map(|kind| kind.signature);
    let detectors = aludel::detect::signatures();
    let examples = SIGNATURES.iter().copied().chain(formats).chain(enrichers).chain(detectors);
    let examples = examples.flat_map(|signature| signature.examples);
    all_hold(examples.map(|example| fault(example.source, example.input, example.result)));
}

#[test]
fn cases_of_operators_run() {
    let cases = include_str!("../../fixtures/expr/operators.case");
    let cases = cases.lines().filter_map(|line| line.rsplit_once(" => "));
    all_hold(cases.map(|(source, expected)| {
        let (step, event) = as_step(source, expected);
        fault(&step, "{}", &event)
    }));
}
