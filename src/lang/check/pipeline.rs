//! One pipeline: its sources, its layout, its steps, its sinks.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::collect::Collector;
use super::expr::Shared;
use super::scope::Scope;
use super::steps::Walk;
use super::{Checker, codes};
use crate::event::{Mask, Slot};
use crate::expr::{Constants, unify};
use crate::lang::plan::{Pipeline, Plan};
use crate::lang::{ast, builtin, live};
use crate::position::PipelineTag;
use crate::signature::Type;

impl<'a> Checker<'a> {
    /// A pipeline of the file.
    pub(super) fn pipeline(&mut self, item: &'a ast::Pipeline, plan: &Plan) -> Pipeline {
        let mut sources = Vec::new();
        for name in &item.from {
            match plan.sources.iter().position(|source| source.name == name.node) {
                Some(source) if sources.contains(&source) => {
                    let message = format!("`{}` is read twice", name.node);
                    self.error(codes::NAME_TWICE, &name.place, message);
                }
                Some(source) => sources.push(source),
                None => {
                    let names: Vec<_> = plan.sources.iter().map(|source| source.name.as_str()).collect();
                    self.unknown(codes::UNKNOWN_SOURCE, "source", name, names);
                }
            }
        }
        if item.from.is_empty() {
            let help = "begin it with `from SOURCE`".to_owned();
            self.error_with_help(
                codes::NO_SOURCE,
                &item.name.place,
                "this pipeline reads nothing",
                Some(help),
            );
        }
        let mut collector = Collector::new(self, plan);
        collector.steps(&item.steps);
        let layout = collector.layout(&item.name);
        let mut walk = Walk {
            plan,
            shared: Shared { layout: &layout, constants: Constants::default() },
            reasons: Vec::new(),
            sinks: Vec::new(),
            rules: Vec::new(),
            types: BTreeMap::new(),
            steps: 0,
            inside: Vec::new(),
            branches: 0,
            unrolled: false,
        };
        let mut scope = Scope::start();
        walk.note(&scope);
        let mut steps = self.steps(&item.steps, &mut scope, &mut walk);
        walk.note(&scope);
        self.originals(&steps, &layout, &walk.types);
        let Walk { shared, reasons, mut sinks, types, .. } = walk;
        if sinks.is_empty() && !self.diagnostics.has_errors() {
            let help = "end it with `| to SINK`".to_owned();
            self.error_with_help(
                codes::NO_SINK,
                &item.name.place,
                "this pipeline sends to no sink",
                Some(help),
            );
        }
        sinks.sort_unstable();
        sinks.dedup();
        let mut wanted = live::mark(&mut steps, &layout, Mask::default());
        // Where only sinks look at the envelope's time, it is filled in at `to`, if nothing else gave a time.
        if let Some(time) = layout.slot(builtin::TIMESTAMP)
            && !live::reads(&steps, &layout).contains(time)
        {
            wanted.remove(time);
        }
        let mut sent = Mask::default();
        live::sent(&steps, &layout, Mask::ALL, &mut sent);
        layout.slot(builtin::TIMESTAMP).into_iter().for_each(|time| sent.insert(time));
        let constants = shared.constants.finish();
        let types =
            (0..layout.len()).map(|slot| types.get(layout.path(slot as Slot)).copied().unwrap_or(Type::Any));
        Pipeline {
            name: item.name.node.clone(),
            tag: PipelineTag::new(&item.name.node),
            sources,
            sinks,
            types: types.collect(),
            layout: Arc::new(layout),
            constants,
            reasons,
            steps,
            wanted,
            sent,
        }
    }
}

impl Walk<'_, '_> {
    /// Remembers the types of fields at a point, for the types that sinks are told.
    pub(super) fn note(&mut self, scope: &Scope) {
        for (path, ty) in scope.types() {
            match self.types.get_mut(path) {
                Some(known) => *known = unify(*known, ty),
                None => {
                    self.types.insert(path.to_owned(), ty);
                }
            }
        }
    }
}
