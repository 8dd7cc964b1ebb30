//! Rules of detectors that keep state, as a pipeline file has them, and what they are given without a program.

use std::path::PathBuf;

use aludel::catalog::{self, Machine};
use aludel::detect::stateful::Rule;
use aludel::lang::{self, plan::each_observer};
use aludel::position::{EventId, PipelineTag, StreamId};

/// The rules of the only pipeline of a file; `key` and `distinct` are the names of what they are about.
pub(crate) fn rules_of(text: &str, key: &str, distinct: &str) -> Vec<Rule> {
    let machine = Machine { folder: PathBuf::new() };
    let (_, plan, diagnostics) = lang::compile(text, &catalog::signatures(), &machine);
    let plan = plan.unwrap_or_else(|| panic!("{diagnostics:?}"));
    let pipeline = &plan.pipelines[0];
    let mut rules = Vec::new();
    each_observer(&pipeline.steps, &mut |of| {
        let rule = Rule::new(&pipeline.name, &of.name, &of.options, &[key.to_owned()], distinct);
        rules.push(rule.expect("a rule"));
    });
    rules
}

/// The event of a number, of a pipeline that reads one stream.
pub(crate) fn event(at: usize, pipeline: &str) -> EventId {
    let start = at as u64 * 100;
    let pipeline = PipelineTag::new(pipeline);
    EventId { stream: StreamId(1), generation: 0, lane: 0, pipeline, start, end: start + 100, part: 0 }
}
