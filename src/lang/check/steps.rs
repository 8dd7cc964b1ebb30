//! The steps of a pipeline, in order, with the fields that are known at each.

use std::collections::BTreeMap;

use super::collect::join;
use super::expr::Shared;
use super::scope::{Known, Scope};
use super::{Checker, Given, codes, guard};
use crate::diag::{Diagnostic, Place};
use crate::event::{Mask, Slot};
use crate::expr::unify;
use crate::lang::ast::{self, Arm, Expr, Path, Step as Written, StepKind};
use crate::lang::plan::{FormatUse, Otherwise, Plan, Step};
use crate::limits::STEPS_MAX;
use crate::signature::Type;

/// What is gathered on the way through one pipeline.
pub(super) struct Walk<'p, 'l> {
    /// Sources and sinks.
    pub(super) plan: &'p Plan,
    /// Layout and constants.
    pub(super) shared: Shared<'l>,
    /// Reasons for dropping and rejecting.
    pub(super) reasons: Vec<String>,
    /// Sinks that are reached.
    pub(super) sinks: Vec<usize>,
    /// Names of the rules that keep state.
    pub(super) rules: Vec<String>,
    /// Types of fields seen so far.
    pub(super) types: BTreeMap<String, Type>,
    /// Steps walked so far.
    pub(super) steps: usize,
    /// Branches that are being walked.
    pub(super) branches: usize,
    /// Whether an `unroll` stands above.
    pub(super) unrolled: bool,
    /// Fragments that are being walked, outermost first.
    pub(super) inside: Vec<String>,
}

impl Walk<'_, '_> {
    fn reason(&mut self, reason: &str) -> u16 {
        let at = self.reasons.iter().position(|known| known == reason).unwrap_or_else(|| {
            self.reasons.push(reason.to_owned());
            self.reasons.len() - 1
        });
        u16::try_from(at).unwrap_or(u16::MAX)
    }

    /// The slot of a path.
    pub(super) fn slot(&self, path: &Path) -> Slot {
        // Missing only when the layout is full, which has been reported.
        self.shared.layout.slot(&path.dotted()).unwrap_or(0)
    }
}

impl<'a> Checker<'a> {
    /// Steps in order; the scope becomes what is known after them.
    pub(super) fn steps(
        &mut self,
        steps: &'a [Written],
        scope: &mut Scope,
        walk: &mut Walk<'_, '_>,
    ) -> Vec<Step> {
        let mut ready = Vec::new();
        for step in steps {
            if scope.ended {
                let message = "no event gets here: the step before ends them all";
                self.diagnostics
                    .push(Diagnostic::error(codes::UNREACHABLE, step.place.clone(), message).warning());
                break;
            }
            walk.steps += 1;
            if walk.steps > STEPS_MAX + 1 {
                break;
            }
            if walk.steps > STEPS_MAX {
                let message = format!("a pipeline has at most {STEPS_MAX} steps, those of fragments counted");
                self.error(codes::TOO_MANY_STEPS, &step.place, message);
                break;
            }
            self.step(step, scope, walk, &mut ready);
            walk.note(scope);
        }
        ready
    }

    fn step(&mut self, step: &'a Written, scope: &mut Scope, walk: &mut Walk<'_, '_>, ready: &mut Vec<Step>) {
        match &step.node {
            StepKind::Parse { input, formats, into, otherwise } => {
                let otherwise = otherwise.as_ref().map(|otherwise| &otherwise.node);
                ready.push(self.parse(input, formats, into.as_ref(), otherwise, scope, walk));
            }
            StepKind::Enrich(list) => {
                let uses = list.iter().filter_map(|of| self.enrich(of, scope, walk)).collect();
                ready.push(Step::Enrich(uses));
            }
            StepKind::Detect { detector, fields, options }
                if self.signatures.detectors.keeps_state(&detector.node) =>
            {
                let of = self.observe(detector, fields, options, scope, walk);
                ready.extend(of.map(|of| Step::Observe(Box::new(of))));
            }
            StepKind::Detect { detector, fields, options } => {
                let of = self.detect(detector, fields, options, &step.place, scope, walk);
                ready.extend(of.map(Step::Detect));
            }
            StepKind::Unroll { list, into } => {
                ready.push(self.unroll(list, into.as_ref(), &step.place, scope, walk));
            }
            StepKind::Redact { classes, on, options } => {
                ready.extend(self.redact(classes, on, options, &step.place, scope, walk));
            }
            StepKind::Set(fields) => ready.push(self.set(fields, scope, walk)),
            StepKind::Rename(fields) => ready.push(self.rename(fields, scope, walk)),
            StepKind::Remove(paths) => {
                for path in paths {
                    self.part(path, "removed");
                    self.lookup(path, scope);
                }
                paths.iter().for_each(|path| scope.remove(&path.dotted()));
                ready.push(Step::Remove(paths.iter().map(|path| walk.slot(path)).collect()));
            }
            StepKind::Keep(paths) => {
                for path in paths {
                    self.part(path, "kept");
                    self.lookup(path, scope);
                }
                scope.keep(&paths.iter().map(Path::dotted).collect::<Vec<_>>());
                ready.push(Step::Keep(paths.iter().map(|path| walk.slot(path)).collect()));
            }
            StepKind::Drop { reason, when } => {
                let reason = walk.reason(&reason.node);
                let when = self.ending(when.as_ref(), scope, walk);
                ready.push(Step::Drop { reason, when });
            }
            StepKind::Reject { reason, when } => {
                let reason = walk.reason(&reason.node);
                let when = self.ending(when.as_ref(), scope, walk);
                ready.push(Step::Reject { reason, when });
            }
            StepKind::When { condition, then, otherwise } => {
                let ready_condition = self.condition(condition, scope, &mut walk.shared);
                let (mut yes, mut no) = (scope.clone(), scope.clone());
                guard::assume(condition, true, &mut yes);
                guard::assume(condition, false, &mut no);
                walk.branches += 1;
                let then = self.steps(then, &mut yes, walk);
                let otherwise = self.steps(otherwise, &mut no, walk);
                walk.branches -= 1;
                *scope = yes.join(no);
                ready.push(Step::When { condition: ready_condition, then, otherwise });
            }
            StepKind::Match { subject, arms, otherwise } => {
                ready.push(self.arms(subject, arms, otherwise, scope, walk));
            }
            StepKind::Use(name) => self.fragment(name, scope, walk, ready),
            StepKind::To(names) => {
                let sinks: Vec<_> = names.iter().filter_map(|name| self.sink(name, walk)).collect();
                walk.sinks.extend(&sinks);
                scope.sent = true;
                ready.push(Step::To(sinks));
            }
            StepKind::Call { name, .. } => {
                let known = [
                    "parse", "unroll", "redact", "enrich", "detect", "set", "rename", "remove", "keep",
                    "drop", "reject", "when", "match", "use", "to",
                ];
                self.unknown(codes::UNKNOWN_STEP, "step", name, known);
            }
            // It may have set any field.
            StepKind::Broken => scope.open = true,
        }
    }

    /// The event itself is no field of an event.
    pub(super) fn part(&mut self, path: &Path, done: &str) {
        if path.keys.is_empty() {
            let help = "name a field, such as `.labels`".to_owned();
            let message = format!("the event itself cannot be {done}");
            self.error_with_help(codes::WHOLE_EVENT, &path.place, message, Some(help));
        }
    }

    /// The condition of a step that ends events; what is known after it.
    fn ending(
        &mut self,
        when: Option<&Expr>,
        scope: &mut Scope,
        walk: &mut Walk<'_, '_>,
    ) -> Option<crate::expr::Expr> {
        let Some(when) = when else {
            scope.ended = true;
            return None;
        };
        let ready = self.condition(when, scope, &mut walk.shared);
        guard::assume(when, false, scope);
        Some(ready)
    }

    fn sink(&mut self, name: &ast::Name, walk: &Walk<'_, '_>) -> Option<usize> {
        let found = walk.plan.sinks.iter().position(|sink| sink.name == name.node);
        if found.is_none() {
            let names: Vec<_> = walk.plan.sinks.iter().map(|sink| sink.name.as_str()).collect();
            self.unknown(codes::UNKNOWN_SINK, "sink", name, names);
        }
        found
    }

    fn parse(
        &mut self,
        input: &Path,
        formats: &[ast::FormatUse],
        into: Option<&Path>,
        otherwise: Option<&ast::Otherwise>,
        scope: &mut Scope,
        walk: &mut Walk<'_, '_>,
    ) -> Step {
        if let Some(known) = self.lookup(input, scope)
            && !matches!(known.ty, Type::Text | Type::Ip | Type::Any | Type::Object | Type::List)
        {
            let message = format!("only text can be parsed, `.{}` is {}", input.dotted(), known.ty);
            self.error(codes::WRONG_TYPE, &input.place, message);
        }
        let prefix = into.map_or(String::new(), Path::dotted);
        let mut uses = Vec::new();
        let mut given = Vec::new();
        for format in formats {
            if let Some((options, gives)) = self.gives(format) {
                let fields = gives.fields.clone();
                uses.push(FormatUse { name: format.name.node.clone(), options, fields });
                given.push(gives);
            }
        }
        let otherwise = match otherwise {
            None | Some(ast::Otherwise::Pass) => Otherwise::Pass,
            Some(ast::Otherwise::Drop(reason)) => Otherwise::Drop(walk.reason(reason)),
            Some(ast::Otherwise::Reject(reason)) => Otherwise::Reject(walk.reason(reason)),
        };
        for (path, known) in union(&given, otherwise == Otherwise::Pass) {
            scope.give(&join(&prefix, &path), known);
        }
        // After a format that was reported, any field may be meant.
        scope.open |= given.len() < formats.len();
        if given.iter().any(|given| given.open) {
            match into {
                Some(into) => scope.give(&into.dotted(), Known::new(Type::Object, true)),
                None => scope.open = true,
            }
        }
        let into = into.map_or(0, |into| walk.slot(into));
        Step::Parse { input: walk.slot(input), formats: uses, into, otherwise, wanted: Mask::ALL }
    }

    fn unroll(
        &mut self,
        list: &Path,
        into: Option<&Path>,
        place: &Place,
        scope: &mut Scope,
        walk: &mut Walk<'_, '_>,
    ) -> Step {
        for path in [Some(list), into].into_iter().flatten() {
            self.part(path, "unrolled");
        }
        if walk.branches > 0 || std::mem::replace(&mut walk.unrolled, true) {
            let message = "a pipeline has one `unroll`, outside of branches";
            let help = "put it before the branch; what is no list goes through it as it was";
            self.error_with_help(codes::UNROLL, place, message, Some(help.to_owned()));
        }
        if let Some(known) = self.lookup(list, scope)
            && !matches!(known.ty, Type::Any | Type::List | Type::Object)
        {
            let message = format!("only a list can be unrolled, `.{}` is {}", list.dotted(), known.ty);
            self.error(codes::WRONG_TYPE, &list.place, message);
        }
        let target = into.unwrap_or(list);
        // What is no list stays where it was.
        scope.write(&list.dotted(), Type::Any, true);
        scope.write(&target.dotted(), Type::Any, true);
        let too_many = walk.reason("more items than one message may have");
        Step::Unroll { list: walk.slot(list), into: walk.slot(target), too_many }
    }

    fn set(&mut self, fields: &[(Path, Expr)], scope: &mut Scope, walk: &mut Walk<'_, '_>) -> Step {
        let mut ready = Vec::new();
        let mut known = Vec::new();
        for (path, value) in fields {
            self.part(path, "set");
            let typed = self.expr(value, scope, &mut walk.shared);
            if typed.maybe && !self.diagnostics.has_error_in(&value.place) {
                let help = "say what then: `… ?? default`, or `… ?? missing` to leave the field as it is";
                let message = "this may be missing, and nothing says what the field is then";
                self.error_with_help(codes::MAYBE_MISSING, &value.place, message, Some(help.to_owned()));
            }
            known.push((path.dotted(), typed.ty, typed.may_miss));
            ready.push((walk.slot(path), typed.ready));
        }
        for ((path, ty, may_miss), (_, expr)) in known.into_iter().zip(&ready) {
            if matches!(expr, crate::expr::Expr::Missing) {
                scope.remove(&path);
                continue;
            }
            match scope.get(&path) {
                // Where there is no value the field stays as it was.
                Some(before) if may_miss => scope.write(&path, unify(before.ty, ty), before.maybe),
                _ => scope.write(&path, ty, may_miss),
            }
        }
        Step::Set(ready)
    }

    fn rename(&mut self, fields: &[(Path, Path)], scope: &mut Scope, walk: &mut Walk<'_, '_>) -> Step {
        for path in fields.iter().flat_map(|(from, to)| [from, to]) {
            self.part(path, "renamed");
        }
        let moved: Vec<_> =
            fields.iter().map(|(from, to)| (self.lookup(from, scope), from.dotted(), to.dotted())).collect();
        moved.iter().for_each(|(_, from, _)| scope.remove(from));
        for (known, _, to) in moved {
            let Some(known) = known else { continue };
            match scope.get(&to) {
                // Where there is nothing to rename the target stays as it was.
                Some(before) if known.maybe => {
                    scope.write(&to, unify(before.ty, known.ty), before.maybe);
                }
                _ => scope.write(&to, known.ty, known.maybe),
            }
        }
        Step::Rename(fields.iter().map(|(from, to)| (walk.slot(from), walk.slot(to))).collect())
    }

    fn arms(
        &mut self,
        subject: &Expr,
        arms: &'a [Arm],
        otherwise: &'a [Written],
        scope: &mut Scope,
        walk: &mut Walk<'_, '_>,
    ) -> Step {
        let typed = self.expr(subject, scope, &mut walk.shared);
        let mut after = scope.clone();
        let mut ready = Vec::new();
        walk.branches += 1;
        let rest = self.steps(otherwise, &mut after, walk);
        for arm in arms {
            let patterns =
                arm.patterns.iter().filter_map(|pattern| self.pattern(pattern, typed.ty)).collect();
            let mut inside = scope.clone();
            guard::assume(subject, true, &mut inside);
            ready.push((patterns, self.steps(&arm.steps, &mut inside, walk)));
            after = after.join(inside);
        }
        walk.branches -= 1;
        *scope = after;
        Step::Match { subject: typed.ready, arms: ready, otherwise: rest }
    }

    /// A pattern of a match over values of a type.
    fn pattern(&mut self, pattern: &Expr, subject: Type) -> Option<crate::expr::Constant> {
        let constant = self.constant(pattern)?;
        let ty = super::expr::type_of(&constant);
        if let Err(error) = crate::expr::Operator::Equal.type_of(subject, ty) {
            self.error(codes::WRONG_TYPE, &pattern.place, error);
        }
        Some(constant)
    }

    fn fragment(
        &mut self,
        name: &ast::Name,
        scope: &mut Scope,
        walk: &mut Walk<'_, '_>,
        ready: &mut Vec<Step>,
    ) {
        let Some(fragment) = self.fragments.get(name.node.as_str()).copied() else {
            let names: Vec<_> = self.fragments.keys().copied().collect();
            self.unknown(codes::UNKNOWN_FRAGMENT, "fragment", name, names);
            return;
        };
        if walk.inside.contains(&name.node) {
            let message = format!("`{}` uses itself", name.node);
            self.error(codes::FRAGMENT_CYCLE, &name.place, message);
            return;
        }
        walk.inside.push(name.node.clone());
        ready.extend(self.steps(&fragment.steps, scope, walk));
        walk.inside.pop();
    }
}

/// What is known of the fields of a tagged union: a field that some member lacks may be missing, one that has
/// several types is `any`.
fn union(given: &[Given], pass: bool) -> BTreeMap<String, Known> {
    let mut fields: BTreeMap<String, (Known, usize)> = BTreeMap::new();
    for member in given {
        for field in &member.fields {
            let here = Known::new(field.ty, field.maybe);
            match fields.get_mut(&field.path) {
                Some((known, members)) => {
                    (known.ty, known.mixed) = known.meet(here);
                    known.maybe |= here.maybe;
                    *members += 1;
                }
                None => {
                    fields.insert(field.path.clone(), (here, 1));
                }
            }
        }
    }
    let known = |(known, members): (Known, usize)| Known {
        maybe: known.maybe || pass || members < given.len(),
        ..known
    };
    fields.into_iter().map(|(path, found)| (path, known(found))).collect()
}
