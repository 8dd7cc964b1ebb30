//! Which fields anyone still looks at, step by step from the end to the beginning: a field that a later `keep` or
//! `remove` takes away unseen need not be made at all.
//!
//! In: checked steps. Out: the same steps, each `parse` told which fields are wanted behind it, and the fields that
//! are wanted before the first step; and, from the beginning to the end, which fields an event may still have where it
//! is sent. A `to` wants every field; a condition or expression those that it reads. Where
//! a step may leave a field as it was, it still counts as wanted.

use super::plan::Step;
use crate::event::{Layout, Mask, Slot};

/// Tells every `parse` of `steps` what is wanted behind it; `after` is what is wanted behind the last step. Gives
/// what is wanted before the first.
pub(super) fn mark(steps: &mut [Step], layout: &Layout, after: Mask) -> Mask {
    steps.iter_mut().rev().fold(after, |wanted, step| before(step, layout, wanted))
}

/// Every field that one of the steps looks at, whatever becomes of it before.
pub(super) fn reads(steps: &[Step], layout: &Layout) -> Mask {
    let mut all = Mask::default();
    for step in steps {
        all.add(&own_reads(step, layout));
        match step {
            Step::When { then, otherwise, .. } => {
                all.add(&reads(then, layout));
                all.add(&reads(otherwise, layout));
            }
            Step::Match { arms, otherwise, .. } => {
                arms.iter().for_each(|(_, steps)| all.add(&reads(steps, layout)));
                all.add(&reads(otherwise, layout));
            }
            _ => {}
        }
    }
    all
}

/// The fields that a step itself looks at, without the steps inside of it.
fn own_reads(step: &Step, layout: &Layout) -> Mask {
    let mut all = Mask::default();
    let mut add = |slot: Slot| {
        all.insert_all(slot..layout.end(slot));
        // What is above may be a list, whose items the field is then looked for in.
        std::iter::successors(Some(layout.parent(slot)), |above| Some(layout.parent(*above)))
            .take_while(|above| *above != 0)
            .for_each(|above| all.insert(above));
    };
    match step {
        Step::Parse { input, .. } => add(*input),
        Step::Enrich(uses) => uses.iter().filter(|of| of.input != 0).for_each(|of| add(of.input)),
        // Detections of earlier steps are added to.
        Step::Detect(of) => {
            of.inputs.iter().chain(&of.gives).chain(&of.time).for_each(|slot| add(*slot));
        }
        Step::Observe(of) => {
            of.evidence.iter().for_each(|(_, slot)| add(*slot));
            let keys = of.keys.iter().chain(&of.distinct).map(|(_, expr)| expr);
            let traits = of.traits.iter().flat_map(|(_, exprs)| exprs);
            let conditions = of.when.iter().chain(&of.success).chain(&of.egress);
            keys.chain(traits).chain(conditions).for_each(|expr| expr.reads(&mut add));
        }
        Step::Unroll { list, .. } => add(*list),
        Step::Set(fields) => fields.iter().for_each(|(_, expr)| expr.reads(&mut add)),
        Step::Rename(fields) => fields.iter().for_each(|(from, _)| add(*from)),
        Step::Drop { when: Some(of), .. }
        | Step::Reject { when: Some(of), .. }
        | Step::When { condition: of, .. }
        | Step::Match { subject: of, .. } => of.reads(&mut add),
        _ => {}
    }
    all
}

/// Adds to `sent` the fields that an event may have at some `to`, if it may have `present` before the steps; gives what
/// it may have behind them.
pub(super) fn sent(steps: &[Step], layout: &Layout, mut present: Mask, sent_to: &mut Mask) -> Mask {
    let below = |slot: Slot| slot..layout.end(slot);
    for step in steps {
        match step {
            Step::To(_) => sent_to.add(&present),
            // Its sink takes no fields.
            Step::Observe(_) => {}
            Step::Parse { into, .. } => present.insert_all(below(*into)),
            Step::Enrich(uses) => {
                uses.iter().flat_map(|of| &of.fields).for_each(|slot| present.insert_all(below(*slot)));
            }
            Step::Detect(of) => of.gives.iter().for_each(|slot| present.insert_all(below(*slot))),
            Step::Unroll { into, .. } => present.insert_all(below(*into)),
            Step::Set(fields) => fields.iter().for_each(|(slot, _)| present.insert_all(below(*slot))),
            Step::Rename(fields) => {
                for (from, to) in fields {
                    below(*from).for_each(|slot| present.remove(slot));
                    present.insert_all(below(*to));
                }
            }
            Step::Remove(fields) => {
                fields.iter().flat_map(|field| below(*field)).for_each(|slot| present.remove(slot));
            }
            Step::Keep(fields) => {
                let mut kept = Mask::default();
                fields.iter().for_each(|field| kept.insert_all(below(*field)));
                present.keep(&kept);
            }
            Step::When { then, otherwise, .. } => {
                let mut after = sent(then, layout, present, sent_to);
                after.add(&sent(otherwise, layout, present, sent_to));
                present = after;
            }
            Step::Match { arms, otherwise, .. } => {
                let mut after = sent(otherwise, layout, present, sent_to);
                arms.iter().for_each(|(_, steps)| after.add(&sent(steps, layout, present, sent_to)));
                present = after;
            }
            Step::Redact { .. } | Step::Drop { .. } | Step::Reject { .. } => {}
        }
    }
    present
}

fn before(step: &mut Step, layout: &Layout, wanted: Mask) -> Mask {
    let below = |slot: Slot| slot..layout.end(slot);
    let mut all = match step {
        Step::To(_) => Mask::ALL,
        Step::Parse { wanted: told, .. } => {
            *told = wanted;
            wanted
        }
        Step::Redact { .. }
        | Step::Set(_)
        | Step::Rename(_)
        | Step::Enrich(_)
        | Step::Detect(_)
        | Step::Observe(_)
        | Step::Unroll { .. } => wanted,
        Step::Remove(fields) => {
            let mut left = wanted;
            fields.iter().flat_map(|field| below(*field)).for_each(|slot| left.remove(slot));
            left
        }
        Step::Keep(fields) => {
            let mut kept = Mask::default();
            fields.iter().for_each(|field| kept.insert_all(below(*field)));
            kept.keep(&wanted);
            kept
        }
        Step::Drop { when, .. } | Step::Reject { when, .. } => match when {
            Some(_) => wanted,
            None => Mask::default(),
        },
        Step::When { then, otherwise, .. } => {
            let mut all = mark(then, layout, wanted);
            all.add(&mark(otherwise, layout, wanted));
            all
        }
        Step::Match { arms, otherwise, .. } => {
            let mut all = mark(otherwise, layout, wanted);
            arms.iter_mut().for_each(|(_, steps)| all.add(&mark(steps, layout, wanted)));
            all
        }
    };
    all.add(&own_reads(step, layout));
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::LayoutBuilder;
    use crate::event::Value;
    use crate::expr::{Expr, Operator};

    fn layout() -> Layout {
        let mut builder = LayoutBuilder::default();
        for path in ["a", "b.c", "b.d", "e"] {
            builder.add(path);
        }
        builder.build()
    }

    fn names(layout: &Layout, wanted: &Mask) -> Vec<String> {
        let named = (1..layout.len() as Slot).filter(|slot| wanted.contains(*slot));
        named.map(|slot| layout.path(slot).to_owned()).collect()
    }

    #[test]
    fn what_is_taken_away_unseen_is_not_wanted() {
        let layout = layout();
        let slot = |path: &str| layout.slot(path).expect("named");
        let condition =
            Expr::Compare(Operator::Equal, Box::new([Expr::Field(slot("e")), Expr::Constant(Value::Int(1))]));
        let mut steps = vec![
            Step::Parse {
                input: slot("a"),
                formats: Vec::new(),
                into: 0,
                otherwise: crate::lang::plan::Otherwise::Pass,
                wanted: Mask::ALL,
            },
            Step::Drop { reason: 0, when: Some(condition) },
            Step::Keep(vec![slot("b")]),
            Step::Remove(vec![slot("b.d")]),
            Step::To(vec![0]),
        ];
        let start = mark(&mut steps, &layout, Mask::default());
        let Step::Parse { wanted, .. } = &steps[0] else { panic!("a parse") };
        assert_eq!(names(&layout, wanted), ["b", "b.c", "e"]);
        assert_eq!(names(&layout, &start), ["a", "b", "b.c", "e"]);
    }

    #[test]
    fn a_branch_that_sends_wants_everything() {
        let layout = layout();
        let slot = |path: &str| layout.slot(path).expect("named");
        let send = vec![Step::To(vec![0])];
        let mut steps = vec![
            Step::When { condition: Expr::Has(slot("a")), then: send, otherwise: Vec::new() },
            Step::Keep(vec![slot("e")]),
            Step::To(vec![1]),
        ];
        assert_eq!(mark(&mut steps, &layout, Mask::default()), Mask::ALL);
    }
}
