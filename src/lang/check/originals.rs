//! A field that is redacted while the text that it was taken from is sent as it was: an error.
//!
//! Walks the checked steps once and keeps, for each field, which fields its text was taken from (by a `parse`, an
//! enricher, a `set`, a `rename`), which classes are out of it, and whether it may be there.

use std::collections::BTreeMap;

use super::{Checker, codes};
use crate::diag::Place;
use crate::event::{Layout, Mask, Slot};
use crate::lang::builtin::BUILTINS;
use crate::lang::plan::Step;
use crate::sensitive::{Class, Classes};
use crate::signature::Type;

/// A field that was redacted alone.
#[derive(Clone)]
struct Alone {
    field: Slot,
    classes: Classes,
    place: Place,
    /// Fields that hold its text as it was.
    originals: Mask,
}

/// What is known at a point of a pipeline.
#[derive(Clone)]
struct State {
    /// What each field was taken from.
    from: Vec<Mask>,
    /// What is out of each.
    clean: Vec<Classes>,
    present: Mask,
    alone: Vec<Alone>,
}

/// What is sent unredacted: the place of the step, the redacted field and the one that has its text.
type Leaks = BTreeMap<(usize, usize), (Slot, Slot)>;

struct Look<'a> {
    layout: &'a Layout,
    types: &'a BTreeMap<String, Type>,
    leaks: Leaks,
}

impl Checker<'_> {
    /// Reports fields that are redacted alone while their original is sent.
    pub(super) fn originals(&mut self, steps: &[Step], layout: &Layout, types: &BTreeMap<String, Type>) {
        let len = layout.len();
        let mut present = Mask::default();
        for builtin in BUILTINS {
            layout.slot(builtin.path).into_iter().for_each(|slot| present.insert(slot));
        }
        let start = State {
            from: vec![Mask::default(); len],
            clean: vec![Classes::default(); len],
            present,
            alone: Vec::new(),
        };
        let mut look = Look { layout, types, leaks: Leaks::new() };
        look.steps(steps, start);
        for ((start, end), (field, original)) in std::mem::take(&mut look.leaks) {
            let (field, original) = (layout.path(field), layout.path(original));
            let message = format!(
                "`.{field}` is redacted, and `.{original}`, which has the same text, is sent as it was"
            );
            let help = format!("redact without `on`, or `.{original}` too, or remove it before `to`");
            self.error_with_help(codes::SENT_UNREDACTED, &(start..end), message, Some(help));
        }
    }
}

impl Look<'_> {
    fn below(&self, slot: Slot) -> std::ops::Range<Slot> {
        slot..self.layout.end(slot)
    }

    fn steps(&mut self, steps: &[Step], mut state: State) -> State {
        for step in steps {
            state = self.step(step, state);
        }
        state
    }

    fn step(&mut self, step: &Step, mut state: State) -> State {
        match step {
            Step::Parse { input, formats, into, .. } => {
                let mut given = Mask::default();
                let prefix = self.layout.path(*into);
                for format in formats {
                    for field in &format.fields {
                        let path = super::collect::join(prefix, &field.path);
                        self.layout.slot(&path).into_iter().for_each(|slot| given.insert(slot));
                    }
                    if format.fields.is_empty() {
                        given.insert_all(self.below(*into));
                    }
                }
                BUILTINS
                    .iter()
                    .filter_map(|of| self.layout.slot(of.path))
                    .for_each(|slot| given.remove(slot));
                given.iter().for_each(|slot| self.taken(&mut state, slot, *input));
            }
            Step::Enrich(uses) => {
                for of in uses.iter().filter(|of| of.input != 0) {
                    of.fields.iter().for_each(|slot| self.taken(&mut state, *slot, of.input));
                }
            }
            Step::Unroll { list, into, .. } if list != into => self.taken(&mut state, *into, *list),
            Step::Detect(of) => {
                // Evidence is a part of what was looked at.
                for (slot, input) in
                    of.gives.iter().flat_map(|slot| of.inputs.iter().map(move |input| (*slot, *input)))
                {
                    let path = self.layout.path(slot);
                    if path == "detections" || path.starts_with("threat.indicator.") {
                        self.taken(&mut state, slot, input);
                        self.copied(&mut state, slot, input);
                    }
                    state.present.insert_all(self.below(slot));
                }
            }
            Step::Set(fields) => {
                for (slot, expr) in fields {
                    let numeric = |ty: &Type| {
                        !matches!(ty, Type::Any | Type::Text | Type::Object | Type::List | Type::Ip)
                    };
                    state.present.insert_all(self.below(*slot));
                    if self.types.get(self.layout.path(*slot)).is_some_and(numeric) {
                        continue;
                    }
                    let mut reads = Vec::new();
                    expr.reads(&mut |slot| reads.push(slot));
                    reads.retain(|read| read != slot);
                    for read in reads {
                        self.taken(&mut state, *slot, read);
                        self.copied(&mut state, *slot, read);
                    }
                }
            }
            Step::Rename(fields) => {
                for (from, to) in fields {
                    self.taken(&mut state, *to, *from);
                    self.copied(&mut state, *to, *from);
                    self.below(*from).for_each(|slot| state.present.remove(slot));
                }
            }
            Step::Remove(fields) => {
                fields
                    .iter()
                    .flat_map(|field| self.below(*field))
                    .for_each(|slot| state.present.remove(slot));
            }
            Step::Keep(fields) => {
                let mut kept = Mask::default();
                fields.iter().for_each(|field| kept.insert_all(self.below(*field)));
                state.present.keep(&kept);
            }
            Step::Redact { classes, fields, place, .. } => self.redacted(&mut state, *classes, fields, place),
            Step::When { then, otherwise, .. } => {
                let then = self.steps(then, state.clone());
                state = self.steps(otherwise, state);
                join(&mut state, then);
            }
            Step::Match { arms, otherwise, .. } => {
                let before = state.clone();
                state = self.steps(otherwise, state);
                for (_, steps) in arms {
                    let arm = self.steps(steps, before.clone());
                    join(&mut state, arm);
                }
            }
            Step::To(_) => self.sent(&state),
            Step::Observe(of) => {
                // An alert shows these of the event, and no more.
                let mut shown = Mask::default();
                of.evidence.iter().for_each(|(_, slot)| shown.insert_all(self.below(*slot)));
                let keys = of.keys.iter().map(|(_, key)| key);
                for expr in keys.chain(of.traits.iter().flat_map(|(_, exprs)| exprs)) {
                    expr.reads(&mut |slot| shown.insert(slot));
                }
                shown.keep(&state.present);
                self.sent(&State { present: shown, ..state.clone() });
            }
            Step::Unroll { .. } | Step::Drop { .. } | Step::Reject { .. } => {}
        }
        state
    }

    /// A field gets its text from another.
    fn taken(&self, state: &mut State, slot: Slot, from: Slot) {
        let mut all = state.from[usize::from(from)];
        all.insert(from);
        state.from[usize::from(slot)].add(&all);
        state.clean[usize::from(slot)] = state.clean[usize::from(from)];
        state.present.insert_all(self.below(slot));
    }

    /// A field is a copy of another, and so of all that was taken from that.
    fn copied(&self, state: &mut State, copy: Slot, of: Slot) {
        for from in &mut state.from {
            if from.contains(of) {
                from.insert(copy);
            }
        }
        for alone in &mut state.alone {
            let itself =
                self.below(alone.field).contains(&of) && !state.clean[usize::from(of)].covers(alone.classes);
            if alone.originals.contains(of) || itself {
                alone.originals.insert(copy);
            }
        }
    }

    fn redacted(&self, state: &mut State, classes: Classes, fields: &[Slot], place: &Place) {
        if fields.is_empty() {
            state.clean.iter_mut().for_each(|clean| clean.add(classes));
            return;
        }
        for field in fields {
            let mut originals = Mask::default();
            self.below(*field).for_each(|slot| originals.add(&state.from[usize::from(slot)]));
            self.below(*field).for_each(|slot| originals.remove(slot));
            self.below(*field).for_each(|slot| state.clean[usize::from(slot)].add(classes));
            state.alone.push(Alone { field: *field, classes, place: place.clone(), originals });
        }
    }

    /// What is there at a `to`.
    fn sent(&mut self, state: &State) {
        for Alone { field, classes, place, originals } in &state.alone {
            let leak = originals.iter().find(|slot| {
                state.present.contains(*slot) && !state.clean[usize::from(*slot)].covers(*classes)
            });
            if let Some(original) = leak {
                self.leaks.entry((place.start, place.end)).or_insert((*field, original));
            }
        }
    }
}

/// Two branches come together.
fn join(state: &mut State, other: State) {
    state.from.iter_mut().zip(&other.from).for_each(|(mine, other)| mine.add(other));
    for (mine, other) in state.clean.iter_mut().zip(&other.clean) {
        *mine =
            Class::ALL.into_iter().filter(|class| mine.contains(*class) && other.contains(*class)).collect();
    }
    state.present.add(&other.present);
    for alone in other.alone {
        let same = |known: &&mut Alone| known.field == alone.field && known.place == alone.place;
        match state.alone.iter_mut().find(same) {
            Some(known) => known.originals.add(&alone.originals),
            None => state.alone.push(alone),
        }
    }
}
