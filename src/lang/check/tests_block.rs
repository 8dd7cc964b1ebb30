//! `test` blocks, as far as they can be checked without running them: names of sources and sinks,
//! and the types in conditions.

use super::{Checker, codes};
use crate::lang::ast::{Clause, Test};
use crate::lang::plan::{ALERTS, Plan};

impl Checker<'_> {
    /// Checks the names in a test.
    pub(super) fn test(&mut self, test: &Test, plan: &Plan) {
        for clause in &test.clauses {
            let (source, sink) = match clause {
                Clause::InputFile { source, .. } | Clause::InputText { source, .. } => {
                    (source.as_ref(), None)
                }
                Clause::Count { sink, .. } | Clause::Event { sink, .. } | Clause::All { sink, .. } => {
                    (None, sink.as_ref())
                }
                Clause::Golden { sink, .. } => (None, Some(sink)),
                Clause::Outcome { .. } => (None, None),
            };
            let condition = match clause {
                Clause::Count { condition, .. } => condition.as_ref(),
                Clause::Event { condition, .. } | Clause::All { condition, .. } => Some(condition),
                _ => None,
            };
            if let Some(Err(errors)) = condition.map(super::condition) {
                errors.into_iter().for_each(|error| self.diagnostics.push(error));
            }
            if let Some(name) = source
                && !plan.sources.iter().any(|source| source.name == name.node)
            {
                let names: Vec<_> = plan.sources.iter().map(|source| source.name.as_str()).collect();
                self.unknown(codes::UNKNOWN_SOURCE, "source", name, names);
            }
            let alerts = plan.sinks.iter().any(|sink| sink.kind == ALERTS);
            if let Some(name) = sink
                && !(alerts && name.node == ALERTS)
                && !plan.sinks.iter().any(|sink| sink.name == name.node)
            {
                let names: Vec<_> = plan.sinks.iter().map(|sink| sink.name.as_str()).collect();
                self.unknown(codes::UNKNOWN_SINK, "sink", name, names);
            }
        }
    }
}
