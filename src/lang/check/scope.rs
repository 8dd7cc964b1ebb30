//! The fields that are known at a point of a pipeline, with their types.

use std::collections::BTreeMap;

use crate::expr::unify;
use crate::lang::builtin::BUILTINS;
use crate::signature::Type;

/// What is known of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Known {
    /// Its type.
    pub(super) ty: Type,
    /// Whether it may be missing.
    pub(super) maybe: bool,
    /// Whether it has one type here and another there, so that nothing can be said of it before it is converted.
    pub(super) mixed: bool,
}

impl Known {
    /// A field of one type.
    pub(super) fn new(ty: Type, maybe: bool) -> Self {
        Self { ty, maybe, mixed: false }
    }

    /// The type of what is one or the other, and whether the two are at odds.
    pub(super) fn meet(self, other: Self) -> (Type, bool) {
        let ty = unify(self.ty, other.ty);
        let odds = ty == Type::Any && self.ty != Type::Any && other.ty != Type::Any;
        (ty, odds || self.mixed || other.mixed)
    }
}

/// The fields at a point of a pipeline.
#[derive(Clone, Debug, Default)]
pub(super) struct Scope {
    fields: BTreeMap<String, Known>,
    /// Whether there may be fields that nobody named: open JSON was parsed.
    pub(super) open: bool,
    /// No event gets here.
    pub(super) ended: bool,
    /// An event may have been sent to a sink before it gets here.
    pub(super) sent: bool,
}

impl Scope {
    /// What every event has before its first step.
    pub(super) fn start() -> Self {
        let fields =
            BUILTINS.iter().map(|builtin| (builtin.path.to_owned(), Known::new(builtin.ty, builtin.maybe)));
        Self { fields: fields.collect(), ..Self::default() }
    }

    /// Where anything may be.
    pub(super) fn anything() -> Self {
        Self { open: true, ..Self::default() }
    }

    /// What is known of a path; `None` where no such field can be.
    pub(super) fn get(&self, path: &str) -> Option<Known> {
        if path.is_empty() {
            return Some(Known::new(Type::Object, false));
        }
        if let Some(known) = self.fields.get(path) {
            return Some(*known);
        }
        let below = format!("{path}.");
        let mut inside = self.inside(&below).peekable();
        if inside.peek().is_some() {
            return Some(Known::new(Type::Object, inside.all(|(_, known)| known.maybe)));
        }
        let holder = |at: usize| self.fields.get(path.get(..at)?);
        let open = path
            .match_indices('.')
            .filter_map(|(at, _)| holder(at))
            .any(|known| matches!(known.ty, Type::Any | Type::Object | Type::List));
        (open || self.open).then_some(Known::new(Type::Any, true))
    }

    fn inside<'a>(&'a self, below: &'a str) -> impl Iterator<Item = (&'a String, &'a Known)> {
        self.fields.range(below.to_owned()..).take_while(move |(path, _)| path.starts_with(below))
    }

    /// All names, for suggestions.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> + Clone {
        self.fields.keys().map(String::as_str)
    }

    /// A field is written: what was below it is gone.
    pub(super) fn write(&mut self, path: &str, ty: Type, maybe: bool) {
        self.remove(path);
        self.fields.insert(path.to_owned(), Known::new(ty, maybe));
    }

    /// A format gives a field, whatever was there before.
    pub(super) fn give(&mut self, path: &str, given: Known) {
        let known = match self.fields.get(path) {
            Some(before) if given.maybe => {
                let (ty, mixed) = before.meet(given);
                Known { ty, maybe: before.maybe, mixed }
            }
            _ => given,
        };
        self.fields.insert(path.to_owned(), known);
    }

    /// A field is removed with all below it.
    pub(super) fn remove(&mut self, path: &str) {
        if path.is_empty() {
            self.fields.clear();
            return;
        }
        let below = format!("{path}.");
        self.fields.retain(|known, _| known != path && !known.starts_with(&below));
    }

    /// Only these fields and what is below them stay.
    pub(super) fn keep(&mut self, paths: &[String]) {
        self.open = false;
        self.fields.retain(|known, _| {
            paths.iter().any(|path| {
                known == path || known.strip_prefix(path.as_str()).is_some_and(|rest| rest.starts_with('.'))
            })
        });
    }

    /// A guard has shown that a field is there.
    pub(super) fn certain(&mut self, path: &str) {
        match self.fields.get_mut(path) {
            Some(known) => known.maybe = false,
            None => {
                if let Some(known) = self.get(path)
                    && known.ty != Type::Object
                {
                    self.fields.insert(path.to_owned(), Known { maybe: false, ..known });
                }
            }
        }
    }

    /// What is known where two ways meet.
    pub(super) fn join(self, other: Self) -> Self {
        if self.ended {
            return other;
        }
        if other.ended {
            return self;
        }
        let mut fields = self.fields;
        for (path, known) in &mut fields {
            match other.fields.get(path) {
                Some(there) => {
                    (known.ty, known.mixed) = known.meet(*there);
                    known.maybe |= there.maybe;
                }
                None => known.maybe = true,
            }
        }
        for (path, known) in other.fields {
            fields.entry(path).or_insert(Known { maybe: true, ..known });
        }
        let (open, sent) = (self.open || other.open, self.sent || other.sent);
        Self { fields, open, ended: false, sent }
    }

    /// Every field with its type.
    pub(super) fn types(&self) -> impl Iterator<Item = (&str, Type)> {
        self.fields.iter().map(|(path, known)| (path.as_str(), known.ty))
    }
}
