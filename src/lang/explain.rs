//! A plan in words: what `aludel explain FILE` prints, but for what only components know (places, guarantees).

mod expr;

use std::fmt::Write;

use super::plan::{Component, Otherwise, Pipeline, Plan, Step};
use crate::event::Slot;
use crate::limits::SLOTS_MAX;
use crate::signature::Type;

/// Sources, sinks, and each pipeline's steps with the types of the fields they write. Option values of sinks and
/// sources are left out, since a secret may be among them.
pub fn explain(plan: &Plan) -> String {
    let mut out = String::new();
    out.push_str("sources\n");
    plan.sources.iter().for_each(|source| component(source, "", &mut out));
    out.push_str("\nsinks\n");
    for sink in &plan.sinks {
        let required = if sink.required { ", required: cursors wait for it" } else { ", not required" };
        component(sink, required, &mut out);
    }
    plan.pipelines.iter().for_each(|line| pipeline(line, plan, &mut out));
    out
}

fn component(of: &Component, more: &str, out: &mut String) {
    let _ = write!(out, "  {} = {}", of.name, of.kind);
    for (at, argument) in of.options.arguments.iter().enumerate() {
        let _ = write!(out, "{}{argument:?}", if at == 0 { " " } else { ", " });
    }
    let _ = writeln!(out, "{more}");
}

fn names(all: &[Component], numbers: &[usize]) -> String {
    let names = numbers.iter().filter_map(|number| all.get(*number)).map(|of| of.name.as_str());
    names.collect::<Vec<_>>().join(", ")
}

fn pipeline(line: &Pipeline, plan: &Plan, out: &mut String) {
    let _ = writeln!(out, "\npipeline {}", line.name);
    let _ = writeln!(out, "  from {}", names(&plan.sources, &line.sources));
    Words { line, plan }.steps(&line.steps, 2, out);
    let _ = writeln!(out, "\n  fields: {} of at most {SLOTS_MAX}", line.layout.len().saturating_sub(1));
    for slot in 1..line.layout.len() {
        let ty = line.types.get(slot).copied().unwrap_or(Type::Any);
        if !line.layout.has_children(slot as Slot) {
            let _ = writeln!(out, "    .{}: {ty}", line.layout.path(slot as Slot));
        }
    }
    let _ = writeln!(out, "  constants: {} bytes", line.constants.len());
}

struct Words<'a> {
    line: &'a Pipeline,
    plan: &'a Plan,
}

impl Words<'_> {
    fn path(&self, slot: Slot) -> String {
        format!(".{}", self.line.layout.path(slot))
    }

    fn paths(&self, slots: &[Slot]) -> String {
        slots.iter().map(|slot| self.path(*slot)).collect::<Vec<_>>().join(", ")
    }

    fn typed(&self, slot: Slot) -> String {
        let ty = self.line.types.get(slot as usize).copied().unwrap_or(Type::Any);
        format!("{}: {ty}", self.path(slot))
    }

    fn reason(&self, reason: u16) -> &str {
        self.line.reasons.get(reason as usize).map_or("", String::as_str)
    }

    fn expr(&self, of: &crate::expr::Expr) -> String {
        expr::text(of, &self.line.layout, &self.line.constants)
    }

    fn steps(&self, steps: &[Step], indent: usize, out: &mut String) {
        for step in steps {
            let pad = " ".repeat(indent);
            match step {
                Step::When { condition, then, otherwise } => {
                    let _ = writeln!(out, "{pad}| when {} {{", self.expr(condition));
                    self.steps(then, indent + 4, out);
                    if !otherwise.is_empty() {
                        let _ = writeln!(out, "{pad}  }} else {{");
                        self.steps(otherwise, indent + 4, out);
                    }
                    let _ = writeln!(out, "{pad}  }}");
                }
                Step::Match { subject, arms, otherwise } => {
                    let _ = writeln!(out, "{pad}| match {} {{", self.expr(subject));
                    for (patterns, steps) in arms {
                        let patterns: Vec<_> = patterns.iter().map(expr::constant).collect();
                        let _ = writeln!(out, "{pad}    {} => {{", patterns.join(", "));
                        self.steps(steps, indent + 6, out);
                        let _ = writeln!(out, "{pad}    }}");
                    }
                    if !otherwise.is_empty() {
                        let _ = writeln!(out, "{pad}    else => {{");
                        self.steps(otherwise, indent + 6, out);
                        let _ = writeln!(out, "{pad}    }}");
                    }
                    let _ = writeln!(out, "{pad}  }}");
                }
                flat => {
                    let _ = writeln!(out, "{pad}| {}", self.flat(flat));
                }
            }
        }
    }

    /// A step without steps inside.
    fn flat(&self, step: &Step) -> String {
        match step {
            Step::Parse { input, formats, into, otherwise, .. } => {
                let formats: Vec<_> = formats
                    .iter()
                    .map(|format| match format.fields.len() {
                        0 => format!("{} (fields of the data)", format.name),
                        fields => format!("{} ({fields} fields)", format.name),
                    })
                    .collect();
                let into = if *into == 0 { String::new() } else { format!(" into {}", self.path(*into)) };
                let otherwise = match otherwise {
                    Otherwise::Pass => "pass".to_owned(),
                    Otherwise::Drop(reason) => format!("drop {:?}", self.reason(*reason)),
                    Otherwise::Reject(reason) => format!("reject {:?}", self.reason(*reason)),
                };
                format!("parse {} as {}{into} else {otherwise}", self.path(*input), formats.join(" or "))
            }
            Step::Enrich(uses) => {
                let one = |of: &crate::lang::plan::EnricherUse| {
                    let input =
                        if of.input == 0 { String::new() } else { format!("({})", self.path(of.input)) };
                    format!("{}{input} ({} fields)", of.name, of.fields.len())
                };
                format!("enrich {}", uses.iter().map(one).collect::<Vec<_>>().join(", "))
            }
            Step::Detect(of) => {
                let on = if of.inputs.is_empty() {
                    String::new()
                } else {
                    format!(" on {}", self.paths(&of.inputs))
                };
                format!("detect {}{on}", of.name)
            }
            Step::Observe(of) => {
                let mut parts = Vec::new();
                if !of.keys.is_empty() {
                    let keys = of.keys.iter().map(|(_, key)| self.expr(key)).collect::<Vec<_>>().join(", ");
                    parts.push(format!("by {keys}"));
                }
                if let Some(when) = &of.when {
                    parts.push(format!("when {}", self.expr(when)));
                }
                let sink = self.plan.sinks.get(of.sink).map_or("", |sink| sink.name.as_str());
                format!("detect {} {} to {sink}", of.name, parts.join(" "))
            }
            Step::Unroll { list, into, .. } => {
                format!("unroll {} into {}", self.path(*list), self.path(*into))
            }
            Step::Redact { classes, policy, fields, .. } => {
                let classes = classes.iter().map(|class| class.name()).collect::<Vec<_>>().join(", ");
                let on = if fields.is_empty() { "all text".to_owned() } else { self.paths(fields) };
                format!("redact {classes} on {on} ({})", policy.name())
            }
            Step::Set(fields) => {
                let one = |(slot, value): &(Slot, _)| format!("{} = {}", self.typed(*slot), self.expr(value));
                format!("set {}", fields.iter().map(one).collect::<Vec<_>>().join(", "))
            }
            Step::Rename(fields) => {
                let one = |(from, to): &(Slot, Slot)| format!("{} to {}", self.path(*from), self.typed(*to));
                format!("rename {}", fields.iter().map(one).collect::<Vec<_>>().join(", "))
            }
            Step::Remove(slots) => format!("remove {}", self.paths(slots)),
            Step::Keep(slots) => format!("keep {}", self.paths(slots)),
            Step::Drop { reason, when } => self.ending("drop", *reason, when.as_ref()),
            Step::Reject { reason, when } => self.ending("reject", *reason, when.as_ref()),
            Step::To(sinks) => format!("to {}", names(&self.plan.sinks, sinks)),
            Step::When { .. } | Step::Match { .. } => String::new(),
        }
    }

    fn ending(&self, word: &str, reason: u16, when: Option<&crate::expr::Expr>) -> String {
        let when = when.map_or(String::new(), |when| format!(" when {}", self.expr(when)));
        format!("{word} {:?}{when}", self.reason(reason))
    }
}
