//! `detect` with a detector that keeps state: its key, its conditions, and the sink that owns the state.

use super::expr::Typed;
use super::scope::Scope;
use super::steps::Walk;
use super::{Checker, codes};
use crate::event::Options;
use crate::expr::Expr as Ready;
use crate::lang::ast::{self, Expr, ExprKind, Name, Path, Setting, each};
use crate::lang::plan::{ALERTS, Component, ObserveUse, Pipeline, Plan};
use crate::limits::ALERT_EVIDENCE_FIELDS_MAX;
use crate::signature::{OptionSpec, OptionType};

/// The option that names the fields which alerts show.
pub(super) const EVIDENCE: &str = "evidence";

/// The options that name what varies: a detector has one of them.
const VARIES: [&str; 2] = ["distinct", "source"];

impl<'a> Checker<'a> {
    /// A use of a detector that keeps state.
    pub(super) fn observe(
        &mut self,
        detector: &Name,
        fields: &[Path],
        settings: &'a [Setting],
        scope: &Scope,
        walk: &mut Walk<'_, '_>,
    ) -> Option<ObserveUse> {
        if let Some(field) = fields.first() {
            let message = format!("`{}` looks at events, not at fields", detector.node);
            let help = format!("write `detect {} {{ key = .{} … }}`", detector.node, field.dotted());
            self.error_with_help(codes::WRONG_CALL, &field.place, message, Some(help));
            return None;
        }
        let detectors = self.signatures.detectors;
        let specs = detectors.options(&detector.node)?;
        let of = |name: &str| settings.iter().find(|of| of.name.node == name).map(|of| &of.value);
        let keys = of("key").map_or(Vec::new(), |of| self.exprs(of, "key", scope, walk));
        let varies = of(VARIES[0]).or_else(|| of(VARIES[1]));
        let distinct = varies.map_or(Vec::new(), |of| self.exprs(of, "value", scope, walk));
        let mut condition = |name| of(name).map(|of: &Expr| self.condition(of, scope, &mut walk.shared));
        let (when, success, egress) = (condition("when"), condition("success"), condition("egress"));
        let mut traits = Vec::new();
        let is_trait =
            |of: &&OptionSpec| of.ty == OptionType::Exprs && of.name != "key" && !VARIES.contains(&of.name);
        for spec in specs.iter().filter(is_trait) {
            let Some(written) = of(spec.name) else { continue };
            let exprs: Vec<_> =
                self.exprs(written, spec.name, scope, walk).into_iter().map(|(_, expr)| expr).collect();
            if spec.name == "location" && exprs.len() != 2 {
                let message = "a location is a list of latitude and longitude";
                self.error(codes::WRONG_OPTION, &written.place, message);
            }
            traits.push((spec.name, exprs));
        }
        let all: Vec<_> = settings.iter().collect();
        let options = self.options(&detector.node, specs, Vec::new(), &all, &detector.place)?;
        if let Err(error) = detectors.check(&detector.node, &options) {
            self.error(codes::WRONG_OPTION, &detector.place, error);
            return None;
        }
        let has_hours = specs.iter().any(|spec| spec.name == "hours");
        if has_hours && !options.is("hours") && traits.iter().all(|(name, _)| *name == "place") {
            let message = format!("`{}` has nothing to look at", detector.node);
            let help = "name what users come with: `location`, `country`, `network`, `device` or `resource`"
                .to_owned();
            self.error_with_help(codes::WRONG_OPTION, &detector.place, message, Some(help));
            return None;
        }
        let evidence = self.evidence(&options, settings, scope, walk);
        let name = options.text("name").unwrap_or(&detector.node).to_owned();
        if walk.rules.contains(&name) {
            let place = of("name").map_or(&detector.place, |of| &of.place);
            let message = format!("there are two rules named `{name}` in this pipeline");
            let help = "give one of them another name: `name = \"…\"`".to_owned();
            self.error_with_help(codes::NAME_TWICE, place, message, Some(help));
            return None;
        }
        walk.rules.push(name);
        // Where it will stand once the pipeline is checked.
        let sink = walk.plan.sinks.len();
        walk.sinks.push(sink);
        let (rule, name) = (walk.rules.len() - 1, detector.node.clone());
        Some(ObserveUse {
            name,
            sink,
            rule,
            options,
            keys,
            distinct,
            when,
            success,
            traits,
            egress,
            evidence,
        })
    }

    /// An expression or a list of them, each with a name: the field's, if it is one.
    fn exprs(
        &mut self,
        written: &Expr,
        otherwise: &str,
        scope: &Scope,
        walk: &mut Walk<'_, '_>,
    ) -> Vec<(String, Ready)> {
        let list = match &*written.node {
            ExprKind::List(items) => items.as_slice(),
            _ => std::slice::from_ref(written),
        };
        let mut named: Vec<(String, Ready)> = Vec::new();
        for expr in list {
            let Typed { ready, .. } = self.expr(expr, scope, &mut walk.shared);
            let mut name = match &*expr.node {
                ExprKind::Path(path) => path.dotted(),
                _ => otherwise.to_owned(),
            };
            let same = named.iter().filter(|(known, _)| known.trim_end_matches(char::is_numeric) == name);
            let count = same.count();
            if count > 0 {
                name.push_str(&(count + 1).to_string());
            }
            named.push((name, ready));
        }
        named
    }

    /// The fields that alerts show: those that were named, or that the rule looks at.
    fn evidence(
        &mut self,
        options: &Options,
        settings: &[Setting],
        scope: &Scope,
        walk: &Walk<'_, '_>,
    ) -> Vec<(String, crate::event::Slot)> {
        let mut paths: Vec<String> = options.texts(EVIDENCE).to_vec();
        if paths.is_empty() {
            let looked_at = settings.iter().filter(|of| of.name.node != EVIDENCE);
            looked_at.for_each(|of| {
                each(&of.value, &mut |expr| {
                    if let ExprKind::Path(path) = &*expr.node {
                        paths.push(path.dotted());
                    }
                });
            });
        } else if let Some(setting) = settings.iter().find(|of| of.name.node == EVIDENCE) {
            each(&setting.value, &mut |expr| {
                if let ExprKind::Path(path) = &*expr.node {
                    self.lookup(path, scope);
                }
            });
            if paths.len() > ALERT_EVIDENCE_FIELDS_MAX {
                let message =
                    format!("an alert shows at most {ALERT_EVIDENCE_FIELDS_MAX} fields of an event");
                self.error(codes::WRONG_OPTION, &setting.value.place, message);
            }
        }
        let mut shown: Vec<(String, crate::event::Slot)> = Vec::new();
        for path in paths {
            if let Some(slot) = walk.shared.layout.slot(&path)
                && shown.len() < ALERT_EVIDENCE_FIELDS_MAX
                && shown.iter().all(|(known, _)| *known != path)
            {
                shown.push((path, slot));
            }
        }
        shown
    }

    /// Adds the sink that owns the state of a pipeline's detectors.
    pub(super) fn alerts_of(&mut self, pipeline: &Pipeline, plan: &mut Plan, item: &ast::Pipeline) {
        if !pipeline.sinks.contains(&plan.sinks.len()) {
            if let Some(sink) = item.alerts.first()
                && !self.diagnostics.has_errors()
            {
                let help = "detectors that keep state do (`aludel list detectors`); what others find stands in `.detections` of the \
                            event, and goes where that goes";
                let message = format!("`{}` has no detector that raises alerts", pipeline.name);
                self.error_with_help(codes::NO_ALERTS, &sink.place, message, Some(help.to_owned()));
            }
            return;
        }
        let name = format!("{}.{ALERTS}", pipeline.name);
        if plan.sinks.iter().any(|sink| sink.name == name) {
            let message = format!("a sink is named `{name}`, as the alerts of this pipeline are");
            self.error(codes::NAME_TWICE, &item.name.place, message);
        }
        plan.sinks.push(Component { name, kind: ALERTS, options: Options::default(), required: true });
    }
}
